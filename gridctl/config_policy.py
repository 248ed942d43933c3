"""`[policy]` of gridctl.toml: what a plan is asked for beyond its limits and events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gridctl.model.policy import Existing, Policy, VoltageCorrection

NotNegative = Annotated[float, Field(ge=0)]
HOURS = 24
ExistingWord = Literal["hard", "not_worse", "may_worsen"]


class PolicyTable(BaseModel):
    """Each key is one wish; left out, nothing is asked for but that voltages measured in the field
    correct the model's. None of these moves power by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    existing_voltage: ExistingWord = "not_worse"
    existing_loading: ExistingWord = "hard"
    existing_worse_pu: Annotated[float, Field(ge=0, le=0.01)] = 0.0
    existing_worse_pct: Annotated[float, Field(ge=0, le=5)] = 0.0
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
    price_by_hour: tuple[NotNegative, ...] = ()
    voltage_band_pu: tuple[float, float] | None = None
    unbalance_max_pct: Annotated[float, Field(gt=0, le=100)] | None = None
    measured_voltages: bool = True
    voltage_offset_max_pu: Annotated[float, Field(gt=0, le=0.1)] = 0.03
    voltage_half_life_h: Annotated[float, Field(gt=0, le=168)] = 6.0

    @field_validator("price_by_hour")
    @classmethod
    def _a_day(cls, prices: tuple[float, ...]) -> tuple[float, ...]:
        if len(prices) not in (0, HOURS):
            raise ValueError(f"{len(prices)} prices: one of each of the {HOURS} hours of a day")
        return prices

    @field_validator("voltage_band_pu")
    @classmethod
    def _a_band(cls, band: tuple[float, float] | None) -> tuple[float, float] | None:
        if band is not None and not 0.0 < band[0] < band[1]:
            raise ValueError(f"from {band[0]:g} to {band[1]:g} pu: the lower end comes first")
        return band

    @property
    def may_worsen(self) -> bool:
        """Whether a plan may take a limit that is broken without it further: two persons, then."""
        words = (self.existing_voltage, self.existing_loading)
        return "may_worsen" in words or self.existing_worse_pu > 0 or self.existing_worse_pct > 0

    def policy(self) -> Policy:
        """As the model's word."""
        fields = self.model_dump()
        fields.pop("price_by_hour")
        most, half = fields.pop("voltage_offset_max_pu"), fields.pop("voltage_half_life_h")
        if fields.pop("measured_voltages"):
            fields["voltage_correction"] = VoltageCorrection(offset_max_pu=most, half_life_h=half)
        for key in ("existing_voltage", "existing_loading"):
            fields[key] = Existing(fields[key])
        return Policy(**fields)
