"""Which devices a dispatch request names.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("request", sa.Column("devices", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("request") as table:
        table.drop_column("devices")
