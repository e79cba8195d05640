"""What Alembic runs: the migrations on the connection that `scanner.store.database` hands over, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
