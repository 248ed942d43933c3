"""Values held against what they must agree with, interval by interval as they come in.

Rule 10: the head against its forecast of the hour before. 14: a day's energy against its register.
15: a head against the sum of its parts. 16: kW against kvar, volt and ampere. 17: all of them
against the network (`gridctl.control.statecheck`). Each looks at the last day's quarters of an
hour; which points belong together is configuration (`[validation]`). The rules are those of
`optimizer.validation.rules`; what they mark is shown and alarmed beside the others'.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gridctl.control.forecastbook import ForecastBook, said_at
from gridctl.control.ports import Store
from gridctl.model.validation import BalanceRule, CrossRules, PowersRule, RegisterRule
from optimizer.arrays import BoolArray, FloatArray
from optimizer.validation import rules
from optimizer.validation.marks import Mark

HOUR_S, DAY_S, STEP_S = 3_600.0, 86_400.0, 900.0
EDGE_S, EDGE_STEP_S = 600.0, 60.0
WIDTH_OF_BAND = 1.53
"""Of the middle 95 % of a normal, in units of its middle 80 %, which is what forecasts keep."""

Found = dict[str, dict[Mark, int]]
"""Marked intervals of the last day, by point and rule."""


class CrossChecks:
    """`look` at the end of an interval."""

    def __init__(
        self,
        own: CrossRules,
        *,
        store: Store,
        forecasts: ForecastBook,
        head_point: str,
        utc_offset_s: float,
    ) -> None:
        self._own = own
        self._store = store
        self._forecasts = forecasts
        self._head = head_point
        self._utc_offset_s = utc_offset_s

    async def look(self, now_s: float) -> Found:
        """At the day before the last whole quarter. Raises UnavailableError."""
        end_s = now_s // STEP_S * STEP_S
        found: Found = {}
        _note(found, [self._head], Mark.FORECAST, await self._against_forecast(end_s))
        for register in self._own.registers:
            _note(found, [register.kw], Mark.SUM, await self._against_register(register, end_s))
        for balance in self._own.balances:
            points = [balance.head, *balance.parts]
            _note(found, points, Mark.BALANCE, await self._against_parts(balance, end_s))
        for powers in self._own.powers:
            wrong = await self._against_powers(powers, end_s)
            points = [powers.kw, powers.kvar, powers.volt_pu, powers.ampere]
            _note(found, points, Mark.CONSISTENCY, wrong)
        return found

    async def _day(self, point: str, end_s: float) -> FloatArray:
        series = await self._store.series(point, start_s=end_s - DAY_S, end_s=end_s, step_s=STEP_S)
        return np.array([np.nan if v is None else v for v in series.values], dtype=np.float64)

    async def _against_forecast(self, end_s: float) -> BoolArray:
        """Each hour's forecast says the quarters of that hour."""
        start_s = end_s - DAY_S
        made = await self._store.forecasts.made(start_s=start_s - HOUR_S, end_s=end_s)
        if not made:
            return np.zeros(0, dtype=bool)
        step_s = made[-1].horizon.step_s
        first_s = start_s // step_s * step_s
        came = await self._forecasts.measured(start_s=first_s, end_s=end_s, step_s=step_s)
        values = np.array([np.nan if v is None else v for v in came.values], dtype=np.float64)
        low, middle, high = np.full((3, len(values)), np.nan)
        for one in made:
            for lead in range(1, round(HOUR_S / step_s) + 1):
                said = said_at(one, lead * step_s)
                k = -1 if said is None else round((said[0] - first_s) / step_s)
                if said is not None and 0 <= k < len(values):
                    low[k], middle[k], high[k] = said[1:]
        widths = self._own.forecast_widths * WIDTH_OF_BAND
        return rules.forecast_residual(values, low, middle, high, widths=widths)

    async def _against_register(self, own: RegisterRule, end_s: float) -> BoolArray:
        """The last whole local day, when both its ends and all of its quarters were read."""
        local_s = (end_s + self._utc_offset_s) // DAY_S * DAY_S - self._utc_offset_s
        kw = await self._day(own.kw, local_s)
        ends = [await self._state_at(own.kwh, at) for at in (local_s - DAY_S, local_s)]
        wrong = rules.sum_check(
            np.array([[kw.sum() * STEP_S / HOUR_S]]),
            np.array([[ends[1] - ends[0]]]),
            multiplier=np.array([own.multiplier_kwh]),
            share=self._own.sum_share,
        )
        return np.repeat(wrong[0], len(kw))

    async def _state_at(self, register: str, at_s: float) -> float:
        """kWh at a moment, on the line between the readings before and after it."""
        series = await self._store.series(
            register, start_s=at_s - EDGE_S, end_s=at_s + EDGE_S, step_s=EDGE_STEP_S
        )
        middle = at_s - EDGE_S + (np.arange(len(series.values)) + 0.5) * EDGE_STEP_S
        state = np.array([np.nan if v is None else v for v in series.values], dtype=np.float64)
        known = np.isfinite(state)
        if not (known & (middle < at_s)).any() or not (known & (middle > at_s)).any():
            return float("nan")
        return float(np.interp(at_s, middle[known], state[known]))

    async def _against_parts(self, own: BalanceRule, end_s: float) -> BoolArray:
        head = await self._day(own.head, end_s)
        parts = np.array([await self._day(part, end_s) for part in own.parts])
        return rules.power_balance(
            head,
            parts,
            own.loss_share * head,
            sigma_kw=own.sigma_kw,
            rating_kw=own.rating_kw,
            sigmas=self._own.balance_sigmas,
            share=self._own.balance_share,
        )

    async def _against_powers(self, own: PowersRule, end_s: float) -> BoolArray:
        points = (own.kw, own.kvar, own.volt_pu, own.ampere)
        kw, kvar, volt_pu, ampere = [await self._day(point, end_s) for point in points]
        return rules.consistency(
            kw,
            kvar,
            volt_pu * own.nominal_kv * 1e3,
            ampere,
            rating_kva=own.rating_kva,
            share=self._own.consistency_share,
        )


def _note(found: Found, points: Sequence[str], mark: Mark, wrong: BoolArray) -> None:
    count = int(wrong.sum())
    for point in points if count else ():
        found.setdefault(point, {})[mark] = count
