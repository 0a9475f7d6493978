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

    def url(self, home: Path) -> str:
        """The database URL for this home folder."""
        return self.database or f"sqlite:///{(home / 'mailweir.db').as_posix()}"

    def key_place(self, home: Path) -> str:
        """What the key provider is told."""
        return self.key_location or (str(home / "master.key") if self.keys == "file" else "")
