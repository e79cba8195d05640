"""How a chain letter went round (D22): keyed sketches and fingerprints of what was passed on, no text."""

import sqlalchemy as sa
from alembic import op

revision = "0004_spread"
down_revision = "0003_trail"


def upgrade() -> None:
    op.create_table(
        "spread",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("message_id", sa.Integer, sa.ForeignKey("message.id"), nullable=False),
        sa.Column("outbreak", sa.Text, nullable=False),
        sa.Column("copy_of", sa.Text, nullable=False),
        sa.Column("sketch", sa.LargeBinary, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("accused", sa.Boolean, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("message_id", name="spread_of_message"),
    )
    op.create_index("spread_outbreak", "spread", ["outbreak", "sent_at"])
    op.create_index("spread_sent_at", "spread", ["sent_at"])
    op.create_table(
        "spread_reach",
        sa.Column("spread_id", sa.Integer, sa.ForeignKey("spread.id"), primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("outside", sa.Boolean, nullable=False),
    )
    op.create_table(
        "spread_band",
        sa.Column("band", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("spread_id", sa.Integer, sa.ForeignKey("spread.id"), primary_key=True),
    )
    op.create_index("spread_band_of", "spread_band", ["spread_id"])
