"""Standing approvals (closed loop) and recovery codes.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("approval", sa.Column("standing", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "recovery_code",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("used_at_s", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["user.name"], name=op.f("fk_recovery_code_user")),
        sa.PrimaryKeyConstraint("user", "number", name=op.f("pk_recovery_code")),
    )


def downgrade() -> None:
    op.drop_table("recovery_code")
    op.drop_column("approval", "standing")
