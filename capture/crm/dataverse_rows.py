"""Activities of Dataverse: list, read, create, complete, replace.

A new activity is one change set: the row, its files and its tracker, or nothing. It is marked as begun, and mail and
phone calls are left open, until it was read back and is whole; what is marked so is not linked yet.
What is completed cannot be edited, so a change opens it, writes and completes it again, in one change set whose first
step asks for the version that was read.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from capture.crm.dataverse_compose import Draft
from capture.crm.dataverse_content import (
    Content,
    File,
    Party,
    file_body,
    file_columns,
    file_path,
    listed_files,
    word,
)
from capture.crm.dataverse_http import DataverseHttp, Operation
from capture.crm.dataverse_tables import NOTES, ROLES, TABLES, Columns, Ident, Table, moment, quoted, stamp
from capture.errors import RecordGone, TryLater
from capture.ports import StoredRef, Wanted
from pii_scan.text import Unread

BEGUN: Final = "begun:"
"""Before the mark of a row that was not read back yet: what it holds may not be all."""
TRUNCATED, FILES_MISSING = 2, 1
"""`notifications` of a mail: the body was cut; some files were not saved."""
_ITEMS: Final = 20
"""Item keys in one filter."""
_NAME_OF: Final = "@Microsoft.Dynamics.CRM.lookuplogicalname"


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """An activity as it was read. `etag` is its version for writes; `files` are listed, not read, unless `content`
    says so; `unread`: files Dataverse did not hand over."""

    ident: Ident
    etag: str
    state: tuple[int, int]
    raw: Mapping[str, Any]
    content: Content
    unread: tuple[Unread, ...] = ()

    def linked(self) -> set[str]:
        """The ids of the records on whose timelines it stands."""
        about = word(self.raw, "_regardingobjectid_value")
        return {party.row for party in self.content.parties if party.row} | ({about} if about else set())


class Rows:
    """Reads and writes activities. `page`: rows asked for at a time."""

    def __init__(self, http: DataverseHttp, columns: Columns, page: int) -> None:
        self._http, self._columns, self._page = http, columns, page

    # ------------------------------------------------------------------------------------------ list

    def listed(self, wanted: Wanted, after: Ident | None, limit: int) -> list[StoredRef]:
        """One page of activities in the order of our ids."""
        found = [one for table in _of(wanted) for one in self._of_table(table, wanted, after, limit)]
        found.sort(key=lambda one: str(one[0]))
        return [StoredRef(str(ident), ident.table.kind, division) for ident, division in found[:limit]]

    def count(self, wanted: Wanted) -> int:
        """How many there are. Dataverse's own count ends at 5,000, so the ids are paged through."""
        return sum(1 for table in _of(wanted)
                   for _ in self._http.pages(f"/{table.path}", _query(table, wanted, "activityid"), page=5000))

    def _of_table(self, table: Table, wanted: Wanted, after: Ident | None,
                  limit: int) -> list[tuple[Ident, str]]:
        """At least the first `limit` after an id, if there are so many. Rows made within one second come in an order
        that is not that of ids, so a second is always read to its end."""
        begin = None if after is None else after.created + (timedelta() if table.letter >= after.table.letter
                                                            else timedelta(seconds=1))
        query = _query(table, wanted, "activityid,createdon", begin)
        query |= {"$orderby": "createdon asc", "$expand": "owningbusinessunit($select=name)"}
        found: list[tuple[Ident, str]] = []
        floor = str(after) if after else ""
        for row in self._http.pages(f"/{table.path}", query, page=max(2, min(self._page, limit + 1))):
            ident = Ident(moment(row["createdon"]), table, str(row["activityid"]))
            if len(found) >= limit and ident.created > found[limit - 1][0].created:
                break
            if str(ident) > floor:
                found.append((ident, division_of(row)))
        return found

    # ------------------------------------------------------------------------------------------ read

    def read(self, ident: Ident, *, files: bool = True) -> Row:
        """One activity; `files`: with their content. Raises `RecordGone`."""
        return self._row(ident.table, self._http.get(ident.address, _selected(ident.table, self._columns)), files)

    def of_key(self, table: Table, key: str, *, files: bool = False) -> Row | None:
        """The activity with this alternate key; None when there is none."""
        try:
            raw = self._http.get(f"/{table.path}({self._columns.key}={quoted(key)})",
                                 _selected(table, self._columns))
        except RecordGone:
            return None
        return self._row(table, raw, files)

    def of_message_id(self, table: Table, message_id: str) -> Row | None:
        """The oldest activity with this Message-ID; None when there is none we may see."""
        found = list(self._http.pages(f"/{table.path}", {
            "$select": "activityid", "$filter": f"messageid eq {quoted(message_id)}", "$orderby": "createdon asc",
            "$top": "1"}, page=0))
        if not found:
            return None
        try:
            raw = self._http.get(f"/{table.path}({found[0]['activityid']})", _selected(table, self._columns))
        except RecordGone:
            return None
        return self._row(table, raw, files=False)

    def _row(self, table: Table, raw: Any, files: bool) -> Row:
        if not isinstance(raw, dict) or "activityid" not in raw or "@odata.etag" not in raw:
            raise TryLater("dataverse: the reply is no activity")
        listed = listed_files(table, raw)
        read, unread = self._read_files(table, listed) if files else (listed, ())
        parties = tuple(_party(one) for one in raw.get(table.parties) or [] if one["participationtypemask"] in ROLES) \
            if table.parties else ()
        content = Content(word(raw, "subject"), word(raw, "description"), word(raw, "messageid"),
                          word(raw, table.place) if table.place else "", parties, tuple(read))
        ident = Ident(moment(raw["createdon"]), table, str(raw["activityid"]))
        return Row(ident, str(raw["@odata.etag"]), (int(raw["statecode"]), int(raw["statuscode"])), raw, content,
                   tuple(unread))

    def _read_files(self, table: Table, listed: Sequence[File]) -> tuple[list[File], tuple[Unread, ...]]:
        """The files with their content, one request each, and those that were listed and not handed over."""
        found: list[File] = []
        unread: list[Unread] = []
        for file in listed:
            content, path = b"", file_path(table, file)
            _, _, column = file_columns(path)
            if file.name or path != NOTES:
                try:
                    body = word(self._http.get(f"/{path}({file.row})", {"$select": column}), column)
                    content = base64.b64decode(body, validate=True)
                except (RecordGone, binascii.Error):
                    body = ""
                if not body:
                    unread.append(Unread(f"attachment {file.number} of {len(listed)}", "not_fetched"))
            found.append(replace(file, content=content))
        return found, tuple(unread)

    # ------------------------------------------------------------------------------------------ write

    def create(self, draft: Draft, key: str, item_key: str, more: Mapping[str, Any],
               also: Sequence[Operation]) -> None:
        """Write a new activity with its files, and `also` what goes with it: all or nothing. `more` are columns of
        the row.

        Raises `CrmDuplicate` when the key, or the Message-ID, is there already.
        """
        table, columns = draft.table, self._columns
        row = str(uuid.uuid4())
        address = f"/{table.path}({row})"
        body: dict[str, Any] = {
            "activityid": row, columns.key: key, columns.item: item_key,
            columns.filled: BEGUN + draft.content.mark(), **self._fields(table, draft.content), **draft.fields, **more}
        if table.parties:
            body[table.parties] = [party.body() for party in draft.content.parties]
        files = [Operation("POST", f"/{file_path(table, file)}", file_body(table, address, file))
                 for file in draft.content.files]
        self._http.change_set([Operation("POST", f"/{table.path}", body), *files, *also])

    def complete(self, row: Row, state: tuple[int, int]) -> None:
        """Note that a row is whole, and complete it if rows of its kind are. Raises `RecordChanged` when it is not the
        row that was read any more."""
        body: dict[str, Any] = {self._columns.filled: word(row.raw, self._columns.filled).removeprefix(BEGUN)}
        if row.ident.table.closes:
            body |= {"statecode": state[0], "statuscode": state[1]}
        self._http.send("PATCH", row.ident.address, body, headers={"If-Match": row.etag})

    def delete(self, row: Row, *also: str) -> None:
        """Delete a row and what belongs to it, if it is still the one that was read, and the rows at these paths."""
        first = Operation("DELETE", row.ident.address, None, {"If-Match": row.etag})
        self._http.change_set([first, *(Operation("DELETE", path) for path in also)])

    def replace(self, row: Row, content: Content | None, more: Mapping[str, Any], *,
                state: tuple[int, int] | None = None) -> None:
        """Put this content in the place of what a row has (None = leave it), and set the columns `more`; the row ends
        in the state it had, or in `state`. Raises `RecordChanged` when it is not the row that was read any more."""
        table, ident = row.ident.table, row.ident
        ends = state or row.state
        steps: list[Operation] = []
        if row.state[0] != 0:
            steps.append(Operation("PATCH", ident.address, {"statecode": table.open[0], "statuscode": table.open[1]}))
        body = dict(more) | (self._fields(table, content) if content else {})
        steps.append(Operation("PATCH", ident.address, body))
        if content is not None:
            if table.parties:
                steps.append(Operation("PUT", f"{ident.address}/{table.parties}",
                                       {"value": [party.body() for party in content.parties]}))
            steps += [Operation("DELETE", f"/{file_path(table, file)}({file.row})") for file in row.content.files]
            steps += [Operation("POST", f"/{file_path(table, file)}", file_body(table, ident.address, file))
                      for file in content.files]
        if ends != table.open and (row.state[0] != 0 or state is not None):
            steps.append(Operation("PATCH", ident.address, {"statecode": ends[0], "statuscode": ends[1]}))
        first = Operation(steps[0].method, steps[0].path, steps[0].body, {"If-Match": row.etag})
        self._http.change_set([first, *steps[1:]])

    def add_parties(self, row: Row, parties: Sequence[Party], more: Mapping[str, Any]) -> None:
        """Add parties to a row and set the columns `more`, all else as it is."""
        steps = self.with_people(row, (*row.content.parties, *parties) if parties else None, more)
        if steps:
            self._http.change_set(steps)

    @staticmethod
    def with_people(row: Row, parties: Sequence[Party] | None, more: Mapping[str, Any]) -> list[Operation]:
        """What gives a row these parties (None = those it has) and the columns `more`, all else as it is; the first
        step asks for the version that was read."""
        table, ident = row.ident.table, row.ident
        change = parties is not None and bool(table.parties)
        if not (more or change):
            return []
        steps = [Operation("PATCH", ident.address, {"statecode": table.open[0], "statuscode": table.open[1]})] \
            if row.state[0] != 0 else []
        steps += [Operation("PATCH", ident.address, dict(more))] if more else []
        if change:
            steps.append(Operation("PUT", f"{ident.address}/{table.parties}",
                                   {"value": [party.body() for party in parties or ()]}))
        if row.state[0] != 0:
            steps.append(Operation("PATCH", ident.address, {"statecode": row.state[0], "statuscode": row.state[1]}))
        return [Operation(steps[0].method, steps[0].path, steps[0].body, {"If-Match": row.etag}), *steps[1:]]

    def of_items(self, items: Collection[str], columns: str) -> dict[str, tuple[Ident, Mapping[str, Any]]]:
        """Item key -> the activity of it with these columns besides; other copies kept beside it are not meant."""
        found: dict[str, tuple[Ident, Mapping[str, Any]]] = {}
        wanted = sorted(items)
        for table in TABLES:
            names = ",".join(dict.fromkeys(("activityid", "createdon", self._columns.item, *columns.split(","))))
            for at in range(0, len(wanted), _ITEMS):
                rule = " or ".join(f"{self._columns.item} eq {quoted(item)}" for item in wanted[at:at + _ITEMS])
                for raw in self._http.pages(f"/{table.path}", {"$select": names, "$filter": rule}, page=0):
                    ident = Ident(moment(raw["createdon"]), table, str(raw["activityid"]))
                    found[word(raw, self._columns.item)] = ident, raw
        return found

    def forget_history(self, ident: Ident) -> None:
        """Delete what Dataverse's own auditing kept of a row's earlier content."""
        self._http.send("POST", "/DeleteRecordChangeHistory", {"Target": {
            "@odata.type": f"Microsoft.Dynamics.CRM.{ident.table.name}", "activityid": ident.row}})

    @staticmethod
    def _fields(table: Table, content: Content) -> dict[str, Any]:
        made: dict[str, Any] = {"subject": content.subject, "description": content.text}
        if table.name == "email":
            made["messageid"] = content.message_id or None
        if table.place:
            made[table.place] = content.place or None
        return made


def division_of(row: Mapping[str, Any]) -> str:
    """The business unit that owns a row, as divisions are named; "" when it is not known."""
    unit = row.get("owningbusinessunit")
    return word(unit, "name").casefold() if isinstance(unit, dict) else ""


def _party(row: Mapping[str, Any]) -> Party:
    ident = word(row, "_partyid_value")
    table = word(row, f"_partyid_value{_NAME_OF}") if ident else ""
    return Party(int(row["participationtypemask"]), word(row, "addressused"),
                 word(row, "unresolvedpartyname"), table, ident)


def _selected(table: Table, columns: Columns) -> dict[str, str]:
    """What is asked for of an activity: everything a person wrote, and what we need to know of it."""
    names = ["activityid", "createdon", "subject", "description", "statecode", "statuscode",
             "_regardingobjectid_value", columns.item, columns.filled, columns.stub]
    names += {"email": ["messageid", "notifications", "attachmentcount", "actualend", "directioncode"],
              "appointment": ["location", "scheduledstart"],
              "phonecall": ["phonenumber", "scheduledend", "directioncode"],
              "task": ["scheduledend"]}[table.name]
    expand = [f"{table.files}($select={file_columns(table.file_path)[1]})", "owningbusinessunit($select=name)"]
    if table.notes:
        expand.append(f"{table.notes}($select={file_columns(NOTES)[1]})")
    if table.parties:
        expand.append(f"{table.parties}($select=participationtypemask,addressused,unresolvedpartyname,_partyid_value)")
    return {"$select": ",".join(names), "$expand": ",".join(expand)}


def _query(table: Table, wanted: Wanted, columns: str, begin: datetime | None = None) -> dict[str, str]:
    since = max((one for one in (wanted.since, begin) if one is not None), default=None)
    rules = [] if since is None else [f"createdon ge {stamp(since)}"]
    if wanted.until is not None:
        rules.append(f"createdon lt {stamp(wanted.until)}")
    if wanted.division:
        rules.append(f"owningbusinessunit/name eq {quoted(wanted.division)}")
    if wanted.attached:
        has = [f"{name}/any(f:f/{file_columns(path)[0]} ne null)"
               for name, path in ((table.files, table.file_path), (table.notes, NOTES)) if name]
        rules.append(f"({' or '.join(has)})")
    return {"$select": columns} | ({"$filter": " and ".join(rules)} if rules else {})


def _of(wanted: Wanted) -> Iterator[Table]:
    for table in TABLES:
        if not wanted.kinds or table.kind in wanted.kinds:
            yield table
