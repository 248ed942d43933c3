"""OpenADR: VENs, resources, reports, subscriptions, their targets and what is sent to them.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "openadr_message",
    "openadr_change",
    "openadr_callback",
    "openadr_subscription",
    "openadr_report",
    "openadr_resource",
    "openadr_ven",
    "openadr_target",
)


def upgrade() -> None:
    op.add_column("openadr_client", sa.Column("webhook_secret", sa.Text(), nullable=True))
    op.add_column("openadr_client", sa.Column("revoked_s", sa.Double(), nullable=True))
    op.add_column("openadr_event", sa.Column("ends_s", sa.Double(), nullable=True))
    op.create_index(op.f("ix_openadr_event_ends_s"), "openadr_event", ["ends_s"], unique=False)
    _objects()
    _notifications()
    _targets_of_before()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.drop_index(op.f("ix_openadr_event_ends_s"), "openadr_event")
    with op.batch_alter_table("openadr_event") as event:
        event.drop_column("ends_s")
    with op.batch_alter_table("openadr_client") as client:
        client.drop_column("revoked_s")
        client.drop_column("webhook_secret")


def _targets_of_before() -> None:
    """Programs and events had their targets in their bodies alone; they move out of them."""
    columns: list[sa.ColumnClause[object]] = [
        sa.column(name) for name in ("kind", "object_id", "target", "place")
    ]
    target = sa.table("openadr_target", *columns)
    connection = op.get_bind()
    for kind in ("program", "event"):
        table = sa.table(f"openadr_{kind}", sa.column("id"), sa.column("body"))
        for id_, text in connection.execute(sa.select(table.c.id, table.c.body)).all():
            body = json.loads(text)
            for place, one in enumerate(dict.fromkeys(body.pop("targets", None) or ())):
                connection.execute(
                    sa.insert(target).values(kind=kind, object_id=id_, target=one, place=place)
                )
            bare = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            connection.execute(sa.update(table).where(table.c.id == id_).values(body=bare))


def _objects() -> None:
    op.create_table(
        "openadr_target",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "object_id", "target", name=op.f("pk_openadr_target")),
    )
    op.create_index(
        op.f("ix_openadr_target_kind_target"), "openadr_target", ["kind", "target"], unique=False
    )
    op.create_table(
        "openadr_ven",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("modified_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_ven")),
        sa.UniqueConstraint("client_id", name=op.f("uq_openadr_ven_client_id")),
        sa.UniqueConstraint("id", name=op.f("uq_openadr_ven_id")),
        sa.UniqueConstraint("name", name=op.f("uq_openadr_ven_name")),
    )
    op.create_table(
        "openadr_resource",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ven_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("modified_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ven_id"], ["openadr_ven.id"], name=op.f("fk_openadr_resource_ven_id")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_resource")),
        sa.UniqueConstraint("id", name=op.f("uq_openadr_resource_id")),
        sa.UniqueConstraint("ven_id", "name", name=op.f("uq_openadr_resource_ven_id_name")),
    )
    op.create_index(
        op.f("ix_openadr_resource_client_id"), "openadr_resource", ["client_id"], unique=False
    )
    op.create_table(
        "openadr_report",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("program_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_name", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("modified_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_report")),
        sa.UniqueConstraint("id", name=op.f("uq_openadr_report_id")),
    )
    op.create_index(
        op.f("ix_openadr_report_client_id"), "openadr_report", ["client_id"], unique=False
    )
    op.create_index(
        op.f("ix_openadr_report_event_id"), "openadr_report", ["event_id"], unique=False
    )
    op.create_index(
        op.f("ix_openadr_report_program_id"), "openadr_report", ["program_id"], unique=False
    )


def _notifications() -> None:
    op.create_table(
        "openadr_subscription",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("program_id", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_name", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("modified_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_subscription")),
        sa.UniqueConstraint("id", name=op.f("uq_openadr_subscription_id")),
    )
    op.create_index(
        op.f("ix_openadr_subscription_client_id"),
        "openadr_subscription",
        ["client_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_openadr_subscription_program_id"),
        "openadr_subscription",
        ["program_id"],
        unique=False,
    )
    op.create_table(
        "openadr_callback",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("program_id", sa.Text(), nullable=True),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("bearer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["openadr_subscription.id"],
            name=op.f("fk_openadr_callback_subscription_id"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_callback")),
    )
    op.create_index(
        op.f("ix_openadr_callback_object_type_operation"),
        "openadr_callback",
        ["object_type", "operation"],
        unique=False,
    )
    op.create_index(
        op.f("ix_openadr_callback_subscription_id"),
        "openadr_callback",
        ["subscription_id"],
        unique=False,
    )
    op.create_table(
        "openadr_change",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_change")),
    )
    op.create_table(
        "openadr_message",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "change_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("bearer", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_s", sa.Double(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change_number"],
            ["openadr_change.number"],
            name=op.f("fk_openadr_message_change_number"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_message")),
    )
    op.create_index(
        op.f("ix_openadr_message_state_next_s"),
        "openadr_message",
        ["state", "next_s"],
        unique=False,
    )
    op.create_index(
        op.f("ix_openadr_message_subscription_id"),
        "openadr_message",
        ["subscription_id"],
        unique=False,
    )
