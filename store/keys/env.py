"""A key in an environment variable, for containers and systemd credentials."""

from __future__ import annotations

import os

from store.errors import KeyMissing
from store.keys.text import CHECKPOINT_KEY, MASTER_KEY, read_line
from store.ports import KeyProvider

VARIABLES = {MASTER_KEY: "MAILWEIR_MASTER_KEY", CHECKPOINT_KEY: "MAILWEIR_CHECKPOINT_KEY"}


class EnvKey:
    """Reads the key from the named variable: `base64` or `base64:check`."""

    def __init__(self, location: str = "", purpose: str = MASTER_KEY) -> None:
        self.variable = location or VARIABLES[purpose]

    def load(self) -> bytes:
        """Return the 32 bytes of the key in the variable."""
        text = os.environ.get(self.variable, "")
        if not text.strip():
            raise KeyMissing(f"{self.variable} is not set")
        return read_line(text)


_: type[KeyProvider] = EnvKey
