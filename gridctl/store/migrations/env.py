"""What Alembic runs for each command; the connection comes from `gridctl.store.migrate`."""

from __future__ import annotations

from alembic import context

from gridctl.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    # SQLite cannot alter a column: later revisions copy the table instead.
    render_as_batch=True,
)
context.run_migrations()
