"""Where the language model sees persons, asked once for every text.

A page asks about the same paragraphs again and again: while names are collected, when they are shown, at every look,
reveal and redaction of the case. What is remembered are places without words, under a hash whose key this process
drew and keeps to itself.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from pii_scan.recognizers.names import NameFinder, check_model

MOST: Final = 20_000
"""Texts remembered; some 200 bytes each."""

Places = tuple[tuple[int, int], ...]

_key: Final = secrets.token_bytes(32)
_lock: Final = threading.Lock()
_model_lock: Final = threading.Lock()
_known: OrderedDict[bytes, Places] = OrderedDict()
_finder: NameFinder | None = None


def ask(text: str) -> Sequence[tuple[int, int]]:
    """The (start, end) of the persons named in a text. Raises `ModelMissing` when the model is not installed."""
    name = blake2b(text.encode("utf-8", "surrogatepass"), key=_key, digest_size=16).digest()
    found = _remembered(name)
    if found is not None:
        return found
    with _model_lock:
        found = _remembered(name)  # whoever had the model before us may have asked the same
        if found is None:
            found = tuple(_model().persons([text.replace("\n", " ")])[0])
    with _lock:
        _known[name] = found
        while len(_known) > MOST:
            _known.popitem(last=False)
    return found


def _remembered(name: bytes) -> Places | None:
    with _lock:
        found = _known.get(name)
        if found is not None:
            _known.move_to_end(name)
        return found


def _model() -> NameFinder:
    global _finder
    if _finder is None:
        _finder = NameFinder(check_model())
    return _finder
