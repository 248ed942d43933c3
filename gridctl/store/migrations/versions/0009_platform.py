"""The platform API: customers to dispatches, idempotency keys, limits; what waits for MQTT.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "openadr_publication",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_openadr_publication")),
    )
    op.create_table(
        "dr_object",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("modified_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_dr_object")),
        sa.UniqueConstraint("id", name=op.f("uq_dr_object_id")),
        sa.UniqueConstraint("kind", "parent", "name", name=op.f("uq_dr_object_kind_parent_name")),
    )
    op.create_index(op.f("ix_dr_object_client_id"), "dr_object", ["client_id"], unique=False)
    op.create_table(
        "dr_change",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_dr_change")),
    )
    op.create_index(op.f("ix_dr_change_object_id"), "dr_change", ["object_id"], unique=False)
    op.create_table(
        "dr_key",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "key", name=op.f("pk_dr_key")),
    )
    op.create_table(
        "dr_limit",
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_dr_limit")),
    )


def downgrade() -> None:
    for table in ("dr_limit", "dr_key", "dr_change", "dr_object", "openadr_publication"):
        op.drop_table(table)
