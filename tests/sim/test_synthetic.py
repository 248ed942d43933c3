"""Synthetic feeders: exact size, repeatable, plausible, and the same in both power flows."""

from __future__ import annotations

import pytest

from gridctl.feeder_check import check_feeder
from gridctl.model.network import Connection
from sim.monitored import by_distance
from sim.synthetic import generate
from sim.synthetic_styles import Style


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("nodes", [50, 301])
def test_both_power_flows_agree_and_the_voltage_holds(style: Style, nodes: int) -> None:
    feeder = generate(nodes=nodes, style=style, seed=5)
    assert len(feeder.nodes) == nodes
    assert set(by_distance(feeder)) == {n.mrid for n in feeder.nodes}
    found = check_feeder(feeder)
    assert found.agrees, found
    assert 0.94 < found.lowest_pu < found.highest_pu < 1.05
    assert 0.0 < found.losses_kw < 0.08 * found.head_kw


@pytest.mark.soak
@pytest.mark.parametrize("style", list(Style))
def test_ten_thousand_nodes(style: Style) -> None:
    feeder = generate(nodes=10_000, style=style, seed=2)
    found = check_feeder(feeder)
    assert found.agrees, found
    assert found.lowest_pu > 0.94


def test_a_seed_is_a_feeder() -> None:
    def digest(seed: int) -> str:
        return generate(nodes=300, style=Style.URBAN, seed=seed).digest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_american_streets_have_two_legs_and_unbalance() -> None:
    feeder = generate(nodes=600, style=Style.RURAL, seed=3)
    assert len(feeder.regulators) == 3
    assert {b.connection for b in feeder.capacitors} == {Connection.WYE}
    kw = dict.fromkeys("ABC?", 0.0)
    phase = {e.terminals[1][0]: e.terminals[0][1] for e in feeder.equivalents}
    for consumer in feeder.consumers:
        kw[phase.get(consumer.node.split("_")[0], "?")] += sum(consumer.kw)
    low, high = min(kw[p] for p in "ABC"), max(kw[p] for p in "ABC")
    assert 1.005 < high / low < 1.6


def test_european_streets_have_four_hundred_volts() -> None:
    feeder = generate(nodes=300, style=Style.EUROPEAN_LV, seed=3)
    assert feeder.frequency_hz == 50.0
    assert {n.nominal_kv for n in feeder.nodes} == {20.0, 0.4}
    service = next(line for line in feeder.lines if line.mrid.startswith("lh"))
    assert service.r_ohm_per_km[0][0] / service.x_ohm_per_km[0][0] > 5.0


@pytest.mark.parametrize("nodes", [49, 20_001])
def test_other_sizes_are_refused(nodes: int) -> None:
    with pytest.raises(ValueError, match="can be made"):
        generate(nodes=nodes, style=Style.URBAN, seed=1)
