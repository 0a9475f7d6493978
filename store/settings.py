"""The `[store]` section of settings.toml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt


class StoreSettings(BaseModel):
    """Where things are kept. Empty places mean the home folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database: str = ""
    """URL of the database; empty means the file `mailweir.db` in the home folder."""
    pool_size: PositiveInt = 30
    """Connections per process. The engine needs 2 x its concurrency + 10 and refuses to start with fewer."""
    busy_seconds: PositiveFloat = 30
    """How long to wait for another process's write lock."""
    keys: str = "file"
    """Name of the key provider (`store/keys/__init__.py`)."""
    key_location: str = ""
    """File or variable of the master key; empty means `master.key` in the home folder, or MAILWEIR_MASTER_KEY."""

    checkpoints: str = "checkpoints.jsonl"
    """Second place of the audit's signed checkpoints, a file lines are added to; relative to the home folder. Best on
    another machine. Empty means none."""
    checkpoint_minutes: PositiveFloat = 60
    """How often a checkpoint is made when there are new audit rows."""
    checkpoint_keys: str = "file"
    """Key provider of the key that signs checkpoints."""
    checkpoint_key_location: str = ""
    """File or variable of that key; empty means `checkpoint.key` in the home folder, or MAILWEIR_CHECKPOINT_KEY."""
    service_role: str = ""
    """PostgreSQL role of the running service; `mailweir db upgrade` gives it what it needs and no more."""
    reader_role: str = ""
    """PostgreSQL role for looking on: states, counts and the audit; no content."""

    def url(self, home: Path, password: str = "") -> str:
        """The database URL for this home folder; `password` goes into a PostgreSQL URL that has none."""
        if not self.database:
            return f"sqlite:///{(home / 'mailweir.db').as_posix()}"
        if not password or self.database.startswith("sqlite"):
            return self.database
        from sqlalchemy.engine import make_url  # here, so that settings load quickly
        from sqlalchemy.exc import ArgumentError

        try:
            url = make_url(self.database)
        except ArgumentError:
            return self.database  # told by `open_database`
        return url.set(password=url.password or password).render_as_string(hide_password=False)

    def key_place(self, home: Path) -> str:
        """What the key provider is told."""
        return self.key_location or (str(home / "master.key") if self.keys == "file" else "")

    def checkpoint_place(self, home: Path) -> Path | None:
        """The file of exported checkpoints, or None."""
        return home / self.checkpoints if self.checkpoints else None

    def checkpoint_key_place(self, home: Path) -> str:
        """What the provider of the signing key is told."""
        return self.checkpoint_key_location or (
            str(home / "checkpoint.key") if self.checkpoint_keys == "file" else "")
