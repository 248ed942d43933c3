"""The books of forecasts, assets and validation in front of a real store, without an office."""

from __future__ import annotations

from gridctl.control.alarms import AlarmBook
from gridctl.control.assetbook import AssetBook
from gridctl.control.forecastbook import ForecastBook
from gridctl.control.veebook import VeeBook
from gridctl.model.clock import Clock
from gridctl.store.engine import SqlStore


def forecasts_of(store: SqlStore, clock: Clock) -> ForecastBook:
    """Of the head that the tests' desk shows."""
    return ForecastBook(
        store=store,
        clock=clock,
        alarms=AlarmBook(store=store, clock=clock),
        head_point="HEAD.W",
        utc_offset_s=0.0,
    )


def assets_of(store: SqlStore, clock: Clock) -> AssetBook:
    """Without a transformer."""
    return AssetBook(
        store=store,
        clock=clock,
        alarms=AlarmBook(store=store, clock=clock),
        transformers=(),
        temperature_point=None,
    )


def vee_of(store: SqlStore, clock: Clock) -> VeeBook:
    """Of the head alone."""
    return VeeBook(
        store=store,
        clock=clock,
        alarms=AlarmBook(store=store, clock=clock),
        ratings_kw={"HEAD": 3_000.0},
        utc_offset_s=0.0,
    )
