"""A key in a file only its owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from store.errors import KeyMissing, KeyUnsafe, KeyWrong
from store.keys.text import MASTER_KEY, new_key, read_text, write_text
from store.ports import KeyProvider


class FileKey:
    """Reads the key file; refuses one that group or others may read, write or run."""

    def __init__(self, location: str, purpose: str = MASTER_KEY) -> None:
        self.path, self.purpose = Path(location), purpose

    def load(self) -> bytes:
        """Return the 32 bytes of the key in the file."""
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(4096)
        except FileNotFoundError as exc:
            raise KeyMissing("the key file does not exist") from exc
        except OSError as exc:
            raise KeyMissing(f"the key file cannot be read: {type(exc).__name__}") from exc
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnsafe(f"mode {stat.S_IMODE(mode):04o}")
        try:
            return read_text(data.decode("ascii"), self.purpose)
        except UnicodeDecodeError as exc:
            raise KeyWrong("the key file is not text") from exc

    def create(self) -> bytes:
        """Make a new key, write it with mode 0600 and return it. Never overwrites.

        Raises `KeyUnsafe` when a file is there already.
        """
        key = new_key()
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as exc:
            raise KeyUnsafe("a key file is there already and is not overwritten") from exc
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(write_text(key, self.purpose))
            file.flush()
            os.fsync(file.fileno())
        return key


_: type[KeyProvider] = FileKey
