"""The tables. One MetaData; the migrations are held to it by a test.

Times are grid seconds (UTC) as doubles, so that what was measured comes back bit for bit, unless a
name says `_mono_s` (real seconds of the machine's monotonic clock). Bodies are canonical JSON.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up by itself only where the key is exactly INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")

# --- field -------------------------------------------------------------------------------------

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

# --- history -----------------------------------------------------------------------------------
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

# --- plans and people ----------------------------------------------------------------------------

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

# --- commands ----------------------------------------------------------------------------------

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

# --- requests, alarms, facts ---------------------------------------------------------------------

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

# --- audit -------------------------------------------------------------------------------------

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_s", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    comment="the last link of the chain, so that a missing tail is found",
)

# --- users and their sessions --------------------------------------------------------------------

user = Table(
    "user",
    metadata,
    Column("name", Text, primary_key=True),
    Column("full_name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failed_real_s", Double),
    # "*": every area; else their names, joined by commas
    Column("areas", Text, nullable=False, server_default="*"),
    Column("source", Text, nullable=False, server_default="local"),
    # sealed by the key file of the instance; null: no code generator is enrolled
    Column("totp", LargeBinary),
    # the time step of the last code that was taken: none is taken twice
    Column("totp_step", BigInteger),
    Column("setup_hash", Text),
    Column("setup_until_s", Double),
)

authenticator = Table(
    "authenticator",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user", Text, ForeignKey("user.name"), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("added_s", Double, nullable=False),
)
"""Security keys (WebAuthn) by their credential id; `public` is what proves their signatures."""

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("user", Text, ForeignKey("user.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("used_at_s", Double),
)
"""Codes for who has lost his second factor, as argon2id; each is good once."""

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("user", Text, ForeignKey("user.name"), nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("opened_real_s", Double, nullable=False),
    Column("seen_real_s", Double, nullable=False),
    Column("factor", Text, nullable=False, server_default="password"),
    Column("proved_real_s", Double, nullable=False, server_default="0"),
)

# --- OpenADR -----------------------------------------------------------------------------------

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

# --- the platform API ----------------------------------------------------------------------------

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

tag = Table(
    "tag",
    metadata,
    Column("id", Text, primary_key=True),
    Column("device", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""Tags that hang on devices now; what became of the others is in the audit record."""

# --- forecasts, weather, settlement ---------------------------------------------------------------

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
