"""A round also says how many messages it knew already and how many it left alone, whoever read them."""

import sqlalchemy as sa
from alembic import op

revision = "0008_run_counts"
down_revision = "0007_ties"


def upgrade() -> None:
    for name in ("unchanged", "not_judged"):
        op.add_column("run", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
