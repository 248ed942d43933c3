"""A measured value, which cannot be written down without its quality and its time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256

from gridctl.model.canonical import canonical_json
from gridctl.model.quantity import Phase, Unit


class PointKind(StrEnum):
    """What a point is (CIM Measurement and Control classes)."""

    ANALOG = "analog"
    DISCRETE = "discrete"
    COUNTER = "counter"
    SETPOINT = "setpoint"
    CONTROL = "control"

    @property
    def commandable(self) -> bool:
        """Whether a command may be addressed to a point of this kind."""
        return self in (PointKind.SETPOINT, PointKind.CONTROL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point of the plant, free of any protocol's address (CIM Measurement / Control).

    `expect` is, for a commandable point, the feedback point that shows whether the command took;
    `tolerance` is the band around the commanded value that counts as confirmed, in `unit`.
    `scan_s` is the period in which a new value is due; stale after three of them. `link` is the
    id of the field link that it comes over.
    """

    mrid: str
    name: str
    equipment: str
    kind: PointKind
    unit: Unit
    phase: Phase
    scan_s: float
    expect: str | None = None
    tolerance: float | None = None
    link: str = ""


class Validity(StrEnum):
    """IEC 61850-7-3 validity."""

    GOOD = "good"
    QUESTIONABLE = "questionable"
    INVALID = "invalid"


class Origin(StrEnum):
    """IEC 61850-7-3 source, plus ESTIMATED for values that we computed ourselves."""

    PROCESS = "process"
    SUBSTITUTED = "substituted"
    ESTIMATED = "estimated"


class Flag(StrEnum):
    """Why a value is less than good (detail quality)."""

    STALE = "stale"
    COMM_LOST = "comm_lost"
    RESTART = "restart"
    OVERFLOW = "overflow"
    OUT_OF_RANGE = "out_of_range"
    BAD_REFERENCE = "bad_reference"
    OSCILLATORY = "oscillatory"
    DEVICE_FAILURE = "device_failure"
    BLOCKED = "blocked"
    INITIAL = "initial"
    CONFIG_ERROR = "config_error"
    DATA_LOSS = "data_loss"
    LIMITED = "limited"
    INCONSISTENT = "inconsistent"
    FROZEN = "frozen"

    @property
    def words(self) -> str:
        """What an operator is told."""
        return _FLAG_WORDS[self]


_FLAG_WORDS: Mapping[Flag, str] = {
    Flag.STALE: "too old",
    Flag.COMM_LOST: "no communication",
    Flag.RESTART: "its device has just restarted",
    Flag.OVERFLOW: "too large for its format",
    Flag.OUT_OF_RANGE: "outside what can be",
    Flag.BAD_REFERENCE: "its reference is wrong",
    Flag.OSCILLATORY: "changes too fast to be believed",
    Flag.DEVICE_FAILURE: "its device has failed",
    Flag.BLOCKED: "blocked at its device",
    Flag.INITIAL: "not received yet",
    Flag.CONFIG_ERROR: "not there at its device",
    Flag.DATA_LOSS: "values were lost on the way",
    Flag.LIMITED: "stands at a limit",
    Flag.INCONSISTENT: "contradicts another value or its own time",
    Flag.FROZEN: "stands still while the feeder moves",
}


class TimeQuality(StrEnum):
    """How far the source time can be trusted; RECEIVED means that the source gave none."""

    SYNCHRONIZED = "synchronized"
    UNSYNCHRONIZED = "unsynchronized"
    RECEIVED = "received"


_RANK = {Validity.GOOD: 0, Validity.QUESTIONABLE: 1, Validity.INVALID: 2}
_ORIGIN_RANK = {Origin.PROCESS: 0, Origin.SUBSTITUTED: 1, Origin.ESTIMATED: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Quality61850: validity, origin and flags; `native` keeps the wire's own word verbatim."""

    validity: Validity
    origin: Origin = Origin.PROCESS
    flags: frozenset[Flag] = frozenset()
    native: str = ""

    @property
    def is_good(self) -> bool:
        return self.validity is Validity.GOOD

    def degraded(self, flag: Flag, validity: Validity = Validity.QUESTIONABLE) -> Quality:
        """This quality with `flag` set and at best `validity`."""
        worst = max(self.validity, validity, key=_RANK.__getitem__)
        return replace(self, validity=worst, flags=self.flags | {flag})


GOOD = Quality(validity=Validity.GOOD)


def combined(qualities: Iterable[Quality]) -> Quality:
    """The quality of a value computed from several: the worst of them, all flags kept."""
    all_ = tuple(qualities)
    if not all_:
        return Quality(validity=Validity.INVALID, flags=frozenset({Flag.INITIAL}))
    return Quality(
        validity=max((q.validity for q in all_), key=_RANK.__getitem__),
        origin=max((q.origin for q in all_), key=_ORIGIN_RANK.__getitem__),
        flags=frozenset().union(*(q.flags for q in all_)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One value of one point.

    `source_time_s`: grid time that the source stamped, or the receive time when it gave none
    (`time_quality` says which). `received_time_s`: grid time of arrival at the field agent.
    """

    point: str
    value: float
    quality: Quality
    source_time_s: float
    time_quality: TimeQuality
    received_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The process image: the frozen input of one whole control cycle."""

    revision: int
    at_s: float
    values: Mapping[str, Measurement] = field(default_factory=dict)

    def good(self, point: str) -> Measurement | None:
        """The measurement of `point` if it is there and good, else None: unknown means no."""
        found = self.values.get(point)
        return found if found is not None and found.quality.is_good else None

    def digest(self) -> str:
        """Digest of what was seen; approvals are bound to it."""
        return sha256(self.text()).hexdigest()

    def text(self) -> bytes:
        """What the digest is taken of: the head, then one line a point in the order of their mRIDs.

        Written out here because a snapshot is by far the largest thing that is ever digested, and
        because a value that is not a number, refused everywhere else, may well have been seen.
        """
        lines = [canonical_json({"revision": self.revision, "at_s": self.at_s}).decode()]
        # A plant has some dozens of different qualities and ten thousands of values.
        written: dict[int, str] = {}
        for mrid in sorted(self.values):
            seen = self.values[mrid]
            quality = written.get(id(seen.quality))
            if quality is None:
                quality = written[id(seen.quality)] = canonical_json(seen.quality).decode()
            lines.append(
                f"{mrid!r} {seen.value!r} {seen.source_time_s!r} {seen.received_time_s!r} "
                f"{seen.time_quality.value} {quality}"
            )
        return "\n".join(lines).encode()
