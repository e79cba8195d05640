"""Authorisations (Never 1), and whose mail a message is: a keyed fingerprint of the sender, for repeats and patterns."""

import sqlalchemy as sa
from alembic import op

revision = "0002_authorisation"
down_revision = "0001"


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "authorisation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("scope", sa.JSON, nullable=False),
        sa.Column("topics", sa.JSON, nullable=False),
        sa.Column("approver", sa.Text, nullable=False),
        sa.Column("approver_role", sa.Text, nullable=False),
        sa.Column("grounds", sa.Text, nullable=False),
        sa.Column("start", sa.Date, nullable=False),
        sa.Column("review", sa.Date),
        sa.Column("end", sa.Date),
        sa.Column("recorded_at", time, nullable=False),
        sa.Column("recorded_by", sa.Text, nullable=False),
        sa.Column("ended_at", time),
        sa.Column("seed", sa.Text, nullable=False),
        sa.Column("frame", sa.Text, nullable=False),
        sa.Column("frame_size", sa.Integer, nullable=False),
    )
    with op.batch_alter_table("message") as message:
        message.add_column(sa.Column("sender", sa.Text, nullable=False, server_default=""))
        message.create_index("message_sender", ["sender", "sent_at"])
