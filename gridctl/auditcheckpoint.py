"""Signed checkpoints of the audit chain, kept in a second place (SG-34).

The chain alone does not show that its end was cut off, nor that somebody with write access
computed all of it anew. A checkpoint says "row N had this hash", signed with the office's key, and
goes where the database's owner cannot change it: a file on another host, a syslog server. Each
names the hash of the checkpoint before it, so that one taken out of the file is missed too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gridctl.model.canonical import canonical_json
from gridctl.model.chain import GENESIS

_DOMAIN: Final = b"gridctl audit checkpoint\n"
"""In front of what is signed: the same key signs orders, and neither may pass for the other."""


class CheckpointError(ValueError):
    """A checkpoint is not what the office wrote; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Row `sequence` of the chain had `hash` at `at_s` (grid time). `previous`: SHA-256 of the line
    before, GENESIS for the first."""

    sequence: int
    hash: str
    at_s: float
    previous: str

    def line(self, key: Ed25519PrivateKey) -> str:
        """As it is kept: one line of JSON with its signature."""
        body = asdict(self)
        signature = key.sign(_DOMAIN + canonical_json(body)).hex()
        return canonical_json({**body, "signature": signature}).decode()


def hash_of(line: str) -> str:
    """What the next checkpoint calls `previous`."""
    return hashlib.sha256(line.encode()).hexdigest()


def read_checkpoints(lines: Sequence[str], key: Ed25519PublicKey) -> Sequence[Checkpoint]:
    """The checkpoints of a file. Raises CheckpointError that names the first bad line."""
    return list(_checked(lines, key))


def _checked(lines: Sequence[str], key: Ed25519PublicKey) -> Iterator[Checkpoint]:
    previous, last = GENESIS, 0
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
            signature = bytes.fromhex(found.pop("signature"))
            one = Checkpoint(**found)
            key.verify(signature, _DOMAIN + canonical_json(asdict(one)))
        except (ValueError, TypeError, KeyError, AttributeError, InvalidSignature):
            raise CheckpointError(f"checkpoint {number} is not signed by the office") from None
        if one.previous != previous:
            raise CheckpointError(f"checkpoint {number} does not continue checkpoint {number - 1}")
        if one.sequence < last:
            raise CheckpointError(f"checkpoint {number} goes back to row {one.sequence}")
        previous, last = hash_of(line), one.sequence
        yield one
