"""Which messages may belong together: a locked file and its password in another message (D22)."""

import sqlalchemy as sa
from alembic import op

revision = "0003_trail"
down_revision = "0002_authorisation"


def upgrade() -> None:
    op.create_table(
        "trail",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("message_id", sa.Integer, sa.ForeignKey("message.id"), nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locks", sa.Integer, nullable=False),
        sa.Column("may_hold_key", sa.Boolean, nullable=False),
    )
    op.create_index("trail_pair", "trail", ["sender", "recipient", "sent_at"])
    op.create_index("trail_message", "trail", ["message_id"])
