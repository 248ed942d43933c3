"""What passed the wire for a command.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "command_evidence",
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["command"], ["command.mrid"], name=op.f("fk_command_evidence_command")
        ),
        sa.PrimaryKeyConstraint("command", "state", name=op.f("pk_command_evidence")),
    )


def downgrade() -> None:
    op.drop_table("command_evidence")
