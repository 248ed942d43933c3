"""Who may do what (SG-31; role names of IEC 62351-8 plus SUPERVISOR). Unlisted means no."""

from __future__ import annotations

from collections.abc import Mapping
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
    AUDIT = "audit"
    USERS = "users"


class Role(StrEnum):
    """Roles of people."""

    VIEWER = "VIEWER"
    OPERATOR = "OPERATOR"
    SUPERVISOR = "SUPERVISOR"
    ENGINEER = "ENGINEER"
    SECADM = "SECADM"
    SECAUD = "SECAUD"


_P = Permission
_DESK = frozenset({_P.VIEW, _P.ACK, _P.STOP, _P.PROPOSE, _P.APPROVE, _P.AUDIT, _P.MODE, _P.DUTY})

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({_P.VIEW}),
    Role.OPERATOR: _DESK,
    Role.SUPERVISOR: _DESK | {_P.SECOND_APPROVAL},
    Role.ENGINEER: frozenset({_P.VIEW, _P.MODE}),
    Role.SECADM: frozenset({_P.USERS}),
    Role.SECAUD: frozenset({_P.VIEW, _P.AUDIT}),
}


def may(role: str, permission: Permission) -> bool:
    """Whether `role` has `permission`; an unknown role has none."""
    try:
        return permission in PERMISSIONS[Role(role)]
    except ValueError:
        return False
