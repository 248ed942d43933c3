"""Who may do what (SG-31; role names of IEC 62351-8 plus SUPERVISOR). Unlisted means no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Permission(StrEnum):
    """What a route can ask for."""

    VIEW = "view"
    ACK = "ack"
    STOP = "stop"
    PROPOSE = "propose"
    APPROVE = "approve"
    SECOND_APPROVAL = "second_approval"
    MODE = "mode"
    DUTY = "duty"
    TAG = "tag"
    AUDIT = "audit"
    OWN = "own"
    """One's own session and factors: everybody who is signed in."""
    LIST_USERS = "list_users"
    USERS = "users"
    ROLES = "roles"


class Role(StrEnum):
    """Roles of people."""

    VIEWER = "VIEWER"
    OPERATOR = "OPERATOR"
    SUPERVISOR = "SUPERVISOR"
    ENGINEER = "ENGINEER"
    INSTALLER = "INSTALLER"
    SECADM = "SECADM"
    SECAUD = "SECAUD"
    RBACMNT = "RBACMNT"


_P = Permission
_DESK = frozenset(
    {_P.OWN, _P.VIEW, _P.ACK, _P.STOP, _P.PROPOSE, _P.APPROVE, _P.AUDIT, _P.MODE, _P.DUTY, _P.TAG}
)

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({_P.OWN, _P.VIEW}),
    Role.OPERATOR: _DESK,
    Role.SUPERVISOR: _DESK | {_P.SECOND_APPROVAL},
    Role.ENGINEER: frozenset({_P.OWN, _P.VIEW, _P.MODE}),
    Role.INSTALLER: frozenset({_P.OWN, _P.VIEW}),
    Role.SECADM: frozenset({_P.OWN, _P.LIST_USERS, _P.USERS}),
    Role.SECAUD: frozenset({_P.OWN, _P.VIEW, _P.AUDIT, _P.LIST_USERS}),
    Role.RBACMNT: frozenset({_P.OWN, _P.LIST_USERS, _P.ROLES}),
}

ALL_AREAS = "*"


def may(role: str, permission: Permission) -> bool:
    """Whether `role` has `permission`; an unknown role has none."""
    try:
        return permission in PERMISSIONS[Role(role)]
    except ValueError:
        return False


def lacking_areas(held: str, needed: Iterable[str]) -> tuple[str, ...]:
    """Areas that are needed and that a person does not answer for. `held`: "*" or names joined by
    commas; who answers for nothing in particular answers for nothing."""
    if held == ALL_AREAS:
        return ()
    mine = {area.strip() for area in held.split(",")}
    return tuple(sorted({area for area in needed if area not in mine}))
