"""Measured voltages move the plan's: by hand on two nodes, and on the pilot with the mirror's."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.network import Switch
from gridctl.model.planning import FindingKind, PlanningResult, PlanningTask, SolveStatus
from gridctl.model.policy import Existing, VoltageCorrection
from optimizer.measured import correction_of
from optimizer.plan import network_of, plan_task
from tests.optimizer.pilot import pilot_task
from tests.optimizer.rules import broken
from tests.optimizer.small import BATTERY, at_rest, group, hourly_task, two_nodes

WISH = VoltageCorrection(offset_max_pu=0.03, half_life_h=6.0)


def measured(
    task: PlanningTask,
    wish: VoltageCorrection | None = WISH,
    *,
    ages_s: dict[str, float] | None = None,
    **volts: float,
) -> PlanningTask:
    """The task with voltages ("load_A" for load.A) and the wish."""
    places = {place.replace("_", "."): value for place, value in volts.items()}
    return replace(
        task,
        network=replace(task.network, voltages_pu=places, voltage_ages_s=ages_s or {}),
        policy=replace(task.policy, voltage_correction=wish),
    )


def planned(task: PlanningTask) -> PlanningResult:
    result = plan_task(task, monotonic_s=time.monotonic)
    assert broken(task, result) == []
    return result


def told(result: PlanningResult) -> str:
    (finding,) = [f for f in result.findings if f.kind is FindingKind.FIELD]
    return finding.text


def offsets(task: PlanningTask) -> dict[str, np.ndarray]:
    network = network_of(task)
    found = correction_of(task, network).offset_pu
    assert found is not None
    return {".".join(place): found[i] for i, place in enumerate(network.node_phases)}


FLAT = hourly_task([900, 900, 900], group("G"))


def test_each_phase_takes_its_own_error_and_what_is_not_measured_its_nearest() -> None:
    found = offsets(measured(FLAT, load_A=0.99, load_B=1.005))
    assert found["load.A"][0] == pytest.approx(-0.01, abs=1e-4)
    assert found["load.B"][0] == pytest.approx(0.005, abs=1e-4)
    assert found["head.A"] == pytest.approx(found["load.A"])
    assert np.all(found["load.C"] == 0.0), "nobody of its phase is measured"


def test_a_correction_fades_by_half_in_its_half_life() -> None:
    found = offsets(
        measured(FLAT, VoltageCorrection(offset_max_pu=0.03, half_life_h=1.0), load_A=0.98)
    )
    assert found["load.A"][1:] / found["load.A"][:-1] == pytest.approx([0.5, 0.5])


def test_an_old_reading_counts_for_less() -> None:
    """Six hours old with a half-life of six hours: half of it, now."""
    task = measured(FLAT, load_A=0.99, load_B=0.99, ages_s={"load.A": 6 * 3600.0})
    found = offsets(task)
    assert found["load.A"][0] / found["load.B"][0] == pytest.approx(0.5, rel=1e-3)


def test_behind_an_open_switch_nothing_is_corrected() -> None:
    line = two_nodes()
    beyond = replace(
        line,
        switches=(
            Switch(
                mrid="sw", from_node="head", to_node="load", phases="ABC", is_open=True,
            ),
        ),
    )  # fmt: skip
    task = hourly_task([900, 900], group("G"), feeder=replace(beyond, lines=line.lines))
    task = replace(task, network=replace(task.network, open_switches=("sw",)))
    found = offsets(measured(task, load_A=0.99))
    assert found["head.A"][0] == pytest.approx(found["load.A"][0]), "the line joins them"


def test_a_reading_far_from_the_model_is_not_believed_but_said() -> None:
    task = measured(FLAT, load_A=0.99, load_B=0.90)
    found = offsets(task)
    assert np.all(found["load.B"] == 0.0)
    text = told(planned(task))
    assert "1 measured voltage corrects" in text
    assert "-0.0100 pu (load.A)" in text or "-0.0099 pu (load.A)" in text
    assert "Not believed" in text
    assert "load.B -0.100" in text


def test_what_devices_do_now_is_not_taken_for_an_error_of_the_model() -> None:
    """A battery that gives 60 kW now lifts the voltage; the model knows it."""
    feeder = two_nodes(r_ohm=4.0, x_ohm=4.0)
    giving = at_rest(BATTERY, power_kw=60.0, setpoint_kw=60.0)
    task = hourly_task([900, 900], BATTERY, states=[giving], feeder=feeder)
    task = replace(task, network=replace(task.network, head_kw=840.0))
    network = network_of(task)
    rows = [network.index("load", p) for p in "ABC"]
    kw = np.zeros((len(network.node_phases), 1))
    kw[rows] = 20.0
    truth = network.solve(
        load_scale=np.array([0.7]), injection_kw=kw, head_kw=np.array([840.0]),
        hold=network.start[:, None],
    )  # fmt: skip
    volts = {p: float(truth.v_pu[r, 0]) for p, r in zip("ABC", rows, strict=True)}
    found = offsets(measured(task, load_A=volts["A"], load_B=volts["B"]))
    assert abs(found["load.A"][0]) < 1e-6


def test_a_plan_mends_a_voltage_that_only_the_field_sees() -> None:
    """The model says 0.963 pu, the field 0.946: without the measurement nothing is planned."""
    feeder = two_nodes(r_ohm=4.0, x_ohm=4.0)
    strong = replace(BATTERY, rating_kw=300.0, energy_kwh=3000.0)
    task = hourly_task([1000, 1000, 1000], strong, feeder=feeder, limit_kw=2000.0)
    network = network_of(task)
    base = network.solve(load_scale=np.array([0.8]), head_kw=np.array([1000.0]),
                         hold=network.start[:, None])  # fmt: skip
    model_pu = float(base.v_pu[network.index("load", "A"), 0])
    assert 0.95 < model_pu < 0.98
    bare = measured(task, None, load_A=0.946, load_B=0.946, load_C=0.946)
    assert planned(bare).status is SolveStatus.NOT_NEEDED
    hard = measured(task, load_A=0.946, load_B=0.946, load_C=0.946)
    hard = replace(hard, policy=replace(hard.policy, existing_voltage=Existing.HARD))
    result = planned(hard)
    check = result.verification
    assert check is not None
    assert check.ok, check.reasons
    assert check.before.worst_voltage_pu == pytest.approx(0.946, abs=1e-4)
    assert check.after.worst_voltage_pu >= 0.95 - 5e-4
    assert "3 measured voltages correct" in told(result)


def test_without_a_good_reading_the_plan_says_so_and_is_the_models() -> None:
    task = hourly_task([900, 1150, 900], group("G"), group("H"))
    bare, asked = planned(task), planned(measured(task))
    assert asked.setpoints == bare.setpoints
    assert "No measured voltage is good" in told(asked)


def test_on_the_pilot_the_mirrors_voltages_are_near_the_models() -> None:
    task = pilot_task(count=12)
    task = replace(task, policy=replace(task.policy, voltage_correction=WISH))
    result = planned(task)
    assert result.verification is not None
    assert result.verification.ok
    (finding,) = [f for f in result.findings if f.kind is FindingKind.FIELD]
    assert finding.amount is not None
    assert 0.0 < finding.amount < 0.012
    assert "Not believed" not in finding.text


def test_a_wish_that_is_none_is_refused() -> None:
    bad = measured(FLAT, VoltageCorrection(offset_max_pu=0.0, half_life_h=6.0), load_A=0.99)
    result = plan_task(bad, monotonic_s=time.monotonic)
    assert result.status is SolveStatus.FAILED
    assert "voltage_correction" in result.reason
