"""A substation over the platform APIs of several offices, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from gridctl.model.errors import ConfigError
from gridctl.model.planning import Horizon, PlanningTask
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.substation import (
    ASKED_AGAIN_MAX,
    Share,
    Substation,
    level_kw,
    shares_of,
)
from gridctl.substation_file import Member, SubstationFile, load_substation
from optimizer.substation.engine import Here, Ledger
from tests.gridctl.openadr.vtn import NOON_S, SECRET
from tests.gridctl.platform_api.house import House, running_house
from tests.optimizer.substation.cases import feeder_task

COUNT = 16
OPEN = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)


def noon_task(k: int) -> PlanningTask:
    """A feeder's task that begins at the offices' noon, with its peak in it."""
    task = feeder_task(k, COUNT, 240 if k == 0 else 40)
    horizon = replace(task.horizon, start_s=NOON_S)
    forecast = replace(task.forecast, horizon=horizon)
    return replace(task, horizon=horizon, forecast=forecast, now_s=NOON_S)


@pytest.fixture
async def houses() -> AsyncIterator[list[House]]:
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(running_house()) for _ in range(3)]
        for k, house in enumerate(found):
            house.desk.task = noon_task(k)
        yield found


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def file_of(houses: list[House], folder: Path, *, limit_kw: float, band_kw: float = 5.0) -> (
    SubstationFile
):  # fmt: skip
    secret = folder / "secret"
    secret.write_text(SECRET + "\n", encoding="utf-8")
    members = tuple(
        Member(url=str(h.client.make_url("/")), client_id="bl", secret_file=secret) for h in houses
    )
    return SubstationFile(mrid="SUB", limit_kw=limit_kw, band_kw=band_kw, feeder=members)


def most_kw(houses: list[House]) -> float:
    tasks = [h.desk.task for h in houses if h.desk.task is not None]
    return float(np.sum([t.forecast.values_kw[0] for t in tasks], axis=0).max())


async def standing(house: House) -> list[DispatchRequest]:
    return list(await house.store.requests(states=OPEN))


async def test_each_office_gets_its_share_once(
    houses: list[House], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    said = await (await houses[0].call("GET", "/planning-task")).read()
    assert len(said) > 70_000, "more than comes in one piece"
    limit_kw = 0.95 * most_kw(houses)
    file = file_of(houses, tmp_path, limit_kw=limit_kw)
    desk = Substation(file, http, Ledger(Here()))

    looked = await desk.cycle(send=False)
    assert looked.plan is not None
    assert looked.plan.kept
    assert looked.sent == ()
    assert [await standing(h) for h in houses] == [[], [], []], "to look sends nothing"

    first = await desk.cycle(send=True)
    assert not first.absent
    assert sum(s.asked for s in first.sent) > 0
    shares = [await standing(h) for h in houses]
    plan = first.plan
    assert plan is not None
    for k, mine in enumerate(shares):
        assert {r.name for r in mine} <= {"share of SUB"}
        asked = level_kw(
            [Share(start_s=r.start_s, end_s=r.end_s, kw=r.target_kw) for r in mine],
            noon_task(k).horizon,
        )
        assert np.all(asked >= plan.asked_kw[k] - 1e-6), "rounded up"
        assert np.all(asked <= plan.asked_kw[k] + file.step_kw)

    # Another coordinator that knows nothing of the first comes to the same and asks for nothing.
    again = await Substation(file, http, Ledger(Here())).cycle(send=True)
    assert [(s.asked, s.withdrawn, s.trouble) for s in again.sent] == [(0, 0, "")] * 3
    assert [await standing(h) for h in houses] == shares


async def test_a_share_that_has_changed_replaces_the_one_before(
    houses: list[House], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    engine = Ledger(Here())
    tight = file_of(houses, tmp_path, limit_kw=0.93 * most_kw(houses))
    await Substation(tight, http, engine).cycle(send=True)
    before = [len(await standing(h)) for h in houses]
    assert sum(before) > 0

    wide = file_of(houses, tmp_path, limit_kw=1.5 * most_kw(houses))
    turn = await Substation(wide, http, engine).cycle(send=True)
    assert turn.plan is not None
    assert not turn.plan.asked_kw.any()
    assert [await standing(h) for h in houses] == [[], [], []], "nobody is asked any more"
    assert [s.withdrawn for s in turn.sent] == before

    back = await Substation(tight, http, engine).cycle(send=True)
    assert [len(await standing(h)) for h in houses] == before, back.sent


async def test_an_office_without_an_answer_has_no_part_in_it(
    houses: list[House], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    limit_kw = 0.95 * most_kw(houses)
    houses[1].desk.task = None
    turn = await Substation(
        file_of(houses, tmp_path, limit_kw=limit_kw), http, Ledger(Here())
    ).cycle(send=True)
    (reason,) = turn.absent.values()
    assert "the field is not connected" in reason
    assert len(turn.sent) == 2
    assert await standing(houses[1]) == []

    houses[2].desk.task = noon_task(0)
    turn = await Substation(
        file_of([houses[0], houses[2]], tmp_path, limit_kw=limit_kw), http, Ledger(Here())
    ).cycle(send=False)
    assert list(turn.absent.values()) == ["feeder F0 is another office's already"]

    file = file_of(houses[:1], tmp_path, limit_kw=limit_kw)
    (tmp_path / "secret").write_text("wrong", encoding="utf-8")
    turn = await Substation(file, http, Ledger(Here())).cycle(send=True)
    assert turn.plan is None
    (reason,) = turn.absent.values()
    assert "invalid_client" in reason


@pytest.mark.parametrize("behind", [1, 1 + ASKED_AGAIN_MAX])
async def test_an_office_a_step_behind_is_asked_again_and_one_that_stays_there_is_left_out(
    houses: list[House],
    http: aiohttp.ClientSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    behind: int,
) -> None:
    """`behind`: so many of its answers are of the step before."""
    monkeypatch.setattr("gridctl.substation.BEHIND_S", 0.01)
    now = houses[1].desk.task
    assert now is not None
    horizon = replace(now.horizon, start_s=now.horizon.start_s - now.horizon.step_s)
    before = replace(
        now, horizon=horizon, forecast=replace(now.forecast, horizon=horizon), now_s=horizon.start_s
    )
    asked = 0

    async def planning_task() -> PlanningTask:
        nonlocal asked
        asked += 1
        return before if asked <= behind else now

    monkeypatch.setattr(houses[1].desk, "planning_task", planning_task)
    file = file_of(houses, tmp_path, limit_kw=0.95 * most_kw(houses))
    turn = await Substation(file, http, Ledger(Here())).cycle(send=False)
    if behind == 1:
        assert (asked, turn.absent) == (2, {})
    else:
        assert asked == 1 + ASKED_AGAIN_MAX
        assert list(turn.absent.values()) == ["its horizon is another one than that of most"]


async def test_a_vens_client_may_not_see_the_task(houses: list[House]) -> None:
    answer = await houses[0].call("GET", "/planning-task", who="ven")
    assert answer.status == 403


def test_shares_are_levels() -> None:
    horizon = Horizon(start_s=900.0, step_s=900.0, count=6)
    asked = np.array([0.0, 11.0, 14.9, 15.1, 0.01, 0.0])
    shares = shares_of(asked, horizon, 5.0)
    assert [(s.start_s, s.end_s, s.kw) for s in shares] == [
        (1800.0, 3600.0, 15.0),
        (3600.0, 4500.0, 20.0),
        (4500.0, 5400.0, 0.01),
    ]
    assert level_kw(shares, horizon).tolist() == [0.0, 15.0, 15.0, 20.0, 0.01, 0.0]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (
            'mrid = "S"\n[[feeder]]\nurl = "http://h"\nclient_id = "c"\nsecret_file = "s"',
            "limit_kw",
        ),
        ('mrid = "S"\nlimit_kw = nan\n', "limit_kw"),
        ('mrid = "S"\nlimit_kw = 5\nfeeder = []\n', "feeder"),
        ('mrid = "a b"\nlimit_kw = 5\n', "mrid"),
        ('mrid = "S"\nlimit_kw = 5\n[[feeder]]\nurl = "ftp://h"\n', "feeder[0].url"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_by_its_key(
    tmp_path: Path, text: str, key: str
) -> None:
    path = tmp_path / "sub.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_substation(path)
    assert refused.value.key == key
    assert refused.value.file == str(path)
    with pytest.raises(ConfigError, match="does not exist"):
        load_substation(tmp_path / "none.toml")
