"""Second factors, areas and step-up of people; shelved alarms.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user", sa.Column("areas", sa.Text(), nullable=False, server_default="*"))
    op.add_column("user", sa.Column("source", sa.Text(), nullable=False, server_default="local"))
    op.add_column("user", sa.Column("totp", sa.LargeBinary(), nullable=True))
    op.add_column("user", sa.Column("totp_step", sa.BigInteger(), nullable=True))
    op.add_column("user", sa.Column("setup_hash", sa.Text(), nullable=True))
    op.add_column("user", sa.Column("setup_until_s", sa.Double(), nullable=True))
    op.add_column(
        "session", sa.Column("factor", sa.Text(), nullable=False, server_default="password")
    )
    op.add_column(
        "session", sa.Column("proved_real_s", sa.Double(), nullable=False, server_default="0")
    )
    op.create_table(
        "authenticator",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("added_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["user.name"], name=op.f("fk_authenticator_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authenticator")),
    )
    op.create_index(op.f("ix_authenticator_user"), "authenticator", ["user"], unique=False)
    op.create_table(
        "alarm_shelf",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("until_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alarm_shelf")),
    )


def downgrade() -> None:
    op.drop_table("alarm_shelf")
    op.drop_table("authenticator")
    for column in ("proved_real_s", "factor"):
        op.drop_column("session", column)
    for column in ("setup_until_s", "setup_hash", "totp_step", "totp", "source", "areas"):
        op.drop_column("user", column)
