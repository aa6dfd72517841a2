"""Alembic's way in: migrates over the connection that admit.registry hands it."""

from alembic import context

from admit.registry_models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
