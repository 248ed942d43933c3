"""Our power flow against the simulator's OpenDSS engine, which shares no code with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.network import Connection, Feeder, LoadModel
from optimizer.network import FlowResult, NetworkModel
from sim.engine import Engine, Solution
from sim.feeder import consumer_branches, load_feeder
from tests.optimizer.feeders import one_of_everything
from tests.sim.published import IEEE13, IEEE123, Profile, errors_pu

WANTED_PU = 1e-5
"""What issue 2 asks for."""
CLOSE_PU = 1e-6
"""IEEE 123 at pinned taps; what is left is that the mirror's regulators are not quite ideal."""
Injections = Mapping[tuple[str, str], tuple[float, float]]
NOTHING: Injections = {}
SOME: Injections = {("76", "A"): (150.0, -40.0), ("66", "C"): (-60.0, 0.0), ("83", "B"): (90.0, 20)}


def by_opendss(feeder: Feeder, scale: float, injections: Injections) -> tuple[Engine, Solution]:
    engine = Engine(feeder, injections)
    for consumer in feeder.consumers:
        for branch, kw, kvar in zip(
            consumer_branches(consumer), consumer.kw, consumer.kvar, strict=True
        ):
            engine.set_load(consumer.mrid, branch, kw=kw * scale, kvar=kvar * scale)
    for (node, phase), (kw, kvar) in injections.items():
        engine.set_injection(node, phase, kw=kw, kvar=kvar)
    return engine, engine.solve()


def by_ours(network: NetworkModel, scale: float, injections: Injections) -> FlowResult:
    kw = np.zeros((len(network.node_phases), 1))
    kvar = np.zeros_like(kw)
    for (node, phase), (p, q) in injections.items():
        kw[network.index(node, phase)], kvar[network.index(node, phase)] = p, q
    return network.solve(load_scale=np.array([scale]), injection_kw=kw, injection_kvar=kvar)


def difference_pu(
    network: NetworkModel, flow: FlowResult, engine: Engine, other: Solution
) -> float:
    """Greatest difference of any node-phase's voltage phasor."""
    rows = [network.index(*name.rsplit(".", 1)) for name in engine.node_phases]
    assert len(set(rows)) == int(network.energised.sum())
    ours = flow.v_complex[rows, 0] / (network.base_kv[rows] * 1e3)
    return float(np.abs(ours - other.voltages_pu).max())


@pytest.mark.parametrize(
    ("scale", "injections"),
    [(0.3, NOTHING), (1.0, NOTHING), (0.5, SOME), (1.0, SOME), (1.15, SOME)],
)
def test_ieee123_agrees_with_opendss(scale: float, injections: Injections) -> None:
    feeder = load_feeder("ieee123")
    network = NetworkModel(feeder)
    flow = by_ours(network, scale, injections)
    engine, other = by_opendss(feeder, scale, injections)
    assert flow.converged
    assert difference_pu(network, flow, engine, other) < CLOSE_PU
    assert flow.head_kw[0] == pytest.approx(other.head_kw, abs=0.01)
    assert flow.head_kvar[0] == pytest.approx(other.head_kvar, abs=0.05)
    assert flow.losses_kw[0] == pytest.approx(other.losses_kw, abs=0.05)


EARTHED_123: Profile = {node: row for node, row in IEEE123.items() if node != "610"}
"""Behind the delta transformer the document's voltages are to another earth than a model's."""


@pytest.mark.parametrize(
    ("name", "published", "most_pu"), [("ieee13", IEEE13, 2e-4), ("ieee123", EARTHED_123, 1.5e-3)]
)
def test_published_voltages(name: str, published: Profile, most_pu: float) -> None:
    """Our power flow against the documents at the published taps (wanted: 0.0015 and 0.003 pu)."""
    network = NetworkModel(load_feeder(name))
    flow = by_ours(network, 1.0, NOTHING)
    places = [f"{node}.{phase}" for node, phase in network.node_phases]
    errors = errors_pu(published, dict(zip(places, map(float, flow.v_pu[:, 0]), strict=True)))
    assert max(map(abs, errors.values())) < most_pu, errors


def test_ieee123_follows_taps_capacitors_and_switches() -> None:
    feeder = load_feeder("ieee123")
    taps = {r.mrid: tuple(t - 2 for t in r.taps) for r in feeder.regulators[:2]}
    closed = [c.mrid for c in feeder.capacitors[1:]]
    opened = [s.mrid for s in feeder.switches if s.is_open] + ["SW6"]
    network = NetworkModel(feeder, taps=taps, closed_capacitors=closed, open_switches=opened)
    state = replace(
        feeder,
        regulators=tuple(replace(r, taps=taps.get(r.mrid, r.taps)) for r in feeder.regulators),
        capacitors=tuple(replace(c, is_closed=c.mrid in closed) for c in feeder.capacitors),
        switches=tuple(replace(s, is_open=s.mrid in opened) for s in feeder.switches),
    )
    flow = by_ours(network, 0.9, SOME)
    same = by_ours(NetworkModel(state), 0.9, SOME)
    np.testing.assert_allclose(flow.v_complex, same.v_complex)
    dead = [network.index(n, p) for n in ("61s", "610") for p in "ABC"]
    assert not network.energised[dead].any()
    assert (flow.v_pu[dead] == 0.0).all()
    engine, other = by_opendss(state, 0.9, SOME)
    names = {name: i for i, name in enumerate(engine.node_phases)}
    for i, (node, phase) in enumerate(network.node_phases):
        if network.energised[i]:
            theirs = abs(other.voltages_pu[names[f"{node}.{phase}"]])
            assert flow.v_pu[i, 0] == pytest.approx(theirs, abs=WANTED_PU / 2)


@pytest.mark.parametrize("model", list(LoadModel))
@pytest.mark.parametrize(
    ("high", "low", "loads"),
    [
        (Connection.WYE, Connection.WYE, Connection.WYE),
        (Connection.WYE, Connection.WYE, Connection.DELTA),
        (Connection.DELTA, Connection.WYE, Connection.WYE),
        (Connection.DELTA, Connection.DELTA, Connection.DELTA),
        (Connection.WYE, Connection.DELTA, Connection.DELTA),
    ],
)
def test_every_connection_agrees_with_opendss(
    high: Connection, low: Connection, loads: Connection, model: LoadModel
) -> None:
    feeder = one_of_everything(high=high, low=low, loads=loads, model=model)
    network = NetworkModel(feeder)
    flow = by_ours(network, 1.0, {("n2", "B"): (120.0, 10.0)})
    engine, other = by_opendss(feeder, 1.0, {("n2", "B"): (120.0, 10.0)})
    assert flow.converged
    assert difference_pu(network, flow, engine, other) < WANTED_PU
    assert flow.losses_kw[0] == pytest.approx(other.losses_kw, abs=0.01)


@pytest.mark.parametrize("high", list(Connection))
def test_a_step_up_bank_turns_the_other_way(high: Connection) -> None:
    """The low side lags, whichever side the bank is fed from."""
    low = Connection.DELTA if high is Connection.WYE else Connection.WYE
    loads = Connection.DELTA if low is Connection.DELTA else Connection.WYE
    feeder = one_of_everything(high=high, low=low, loads=loads, step_up=True)
    network = NetworkModel(feeder)
    flow = by_ours(network, 1.0, NOTHING)
    engine, other = by_opendss(feeder, 1.0, NOTHING)
    assert difference_pu(network, flow, engine, other) < WANTED_PU


def test_a_delta_capacitor_draws_what_the_same_wye_bank_draws_when_balanced() -> None:
    wye = by_ours(NetworkModel(one_of_everything(bank=Connection.WYE)), 0.0, NOTHING)
    delta = by_ours(NetworkModel(one_of_everything(bank=Connection.DELTA)), 0.0, NOTHING)
    assert delta.head_kvar[0] == pytest.approx(wye.head_kvar[0], rel=0.02)
    assert wye.head_kvar[0] < -250.0


def test_all_intervals_at_once_are_each_interval_alone() -> None:
    network = NetworkModel(load_feeder("ieee123"))
    scale = np.linspace(0.3, 1.1, 7)
    together = network.solve(load_scale=scale)
    for t, one in enumerate(scale):
        alone = network.solve(load_scale=np.array([one]))
        np.testing.assert_allclose(together.v_complex[:, t], alone.v_complex[:, 0], atol=1e-5)
        assert together.head_kw[t] == pytest.approx(alone.head_kw[0], abs=1e-4)


def test_power_balances() -> None:
    network = NetworkModel(load_feeder("ieee123"))
    flow = by_ours(network, 1.0, SOME)
    given = sum(kw for kw, _ in SOME.values())
    assert flow.head_kw[0] + given == pytest.approx(flow.load_kw[0] + flow.losses_kw[0])
    assert flow.losses_kw[0] > 0.0


def test_each_consumer_has_its_own_factor() -> None:
    feeder = load_feeder("ieee123")
    network = NetworkModel(feeder)
    scale = np.ones((len(network.consumers), 2))
    scale[network.consumers.index("S76"), 1] = 0.0
    flow = network.solve(load_scale=scale)
    gone = sum(next(c for c in feeder.consumers if c.mrid == "S76").kw)
    assert flow.load_kw[0] - flow.load_kw[1] == pytest.approx(gone, rel=0.02)
    np.testing.assert_allclose(
        flow.v_pu[:, 0], network.solve(load_scale=np.ones(1)).v_pu[:, 0], atol=1e-9
    )


def test_loading_is_current_over_rating() -> None:
    feeder = one_of_everything(high=Connection.WYE)
    network = NetworkModel(feeder)
    flow = by_ours(network, 1.0, NOTHING)
    loading = dict(zip(flow.branch_names, flow.branch_loading_pct[:, 0], strict=True))
    row = [network.index("src", p) for p in "ABC"]
    volt = flow.v_complex[row, 0]
    far = flow.v_complex[[network.index("n1", p) for p in "ABC"], 0]
    line = feeder.lines[0]
    z = (np.array(line.r_ohm_per_km) + 1j * np.array(line.x_ohm_per_km)) * line.length_km
    y = 0.5j * np.array(line.b_us_per_km) * 1e-6 * line.length_km
    amps = np.linalg.solve(z, volt - far)
    at_ends = np.abs([amps + y @ volt, amps - y @ far])
    assert loading["L1"] == pytest.approx(at_ends.max() / 300.0 * 100.0)
    head_kva = abs(np.sum(volt * np.conj(amps + y @ volt))) / 1e3
    assert head_kva == pytest.approx(abs(complex(flow.head_kw[0], flow.head_kvar[0])))
    # The switch carries what the transformer draws: 1000 kVA is 46.3 A at 12.47 kV.
    assert loading["SW"] * 200.0 == pytest.approx(loading["T1"] * 1000 / (np.sqrt(3) * 12.47))
    # The regulator feeds line L2, whose near end carries the regulator's far-side current.
    assert set(loading) == {"L1", "L2", "L3", "T1", "SW", "REG"}
    assert loading["REG"] > 0.0


def test_a_hopeless_case_diverges_as_a_value() -> None:
    flow = NetworkModel(load_feeder("ieee123")).solve(load_scale=np.array([1.0, 40.0]))
    assert not flow.converged


def test_a_warm_start_changes_nothing_but_the_count() -> None:
    network = NetworkModel(load_feeder("ieee123"))
    cold = network.solve(load_scale=np.array([1.0]))
    warm = network.solve(load_scale=np.array([1.0]), start=cold)
    assert warm.iterations < cold.iterations
    np.testing.assert_allclose(warm.v_complex, cold.v_complex, atol=1e-5)
