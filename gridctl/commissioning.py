"""From what a device shows to a points file, and from a points file back to the device.

Pure: `protocols.*.discovery` has looked already. A starter file never commands anything: whether a
point may be moved, and how far, is for a person to write (SG-02).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gridctl.model.measurement import PointKind
from gridctl.model.quantity import Unit
from protocols.discovery import Discovery, FoundPoint
from protocols.driver import PointAddress
from protocols.points import COLUMNS

STARTER_COLUMNS = [*COLUMNS, "note"]
STARTER_SCAN_S = 10.0
_READ_AS = {PointKind.SETPOINT: PointKind.ANALOG, PointKind.CONTROL: PointKind.DISCRETE}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_DNP3 = re.compile(r"(\d+):(\d+)")
_DNP3_STATUS_OF = {"12": "10", "41": "40"}
"""Group of the status that is read for a command's group (IEEE 1815-2012 Annex A)."""

_DNP3_NAMES = {
    "1": ("BI", "binary input"),
    "3": ("DBI", "double-bit input"),
    "10": ("BO", "binary output"),
    "20": ("CTR", "counter"),
    "21": ("FCTR", "frozen counter"),
    "30": ("AI", "analog input"),
    "31": ("FAI", "frozen analog input"),
    "40": ("AO", "analog output"),
    "110": ("OS", "octet string"),
}
_INTEGERS = frozenset(f"{sign}{kind}" for sign in ("", "U") for kind in ("Int16", "Int32", "Int64"))
_INTEGERS |= {"Boolean", "SByte", "Byte", "Enumeration"}


class Severity(StrEnum):
    """How much a difference between file and device weighs."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference. `line` in the points file, 0 for what only the device has."""

    severity: Severity
    what: str
    point: str
    address: str
    line: int
    text: str


def starter_file(found: Discovery, *, link: str) -> str:
    """A points file with every point of the device, none of them commandable.

    What the device does not tell stands in the column `note`, which is not read.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, STARTER_COLUMNS, lineterminator="\n")
    writer.writeheader()
    used: set[str] = set()
    for point in found.points:
        writer.writerow(_starter_row(point, link, used))
    return text.getvalue()


def compare(rows: Sequence[PointAddress], found: Discovery) -> list[Difference]:
    """How the rows of one link and the device differ, by line; extra points last."""
    by_address = {p.address: p for p in found.points}
    out: list[Difference] = []
    seen: set[str] = set()
    for row in rows:
        point = by_address.get(row.address) or by_address.get(_read_address(row.address))
        if point is None:
            out.append(_of(row, Severity.ERROR, "missing", "the device does not have it"))
            continue
        seen.add(point.address)
        out += [_of(row, *told) for told in _row_differences(row, point)]
    out.sort(key=lambda one: one.line)
    out += [
        Difference(
            severity=Severity.INFO,
            what="extra",
            point="",
            address=point.address,
            line=0,
            text=f"the device has {point.native_type or 'it'}, the file does not",
        )
        for point in found.points
        if point.address not in seen
    ]
    return out


def is_fit(differences: Iterable[Difference]) -> bool:
    """Whether the file can be used with the device as it is."""
    return not any(one.severity is Severity.ERROR for one in differences)


def _row_differences(row: PointAddress, point: FoundPoint) -> Iterator[tuple[Severity, str, str]]:
    kind = row.point.kind
    if point.kind is not None and not _may_be(kind, point):
        text = f"is {kind} in the file, the device has {point.native_type or point.kind}"
        yield Severity.ERROR, "type", text
    by_method = row.command.startswith("method:")
    if kind.commandable and point.writable is False and not by_method:
        yield Severity.ERROR, "not_writable", "the device lets nobody of ours write it"
    # How a relay is operated, latch or pulse, no device tells.
    by_relay = row.command.startswith("crob-") and point.command.startswith("crob-")
    known = bool(point.command) and not by_method and not by_relay
    if kind.commandable and known and row.command != point.command:
        text = f"is commanded by {row.command!r}, the device offers {point.command!r}"
        yield Severity.WARNING, "command", text
    if point.unit is not None and point.unit is not row.point.unit:
        # A device in W and a file in kW agree by the scale: only the same number is suspicious.
        severity = Severity.WARNING if row.scale == 1 else Severity.INFO
        text = f"is {row.point.unit} in the file, {point.unit} in the device (scale {row.scale:g})"
        yield severity, "unit", text
    elif point.unit is None and point.unit_text and row.scale == 1:
        text = f"is {row.point.unit} with scale 1, the device says {point.unit_text}"
        yield Severity.WARNING, "unit", text
    yield from _range(row, point)
    if row.event_class not in (None, point.event_class) and point.event_class is not None:
        text = f"is event class {point.event_class} in the device, {row.event_class} in the file"
        yield Severity.INFO, "event_class", text
    if point.quality is not None and not point.quality.is_good:
        yield Severity.WARNING, "quality", f"reads {point.quality.native or point.quality.validity}"


def _range(row: PointAddress, point: FoundPoint) -> Iterator[tuple[Severity, str, str]]:
    ends = [wire * row.scale + row.offset for wire in (point.low, point.high) if wire is not None]
    if len(ends) < 2:  # noqa: PLR2004 - a range has two ends
        return
    low, high = min(ends), max(ends)
    severity = Severity.ERROR if row.point.kind.commandable else Severity.WARNING
    if row.min_value is not None and row.min_value < low:
        yield severity, "range", f"min {row.min_value:g} is below the device's {low:g}"
    if row.max_value is not None and row.max_value > high:
        yield severity, "range", f"max {row.max_value:g} is above the device's {high:g}"


def _may_be(ours: PointKind, point: FoundPoint) -> bool:
    """A number may be read as any number, an OPC UA integer as a state; what takes a command may
    also be just read."""
    theirs = point.kind or ours
    if ours.commandable:
        return ours is theirs or not theirs.commandable
    theirs = _READ_AS.get(theirs, theirs)
    if ours is PointKind.DISCRETE and point.native_type in _INTEGERS:
        return True
    numbers = (PointKind.ANALOG, PointKind.COUNTER)
    return ours is theirs or (ours in numbers and theirs in numbers)


def _of(row: PointAddress, severity: Severity, what: str, text: str) -> Difference:
    return Difference(
        severity=severity,
        what=what,
        point=row.point.mrid,
        address=row.address,
        line=row.line,
        text=text,
    )


def _read_address(address: str) -> str:
    """Where the device shows what a DNP3 output holds; any other address as it is."""
    dnp3 = _DNP3.fullmatch(address)
    if dnp3 is None:
        return address
    return f"{_DNP3_STATUS_OF.get(dnp3[1], dnp3[1])}:{dnp3[2]}"


def _starter_row(point: FoundPoint, link: str, used: set[str]) -> Mapping[str, object]:
    kind = point.kind or PointKind.ANALOG
    readable = _READ_AS.get(kind, kind)
    unit = point.unit or (Unit.STATE if readable is PointKind.DISCRETE else Unit.COUNT)
    row: dict[str, object] = dict.fromkeys(STARTER_COLUMNS, "")
    row |= {
        "mrid": _mrid(point, link, used),
        "name": point.name or _dnp3_name(point.address)[1],
        "equipment": _parent(point) or link,
        "kind": readable,
        "unit": unit,
        "link": link,
        "address": point.address,
        "scale": 1,
        "offset": 0,
        "deadband": 0,
        "scan_s": f"{STARTER_SCAN_S:g}",
        "min": "" if point.low is None else f"{point.low:g}",
        "max": "" if point.high is None else f"{point.high:g}",
        "note": "; ".join(_notes(point, kind)),
    }
    return row


def _notes(point: FoundPoint, kind: PointKind) -> Iterator[str]:
    if point.native_type:
        yield point.native_type
    if point.kind is None:
        yield "kind not known"
    if point.unit is None and kind not in (PointKind.COUNTER, PointKind.DISCRETE):
        yield f"unit {point.unit_text!r} is none of ours" if point.unit_text else "unit not known"
    if kind.commandable or point.command:
        how = f" by {point.command}" if point.command else ""
        yield (
            f"could be commanded{how}: only after a person has written kind, command, expect, "
            "tolerance, min and max here and its limits in limits.toml"
        )
    if point.value_text:
        yield f"read {point.value_text}"
    if point.note:
        yield point.note


def _mrid(point: FoundPoint, link: str, used: set[str]) -> str:
    """An id that people can read: from the browse path or the name, else from the address."""
    base = point.path.replace("/", ".") or point.name or _dnp3_name(point.address)[0]
    base = _NOT_IN_A_NAME.sub("_", base).strip("_.") or "point"
    mrid = base if base.startswith(f"{link}.") else f"{link}.{base}"
    number = 2
    unique = mrid
    while unique in used:
        unique, number = f"{mrid}-{number}", number + 1
    used.add(unique)
    return unique


def _dnp3_name(address: str) -> tuple[str, str]:
    """A short and a long name after a DNP3 address; any other address as it ends."""
    dnp3 = _DNP3.fullmatch(address)
    if dnp3 is None or dnp3[1] not in _DNP3_NAMES:
        return address.rpartition("=")[2], address
    short, long = _DNP3_NAMES[dnp3[1]]
    return f"{short}{dnp3[2]}", f"{long} {dnp3[2]}"


def _parent(point: FoundPoint) -> str:
    return point.path.rpartition("/")[0].rpartition("/")[2]
