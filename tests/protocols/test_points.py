"""The points file: what is read, and what is refused with file:line:column."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from gridctl.model.measurement import PointKind
from gridctl.model.quantity import Phase, Unit
from protocols.driver import PointAddress
from protocols.pointgroups import LinkDefaults, PointContext, PointGroup
from protocols.points import COLUMNS, load_points, parse_points

HEADER = ",".join(COLUMNS)
READABLE = "FDR.TotW,Feeder head power,HEAD,analog,kW,ABC,SUB,30:0,,,1,0,5,2,,,,"
FEEDBACK = "LG01.Fb,Feedback,LG01,analog,kW,ABC,DR,30:1,,,1,0,0.5,2,,,,"
SETPOINT = "LG01.Set,Setpoint,LG01,setpoint,kW,ABC,DR,41:1,ao-float,41:70,1,0,0,2,LG01.Fb,0.5,0,80"


def read(*rows: str) -> tuple[object, ...]:
    return parse_points([HEADER, *rows], file="points.csv")


def refused(*rows: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(*rows)
    return str(caught.value)


def changed(row: str, **cells: str) -> str:
    values = dict(zip(COLUMNS, row.split(","), strict=True)) | cells
    return ",".join(values[name] for name in COLUMNS)


def test_rows_become_points_in_order() -> None:
    head, feedback, setpoint = parse_points(
        [HEADER, READABLE, FEEDBACK, "", SETPOINT], file="points.csv"
    )
    assert (head.point.mrid, head.point.kind, head.point.unit, head.point.phase) == (
        "FDR.TotW",
        PointKind.ANALOG,
        Unit.KW,
        Phase.ABC,
    )
    assert head.point.link == "SUB"
    assert (head.link, head.address, head.deadband, head.point.scan_s) == ("SUB", "30:0", 5.0, 2.0)
    assert (head.min_value, head.point.expect, head.line) == (None, None, 2)
    assert (setpoint.command, setpoint.lease) == ("ao-float", "41:70")
    assert (setpoint.min_value, setpoint.max_value) == (0.0, 80.0)
    assert (setpoint.point.expect, setpoint.point.tolerance) == ("LG01.Fb", 0.5)
    assert (feedback.line, setpoint.line) == (3, 5)


def test_a_sheet_with_bom_and_crlf_is_read(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_bytes(("\ufeff" + HEADER + "\r\n" + READABLE + "\r\n").encode())
    assert len(load_points(file)) == 1


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"mrid": ""}, ":2:mrid: is empty"),
        ({"name": ""}, ":2:name: is empty"),
        ({"kind": "anlog"}, ":2:kind: is 'anlog', must be one of 'analog', 'discrete'"),
        ({"unit": "MW"}, ":2:unit: is 'MW'"),
        ({"phase": "D"}, ":2:phase: is 'D'"),
        ({"link": " "}, ":2:link: is empty"),
        ({"address": ""}, ":2:address: is empty"),
        ({"scale": "0"}, ":2:scale: is 0"),
        ({"scale": ""}, ":2:scale: is empty"),
        ({"scale": "1;5"}, ":2:scale: is not a number: '1;5'"),
        ({"offset": "nan"}, ":2:offset: is not a finite number"),
        ({"deadband": "-1"}, ":2:deadband: is negative"),
        ({"scan_s": "0"}, ":2:scan_s: must be more than 0 s"),
        ({"min": "5", "max": "1"}, ":2:min: 5 is above max 1"),
        ({"command": "ao-float"}, ":2:command: must be empty"),
        ({"lease": "41:70"}, ":2:lease: must be empty"),
        ({"expect": "NOBODY"}, ":2:expect: NOBODY is not a point of this file"),
    ],
)
def test_a_bad_cell_is_told_with_its_place(cells: dict[str, str], told: str) -> None:
    assert f"points.csv{told}" in refused(changed(READABLE, **cells))


def test_columns_come_in_any_order_and_some_may_be_absent() -> None:
    names = [*reversed(COLUMNS), "enable"]
    cells = dict(zip(COLUMNS, SETPOINT.split(","), strict=True)) | {"enable": "10:17"}
    feedback = dict(zip(COLUMNS, FEEDBACK.split(","), strict=True)) | {"enable": ""}
    lines = [names, [feedback[n] for n in names], [cells[n] for n in names]]
    (_, setpoint) = parse_points([",".join(line) for line in lines], file="points.csv")
    assert (setpoint.lease, setpoint.enable, setpoint.max_value) == ("41:70", "10:17", 80.0)
    (_, plain) = parse_points([HEADER, FEEDBACK, SETPOINT], file="points.csv")
    assert plain.enable == ""


def test_only_what_takes_a_command_may_be_enabled() -> None:
    with pytest.raises(ConfigError, match=":2:enable: must be empty"):
        parse_points([HEADER + ",enable", READABLE + ",10:17"], file="points.csv")


@pytest.mark.parametrize("column", ["command", "expect", "tolerance", "min", "max"])
def test_a_setpoint_needs_every_limit(column: str) -> None:
    text = refused(FEEDBACK, changed(SETPOINT, **{column: ""}))
    assert f":3:{column}: is empty: a setpoint cannot be commanded without it" in text


def test_all_errors_come_in_one_message() -> None:
    text = refused(changed(READABLE, unit="MW", scan_s="x"), changed(FEEDBACK, scale="0"), "a,b")
    for told in (":2:scan_s:", ":2:unit:", ":3:scale:", ":4:row: has 2 cells, must have 18"):
        assert told in text


def test_an_mrid_is_used_once() -> None:
    text = refused(READABLE, changed(READABLE, address="30:9"))
    assert ":3:mrid: FDR.TotW is already on line 2" in text


def test_an_address_is_used_once_on_a_link() -> None:
    other = changed(READABLE, mrid="OTHER")
    assert ":3:address: 30:0 on link SUB is already on line 2" in refused(READABLE, other)
    assert len(read(READABLE, changed(other, link="DR"))) == 2


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "is empty"),
        ([HEADER], "has no points"),
        ([HEADER.replace("scan_s", "scans")], "missing columns: ['scan_s']; unknown"),
        ([HEADER + ",enabled"], "unknown columns: ['enabled']"),
        ([HEADER + ",unit"], "columns twice: ['unit']"),
        ([HEADER, 'A,"open'], "is not CSV"),
    ],
)
def test_a_file_that_is_no_points_file(lines: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_points(lines, file="points.csv")
    assert told in str(caught.value)
    assert caught.value.file == "points.csv"


def test_a_missing_file_and_a_binary_file_are_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_points(tmp_path / "none.csv")
    binary = tmp_path / "points.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_points(binary)


CONTEXT = PointContext(
    links=frozenset({"SUB", "DR"}),
    scan_s={"fast": 1.0, "slow": 30.0},
    groups={
        "alarms": PointGroup(soe=True, event_class=1, scan="fast", deadband=0.0),
        "meters": PointGroup(event_class=2),
    },
    defaults={"SUB": LinkDefaults(scan="slow", scale=0.1, offset=0.0, deadband=0.5)},
)


def in_context(*rows: dict[str, str]) -> tuple[PointAddress, ...]:
    names = [*COLUMNS, "enable", "scan", "group"]
    plain = dict(zip(COLUMNS, READABLE.split(","), strict=True)) | dict.fromkeys(names[-3:], "")
    lines = [names, *([(plain | row)[n] for n in names] for row in rows)]
    return parse_points([",".join(x) for x in lines], file="points.csv", context=CONTEXT)


def test_a_row_names_a_scan_class_or_a_period() -> None:
    named, own, defaulted = in_context(
        {"mrid": "A", "address": "30:1", "scan_s": "", "scan": "fast"},
        {"mrid": "B", "address": "30:2", "scan_s": "7"},
        {"mrid": "C", "address": "30:3", "scan_s": ""},
    )
    assert [a.point.scan_s for a in (named, own, defaulted)] == [1.0, 7.0, 30.0]


def test_a_group_comes_before_the_links_defaults_and_a_cell_before_both() -> None:
    empty = {"scan_s": "", "deadband": "", "scale": "", "offset": ""}
    grouped, metered, bare, own = in_context(
        {"mrid": "A", "address": "1:1", "group": "alarms", **empty},
        {"mrid": "B", "address": "1:2", "group": "meters", **empty},
        {"mrid": "C", "address": "1:3", **empty},
        {"mrid": "D", "address": "1:4", "group": "alarms", **empty, "deadband": "9"},
    )
    assert (grouped.soe, grouped.event_class, grouped.group) == (True, 1, "alarms")
    assert (grouped.point.scan_s, grouped.deadband, grouped.scale) == (1.0, 0.0, 0.1)
    assert (metered.soe, metered.event_class, metered.point.scan_s) == (False, 2, 30.0)
    assert (bare.soe, bare.event_class, bare.deadband, bare.group) == (False, None, 0.5, "")
    assert (own.deadband, own.soe) == (9.0, True)


def test_what_a_command_depends_on_comes_from_its_own_row() -> None:
    row = dict(zip(COLUMNS, SETPOINT.split(","), strict=True)) | {"link": "SUB", "scale": ""}
    with pytest.raises(ConfigError, match=":3:scale: is empty"):
        in_context({"mrid": "LG01.Fb"}, row)
    with pytest.raises(ConfigError, match="3:group: a setpoint has no sequence of events"):
        in_context({"mrid": "LG01.Fb"}, row | {"scale": "1", "group": "alarms"})


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"link": "SUBB"}, ":2:link: link 'SUBB' is not configured; did you mean 'SUB'?"),
        ({"link": "XYZ"}, "there are DR, SUB"),
        ({"scan_s": "", "scan": "fats"}, ":2:scan: scan class 'fats' is not configured; did you"),
        ({"scan": "fast"}, ":2:scan: is filled beside scan_s"),
        ({"group": "alarm"}, ":2:group: group 'alarm' is not configured; did you mean 'alarms'?"),
        ({"link": "DR", "scan_s": ""}, ":2:scan_s: is empty, and there is no scan class"),
    ],
)
def test_names_that_nobody_configured(cells: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        in_context(cells)
    assert told in str(caught.value)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_sheet_with_other_delimiters_and_decimal_commas(tmp_path: Path, mark: str) -> None:
    file = tmp_path / "points.csv"
    row = changed(READABLE, scale="0|25", deadband="1|5", scan_s="2")
    text = f"{HEADER}\r\n{row}\r\n".replace(",", mark).replace("|", ",")
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    (point,) = load_points(file)
    assert (point.scale, point.deadband, point.offset) == (0.25, 1.5, 0.0)


def test_a_sheet_with_two_decimal_marks_is_refused() -> None:
    rows = [changed(READABLE, scale="1|5"), changed(FEEDBACK, deadband="1.250")]
    lines = [line.replace(",", ";").replace("|", ",") for line in (HEADER, *rows)]
    with pytest.raises(ConfigError) as caught:
        parse_points(lines, file="points.csv")
    told = ":3:row: '1.250' has a decimal point, '1,5' on line 2 a comma: use one"
    assert told in str(caught.value)


def test_a_row_is_told_by_the_line_on_which_it_begins() -> None:
    quoted = READABLE.replace("Feeder head power", '"Feeder\nhead"')
    lines = [HEADER + "\n", *quoted.splitlines(keepends=True)]
    lines[-1] += "\n"
    with pytest.raises(ConfigError, match=":4:scale: is 0") as caught:
        parse_points([*lines, changed(FEEDBACK, scale="0")], file="points.csv")
    assert ":2:" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("\ufeffmrid".encode("utf-16-le"), "is UTF-16 text"),
        (HEADER.encode() + b"\nA,Z\xfcrich", ":2: is not UTF-8 text: byte 0xfc"),
    ],
)
def test_other_encodings_are_refused_with_the_way_out(
    tmp_path: Path, data: bytes, told: str
) -> None:
    file = tmp_path / "points.csv"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match="CSV UTF-8") as caught:
        load_points(file)
    assert told in str(caught.value)


def test_a_hundred_thousand_rows_are_read_and_their_one_mistake_is_found(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    rows = (f"P{k},Point {k},EQ,analog,kW,,SUB,30:{k},,,1,0,0.5,2,,,," for k in range(100_000))
    file.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    assert len(load_points(file)) == 100_000
    with file.open("a", encoding="utf-8") as more:
        more.write("P7,Again,EQ,analog,kW,,SUB,30:100000,,,1,0,0.5,2,,,,\n")
    with pytest.raises(ConfigError, match=":100002:mrid: P7 is already on line 9"):
        load_points(file)
