"""Our decoder against the native stack's, on the fragments of the very device that is read.

The hot path (`values.py`) is used only after both have read the device's first integrity poll and
agree on every object, flag octet and time. Where they do not, the stack's boxed values are used,
and the communications screen says so.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from protocols.dnp3.codec import Sample
from protocols.dnp3.objects import Block, columns, is_event, static_group, walk

COMPARED_MAX: Final = 200_000
_STACK_GROUPS: Final = frozenset(
    {1, 2, 3, 4, 10, 11, 13, 20, 21, 22, 23, 30, 32, 40, 42, 43, 50, 51, 52, 110, 111}
)
"""What the native stack can read. It rejects a whole fragment for one object of another group."""
_COMPARED: Final = frozenset({1, 3, 10, 20, 21, 30, 40})
_READ: Final = _COMPARED | {31}
_POSITION: Final = (0.0, 0.0, 1.0, 0.0)
_DOUBLE_BIT: Final = 3

_Known = tuple[int, int, float, int | None, int | None]


def readable_by_stack(objects: bytes) -> bytes:
    """Those blocks of `objects` that the native stack can read."""
    return b"".join(
        objects[block.header : block.end]
        for block in walk(objects)
        if isinstance(block, Block) and block.group in _STACK_GROUPS
    )


def samples_of(objects: bytes) -> Iterator[Sample]:
    """`objects` by our own decoder, in the shape of what the stack boxes."""
    common: tuple[int, bool] | None = None
    for block in walk(objects):
        if not isinstance(block, Block):
            return
        if block.group == 51 and len(block.body) >= 6:  # noqa: PLR2004 - common time
            common = int.from_bytes(block.body[:6], "little"), block.variation == 1
        group = static_group(block.group)
        found = columns(block) if group in _READ and block.group not in (13, 43) else None
        if found is None:
            continue
        nothing: list[int | None] = [None] * len(found.values)
        flags: Sequence[int | None] = found.flags or nothing
        times: Sequence[int | None] = found.times or nothing
        base = common if found.relative else None
        offset_ms, synchronized = base if base is not None else (0, True)
        for index, raw, octet, time_ms in zip(
            found.indexes, found.values, flags, times, strict=True
        ):
            yield Sample(
                group=group,
                index=index,
                value=_position(int(raw), octet) if group == _DOUBLE_BIT else float(raw),
                flags=octet,
                time_ms=None if time_ms is None else time_ms + offset_ms,
                synchronized=synchronized,
                is_event=is_event(block.group),
                variation=block.name,
            )


def _position(state: int, octet: int | None) -> float:
    """Without flags to say so, a double bit in between is no number."""
    return math.nan if octet is None and state in (0, 3) else _POSITION[state]


class SelfTest:
    """Objects in on both sides, in the same order; a verdict out.

    Response by response: an answer that comes when the stack has just given it up is read by the
    line alone, and must not be held against the stack's reading of the next one.

    `verdict`: None while they do not balance, "" when they agree on a whole poll, else what
    differs. `given_up`: how many whole polls the stack has not taken.
    """

    def __init__(self) -> None:
        self._ours: deque[_Known] = deque()
        self._theirs: deque[_Known] = deque()
        self._compared = 0
        self._whole = False
        self._fault = ""
        self.given_up = 0

    def ours(self, objects: bytes, *, first: bool) -> None:
        """A solicited response goes to the stack with `objects`; `first`: of its fragments.

        What the stack has boxed of the response before is known by now: it hands over first, and
        asks anew after that.
        """
        if first:
            self.given_up += self._whole and bool(self._ours)
            self._ours.clear()
            self._theirs.clear()
            self._whole = False
        if self._compared < COMPARED_MAX:
            self._ours.extend(_known(sample) for sample in samples_of(objects))
            self._compare()

    def theirs(self, samples: list[Sample]) -> None:
        """The stack has boxed a solicited response."""
        if self._compared < COMPARED_MAX:
            self._theirs.extend(_known(s) for s in samples if s.group in _COMPARED)
            self._compare()

    def whole(self) -> None:
        """The response that has gone to the stack last was a poll of everything, and has ended."""
        self._whole = True

    def _compare(self) -> None:
        while self._ours and self._theirs:
            ours, theirs = self._ours.popleft(), self._theirs.popleft()
            self._compared += 1
            if not self._fault and not _alike(ours, theirs):
                self._fault = f"the line reads {_told(ours)}, the stack {_told(theirs)}"

    @property
    def verdict(self) -> str | None:
        if self._fault:
            return self._fault
        return "" if self._whole and not self._ours and not self._theirs else None

    def conclude(self) -> str:
        """The verdict when nothing more will come."""
        if self._ours or self._theirs:
            return self._fault or (
                f"of the first poll, the line alone reads {len(self._ours)} objects, "
                f"the stack alone {len(self._theirs)}"
            )
        return self._fault or ("" if self._whole else "the stack has taken no poll of everything")


def _known(sample: Sample) -> _Known:
    return sample.group, sample.index, sample.value, sample.flags, sample.time_ms or None


def _alike(ours: _Known, theirs: _Known) -> bool:
    # NaN differs from itself and is none the less the same reading.
    same_value = ours[2] == theirs[2] or (ours[2] != ours[2] and theirs[2] != theirs[2])
    return same_value and ours[:2] == theirs[:2] and ours[3:] == theirs[3:]


def _told(known: _Known) -> str:
    group, index, value, flags, time_ms = known
    octet = "no flags" if flags is None else f"0x{flags:02X}"
    return f"g{group}:{index} = {value:g} {octet} {time_ms or ''}".rstrip()
