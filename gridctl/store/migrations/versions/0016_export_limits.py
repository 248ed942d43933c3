"""How much a dispatch request lets the feeder export.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("request", sa.Column("export_max_kw", sa.Double(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("request") as table:
        table.drop_column("export_max_kw")
