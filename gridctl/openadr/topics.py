"""MQTT topics: which there are, what goes where, and who may read them. Pure.

Below a prefix: `bl/…` everything, for business logic; `open/…` programs and events without targets,
for everybody; `vens/ID/…` what one VEN may see, with the targets that are its own. The broker's ACL
(`acl`) says the same, so that a topic can be named to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from gridctl.openadr.scopes import BUSINESS_LOGIC

OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE")


def names(base: str, *, of_one: bool = False) -> dict[str, str]:
    """Operation → topic, as OpenADR's answer has them. Of one object there is no CREATE."""
    wanted = OPERATIONS[1:] if of_one else OPERATIONS
    return {**{op: f"{base}/{op.lower()}" for op in wanted}, "ALL": f"{base}/+"}


def of_collection(prefix: str, role: str, path: str) -> str:
    """The base of a collection's topics (`programs`, `programs/ID/events` …) for one role."""
    return f"{prefix}/{'bl' if role == BUSINESS_LOGIC else 'open'}/{path}"


def collections(kind: str, id_: str, program_id: str | None) -> Sequence[str]:
    """The collections in which a change of an object is told."""
    found = [f"{kind}s", f"{kind}s/{id_}"] if kind in ("program", "ven") else [f"{kind}s"]
    if kind == "event" and program_id is not None:
        found.append(f"programs/{program_id}/events")
    return found


def acl(prefix: str, publisher: str, clients: Iterable[tuple[str, str, str | None]]) -> str:
    """The broker's ACL in mosquitto's form; `clients`: (client id, role, id of its VEN or None).
    Whoever is not named reads and writes nothing."""
    parts = [f"user {publisher}\ntopic write {prefix}/#"]
    for client_id, role, ven_id in clients:
        topics = (
            [f"{prefix}/bl/#", f"{prefix}/open/#", f"{prefix}/vens/#"]
            if role == BUSINESS_LOGIC
            else [f"{prefix}/open/#", *([f"{prefix}/vens/{ven_id}/#"] if ven_id else [])]
        )
        parts.append("\n".join([f"user {client_id}", *(f"topic read {t}" for t in topics)]))
    return "\n\n".join(parts) + "\n"
