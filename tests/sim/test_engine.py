"""The OpenDSS front: quiet, well behaved, and right about what it was told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import InvariantViolation, UnavailableError
from gridctl.model.network import Feeder
from sim.engine import Engine
from sim.feeder import load_feeder


@pytest.fixture(scope="module")
def feeder() -> Feeder:
    return load_feeder("ieee123")


def test_published_import_at_published_taps(feeder: Feeder) -> None:
    solution = Engine(feeder).solve()
    # IEEE's solution: 3620.5 kW and 1324 kvar into the feeder, 95.8 kW of losses.
    assert solution.head_kw == pytest.approx(3620.5, abs=1.0)
    assert solution.head_kvar == pytest.approx(1324.0, abs=2.0)
    assert solution.losses_kw == pytest.approx(95.8, abs=1.0)


def test_says_nothing_and_stays_where_it_was(
    feeder: Feeder, capfd: pytest.CaptureFixture[str]
) -> None:
    here = Path.cwd()
    Engine(feeder).solve()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert Path.cwd() == here


def test_setters_move_the_solution_and_back(feeder: Feeder) -> None:
    engine = Engine(feeder, [("83", "A")])
    before = engine.solve()
    engine.set_injection("83", "A", kw=50.0, kvar=0.0)
    injected = engine.solve()
    assert 50.0 < before.head_kw - injected.head_kw < 58.0
    engine.set_injection("83", "A", kw=0.0, kvar=0.0)
    engine.set_load("S1", "A", kw=0.0, kvar=0.0)
    assert 40.0 < before.head_kw - engine.solve().head_kw < 46.0
    engine.set_load("S1", "A", kw=40.0, kvar=20.0)
    engine.set_capacitor("C83", closed=False)
    assert engine.solve().head_kvar - before.head_kvar > 550.0
    engine.set_capacitor("C83", closed=True)
    engine.set_tap("REG1", "A", 8)
    place = engine.node_phases.index("150r.A")
    assert abs(engine.solve().voltages_pu[place]) == pytest.approx(1.05, abs=5e-5)
    engine.set_tap("REG1", "A", 7)
    assert engine.solve().head_kw == pytest.approx(before.head_kw, abs=1e-5)


def test_currents_match_the_head(feeder: Feeder) -> None:
    engine = Engine(feeder)
    solution = engine.solve()
    currents = engine.branch_currents()
    through = [abs(engine.regulator_current("REG1", p)) for p in "ABC"]
    # An ideal regulator at 1.04375 lowers the current by its ratio.
    for head_a, after_a, seen in zip(solution.head_a, currents["SW1"], through, strict=True):
        assert seen == pytest.approx(head_a, rel=1e-4)
        assert after_a == pytest.approx(head_a / 1.04375, rel=1e-4)
    assert "SW7" not in currents


def test_unknown_names_are_key_errors(feeder: Feeder) -> None:
    engine = Engine(feeder)
    with pytest.raises(KeyError):
        engine.set_load("S1", "B", kw=1.0, kvar=0.0)
    with pytest.raises(KeyError):
        engine.set_injection("83", "A", kw=1.0, kvar=0.0)
    with pytest.raises(KeyError):
        engine.set_tap("REG9", "A", 1)


def test_an_older_engine_refuses(feeder: Feeder) -> None:
    older = Engine(feeder)
    Engine(feeder)
    with pytest.raises(InvariantViolation, match="newer Engine"):
        older.solve()


def test_collapse_is_told(feeder: Feeder) -> None:
    engine = Engine(feeder, [("114", "A")])
    engine.set_injection("114", "A", kw=-50_000.0, kvar=-50_000.0)
    with pytest.raises(UnavailableError, match="converge"):
        engine.solve()


_IEEE13 = {
    "RG60": (1.0625, 1.0500, 1.0687),
    "632": (1.0210, 1.0420, 1.0174),
    "633": (1.0180, 1.0401, 1.0148),
    "634": (0.9940, 1.0218, 0.9960),
    "645": (None, 1.0329, 1.0155),
    "646": (None, 1.0311, 1.0134),
    "671": (0.9900, 1.0529, 0.9778),
    "680": (0.9900, 1.0529, 0.9777),
    "684": (0.9881, None, 0.9758),
    "611": (None, None, 0.9738),
    "652": (0.9825, None, None),
    "675": (0.9835, 1.0553, 0.9758),
}
"""Voltages of the IEEE 13 node solution document, pu on 4.16 kV and 480 V, phases A, B, C."""


def test_published_voltages_of_the_13_node_feeder() -> None:
    engine = Engine(load_feeder("ieee13"))
    solution = engine.solve()
    seen = dict(zip(engine.node_phases, abs(solution.voltages_pu), strict=True))
    worst = max(
        abs(seen[f"{node}.{phase}"] - volts)
        for node, published in _IEEE13.items()
        for phase, volts in zip("ABC", published, strict=True)
        if volts is not None
    )
    assert worst < 0.0015
    assert solution.head_kw == pytest.approx(3577.2, rel=0.003)
