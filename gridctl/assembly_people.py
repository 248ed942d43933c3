"""What the console knows people by, from the settings."""

from __future__ import annotations

import logging
from pathlib import Path

from gridctl.breached import BreachedList
from gridctl.config import Settings
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError
from gridctl.model.password import PasswordProfile
from gridctl.sealing import load_sealer
from gridctl.store.engine import SqlStore
from gridctl.wallclock import system_clock
from gridctl.web.people import People
from gridctl.web.provider import Provider, ProviderSettings, roles_of
from gridctl.web.securitykeys import SecurityKeys

log = logging.getLogger(__name__)

CALLBACK = "/oidc/callback"


def people_of(settings: Settings, store: SqlStore, areas: frozenset[str]) -> People:
    """Accounts, factors and rules. Raises ConfigError."""
    table = settings.users
    try:
        keys = SecurityKeys(origin=settings.origin, site=settings.site.name)
    except ValueError as error:
        log.info("no security keys: %s (users.origin)", error)
        keys = None
    return People(
        users=store.users,
        sessions=store.sessions,
        factors=store.factors,
        real=system_clock(),
        origin=settings.origin,
        site=settings.site.name,
        sealer=load_sealer(settings.users_key),
        keys=keys,
        step_up_s=table.step_up_s,
        factor_roles=frozenset(table.second_factor_roles),
        profile=PasswordProfile(table.password_profile),
        breached=None if table.breached_file is None else BreachedList(table.breached_file),
        areas=areas,
        local=None if settings.oidc is None else frozenset(settings.oidc.local),
    )


def provider_of(settings: Settings, clock: Clock, areas: frozenset[str]) -> Provider | None:
    """The identity provider, where one is set up. Raises ConfigError."""
    table = settings.oidc
    if table is None:
        return None
    for number, row in enumerate(table.roles):
        unknown = sorted(set(row.areas) - areas - {"*"})
        if unknown:
            raise ConfigError(
                f"area {unknown[0]!r} has no device",
                file=str(settings.file),
                key=f"oidc.roles[{number}].areas",
                hint=f"areas here: {', '.join(sorted(areas))}",
            )
    try:
        return Provider(
            ProviderSettings(
                issuer=table.issuer,
                client_id=table.client_id,
                client_secret=_secret(table.client_secret_file),
                redirect=settings.origin + CALLBACK,
                name_claim=table.name_claim,
                groups_claim=table.groups_claim,
                roles=roles_of([(r.group, r.role, r.areas) for r in table.roles]),
            ),
            clock=clock,
            real=system_clock(),
        )
    except ValueError as error:
        raise ConfigError(
            str(error), file=str(settings.file), key="oidc.issuer", hint="an https address"
        ) from None


def _secret(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", file=str(file)) from None
