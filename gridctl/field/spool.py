"""The field agent's own memory, on disk before anything goes to the wire.

One JSON file, replaced whole (write aside, fsync, rename, fsync the folder), so that a kill at any
moment leaves either the old state or the new one. It holds what the guard must not forget: the
highest epoch and sequence, what was let through and when, which commands are under way, which
setpoints are held and which devices are tagged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from gridctl.model.budget import Move
from gridctl.model.command import Command
from gridctl.model.errors import ConfigError
from gridctl.model.tag import Tag

SPOOL_VERSION = 1
ADMITTED_REMEMBERED = 4_096
MOVES_KEPT_S = 7_200.0
"""Grid seconds; twice the longest window that the limits ask about (commands in any hour)."""
MOVES_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A setpoint that is held until `until_s` (grid time) and then returned to the default."""

    command: str
    order: str
    point: str
    value: float
    default_value: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A command that was let through and whose end is not known yet."""

    command: Command
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldState:
    """All of it, frozen: one value, one file."""

    version: int = SPOOL_VERSION
    epoch: int = 0
    sequence: int = 0
    stopped: bool = False
    admitted: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()
    under_way: tuple[UnderWay, ...] = ()
    leases: tuple[Lease, ...] = ()
    tags: tuple[Tag, ...] = ()


# "| None" only because pydantic takes no config for a bare dataclass; a null file is refused.
_STATE: TypeAdapter[FieldState | None] = TypeAdapter(
    FieldState | None, config=ConfigDict(extra="forbid")
)


class FieldMemory:
    """The state, and the file it lives in.

    `save` is called before a command may go to the wire; what happens after (a lease taken, a
    command done) may be saved a moment later with `save_if_dirty`, because until then the command
    still stands as under way, and a restart treats it as if it had happened.
    """

    def __init__(self, path: Path) -> None:
        """Read `path`, or begin with nothing when it is not there; its folder is made here and
        never again: one that was removed does not come back. Raises ConfigError when it cannot be
        read: to forget what is held would be worse than not to start."""
        self._path = path
        self._dirty = False
        _make_folder(path.parent)
        self._state = _read(path)

    @property
    def state(self) -> FieldState:
        """What is remembered now."""
        return self._state

    def lease(self, point: str) -> Lease | None:
        """The lease on `point`, if it is held."""
        return next((held for held in self._state.leases if held.point == point), None)

    def admit(
        self,
        *,
        epoch: int,
        sequence: int,
        commands: Iterable[UnderWay],
        moves: Iterable[Move],
        now_s: float,
    ) -> None:
        """Remember an order and save. Raises OSError when it cannot be written; the state is then
        what it was, and nothing may be sent."""
        new = tuple(commands)
        old = self._state
        kept = (m for m in old.moves if m.at_s > now_s - MOVES_KEPT_S)
        admitted = (*old.admitted, *(one.command.mrid for one in new))
        self._replace(
            replace(
                old,
                epoch=epoch,
                sequence=sequence,
                admitted=admitted[-ADMITTED_REMEMBERED:],
                moves=(*kept, *moves)[-MOVES_MAX:],
                under_way=(*old.under_way, *new),
            )
        )

    def set_stopped(self, stopped: bool, *, epoch: int, sequence: int) -> None:
        """Remember STOP or RESUME and save. Raises OSError as `admit` does, but a STOP holds in
        memory all the same."""
        changed = replace(self._state, stopped=stopped, epoch=epoch, sequence=sequence)
        if stopped:
            self._state = changed
        self._replace(changed)

    def set_tags(self, tags: tuple[Tag, ...], *, epoch: int, sequence: int) -> None:
        """Remember which devices are tagged and save. Raises OSError; the state is then what it
        was."""
        self._replace(replace(self._state, tags=tags, epoch=epoch, sequence=sequence))

    def hold(self, lease: Lease) -> None:
        """A setpoint is (or may be) in force: hold it, and the command is not under way any more.
        Replaces an older lease on the same point."""
        others = tuple(held for held in self._state.leases if held.point != lease.point)
        self._change(replace(self._state, leases=(*others, lease)))
        self.finish(lease.command)

    def let_go(self, point: str) -> None:
        """Nothing is held on `point` any more."""
        kept = tuple(held for held in self._state.leases if held.point != point)
        self._change(replace(self._state, leases=kept))

    def finish(self, command: str) -> None:
        """The command's end is known."""
        kept = tuple(one for one in self._state.under_way if one.command.mrid != command)
        self._change(replace(self._state, under_way=kept))

    def expire_all(self, now_s: float) -> None:
        """Let every lease run out now (return to default)."""
        self._change(
            replace(
                self._state,
                leases=tuple(
                    replace(held, until_s=min(held.until_s, now_s)) for held in self._state.leases
                ),
            )
        )

    def shift(self, by_s: float) -> None:
        """The grid clock was set back by `by_s` (negative): no lease may live longer for it."""
        self._change(
            replace(
                self._state,
                leases=tuple(
                    replace(held, until_s=held.until_s + by_s) for held in self._state.leases
                ),
            )
        )

    def save_if_dirty(self) -> None:
        """Write what has changed since the last save. Raises OSError."""
        if self._dirty:
            self._replace(self._state)

    def _change(self, state: FieldState) -> None:
        self._dirty = self._dirty or state != self._state
        self._state = state

    def _replace(self, state: FieldState) -> None:
        _write(self._path, _STATE.dump_json(state))
        self._state = state
        self._dirty = False


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot be made: {error.strerror}", file=str(folder)) from None


def _read(path: Path) -> FieldState:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return FieldState()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    try:
        state = _STATE.validate_json(data)
    except ValidationError as error:
        raise ConfigError(
            f"is damaged: {error.error_count()} errors",
            file=str(path),
            hint="see in the devices what they hold, return them to default, move the file away",
        ) from None
    if state is None or state.version != SPOOL_VERSION:
        raise ConfigError(
            "was written by another version", file=str(path), hint="start that version instead"
        )
    return state


def _write(path: Path, data: bytes) -> None:
    aside = path.with_name(path.name + ".new")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
