"""Real answers against the contract in ui/src/api.ts: the same keys, no more and no fewer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gridctl.model.assets import (
    AssetReview,
    Movements,
    ThermalAsset,
    ThermalHealth,
    VoltageQuality,
)
from gridctl.model.command import CommandState
from gridctl.model.forecasting import ForecastReview, HorizonSkill, Shift
from gridctl.model.link import Event
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from gridctl.model.record import EvidenceRow
from gridctl.web.asset_pages import assets_view
from gridctl.web.forecast_pages import review_view
from tests.gridctl.store.examples import command
from tests.gridctl.web.conftest import Console

CONTRACT = Path(__file__).parents[3] / "ui" / "src" / "api.ts"


def interface(name: str) -> set[str]:
    """Keys of an interface of api.ts, those it extends included."""
    text = re.sub(r"//.*", "", CONTRACT.read_text())
    found = re.search(rf"export interface {name}( extends (\w+))? \{{", text)
    assert found is not None, f"{name} is not in {CONTRACT}"
    depth, i, body = 1, found.end(), ""
    while depth:
        char = text[i]
        depth += (char == "{") - (char == "}")
        if depth == 1 and char not in "{}":
            body += char
        i += 1
    keys = set(re.findall(r"(?:^|[;\n])\s*(\w+)\??\s*:", body))
    return keys | (interface(found[2]) if found[2] else set())


def check(name: str, value: dict[str, Any]) -> None:
    assert set(value) == interface(name), name


@pytest.fixture
async def signed(console: Console) -> Console:
    await console.sign_in("op")
    return console


async def test_forecasts(signed: Console) -> None:
    page = await (await signed.client.get("/api/v1/forecasts?hours=24&lead_h=0.25")).json()
    check("ForecastPage", page)
    check("ForecastQuantiles", page["current"])
    assert page["past"] is None
    assert page["review"] is None
    skill = HorizonSkill(
        lead_s=900.0, nmae_pct=4.0, bias_kw=1.0, naive_pct=None, coverage_80_pct=81.0, count=9
    )
    shift = Shift(since_s=1.0, found_s=2.0, shift_kw=100.0)
    review = ForecastReview(at_s=3.0, days=28.0, horizons=(skill,), shift=shift)
    told = review_view(review)
    check("ForecastReview", told)
    check("ForecastSkill", told["horizons"][0])
    assert told["horizons"][0]["skill_pct"] is None
    answer = await signed.client.get("/api/v1/forecasts?lead_h=49")
    assert answer.status == 400


async def test_assets(signed: Console) -> None:
    page = await (await signed.client.get("/api/v1/assets")).json()
    check("AssetPage", page)
    assert page["review"] is None
    asset = ThermalAsset(
        name="T1", kind="onan", rating_kva=1.0, load_point="HEAD", power_factor=1.0,
        upgraded=False, branch=None,
    )  # fmt: skip
    tap = Movements(
        point="T", equipment="R", operations=1, per_day=1.0, busiest_day=1, hunting=0, days=7.0,
        coverage=1.0,
    )  # fmt: skip
    volt = VoltageQuality(
        point="V", equipment="N", phase="A", means=9, within_10_pct=100.0, lowest_pu=0.9,
        highest_pu=1.0, longest_outside_min=0.0, complies=None, coverage=0.1,
    )  # fmt: skip
    told = assets_view(
        AssetReview(
            at_s=1.0, days=7.0, score=None, worst=None, parts={}, coverage=0.0, movements=(tap,),
            transformers=(ThermalHealth(asset=asset, why="no air", coverage=0.0),),
            voltages=(volt,),
        )
    )  # fmt: skip
    check("AssetReview", told)
    check("ThermalHealth", told["transformers"][0])
    check("Movement", told["movements"][0])
    check("VoltageQuality", told["voltages"][0])


async def test_frame(signed: Console) -> None:
    frame = await (await signed.client.get("/api/v1/overview")).json()
    check("Frame", frame)
    assert frame["full"] is True
    check("NodeState", frame["nodes"]["B"])
    assert frame["nodes"]["B"]["v"] == [0.955, None]  # phase C is not measured: null, not zero
    check("ResourceState", frame["resources"]["BESS1"])
    check("LinkState", frame["links"][0])
    check("Alarm", frame["alarms"]["top"][0])
    check("PlanRow", frame["plans"][0])
    check("ForecastState", frame["forecast"])
    check("Effect", frame["effect"])


async def test_links_and_events(signed: Console) -> None:
    links = (await (await signed.client.get("/api/v1/links")).json())["links"]
    check("LinkDetail", links[0])
    assert links[0]["round_trip_p99_ms"] is None, "not known is null, not zero"
    event = Event(number=1, measurement=Measurement(
        point="HEAD", value=1.0, quality=GOOD, source_time_s=1_000.25,
        time_quality=TimeQuality.SYNCHRONIZED, received_time_s=1_000.5,
    ))  # fmt: skip
    await signed.store.add_events("boot", [event])
    events = (await (await signed.client.get("/api/v1/events?limit=5")).json())["events"]
    check("FieldEvent", events[0])
    assert (events[0]["number"], events[0]["at_ms"], events[0]["quality"]) == (1, 250, "good")
    older = await (await signed.client.get(f"/api/v1/events?before={events[0]['id']}")).json()
    assert older["events"] == []


async def test_plan_detail(signed: Console) -> None:
    plan = await (await signed.client.get("/api/v1/plans/P-1")).json()
    check("PlanDetail", plan)
    check("Case", plan["check"]["before"])
    assert plan["rows"][0]["how"] == "OPC UA"
    assert plan["rows"][0]["series_kw"] == [60.0, 40.0]
    assert plan["controls"] == {"load_group": 0, "battery": 1, "generator": 0, "pv": 0}


async def test_a_command_in_full(signed: Console) -> None:
    row = EvidenceRow(command="C1", state=CommandState.FAILED, at_s=1_000.0, lines=("→ a", "← b"))
    async with signed.store.transaction() as unit:
        await unit.add_command(command(), state=CommandState.APPROVED, at_s=900.0)
        await unit.add_evidence(row)
    detail = await (await signed.client.get("/api/v1/commands/C1")).json()
    check("CommandDetail", detail)
    (kept,) = detail["evidence"]
    check("Evidence", kept)
    assert (kept["lines"], kept["sha256"]) == (["→ a", "← b"], row.digest)
    assert (await signed.client.get("/api/v1/commands/none")).status == 404


async def test_the_rest(signed: Console) -> None:
    session = await (await signed.client.get("/api/v1/session")).json()
    check("Session", session)
    check("Feeder", await (await signed.client.get("/api/v1/feeder")).json())
    check("ChainCheck", await (await signed.client.get("/api/v1/audit/verify")).json())
    check("Trend", await (await signed.client.get("/api/v1/trend?point=HEAD")).json())
    missing = await signed.client.get("/api/v1/plans/none")
    assert missing.status == 404
    check("Problem", await missing.json())


async def test_stream_gives_a_full_frame_and_then_one_a_second(signed: Console) -> None:
    async with signed.client.ws_connect("/api/v1/stream") as socket:
        first = await socket.receive_json(timeout=5)
        second = await socket.receive_json(timeout=5)
    assert first["full"] is True
    assert second["full"] is False
    assert second["seq"] > first["seq"]
    assert second["trend"] is None
