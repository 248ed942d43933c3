"""What the field tells: events as they came, the history."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, Table, Text, UniqueConstraint

from gridctl.store.schema.base import Number, metadata

field_event = Table(
    "field_event",
    metadata,
    Column("id", Number, primary_key=True),
    Column("boot_id", Text, nullable=False),
    Column("number", Number, nullable=False),
    Column("point", Text, nullable=False, index=True),
    Column("value", Double, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("native", Text, nullable=False),
    Column("source_s", Double, nullable=False),
    Column("received_s", Double, nullable=False),
    UniqueConstraint("boot_id", "number", name="uq_field_event_boot_id_number"),
)
"""Sequence of events; `number` counts them within one run of the field agent (`boot_id`)."""

# In this database on PostgreSQL only; on SQLite it has a file of its own (`history_file`).

ELSEWHERE = {"elsewhere": "sqlite"}

point = Table(
    "point",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mrid", Text, nullable=False, unique=True),
    info=ELSEWHERE,
)

native = Table(
    "native",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False, unique=True),
    comment="the wire's own words for quality, once each",
    info=ELSEWHERE,
)

sample = Table(
    "sample",
    metadata,
    Column("point_id", Integer, primary_key=True, autoincrement=False),
    Column("source_s", Double, primary_key=True, autoincrement=False),
    Column("value", Double),
    Column("quality", Integer, nullable=False),
    Column("native_id", Integer, nullable=False),
    Column("received_s", Double, nullable=False),
    info=ELSEWHERE,
)
