"""What the stack is told to do by itself, once the device's first integrity poll is in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import opendnp3 as o

from protocols.dnp3.codec import Binding, PointTable
from protocols.dnp3.conversation import Conversation
from protocols.dnp3.indications import EventsAvailable
from protocols.dnp3.settings import Dnp3Settings
from protocols.dnp3.stack import milliseconds

_ALL = (True, True, True, True)
_CLASSES = 60
_DEADBANDS_PER_REQUEST = 100
_RANGES_PER_REQUEST = 50
_ANALOG_INPUT, _COUNTER = 30, 20
UNASKED_FIRST_S = 1.0
"""How long at least a device is given to report its events unasked before they are read."""


def add_scans(
    master: o.IMaster,
    settings: Dnp3Settings,
    handler: o.ISOEHandler,
    *,
    scan_s: float,
) -> list[o.IMasterScan]:
    """Polls of everything, of event classes and of ranges, each with its period; the caller keeps
    what is returned alive. One poll of everything per period brings the buffered events first and
    then the present values, so that every point is heard of again (proof of life)."""
    integrity_s = settings.integrity_s if settings.integrity_s is not None else scan_s
    scans = [master.AddClassScan(o.ClassField(*_ALL), milliseconds(integrity_s), handler)]
    for event_class, period_s in settings.class_s.items():
        wanted = class_field({event_class})
        scans.append(master.AddClassScan(wanted, milliseconds(period_s), handler))
    scans += [
        master.AddRangeScan(
            o.GroupVariationID(scan.group, 0),
            scan.start,
            scan.stop,
            milliseconds(scan.period_s),
            handler,
        )
        for scan in settings.scans
    ]
    return scans


def class_field(classes: Collection[int]) -> o.ClassField:
    """Event classes (1 to 3) as the stack names them, without class 0."""
    return o.ClassField(False, *(one in classes for one in (1, 2, 3)))


def configure_device(
    master: o.IMaster, settings: Dnp3Settings, table: PointTable, told: Callable[[object], None]
) -> None:
    """Tell the device in which class to report each point, and from which change on.

    Only what the points file says: a group's event class (ASSIGN_CLASS), and, where the link has
    write_deadbands, the deadbands (g34v3). `told` hears what became of the deadbands.
    """
    for event_class, ranges in sorted(class_ranges(table).items()):
        for at in range(0, len(ranges), _RANGES_PER_REQUEST):
            headers = [o.Header.AllObjects(_CLASSES, event_class + 1)]
            headers += [
                o.Header.Range16(group, 0, start, stop)
                for group, start, stop in ranges[at : at + _RANGES_PER_REQUEST]
            ]
            master.PerformFunction("assign class", o.FunctionCode.ASSIGN_CLASS, headers)
    if settings.write_deadbands:
        wanted = deadbands(table)
        for at in range(0, len(wanted), _DEADBANDS_PER_REQUEST):
            boxed = [
                o.IndexedAnalogInputDeadband(o.AnalogInputDeadband(value), index)
                for index, value in wanted[at : at + _DEADBANDS_PER_REQUEST]
            ]
            master.WriteDeadBands(boxed, told)


def freeze_counters(master: o.IMaster, *, clears: bool) -> None:
    """Freeze all counters now; `clears`: and let them begin at zero again."""
    kind = o.FreezeType.FreezeAndClear if clears else o.FreezeType.ImmediateFreeze
    master.Freeze(kind, [o.Header.AllObjects(_COUNTER, 0)])


class Occasions:
    """What is asked of the device when there is occasion for it, and not by a scan of the stack's:
    events that it says it holds, and the freezing of its counters."""

    def __init__(self, settings: Dnp3Settings) -> None:
        self._settings = settings
        self._available = EventsAvailable(
            classes=settings.event_scan,
            unsolicited=settings.unsolicited,
            patience_s=max(UNASKED_FIRST_S, 2 * settings.response_timeout_s),
        )
        self._frozen_s: float | None = None

    def serve(
        self,
        master: o.IMaster,
        handler: o.ISOEHandler,
        conversation: Conversation,
        *,
        events: int,
        now_s: float,
    ) -> None:
        """Ask what is due at `now_s` (monotonic); `events`: how many the device has told so far."""
        period_s = self._settings.freeze_counters_s
        if period_s is not None and (self._frozen_s is None or now_s - self._frozen_s >= period_s):
            self._frozen_s = now_s
            freeze_counters(master, clears=self._settings.freeze_clears)
        due = self._available.due(
            conversation.indications.latest,
            now_s,
            answered_s=conversation.answered_s,
            events=events,
        )
        if due:
            master.ScanClasses(class_field(due), handler)


def _objects(table: PointTable) -> Iterator[tuple[int, int, Sequence[Binding]]]:
    """Group, index and the points that read it."""
    for group, objects in table.objects.items():
        for index, bindings in objects.items():
            yield group, index, bindings


def class_ranges(table: PointTable) -> dict[int, list[tuple[int, int, int]]]:
    """(group, start, stop) by event class, for points whose group names one; runs are joined."""
    by_class: dict[int, set[tuple[int, int]]] = {}
    for group, index, bindings in _objects(table):
        wanted = {b.row.event_class for b in bindings} - {None}
        # Several points read one object: the most urgent class (the lowest number above 0) wins.
        if wanted:
            chosen = min((one for one in wanted if one), default=0)
            by_class.setdefault(chosen, set()).add((group, index))
    return {event_class: _runs(sorted(found)) for event_class, found in by_class.items()}


def _runs(objects: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    runs: list[tuple[int, int, int]] = []
    for group, index in objects:
        if runs and runs[-1][0] == group and runs[-1][2] == index - 1:
            runs[-1] = (group, runs[-1][1], index)
        else:
            runs.append((group, index, index))
    return runs


def deadbands(table: PointTable) -> Sequence[tuple[int, float]]:
    """Index and deadband in wire units of every analog input that has one; the smallest wins."""
    found: dict[int, float] = {}
    for group, index, bindings in _objects(table):
        if group != _ANALOG_INPUT:
            continue
        for binding in bindings:
            if binding.row.deadband > 0:
                wire = abs(binding.row.deadband / binding.row.scale)
                found[index] = min(wire, found.get(index, wire))
    return sorted(found.items())
