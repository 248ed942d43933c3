"""/metrics: read back by the reference parser, told only to whom it is for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from prometheus_client.parser import text_string_to_metric_families

from gridctl.assembly import metrics_token
from gridctl.config import load_settings
from gridctl.model.clock import ManualClock
from gridctl.model.errors import ConfigError
from gridctl.model.forecasting import ForecastReview, HorizonSkill
from gridctl.store.engine import temporary_store
from gridctl.web.app import build_app
from gridctl.web.metrics import LINK_METRICS, SITE_METRICS, MetricsPage, exposition
from gridctl.web.routes import WebParts
from tests.gridctl.web.desk import BATTERY, FEEDER, RecordingDesk
from tests.gridctl.web.duty import duty_of
from tests.gridctl.web.forecasts import assets_of, forecasts_of, vee_of
from tests.gridctl.web.people import people_of
from tests.pilot import make_pilot

TOKEN = "a-long-random-token-of-a-test"


@asynccontextmanager
async def scraped(token: str | None) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    clock = ManualClock()
    async with temporary_store(clock) as store:
        app = build_app(
            WebParts(
                desk=RecordingDesk(),
                duty=duty_of(store, clock),
                store=store,
                people=people_of(store),
                clock=clock,
                time_rate=1.0,
                feeder=FEEDER,
                resources=(BATTERY,),
                voltage_min_pu=0.95,
                voltage_max_pu=1.05,
                utc_offset_s=0.0,
                secure=False,
                forecasts=forecasts_of(store, clock),
                assets=assets_of(store, clock),
                vee=vee_of(store, clock),
                metrics_token=token,
            ),
            mounted=[],
        )
        async with TestClient(TestServer(app)) as client:
            yield client


def samples(text: str) -> dict[str, float]:
    return {
        f"{s.name}{sorted(s.labels.items()) if s.labels else ''}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


async def test_this_machine_may_ask_where_no_token_is_set() -> None:
    async with scraped(None) as client:
        answer = await client.get("/metrics")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        found = samples(await answer.text())
    assert found["gridctl_link_up[('link', 'DER')]"] == 1
    assert found["gridctl_link_reads_total[('link', 'DER')]"] == 10
    assert found["gridctl_link_round_trip_last_seconds[('link', 'DER')]"] == 0.002
    assert not any("p99" in name for name in found), "not known is absent, not zero"
    assert found["gridctl_field_connected"] == 1


async def test_with_a_token_only_its_bearer_may_ask() -> None:
    async with scraped(TOKEN) as client:
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = await client.get("/metrics", headers=header)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status == 200


async def test_another_machine_is_refused_without_a_token() -> None:
    request = make_mocked_request("GET", "/metrics").clone(remote="192.0.2.7")
    answer = await MetricsPage(RecordingDesk(), token=None).answer(request)
    assert answer.status == 403


def test_every_metric_of_the_list_comes_out_of_a_full_health() -> None:
    picture = RecordingDesk().picture()
    full = replace(
        picture.links[0],
        round_trip_p50_s=0.001,
        round_trip_p99_s=0.002,
        certificate_expires_s=1.0,
    )
    skill = HorizonSkill(
        lead_s=3_600.0, nmae_pct=4.0, bias_kw=1.0, naive_pct=8.0, coverage_80_pct=81.0, count=9
    )
    review = ForecastReview(at_s=1.0, days=28.0, horizons=(skill,), shift=None)
    text = exposition(replace(picture, links=(full,)), review).decode()
    assert 'gridctl_forecast_skill_ratio{feeder="HEAD",lead_hours="1"} 0.5' in text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    listed = {m.name + ("_total" if m.kind == "counter" else "") for m in LINK_METRICS}
    assert names == listed | set(SITE_METRICS)


def test_five_hundred_links_are_one_bounded_text() -> None:
    picture = RecordingDesk().picture()
    links = tuple(replace(picture.links[0], link=f"L{k}") for k in range(500))
    text = exposition(replace(picture, links=links)).decode()
    assert len([line for line in text.splitlines() if line[0] != "#"]) < 500 * 30


def test_a_token_is_read_or_refused_with_its_file(tmp_path: Path) -> None:
    folder = make_pilot(tmp_path / "pilot")
    settings = load_settings(folder / "gridctl.toml")
    assert metrics_token(settings) is None
    file = folder / "gridctl.toml"
    file.write_text(file.read_text().replace("[web]\n", '[web]\nmetrics_token_file = "token"\n'))
    settings = load_settings(file)
    with pytest.raises(ConfigError, match="token: cannot be read"):
        metrics_token(settings)
    (folder / "token").write_text("short\n")
    with pytest.raises(ConfigError, match="shorter than 16"):
        metrics_token(settings)
    (folder / "token").write_text(f"{TOKEN}\n")
    assert metrics_token(settings) == TOKEN
