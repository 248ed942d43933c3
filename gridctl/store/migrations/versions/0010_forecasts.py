"""What was forecast, what the weather service said, and settlement runs: kept to be judged later.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "forecast_made",
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("start_s", name=op.f("pk_forecast_made")),
    )
    op.create_table(
        "weather_forecast",
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("issued_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("quantity", "issued_s", name=op.f("pk_weather_forecast")),
    )
    op.create_table(
        "settlement_run",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_s", sa.Double(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("methods", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_settlement_run")),
        sa.UniqueConstraint("event", "version", name=op.f("uq_settlement_run_event_version")),
        sa.UniqueConstraint("id", name=op.f("uq_settlement_run_id")),
    )


def downgrade() -> None:
    for table in ("settlement_run", "weather_forecast", "forecast_made"):
        op.drop_table(table)
