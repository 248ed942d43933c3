"""The wishes of `[policy]`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gridctl.config_policy import PolicyTable
from gridctl.model.policy import NO_WISHES, Existing


def test_a_policy_is_read_and_a_wrong_wish_is_named() -> None:
    table = PolicyTable.model_validate({"existing_voltage": "hard", "reserve_kw": 50})
    policy = table.policy()
    assert (policy.existing_voltage, policy.reserve_kw) == (Existing.HARD, 50.0)
    assert PolicyTable().policy() == NO_WISHES
    with pytest.raises(ValidationError, match="fairnes"):
        PolicyTable.model_validate({"fairnes": 1})
