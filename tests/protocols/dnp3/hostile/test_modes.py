"""Each way to misbehave, against the real driver, with a healthy outstation in the same process.

Nothing crashes, hangs or grows; the sibling is read and commanded all the while; what happened is
told in the link's health; and when the device behaves again, so does the link.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from gridctl.model.link import LinkHealth
from protocols.driver import Result
from tests.contracts import driver_peer as bench
from tests.protocols.dnp3.hostile.modes import MODES
from tests.protocols.dnp3.hostile.stand import Case, Watch, stand

log = logging.getLogger(__name__)

SPELL_S = 3.0
SOAK_S = 60.0
RETURN_S = 25.0
STOP_S = 5.0
FLOODS = frozenset(
    {
        "endless_fragments",
        "endless_segments",
        "garbage_flood",
        "link_answer_flood",
        "link_status_flood",
        "start_flood",
        "unsolicited_flood",
    }
)
QUIET = frozenset(MODES) - FLOODS - {"honest"}
SERVED = frozenset({"duplicates"})
"""Modes that an honest reading survives: the link stays up and its values stay good."""
REQUESTS_MAX = 60
CONFIRMS_MAX = 400
CONNECTS_MAX = 8
"""In one spell: a master must not be made to hammer a device, or to be its amplifier."""


async def test_quiet_lies_all_at_once(tmp_path: Path) -> None:
    async with stand(tmp_path, sorted(QUIET)) as (cases, sibling):
        before = await asyncio.gather(*(case.liar.behave("report") for case in cases))
        await asyncio.gather(*(case.liar.behave(case.mode) for case in cases))
        watch = Watch()
        await watch.over(SPELL_S, [case.rig for case in cases], sibling)
        log.info("%s", watch.summary())
        faults = await asyncio.gather(
            *(_judged(case, then, SPELL_S) for case, then in zip(cases, before, strict=True))
        )
        found = [fault for one in faults for fault in one]
        assert not found, "\n".join(found)
        watch.check()


@pytest.mark.parametrize("mode", sorted(FLOODS))
async def test_flood(mode: str, tmp_path: Path) -> None:
    await _spell(mode, tmp_path, SPELL_S)


@pytest.mark.soak
@pytest.mark.parametrize("mode", sorted(set(MODES) - {"honest"}))
async def test_a_minute_of_it(mode: str, tmp_path: Path) -> None:
    """Memory does not grow with time, and a minute of hostility is forgotten as soon as three
    seconds of it."""
    await _spell(mode, tmp_path, SOAK_S)


async def _spell(mode: str, folder: Path, seconds: float) -> None:
    async with stand(folder, [mode]) as ((case,), sibling):
        before = await case.liar.behave("report")
        await case.liar.behave(mode)
        watch = Watch()
        await watch.over(seconds, [case.rig], sibling)
        log.info("%s: %s", mode, watch.summary())
        faults = await _judged(case, before, seconds)
        assert not faults, "\n".join(faults)
        watch.check()


async def _judged(case: Case, before: dict[str, Any], seconds: float) -> list[str]:
    """What was wrong with the spell of `case`, and with what came after it."""
    health = case.rig.driver.health()
    after = await case.liar.behave("honest")
    told = [*_fair(before, after, seconds), *_noticed(case, health)]
    if not await _returned(case):
        told.append(f"does not come back: {case.rig.driver.health()}")
    elif (done := await case.rig.execute(case.rig.permit(bench.SETPOINT, 4.0))).result is not (
        Result.ACCEPTED
    ):
        told.append(f"a command after the spell: {done}")
    started_s = case.rig.clock.monotonic_s()
    await case.rig.driver.stop()
    if (took_s := case.rig.clock.monotonic_s() - started_s) > STOP_S:
        told.append(f"stop took {took_s:.1f} s")
    return [f"{case.mode}: {one}" for one in told]


def _fair(before: dict[str, Any], after: dict[str, Any], seconds: float) -> list[str]:
    """Whether our own side kept its manners, whatever it was told."""
    told = [f"our master sent: {fault}" for fault in after["faults"]]
    if after["direct"] or after["operated"]:
        told.append(f"commands nobody gave: {after['direct']} {after['operated']}")
    for what, limit in (
        ("requests", REQUESTS_MAX),
        ("confirms", CONFIRMS_MAX),
        ("connects", CONNECTS_MAX),
    ):
        if (made := after[what] - before[what]) > limit * seconds / SPELL_S:
            told.append(f"{made} {what} in {seconds:g} s")
    return told


def _noticed(case: Case, health: LinkHealth) -> list[str]:
    """Whether health says that something was wrong, and points are not called good for nothing."""
    if case.mode in SERVED:
        return [] if health.state == "up" and case.rig.all_good() else [f"not served: {health}"]
    counted = (
        health.late_scans
        + health.reconnects
        + health.timeouts
        + health.frame_errors
        + health.protocol_errors
        + sum(int(health.diagnostics.get(name, "0")) for name in ("restarts", "event overflows"))
        - 1  # the device has restarted before the spell, as every bench does
    )
    if health.state == "up" and not counted:
        return [f"nothing counted: {health}"]
    if health.state != "up" and not (health.detail or health.last_error):
        return [f"nothing said: {health}"]
    return []


async def _returned(case: Case) -> bool:
    rig = case.rig
    return await rig.until(lambda: rig.driver.health().state == "up" and rig.all_good(), RETURN_S)
