"""The wishes of `[policy]`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gridctl.config_policy import PolicyTable
from gridctl.model.policy import NO_WISHES, Existing, VoltageCorrection


def test_a_policy_is_read_and_a_wrong_wish_is_named() -> None:
    table = PolicyTable.model_validate({"existing_voltage": "hard", "reserve_kw": 50})
    policy = table.policy()
    assert (policy.existing_voltage, policy.reserve_kw) == (Existing.HARD, 50.0)
    plain = PolicyTable.model_validate({"measured_voltages": False})
    assert plain.policy() == NO_WISHES
    correction = PolicyTable().policy().voltage_correction
    assert correction == VoltageCorrection(offset_max_pu=0.03, half_life_h=6.0)
    with pytest.raises(ValidationError, match="23 prices"):
        PolicyTable.model_validate({"price_by_hour": [0.1] * 23})
    with pytest.raises(ValidationError, match="the lower end comes first"):
        PolicyTable.model_validate({"voltage_band_pu": [1.05, 0.95]})
    with pytest.raises(ValidationError, match="finite number"):
        PolicyTable.model_validate({"reserve_kw": float("inf")})
    with pytest.raises(ValidationError, match="fairnes"):
        PolicyTable.model_validate({"fairnes": 1})


@pytest.mark.parametrize(
    ("given", "two_persons"),
    [
        ({}, False),
        ({"existing_voltage": "hard"}, False),
        ({"existing_loading": "may_worsen"}, True),
        ({"existing_worse_pu": 0.007}, True),
        ({"existing_worse_pct": 1.5}, True),
    ],
)
def test_sg16_leave_to_worsen_asks_for_two_persons(
    given: dict[str, object], two_persons: bool
) -> None:
    assert PolicyTable.model_validate(given).may_worsen is two_persons
    for key, value in (("existing_worse_pu", 0.011), ("existing_worse_pct", 5.1)):
        with pytest.raises(ValidationError, match=key):
            PolicyTable.model_validate({key: value})
