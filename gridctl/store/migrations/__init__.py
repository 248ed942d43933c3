"""Alembic scripts; run by `gridctl.store.migrate` on a connection that it already has."""
