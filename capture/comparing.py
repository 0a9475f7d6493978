"""`mailweir policy diff`: which verdicts two policy packs give differently over what is stored. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from capture.desk import actor_name
from capture.errors import RecordGone
from capture.ports import Wanted
from capture.rescan import held_content, judged, scanner_for
from capture.rescanning import moment_of
from capture.settings import Settings
from capture.stored import read_stored, together
from capture.wiring import Tools, assembled
from pii_scan.findings import Decision
from pii_scan.policy import load_pack
from pii_scan.text import Extraction
from store import audit, cases

PAGE = 200


@dataclass(slots=True)
class Diff:
    """What came of a comparison: `changes` counts "pass>block" and so on, `categories` counts the changed items by
    what either pack found, `items` has one line for each changed item."""

    old: str
    new: str
    looked_at: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    categories: dict[str, Counter[str]] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)

    def note(self, ident: str, kind: str, was: Decision, now: Decision) -> None:
        """Count one item."""
        self.looked_at += 1
        if was.verdict == now.verdict:
            return
        change = f"{was.verdict}>{now.verdict}"
        self.changes[change] += 1
        self.by_kind.setdefault(kind, Counter())[change] += 1
        found = sorted({*was.categories, *now.categories})
        for category in found:
            self.categories.setdefault(category, Counter())[change] += 1
        self.items.append({"item": ident, "kind": kind, "was": was.verdict.value, "now": now.verdict.value,
                           "rule_was": was.rule, "rule_now": now.rule, "categories": found})

    def as_json(self) -> dict[str, Any]:
        """A published form: other people script against it."""
        return {"old": self.old, "new": self.new, "looked_at": self.looked_at, "changed": len(self.items),
                "changes": dict(sorted(self.changes.items())),
                "by_kind": {kind: dict(sorted(found.items())) for kind, found in sorted(self.by_kind.items())},
                "categories": {name: dict(sorted(found.items())) for name, found in sorted(self.categories.items())},
                "items": self.items}


def compared(settings: Settings, old: str, new: str, *, since: str = "",
             advance: Callable[[int, int], None] = lambda _done, _total: None) -> Diff:
    """Scan everything stored since a date, and every held item, with both packs.

    Held items count with the verdict their content gets, not with what a reviewer made of them. `advance` is told
    how many were looked at, of how many. Raises `ScanError` and `BadFilter`.
    """
    began = moment_of(since)
    wanted = Wanted(since=datetime.fromisoformat(began) if began else None)
    result = Diff(load_pack(old).label, load_pack(new).label)
    with assembled(settings) as tools:
        both = scanner_for(tools, old, ""), scanner_for(tools, new, "")
        total = tools.crm.count(wanted)
        for ident, kind, extraction in _everything(tools, wanted):
            result.note(ident, kind, *(judged(scanner, extraction, "") for scanner in both))
            advance(result.looked_at, total)
        with tools.database.session() as session:
            audit.append(session, "policy:packs:compared", actor=actor_name(), body={
                "old": result.old, "new": result.new, "items": result.looked_at,
                "changes": {change.replace(">", "-"): count for change, count in result.changes.items()}})
    return result


def _everything(tools: Tools, wanted: Wanted) -> Iterator[tuple[str, str, Extraction]]:
    """(id, kind, text) of every stored item that is there, then of every held one."""
    readers = tools.settings.engine.readers
    with ThreadPoolExecutor(readers, thread_name_prefix="compare") as pool:
        after = ""
        while page := tools.crm.stored(wanted, after, PAGE):
            after = page[-1].id
            for begin in range(0, len(page), 4 * readers):  # a few at a time, so that few lie in memory
                some = [ref.id for ref in page[begin:begin + 4 * readers]]
                yield from (found for found in pool.map(partial(_stored, tools), some) if found)
    after = ""
    while True:
        with tools.database.reading() as session:
            numbers = cases.numbers(session, after=after, since=wanted.since, limit=PAGE)
        if not numbers:
            return
        after = numbers[-1]
        for number in numbers:
            raw = held_content(tools, number)
            if raw is not None:
                yield number, "held", tools.extractor.extract(raw)


def _stored(tools: Tools, ident: str) -> tuple[str, str, Extraction] | None:
    try:
        item = tools.crm.read(ident)
    except RecordGone:
        return None
    if item.stub:
        return None  # its content is in a case, and comes with the held ones
    read, whole = read_stored(item, tools.extractor, tools.settings.extract), together(item)
    return ident, item.ref.kind.value, Extraction((*read.parts, *whole.parts)) if whole is not None else read
