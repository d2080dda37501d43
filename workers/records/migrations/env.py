"""Run by alembic: migrates the database whose connection it was given, in the caller's transaction."""

from alembic import context

from workers.records.schema import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables,
    transactional_ddl=True,  # of SQLite too: its transactions are begun by us
    render_as_batch=True,
)
context.run_migrations()
