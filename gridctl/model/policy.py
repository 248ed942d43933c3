"""What an operator asks of a plan beyond its limits: objectives, reserve, fairness, uncertainty.

Every field stands for one wish, and its default asks for nothing: a plan then keeps its limits and
events at least cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import isfinite


class Existing(StrEnum):
    """What a plan does about a limit that is broken now, without it."""

    HARD = "hard"
    NOT_WORSE = "not_worse"
    MAY_WORSEN = "may_worsen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One course that the import without control may take: `head_kw` of each interval of the
    horizon. The probabilities of a plan's scenarios sum to 1."""

    probability: float
    head_kw: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicRating:
    """How much a branch carries by air temperature: `at_reference_pct` of its limit at
    `reference_c`, `above_pct_per_k` less for each kelvin above it, `below_pct_per_k` more for each
    below (its maker's or a loading guide's figures)."""

    branch: str
    reference_c: float
    above_pct_per_k: float
    below_pct_per_k: float
    at_reference_pct: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HotSpot:
    """A transformer whose temperatures a plan keeps, so that a short overload is possible (IEC
    60076-7; with k11 = k21 = k22 = 1 IEEE C57.91 clause 7, whose n and 2m are the exponents).

    Rises in K at rated load, time constants in minutes. `oil_rise_now_k` over the air,
    `winding_now_k` and `counter_now_k` (both winding terms): what its load has brought it to.
    Limits in °C, and of the load as a share of the rating.
    """

    branch: str
    top_oil_rise_k: float
    hot_spot_rise_k: float
    tau_oil_min: float
    tau_winding_min: float
    loss_ratio: float
    oil_exponent: float
    winding_exponent: float
    oil_rise_now_k: float
    winding_now_k: float
    hot_spot_max_c: float
    top_oil_max_c: float
    load_max: float
    counter_now_k: float = 0.0
    k11: float = 1.0
    k21: float = 1.0
    k22: float = 1.0

    def mistakes(self) -> list[str]:
        """Figures that cannot be."""
        positive = {
            name: getattr(self, name)
            for name in (
                "top_oil_rise_k", "hot_spot_rise_k", "tau_oil_min", "tau_winding_min", "loss_ratio",
                "k11", "k22", "load_max",
            )
        }  # fmt: skip
        found = [
            f"policy.hot_spots: {name} of {self.branch} is {value}"
            for name, value in positive.items()
            if not (isfinite(value) and value > 0.0)
        ]
        if not (0.5 <= self.oil_exponent <= 2.0 and 1.0 <= self.winding_exponent <= 4.0):  # noqa: PLR2004
            found.append(f"policy.hot_spots: exponents of {self.branch} out of 0.5-2 and 1-4")
        rest = (self.oil_rise_now_k, self.winding_now_k, self.counter_now_k)
        if not all(isfinite(v) for v in (*rest, self.hot_spot_max_c, self.top_oil_max_c)):
            found.append(f"policy.hot_spots: a temperature of {self.branch} is not known")
        if not self.k21 >= 1.0:
            found.append(f"policy.hot_spots: k21 of {self.branch} is {self.k21}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPrice:
    """What import costs by its level (the ageing of a transformer, say): in each interval a kWh
    above `above_kw` costs `per_kwh`. Both (levels, T), ascending by level."""

    what: str
    above_kw: tuple[tuple[float, ...], ...]
    per_kwh: tuple[tuple[float, ...], ...]

    def mistakes(self, count: int) -> list[str]:
        """What does not fit a horizon of `count` intervals."""
        sizes = {len(row) for row in (*self.above_kw, *self.per_kwh)}
        if sizes != {count} or len(self.above_kw) != len(self.per_kwh):
            return [f"policy.import_prices: {self.what} does not have {count} intervals a level"]
        ascends = all(
            low <= high
            for table in (self.above_kw, self.per_kwh)
            for below, above in pairwise(table)
            for low, high in zip(below, above, strict=True)
        )
        if not ascends or min(self.per_kwh[0]) < 0.0:
            return [f"policy.import_prices: {self.what} does not ascend from level to level"]
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageCorrection:
    """How measured voltages correct the model's: a reading more than `offset_max_pu` from the model
    is not believed, and a correction is half as large `half_life_h` after it was measured."""

    offset_max_pu: float
    half_life_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Movable:
    """A regulator or a switched capacitor that the plan moves, not its relay: at most
    `moves_per_day_max` steps a day, each at `cost_per_move`."""

    equipment: str
    moves_per_day_max: int
    cost_per_move: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Wishes of the operator.

    - `existing_voltage`, `existing_loading`: limits that are broken already; `existing_worse_pu`,
      `existing_worse_pct` (points of the rating): by how much a plan may take a place further
      that is beyond its limit in some interval without it. Load that a plan takes off lifts the
      voltage, regulators step down behind it, and every place behind them that nothing is taken
      off has a step less: no plan for such a feeder is without that.
    - `price_per_kwh` of import in each interval (economic dispatch; empty: none);
      `demand_charge_per_kw` for the highest import, which is `peak_so_far_kw` already;
      `loss_price_per_kwh`: what a kWh of losses in the feeder costs.
    - `voltage_band_pu`: a band inside the limits that is kept as if it were the limit.
    - `ratings` with `temperature_c` of each interval: branches whose rating follows the weather;
      `import_prices` by level: what import costs a transformer in life; `hot_spots`: transformers
      whose temperatures are kept, in the weather of `temperature_c`.
    - `reserve_kw`: what must still be startable in every interval; `ramp_kw_per_h`: how fast the
      import may change; `return_kw_max`: kW of load groups whose shed may end in one interval.
    - `fairness`: what an hour's difference in use costs (of the group that is used most, as a share
      of its season's hours); `strict_priority`: a load group of a higher `priority` is called only
      when those of lower ones cannot keep the limits.
    - `scenarios`, in which the import limit is kept on average, with `cvar_weight` (0 … 1) for the
      worst `1 - cvar_level` of them; `voltage_margin_sigma` with `load_sigma`: voltage rows shrink
      by so many deviations when all load moves by this share.
    - `voltage_correction`: measured voltages correct the model's; `unbalance_max_pct`: negative
      over positive sequence of the voltage at three-phase nodes; `movable`: what moves by plan.
    """

    existing_voltage: Existing = Existing.NOT_WORSE
    existing_loading: Existing = Existing.HARD
    existing_worse_pu: float = 0.0
    existing_worse_pct: float = 0.0
    price_per_kwh: tuple[float, ...] = ()
    demand_charge_per_kw: float = 0.0
    peak_so_far_kw: float = 0.0
    loss_price_per_kwh: float = 0.0
    voltage_band_pu: tuple[float, float] | None = None
    ratings: tuple[DynamicRating, ...] = ()
    temperature_c: tuple[float, ...] = ()
    import_prices: tuple[ImportPrice, ...] = ()
    hot_spots: tuple[HotSpot, ...] = ()
    reserve_kw: float = 0.0
    ramp_kw_per_h: float | None = None
    return_kw_max: float | None = None
    fairness: float = 0.0
    strict_priority: bool = False
    scenarios: tuple[Scenario, ...] = ()
    cvar_level: float = 0.9
    cvar_weight: float = 0.0
    voltage_margin_sigma: float = 0.0
    load_sigma: float = 0.0
    precise: bool = False
    voltage_correction: VoltageCorrection | None = None
    unbalance_max_pct: float | None = None
    movable: tuple[Movable, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether a plan is wanted even where no limit asks for one."""
        return bool(
            self.price_per_kwh
            or self.import_prices
            or self.demand_charge_per_kw > 0.0
            or self.loss_price_per_kwh > 0.0
            or self.reserve_kw > 0.0
            or self.ramp_kw_per_h is not None
            or self.scenarios
        )

    def told(self) -> list[str]:
        """What is wished, in words; empty for the default."""
        found = [
            words
            for words, is_asked in (
                ("least cost at import prices", bool(self.price_per_kwh)),
                (
                    (
                        f"least peak at {self.demand_charge_per_kw:g} per kW above"
                        f" {self.peak_so_far_kw:g} kW"
                    ),
                    self.demand_charge_per_kw > 0.0,
                ),
                (
                    f"least losses at {self.loss_price_per_kwh:g} per kWh",
                    self.loss_price_per_kwh > 0.0,
                ),
                (f"{len(self.ratings)} ratings by temperature", bool(self.ratings)),
                (
                    f"priced: {', '.join(one.what for one in self.import_prices)}",
                    bool(self.import_prices),
                ),
                (
                    f"temperatures of {', '.join(one.branch for one in self.hot_spots)}",
                    bool(self.hot_spots),
                ),
                (f"a reserve of {self.reserve_kw:g} kW", self.reserve_kw > 0.0),
                ("fair use", self.fairness > 0.0),
                ("strict order by priority", self.strict_priority),
                (
                    f"{len(self.scenarios)} scenarios, CVaR weight {self.cvar_weight:g}",
                    bool(self.scenarios),
                ),
                ("the precise mode", self.precise),
                (
                    (
                        f"voltage rows shrunk by {self.voltage_margin_sigma:g} x"
                        f" {100 * self.load_sigma:g} % of load"
                    ),
                    self.voltage_margin_sigma > 0.0,
                ),
                (
                    f"voltages broken now: {self.existing_voltage.value.replace('_', ' ')}",
                    self.existing_voltage is not Existing.NOT_WORSE,
                ),
                (
                    f"loadings broken now: {self.existing_loading.value.replace('_', ' ')}",
                    self.existing_loading is not Existing.HARD,
                ),
                (
                    (
                        f"places beyond a limit go up to {self.existing_worse_pu:g} pu and"
                        f" {self.existing_worse_pct:g} % further, as taps answer"
                    ),
                    self.existing_worse_pu > 0.0 or self.existing_worse_pct > 0.0,
                ),
            )
            if is_asked
        ]
        if self.voltage_band_pu is not None:
            low, high = self.voltage_band_pu
            found.append(f"voltages within {low:g} to {high:g} pu")
        if self.ramp_kw_per_h is not None:
            found.append(f"an import that changes by {self.ramp_kw_per_h:g} kW an hour at most")
        if self.unbalance_max_pct is not None:
            found.append(f"a voltage unbalance of {self.unbalance_max_pct:g} % at most")
        if self.movable:
            found.append(f"{len(self.movable)} regulators and capacitors moved by plan")
        if self.return_kw_max is not None:
            found.append(f"at most {self.return_kw_max:g} kW that come back at once")
        return found

    def _mistakes_of_heat(self, branches: tuple[str, ...]) -> list[str]:
        found = [
            f"policy.{name} need policy.temperature_c"
            for name, asked in (("ratings", self.ratings), ("hot_spots", self.hot_spots))
            if asked and not self.temperature_c
        ]
        for own in self.hot_spots:
            found += own.mistakes()
        return found + [
            f"policy.{name}: there is no branch {own.branch}"
            for name, listed in (("ratings", self.ratings), ("hot_spots", self.hot_spots))
            for own in listed
            if own.branch not in branches
        ]

    def mistakes(self, count: int, branches: tuple[str, ...]) -> list[str]:
        """What does not fit a horizon of `count` intervals or a feeder with `branches`."""
        found = [
            f"policy.{name} has {len(values)} values, the horizon {count} intervals"
            for name, values in (
                ("price_per_kwh", self.price_per_kwh),
                ("temperature_c", self.temperature_c),
                *((f"scenarios[{k}].head_kw", s.head_kw) for k, s in enumerate(self.scenarios)),
            )
            if values and len(values) != count
        ]
        for one in self.import_prices:
            found += one.mistakes(count)
        if self.scenarios and abs(sum(s.probability for s in self.scenarios) - 1.0) > 1e-6:  # noqa: PLR2004
            found.append("policy.scenarios: the probabilities do not sum to 1")
        if any(s.probability < 0.0 or not s.head_kw for s in self.scenarios):
            found.append("policy.scenarios: each needs a probability and head_kw")
        found += self._mistakes_of_heat(branches)
        if not 0.0 <= self.cvar_level < 1.0 or not 0.0 <= self.cvar_weight <= 1.0:
            found.append("policy.cvar_level and policy.cvar_weight lie between 0 and 1")
        band = self.voltage_band_pu
        if band is not None and not band[0] < band[1]:
            found.append("policy.voltage_band_pu: the lower end comes first")
        wish = self.voltage_correction
        if wish is not None and not (0.0 < wish.offset_max_pu < 1.0 and wish.half_life_h > 0.0):
            found.append("policy.voltage_correction: both figures are above 0")
        if any(m.moves_per_day_max < 0 or not m.cost_per_move >= 0.0 for m in self.movable):
            found.append("policy.movable: neither moves nor costs are below 0")
        if not (self.existing_worse_pu >= 0.0 and self.existing_worse_pct >= 0.0):
            found.append("policy.existing_worse_pu and policy.existing_worse_pct are not below 0")
        if self.unbalance_max_pct is not None and not self.unbalance_max_pct > 0.0:
            found.append(f"policy.unbalance_max_pct is {self.unbalance_max_pct}")
        return found


NO_WISHES = Policy()
