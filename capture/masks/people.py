"""Who is named in an item: one number for each person, the same wherever the name stands.

Names are sets of small letters without accents, so "BASRA, Harleen" and "Harleen Basra" are one. A single name
belongs to the one person who bears it; borne by several it has a number of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_CANDIDATES = 50


@dataclass(slots=True)
class _Entry:
    names: frozenset[str]
    order: int
    certain: bool
    number: int = 0


@dataclass(slots=True)
class People:
    """Collects names first (`add`), numbers them once (`settle`), then answers. Never printed."""

    _seen: dict[frozenset[str], _Entry] = field(default_factory=dict)
    _whole: dict[frozenset[str], _Entry] = field(default_factory=dict)
    _bearers: dict[str, list[_Entry]] = field(default_factory=dict)
    count: int = 0

    def __repr__(self) -> str:
        return f"People({self.count})"

    def add(self, names: Iterable[str], *, certain: bool) -> None:
        """Note that these names (folded, initials left out) stand together; `certain`: they are a person's."""
        key = frozenset(n for n in names if len(n) > 1)
        if not key:
            return
        entry = self._seen.get(key)
        if entry is None:
            self._seen[key] = _Entry(key, len(self._seen), certain)
        elif certain:
            entry.certain = True

    def settle(self) -> None:
        """Number everybody in the order of first mention, parts of a name joined to the whole."""
        for entry in sorted(self._seen.values(), key=lambda e: (-len(e.names), e.order)):
            whole = self._owner(entry.names)
            if whole is None:
                self._whole[entry.names] = entry
                for name in entry.names:
                    self._bearers.setdefault(name, []).append(entry)
            else:
                whole.order = min(whole.order, entry.order)
                whole.certain = whole.certain or entry.certain
                self._whole[entry.names] = whole
        people = sorted({id(e): e for e in self._whole.values()}.values(), key=lambda e: e.order)
        numbers = {True: 0, False: 0}
        for entry in people:
            numbers[entry.certain] += 1
            entry.number = numbers[entry.certain]
        self.count = numbers[True]

    def _owner(self, names: frozenset[str]) -> _Entry | None:
        """Who bears all these names: the only one for a single name, the first for several."""
        lists = [self._bearers.get(name, []) for name in names]
        shortest = min(lists, key=len)
        if len(names) == 1:
            return shortest[0] if len(shortest) == 1 else None
        return next((e for e in shortest[:_CANDIDATES] if names <= e.names), None)

    def knows(self, name: str) -> bool:
        """Whether a folded word is one of the names."""
        return name in self._bearers

    def certain(self, name: str) -> bool:
        """Whether a folded word is a name of somebody who is a person for certain."""
        return any(e.certain for e in self._bearers.get(name, ())[:_CANDIDATES])

    def token(self, names: Sequence[str]) -> tuple[str, bool]:
        """The pseudonym for names standing together and whether it is a person's for certain: ("PERSON_3", True),
        ("NAME_2", False), or ("", False) for what was never noted."""
        key = frozenset(n for n in names if len(n) > 1)
        entry = self._whole.get(key) or (self._owner(key) if key else None)
        if entry is None:
            entry = next((e for n in names for e in self._bearers.get(n, ())[:1] if len(self._bearers[n]) == 1), None)
        if entry is None:
            return "", False
        return (f"PERSON_{entry.number}" if entry.certain else f"NAME_{entry.number}"), entry.certain
