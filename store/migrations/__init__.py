"""Numbered schema steps (Alembic), run by `store.database.upgrade`. There is no way down: restore a backup."""
