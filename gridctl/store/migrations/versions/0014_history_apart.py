"""On SQLite the history has a file of its own: its tables go.

What they held is there by now (`gridctl.store.history_file.prepare_history`).

Revision ID: 0014
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in ("sample", "native", "point"):
            op.drop_table(table)


def downgrade() -> None:
    """The tables again, empty: the history stays in its file."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, column in (("point", "mrid"), ("native", "text")):
        op.create_table(
            table,
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column(column, sa.Text(), nullable=False, unique=True),
        )
    op.create_table(
        "sample",
        sa.Column("point_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("source_s", sa.Double(), primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double()),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("native_id", sa.Integer(), nullable=False),
        sa.Column("received_s", sa.Double(), nullable=False),
        sqlite_with_rowid=False,
    )
