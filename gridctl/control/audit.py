"""Who did what, why, and how it ended: entries for the audit chain (SG-34).

An entry is written in the transaction of the act that it records, so that neither is there without
the other.
"""

from __future__ import annotations

from gridctl.control.ports import AuditEntry, Person

OFFICE = Person(user="gridctl", session="", source="office", role="SYSTEM")
"""The office itself, when no person acts: expiry, dispatch of what was approved, the cycle."""
STOP_FILE = Person(user="stop file", session="", source="stop file", role="")
"""Whoever made the stop file: `gridctl stop`, or a hand."""
FIELD = Person(user="field", session="", source="field", role="SYSTEM")


def entry(
    *,
    at_s: float,
    person: Person,
    action: str,
    object_: str,
    before: str = "",
    after: str = "",
    reason: str = "",
    plan_digest: str = "",
    result: str = "ok",
) -> AuditEntry:
    """An entry; `at_s` in grid time, `object_` names what was acted upon."""
    return AuditEntry(
        at_s=at_s,
        who=person.user,
        session=person.session,
        source=person.source,
        role=person.role,
        action=action,
        object=object_,
        before=before,
        after=after,
        reason=reason,
        plan_digest=plan_digest,
        result=result,
    )
