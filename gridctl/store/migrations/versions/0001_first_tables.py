"""The first tables.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _history()
    _plans()
    _commands()
    _facts()
    _audit()
    _people()
    _openadr()
    _append_only()


def downgrade() -> None:
    for table in (
        "openadr_event",
        "openadr_program",
        "openadr_token",
        "openadr_client",
        "session",
        "user",
        "audit_head",
        "audit",
        "flag",
        "alarm",
        "request",
        "order_sequence",
        "command_state",
        "command",
        "approval",
        "plan_state",
        "plan",
        "sample",
        "native",
        "point",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION append_only")


def _history() -> None:
    op.create_table(
        "point",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mrid", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_point")),
        sa.UniqueConstraint("mrid", name=op.f("uq_point_mrid")),
    )
    op.create_table(
        "native",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_native")),
        sa.UniqueConstraint("text", name=op.f("uq_native_text")),
        comment="the wire's own words for quality, once each",
    )
    op.create_table(
        "sample",
        sa.Column("point_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_s", sa.Double(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("native_id", sa.Integer(), nullable=False),
        sa.Column("received_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("point_id", "source_s", name=op.f("pk_sample")),
        sqlite_with_rowid=False,
    )


def _plans() -> None:
    op.create_table(
        "plan",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mrid", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_at_s", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_plan")),
        sa.UniqueConstraint("mrid", name=op.f("uq_plan_mrid")),
    )
    op.create_index(op.f("ix_plan_state"), "plan", ["state"], unique=False)
    op.create_table(
        "plan_state",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.mrid"], name=op.f("fk_plan_state_plan")),
        sa.PrimaryKeyConstraint("plan", "step", name=op.f("pk_plan_state")),
    )
    op.create_table(
        "approval",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("at_mono_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.mrid"], name=op.f("fk_approval_plan")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_approval")),
        sa.UniqueConstraint("plan", "by", name=op.f("uq_approval_plan_by")),
        sa.UniqueConstraint("plan", "session", name=op.f("uq_approval_plan_session")),
    )


def _commands() -> None:
    op.create_table(
        "command",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mrid", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("measured_kw", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_command")),
        sa.UniqueConstraint("mrid", name=op.f("uq_command_mrid")),
    )
    op.create_index(op.f("ix_command_plan"), "command", ["plan"], unique=False)
    op.create_table(
        "command_state",
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["command"], ["command.mrid"], name=op.f("fk_command_state_command")
        ),
        sa.PrimaryKeyConstraint("command", "step", name=op.f("pk_command_state")),
    )
    op.create_table(
        "order_sequence",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_sequence")),
    )


def _facts() -> None:
    op.create_table(
        "request",
        sa.Column("mrid", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column("target_kw", sa.Double(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("received_s", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("mrid", name=op.f("pk_request")),
    )
    op.create_index(op.f("ix_request_event_id"), "request", ["event_id"], unique=False)
    op.create_index(op.f("ix_request_state"), "request", ["state"], unique=False)
    op.create_table(
        "alarm",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("raised_s", sa.Double(), nullable=False),
        sa.Column("cleared_s", sa.Double(), nullable=True),
        sa.Column("acked_by", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alarm")),
    )
    op.create_index(op.f("ix_alarm_state"), "alarm", ["state"], unique=False)
    op.create_table(
        "flag",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_flag")),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("plan_digest", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
        comment="the last link of the chain, so that a missing tail is found",
    )


def _people() -> None:
    op.create_table(
        "user",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_real_s", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_user")),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("opened_real_s", sa.Double(), nullable=False),
        sa.Column("seen_real_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["user.name"], name=op.f("fk_session_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_session_token_hash")),
    )
    op.create_index(op.f("ix_session_user"), "session", ["user"], unique=False)


def _openadr() -> None:
    op.create_table(
        "openadr_client",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_openadr_client")),
    )
    op.create_table(
        "openadr_token",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("expires_real_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["openadr_client.client_id"], name=op.f("fk_openadr_token_client_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_openadr_token")),
    )
    op.create_table(
        "openadr_program",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("modified_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_program")),
        sa.UniqueConstraint("id", name=op.f("uq_openadr_program_id")),
        sa.UniqueConstraint("name", name=op.f("uq_openadr_program_name")),
    )
    op.create_table(
        "openadr_event",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("program_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("modified_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["openadr_program.id"], name=op.f("fk_openadr_event_program_id")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_event")),
        sa.UniqueConstraint("id", name=op.f("uq_openadr_event_id")),
    )
    op.create_index(
        op.f("ix_openadr_event_program_id"), "openadr_event", ["program_id"], unique=False
    )


def _append_only() -> None:
    """What is written in a journal is neither changed nor deleted, not even by our own mistake."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(
            "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME"
            " USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
    for table in ("audit", "approval", "plan_state", "command_state"):
        for act in ("update", "delete"):
            event = f"CREATE TRIGGER {table}_no_{act} BEFORE {act.upper()} ON {table}"
            body = (
                "FOR EACH ROW EXECUTE FUNCTION append_only()"
                if postgresql
                else f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
            op.execute(f"{event} {body}")
