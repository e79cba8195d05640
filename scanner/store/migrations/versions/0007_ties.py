"""Who writes to whom is counted once a message, and files only where they went to a private address of staff: counts of before
say something else and are forgotten. Copies of a message are found by its content.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_ties"
down_revision = "0006_heat"


def upgrade() -> None:
    op.drop_table("tie")
    op.create_table(
        "tie",
        sa.Column("sender", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("files", sa.Integer, nullable=False),
    )
    op.create_index("tie_day", "tie", ["day"])
    op.create_index("message_content", "message", ["content_hash"])
