"""Run the migrations, on the connection and in the transaction of `schema.bring_up_to_date`."""

from alembic import context

from serving.gateway.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
