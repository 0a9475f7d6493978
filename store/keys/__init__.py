"""Where the keys come from. A new provider is one file and one line here."""

from __future__ import annotations

from importlib import import_module

from store.errors import KeyMissing
from store.keys.text import MASTER_KEY
from store.ports import KeyProvider

PROVIDERS: dict[str, str] = {
    "file": "store.keys.file:FileKey",
    "env": "store.keys.env:EnvKey",
}
"""Name in settings -> "module:class". Strings, so that nothing is loaded before it is needed."""


def provider(name: str, location: str, purpose: str = MASTER_KEY) -> KeyProvider:
    """The provider called `name`; `location` is its file, variable or address, `purpose` what the key is for.

    Raises `KeyMissing` for a name that is not in the registry.
    """
    if name not in PROVIDERS:
        raise KeyMissing(f"no key provider {name!r}; there are {', '.join(sorted(PROVIDERS))}")
    module, _, attribute = PROVIDERS[name].partition(":")
    made: KeyProvider = getattr(import_module(module), attribute)(location, purpose)
    return made
