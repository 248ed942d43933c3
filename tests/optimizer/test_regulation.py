"""Regulators and switched capacitors over the hours: the law, and two oracles in OpenDSS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from gridctl.model.clock import ManualClock
from gridctl.model.network import Feeder, ReverseControl
from optimizer.network import NetworkModel
from optimizer.problem import build_problem, control_column
from optimizer.regulated import RegulatedNetwork
from optimizer.regulation import Bank, Relay, positions_of, relays_of, upstream_of
from optimizer.ties import PhaseIndex
from sim.engine import Engine, opendss_engine
from sim.feeder import load_feeder, regulator_element
from sim.fleet import load_fleet
from sim.scenario import load_scenario, scenario_feeder
from sim.world import World
from tests.optimizer.feeders import one_of_everything
from tests.optimizer.pilot import pilot_task

QUARTER_S = 900.0
TICK_S = 75.0
DAY = 96


def relay(**changes: object) -> Relay:
    """Set at 120 V, 2 V band, PT 20, steps of 0.75 V; no compensation."""
    feeder = one_of_everything()
    r = replace(feeder.regulators[0], pt_ratio=60.0, **changes)  # type: ignore[arg-type]
    return Relay(regulator=r, phase=0, phases="A", row=0, at=0)


def turned(**changes: object) -> Relay:
    """As `relay`, fed from behind: it holds 122 V within 1 V on the other side."""
    own = relay(reverse=ReverseControl(vreg_v=122.0, band_v=2.0), **changes)
    return replace(own, turned=True)


def test_a_relay_that_is_content_stays_where_it_is() -> None:
    for volts in (119.1, 120.0, 120.9):
        assert relay().settled_tap(5, solved_tap=5, volts=60 * volts, amps=0j) == 5


def test_it_moves_to_the_first_tap_inside_of_the_band_and_comes_back_another_way() -> None:
    # From 116.0 V a step is 0.703 V (at tap +5: 116 / 1.03125 * 0.00625).
    up = relay().settled_tap(5, solved_tap=5, volts=60 * 116.0 + 0j, amps=0j)
    assert up == 10
    seen = relay().reading_v(up, solved_tap=5, volts=60 * 116.0 + 0j, amps=0j)
    assert 119.0 <= seen < 119.0 + 0.71
    down = relay().settled_tap(12, solved_tap=5, volts=60 * 116.0 + 0j, amps=0j)
    assert down == 12, "content at both ends of its band: that is the hysteresis"
    assert relay().settled_tap(16, solved_tap=5, volts=60 * 116.0 + 0j, amps=0j) == 12


def test_it_ends_at_its_last_tap_and_a_dead_one_stays() -> None:
    assert relay().settled_tap(0, solved_tap=0, volts=60 * 90.0, amps=0j) == 16
    assert relay().settled_tap(0, solved_tap=0, volts=60 * 150.0, amps=0j) == -16
    assert relay().settled_tap(3, solved_tap=3, volts=0j, amps=0j) == 3


def test_a_band_narrower_than_a_step_does_not_hunt() -> None:
    narrow = relay(band_v=0.1)
    assert narrow.settled_tap(0, solved_tap=0, volts=60 * 119.6, amps=0j) == 1
    assert narrow.settled_tap(1, solved_tap=0, volts=60 * 119.6, amps=0j) == 0


def test_compensation_lifts_the_voltage_with_the_load() -> None:
    drop = relay(ldc_r_v=(3.0, 0.0, 0.0), ldc_x_v=(6.0, 0.0, 0.0), ct_primary_a=200.0)
    read = drop.reading_v(0, solved_tap=0, volts=60 * 122.0, amps=100 + 0j)
    assert read == pytest.approx(abs(122.0 - (1.5 + 3.0j)))
    assert drop.settled_tap(0, solved_tap=0, volts=60 * 120.0, amps=200 + 0j) > 0


def test_fed_from_behind_it_lifts_the_other_side_by_stepping_down() -> None:
    own = turned(ldc_r_v=(3.0, 0.0, 0.0))
    low = own.settled_tap(0, solved_tap=0, volts=60 * 117.0 + 0j, amps=200 + 0j)
    assert low == -6, "117 / 0.9625 is the first reading above 121 V; no compensation"
    assert own.reading_v(low, solved_tap=0, volts=60 * 117.0, amps=0j) == pytest.approx(
        121.56, abs=0.01
    )
    assert own.settled_tap(0, solved_tap=0, volts=60 * 128.0 + 0j, amps=0j) == 7
    assert own.settled_tap(0, solved_tap=0, volts=60 * 122.5 + 0j, amps=0j) == 0
    assert own.settled_tap(0, solved_tap=0, volts=60 * 90.0 + 0j, amps=0j) == -16


def test_the_taps_of_contentment_hold_for_one_that_is_fed_from_behind() -> None:
    own, solved = turned(), np.array([0, 0, 0, -3])
    volts = 60 * np.array([117.0, 128.0, 90.0, 122.0]) + 0j
    least, most = own.contented(solved, volts, np.zeros(4, dtype=np.complex128))
    for t in range(4):
        at = int(solved[t])
        for tap in range(int(least[t]), int(most[t]) + 1):
            assert own.settled_tap(tap, solved_tap=at, volts=complex(volts[t]), amps=0j) == tap
        up = own.settled_tap(16, solved_tap=at, volts=complex(volts[t]), amps=0j)
        down = own.settled_tap(-16, solved_tap=at, volts=complex(volts[t]), amps=0j)
        assert (down, up) == (least[t], most[t])


@pytest.mark.parametrize("unset", [{"vreg_v": (0.0,) * 3}, {"band_v": 0.0}, {"pt_ratio": 0.0}])
def test_a_tap_changer_without_settings_stays(unset: dict[str, object]) -> None:
    plain = relay()
    off = replace(plain, regulator=replace(plain.regulator, ct_primary_a=0.0, **unset))  # type: ignore[arg-type]
    assert off.settled_tap(4, solved_tap=4, volts=60 * 90.0, amps=10j) == 4
    feeder = one_of_everything()
    regulators = tuple(
        replace(r, ct_primary_a=0.0, **unset)  # type: ignore[arg-type]
        for r in feeder.regulators
    )
    network = RegulatedNetwork(replace(feeder, regulators=regulators))
    flow = network.solve(load_scale=np.array([0.2, 1.5]))
    assert network.taps(flow, 0) == network.taps(flow, 1) == {"REG": (5, -3, 2)}


def test_a_bank_opens_above_and_closes_below_and_stays_between() -> None:
    bank = Bank(rows=(0,), upstream=((),), open_above_pu=1.04, close_below_pu=0.98, lift_pu=0.02)
    assert bank.settled(1, solved=1, mean_pu=1.05) == 0
    assert bank.settled(1, solved=1, mean_pu=1.03) == 1
    assert bank.settled(0, solved=0, mean_pu=0.97) == 1
    assert bank.settled(0, solved=0, mean_pu=1.03) == 0
    # Solved open at 1.03, it would have been at 1.05 closed: it really has to open.
    assert bank.settled(1, solved=0, mean_pu=1.03) == 0
    assert bank.settled(1, solved=0, mean_pu=1.01) == 1


def test_who_stands_in_front_of_whom() -> None:
    feeder = load_feeder("ieee123")
    index = PhaseIndex(feeder)
    relays = relays_of(feeder, index, None)
    named = [f"{r.regulator.mrid}{r.phases}" for r in relays]
    assert named == ["REG1ABC", "REG2A", "REG3A", "REG3C", "REG4A", "REG4B", "REG4C"]
    assert [r.upstream for r in relays] == [(), (0,), (0,), (0,), (0,), (0,), (0,)]
    behind = upstream_of(feeder, relays, None)
    assert behind["83", "A"] == (0, 4)
    assert behind["83", "B"] == (0, 5)
    assert behind["150", "A"] == ()
    # With the tie from 54 to 94 closed, what lies behind 160 is fed from both sides.
    tied = [
        s.mrid for s in feeder.switches if s.is_open and {s.from_node, s.to_node} != {"54", "94"}
    ]
    assert upstream_of(feeder, relays, tied)["83", "A"] == (0,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Day:
    """A day of the pilot at the end of each quarter hour: what consumers and devices did, and
    where the mirror's controls stood, before (`first`) and then."""

    feeder: Feeder
    first: Mapping[str, tuple[int, ...]]
    scale: np.ndarray
    injections: Mapping[tuple[str, str], np.ndarray]
    taps: tuple[Mapping[str, tuple[int, ...]], ...]
    closed: tuple[bool, ...]
    voltage_max_pu: np.ndarray
    voltage_min_pu: np.ndarray


@cache
def day() -> Day:
    """The scenario's world from its start, with the delays of its relays (some seconds)."""
    scenario = load_scenario("hot-afternoon")
    feeder = scenario_feeder(scenario)
    clock = ManualClock(grid_s=scenario.start_s)
    world = World(feeder=feeder, fleet=load_fleet(feeder), scenario=scenario, clock=clock, links={})
    engine = world.grid.engine
    place = {name: i for i, name in enumerate(engine.elements)}
    nominal = [c.kw[0] for c in feeder.consumers]
    first_branch = [
        next(i for name, i in place.items() if name.startswith(f"{c.mrid.lower()}_"))
        for c in feeder.consumers
    ]
    devices = {
        (name.split("_")[1], name.split("_")[2].upper()): i
        for name, i in place.items()
        if name.startswith("inj_")
    }
    first = dict(world.grid.taps())
    scale, injected, taps, closed, high, low = [], [], [], [], [], []
    for _ in range(DAY):
        for _ in range(int(QUARTER_S / TICK_S)):
            clock.advance(TICK_S)
            world.tick(clock.now_s())
        want = engine._want_kw
        scale.append(want[first_branch] / nominal)
        injected.append(-want[list(devices.values())])
        taps.append(dict(world.grid.taps()))
        closed.append(world.grid.closed("C83"))
        size = np.abs(world.grid.solution.voltages_pu)
        high.append(size.max())
        low.append(size.min())
    return Day(
        feeder=feeder,
        first=first,
        scale=np.array(scale).T,
        injections=dict(zip(devices, np.array(injected).T, strict=True)),
        taps=tuple(taps),
        closed=tuple(closed),
        voltage_max_pu=np.array(high),
        voltage_min_pu=np.array(low),
    )


def injections(network: RegulatedNetwork | NetworkModel, seen: Day) -> np.ndarray:
    kw = np.zeros((len(network.node_phases), DAY))
    for (node, phase), series in seen.injections.items():
        kw[network.index(node, phase)] = series
    return kw


def test_a_day_of_the_pilot_within_a_tap_of_the_mirrors_relays() -> None:
    """The mirror moves tap by tap with delays, on voltages of OpenDSS; we jump from quarter hour to
    quarter hour on voltages of our own. Where they stand must be the same to one step."""
    seen = day()
    network = RegulatedNetwork(seen.feeder, taps=seen.first)
    flow = network.solve(load_scale=seen.scale, injection_kw=injections(network, seen))
    assert flow.converged
    theirs = np.array(
        [positions_of(seen.feeder, taps=t, closed_capacitors=["C83"] if c else [])
         for t, c in zip(seen.taps, seen.closed, strict=True)]
    ).T  # fmt: skip
    apart = np.abs(flow.positions - theirs)
    assert apart[:-1].max() <= 1
    assert (apart == 0).mean() > 0.9
    assert np.array_equal(flow.positions[-1], theirs[-1]), "the capacitor"
    # And they do move: the night is not the afternoon.
    assert np.ptp(theirs[:-1], axis=1).max() >= 4
    live = network.energised
    assert np.abs(flow.v_pu[live].max(axis=0) - seen.voltage_max_pu).max() < 0.0075
    assert np.abs(flow.v_pu[live].min(axis=0) - seen.voltage_min_pu).max() < 0.0075


def test_the_false_over_voltage_of_the_evening_is_gone() -> None:
    """With the taps of the afternoon held, the night looks far beyond 1.05 pu; it never is."""
    seen = day()
    pinned = NetworkModel(seen.feeder, taps=seen.first)
    held = pinned.solve(load_scale=seen.scale, injection_kw=injections(pinned, seen))
    assert held.v_pu[pinned.index("83", "A")].max() > 1.06
    network = RegulatedNetwork(seen.feeder, taps=seen.first)
    free = network.solve(load_scale=seen.scale, injection_kw=injections(network, seen))
    assert seen.voltage_max_pu.max() < 1.05
    assert free.v_pu[network.index("83", "A")].max() < 1.05
    assert free.v_pu.max() < 1.05
    task = pilot_task(count=DAY)
    own = RegulatedNetwork(
        task.feeder, taps=task.network.taps, closed_capacitors=task.network.closed_capacitors
    )
    assert build_problem(task, own).base_flow.v_pu.max() < 1.05


def _controls(feeder: Feeder) -> list[str]:
    """OpenDSS's own RegControl for every phase of every regulator."""
    return [
        f"new regcontrol.{regulator_element(r.mrid, phase)}"
        f" transformer={regulator_element(r.mrid, phase)} winding=2 vreg={r.vreg_v[k]}"
        f" band={r.band_v} ptratio={r.pt_ratio} ctprim={r.ct_primary_a}"
        f" r={r.ldc_r_v[k]} x={r.ldc_x_v[k]} delay={15 if r.mrid == 'REG1' else 45} maxtapchange=1"
        for r in feeder.regulators
        for k, phase in enumerate(r.phases)
    ]


@pytest.mark.parametrize("name", ["ieee123", "ieee13"])
def test_within_a_tap_of_opendss_own_regulator_controls(name: str) -> None:
    """EPRI's RegControl elements on the published settings, each phase for itself."""
    feeder = load_feeder(name)
    feeder = replace(
        feeder, regulators=tuple(replace(r, ganged=False, taps=r.taps) for r in feeder.regulators)
    )
    scale = 0.55 + 0.4 * np.sin(np.linspace(0, 2 * np.pi, 24))
    network = RegulatedNetwork(feeder)
    flow = network.solve(load_scale=scale)
    engine = Engine(feeder)
    dss = opendss_engine()
    for command in (*_controls(feeder), "set controlmode=static", "set maxcontroliter=100"):
        assert dss.text(command) == ""
    nominal_kw = np.array([k for c in feeder.consumers for k in c.kw])
    nominal_kvar = np.array([k for c in feeder.consumers for k in c.kvar])
    apart = []
    for t, factor in enumerate(scale):
        engine.set_demands(nominal_kw * factor, nominal_kvar * factor)
        engine._write_demands()
        dss.text("solve")
        assert dss.solution.converged
        for r in feeder.regulators:
            for phase, ours in zip(r.phases, network.taps(flow, t)[r.mrid], strict=True):
                ratio = float(dss.text(f"? transformer.{regulator_element(r.mrid, phase)}.taps")
                              .strip("[] ").replace(",", " ").split()[1])  # fmt: skip
                apart.append(abs(ours - round((ratio - 1) / r.step_pu)))
    assert max(apart) <= 1
    assert np.mean(np.array(apart) == 0) > 0.8


def test_held_positions_are_the_pinned_model() -> None:
    feeder = load_feeder("ieee123")
    network = RegulatedNetwork(feeder)
    scale = np.array([0.4, 1.0])
    held = network.solve(load_scale=scale, hold=np.tile(network.start[:, None], (1, 2)))
    pinned = NetworkModel(feeder).solve(load_scale=scale)
    np.testing.assert_array_equal(held.v_complex, pinned.v_complex)
    assert network.taps(held, 0) == {r.mrid: r.taps for r in feeder.regulators}


def test_a_flow_of_the_same_case_is_the_same_from_anywhere() -> None:
    network = RegulatedNetwork(load_feeder("ieee123"))
    scale = np.linspace(1.0, 0.2, 12)
    cold = network.solve(load_scale=scale)
    other = network.solve(load_scale=scale[::-1].copy())
    warm = network.solve(load_scale=scale, start=other)
    np.testing.assert_array_equal(cold.positions, warm.positions)
    np.testing.assert_allclose(cold.v_pu, warm.v_pu, atol=1e-6)


def test_sensitivities_are_those_of_the_intervals_taps() -> None:
    feeder = load_feeder("ieee123")
    network = RegulatedNetwork(feeder)
    flow = network.solve(load_scale=np.array([1.0, 0.2]))
    assert not np.array_equal(flow.positions[:, 0], flow.positions[:, 1])
    task = pilot_task()
    columns = [control_column(r, network) for r in task.resources[:5]]
    at = network.sensitivity(flow, 1, columns)
    pinned = NetworkModel(feeder, taps=network.taps(flow, 1))
    alone = pinned.solve(load_scale=np.array([0.2]))
    same = pinned.sensitivity(alone, 0, columns)
    np.testing.assert_allclose(at.dv_pu_per_kw, same.dv_pu_per_kw, rtol=1e-4, atol=1e-9)


def test_a_flow_that_is_known_is_not_solved_again_and_only_that_one() -> None:
    network = RegulatedNetwork(load_feeder("ieee123"))
    scale = np.linspace(1.0, 0.2, 6)
    guess = np.tile(network.start[:, None], (1, 6))
    flow = network.solve(load_scale=scale, guess=guess)
    assert network.solve(load_scale=scale, guess=guess, start=flow) is flow
    other = network.solve(load_scale=1.001 * scale, guess=guess, start=flow)
    assert other is not flow
    assert np.abs(other.head_kw - flow.head_kw).max() > 0.1
    elsewhere = network.solve(load_scale=scale, guess=guess - 1, start=flow)
    assert elsewhere is not flow
    held = network.solve(load_scale=scale, hold=guess, start=flow)
    np.testing.assert_array_equal(held.positions, guess)


def test_the_load_scale_of_a_wanted_import_is_found_with_the_voltages() -> None:
    network = RegulatedNetwork(load_feeder("ieee123"))
    hold = np.tile(network.start[:, None], (1, 3))
    wanted = np.array([800.0, 2400.0, -50.0])
    flow = network.solve(load_scale=np.ones(3), hold=hold, head_kw=wanted)
    assert flow.converged
    np.testing.assert_allclose(flow.head_kw[:2], wanted[:2], atol=2e-3)
    assert flow.load_scale[2] == 0.0, "no load at all still imports more than that"
    again = network.solve(load_scale=flow.load_scale, hold=hold)
    np.testing.assert_allclose(again.head_kw, flow.head_kw, atol=2e-3)
