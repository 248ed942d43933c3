"""`[policy]` of gridctl.toml: what a plan is asked for beyond its limits and events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gridctl.model.policy import Existing, Policy

NotNegative = Annotated[float, Field(ge=0)]
ExistingWord = Literal["hard", "not_worse", "may_worsen"]


class PolicyTable(BaseModel):
    """Each key is one wish; left out, nothing is asked for. None of these moves power by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    existing_voltage: ExistingWord = "not_worse"
    existing_loading: ExistingWord = "hard"
    demand_charge_per_kw: NotNegative = 0.0
    peak_so_far_kw: NotNegative = 0.0
    loss_price_per_kwh: NotNegative = 0.0
    reserve_kw: NotNegative = 0.0
    ramp_kw_per_h: Annotated[float, Field(gt=0)] | None = None
    return_kw_max: Annotated[float, Field(gt=0)] | None = None
    fairness: NotNegative = 0.0
    strict_priority: bool = False
    voltage_margin_sigma: Annotated[float, Field(ge=0, le=5)] = 0.0
    load_sigma: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    precise: bool = False

    def policy(self) -> Policy:
        """As the model's word."""
        fields = self.model_dump()
        for key in ("existing_voltage", "existing_loading"):
            fields[key] = Existing(fields[key])
        return Policy(**fields)
