"""Writes a signed checkpoint of the audit chain to its second place, again and again (SG-34).

Before a new one is written the last one is looked up in the chain: an end that was cut off, or a
chain that was computed anew, is an alarm within the same minute. A second place that cannot be
written is an alarm too, but stops nothing: the record itself is whole.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.auditcheckpoint import Checkpoint, hash_of
from gridctl.control.ports import AuditRow, Store
from gridctl.model.chain import GENESIS
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError, InvariantViolation, UnavailableError

SYSLOG_PRIORITY: Final = 13 * 8 + 5
"""RFC 5424: facility 13 (log audit), severity 5 (notice)."""
SYSLOG_WAIT_S: Final = 5.0
_TAIL_BYTES: Final = 4096
_MODE: Final = 0o640


class Place(Protocol):
    """A second place."""

    @property
    def name(self) -> str: ...

    def write(self, line: str) -> None:
        """Keep `line`. Raises OSError. Blocks, at most SYSLOG_WAIT_S."""
        ...


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """A file that only ever grows; best on a disk of another host."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def write(self, line: str) -> None:
        """Append, and have it on the disk before this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        try:
            os.write(descriptor, f"{line}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def last(self) -> str:
        """The last line, "" when there is none. Raises OSError."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return lines[-1] if lines else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Syslog:
    """A syslog server by RFC 5424, over UDP (RFC 5426) or TCP with octet counting (RFC 6587)."""

    scheme: str
    host: str
    port: int
    clock: Clock

    @property
    def name(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def write(self, line: str) -> None:
        """Send one message."""
        message = self.message(line)
        if self.scheme == "udp":
            with socket.socket(_family(self.host), socket.SOCK_DGRAM) as one:
                one.settimeout(SYSLOG_WAIT_S)
                one.sendto(message, (self.host, self.port))
            return
        with socket.create_connection((self.host, self.port), timeout=SYSLOG_WAIT_S) as one:
            one.sendall(str(len(message)).encode() + b" " + message)

    def message(self, line: str) -> bytes:
        """PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG."""
        at = datetime.fromtimestamp(self.clock.now_s(), tz=UTC).isoformat(timespec="milliseconds")
        stamp = at.replace("+00:00", "Z")
        head = f"<{SYSLOG_PRIORITY}>1 {stamp} {socket.gethostname() or '-'} gridctl {os.getpid()}"
        return f"{head} AUDIT - {line}".encode()


def syslog_at(url: str, *, file: str, clock: Clock) -> Syslog:
    """`udp://host:514` or `tcp://host:601`. Raises ConfigError."""
    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port
    except ValueError:
        host = port = None
    if host is None or port is None or urlsplit(url).scheme not in ("udp", "tcp"):
        raise ConfigError(
            f"{url!r} is no syslog address",
            file=file,
            key="audit.syslog",
            hint="udp://HOST:514 or tcp://HOST:601",
        )
    return Syslog(scheme=urlsplit(url).scheme, host=host, port=port, clock=clock)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Checkpoints:
    """`step` is the job of the agenda; the file is the one that is read back."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        key: Ed25519PrivateKey,
        file: CheckpointFile,
        others: Sequence[Place] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._key = key
        self._file = file
        self._others = tuple(others)
        self._last: str | None = None

    async def step(self) -> Checkpoint | None:
        """One checkpoint of the newest row, None for a chain without rows or without new ones.

        Raises InvariantViolation when the chain no longer has what the last checkpoint saw,
        UnavailableError when a place cannot be written.
        """
        newest = await self._store.audit_rows(limit=1)
        before = await asyncio.to_thread(self._read_last)
        if before is not None:
            await self._still_there(before, newest)
        if not newest or (before is not None and before[0] == newest[0].sequence):
            return None
        made = Checkpoint(
            sequence=newest[0].sequence,
            hash=newest[0].hash,
            at_s=self._clock.now_s(),
            previous=GENESIS if self._last is None else hash_of(self._last),
        )
        line = made.line(self._key)
        for place in (self._file, *self._others):
            try:
                await asyncio.to_thread(place.write, line)
            except OSError as error:
                why = error.strerror or str(error)
                raise UnavailableError(f"no audit checkpoint to {place.name}: {why}") from error
            if place is self._file:
                self._last = line
        return made

    def _read_last(self) -> tuple[int, str] | None:
        """(sequence, hash) of the last checkpoint. What stands in the file was verified by whoever
        reads it; here its own words are enough to find a chain that has shrunk."""
        try:
            line = self._file.last()
        except OSError as error:
            raise UnavailableError(f"{self._file.name}: {error.strerror}") from error
        if not line:
            if self._last is not None:
                raise InvariantViolation(f"the checkpoints in {self._file.name} are gone")
            return None
        self._last = line
        found = _sequence_and_hash(line)
        if found is None:
            raise InvariantViolation(f"the last line of {self._file.name} is no checkpoint")
        return found

    async def _still_there(self, before: tuple[int, str], newest: Sequence[AuditRow]) -> None:
        sequence, hash_ = before
        if not newest or newest[0].sequence < sequence:
            last = newest[0].sequence if newest else 0
            raise InvariantViolation(
                f"the audit chain ends with row {last}, a checkpoint has seen row {sequence}"
            )
        seen = await self._store.audit_rows(limit=1, before=sequence + 1)
        if not seen or (seen[0].sequence, seen[0].hash) != (sequence, hash_):
            raise InvariantViolation(f"row {sequence} is not the one that a checkpoint has seen")


def _sequence_and_hash(line: str) -> tuple[int, str] | None:
    try:
        found = json.loads(line)
        return int(found["sequence"]), str(found["hash"])
    except (ValueError, TypeError, KeyError):
        return None
