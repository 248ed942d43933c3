"""What the console needs to know people by: accounts, factors, keys, rules."""

from __future__ import annotations

from dataclasses import dataclass

from gridctl.breached import BreachedList
from gridctl.model.clock import Clock
from gridctl.model.password import PasswordProfile, password_faults
from gridctl.sealing import Sealer
from gridctl.store.factors import Factors
from gridctl.store.sessions import Sessions
from gridctl.store.users import Users
from gridctl.web.securitykeys import SecurityKeys

SETUP_LIFE_S = 72 * 3_600.0
"""How long a set-up link is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """`real`: the machine's UTC, for codes and set-up links. `sealer` and `keys`: None where code
    generators or security keys cannot be used. `origin`: the console's address for browsers.
    `step_up_s`: how long a proof is fresh. `factor_roles`: who acts only with a second factor.
    `local`: None where everybody signs in with a password of gridctl's own; else the accounts
    that still may although there is an identity provider (break-glass)."""

    users: Users
    sessions: Sessions
    factors: Factors
    real: Clock
    origin: str
    site: str
    sealer: Sealer | None
    keys: SecurityKeys | None
    step_up_s: float
    factor_roles: frozenset[str]
    profile: PasswordProfile
    breached: BreachedList | None
    areas: frozenset[str]
    local: frozenset[str] | None = None

    def password_faults(self, password: str, *, user: str, full_name: str) -> tuple[str, ...]:
        """What is wrong with a password that a person has chosen (SG-33)."""
        faults = password_faults(password, profile=self.profile, user=user, full_name=full_name)
        if not faults and self.breached is not None and self.breached.knows(password):
            return ("others have lost this password already: it stands in the list of breaches",)
        return faults

    def may_use_password(self, name: str) -> bool:
        """Whether this name may come in by a password of gridctl's own."""
        return self.local is None or name in self.local
