"""The rows of trackers in Dataverse: who tracked an item, to which records it belongs, what its user is asked.

What somebody is asked and suggested stands in the row of their tracker, one word for each record:

    open.1.contact.GUID.party.ambiguous     # asked: records with the same number are an either-or
    open..account.GUID.party.domain         # suggested
    hand..contact.GUID.party.ambiguous      # chosen by hand: beats every rule, on every later sync
    no..contact.GUID.party.ambiguous        # not this one: no rule links it any more

Ids and codes only: no address, no name. A row is changed with the version that was read, so that a choice is not lost
to a sync that comes at the same moment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from capture.crm.dataverse_content import word
from capture.crm.dataverse_http import DataverseHttp, Operation
from capture.crm.dataverse_tables import OF_NAME, OF_WORD, Columns, quoted
from capture.errors import RecordChanged, RecordGone, TryLater
from capture.matching import Match

MOST_CHANGES: Final = 3
OPEN, HAND, NO = "open", "hand", "no"
Target = tuple[str, str]
"""A record by its table and the id of its row."""
_CODES: Final = 100
_LONGEST: Final = 4000
_NAMES: Final = 12
_CHOICE: Final = re.compile(
    rf"({OPEN}|{HAND}|{NO})\.(\d{{0,3}})\.([a-z]+)\.([0-9a-f-]{{36}})\.(party|regarding)\.([a-z-]{{1,32}})")


@dataclass(frozen=True, slots=True)
class Choice:
    """One record that somebody is asked about, or decided on. `reason` is a code of `capture.matching.REASONS`;
    `question` numbers the either-or it is part of, "" for none."""

    state: str
    question: str
    target: Target
    role: str
    reason: str

    def __str__(self) -> str:
        return ".".join((self.state, self.question, *self.target, self.role, self.reason))


@dataclass(frozen=True, slots=True, repr=False)
class Tracker:
    """A row: who tracks which item, what they are asked. `links` are the records this tracker's copy belongs to."""

    key: str
    etag: str
    item: str
    name: str
    matched: str
    links: tuple[Target, ...]
    choices: tuple[Choice, ...]

    @property
    def asked(self) -> int:
        """How many questions only this person can answer."""
        return len({one.question for one in self.choices if one.state == OPEN and one.question})


class Trackers:
    """Reads and writes them."""

    def __init__(self, http: DataverseHttp, columns: Columns) -> None:
        self._http, self._columns = http, columns

    def path(self, key: str) -> str:
        """The address of a row by its alternate key."""
        return f"/{self._columns.trackers}({self._columns.key}={quoted(key)})"

    def upsert(self, item_key: str, tracker: str, found: Match, links: Sequence[Target]) -> tuple[Operation, Tracker]:
        """The row of a tracker that is new, and how it is written."""
        made = Tracker(hashed(item_key, tracker), "", item_key, tracker, found.matched, tuple(links), asked_by(found))
        return self._write(made, found.reason), made

    def join(self, item_key: str, tracker: str, found: Match, links: Sequence[Target],
             by_hand: Collection[Target] = ()) -> Tracker:
        """Write the row of a tracker whose item has an activity already; what was chosen by hand before stands.
        `by_hand`: what was picked for this copy."""
        for _ in range(MOST_CHANGES):
            before = self.of(item_key, tracker)
            operation, made = self.upsert(item_key, tracker, found, links)
            reason = found.reason
            if before is not None:
                choices = merged(before.choices, made.choices, by_hand)
                chosen = [one.target for one in choices if one.state == HAND]
                kept = dict.fromkeys((*chosen, *(link for link in links if _state_of(link, choices) != NO)))
                made = replace(made, etag=before.etag, links=tuple(kept), choices=choices)
                if chosen and found.matched == "unmatched":
                    made, reason = replace(made, matched=OF_NAME[chosen[0][0]].kind), "hand"
                elif links and not kept:  # a rule found what its user said no to
                    made, reason = replace(made, matched="unmatched"), "no-record"
                operation = self._write(made, reason)
            try:
                self._http.send(operation.method, operation.path, operation.body, headers=operation.headers)
            except (RecordChanged, RecordGone):
                continue
            return made
        raise TryLater("dataverse: the row of a tracker kept changing")

    def of(self, item_key: str, tracker: str) -> Tracker | None:
        """The row of a tracker; None when there is none."""
        try:
            raw = self._http.get(self.path(hashed(item_key, tracker)), {"$select": self._selected})
        except RecordGone:
            return None
        return self._row(raw)

    def of_item(self, item_key: str) -> list[Tracker]:
        """All trackers of an item, the first one first."""
        return [self._row(raw) for raw in self._http.pages(f"/{self._columns.trackers}", {
            "$select": self._selected, "$filter": f"{self._columns.item} eq {quoted(item_key)}",
            "$orderby": "createdon asc"}, page=500)]

    def asking(self, names: Collection[str] | None, limit: int) -> list[Tracker]:
        """The rows in which something is open, the newest first; `names`: of these trackers, None = of all."""
        rule = f"contains({self._columns.asked},{quoted(f'{OPEN}.')})"
        wanted = sorted(names) if names is not None else []
        rules = [rule] if names is None else [
            f"{rule} and ({' or '.join(f'{self._columns.name} eq {quoted(n)}' for n in wanted[at:at + _NAMES])})"
            for at in range(0, len(wanted), _NAMES)]
        found: list[tuple[str, Tracker]] = []
        for one in rules:
            for raw in self._http.pages(f"/{self._columns.trackers}", {
                    "$select": self._selected, "$filter": one, "$orderby": "createdon desc",
                    "$top": str(limit)}, page=0):
                found.append((word(raw, "createdon"), self._row(raw)))
        found.sort(key=lambda pair: pair[0], reverse=True)
        return [row for _, row in found[:limit]]

    def decided(self, row: Tracker, target: Target, *, link: bool, role: str = "") -> Operation:
        """What changes the row once its user has said of a record that it is, or is not, what the item belongs to."""
        offered = [one for one in row.choices if one.target == target]
        asked = {one.question for one in offered if one.question and one.state == OPEN} if link else set()
        was = offered[0] if offered else Choice(OPEN, "", target, role or "regarding", "hand")
        made = [replace(was, state=HAND if link else NO, question="", role=role or was.role)]
        made += [replace(one, state=NO, question="") if one.question in asked and one.state == OPEN else one
                 for one in row.choices if one.target != target]
        links = tuple(dict.fromkeys((target, *row.links))) if link else tuple(x for x in row.links if x != target)
        body: dict[str, Any] = {self._columns.asked: written(_alone(made)), self._columns.links: _links(links)}
        if link and row.matched == "unmatched":
            body |= {self._columns.matched: OF_NAME[target[0]].kind, self._columns.reason: "hand"}
        return Operation("PATCH", self.path(row.key), body, {"If-Match": row.etag})

    @property
    def _selected(self) -> str:
        columns = self._columns
        return ",".join((columns.key, columns.item, columns.name, columns.matched, columns.links, columns.asked,
                         "createdon"))

    def _row(self, raw: Any) -> Tracker:
        columns = self._columns
        return Tracker(word(raw, columns.key), word(raw, "@odata.etag"), word(raw, columns.item),
                       word(raw, columns.name), word(raw, columns.matched),
                       tuple(_target(one) for one in word(raw, columns.links).split() if ":" in one),
                       read(word(raw, columns.asked)))

    def _write(self, row: Tracker, reason: str) -> Operation:
        columns = self._columns
        return Operation("PATCH", self.path(row.key), {
            columns.item: row.item, columns.name: row.name[:320], columns.matched: row.matched[:_CODES],
            columns.reason: reason[:_CODES], columns.links: _links(row.links), columns.asked: written(row.choices)},
            {"If-Match": row.etag} if row.etag else {})


def hashed(*parts: str) -> str:
    """The value of an alternate key: hex, for a key may hold none of the characters Message-IDs are full of."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


def target_of(record: str, how: str = "") -> str:
    """The table of a record as matching names it; leads come as what they become."""
    kind = "lead" if how == "lead" else record
    return OF_WORD[kind].name if kind in OF_WORD else kind


def asked_by(found: Match) -> tuple[Choice, ...]:
    """What matching asks and suggests. What it calls an opportunity is here a lead: nothing else is looked up so. Of a
    question ("party 2") the number is kept."""
    return tuple(Choice(OPEN, "".join(filter(str.isdigit, s.question)),
                        (target_of("lead" if s.record == "opportunity" else s.record), s.record_id), s.role, s.reason)
                 for s in found.suggestions)


def merged(before: Iterable[Choice], found: Iterable[Choice], by_hand: Collection[Target] = ()) -> tuple[Choice, ...]:
    """What is open now, and what was decided before. A question that was answered is not asked again because one more
    record has the address."""
    decided = {one.target: one for one in before if one.state != OPEN and not (
        one.state == NO and one.target in by_hand)}
    now = [one for one in found if one.target not in by_hand]
    answered = {one.question for one in now if one.question and one.target in decided
                and decided[one.target].state == HAND}
    fresh = [replace(one, state=NO, question="") if one.question in answered else one
             for one in now if one.target not in decided]
    return _alone([*decided.values(), *fresh])


def read(text: str) -> tuple[Choice, ...]:
    """The choices of a row; what somebody else wrote there is left out."""
    found = (_CHOICE.fullmatch(one) for one in text.split())
    return tuple(Choice(one[1], one[2], (one[3], one[4]), one[5], one[6]) for one in found
                 if one and one[3] in OF_NAME)


def written(choices: Sequence[Choice]) -> str:
    """The choices as text, what was decided first; as many as the column takes."""
    made: list[str] = []
    for one in sorted(choices, key=lambda choice: choice.state == OPEN):
        if sum(len(text) + 1 for text in made) + len(str(one)) > _LONGEST:
            break
        made.append(str(one))
    return " ".join(made)


def _alone(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """A question with one answer left is none any more."""
    open_ = [one.question for one in choices if one.state == OPEN]
    return tuple(replace(one, question="") if one.question and open_.count(one.question) < 2 else one
                 for one in choices)


def _state_of(target: Target, choices: Iterable[Choice]) -> str:
    return next((one.state for one in choices if one.target == target), "")


def _links(links: Iterable[Target]) -> str:
    return " ".join(f"{table}:{ident}" for table, ident in links)[:_LONGEST]


def _target(text: str) -> Target:
    table, _, ident = text.partition(":")
    return table, ident
