"""Keep near-duplicates together: forwards, replies and re-sent mail share long sentences."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence

from pii_scan.semantic.segment import Unit

LONG = 9
"""Blanks in a sentence that is long enough to tell two messages apart."""
COMMON = 20
"""A sentence in more messages than this is boilerplate and joins nothing."""


def near_duplicates(messages: Sequence[Sequence[Unit]]) -> list[int]:
    """For each message the index of the first message of its group."""
    parent = list(range(len(messages)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    holders: dict[str, list[int]] = defaultdict(list)
    for i, units in enumerate(messages):
        for text in sorted({_folded(u.text) for u in units if u.text.count(" ") >= LONG}):
            holders[text].append(i)
    for found in holders.values():
        if 1 < len(found) <= COMMON:
            for other in found[1:]:
                a, b = root(found[0]), root(other)
                parent[max(a, b)] = min(a, b)
    return [root(i) for i in range(len(messages))]


_NUMBERED = re.compile(r"([a-z])(\d{3})")
_RUN = 10
"""Composed messages numbered next to each other are variants of one another, a personal and a harmless one."""


def kept_together(messages: Sequence[Sequence[Unit]], names: Sequence[str]) -> list[int]:
    """Groups that must not be torn apart: near-duplicates, and runs of ten composed messages (a001 to a010)."""
    groups = near_duplicates(messages)
    runs: dict[tuple[str, int], int] = {}
    other = {g: g for g in groups}

    def root(g: int) -> int:
        while other[g] != g:
            g = other[g]
        return g

    for group, name in zip(groups, names, strict=True):
        numbered = _NUMBERED.fullmatch(name)
        if numbered:
            run = (numbered[1], (int(numbered[2]) - 1) // _RUN)
            a, b = root(group), root(runs.setdefault(run, group))
            other[max(a, b)] = min(a, b)
    return [root(g) for g in groups]


def folds(groups: Sequence[int], names: Sequence[str], count: int) -> list[int]:
    """A fold from 0 to count - 1 for each message; whole groups, evenly filled, the same every time.

    `names` are the ids of the messages: the order of folders does not move a message.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    order = sorted(members.values(),
                   key=lambda m: (-len(m), hashlib.sha256(min(names[i] for i in m).encode()).digest()))
    sizes = [0] * count
    result = [0] * len(groups)
    for group_members in order:
        fold = sizes.index(min(sizes))
        sizes[fold] += len(group_members)
        for i in group_members:
            result[i] = fold
    return result


def _folded(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
