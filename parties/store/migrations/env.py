"""Run by Alembic for each migration: on the connection of the store, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
