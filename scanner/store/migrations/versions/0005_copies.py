"""Copies without a sign belong to an outbreak, and sketches are made in another way: those of before cannot be compared. And who
writes to whom: fingerprints and counts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_copies"
down_revision = "0004_spread"


def upgrade() -> None:
    for table in ("spread_band", "spread_reach", "spread"):
        op.execute(sa.delete(sa.table(table)))
    with op.batch_alter_table("spread") as table:
        table.add_column(sa.Column("signed", sa.Boolean, nullable=False))
    op.create_table(
        "tie",
        sa.Column("sender", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("files", sa.Integer, nullable=False),
    )
    op.create_index("tie_day", "tie", ["day"])
    op.create_table(
        "thread_party",
        sa.Column("thread", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
    )
    op.create_index("thread_party_day", "thread_party", ["day"])
