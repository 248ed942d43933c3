"""Other points while the agent runs: healthy links keep their sessions, a bad file is refused."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.field.configuration import Change, difference, load_configuration, objections
from gridctl.field.intake import TELEMETRY_S
from gridctl.field.reload import ReloadWatch, answer_file, request_file
from gridctl.model.command import CommandState
from gridctl.model.link import FieldAlarm, Hello, Telemetry
from gridctl.model.measurement import Flag, Measurement
from tests.gridctl.field.test_agent import Bench, bench
from tests.gridctl.small_site import ScriptedDriver, site, until


def edit(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Rewrite the rows of the points file (the header stays)."""
    file = folder / "points.csv"
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([header, *change(rows)]) + "\n", encoding="utf-8")


def without(mrid: str) -> Callable[[list[str]], list[str]]:
    return lambda rows: [row for row in rows if not row.startswith(f"{mrid},")]


def replaced(old: str, new: str) -> Callable[[list[str]], list[str]]:
    def change(rows: list[str]) -> list[str]:
        assert any(old in row for row in rows), old
        return [row.replace(old, new) for row in rows]

    return change


async def reload(folder: Path, request: str = "r1") -> dict[str, object]:
    """Ask as the command line does; the answer."""
    stop_file = folder / "STOP"
    request_file(stop_file).write_text(request, encoding="utf-8")
    answer = answer_file(stop_file)

    def answered() -> bool:
        return answer.exists() and json.loads(answer.read_text())["request"] == request

    await until(answered, within_s=10, why="no answer to the reload")
    found: dict[str, object] = json.loads(answer.read_text())
    return found


def drivers(made: Bench) -> dict[str, ScriptedDriver]:
    return dict(made.site.drivers)


def hellos(made: Bench) -> list[Hello]:
    return [f for f in made.heard if isinstance(f, Hello)]


async def test_an_unchanged_link_keeps_its_driver_and_a_changed_one_gets_another(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as made:
        before = drivers(made)
        edit(tmp_path, without("BAT1.SoC"))
        heard = len(made.heard)
        answer = await reload(tmp_path)
        assert answer["accepted"] is True
        assert (answer["kept"], answer["changed"]) == (["SUB", "DR"], ["DER"])
        after = drivers(made)
        assert after["SUB"] is before["SUB"]
        assert after["DR"] is before["DR"]
        assert after["DER"] is not before["DER"]
        await until(lambda: len(hellos(made)) == 2, within_s=10, why="the office learns nothing")
        assert "BAT1.SoC" not in {p.mrid for p in hellos(made)[-1].points}
        assert made.site.link.connected, "the line to the office was not dropped"

        def told() -> list[Measurement]:
            frames = (f for f in made.heard[heard:] if isinstance(f, Telemetry))
            return [m for f in frames for m in f.measurements]

        def back() -> list[Measurement]:
            return [m for m in told() if m.point == "BAT1.TotW"]

        # How soon the new session reports is not this test's business: it is waited for. A gap that
        # is shorter than a telemetry frame may be gone before it is told: the newest value wins.
        new = after["DER"]
        await until(
            lambda: new.reported and back() and back()[-1].quality.is_good,
            within_s=15,
            why="the new session does not report",
        )
        assert all(m.quality.is_good or Flag.COMM_LOST in m.quality.flags for m in back())
        assert not [m for m in told() if m.point.startswith("LG1") and not m.quality.is_good]


async def test_a_signal_asks_for_it_as_a_file_does(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        before = drivers(made)
        edit(tmp_path, without("BAT1.SoC"))
        made.site.hangup.set()
        answer = answer_file(tmp_path / "STOP")
        await until(answer.exists, within_s=10, why="no answer to the signal")
        told = json.loads(answer.read_text())
        assert (told["request"], told["changed"], told["kept"]) == (
            "signal",
            ["DER"],
            ["SUB", "DR"],
        )
        assert drivers(made)["SUB"] is before["SUB"]
        assert not made.site.hangup.is_set(), "one signal, one reload"


async def test_a_new_name_restarts_nothing_but_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        before = drivers(made)
        edit(tmp_path, replaced("BAT1.SoC,Charge,", "BAT1.SoC,State of charge,"))
        answer = await reload(tmp_path)
        assert (answer["kept"], answer["changed"]) == (["SUB", "DR", "DER"], [])
        assert drivers(made) == before
        await until(lambda: len(hellos(made)) == 2, within_s=10, why="no hello")
        names = {p.mrid: p.name for p in hellos(made)[-1].points}
        assert names["BAT1.SoC"] == "State of charge"


async def test_a_bad_file_is_refused_whole_and_alarmed_until_a_good_one_comes(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as made:
        good = (tmp_path / "points.csv").read_text()
        before = drivers(made)
        edit(tmp_path, replaced("BAT1.SoC,Charge,BAT1,analog,%", "BAT1.SoC,Charge,BAT1,anlog,%"))
        answer = await reload(tmp_path)
        assert answer["accepted"] is False
        assert "points.csv:10:kind: is 'anlog'" in str(answer["text"])
        assert drivers(made) == before

        def alarms() -> list[FieldAlarm]:
            return [f for f in made.heard if isinstance(f, FieldAlarm) and f.key == "points.reload"]

        await until(alarms, within_s=10, why="not alarmed")
        assert alarms()[-1].active
        assert "old ones stay in force" in alarms()[-1].text
        assert len(hellos(made)) == 1
        (tmp_path / "points.csv").write_text(good)
        assert (await reload(tmp_path, "r2"))["accepted"] is True
        await until(lambda: not alarms()[-1].active, within_s=10, why="the alarm stays")


async def test_a_point_under_a_lease_cannot_be_removed_or_moved(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        command = made.command()
        await made.send(made.order(command))
        await made.reaches(command.mrid, CommandState.CONFIRMED)
        good = (tmp_path / "points.csv").read_text()
        for change, told in (
            (without("LG1.ShedSpt"), "LG1.ShedSpt holds a lease and would be removed"),
            (replaced(",DR,41:0,", ",DR,41:99,"), "would be reached otherwise"),
        ):
            edit(tmp_path, change)
            answer = await reload(tmp_path, told.replace(" ", "-"))
            assert answer["accepted"] is False
            assert told in str(answer["text"])
            (tmp_path / "points.csv").write_text(good)
        edit(tmp_path, without("LG2.ShedSpt"))
        assert (await reload(tmp_path, "other"))["accepted"] is True


async def test_a_command_after_a_reload_takes_the_new_points(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        edit(tmp_path, replaced("LG2.ShedSpt,Shed,", "LG2.ShedSpt,Shed 2,"))
        edit(tmp_path, without("LG3.ShedSpt"))
        assert (await reload(tmp_path))["changed"] == ["DR"]
        refused = await made.send(made.order(made.command("LG3")))
        assert not refused.admitted
        # The guard wants to know what the device holds now: after the new session's first report.
        new = made.site.drivers["DR"]
        await until(lambda: new.reported, within_s=15, why="the new session does not report")
        await asyncio.sleep(2 * TELEMETRY_S)
        command = made.command("LG1")
        assert (await made.send(made.order(command))).admitted
        await made.reaches(command.mrid, CommandState.CONFIRMED)


async def test_ten_reloads_in_a_row_leave_one_driver_a_link(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        for k in range(10):
            scale = f",30:1,,,{k + 1},0,0,0.1,"
            edit(tmp_path, replaced(scale, f",30:1,,,{k + 2},0,0,0.1,"))
            assert (await reload(tmp_path, f"n{k}"))["accepted"] is True
        assert made.site.link.connected
        names = [t.get_name() for t in asyncio.all_tasks()]
        assert sum(n.startswith(("start ", "stop ")) for n in names) == 0


async def test_what_belongs_to_others_needs_a_restart(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        old = load_configuration(made.field_settings)
        new = replace(old, settings=replace(old.settings, limits=tmp_path / "wider.toml"))
        (reason,) = objections(old, new, held=(), busy=())
        assert reason.startswith("limits has changed, which needs a restart")


async def test_a_renewed_certificate_restarts_its_link_only(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        certificate = tmp_path / "field.der"
        certificate.write_bytes(b"old")
        settings = made.field_settings
        first = replace(
            settings.links[0],
            settings=replace(settings.links[0].settings, options={"certificate": str(certificate)}),
        )
        settings = replace(settings, links=(first, *settings.links[1:]))
        old = load_configuration(settings)
        certificate.write_bytes(b"new")
        change = difference(old, load_configuration(settings))
        assert (change.kept, change.changed) == (("DR", "DER"), ("SUB",))


async def test_links_come_and_go(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        old = load_configuration(made.field_settings)
        edit(tmp_path, lambda rows: [r for r in rows if ",DER," not in r])
        fewer = replace(made.field_settings, links=made.field_settings.links[:2])
        new = load_configuration(fewer)
        change = difference(old, new)
        assert (change.removed, change.kept) == (("DER",), ("SUB", "DR"))
        assert difference(new, old).added == ("DER",)
        busy = objections(old, new, held=(), busy=["BAT1.WSpt"])
        assert any("link DER carries a command to BAT1.WSpt" in reason for reason in busy)


async def test_a_request_that_comes_while_another_is_taken_is_not_lost(tmp_path: Path) -> None:
    stop_file = tmp_path / "STOP"
    served: list[str] = []

    async def load() -> tuple[Change, int]:
        served.append("once more")
        if len(served) == 1:
            request_file(stop_file).write_text("second", encoding="utf-8")
        return Change(kept=(), changed=(), added=(), removed=(), points_differ=False), 0

    watch = ReloadWatch(stop_file, reload=load)
    request_file(stop_file).write_text("first", encoding="utf-8")
    assert await watch.poll()
    assert json.loads(answer_file(stop_file).read_text())["request"] == "first"
    assert await watch.poll()
    assert json.loads(answer_file(stop_file).read_text())["request"] == "second"
    assert not await watch.poll()
    assert len(served) == 2
    assert os.listdir(tmp_path) == ["reload.json"], "nothing is left lying about"  # noqa: PTH208


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b""])
async def test_a_request_that_is_no_text_still_gets_its_answer(tmp_path: Path, data: bytes) -> None:
    async with bench(tmp_path):
        request_file(tmp_path / "STOP").write_bytes(data)
        await until(
            lambda: not request_file(tmp_path / "STOP").exists(), within_s=10, why="not taken"
        )
