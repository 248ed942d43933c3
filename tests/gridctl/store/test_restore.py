"""Canonical JSON comes back as what it was, or not at all."""

from __future__ import annotations

import json

import pytest

from gridctl.model.canonical import canonical_json, digest
from gridctl.model.command import Command
from gridctl.model.plan import Plan
from gridctl.model.planning import NetworkState, SolveStatus
from gridctl.store.restore import restored
from tests.gridctl.store.examples import command, plan


def test_a_whole_plan() -> None:
    back = restored(Plan, canonical_json(plan()).decode())
    assert back == plan()
    assert digest(back) == digest(plan())
    assert back.result.status is SolveStatus.OPTIMAL


def test_maps_and_tuples() -> None:
    state = NetworkState(
        head_kw=1.0,
        head_kvar=2.0,
        taps={"reg1": (3, -4)},
        closed_capacitors=("C83",),
        open_switches=(),
        voltages_pu={"150.A": 1.02},
    )
    assert restored(NetworkState, canonical_json(state).decode()) == state


@pytest.mark.parametrize(
    "change",
    [
        {"value": "40"},
        {"value": True},
        {"value": None},
        {"batch": "0"},
        {"mrid": 3},
        {"unknown": 1},
    ],
)
def test_another_shape_is_refused(change: dict[str, object]) -> None:
    raw = json.loads(canonical_json(command())) | change
    with pytest.raises(ValueError, match=r"expected|unknown"):
        restored(Command, json.dumps(raw))


def test_a_missing_field_is_refused() -> None:
    raw = json.loads(canonical_json(command()))
    del raw["tolerance"]
    with pytest.raises(ValueError, match="tolerance"):
        restored(Command, json.dumps(raw))
