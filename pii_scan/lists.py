"""Exact-match lists: numbers or names an institution wants held, kept only as keyed hashes.

A list file holds no value: each entry is HMAC-SHA256 of the normalised value under a key that lives
elsewhere (the operator's key provider), cut to 16 bytes. Without the key a list can neither be read nor
matched.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pii_scan.errors import ScanError
from pii_scan.findings import Category
from pii_scan.folding import small_plain

LENGTH = 16
MOST_WORDS = 4

_NUMBER = re.compile(r"(?<!\w)[a-z]{0,3}\d[\da-z]{0,18}(?!\w)")
_WORD = re.compile(r"[a-z][a-z']*")


class BadList(ScanError):
    """An exact-match list cannot be used."""

    code = "bad-list"
    hint = "Make the list again, with the key that is in the key provider."


@dataclass(frozen=True, slots=True)
class ExactList:
    """Hashes of one list. `kind` is "number" or "name"; `name` is shown to reviewers, so it is no content."""

    name: str
    category: Category
    kind: str
    score: float
    hashes: frozenset[bytes] = field(repr=False)
    words: int = 2


@dataclass(frozen=True, slots=True)
class ListHit:
    """A value of a list at an offset of a text."""

    start: int
    end: int
    list: ExactList


def normalise(value: str) -> str:
    """Small letters and digits of a value; nothing else counts."""
    return "".join(c for c in small_plain(value) if c.isalnum())


def keyed(value: str, key: bytes) -> bytes:
    """The hash of a value as it is kept."""
    return hmac.new(key, normalise(value).encode(), hashlib.sha256).digest()[:LENGTH]


def build_list(values: Iterable[str], key: bytes, *, name: str, category: Category, kind: str = "number",
               score: float = 0.95) -> ExactList:
    """Hash values under a key of at least 16 bytes. Raises `BadList` for a short key or an empty list."""
    if len(key) < 16:
        raise BadList("the key is shorter than 16 bytes")
    kept = [v for v in values if len(normalise(v)) >= 4]
    if not kept:
        raise BadList("no value of four or more letters or digits")
    words = max(len(_WORD.findall(small_plain(v))) for v in kept) if kind == "name" else 1
    return ExactList(name, category, kind, score, frozenset(keyed(v, key) for v in kept), min(words, MOST_WORDS))


def save_list(made: ExactList, path: Path) -> None:
    """Write a list as JSON. It holds hashes only."""
    path.write_text(json.dumps({
        "name": made.name, "category": made.category, "kind": made.kind, "score": made.score, "words": made.words,
        "hashes": sorted(h.hex() for h in made.hashes)}), "utf-8")


def load_list(path: Path) -> ExactList:
    """Read a list file. Raises `BadList`."""
    try:
        data = json.loads(path.read_text("utf-8"))
        return ExactList(str(data["name"]), Category(data["category"]), str(data["kind"]), float(data["score"]),
                         frozenset(bytes.fromhex(h) for h in data["hashes"]), int(data["words"]))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise BadList(type(exc).__name__) from exc


def match(text: str, lists: Iterable[ExactList], key: bytes) -> Iterator[ListHit]:
    """Yield every place in `text` where a value of a list stands. Time grows with the text."""
    low = small_plain(text)
    groups = list(lists)
    numbers = [g for g in groups if g.kind == "number"]
    names = [g for g in groups if g.kind == "name"]
    if numbers:
        places = [m.span() for m in _NUMBER.finditer(low)]
        yield from _runs(low, places, 1, MOST_WORDS, numbers, key, gaps=" -.")
    if names:
        places = [m.span() for m in _WORD.finditer(low)]
        yield from _runs(low, places, 2, max(g.words for g in names), names, key)


def _runs(low: str, places: list[tuple[int, int]], least: int, most: int, groups: list[ExactList], key: bytes, *,
          gaps: str = "") -> Iterator[ListHit]:
    """Try every run of `least` to `most` neighbours; with `gaps`, one of these marks must stand between."""
    for i, (start, _) in enumerate(places):
        for n in range(1, most + 1):
            if i + n > len(places) or places[i + n - 1][1] - start > 60:
                break
            if gaps and n > 1:
                a, b = places[i + n - 2][1], places[i + n - 1][0]
                if b - a != 1 or low[a] not in gaps:
                    break
            if n >= least:
                yield from _hits(low[start:places[i + n - 1][1]], start, places[i + n - 1][1], groups, key)


def _hits(value: str, start: int, end: int, groups: list[ExactList], key: bytes) -> Iterator[ListHit]:
    hashed = keyed(value, key)
    for group in groups:
        if hashed in group.hashes:
            yield ListHit(start, end, group)
