"""Run by Alembic: migrates the connection passed by `migrate.py` to the requested revision."""

from alembic import context

from dtmf_server.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()
