"""Which record does an item belong to? What people are asked about activities in Dataverse, and their answers.

The questions stand in the rows of trackers (`dataverse_trackers`). An answer is one change set: the activity shows the
record (what it is about, or a related party), somebody of it whose address is the record's is bound to it, and the
tracker's row notes the choice; each asks for the version that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from capture.crm.dataverse_content import Party, word
from capture.crm.dataverse_http import DataverseHttp, Operation
from capture.crm.dataverse_people import Caller, People, with_hyphens
from capture.crm.dataverse_rows import BEGUN, Row, Rows, division_of
from capture.crm.dataverse_tables import OF_NAME, OF_WORD, RELATED, Columns, Target, ident_of
from capture.crm.dataverse_trackers import MOST_CHANGES, OPEN, Choice, Tracker, Trackers
from capture.errors import RecordChanged, RecordGone, TryLater
from capture.matching import key_of
from capture.ports import Asked, Question, Record, StoredKind
from store.errors import BadState, NotFound

_TIMES: Final = {"email": "actualend", "appointment": "scheduledstart", "phonecall": "scheduledend",
                 "task": "scheduledend"}
_GONE: Final = "gone"


class Asking:
    """Asks and takes answers."""

    def __init__(self, http: DataverseHttp, columns: Columns, rows: Rows, people: People, trackers: Trackers) -> None:
        self._http, self._columns, self._rows = http, columns, rows
        self._people, self._trackers = people, trackers

    def asked(self, names: Collection[str] | None, limit: int) -> list[Asked]:
        """What is open for these trackers (None = for all); ids and codes."""
        waiting = self._trackers.asking(names, limit)
        of_items = self._rows.of_items({row.item for row in waiting}, "createdon")
        return [_asked(str(of_items[row.item][0]), row, one)
                for row in waiting if row.item in of_items for one in row.choices if one.state == OPEN]

    def about(self, names: Collection[str] | None, activity: str) -> list[Asked]:
        """What is open for these trackers about one activity; nothing once it is gone."""
        folded = None if names is None else {name.casefold() for name in names}
        try:
            trackers = self._trackers.of_item(self._item(self._rows.read(ident_of(activity), files=False)))
        except RecordGone:
            return []
        return [_asked(activity, row, one) for row in trackers if folded is None or row.name.casefold() in folded
                for one in row.choices if one.state == OPEN]

    def in_words(self, asked: Sequence[Asked], caller_of: Callable[[str], Caller]) -> list[Question]:
        """The same in words: each record with the rights of the one who is asked."""
        shown: dict[str, tuple[str, str]] = {}
        records: dict[tuple[str, str, str], Record | None] = {}
        callers = {name: caller_of(name) for name in {one.tracker for one in asked}}
        found: list[Question] = []
        for one in asked:
            if one.activity not in shown:
                shown[one.activity] = self._subject(one.activity)
            name = one.tracker, one.kind, one.ident
            if name not in records:
                records[name] = self._people.named(one.kind, one.ident, callers[one.tracker])
            record, (subject, sent) = records[name], shown[one.activity]
            if record is not None and sent != _GONE:
                found.append(Question(one, subject, sent, record))
        return found

    def whose(self, activity: str) -> tuple[str, tuple[str, ...]]:
        """The division of an activity and the mailboxes that track it. Raises `RecordGone`."""
        row = self._rows.read(ident_of(activity), files=False)
        return division_of(row.raw), tuple(dict.fromkeys(one.name for one in self._trackers.of_item(self._item(row))))

    def answer(self, activity: str, tracker: str, record: tuple[str, str], caller: Caller, *, link: bool,
               role: str = "") -> None:
        """Note what somebody said of a record, and show the activity with it. Raises `NotFound`, `BadState`."""
        kind, ident = record[0], with_hyphens(record[1]).casefold()
        target = OF_WORD.get(kind)
        if target is None or (link and not self._people.is_there(kind, ident, caller)):
            raise NotFound("record")
        addresses = self._people.addresses(kind, ident, caller) if link else frozenset()
        for _ in range(MOST_CHANGES):
            row = self._rows.read(ident_of(activity), files=False)
            mine = self._trackers.of(self._item(row), tracker)
            if mine is None:
                raise NotFound("tracker")
            open_ = any(one.target == (target.name, ident) and one.state == OPEN for one in mine.choices)
            if not link and not open_:
                raise NotFound("suggestion")
            noted = self._trackers.decided(mine, (target.name, ident), link=link, role=role)
            steps = list(self._shown_with(row, target, ident, addresses)) if link else []
            try:
                self._http.change_set([*steps, noted])
            except RecordChanged:
                continue
            return
        raise TryLater("dataverse: the activity kept changing")

    # ------------------------------------------------------------------------------------------ inside

    def _item(self, row: Row) -> str:
        """The key of the item an activity was made for. Raises `RecordGone` when it was made for none."""
        item = word(row.raw, self._columns.item)
        if not item:
            raise RecordGone("an activity that mailweir did not write")
        return item

    def _subject(self, activity: str) -> tuple[str, str]:
        """Subject line and time; (_, _GONE) for what is not there or was pulled out."""
        try:
            row = self._rows.read(ident_of(activity), files=False)
        except RecordGone:
            return "", _GONE
        if word(row.raw, self._columns.stub):
            return "", _GONE
        return row.content.subject, word(row.raw, _TIMES[row.ident.table.name])

    def _shown_with(self, row: Row, target: Target, ident: str, addresses: Collection[str]) -> Iterator[Operation]:
        """What shows an activity with a record: as what it is about when it is about nothing yet, else as a related
        party of a mail; and the people with its address bound to it."""
        if word(row.raw, self._columns.stub):
            raise BadState("its content is held for privacy review")
        if word(row.raw, self._columns.filled).startswith(BEGUN):
            raise TryLater("dataverse: the activity is being written")
        table, people = row.ident.table, row.content.parties
        bound = tuple(replace(one, table=target.name, row=ident, name="")
                      if not one.row and key_of(one.address) in addresses else one for one in people)
        more: dict[str, Any] = {}
        if not word(row.raw, "_regardingobjectid_value"):
            more = {f"{table.regarding(target.name)}@odata.bind": f"/{target.path}({ident})"}
        elif table.kind is StoredKind.MAIL and ident not in row.linked() and bound == people:
            bound = (*bound, Party(RELATED, "", "", target.name, ident))
        yield from self._rows.with_people(row, bound if bound != people else None, more)


def _asked(activity: str, row: Tracker, one: Choice) -> Asked:
    return Asked(activity, row.name, one.question, OF_NAME[one.target[0]].kind, one.target[1], one.reason)
