"""`[users]` and `[oidc]` of gridctl.toml: how people prove who they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

RoleName = Literal[
    "VIEWER", "OPERATOR", "SUPERVISOR", "ENGINEER", "INSTALLER", "SECADM", "SECAUD", "RBACMNT"
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UsersTable(_Table):
    """`[users]`: a proof is fresh for `step_up_s` real seconds (SG-07); the roles in
    `second_factor_roles` act only with a code generator or a security key; with
    `second_approver_factor` the second of two approvals does. `key_file` seals the secrets of code
    generators and is made at the first start. `origin`: the console's address in browsers, where it
    is another one than `[web]` says (a proxy): security keys are bound to its host name.
    `breached_file`: a list of SHA-1 digests of lost passwords, in order (SG-33)."""

    step_up_s: Annotated[float, Field(ge=30, le=3600)] = 300.0
    second_factor_roles: tuple[RoleName, ...] = ()
    second_approver_factor: bool = False
    key_file: Path | None = None
    origin: str | None = None
    password_profile: Literal["asvs", "ieee1686", "cip007"] = "asvs"  # noqa: S105 - a name
    breached_file: Path | None = None


class OidcRoleTable(_Table):
    """`[[oidc.roles]]`: what the members of a group are here; the first that fits counts."""

    group: str
    role: RoleName
    areas: tuple[str, ...]


class OidcTable(_Table):
    """`[oidc]`: an OpenID Connect provider. `local`: accounts of gridctl's own that may still sign
    in with a password (break-glass); each such sign-in is an alarm."""

    issuer: str
    client_id: str
    client_secret_file: Path | None = None
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: tuple[OidcRoleTable, ...]
    local: tuple[str, ...]

    @model_validator(mode="after")
    def _some_role(self) -> OidcTable:
        if not self.roles:
            raise ValueError("without one [[oidc.roles]] nobody could sign in")
        return self
