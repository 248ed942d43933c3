"""Objects of OpenADR 3.1, its clients, and what goes out to subscribers."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from gridctl.store.schema.base import Number, metadata

openadr_client = Table(
    "openadr_client",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    # signs what is sent to this client's callbacks; none for clients of before there were any
    Column("webhook_secret", Text, nullable=True),
    Column("revoked_s", Double, nullable=True),
)

openadr_token = Table(
    "openadr_token",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("client_id", Text, ForeignKey("openadr_client.client_id"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("expires_real_s", Double, nullable=False),
)

openadr_program = Table(
    "openadr_program",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("client_id", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("modified_s", Double, nullable=False),
    Column("body", Text, nullable=False),
)

openadr_event = Table(
    "openadr_event",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("program_id", Text, ForeignKey("openadr_program.id"), nullable=False, index=True),
    Column("client_id", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("modified_s", Double, nullable=False),
    Column("body", Text, nullable=False),
    # when its last interval is over; null: never, or nobody can tell
    Column("ends_s", Double, nullable=True, index=True),
)

openadr_ven = Table(
    "openadr_ven",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    # one VEN a client: whose it is must never be a question of order
    Column("client_id", Text, nullable=False, unique=True),
    Column("created_s", Double, nullable=False),
    Column("modified_s", Double, nullable=False),
    Column("body", Text, nullable=False),
)

openadr_resource = Table(
    "openadr_resource",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("ven_id", Text, ForeignKey("openadr_ven.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("client_id", Text, nullable=False, index=True),
    Column("created_s", Double, nullable=False),
    Column("modified_s", Double, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("ven_id", "name"),
)

openadr_report = Table(
    "openadr_report",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    # no foreign key: what a customer reported outlives the event that it was about
    Column("event_id", Text, nullable=False, index=True),
    Column("program_id", Text, nullable=False, index=True),
    Column("client_id", Text, nullable=False, index=True),
    Column("client_name", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("modified_s", Double, nullable=False),
    Column("body", Text, nullable=False),
)

openadr_subscription = Table(
    "openadr_subscription",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("program_id", Text, nullable=True, index=True),
    Column("client_id", Text, nullable=False, index=True),
    Column("client_name", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("modified_s", Double, nullable=False),
    Column("body", Text, nullable=False),
)

openadr_target = Table(
    "openadr_target",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("object_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("place", Integer, nullable=False),
    Index(None, "kind", "target"),
)
"""Targets of every kind of object, apart from its body: privacy is a join, before a page is cut."""

openadr_callback = Table(
    "openadr_callback",
    metadata,
    Column("number", Number, primary_key=True),
    Column(
        "subscription_id", Text, ForeignKey("openadr_subscription.id"), nullable=False, index=True
    ),
    Column("client_id", Text, nullable=False),
    Column("program_id", Text, nullable=True),
    Column("object_type", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("bearer", Text, nullable=True),
    Index(None, "object_type", "operation"),
)
"""A subscription, one row for each object type, operation and address that it names."""

openadr_change = Table(
    "openadr_change",
    metadata,
    Column("number", Number, primary_key=True),
    Column("object_type", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("body", Text, nullable=False),
)
"""What happened to an object, once, for all who are to be told."""

openadr_message = Table(
    "openadr_message",
    metadata,
    Column("number", Number, primary_key=True),
    Column("change_number", Number, ForeignKey("openadr_change.number"), nullable=False),
    Column("subscription_id", Text, nullable=False, index=True),
    Column("client_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("bearer", Text, nullable=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_s", Double, nullable=False),
    Column("last_error", Text, nullable=False),
    Index(None, "state", "next_s"),
)
"""The outbox: written in the transaction of the change itself; waiting, delivered or dead."""

openadr_publication = Table(
    "openadr_publication",
    metadata,
    Column("number", Number, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_s", Double, nullable=False),
)
"""What waits for the MQTT broker: written with the change itself, gone when the broker has it."""
