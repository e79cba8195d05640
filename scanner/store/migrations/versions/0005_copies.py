"""Copies without a sign belong to an outbreak, and sketches are made in another way: those of before cannot be compared."""

import sqlalchemy as sa
from alembic import op

revision = "0005_copies"
down_revision = "0004_spread"


def upgrade() -> None:
    for table in ("spread_band", "spread_reach", "spread"):
        op.execute(sa.delete(sa.table(table)))
    with op.batch_alter_table("spread") as table:
        table.add_column(sa.Column("signed", sa.Boolean, nullable=False))
