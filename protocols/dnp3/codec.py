"""Between the wire's objects and the domain's measurements: addresses, flags, time.

Only plain numbers come in here (the flag octet, milliseconds, group and index), so everything is
testable without the native library.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gridctl.model.errors import ConfigError
from gridctl.model.measurement import (
    Flag,
    Measurement,
    Origin,
    PointKind,
    Quality,
    TimeQuality,
    Validity,
)
from protocols.dnp3.outputs import AnalogForm, Form, read_form
from protocols.driver import PointAddress

INDEX_MAX = 65_535
FUTURE_MAX_S = 10.0
"""A device that stamps further ahead of us than this has a wrong clock, whatever it claims."""

_ADDRESS = re.compile(r"(\d{1,3}):(\d{1,5})")

# Which group is read for the group that the points file names: the status of an output for the
# output's command (IEEE 1815-2012 Annex A: g10 for g12, g40 for g41).
_READ_GROUP: Mapping[int, int] = {
    1: 1,
    3: 3,
    10: 10,
    12: 10,
    20: 20,
    21: 21,
    30: 30,
    31: 31,
    40: 40,
    41: 40,
    110: 110,
}
_GROUPS: Mapping[PointKind, frozenset[int]] = {
    PointKind.ANALOG: frozenset({30, 31, 40, 110}),
    PointKind.DISCRETE: frozenset({1, 3, 10}),
    PointKind.COUNTER: frozenset({20, 21}),
    PointKind.SETPOINT: frozenset({40, 41}),
    PointKind.CONTROL: frozenset({10, 12}),
}
# The bits that all types share, then bit 5 and 6, whose meaning depends on the type.
_ONLINE, _RESTART, _COMM_LOST, _REMOTE_FORCED, _LOCAL_FORCED, _BIT_5, _BIT_6 = (
    0x01,
    0x02,
    0x04,
    0x08,
    0x10,
    0x20,
    0x40,
)
_BINARY = frozenset({1, 3, 10})
_DOUBLE_BIT = 3
_UNDETERMINED: Mapping[int, str] = {0: "INTERMEDIATE", 3: "INDETERMINATE"}
_COUNTER = frozenset({20, 21})


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One point on the wire. `group` and `index` are what is read; `lease_index` is the analog
    output that holds the device's reversion timeout in seconds, `enable_index` the binary output
    that lets the setpoint count; None where the device has none. `form` is the object that commands
    it, None for a point that takes no command."""

    row: PointAddress
    group: int
    index: int
    lease_index: int | None
    enable_index: int | None
    form: Form | None

    @property
    def mrid(self) -> str:
        return self.row.point.mrid


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One object as it came: raw value, flag octet (None: a variation without flags), and the
    time in ms since the epoch (None: no time) with whether the device called itself synchronized.
    """

    group: int
    index: int
    value: float
    flags: int | None
    time_ms: int | None
    synchronized: bool
    is_event: bool
    variation: str


class PointTable:
    """All points of one link, by mRID and by what is read for them.

    One object may serve several points (a setpoint and its feedback read the same status).
    Raises ConfigError with every row that DNP3 cannot speak.
    """

    def __init__(self, rows: Sequence[PointAddress]) -> None:
        self.by_mrid: dict[str, Binding] = {}
        # Tuples, by group and then index: of ten thousands of points each word counts.
        self._by_object: dict[int, dict[int, tuple[Binding, ...]]] = {}
        errors: list[tuple[PointAddress, str, str]] = []
        addresses: dict[tuple[int, int], int] = {}
        outputs: dict[tuple[int, int], int] = {}
        for row in rows:
            parsed = _parse(row.address)
            if parsed is None:
                errors.append((row, "address", f"{row.address!r} is not group:index, e.g. 30:12"))
                continue
            form = read_form(row.point.kind, row.command) if row.point.kind.commandable else None
            wrong = _row_fault(row, parsed, form)
            if wrong is None:
                wrong = _taken(row, parsed, addresses, outputs)
            if wrong is not None or isinstance(form, str):
                errors.append((row, *(wrong or ("command", str(form)))))
                continue
            lease, enable = _parse(row.lease), _parse(row.enable)
            binding = Binding(
                row=row,
                group=_READ_GROUP[parsed[0]],
                index=parsed[1],
                lease_index=None if lease is None else lease[1],
                enable_index=None if enable is None else enable[1],
                form=form,
            )
            self.by_mrid[binding.mrid] = binding
            group = self._by_object.setdefault(binding.group, {})
            group[binding.index] = (*group.get(binding.index, ()), binding)
        if errors:
            raise _refused(errors)

    @property
    def objects(self) -> Mapping[int, Mapping[int, Sequence[Binding]]]:
        """Every object that is read, by group and index, with the points that it is read for."""
        return self._by_object

    def at(self, group: int, index: int) -> Sequence[Binding]:
        """The points that read object `group`:`index`; none for an object nobody asked for."""
        found = self._by_object.get(group)
        return () if found is None else found.get(index, ())

    def __len__(self) -> int:
        return len(self.by_mrid)


def _parse(address: str) -> tuple[int, int] | None:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    group, index = int(found[1]), int(found[2])
    return (group, index) if index <= INDEX_MAX else None


def read_group(address: str) -> tuple[int, int] | None:
    """Group and index of what is read for `address`, None when it is no object that can be."""
    parsed = _parse(address)
    if parsed is None or parsed[0] not in _READ_GROUP:
        return None
    return _READ_GROUP[parsed[0]], parsed[1]


def _row_fault(
    row: PointAddress, parsed: tuple[int, int], form: Form | str | None
) -> tuple[str, str] | None:
    kind = row.point.kind
    group, _ = parsed
    if group not in _GROUPS[kind]:
        fit = ", ".join(str(one) for one in sorted(_GROUPS[kind]))
        return "address", f"group {group} is not for kind {kind}: groups {fit}"
    if isinstance(form, str):
        return "command", form
    if isinstance(form, AnalogForm):
        beyond = _beyond(row, form)
        if beyond is not None:
            return beyond
    return _companion_fault(row, parsed)


def _companion_fault(row: PointAddress, parsed: tuple[int, int]) -> tuple[str, str] | None:
    """What is wrong with the outputs that go with a setpoint."""
    kind = row.point.kind
    if row.lease:
        lease = _parse(row.lease)
        if lease is None or lease[0] not in (40, 41):
            return "lease", f"{row.lease!r} is not an analog output, e.g. 41:70"
        if kind is not PointKind.SETPOINT:
            return "lease", f"a {kind} has no reversion timeout in DNP3"
        if lease[1] == parsed[1]:
            return "lease", f"{row.lease} is the setpoint itself"
    if row.enable:
        enable = _parse(row.enable)
        if enable is None or enable[0] not in (10, 12):
            return "enable", f"{row.enable!r} is not a binary output, e.g. 12:17"
        if kind is not PointKind.SETPOINT:
            return "enable", f"a {kind} is not enabled by an output in DNP3"
    return None


def _beyond(row: PointAddress, form: AnalogForm) -> tuple[str, str] | None:
    """A limit that the object cannot carry: found when the file is read, not in the event."""
    for column, limit in (("min", row.min_value), ("max", row.max_value)):
        if limit is not None:
            wire = (limit - row.offset) / row.scale
            if not form.low <= wire <= form.high:
                return column, f"{limit:g} is {wire:g} on the wire and does not fit {form}"
    return None


def _taken(
    row: PointAddress,
    parsed: tuple[int, int],
    addresses: dict[tuple[int, int], int],
    outputs: dict[tuple[int, int], int],
) -> tuple[str, str] | None:
    line = addresses.setdefault(parsed, row.line)
    if line != row.line:
        return "address", f"{row.address} is already on line {line}"
    if row.point.kind.commandable:
        output = (_READ_GROUP[parsed[0]], parsed[1])
        line = outputs.setdefault(output, row.line)
        if line != row.line:
            return "address", f"{row.address} commands the same output as line {line}"
    return None


def _refused(errors: Sequence[tuple[PointAddress, str, str]]) -> ConfigError:
    row, column, message = errors[0]
    for other, column_, text in errors[1:]:
        message += f"\n{other.file}:{other.line}:{column_}: {text}"
    return ConfigError(
        message,
        file=row.file,
        key=f"{row.line}:{column}",
        hint="docs/reference/points-file.md lists what DNP3 takes",
    )


def quality_of(group: int, flags: int | None, variation: str) -> Quality:
    """IEEE 1815-2012 §11.6 flag octet as Quality; `native` keeps the octet and its names.

    Not ONLINE is invalid. COMM_LOST, RESTART, OVER_RANGE, REFERENCE_ERR, CHATTER and
    DISCONTINUITY are questionable at best; forced values are substituted, not bad. A variation
    without flags claims good by the standard's own rule, and `native` says that it had none.
    """
    if flags is None:
        return Quality(validity=Validity.GOOD, native=f"no flags ({variation})")
    names = [name for bit, name in _names(group) if flags & bit]
    found: set[Flag] = set()
    if flags & _RESTART:
        found.add(Flag.RESTART)
    if flags & _COMM_LOST:
        found.add(Flag.COMM_LOST)
    if flags & _BIT_5 and group not in _COUNTER:
        found.add(Flag.OSCILLATORY if group in _BINARY else Flag.OUT_OF_RANGE)
    if flags & _BIT_6 and group not in _BINARY:
        found.add(Flag.INCONSISTENT if group in _COUNTER else Flag.BAD_REFERENCE)
    if group == _DOUBLE_BIT and flags >> 6 in _UNDETERMINED:
        # Neither open nor closed is no position to act on, however sure the device is of it.
        found.add(Flag.INCONSISTENT)
        names.append(_UNDETERMINED[flags >> 6])
    online = bool(flags & _ONLINE)
    if not online and not found:
        found.add(Flag.DEVICE_FAILURE)
    forced = bool(flags & (_REMOTE_FORCED | _LOCAL_FORCED))
    if not online or (group == _DOUBLE_BIT and flags >> 6 in _UNDETERMINED):
        validity = Validity.INVALID
    elif found:
        validity = Validity.QUESTIONABLE
    else:
        validity = Validity.GOOD
    return Quality(
        validity=validity,
        origin=Origin.SUBSTITUTED if forced else Origin.PROCESS,
        flags=frozenset(found),
        native=f"0x{flags:02X} {'|'.join(names)}".rstrip(),
    )


def _names(group: int) -> Sequence[tuple[int, str]]:
    common = (
        (_ONLINE, "ONLINE"),
        (_RESTART, "RESTART"),
        (_COMM_LOST, "COMM_LOST"),
        (_REMOTE_FORCED, "REMOTE_FORCED"),
        (_LOCAL_FORCED, "LOCAL_FORCED"),
    )
    if group == 10:  # noqa: PLR2004 - binary output status has no filter bit
        return common
    if group in _BINARY:
        return (*common, (_BIT_5, "CHATTER_FILTER"))
    if group in _COUNTER:
        return (*common, (_BIT_5, "ROLLOVER"), (_BIT_6, "DISCONTINUITY"))
    return (*common, (_BIT_5, "OVER_RANGE"), (_BIT_6, "REFERENCE_ERR"))


def decode_all(
    samples: Sequence[Sample], table: PointTable, *, received_s: float
) -> list[Measurement]:
    """What one fragment brought, for every point that reads one of its objects.

    A static object that only repeats the event beside it is left out: the event has the time.
    """
    timed: dict[str, Measurement] = {}
    taken: list[Measurement] = []
    for sample in samples:
        for binding in table.at(sample.group, sample.index):
            measurement = decode(sample, binding, received_s=received_s)
            event = timed.get(binding.mrid)
            if sample.is_event:
                timed[binding.mrid] = measurement
            elif (
                event is not None
                and event.value == measurement.value
                and event.quality == measurement.quality
            ):
                continue
            taken.append(measurement)
    return taken


def decode(sample: Sample, binding: Binding, *, received_s: float) -> Measurement:
    """`sample` as a measurement of the point that `binding` is, in the point's unit.

    A number that is none (NaN, infinite) becomes 0 and invalid: it cannot be compared or signed.
    An object without time gets the time of receipt, and says so.
    """
    quality = quality_of(sample.group, sample.flags, sample.variation)
    value = sample.value * binding.row.scale + binding.row.offset
    if not math.isfinite(value):
        flag = Flag.INCONSISTENT if sample.group == _DOUBLE_BIT else Flag.OVERFLOW
        quality = quality.degraded(flag, Validity.INVALID)
        value = 0.0 if sample.group != _DOUBLE_BIT else binding.row.offset
    source_s, time_quality = received_s, TimeQuality.RECEIVED
    if sample.time_ms:
        source_s = sample.time_ms / 1000.0
        trusted = sample.synchronized and source_s <= received_s + FUTURE_MAX_S
        time_quality = TimeQuality.SYNCHRONIZED if trusted else TimeQuality.UNSYNCHRONIZED
    return Measurement(
        point=binding.mrid,
        value=value,
        quality=quality,
        source_time_s=source_s,
        time_quality=time_quality,
        received_time_s=received_s,
    )
