"""What a client may do: its record says business logic or VEN, and the role says the scopes.

A token carries what was asked of the role's scopes, or all of them; a scope that the role does not
have is left out without a word (RFC 6749 §3.3), because VENs in the field ask for `read_all`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BUSINESS_LOGIC: Final = "business-logic"
VEN: Final = "ven"

SCOPES: Final = {
    BUSINESS_LOGIC: (
        "read_all",
        "read_bl",
        "read_targets",
        "read_ven_objects",
        "write_programs",
        "write_events",
        "write_subscriptions",
        "write_vens",
    ),
    VEN: (
        "read_targets",
        "read_ven_objects",
        "write_reports",
        "write_subscriptions",
        "write_vens",
    ),
}

READ_TARGETED: Final = ("read_all", "read_targets")
READ_OWN: Final = ("read_all", "read_ven_objects")
READ_ANY: Final = ("read_all", "read_bl", "read_targets", "read_ven_objects")
READ_BUSINESS_LOGIC: Final = ("read_bl",)


def granted(role: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """The scopes of a new token: those of `wanted` that the role has, all of the role's if none."""
    allowed = SCOPES[role]
    return tuple(scope for scope in allowed if scope in wanted) or allowed
