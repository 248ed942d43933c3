"""The links of the audit chain, for whoever writes it and whoever checks it elsewhere (SG-34).

hash = SHA-256(previous hash, as 64 hexadecimal characters || canonical JSON of entry and sequence).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gridctl.model.canonical import canonical_json
from gridctl.model.record import AuditEntry

GENESIS = "0" * 64
"""What the first row continues."""


def link(previous: str, sequence: int, entry: AuditEntry | Mapping[str, object]) -> str:
    """The hash of a row; `entry` may be its JSON form."""
    body = canonical_json({"sequence": sequence, "entry": entry})
    return hashlib.sha256(previous.encode() + body).hexdigest()
