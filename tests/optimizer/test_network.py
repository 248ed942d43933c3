"""What the network model refuses, and its derivatives against finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.network import Connection, LoadModel
from optimizer.network import ControlColumn, NetworkModel
from sim.feeder import load_feeder
from tests.optimizer.feeders import line, one_of_everything, regulator, switch

STEP_KW = 2.0


def controls(network: NetworkModel) -> list[ControlColumn]:
    at = network.index
    return [
        ControlColumn(shares=((at("76", "A"), 1.0, 0.0),)),
        ControlColumn(shares=((at("66", "C"), 1.0, 0.484),)),
        ControlColumn(shares=tuple((at("300", p), 1.0 / 3.0, 0.0) for p in "ABC")),
        ControlColumn(shares=((at("114", "A"), 0.5, 0.0), (at("59", "B"), 0.5, 0.2))),
    ]


def test_sensitivities_are_the_slopes_of_the_flow() -> None:
    network = NetworkModel(load_feeder("ieee123"))
    shape = (len(network.node_phases), 2)
    kw, kvar = np.zeros(shape), np.zeros(shape)
    kw[network.index("83", "B")] = 120.0
    kvar[network.index("83", "B")] = -30.0
    flow = network.solve(load_scale=np.array([0.5, 1.0]), injection_kw=kw, injection_kvar=kvar)
    columns = controls(network)
    found = network.sensitivity(flow, 1, columns)
    for c, column in enumerate(columns):
        ends = []
        for sign in (1.0, -1.0):
            moved_kw, moved_kvar = kw[:, 1:].copy(), kvar[:, 1:].copy()
            for row, p, q in column.shares:
                moved_kw[row] += sign * STEP_KW * p
                moved_kvar[row] += sign * STEP_KW * q
            ends.append(
                network.solve(
                    load_scale=np.ones(1), injection_kw=moved_kw, injection_kvar=moved_kvar
                )
            )
        up, down = ends
        slope = (up.v_pu - down.v_pu)[:, 0] / (2 * STEP_KW)
        np.testing.assert_allclose(found.dv_pu_per_kw[:, c], slope, atol=2e-9)
        assert np.abs(slope).max() > 1e-5
        head = (up.head_kw - down.head_kw)[0] / (2 * STEP_KW)
        assert found.dhead_kw_per_kw[c] == pytest.approx(head, abs=2e-6)
        assert head < -0.9
        busy = flow.branch_loading_pct[:, 1] > 5.0
        loading = (up.branch_loading_pct - down.branch_loading_pct)[:, 0] / (2 * STEP_KW)
        np.testing.assert_allclose(found.dloading_pct_per_kw[busy, c], loading[busy], atol=2e-4)


def test_sensitivities_of_all_load_models_and_ties() -> None:
    network = NetworkModel(one_of_everything())
    flow = network.solve(load_scale=np.ones(1))
    row = network.index("m2", "B")
    found = network.sensitivity(flow, 0, [ControlColumn(shares=((row, 1.0, 0.0),))])
    kw = np.zeros((len(network.node_phases), 1))
    kw[row] = 1.0
    up = network.solve(load_scale=np.ones(1), injection_kw=kw)
    down = network.solve(load_scale=np.ones(1), injection_kw=-kw)
    np.testing.assert_allclose(
        found.dv_pu_per_kw[:, 0], (up.v_pu - down.v_pu)[:, 0] / 2.0, atol=1e-9
    )
    np.testing.assert_allclose(
        found.dloading_pct_per_kw[:, 0],
        (up.branch_loading_pct - down.branch_loading_pct)[:, 0] / 2.0,
        atol=1e-5,
    )


def test_a_diverged_flow_has_no_sensitivities() -> None:
    network = NetworkModel(load_feeder("ieee123"))
    flow = network.solve(load_scale=np.array([40.0]))
    with pytest.raises(ValueError, match="did not converge"):
        network.sensitivity(flow, 0, controls(network))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"taps": {"REG9": (0, 0, 0)}}, "no regulator REG9"),
        ({"taps": {"REG": (0, 0)}}, "2 taps for phases ABC"),
        ({"taps": {"REG": (0, 17, 0)}}, "tap 17 outside"),
        ({"closed_capacitors": ["C9"]}, "no capacitor C9"),
        ({"open_switches": ["SW9"]}, "no switch SW9"),
    ],
)
def test_an_unknown_state_is_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NetworkModel(one_of_everything(), **arguments)  # type: ignore[arg-type]


def test_equipment_on_a_missing_phase_is_refused() -> None:
    feeder = one_of_everything()
    nodes = tuple(replace(n, phases="AB") if n.mrid == "n1" else n for n in feeder.nodes)
    with pytest.raises(ValueError, match="L1: the feeder has no node-phase"):
        NetworkModel(replace(feeder, nodes=nodes))


def test_two_regulators_in_parallel_on_different_taps_are_refused() -> None:
    feeder = one_of_everything()
    second = regulator("REGB", "n1", "n1r", (5, -3, 3))
    with pytest.raises(ValueError, match="loop without impedance"):
        NetworkModel(replace(feeder, regulators=(*feeder.regulators, second)))


def test_parallel_switches_are_one() -> None:
    feeder = one_of_everything()
    twice = replace(feeder, switches=(*feeder.switches, switch("SWB", "n2", "n3")))
    alone = NetworkModel(feeder).solve(load_scale=np.ones(1))
    both = NetworkModel(twice).solve(load_scale=np.ones(1))
    np.testing.assert_allclose(both.v_complex, alone.v_complex)


def test_a_meshed_feeder_is_solved() -> None:
    feeder = one_of_everything()
    ring = replace(feeder, lines=(*feeder.lines, line("L4", "src", "n2", km=4.0)))
    radial = NetworkModel(feeder).solve(load_scale=np.ones(1))
    meshed = NetworkModel(ring).solve(load_scale=np.ones(1))
    assert meshed.converged
    assert not np.allclose(meshed.v_pu, radial.v_pu, atol=1e-3)


def test_what_is_cut_off_draws_nothing_and_takes_no_injection() -> None:
    feeder = one_of_everything()
    network = NetworkModel(feeder, open_switches=["SW"])
    flow = network.solve(load_scale=np.ones(1))
    assert flow.load_kw[0] == pytest.approx(sum(feeder.consumers[0].kw))
    kw = np.zeros((len(network.node_phases), 1))
    kw[network.index("m2", "A")] = 5.0
    with pytest.raises(ValueError, match=r"m2\.A, which is not energised"):
        network.solve(load_scale=np.ones(1), injection_kw=kw)
    column = ControlColumn(shares=((network.index("m2", "A"), 1.0, 0.0),))
    assert not network.sensitivity(flow, 0, [column]).dv_pu_per_kw.any()


def test_no_load_is_connected_to_earth_behind_an_ungrounded_delta() -> None:
    low = one_of_everything(high=Connection.DELTA, low=Connection.DELTA, loads=Connection.WYE)
    with pytest.raises(ValueError, match="LDm2ABC: a load to earth at m2"):
        NetworkModel(low)


@pytest.mark.parametrize("phases", ["ABC", "CA"])
def test_behind_an_ungrounded_delta_a_device_is_a_star_of_its_own(phases: str) -> None:
    """Balanced or between two phases, it is what a negative load in delta is; slopes too."""
    feeder = load_feeder("ieee123")
    kw = {"ABC": (-20.0, -20.0, -20.0), "CA": (-60.0,)}[phases]
    load = replace(
        feeder.consumers[0], mrid="d", node="610", phases=phases, connection=Connection.DELTA,
        model=LoadModel.CONSTANT_POWER, kw=kw, kvar=(0.0,) * len(kw), nominal_kv=0.48,
        response=None,
    )  # fmt: skip
    with_load = NetworkModel(replace(feeder, consumers=(*feeder.consumers, load)))
    wanted = with_load.solve(load_scale=np.ones(1))
    network = NetworkModel(feeder)
    given = np.zeros((len(network.node_phases), 1))
    for phase in phases:
        given[network.index("610", phase)] = 60.0 / len(phases)
    # Between two of three phases the third takes part: only the sum is the same then.
    near = 1e-6 if phases == "ABC" else 2e-2
    found = network.solve(load_scale=np.ones(1), injection_kw=given)
    assert found.converged
    assert np.abs(found.v_complex - wanted.v_complex).max() / 277.0 < near * 10
    assert found.head_kw[0] == pytest.approx(wanted.head_kw[0], abs=0.5)
    share = tuple((network.index("610", p), 1.0 / len(phases), 0.0) for p in phases)
    column = ControlColumn(shares=share)
    slope = network.sensitivity(found, 0, [column])
    more = network.solve(load_scale=np.ones(1), injection_kw=given * 61.0 / 60.0)
    assert slope.dhead_kw_per_kw[0] == pytest.approx(more.head_kw[0] - found.head_kw[0], rel=1e-3)
    moved = (more.v_pu - found.v_pu)[:, 0]
    np.testing.assert_allclose(slope.dv_pu_per_kw[:, 0], moved, atol=2e-6)


def test_shapes_are_checked() -> None:
    network = NetworkModel(one_of_everything())
    with pytest.raises(ValueError, match="injection_kw has shape"):
        network.solve(load_scale=np.ones(2), injection_kw=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="load_scale has 2 rows"):
        network.solve(load_scale=np.ones((2, 4)))
    with pytest.raises(KeyError):
        network.index("nowhere", "A")
