"""What a plan was computed from.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "input_part",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_input_part")),
    )
    op.create_table(
        "plan_input",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.mrid"], name=op.f("fk_plan_input_plan")),
        sa.ForeignKeyConstraint(
            ["digest"], ["input_part.digest"], name=op.f("fk_plan_input_digest")
        ),
        sa.PrimaryKeyConstraint("plan", "part", name=op.f("pk_plan_input")),
    )


def downgrade() -> None:
    op.drop_table("plan_input")
    op.drop_table("input_part")
