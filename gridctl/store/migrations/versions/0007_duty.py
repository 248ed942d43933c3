"""Duty records, and what happened to alarms.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "duty_record",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_duty_record")),
    )
    op.create_index(op.f("ix_duty_record_kind"), "duty_record", ["kind"], unique=False)
    op.create_table(
        "alarm_event",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alarm_event")),
    )
    op.create_index(op.f("ix_alarm_event_at_s"), "alarm_event", ["at_s"], unique=False)


def downgrade() -> None:
    op.drop_table("alarm_event")
    op.drop_table("duty_record")
