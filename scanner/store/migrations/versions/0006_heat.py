"""Which messages were heated language towards somebody: what makes a pattern over time (D22)."""

import sqlalchemy as sa
from alembic import op

revision = "0006_heat"
down_revision = "0005_copies"


def upgrade() -> None:
    op.add_column("trail", sa.Column("heated", sa.Boolean, nullable=False, server_default=sa.false()))
