"""Cue words: who is spoken of and what is told, as bits of one integer per word.

The lists are data (`cues.toml`). A sentence's cue mask is the OR over its words and phrases; what a
mask means is decided by `told`: a predicate of a category near a person, strong or weak, one level
less in the register of policies, news and advertising.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

GROUPS = ("health", "family", "work", "education", "money", "credentials", "crime", "immigration", "belief",
          "home", "birth", "id")
"""Predicate groups, in bit order; each stands for one category (see CATEGORY)."""

CATEGORY = {
    "health": "health", "family": "family_private_life", "work": "employment_hr", "education": "education_record",
    "money": "financial_account", "credentials": "credentials", "crime": "criminal_record",
    "immigration": "immigration", "belief": "race_religion_politics", "home": "home_contact",
    "birth": "date_of_birth", "id": "government_id",
}

_ORDER = (
    *(("person", name) for name in ("self", "you", "third", "we", "kin", "role")),
    *(("strong", name) for name in GROUPS),
    *(("weak", name) for name in GROUPS),
    *(("register", name) for name in ("policy", "news", "advert", "ask", "business")),
    *(("shape", name) for name in ("phone", "money", "date", "weekday", "long", "freemail", "thanks")),
)
BIT = {f"{section}.{name}": 1 << i for i, (section, name) in enumerate(_ORDER)}
NAME = 1 << len(_ORDER)
NAMES = (*BIT, "name")
"""Name of each bit, lowest first."""

PERSON = BIT["person.self"] | BIT["person.you"] | BIT["person.third"] | BIT["person.kin"] | BIT["person.role"] | NAME
CLOSE = BIT["person.self"] | BIT["person.third"] | BIT["person.kin"] | NAME
"""A person the reader can identify: speaker, he or she, kin, a name."""
DISTANT = BIT["register.policy"] | BIT["register.news"] | BIT["register.advert"]
STRONG = tuple(BIT[f"strong.{g}"] for g in GROUPS)
WEAK = tuple(BIT[f"weak.{g}"] for g in GROUPS)
ANY_STRONG = sum(STRONG)
ANY_WEAK = sum(WEAK)

TOKEN = re.compile(r"(?:[ldjnsmtcLDJNSMTC]|[qQ]u)'(?=[A-Za-zÀ-ÿ]{2})|[A-Za-zÀ-ÖØ-öø-ÿœŒ]+(?:['\-][A-Za-zÀ-ÿ]+)*"
                   r"|0(?:[.,:/\-]?0)*|[$€£%?!@#:()]")
_CHARACTERS = str.maketrans({**{str(d): "0" for d in range(10)}, "’": "'", "‘": "'", "`": "'"})


def tokens(text: str) -> list[str]:
    """Words, number shapes and a few marks of `text`; case kept, every digit written 0."""
    return TOKEN.findall(text.translate(_CHARACTERS))


_WALL = "\x1e"
_TOKEN_OR_WALL = re.compile(f"{TOKEN.pattern}|{_WALL}")


def tokens_of(texts: Sequence[str]) -> list[list[str]]:
    """`tokens` of each text, in one pass over all of them."""
    joined = _WALL.join(texts)
    if joined.count(_WALL) != len(texts) - 1:
        return [tokens(text) for text in texts]
    flat = _TOKEN_OR_WALL.findall(joined.translate(_CHARACTERS))
    found: list[list[str]] = []
    at = 0
    for _ in range(len(texts) - 1):
        wall = flat.index(_WALL, at)
        found.append(flat[at:wall])
        at = wall + 1
    return [*found, flat[at:]]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`words` and `stems` give a mask; `phrases` maps a first word to (remaining words, mask)."""

    words: dict[str, int]
    stems: dict[str, int]
    phrases: dict[str, tuple[tuple[tuple[str, ...], int], ...]]

    def mask(self, word: str) -> int:
        """Bits of one lower-case word, phrases apart."""
        bits = self.words.get(word, 0)
        for size in range(3, min(len(word), 14) + 1):
            bits |= self.stems.get(word[:size], 0)
        return bits


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lists of `cues.toml`, read once."""
    data = tomllib.loads(resources.files(__package__).joinpath("cues.toml").read_text("utf-8"))
    words: dict[str, int] = {}
    stems: dict[str, int] = {}
    phrases: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for section, name in _ORDER:
        bit = BIT[f"{section}.{name}"]
        for entry in data[section][name].split():
            parts = tokens(entry.replace("_", " ").rstrip("*"))
            if len(parts) > 1:
                phrases.setdefault(parts[0], []).append((tuple(parts[1:]), bit))
            elif entry.endswith("*"):
                stems[parts[0]] = stems.get(parts[0], 0) | bit
            elif parts:
                words[parts[0]] = words.get(parts[0], 0) | bit
    return Lexicon(words, stems, {k: tuple(v) for k, v in phrases.items()})


def told(mask: int, *, distant: bool = False) -> tuple[int, int]:
    """(strong, weak) predicate groups told of a person, each as a bit set over GROUPS.

    `distant` says that the whole message is news, advertising or bulk mail: one level less.
    """
    if not mask & PERSON:
        return 0, 0
    strong = sum(1 << i for i, bit in enumerate(STRONG) if mask & bit)
    weak = sum(1 << i for i, bit in enumerate(WEAK) if mask & bit) if mask & CLOSE else 0
    if distant or mask & DISTANT:
        return 0, strong
    return strong, weak & ~strong
