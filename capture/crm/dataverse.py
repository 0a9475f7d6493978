"""The CRM in Dynamics 365 (Dataverse), through its Web API.

The pieces: `dataverse_compose` (what a new activity holds), `dataverse_rows` (reading and writing activities),
`dataverse_people` (who and what is known, with whose rights), `dataverse_trackers` and `dataverse_asking` (who tracks
an item, what they are asked), `dataverse_check`; under them `dataverse_http` (pace,
token, change sets), `dataverse_content`, `dataverse_tables` and `dataverse_errors`.

One activity per item, found again by an alternate key that holds a hash of the item key; one row per tracker, found
by a hash of item key and tracker. Every write is one of those upserts, or asks for the version it was made from, so
a call that is repeated, or cut off anywhere, does no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from sqlmodel import Session

from capture.crm import lookup
from capture.crm.dataverse_asking import Asking
from capture.crm.dataverse_check import examine
from capture.crm.dataverse_compose import Draft, Limits, draft_of, draft_of_typed
from capture.crm.dataverse_content import Content, Party, bare, from_bytes, mail_of, stub, word
from capture.crm.dataverse_errors import CrmDuplicate
from capture.crm.dataverse_hosts import address_of, in_profile
from capture.crm.dataverse_http import DataverseHttp, Operation, rows
from capture.crm.dataverse_people import Caller, Known, People, with_hyphens
from capture.crm.dataverse_rows import BEGUN, FILES_MISSING, TRUNCATED, Row, Rows, division_of
from capture.crm.dataverse_tables import OF_WORD, RELATED, Columns, Table, ident_of, moment, quoted
from capture.crm.dataverse_trackers import MOST_CHANGES, Trackers, hashed, target_of
from capture.crm.offers import offers_of
from capture.crm.trackers import address_of_tracker, division_of_tracker
from capture.crmsettings import DataverseSettings
from capture.errors import CrmDenied, CrmIncomplete, RecordChanged, RecordGone, TryLater
from capture.mailbox.tokens import TokenProvider, service_tokens
from capture.matching import Chosen, Match, match
from capture.pace import PATIENCE
from capture.ports import (
    Asked,
    Asks,
    Check,
    Crm,
    Linked,
    MailItem,
    Offers,
    Question,
    Record,
    Restored,
    StoredItem,
    StoredKind,
    StoredRef,
    Typed,
    Wanted,
)
from capture.settings import Settings
from pii_scan.text import Envelope, Extraction
from store import cases
from store.database import Database
from store.errors import DatabaseLocked, NotFound
from store.tables import OPEN_CASE, CaseState

log = logging.getLogger("mailweir.crm")
PUBLIC_LOGIN: Final = "https://login.microsoftonline.com"
LIMITS_SECONDS: Final = 600.0
VARIANT: Final = "other-copy"
"""Another copy of an item, with other content, was kept beside the first."""
_TIMES: Final = ("actualend", "scheduledstart", "scheduledend")


class DataverseCrm:
    """The activities of one organisation. Thread-safe. `own_domains` are the mail domains of the installation; the
    database says to which division a tracker belongs and whether a case is open."""

    def __init__(self, settings: DataverseSettings, tokens: TokenProvider, database: Database,
                 own_domains: Collection[str] = (), *, patience: float = PATIENCE) -> None:
        self._settings, self._database = settings, database
        self._own = frozenset(domain.strip().casefold() for domain in own_domains)
        self.http = DataverseHttp(address_of(settings), tokens, timeout=settings.timeout_seconds,
                                  ca_file=settings.ca_file, parallel=settings.parallel, patience=patience)
        self._columns = Columns(settings.prefix)
        self._rows = Rows(self.http, self._columns, settings.page_size)
        self._trackers = Trackers(self.http, self._columns)
        self._people = People(self.http, self._own, act=settings.act_for_tracker, leads=settings.leads)
        self._asking = Asking(self.http, self._columns, self._rows, self._people, self._trackers)
        self._lock = threading.Lock()
        self._known: tuple[float, Limits, bool] | None = None
        self._service = ""

    def __repr__(self) -> str:
        return "DataverseCrm(...)"

    def close(self) -> None:
        """Close the connections; the tokens go with the object."""
        self.http.close()

    # ------------------------------------------------------------------------------------------ link

    def link(self, item_key: str, tracker: str, item: MailItem, envelope: Envelope,
             extraction: Extraction) -> Linked:
        """Write one activity for the item (or add the tracker to it) and link it to its records."""
        caller = self._caller(tracker)
        known = self._people.of_item([party.email for party in envelope.parties()], caller)
        with self._reading() as session:
            barred = lookup.barred(session, tracker, item, envelope)
        found = match(envelope.parties(), known.directory, self._own, chosen=self._chosen(item.record, caller),
                      barred=barred)
        draft = draft_of(item, envelope, extraction, self._limits(), known.resolved, self._own,
                         hold_oversize=self._settings.oversize == "hold")
        return self._put(item_key, tracker, draft, found, caller, known)

    def write(self, item_key: str, author: str, typed: Typed) -> Linked:
        """Write what a person typed as one activity."""
        caller = self._caller(author)
        people = (typed.caller, *typed.called)
        known = self._people.of_item([one.email for one in people], caller)
        picked = self._chosen(typed.record, caller)
        chosen = Chosen(by_hand=(*picked.by_hand, *picked.by_folder))
        found = match(people, known.directory, self._own, chosen=chosen)
        return self._put(item_key, author, draft_of_typed(typed, known.resolved), found, caller, known)

    def suggest(self, tracker: str, item: MailItem, envelope: Envelope, *, who: str = "") -> Offers:
        """What `link` would make of the item, as far as `who` may see."""
        caller = self._caller(who or tracker)
        known = self._people.of_item([party.email for party in envelope.parties()], caller)
        with self._reading() as session:
            barred = lookup.barred(session, tracker, item, envelope)
        found = match(envelope.parties(), known.directory, self._own, barred=barred)
        # what matching calls an opportunity is here a lead: no other opportunity is looked up by address
        return offers_of(found, lambda kind, ident: self._people.named(
            "lead" if kind == "opportunity" else kind, ident, caller))

    def find(self, text: str, *, who: str = "", kinds: tuple[str, ...] = (), limit: int = 20) -> list[Record]:
        """Records of this name or address that `who` may see."""
        return self._people.find(text, self._caller(who), kinds, limit)

    def _chosen(self, named: str, caller: Caller) -> Chosen:
        """The records that were chosen ("contact:ID hand/lead:ID"), those that are there and visible to the caller."""
        found: dict[str, list[tuple[str, str]]] = {"hand": [], "folder": []}
        for one in named.split():
            how, slash, rest = one.rpartition("/")
            kind, _, ident = rest.partition(":")
            ident = with_hyphens(ident)
            if self._people.is_there(kind, ident, caller):
                found["hand" if slash and how == "hand" else "folder"].append((kind, ident))
        return Chosen(tuple(found["hand"]), tuple(found["folder"]))

    def _put(self, item_key: str, tracker: str, draft: Draft, found: Match, caller: Caller, known: Known) -> Linked:
        """Create the activity or join the one there is; then it is whole, and the tracker is on it."""
        links = [(target_of(link.record, link.how), link.record_id) for link in found.links]
        note, mine = self._trackers.upsert(item_key, tracker, found, links)
        draft = _with_related(draft, links, known)
        key = hashed(item_key)
        row, made = self._rows.of_key(draft.table, key), False
        if row is None:
            row, made = self._created(item_key, key, draft, links, note, caller)
        notes = draft.notes
        if not made:
            picked = {(target_of(link.record, link.how), link.record_id) for link in found.links if link.how == "hand"}
            mine = self._trackers.join(item_key, tracker, found, links, picked)
            row = self._joined(row, draft, mine.links, note)
            notes = (VARIANT,) if self._is_other(row, draft) else ()
        if notes == (VARIANT,):  # beside the first: a rescan reads it, it stands on nobody's timeline
            content = replace(draft.content.unbound(), message_id="")
            self._put(hashed(item_key, content.mark()), tracker, replace(draft, content=content),
                      Match("unmatched", VARIANT), caller, Known())
        records, matched = self._links_of(item_key)
        return Linked(str(row.ident), matched, records, asked=mine.asked, notes=notes)

    def _is_other(self, row: Row, draft: Draft) -> bool:
        """Whether a copy under one key has other words or files than the one there is. Nothing is said of what others
        wrote, or what is held."""
        kept = word(row.raw, self._columns.filled).removeprefix(BEGUN)
        return bool(kept) and not word(row.raw, self._columns.stub) and kept != draft.content.mark()

    def _created(self, item_key: str, key: str, draft: Draft, links: Sequence[tuple[str, str]], note: Operation,
                 caller: Caller) -> tuple[Row, bool]:
        """The activity and whether this call made it. One that Dataverse has already, written by others or tracked by
        Dynamics itself, is joined."""
        there = self._promoted(draft)
        if there is None:
            more = _regarding(draft.table, links)
            if caller.user and self._settings.owner == "tracker":
                more["ownerid@odata.bind"] = f"/systemusers({caller.user})"
            try:
                self._rows.create(draft, key, item_key, more, [note])
            except CrmDuplicate:
                there = self._rows.of_key(draft.table, key)
                if there is None and draft.content.message_id:
                    there = self._rows.of_message_id(draft.table, draft.content.message_id)
                if there is None:
                    raise
            else:
                row = self._rows.of_key(draft.table, key)
                if row is None:
                    raise TryLater("dataverse: the new activity is not there yet")
                self._finish(row, draft, note)
                return row, True
        if not word(there.raw, self._columns.item):  # not ours: from now on it is found by our key
            self._rows.replace(there, None, {self._columns.key: key, self._columns.item: item_key})
            there = self._rows.read(there.ident, files=False)
        return there, False

    def _promoted(self, draft: Draft) -> Row | None:
        """The mail, if Dynamics tracked it by itself: asked of its own test, which knows more than our key."""
        if draft.table.kind is not StoredKind.MAIL or not draft.content.message_id:
            return None
        said = self.http.get("/CheckPromoteEmail(MessageId=@m,Subject=@s,DirectionCode=@d)", {
            "@m": quoted(draft.content.message_id), "@s": quoted(draft.content.subject),
            "@d": "1" if draft.outgoing else "0"})
        if said.get("ShouldPromote") is not False:
            return None
        return self._rows.of_message_id(draft.table, draft.content.message_id)

    def _joined(self, row: Row, draft: Draft, links: Sequence[tuple[str, str]], note: Operation) -> Row:
        """The activity there is, whole, and with this copy's records."""
        held = word(row.raw, self._columns.stub)
        if held and not self._case_in(held, OPEN_CASE):
            self._rows.replace(row, draft.content, {self._columns.stub: "",
                                                    self._columns.filled: draft.content.mark()})
            return self._rows.read(row.ident, files=False)
        if word(row.raw, self._columns.filled).startswith(BEGUN):
            self._finish(row, None, note)
        if not held:
            self._add_records(row, links)
        return row

    def _add_records(self, row: Row, links: Sequence[tuple[str, str]]) -> None:
        """Show the activity with records that an earlier copy did not have. What somebody changes meanwhile is read
        again; the tracker's row holds the records in any case."""
        table = row.ident.table
        for _ in range(MOST_CHANGES):
            missing = [link for link in links if link[1] not in row.linked()]
            more = _regarding(table, links) if not word(row.raw, "_regardingobjectid_value") else {}
            related = [Party(RELATED, "", "", target, ident) for target, ident in missing] \
                if table.kind is StoredKind.MAIL else []
            if not missing or not (more or related):
                return
            try:
                self._rows.add_parties(row, related if len(missing) > len(more) else [], more)
            except RecordChanged:
                row = self._rows.read(row.ident, files=False)
            else:
                return
        raise TryLater("dataverse: the activity kept changing")

    def _finish(self, row: Row, draft: Draft | None, note: Operation) -> None:
        """Complete the activity when all of it is there. `draft` is what was just written; without one, it is
        compared with the mark that was noted when it was.

        Raises `CrmIncomplete` after deleting it with this tracker's row.
        """
        if draft is None:
            row = self._rows.read(row.ident)
            if not word(row.raw, self._columns.filled).startswith(BEGUN):
                return
            whole = BEGUN + row.content.mark() == word(row.raw, self._columns.filled)
        else:
            whole = _is_whole(row, draft)
        if not whole:
            try:
                self._rows.delete(row, note.path)
            except (RecordGone, RecordChanged):
                raise TryLater("dataverse: the activity changed while it was written") from None
            raise CrmIncomplete(_what_is_missing(row))
        outgoing = bool(row.raw.get("directioncode")) if draft is None else draft.outgoing
        try:
            self._rows.complete(row, row.ident.table.sent if outgoing else row.ident.table.received)
        except RecordChanged:  # somebody else has completed it, or is at it
            if word(self._rows.read(row.ident, files=False).raw, self._columns.filled).startswith(BEGUN):
                raise TryLater("dataverse: the activity changed while it was written") from None

    # ------------------------------------------------------------------------------------------ trackers

    def _links_of(self, item_key: str) -> tuple[int, str]:
        """To how many records an item is linked, over all trackers, and how the first that was matched was."""
        found = self._trackers.of_item(item_key)
        records = {link for row in found for link in row.links}
        kinds = [row.matched for row in found if row.matched not in ("", "unmatched")]
        return len(records), kinds[0] if kinds else "unmatched"

    # ------------------------------------------------------------------------------------------ asked

    def asked(self, trackers: Collection[str] | None, limit: int = 200, *, about: str = "") -> Sequence[Asked]:
        """What is open for these mailboxes (None = for all)."""
        return self._asking.about(trackers, about) if about else self._asking.asked(trackers, limit)

    def in_words(self, asked: Sequence[Asked]) -> Sequence[Question]:
        """The same in words."""
        return self._asking.in_words(asked, self._caller)

    def whose(self, activity: str) -> tuple[str, tuple[str, ...]]:
        """The division of an activity and the mailboxes that track it. Raises `RecordGone`."""
        return self._asking.whose(activity)

    def answer(self, activity: str, tracker: str, record: tuple[str, str], *, link: bool, who: str,
               role: str = "") -> None:
        """Link an activity to a record by hand, or say that it is not this one. Raises `NotFound`, `BadState`."""
        self._asking.answer(activity, tracker, record, self._caller(who), link=link, role=role)

    # ------------------------------------------------------------------------------------------ stored

    def stored(self, wanted: Wanted, after: str = "", limit: int = 200) -> Sequence[StoredRef]:
        """One page of activities in the order of our ids."""
        return self._rows.listed(wanted, ident_of(after) if after else None, limit)

    def count(self, wanted: Wanted) -> int:
        """How many activities there are."""
        return self._rows.count(wanted)

    def read(self, ident: str) -> StoredItem:
        """One activity, as a mail and as it is kept. Raises `RecordGone`."""
        row = self._rows.read(ident_of(ident))
        table, columns = row.ident.table, self._columns
        item_key = word(row.raw, columns.item)
        when = next((row.raw[name] for name in _TIMES if row.raw.get(name)), "")
        trackers = sorted({one.name for one in self._trackers.of_item(item_key)}) if item_key else []
        content = row.content.to_bytes()
        version = row.content.version()
        return StoredItem(
            StoredRef(ident, table.kind, division_of(row.raw)), item_key or _foreign_key(row),
            mail_of(table, row.content, moment(when) if when else None), content, version, row.ident.created,
            stub=word(row.raw, columns.stub), trackers=tuple(trackers), shown_with=tuple(sorted(row.linked())),
            attachments=len(row.content.files), edited=row.content.mark() != word(row.raw, columns.filled),
            unread=row.unread)

    def pull(self, ident: str, version: str, case: str) -> None:
        """Replace the content by the stub of this case. Raises `RecordGone` or `RecordChanged`.

        The case is asked for after the record was read, and the write asks for the record as it was read: a release
        that comes in between either finds the stub, or touches the record (`restore`), and then nothing is written.
        """
        row = self._rows.read(ident_of(ident))
        held = word(row.raw, self._columns.stub)
        if held != case:
            if held or row.content.version() != version or row.unread:
                raise RecordChanged(f"record {ident}")
            if self._case_in(case, (CaseState.RELEASED, CaseState.REDACTED)):
                raise RecordChanged(f"record {ident}")
            empty = stub(row.ident.table, case, self._service_user())
            self._rows.replace(row, empty, {self._columns.stub: case})
        self._forget_history(row)

    def restore(self, ident: str, case: str, content: bytes) -> Restored:
        """Put the content back in the place of the stub of this case."""
        try:
            for _ in range(MOST_CHANGES):
                row = self._rows.read(ident_of(ident), files=False)
                try:
                    if word(row.raw, self._columns.stub) != case:
                        self._rows.replace(row, None, {self._columns.stub: word(row.raw, self._columns.stub)})
                        return "already"
                    self._put_back(row, from_bytes(content))
                except RecordChanged:
                    continue
                return "restored"
        except RecordGone:
            return "gone"
        raise TryLater("dataverse: the activity kept changing")

    def _put_back(self, row: Row, content: Content) -> None:
        more = {self._columns.stub: ""}
        try:
            self._rows.replace(row, content, more)
        except RecordGone:
            self._rows.read(row.ident, files=False)  # it is there: somebody of the content is not
            self._rows.replace(row, content.unbound(), more)

    def check(self) -> list[Check]:
        """What works and what is missing: sign-in, tables, columns, keys, privileges, settings."""
        return examine(self.http, self._settings)

    # ------------------------------------------------------------------------------------------ inside

    def _limits(self) -> Limits:
        """What the organisation takes, asked for every ten minutes."""
        return self._organisation()[0]

    def _organisation(self) -> tuple[Limits, bool]:
        """Its limits, and whether it audits."""
        with self._lock:
            known = self._known
        if known is None or time.monotonic() - known[0] > LIMITS_SECONDS:
            [row] = rows(self.http.get("/organizations", {
                "$select": "maxuploadfilesize,blockedattachments,isauditenabled", "$top": "1"})) or [{}]
            asked = self._settings.max_file_bytes
            theirs = int(row.get("maxuploadfilesize") or 5_242_880)
            blocked = frozenset(e for e in word(row, "blockedattachments").casefold().split(";") if e)
            limits = Limits(min(asked, theirs) if asked else theirs, blocked, self._settings.request_bytes)
            known = (time.monotonic(), limits, row.get("isauditenabled") is not False)
            with self._lock:
                self._known = known
        return known[1], known[2]

    def _forget_history(self, row: Row) -> None:
        """What was pulled must not stay in Dataverse's own history of changes."""
        if not self._organisation()[1]:
            return
        try:
            self._rows.forget_history(row.ident)
        except CrmDenied as error:  # crm check says so, too
            log.warning("the history of a pulled activity stays in Dataverse: %s", error.code)

    def _service_user(self) -> str:
        """The row of our own user."""
        if not self._service:
            self._service = str(self.http.get("/WhoAmI")["UserId"])
        return self._service

    def _caller(self, tracker: str) -> Caller:
        with self._reading() as session:
            division = division_of_tracker(session, tracker, self._own)
        return self._people.caller(address_of_tracker(tracker, self._own), division)

    def _case_in(self, number: str, states: Collection[CaseState]) -> bool:
        with self._reading() as session:
            try:
                return cases.get(session, number).state in states
            except NotFound:
                return False

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            with self._database.reading() as session:
                yield session
        except DatabaseLocked as exc:
            raise TryLater("the database is busy") from exc


def from_settings(settings: Settings, database: Database) -> DataverseCrm:
    """The backend of a home. Raises `BadSettings` naming what is missing, or a host outside the allowed regions."""
    chosen = in_profile(settings.dataverse, settings.scan.pack)
    url = address_of(chosen)
    tokens = service_tokens("dataverse", chosen, chosen.login_url.rstrip("/") or PUBLIC_LOGIN, url,
                            settings.dataverse_certificate, settings.dataverse_secret)
    return DataverseCrm(chosen, tokens, database, settings.scan.own_domains)


def _foreign_key(row: Row) -> str:
    """An item key for an activity that is not ours."""
    return hashed("dataverse", row.ident.row)


def _regarding(table: Table, links: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What the activity is about: the first link, which is what a person chose if anybody did; a row can have one."""
    for target in (one for name, ident in links for one in OF_WORD.values() if one.name == name):
        ident = next(ident for name, ident in links if name == target.name)
        return {f"{table.regarding(target.name)}@odata.bind": f"/{target.path}({ident})"}
    return {}


def _with_related(draft: Draft, links: Sequence[tuple[str, str]], known: Known) -> Draft:
    """A mail with the further records as related parties: those that are neither what it is about nor its people."""
    if draft.table.kind is not StoredKind.MAIL:
        return draft
    there = {party.row for party in draft.content.parties} | {ident for _, ident in known.resolved.values()}
    more = [Party(RELATED, "", "", target, ident) for target, ident in links[1:] if ident not in there]
    if not more:
        return draft
    content = replace(draft.content, parties=(*draft.content.parties, *more))
    return replace(draft, content=content)


def _is_whole(row: Row, draft: Draft) -> bool:
    """Whether Dataverse kept what was just sent: its own flags, the text, the number of files and their sizes."""
    content = draft.content
    if row.raw.get("notifications") in (TRUNCATED, FILES_MISSING):
        return False
    sizes = sorted(len(file.content) for file in content.files)
    return bare(row.content.text) == bare(content.text) and bare(row.content.subject) == bare(
        content.subject) and sorted(file.size for file in row.content.files if not file.note) == sizes


def _what_is_missing(row: Row) -> str:
    flag = row.raw.get("notifications")
    return {TRUNCATED: "the body was cut", FILES_MISSING: "not all files were saved"}.get(flag, "not what was sent") \
        if isinstance(flag, int) else "not what was sent"


_: type[Crm] = DataverseCrm
_asks: type[Asks] = DataverseCrm
