"""Forecasts that were made, and what the weather service said, by when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.canonical import canonical_json
from gridctl.model.forecasting import WeatherSaid
from gridctl.model.planning import Forecast
from gridctl.store import schema
from gridctl.store.restore import restored
from gridctl.store.transaction import SqlTransaction

FORECASTS_MAX = 2_000
VINTAGES_MAX = 4_000


class Forecasts:
    """`store.forecasts`. What is older than the caller's bound goes with each write."""

    def __init__(
        self,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[SqlTransaction]],
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
    ) -> None:
        self._transaction = transaction
        self._reading = reading

    async def keep(self, forecast: Forecast, *, drop_before_s: float) -> None:
        """Insert or replace by the start of the horizon."""
        table, start_s = schema.forecast_made, forecast.horizon.start_s
        async with self._transaction() as unit:
            await unit.connection.execute(
                delete(table).where(
                    (table.c.start_s == start_s) | (table.c.start_s < drop_before_s)
                )
            )
            body = canonical_json(forecast).decode()
            await unit.connection.execute(insert(table).values(start_s=start_s, body=body))

    async def made(self, *, start_s: float, end_s: float) -> Sequence[Forecast]:
        """Those whose horizon starts in [start_s, end_s), oldest first; the newest of many."""
        table = schema.forecast_made
        query = (
            select(table.c.body)
            .where(table.c.start_s >= start_s, table.c.start_s < end_s)
            .order_by(table.c.start_s.desc())
            .limit(FORECASTS_MAX)
        )
        async with self._reading("forecasts") as connection:
            bodies = (await connection.execute(query)).scalars().all()[::-1]
        return [restored(Forecast, body) for body in bodies]

    async def keep_weather(self, said: Sequence[WeatherSaid], *, drop_before_s: float) -> None:
        """A vintage that is there already is not changed: what was said was said."""
        table = schema.weather_forecast
        async with self._transaction() as unit:
            await unit.connection.execute(delete(table).where(table.c.issued_s < drop_before_s))
            for one in said:
                key = (table.c.quantity == one.quantity) & (table.c.issued_s == one.issued_s)
                found = await unit.connection.execute(select(table.c.issued_s).where(key))
                if found.first() is None:
                    body = canonical_json(one).decode()
                    await unit.connection.execute(
                        insert(table).values(
                            quantity=one.quantity, issued_s=one.issued_s, body=body
                        )
                    )

    async def weather(self, *, start_s: float, end_s: float) -> Sequence[WeatherSaid]:
        """What was issued in [start_s, end_s), oldest first; the newest of many."""
        table = schema.weather_forecast
        query = (
            select(table.c.body)
            .where(table.c.issued_s >= start_s, table.c.issued_s < end_s)
            .order_by(table.c.issued_s.desc(), table.c.quantity)
            .limit(VINTAGES_MAX)
        )
        async with self._reading("weather forecasts") as connection:
            bodies = (await connection.execute(query)).scalars().all()[::-1]
        return [restored(WeatherSaid, body) for body in bodies]
