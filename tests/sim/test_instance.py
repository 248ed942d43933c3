"""An instance is what every other room reads: so they read it here."""

from __future__ import annotations

import csv
import tomllib
from datetime import date
from pathlib import Path

import pytest

from gridctl.config import load_settings
from gridctl.config_assets import load_feeder, load_resources
from gridctl.limitsfile import load_limits
from gridctl.model.errors import ConfigError
from gridctl.pki import load_private_ed25519, load_public_ed25519
from protocols.dnp3.codec import PointTable
from protocols.driver import LinkSettings
from protocols.opcua.settings import read_settings, read_targets
from protocols.points import load_points
from sim.instance import Ports, create_instance
from sim.instance_points import MONITORED
from sim.plant_points import read_plant_points
from sim.scenario import load_scenario, scenario_feeder

_PORTS = Ports(web=18443, sub=20101, dr=20102, der=14841)
_NOW_S = 1_795_000_000.0


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pilot") / "demo"
    create_instance(
        folder,
        scenario="hot-afternoon",
        rate=10.0,
        now_real_s=_NOW_S,
        ports=_PORTS,
        history_days=2,
    )
    return folder


def test_settings_feeder_and_resources_load(instance: Path) -> None:
    scenario = load_scenario("hot-afternoon")
    settings = load_settings(instance / "gridctl.toml")
    assert settings.web.port == 18443
    assert settings.site.head_limit_kw == scenario.head_limit_kw
    assert settings.clock is not None
    assert (settings.clock.anchor_real_s, settings.clock.anchor_grid_s, settings.clock.rate) == (
        _NOW_S,
        scenario.start_s,
        10.0,
    )
    feeder = load_feeder(settings.site.feeder)
    assert feeder == scenario_feeder(scenario)
    resources = load_resources(settings.site.resources, feeder)
    points = {
        row.point.mrid for row in load_points(settings.field.points, settings.field.context())
    }
    for resource in resources:
        assert resource.points.setpoint in points
        assert resource.points.feedback in points
        assert resource.points.power in points
    assert {link.id for link in settings.field.links} == {"SUB", "DR", "DER"}
    assert {settings.site.head_point, settings.site.temperature_point} <= points
    assert {link.heartbeat for link in settings.field.links} <= points


def test_a_holiday_stands_in_the_calendar_of_its_pilot(instance: Path, tmp_path: Path) -> None:
    create_instance(
        tmp_path / "free",
        scenario="holiday",
        rate=10.0,
        now_real_s=_NOW_S,
        ports=_PORTS,
        history_days=1,
    )
    assert load_settings(tmp_path / "free/gridctl.toml").weather.holidays == (date(2026, 7, 3),)
    assert load_settings(instance / "gridctl.toml").weather.holidays == ()


def test_every_protocol_can_speak_its_points(instance: Path) -> None:
    settings = load_settings(instance / "gridctl.toml")
    rows = load_points(settings.field.points, settings.field.context())
    for link in ("SUB", "DR"):
        mine = [row for row in rows if row.link == link]
        assert len(PointTable(mine)) == len(mine)
    der = next(link for link in settings.field.links if link.id == "DER")
    options = LinkSettings(
        id="DER",
        protocol="opcua",
        file="f",
        options={**der.options(), "heartbeat": der.heartbeat or ""},
    )
    judged = read_settings(options)
    targets = read_targets(options, [row for row in rows if row.link == "DER"], judged)
    assert judged.heartbeat == "DER.HB"
    assert {t.method for t in targets if t.commandable} == {"SetW", ""}
    assert judged.credentials.user == "gridctl-field"
    assert 40 <= sum(len(phases) for _, phases in MONITORED) <= 70


def test_limits_let_every_command_pass_and_return(instance: Path) -> None:
    settings = load_settings(instance / "gridctl.toml")
    limits = {d.point: d for d in load_limits(settings.field.limits).devices}
    commandable = [
        r
        for r in load_points(settings.field.points, settings.field.context())
        if r.point.kind.commandable
    ]
    assert {r.point.mrid for r in commandable} == set(limits)
    for row in commandable:
        limit = limits[row.point.mrid]
        assert (limit.min_value, limit.max_value) == (row.min_value, row.max_value)
        assert limit.step_max >= limit.max_value - limit.min_value
        assert limit.min_value <= limit.default_value <= limit.max_value
        assert limit.lease_max_s == 1800.0
    areas = load_limits(settings.field.limits).areas
    assert {a.area for a in areas} == {limit.area for limit in limits.values()}
    assert all(a.budget_kw >= 1500 for a in areas)


def test_the_mirror_reads_the_same_points(instance: Path) -> None:
    field = load_points(
        instance / "points.csv", load_settings(instance / "gridctl.toml").field.context()
    )
    mirror = read_plant_points(instance / "points.csv")
    assert [p.mrid for p in mirror] == [row.point.mrid for row in field]
    assert [p.lease for p in mirror] == [row.lease for row in field]
    assert [p.max_value for p in mirror] == [row.max_value for row in field]


def test_secrets_are_secret(instance: Path) -> None:
    for path in (instance / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    for folder in ("secrets", "run", "pki"):
        assert (instance / folder).stat().st_mode & 0o077 == 0
    private = load_private_ed25519(instance / "secrets" / "office.key")
    public = load_public_ed25519(instance / "pki" / "office.pub")
    public.verify(private.sign(b"order"), b"order")


def test_history_ends_where_the_story_starts(instance: Path) -> None:
    with (instance / "history.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 96
    end_s = float(rows[-1]["t_s"]) + 900.0
    assert 0 <= load_scenario("hot-afternoon").start_s - end_s < 900.0


def test_an_instance_is_never_overwritten(instance: Path) -> None:
    before = (instance / "gridctl.toml").read_bytes()
    with pytest.raises(ConfigError, match="not overwritten"):
        create_instance(
            instance, scenario="hot-afternoon", rate=1.0, now_real_s=_NOW_S, ports=_PORTS
        )
    assert (instance / "gridctl.toml").read_bytes() == before


def test_an_unknown_scenario_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no scenario"):
        create_instance(
            tmp_path / "x", scenario="nothing", rate=1.0, now_real_s=_NOW_S, ports=_PORTS
        )
    assert not (tmp_path / "x").exists()


def test_settings_are_plain_toml(instance: Path) -> None:
    raw = tomllib.loads((instance / "gridctl.toml").read_text(encoding="utf-8"))
    assert raw["sim"] == {
        "scenario": "hot-afternoon",
        "instructor_socket": "run/sim.sock",
        "tick_s": 1.0,
    }
    assert raw["database"]["url"] == "sqlite:///control.db"


def test_a_bad_row_is_refused_with_its_line(instance: Path, tmp_path: Path) -> None:
    lines = (instance / "points.csv").read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace(",1.0,", ",wide,", 1)
    (tmp_path / "points.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match="line 4"):
        read_plant_points(tmp_path / "points.csv")


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"other things in it: letter\.txt"):
        create_instance(
            tmp_path,
            scenario="hot-afternoon",
            rate=1.0,
            now_real_s=0.0,
            ports=_PORTS,
        )
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]
