"""Mailboxes on an Exchange server of one's own, by Exchange Web Services. Never Exchange Online: use `graph`.

exchangelib is imported in `capture/mailbox/ews*.py` only, and only when `mailbox.kind` is "ews".

| File | What |
|---|---|
| ews.py | the backend |
| ews_calls.py | the operations and their fields |
| ews_connection.py | signing in, sessions, pauses |
| ews_items.py | what an item element says: identity, tag, state, stamp |
| ews_mime.py | whole items as RFC 822 |
| ews_errors.py | foreign errors to ours, the table |
| ews_stream.py | wake-ups by streaming notifications |
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from threading import Event
from typing import Any, Final, Literal, TypeVar

from capture.errors import (
    CaptureError,
    Changed,
    CursorLost,
    ItemGone,
    ItemUnreadable,
    Parked,
    ServerRefused,
    TryLater,
)
from capture.mailbox import ews_calls as calls
from capture.mailbox import ews_items as items
from capture.mailbox import ews_mime as mime
from capture.mailbox import states
from capture.mailbox.ews_connection import Connection
from capture.mailbox.ews_stream import Streams
from capture.ports import Changes, Check, Folder, ItemKind, ItemRef, Mailbox, MailItem, Sighting, Stamp
from capture.settings import Settings

R = TypeVar("R")
Element = Any  # lxml ships no types
log = logging.getLogger("mailweir.mailbox.ews")

CURSOR: Final = b"ews1:"
"""Head of a cursor. Another head belongs to another backend or an older program: the folder is looked through anew."""
TRIES: Final = 3
UNREADABLE: Final = (ItemGone, ItemUnreadable, ServerRefused)
"""What concerns one item or folder only, and does not pass."""
_LEFT_OUT: Final = ("deleteditems", "junkemail", "drafts", "outbox", "syncissues", "conversationhistory")
_FAST: Final = ("inbox", "sentitems", "calendar", "tasks")
_FETCH: Final = {ItemKind.MAIL: mime.MAIL, ItemKind.APPOINTMENT: mime.APPOINTMENT, ItemKind.TASK: mime.TASK}
Kind = Literal["mail", "sent", "calendar", "tasks"]


class EwsMailbox:
    """The mailboxes of an Exchange server. `ItemRef.mailbox` is a primary address, `key` an ItemId (changed by every
    move, case-sensitive), `identity` see `ews_items`. Safe to share between threads.

    Opening it asks nothing of the server. Raises `BadSettings`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.trigger = settings.mailbox.trigger
        self.connection = Connection(settings)
        self._streams: list[Streams] = []

    def __repr__(self) -> str:
        return "EwsMailbox(...)"

    # ------------------------------------------------------------------------------------------- watching

    def mailboxes(self) -> Sequence[str]:
        """The mailboxes of `ews.mailboxes`."""
        return self.settings.ews.mailboxes

    def folders(self, mailbox: str) -> Sequence[Folder]:
        """Every folder for mail, appointments or tasks, at any depth; two requests."""
        known = self.connection.run(mailbox, calls.get_distinguished)
        root = known.get("msgfolderroot")
        if root is None:
            raise Parked("the mailbox has no root folder")
        rows = self.connection.run(mailbox, partial(calls.find_folders, root=root.key))
        return self._watched(mailbox, {name: row.key for name, row in known.items()}, rows)

    def changes(self, folder: Folder, cursor: bytes) -> Changes:
        """One page of at most 512 changes. The cursor is Exchange's sync state; the state of a page that was not read
        to its end does not exist."""
        state = self._state(cursor)
        page = self.connection.run(folder.mailbox, partial(
            calls.sync_items, folder=folder.key, state=state, fields=items.FIELDS[folder.kind]))
        seen: dict[str, Sighting] = {}
        series: dict[str, bool] = {}
        for change, element in page.changes:
            key = items.key_of(element)
            seen.pop(key, None)  # told twice: the later one stands, in its place
            if change == "Delete":
                gone = ItemRef(folder.mailbox, key, items.KIND_OF_FOLDER[folder.kind])
                seen[key] = Sighting(gone, removed=True)
            elif change in ("Create", "Update"):  # a read flag is none of our business
                sighting = items.sighting(folder.mailbox, element, self.trigger)
                if sighting is not None:
                    seen[key] = sighting
                    if items.is_series(element):
                        series[key] = sighting.tagged
        found = (*seen.values(), *self._occurrences(folder.mailbox, series))
        return Changes(found, CURSOR + page.state.encode(), more=page.more, reset=not state)

    def tagged(self, mailbox: str) -> Iterator[Sighting]:
        """Every tagged item, oldest first within a folder. Looks at all items: a search by category is not to be had
        on every server, and finds nothing where the index is behind."""
        for folder in self.folders(mailbox):
            try:
                for sighting in self._scan(folder):
                    if sighting.tagged:
                        yield sighting
            except UNREADABLE as error:  # its sync says so as well; the other folders are looked at
                log.warning("a folder cannot be looked through: %s", error.code)

    def wakeups(self, stop: Event) -> Iterator[str]:
        """A mailbox's name when something happened in it, by streaming notifications; nothing when they are off."""
        chosen = self.settings.ews
        watched = self.mailboxes()[:chosen.streaming_mailboxes] if chosen.streaming else ()
        if not watched:
            return
        streams = Streams(self.settings, watched)
        self._streams.append(streams)
        try:
            yield from streams.listen(stop)
        finally:
            streams.close()
            self._streams.remove(streams)

    # ------------------------------------------------------------------------------------------- one item

    def fetch(self, ref: ItemRef) -> MailItem:
        """The whole item. A private item comes without its content.

        Raises `ItemGone`, and `ItemUnreadable` when the server cannot hand it over for good.
        """
        element, kind = self._read(ref, _FETCH)
        fresh = items.reference(ref.mailbox, element, kind)
        if mime.is_private(element):
            return MailItem(fresh, b"", private=True)
        if kind is ItemKind.MAIL:
            raw, unread = mime.mail_of(element)
        else:
            raw, unread = mime.composed(ref.mailbox, element, partial(self._attachment, ref.mailbox))
        return MailItem(fresh, raw, unread=unread)

    def mark(self, ref: ItemRef, state: str, stamp: Stamp | None = None) -> ItemRef:
        """Merge our category into what is on the item now, and stamp it, in one write that never overwrites another's
        change; three tries. Nothing is written when it is so already."""
        for _ in range(TRIES):
            element, kind = self._read(ref, items.FIELDS_BY_KIND)
            now = items.categories(element)
            wanted = states.merged(now, state, self.trigger)
            stamped = stamp is None or items.read_stamp(element) == stamp
            fresh = items.reference(ref.mailbox, element, kind)
            if wanted == now and stamped:
                return fresh
            try:
                written = self.connection.run(ref.mailbox, partial(
                    calls.update_item, item=element, categories=wanted,
                    stamp=None if stamp is None or stamped else items.written(stamp)))
            except Changed:
                continue
            return ItemRef(ref.mailbox, items.key_of(written) or fresh.key, kind, fresh.identity)
        raise Changed("three times")

    def locate(self, ref: ItemRef, capture: str = "", message_id: str = "") -> ItemRef | None:
        """Where the item is now: by our stamp or its Message-ID where the server can search for them, else by looking
        at all items of its kind."""
        folders = [folder for folder in self.folders(ref.mailbox) if items.KIND_OF_FOLDER[folder.kind] is ref.kind]
        wanted = items.message_id_of(ref.identity)
        tests = [partial(_same, ref.identity)] if ref.identity else []
        searches: list[tuple[Element, Callable[[Sighting], bool]]] = []
        if wanted:
            searches.append((calls.equals("message:InternetMessageId", wanted), tests[0]))
        if capture:
            tests.append(partial(_stamped, capture))
            searches.append((calls.begins("stamp", f"{capture} "), tests[-1]))
        if message_id:
            tests.append(partial(_named, message_id))
            searches += [(calls.equals("message:InternetMessageId", form), tests[-1])
                         for form in dict.fromkeys((message_id, f"<{message_id.strip('<>')}>")) if form != wanted]
        try:
            for condition, fits in searches:
                for sighting in self._search(folders, condition):
                    if fits(sighting):
                        return sighting.ref
            if searches and ref.kind is ItemKind.MAIL:
                return None
        except ServerRefused:
            log.info("the server does not search by property; all items are looked at")
        for folder in folders:
            for sighting in self._scan(folder):
                if any(fits(sighting) for fits in tests):
                    return sighting.ref
        return None

    def check(self, mailbox: str) -> Sequence[Check]:
        """Address and certificate, sign-in, the right to open this mailbox, its folders, the right to write, and that
        a mailbox outside our rights is refused."""
        found: list[Check] = []
        try:
            known = self.connection.run(mailbox, calls.get_distinguished)
        except CaptureError as error:
            return [Check(_failed(error), fine=False, detail=str(error), hint=_HINTS.get(_failed(error), error.hint))]
        found.append(Check("sign-in", fine=True, detail="the server answers, the account may open this mailbox"))
        missing = [name for name in _FAST if name not in known]
        found.append(_checked("folders", "all found", "missing", missing,
                              "The mailbox was never opened in Outlook, or a right to the folder is missing."))
        read_only = [name for name in _FAST if name in known and not known[name].may_modify]
        found.append(_checked("write", "states can be shown", "read only", read_only,
                              "Give the service account the right to change items, or states are not shown."))
        return [*found, *self._limit(mailbox)]

    def close(self) -> None:
        """Let go of connections; streams end."""
        for streams in list(self._streams):
            streams.close()
        self.connection.close()

    # -------------------------------------------------------------------------------------------- helpers

    def _watched(self, mailbox: str, known: dict[str, str], rows: Sequence[calls.FolderRow]) -> list[Folder]:
        left_out = {known[name] for name in _LEFT_OUT if name in known}
        fast = {known[name] for name in _FAST if name in known}
        excluded = {name.casefold() for name in self.settings.mailbox.exclude}
        by_key = {row.key: row for row in rows}
        found: list[Folder] = []
        for row in rows:
            line = list(_line(row, by_key))
            if any(one.key in left_out or one.name.casefold() in excluded for one in line):
                continue
            kind = _kind(row, sent=row.key == known.get("sentitems"))
            if kind is not None:
                path = "/".join(one.name for one in reversed(line))
                found.append(Folder(mailbox, row.key, kind, row.key in fast, path))
        return found

    def _state(self, cursor: bytes) -> str:
        if not cursor:
            return ""
        if not cursor.startswith(CURSOR):
            raise CursorLost("of another program")
        return cursor.removeprefix(CURSOR).decode()

    def _read(self, ref: ItemRef, fields: dict[ItemKind, tuple[str, ...]]) -> tuple[Element, ItemKind]:
        """The item with the fields of its kind; asked again when it is of another kind than was thought."""
        kind = ref.kind
        for _ in range(2):
            [element] = self.connection.run(ref.mailbox, partial(
                calls.get_items, keys=[ref.key], fields=fields[kind], text_body=fields is _FETCH))
            found = items.kind_of(element)
            if found is None:
                raise ItemUnreadable("not a mail, appointment or task")
            if found is kind:
                break
            kind = found
        return element, kind

    def _attachment(self, mailbox: str, key: str) -> Element | None:
        try:
            return self.connection.run(mailbox, partial(calls.get_attachment, key=key))
        except (ItemGone, ItemUnreadable, ServerRefused) as error:
            log.warning("an attachment was not handed over: %s", error.code)
            return None

    def _scan(self, folder: Folder) -> Iterator[Sighting]:
        """All items of a folder, oldest first, page by page; pages overlap, so that what is moved away meanwhile hides
        nothing."""
        seen: set[str] = set()
        offset = 0
        while True:
            [(elements, last)] = self.connection.run(folder.mailbox, partial(
                calls.find_items, folders=[folder.key], fields=items.FIELDS[folder.kind], offset=offset))
            new = [element for element in elements if items.key_of(element) not in seen]
            seen |= {items.key_of(element) for element in new}
            yield from self._sightings(folder.mailbox, new)
            if last or not new:
                return
            offset = max(0, offset + len(elements) - calls.OVERLAP)

    def _search(self, folders: Sequence[Folder], condition: Element) -> Iterator[Sighting]:
        for start in range(0, len(folders), calls.FOLDERS_A_CALL):
            some = folders[start:start + calls.FOLDERS_A_CALL]
            for elements, _ in self.connection.run(some[0].mailbox, partial(
                    calls.find_items, folders=[folder.key for folder in some],
                    fields=items.FIELDS[some[0].kind], condition=condition)):
                yield from self._sightings(some[0].mailbox, elements)

    def _sightings(self, mailbox: str, elements: Iterable[Element]) -> Iterator[Sighting]:
        series: dict[str, bool] = {}
        for element in elements:
            sighting = items.sighting(mailbox, element, self.trigger)
            if sighting is not None:
                yield sighting
                if items.is_series(element):
                    series[sighting.ref.key] = sighting.tagged
        yield from self._occurrences(mailbox, series)

    def _occurrences(self, mailbox: str, masters: Mapping[str, bool]) -> Iterator[Sighting]:
        """The changed occurrences of series. A category on one occurrence makes it a changed one; the folder's sync
        tells of the master only. `masters`: whether each is tagged; then a tag on an occurrence is the series' own,
        which it shows as well, and the series is tracked as one."""
        for master, tagged in masters.items():
            for series in self._each(mailbox, [master], ("calendar:ModifiedOccurrences",)):
                keys = [items.key_of(one) for one in series.iterfind(
                    f"{calls.tag('ModifiedOccurrences')}/{calls.tag('Occurrence')}")]
                for element in self._each(mailbox, keys, items.CALENDAR_FIELDS):
                    sighting = items.sighting(mailbox, element, self.trigger)
                    if sighting is not None and not (tagged and sighting.tagged):
                        yield sighting

    def _each(self, mailbox: str, keys: Sequence[str], fields: Sequence[str]) -> list[Element]:
        """Items by id, without those that cannot be had: one of them must not stop the watching of a folder."""
        if not keys:
            return []
        try:
            return self._get(mailbox, keys, fields)
        except UNREADABLE as error:
            if len(keys) > 1:
                return [element for key in keys for element in self._each(mailbox, [key], fields)]
            if not isinstance(error, ItemGone):  # taken away meanwhile: the next sync tells
                log.warning("a meeting of a series cannot be looked at: %s", error.code)
            return []

    def _get(self, mailbox: str, keys: Sequence[str], fields: Sequence[str]) -> list[Element]:
        return self.connection.run(mailbox, partial(calls.get_items, keys=keys, fields=fields))

    def _limit(self, mailbox: str) -> Iterator[Check]:
        """Whether the account may open a mailbox it must not."""
        outside = self.settings.ews.outside
        if not outside or outside.casefold() == mailbox.casefold():
            yield Check("limit", fine=not outside, detail="not proved: `ews.outside` names no mailbox to try",
                        hint="Name a mailbox outside the management scope in `ews.outside`.")
            return
        try:
            self.connection.run(outside, calls.get_distinguished)
        except Parked:
            yield Check("limit", fine=True, detail="a mailbox outside the scope was refused")
        except (TryLater, CaptureError) as error:
            yield Check("limit", fine=False, detail=f"could not be tried, {error.code}", hint=error.hint)
        else:
            yield Check("limit", fine=False, detail="the account opens every mailbox",
                        hint="Limit ApplicationImpersonation by a management scope.")


_HINTS: Final = {
    "endpoint": "Check `ews.endpoint`, `ews.ca_file` and whether the server answers from this machine.",
    "sign-in": "Check `ews.user`, MAILWEIR_EWS_PASSWORD, `ews.auth`, and for this mailbox the role "
               "ApplicationImpersonation (or full access with `ews.access` = \"delegate\").",
}


def _checked(code: str, fine: str, wrong: str, names: Sequence[str], hint: str) -> Check:
    """A check that some folders may fail."""
    return Check(code, fine=not names, detail=f"{wrong}: {', '.join(names)}" if names else fine,
                 hint=hint if names else "")


def _failed(error: CaptureError) -> str:
    """Which check an error of the first request belongs to."""
    return "sign-in" if isinstance(error, Parked) else "endpoint"


def _stamped(capture: str, sighting: Sighting) -> bool:
    return sighting.stamp is not None and sighting.stamp.capture == capture


def _same(identity: str, sighting: Sighting) -> bool:
    return sighting.ref.identity == identity


def _named(message_id: str, sighting: Sighting) -> bool:
    return items.normal(items.message_id_of(sighting.ref.identity)) == items.normal(message_id)


def _line(row: calls.FolderRow, by_key: dict[str, calls.FolderRow]) -> Iterator[calls.FolderRow]:
    """A folder and those above it, up to the root; a ring (damaged mailbox) is left after one round."""
    passed: set[str] = set()
    one: calls.FolderRow | None = row
    while one is not None and one.key not in passed:
        passed.add(one.key)
        yield one
        one = by_key.get(one.parent)


def _kind(row: calls.FolderRow, *, sent: bool) -> Kind | None:
    """What a folder holds; None for contacts, notes, search folders and the like."""
    if row.element == "CalendarFolder":
        return "calendar"
    if row.element == "TasksFolder":
        return "tasks"
    if row.element == "Folder" and (not row.folder_class or row.folder_class.startswith(("IPF.Note", "IPF.Imap"))):
        return "sent" if sent else "mail"
    return None


def from_settings(settings: Settings) -> EwsMailbox:
    """The backend of a home."""
    return EwsMailbox(settings)


_: type[Mailbox] = EwsMailbox
