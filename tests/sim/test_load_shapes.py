"""Load shapes of an imported circuit, and the mirror's demand that follows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from gridctl.model.canonical import canonical_json
from gridctl.model.errors import ConfigError
from sim.demand import Demand, Turn
from sim.engine import opendss_engine
from sim.feeder import load_feeder
from sim.feeder_import.folder import write_shapes
from sim.feeder_import.opendss import import_opendss
from sim.load_shapes import LoadShape, LoadShapes, Profile, shapes_beside
from sim.scenario import load_scenario
from sim.weather import Weather

_STORY = load_scenario("hot-afternoon")
_NEW_YEAR_S = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def _local(*, day: int, hour: float) -> float:
    return _NEW_YEAR_S + (day - 1) * 86_400.0 + hour * 3600.0


def test_the_last_value_belongs_to_the_start_and_it_goes_on_from_day_to_day() -> None:
    shape = LoadShape(step_s=6 * 3600.0, kw_pu=(0.4, 0.6, 1.0, 0.5), kvar_pu=())
    shapes = LoadShapes({"home": shape}, {"x": Profile(shape="home")})
    for day in (1, 200):
        seen = [float(shapes.values(_local(day=day, hour=h))[0][0]) for h in (0, 3, 6, 12, 18, 21)]
        assert seen == pytest.approx([0.5, 0.45, 0.4, 0.6, 1.0, 0.75])


def test_a_years_shape_knows_its_day() -> None:
    kw = tuple(float(hour) for hour in range(8760))
    shapes = LoadShapes(
        {"year": LoadShape(step_s=3600.0, kw_pu=kw, kvar_pu=())}, {"x": Profile(shape="year")}
    )
    assert shapes.values(_local(day=32, hour=5))[0][0] == pytest.approx(31 * 24 + 5 - 1)


def test_demand_follows_the_shape_and_nothing_else() -> None:
    feeder = load_feeder("ieee13")
    first, second = feeder.consumers[0], feeder.consumers[1]
    giving = replace(first, mrid="gives", kw=(-20.0,) * len(first.kw))
    shape = LoadShape(step_s=43_200.0, kw_pu=(0.5, 2.0), kvar_pu=(0.25, 3.0))
    shapes = LoadShapes({"two": shape}, {second.mrid: Profile(shape="two")})
    demand = Demand(
        replace(feeder, consumers=(first, second, giving)),
        Weather(_STORY.climate),
        1,
        Turn(shapes=shapes),
    )
    noon_s = _local(day=100, hour=12) - _STORY.utc_offset_s
    kw = demand.kw(noon_s)
    kvar = demand.kvar(kw)
    mine = np.array(demand.consumers) == second.mrid
    assert kw[mine] == pytest.approx(np.array(second.kw) * 0.5)
    assert kvar[mine] == pytest.approx(np.array(second.kvar) * 0.25)
    assert (kw[np.array(demand.consumers) == "gives"] == -20.0).all()
    others = np.array(demand.consumers) == first.mrid
    assert (kw[others] != np.array(first.kw)).all()


def test_written_and_read_again_they_are_what_opendss_would_run(tmp_path: Path) -> None:
    """A day of the circuit in OpenDSS, hour by hour, against the mirror's demand."""
    path = tmp_path / "m.dss"
    path.write_text(
        "clear\nnew circuit.c basekv=12.47 bus1=s\n"
        "new loadshape.day npts=24 interval=1 mult=["
        + " ".join(str(0.1 + 0.03 * h) for h in range(24))
        + "]\nnew loadshape.kw npts=24 interval=1 useactual=yes mult=["
        + " ".join(str(20 + h) for h in range(24))
        + "]\nnew line.l bus1=s bus2=b r1=0.3 x1=0.6 length=4\n"
        "new load.a bus1=b kv=12.47 kw=100 kvar=40 daily=day\n"
        "new load.b bus1=b kv=12.47 kw=90 kvar=0 daily=kw\n"
    )
    imported = import_opendss(path, "shaped")
    folder = tmp_path / "shaped"
    folder.mkdir()
    (folder / "feeder.json").write_bytes(canonical_json(imported.feeder))
    write_shapes(folder, imported.shapes, imported.profiles)
    shapes = shapes_beside(str(folder))
    assert shapes is not None
    demand = Demand(imported.feeder, Weather(_STORY.climate), 1, Turn(shapes=shapes))
    dss = opendss_engine()
    dss.text(f"redirect {path}")
    for command in ("set mode=daily", "set stepsize=1h", "set number=1"):
        dss.text(command)
    for hour in range(1, 25):
        dss.text("solve")
        seen = []
        for name in ("a", "b"):
            dss.circuit.set_active_element(f"load.{name}")
            seen.append(sum(dss.cktelement.powers[0::2]))
        kw = demand.kw(_local(day=10, hour=hour) - _STORY.utc_offset_s)
        names = np.array(demand.consumers)
        assert [kw[names == name].sum() for name in ("a", "b")] == pytest.approx(seen, rel=1e-4)


def test_a_feeder_without_shapes_has_none_and_a_broken_file_is_named(tmp_path: Path) -> None:
    assert shapes_beside("ieee13") is None
    (tmp_path / "feeder.json").write_text("{}")
    assert shapes_beside(str(tmp_path)) is None
    (tmp_path / "shapes.csv").write_text("a.kw\n900\n1.0\nmuch\n")
    (tmp_path / "profiles.csv").write_text("consumer,shape\nx,a\n")
    with pytest.raises(ConfigError, match="much") as refused:
        shapes_beside(str(tmp_path))
    assert refused.value.line == 4
