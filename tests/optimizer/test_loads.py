"""Load models 1 to 8 over the whole range of voltage, against OpenDSS, and their slopes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.network import (
    Connection,
    ConnectivityNode,
    Feeder,
    LoadModel,
    Source,
    VoltageResponse,
)
from optimizer.network import ControlColumn, NetworkModel
from sim.engine import Engine
from tests.optimizer.feeders import line, load

SUPPLIES_PU = (0.25, 0.45, 0.6, 0.69, 0.705, 0.8, 0.93, 0.97, 1.0, 1.04, 1.08, 1.2)
NARROW = VoltageResponse(
    v_min_pu=0.95, v_max_pu=1.05, exponents=(0.8, 3.0), zip_shares=(0.3, 0.2, 0.5, 0.6, 0.3, 0.1)
)
WIDE = VoltageResponse(
    v_min_pu=0.9,
    v_max_pu=1.1,
    v_low_pu=0.4,
    exponents=(1.0, 2.0),
    zip_shares=(0.2, 0.3, 0.5, 0.1, 0.4, 0.5),
    dropout_pu=0.7,
)


def fed_at(
    pu: float, model: LoadModel, connection: Connection, response: VoltageResponse
) -> Feeder:
    return Feeder(
        mrid="one",
        name="one load",
        version=1,
        frequency_hz=60.0,
        source=Source(
            node="src",
            nominal_kv=12.47,
            voltage_pu=pu,
            r1_ohm=0.05,
            x1_ohm=0.4,
            r0_ohm=0.1,
            x0_ohm=0.9,
        ),
        nodes=tuple(ConnectivityNode(mrid=n, nominal_kv=12.47, phases="ABC") for n in ("src", "n")),
        lines=(line("L", "src", "n"),),
        switches=(),
        transformers=(),
        regulators=(),
        capacitors=(),
        consumers=(
            replace(
                load("n", 12.47, connection, model, kw=(300.0, 200.0, 400.0)), response=response
            ),
        ),
    )


@pytest.mark.parametrize("model", list(LoadModel))
@pytest.mark.parametrize("connection", list(Connection))
@pytest.mark.parametrize("response", [NARROW, WIDE])
def test_every_model_is_opendss_at_every_voltage(
    model: LoadModel, connection: Connection, response: VoltageResponse
) -> None:
    for pu in SUPPLIES_PU:
        feeder = fed_at(pu, model, connection, response)
        network = NetworkModel(feeder)
        flow = network.solve(load_scale=np.ones(1))
        assert flow.converged
        engine = Engine(feeder)
        theirs = engine.solve()
        ours = {
            f"{node}.{phase}": flow.v_complex[i, 0] / (network.base_kv[i] * 1e3)
            for i, (node, phase) in enumerate(network.node_phases)
        }
        for name, volt in zip(engine.node_phases, theirs.voltages_pu, strict=True):
            assert abs(ours[name] - volt) < 1e-8, (pu, name)
        assert flow.head_kw[0] == pytest.approx(theirs.head_kw, abs=1e-3)


@pytest.mark.parametrize("model", list(LoadModel))
@pytest.mark.parametrize("pu", [0.45, 0.6, 0.93, 1.0, 1.2])
def test_slopes_hold_inside_and_outside_the_band(model: LoadModel, pu: float) -> None:
    network = NetworkModel(fed_at(pu, model, Connection.WYE, WIDE))
    row = network.index("n", "B")
    flow = network.solve(load_scale=np.ones(1))
    found = network.sensitivity(flow, 0, [ControlColumn(shares=((row, 1.0, 0.0),))])
    ends = []
    for kw in (1.0, -1.0):
        injected = np.zeros((len(network.node_phases), 1))
        injected[row] = kw
        ends.append(network.solve(load_scale=np.ones(1), injection_kw=injected).v_pu[:, 0])
    np.testing.assert_allclose(found.dv_pu_per_kw[:, 0], (ends[0] - ends[1]) / 2.0, atol=3e-9)


def test_a_load_scale_does_not_reach_fixed_kvar() -> None:
    response = replace(WIDE, dropout_pu=0.0)
    drawn = {}
    for model in (LoadModel.FIXED_Q, LoadModel.CONSTANT_POWER):
        network = NetworkModel(fed_at(1.0, model, Connection.WYE, response))
        flow = network.solve(load_scale=np.array([1.0, 0.5]))
        drawn[model] = flow.head_kvar
    ratio = drawn[LoadModel.FIXED_Q][1] / drawn[LoadModel.FIXED_Q][0]
    assert ratio > 0.9
    assert drawn[LoadModel.CONSTANT_POWER][1] / drawn[LoadModel.CONSTANT_POWER][0] < 0.6


def test_a_zip_load_needs_its_shares() -> None:
    with pytest.raises(ValueError, match="a ZIP load without its shares"):
        NetworkModel(fed_at(1.0, LoadModel.ZIP, Connection.WYE, replace(WIDE, zip_shares=None)))
