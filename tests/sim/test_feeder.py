"""The tables against the published figures, and the OpenDSS text against EPRI's rendering."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from gridctl.model.canonical import canonical_json
from gridctl.model.errors import ConfigError
from gridctl.model.network import Connection, Feeder, LoadModel
from sim.engine import Engine, opendss_engine
from sim.feeder import feeder_names, load_feeder
from sim.opendss_text import REGULATOR_X_PCT
from tests.sim.published import (
    ANGLES_13,
    ANGLES_123,
    EARTHED_123,
    EARTHED_ANGLES_123,
    IEEE13,
    IEEE34,
    IEEE123,
    Profile,
    errors_pu,
)

_SHARED = Path(os.environ.get("GRIDCTL_SHARED", Path(__file__).parents[3] / "shared"))
_PINNED_13 = {"reg1": 10, "reg2": 8, "reg3": 11}
_PINNED = {"reg1a": 7, "reg2a": -1, "reg3a": 0, "reg3c": -1, "reg4a": 8, "reg4b": 1, "reg4c": 5}


@pytest.fixture(scope="module")
def feeder() -> Feeder:
    return load_feeder("ieee123")


def test_published_totals(feeder: Feeder) -> None:
    assert len(feeder.lines) == 118
    assert len(feeder.consumers) == 85
    assert sum(sum(c.kw) for c in feeder.consumers) == pytest.approx(3490.0)
    assert sum(sum(c.kvar) for c in feeder.consumers) == pytest.approx(1920.0)
    per_phase = {"A": 0.0, "B": 0.0, "C": 0.0}
    for consumer in feeder.consumers:
        if consumer.connection is Connection.WYE:
            for phase, kw in zip(consumer.phases, consumer.kw, strict=True):
                per_phase[phase] += kw
    # Published per phase: 1420, 915 and 1155 kW, delta loads under their first phase.
    assert per_phase["A"] == pytest.approx(1420.0 - 40 - 35 - 105)
    assert per_phase["B"] == pytest.approx(915.0 - 35 - 70)
    assert per_phase["C"] == pytest.approx(1155.0 - 70 - 70)


def test_units_are_the_models(feeder: Feeder) -> None:
    line = next(one for one in feeder.lines if one.mrid == "L149-1")
    assert line.length_km == pytest.approx(0.12192)
    assert line.r_ohm_per_km[0][0] == pytest.approx(0.4576 / 1.609344)
    assert line.x_ohm_per_km[0][1] == line.x_ohm_per_km[1][0]
    assert line.b_us_per_km[2][2] == pytest.approx(5.3971 / 1.609344)
    assert line.rating_a == 1060.0
    delta = next(c for c in feeder.consumers if c.node == "76")
    assert (delta.phases, delta.connection, delta.model) == (
        "ABC",
        Connection.DELTA,
        LoadModel.CONSTANT_CURRENT,
    )
    assert delta.kw == (105.0, 70.0, 70.0)
    assert next(c for c in feeder.consumers if c.node == "35").phases == "AB"


def test_every_place_named_exists(feeder: Feeder) -> None:
    nodes = feeder.node_index()
    ends = [
        (branch.mrid, node, branch.phases)
        for table in (feeder.lines, feeder.switches, feeder.transformers, feeder.regulators)
        for branch in table
        for node in (branch.from_node, branch.to_node)
    ]
    for mrid, node, phases in ends:
        assert set(phases) <= set(nodes[node].phases), mrid
    for consumer in feeder.consumers:
        assert set(consumer.phases) <= set(nodes[consumer.node].phases)
    for line in feeder.lines:
        assert line.rating_a is not None
        assert len(line.r_ohm_per_km) == len(line.phases)


def test_canonical_json_round_trips(feeder: Feeder) -> None:
    again = TypeAdapter(Feeder).validate_json(canonical_json(feeder))
    assert again == feeder
    assert again.digest() == feeder.digest()


def test_unknown_feeder_is_refused() -> None:
    with pytest.raises(ConfigError, match="known feeders: ") as refused:
        load_feeder("ieee8500")
    assert "ieee123" in refused.value.hint
    assert "ieee123" in feeder_names()


def _reference(text: str, edits: list[str]) -> dict[str, complex]:
    """Voltages of EPRI's rendering with taps pinned at the published positions."""
    dss = opendss_engine()
    folder = Path.cwd()
    try:
        dss.text(f"compile {text}")
    finally:
        os.chdir(folder)
    for command in ("set controlmode=off", *edits, "set tolerance=1e-9", "set maxiterations=100"):
        dss.text(command)
    dss.solution.solve_no_control()
    assert dss.solution.converged
    flat = np.asarray(dss.circuit.buses_volts)
    return dict(zip(dss.circuit.nodes_names, flat[0::2] + 1j * flat[1::2], strict=True))


def _oracle(*place: str) -> str:
    path = _SHARED.joinpath("data", "feeders", *place)
    if not path.is_file():
        pytest.skip(f"no oracle: {path} is not there (set GRIDCTL_SHARED)")
    return str(path)


@pytest.fixture(scope="module")
def master() -> str:
    return _oracle("123Bus", "IEEE123Master.dss")


def _pins(taps: Mapping[str, int], *, same_leakage: bool) -> list[str]:
    ideal = f"xhl={REGULATOR_X_PCT} %loadloss=1e-6" if same_leakage else ""
    return [
        f"edit transformer.{name} {ideal} wdg=2 tap={1 + tap * 0.00625}"
        for name, tap in taps.items()
    ]


def _worst_pu(feeder: Feeder, reference: dict[str, complex]) -> float:
    engine = Engine(feeder)
    volts = engine.solve().voltages_pu
    nominal = feeder.node_index()
    worst = 0.0
    for name, pu in zip(engine.node_phases, volts, strict=True):
        node, phase = name.split(".")
        base_v = nominal[node].nominal_kv * 1e3 / sqrt(3)
        theirs = reference[f"{node}.{'ABC'.index(phase) + 1}"] / base_v
        worst = max(worst, abs(theirs - pu))
    return worst


def test_same_voltages_as_the_reference(feeder: Feeder, master: str) -> None:
    """1e-6 pu once the reference's own choices (2.4 and 2.402 kV bases, leakage) are made alike."""
    reference = _reference(master, _pins(_PINNED, same_leakage=True))
    alike = replace(
        feeder,
        consumers=tuple(
            replace(c, nominal_kv=2.4 * sqrt(3))
            if c.connection is Connection.WYE and (len(c.kw) == 1 or c.node == "49")
            else c
            for c in feeder.consumers
        ),
        capacitors=tuple(
            replace(c, nominal_kv=2.402 * sqrt(3)) if len(c.phases) == 1 else c
            for c in feeder.capacitors
        ),
    )
    assert _worst_pu(alike, reference) < 1e-6


def test_untouched_reference_is_near(feeder: Feeder, master: str) -> None:
    assert _worst_pu(feeder, _reference(master, _pins(_PINNED, same_leakage=False))) < 1e-4


def _sizes(feeder: Feeder, reference: dict[str, complex]) -> dict[str, float]:
    """Magnitudes of the reference in pu by our "node.phase"."""
    known = {name.upper(): abs(volts) for name, volts in reference.items()}
    return {
        f"{n.mrid}.{phase}": known[place] / (n.nominal_kv * 1e3 / sqrt(3))
        for n in feeder.nodes
        for phase in n.phases
        if (place := f"{n.mrid.upper()}.{'ABC'.index(phase) + 1}") in known
    }


def test_published_profiles_against_the_reference(feeder: Feeder, master: str) -> None:
    """Both documents' voltages in EPRI's rendering, at the published taps.

    The 13 node rendering is further away than we are, most on phase C behind 632: it puts the
    distributed load a third of the way along, and has a substation transformer.
    """
    seen = _sizes(feeder, _reference(master, _pins(_PINNED, same_leakage=False)))
    assert max(map(abs, errors_pu(EARTHED_123, seen).values())) < 1.5e-3
    small = load_feeder("ieee13")
    pins = _pins(_PINNED_13, same_leakage=False)
    seen = _sizes(small, _reference(_oracle("13Bus", "IEEE13Nodeckt.dss"), pins))
    theirs = errors_pu(IEEE13, seen)
    assert max(map(abs, theirs.values())) < 1.4e-3
    assert max(abs(e) for place, e in theirs.items() if not place.endswith(".C")) < 8e-4
    engine = Engine(small)
    ours = dict(zip(engine.node_phases, np.abs(engine.solve().voltages_pu), strict=True))
    assert max(abs(ours[place] - seen[place]) for place in theirs) < 1.4e-3


def test_the_head_of_the_reference(feeder: Feeder, master: str) -> None:
    _reference(master, _pins(_PINNED, same_leakage=False))
    kw, kvar = opendss_engine().circuit.total_power[:2]
    losses_kw = opendss_engine().circuit.losses[0] / 1e3
    ours = Engine(feeder).solve()
    # Its 2.4 kV for one phase lets loads that follow their voltage draw a kilowatt more.
    assert ours.head_kw == pytest.approx(-kw, abs=1.5)
    assert ours.head_kvar == pytest.approx(-kvar, abs=2.0)
    assert ours.losses_kw == pytest.approx(losses_kw, abs=0.5)


@pytest.mark.parametrize(
    ("name", "published", "limit_pu"),
    [("ieee13", IEEE13, 1.5e-4), ("ieee34", IEEE34, 2e-4), ("ieee123", EARTHED_123, 1.5e-3)],
)
def test_published_voltages_at_the_published_taps(
    name: str, published: Profile, limit_pu: float
) -> None:
    """What is asked is 0.0015 pu (13) and 0.003 pu (34, 123)."""
    feeder = load_feeder(name)
    engine = Engine(feeder)
    seen = dict(zip(engine.node_phases, np.abs(engine.solve().voltages_pu), strict=True))
    errors = errors_pu(published, seen)
    assert max(map(abs, errors.values())) < limit_pu, errors


def test_what_is_left_of_the_published_123_nodes() -> None:
    """265 figures of 127 nodes. The six that are more than 5e-4 pu away lie behind segment 80-81,
    which is 175 feet long here and in EPRI's rendering; the solution's own distances (80 at 0.914,
    81 at 1.004 miles) and voltages are those of 475 feet. With that, none is."""
    feeder = load_feeder("ieee123")
    errors = errors_pu(EARTHED_123, _solved_pu(feeder))
    assert len(errors) == 265
    far = {place for place, error in errors.items() if abs(error) > 5e-4}
    assert far == {f"{node}.{phase}" for node in ("81", "82", "83") for phase in "AB"}
    longer = replace(
        feeder,
        lines=tuple(
            replace(line, length_km=0.475 * 0.3048) if line.mrid == "L80-81" else line
            for line in feeder.lines
        ),
    )
    errors = errors_pu(EARTHED_123, _solved_pu(longer))
    assert max(map(abs, errors.values())) < 5.2e-4
    assert np.mean(np.abs(list(errors.values()))) < 1.7e-4


def test_behind_the_unloaded_delta_the_published_voltages_are_between_lines() -> None:
    """610 hangs on a delta winding without earth: what it has to earth is nobody's, and the
    document prints what is in front of the transformer."""
    engine = Engine(load_feeder("ieee123"))
    ours = dict(zip(engine.node_phases, engine.solve().voltages_pu, strict=True))
    size, angle = IEEE123["610"], ANGLES_123["610"]
    theirs = [m * np.exp(1j * np.radians(a)) for m, a in zip(size, angle, strict=True) if m and a]
    for k, (one, other) in enumerate((("A", "B"), ("B", "C"), ("C", "A"))):
        seen = abs(ours[f"610.{one}"] - ours[f"610.{other}"])
        assert seen == pytest.approx(abs(theirs[k] - theirs[(k + 1) % 3]), abs=5e-4)


def _solved_pu(feeder: Feeder) -> dict[str, float]:
    engine = Engine(feeder)
    return dict(
        zip(engine.node_phases, map(float, np.abs(engine.solve().voltages_pu)), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "published", "limit_deg"),
    [("ieee13", ANGLES_13, 0.02), ("ieee123", EARTHED_ANGLES_123, 0.11)],
)
def test_published_angles_at_the_published_taps(
    name: str, published: Profile, limit_deg: float
) -> None:
    engine = Engine(load_feeder(name))
    angles = np.degrees(np.angle(engine.solve().voltages_pu))
    errors = errors_pu(published, dict(zip(engine.node_phases, angles, strict=True)))
    assert max(map(abs, errors.values())) < limit_deg, errors


def test_ieee34_totals() -> None:
    """Published: 1769 kW, 1044 kvar of load; 2042.872 kW, 290.258 kvar and 273.0 kW of losses."""
    feeder = load_feeder("ieee34")
    assert sum(sum(c.kw) for c in feeder.consumers) == pytest.approx(1769.0)
    assert sum(sum(c.kvar) for c in feeder.consumers) == pytest.approx(1044.0)
    solved = Engine(feeder).solve()
    assert solved.head_kw == pytest.approx(2042.872, abs=0.5)
    assert solved.head_kvar == pytest.approx(290.258, abs=0.5)
    assert solved.losses_kw == pytest.approx(273.0, abs=0.5)
