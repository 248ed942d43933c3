"""The platform API; forecasts, weather and settlement."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, Table, Text, UniqueConstraint

from gridctl.store.schema.base import Number, metadata

dr_object = Table(
    "dr_object",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    # what it belongs to; "" for a customer, a group or a dispatch
    Column("parent", Text, nullable=False),
    Column("name", Text, nullable=False),
    # whose it is; "" when people of the utility made it
    Column("client_id", Text, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("modified_s", Double, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("kind", "parent", "name"),
)
"""Customers, sites, resources, enrolments, groups, dispatches, participations, standing opt-outs:
what is searched and kept unique in columns, the rest in a JSON body."""

dr_change = Table(
    "dr_change",
    metadata,
    Column("number", Number, primary_key=True),
    Column("object_id", Text, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""Every version of an object of the platform: its modification number, who and why."""

dr_key = Table(
    "dr_key",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    # null while the request is being carried out
    Column("status", Integer, nullable=True),
    Column("answer", Text, nullable=False),
)
"""Idempotency keys: the same key and body gets the same answer again."""

dr_limit = Table(
    "dr_limit",
    metadata,
    Column("object_id", Text, primary_key=True),
    Column("device", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""What an enrolment or an opt-out allows of a device, as the planning reads it."""

"""Tags that hang on devices now; what became of the others is in the audit record."""


forecast_made = Table(
    "forecast_made",
    metadata,
    Column("start_s", Double, primary_key=True),
    Column("body", Text, nullable=False),
)
"""Each forecast of the head's import by the start of its horizon, kept to be held against what
came."""

weather_forecast = Table(
    "weather_forecast",
    metadata,
    Column("quantity", Text, primary_key=True),
    Column("issued_s", Double, primary_key=True),
    Column("body", Text, nullable=False),
)
"""What the weather service said, by the moment at which it was known here: vintages."""

settlement_run = Table(
    "settlement_run",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    # resource, day and hours: what is settled; a second run of it is its next version
    Column("event", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("made_s", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("methods", Text, nullable=False),
    UniqueConstraint("event", "version"),
)
"""Settlement runs with everything needed to make them again: never changed, never deleted."""
