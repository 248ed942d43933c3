"""People for tests of the console's server side: real accounts, real keys, small rules."""

from __future__ import annotations

from gridctl.model.clock import Clock
from gridctl.model.password import PasswordProfile
from gridctl.sealing import Sealer
from gridctl.store.engine import SqlStore
from gridctl.wallclock import system_clock
from gridctl.web.people import People
from gridctl.web.securitykeys import SecurityKeys

ORIGIN = "http://localhost:8080"


def people_of(
    store: SqlStore,
    *,
    step_up_s: float = 300.0,
    factor_roles: frozenset[str] = frozenset(),
    real: Clock | None = None,
    local: frozenset[str] | None = None,
    origin: str = ORIGIN,
) -> People:
    """All that the console asks about people."""
    return People(
        users=store.users,
        sessions=store.sessions,
        factors=store.factors,
        real=real or system_clock(),
        origin=origin,
        site="Test site",
        sealer=Sealer(bytes(32), file="test"),
        keys=SecurityKeys(origin=origin, site="Test site"),
        step_up_s=step_up_s,
        factor_roles=factor_roles,
        profile=PasswordProfile.ASVS,
        breached=None,
        areas=frozenset({"north", "south"}),
        local=local,
    )
