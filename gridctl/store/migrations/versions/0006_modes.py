"""Modes of areas, and scores of shadow plans.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "area_mode",
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("area", name=op.f("pk_area_mode")),
    )
    op.create_table(
        "shadow_score",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.mrid"], name=op.f("fk_shadow_score_plan")),
        sa.PrimaryKeyConstraint("plan", name=op.f("pk_shadow_score")),
    )


def downgrade() -> None:
    op.drop_table("shadow_score")
    op.drop_table("area_mode")
