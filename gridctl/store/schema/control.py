"""Plans, approvals, commands, requests, alarms and what people note."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from gridctl.store.schema.base import Number, metadata

plan = Table(
    "plan",
    metadata,
    Column("number", Number, primary_key=True),
    Column("mrid", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("state_at_s", Double, nullable=False),
    Column("reason", Text, nullable=False),
)

plan_state = Table(
    "plan_state",
    metadata,
    Column("plan", Text, ForeignKey("plan.mrid"), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("reason", Text, nullable=False),
)

approval = Table(
    "approval",
    metadata,
    Column("number", Number, primary_key=True),
    Column("plan", Text, ForeignKey("plan.mrid"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("at_mono_s", Double, nullable=False),
    Column("standing", Text, nullable=False, server_default=""),
    UniqueConstraint("plan", "by"),
    UniqueConstraint("plan", "session"),
)

input_part = Table(
    "input_part",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("packed", LargeBinary, nullable=False),
    comment="what plans were computed from, each part once, by the SHA-256 of what is inside",
)

plan_input = Table(
    "plan_input",
    metadata,
    Column("plan", Text, ForeignKey("plan.mrid"), primary_key=True),
    Column("part", Text, primary_key=True),
    Column("digest", Text, ForeignKey("input_part.digest"), nullable=False),
)


command = Table(
    "command",
    metadata,
    Column("number", Number, primary_key=True),
    Column("mrid", Text, nullable=False, unique=True),
    Column("plan", Text, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("measured_kw", Double),
)

command_state = Table(
    "command_state",
    metadata,
    Column("command", Text, ForeignKey("command.mrid"), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("status", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

command_evidence = Table(
    "command_evidence",
    metadata,
    Column("command", Text, ForeignKey("command.mrid"), primary_key=True),
    Column("state", Text, primary_key=True),
    Column("at_s", Double, nullable=False),
    Column("body", Text, nullable=False),
)
"""What passed the wire for a command, one line a message, by the state that it led to."""

order_sequence = Table(
    "order_sequence",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)


request = Table(
    "request",
    metadata,
    Column("mrid", Text, primary_key=True),
    Column("event_id", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("start_s", Double, nullable=False),
    Column("end_s", Double, nullable=False),
    Column("target_kw", Double, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("received_s", Double, nullable=False),
    Column("state", Text, nullable=False, index=True),
    # mRIDs as a JSON list; null: it names none
    Column("devices", Text, nullable=True),
    # null: it asks for less import
    Column("export_max_kw", Double, nullable=True),
)

alarm = Table(
    "alarm",
    metadata,
    Column("key", Text, primary_key=True),
    Column("priority", SmallInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("response", Text, nullable=False),
    Column("raised_s", Double, nullable=False),
    Column("cleared_s", Double),
    Column("acked_by", Text),
    Column("state", Text, nullable=False, index=True),
)

alarm_event = Table(
    "alarm_event",
    metadata,
    Column("number", Number, primary_key=True),
    Column("key", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("at_s", Double, nullable=False, index=True),
    Column("by", Text, nullable=False),
)

alarm_shelf = Table(
    "alarm_shelf",
    metadata,
    Column("key", Text, primary_key=True),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("until_s", Double, nullable=False),
)
"""Alarms that somebody put aside for a while, with a reason (SG-28)."""

duty_record = Table(
    "duty_record",
    metadata,
    Column("number", Number, primary_key=True),
    Column("kind", Text, nullable=False, index=True),
    Column("body", Text, nullable=False),
)

area_mode = Table(
    "area_mode",
    metadata,
    Column("area", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

shadow_score = Table(
    "shadow_score",
    metadata,
    Column("plan", Text, ForeignKey("plan.mrid"), primary_key=True),
    Column("end_s", Double, nullable=False),
    Column("body", Text, nullable=False),
)

flag = Table(
    "flag",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


tag = Table(
    "tag",
    metadata,
    Column("id", Text, primary_key=True),
    Column("device", Text, nullable=False),
    Column("body", Text, nullable=False),
)
