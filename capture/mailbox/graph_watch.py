"""What there is to see in a mailbox of Exchange Online: folders, what changed in them, what is tagged.

Delta queries are the truth. What they are asked for is frozen into their links: another selection means a new
cursor (`VERSION`). Tags are recognised here, never by the server, except in the nightly list by category.

* A change may name only the properties that changed: without `categories` it says nothing about tags.
* The same item may come several times, in any order, and again in a later round.
* `@removed` says that an item left this folder, or the window of the calendar; never that a tag was taken off.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from capture.errors import CaptureError, CursorLost, ItemGone, TryLater
from capture.mailbox import graph_parse as parse
from capture.mailbox import states
from capture.mailbox.graph_errors import CannotFilter
from capture.mailbox.graph_http import GraphHttp, values
from capture.mailbox.graph_ids import Place, literal, place_of, quoted, reference, user
from capture.ports import Changes, Folder, Sighting
from capture.settings import GraphSettings

VERSION: Final = 1
MESSAGE_FIELDS: Final = "categories,internetMessageId,parentFolderId,changeKey,receivedDateTime,isDraft"
EVENT_FIELDS: Final = "categories,changeKey,createdDateTime,isDraft,sensitivity,type,seriesMasterId"
TASK_FIELDS: Final = "categories,createdDateTime"
STAMP: Final = (f"singleValueExtendedProperties($filter=id eq {literal(parse.CAPTURE_PROPERTY)}"
                f" or id eq {literal(parse.STATE_PROPERTY)})")
BEFORE, AFTER, ROLL = timedelta(days=90), timedelta(days=365), timedelta(days=7)
CALENDAR: Final = "calendar"
SKIPPED: Final = ("deleteditems", "junkemail", "drafts", "outbox")
FAST: Final = ("inbox", "sentitems")
FLAGGED: Final = "flaggedEmails"
"""A To Do list that only mirrors flagged mail."""
DEFAULT_LIST: Final = "defaultList"


class GraphWatch:
    """The watching half of the Graph backend. Thread-safe. `trigger` is the category that asks to track."""

    def __init__(self, http: GraphHttp, settings: GraphSettings, *, trigger: str = states.TRIGGER,
                 exclude: Sequence[str] = (), now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._http, self._settings, self._trigger, self._now = http, settings, trigger, now
        self._exclude = {name.casefold() for name in exclude}
        self._known: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def folders(self, mailbox: str) -> list[Folder]:
        """The folders to watch; see `capture.ports.Mailbox`."""
        found = list(self._mail_folders(mailbox))
        if self._settings.calendar:
            found.append(Folder(mailbox, CALENDAR, "calendar", path="Calendar"))
        if self._settings.tasks:
            found += [Folder(mailbox, key, "tasks", path=path) for key, path in self._lists(mailbox)]
        return found

    def changes(self, folder: Folder, cursor: bytes) -> Changes:
        """One page of what changed; see `capture.ports.Mailbox`."""
        link, full, begun = self._resume(cursor, folder)
        prefer = f"odata.maxpagesize={self._settings.page_size}"
        if link:
            body = self._onward(folder, self._http.checked_link(link), prefer, full=full)
        else:
            url, params = self._start(folder)
            body = self._http.get(folder.mailbox, url, params=params, prefer=prefer)
        sightings = [one if full else self._looked_at(folder, one) for one in self._sightings(folder, values(body))]
        onward, done = body.get("@odata.nextLink"), body.get("@odata.deltaLink")
        if not onward and not done:
            raise TryLater("graph: a page without a link to go on with")
        link = self._http.checked_link(onward or done)
        saved = {"v": VERSION, "link": link, "full": full and bool(onward), "begun": begun}
        return Changes(tuple(sightings), json.dumps(saved).encode(), more=bool(onward), reset=full)

    def tagged(self, mailbox: str) -> Iterator[Sighting]:
        """Every item with the trigger category, oldest first; see `capture.ports.Mailbox`."""
        found = [*self._tagged_messages(mailbox)]
        if self._settings.calendar:
            found += self._tagged_events(mailbox)
        if self._settings.tasks:
            found += self._tagged_tasks(mailbox)
        yield from (sighting for _, sighting in sorted(found, key=lambda pair: pair[0]))

    # ---------------------------------------------------------------------------------------- folders

    def well_known(self, mailbox: str) -> dict[str, str]:
        """The ids of the folders that mean something, by their well-known names; asked once."""
        with self._lock:
            found = self._known.get(mailbox)
        if found is None:
            found = {}
            for name in (*FAST, *SKIPPED):
                try:
                    body = self._http.get(mailbox, f"{user(mailbox)}/mailFolders/{name}", params={"$select": "id"})
                except ItemGone:
                    continue  # not every mailbox has every one
                found[name] = parse.identifier(body)
            with self._lock:
                self._known[mailbox] = found
        return found

    def _mail_folders(self, mailbox: str) -> Iterator[Folder]:
        known = self.well_known(mailbox)
        skipped = {known[name] for name in SKIPPED if name in known}
        fast = {known[name] for name in FAST if name in known}
        waiting = [(f"{user(mailbox)}/mailFolders", "")]
        while waiting:
            url, above = waiting.pop()
            params = {"$select": "displayName,parentFolderId,childFolderCount,isHidden", "$top": "250"}
            for value in self._http.pages(mailbox, url, params=params):
                folder = parse.mail_folder(value)
                path = f"{above}/{folder.name}" if above else folder.name
                if folder.id in skipped or folder.hidden or folder.name.casefold() in self._exclude:
                    continue
                yield Folder(mailbox, folder.id, "sent" if folder.id == known.get("sentitems") else "mail",
                             fast=folder.id in fast, path=path)
                if folder.children:
                    waiting.append((f"{user(mailbox)}/mailFolders/{quoted(folder.id)}/childFolders", path))

    def _lists(self, mailbox: str) -> Iterator[tuple[str, str]]:
        for value in self._http.pages(mailbox, f"{user(mailbox)}/todo/lists"):
            known = parse.text(value.get("wellknownListName"))
            if known != FLAGGED:
                name = parse.text(value.get("displayName"))
                yield parse.identifier(value), "Tasks" if known == DEFAULT_LIST else f"Tasks/{name}"

    # ---------------------------------------------------------------------------------------- changes

    def _start(self, folder: Folder) -> tuple[str, dict[str, str]]:
        """Where a full pass over a folder begins."""
        if folder.kind == "calendar":
            now = self._now().astimezone(UTC).replace(microsecond=0, tzinfo=None)
            return f"{user(folder.mailbox)}/calendarView/delta", {
                "startDateTime": f"{(now - BEFORE).isoformat()}Z", "endDateTime": f"{(now + AFTER).isoformat()}Z"}
        if folder.kind == "tasks":
            return f"{user(folder.mailbox)}/todo/lists/{quoted(folder.key)}/tasks/delta", {"$select": TASK_FIELDS}
        return f"{user(folder.mailbox)}/mailFolders/{quoted(folder.key)}/messages/delta", {
            "$select": MESSAGE_FIELDS, "$expand": STAMP}

    def _resume(self, cursor: bytes, folder: Folder) -> tuple[str, bool, str]:
        """The link of a cursor, whether it belongs to a full pass, and when its window was opened. The window of
        the calendar is opened anew every week, with a full pass."""
        now = self._now()
        if not cursor:
            return "", True, now.isoformat()
        try:
            saved = json.loads(cursor)
            link, full, begun = str(saved["link"]), bool(saved["full"]), str(saved["begun"])
            age = now - datetime.fromisoformat(begun)
        except (ValueError, TypeError, KeyError):
            raise CursorLost("graph: not a cursor of this backend") from None
        if saved.get("v") != VERSION:
            raise CursorLost("graph: a cursor of another version")
        if folder.kind == "calendar" and age > ROLL and not full:
            return "", True, now.isoformat()
        return link, full, begun

    def _onward(self, folder: Folder, link: str, prefer: str, *, full: bool) -> Any:
        """The page behind a link. A link that is refused for good, whatever the words, is a lost cursor; in a full
        pass it is an error, since another full pass would end the same way."""
        try:
            return self._http.get(folder.mailbox, link, prefer=prefer)
        except CaptureError as error:
            if full or type(error) not in (CaptureError, CannotFilter):
                raise
            raise CursorLost(error.facts) from None

    def _looked_at(self, folder: Folder, seen: Sighting) -> Sighting:
        """The sighting with our stamp, which the deltas of calendars and tasks cannot be asked for. It matters where
        nothing of ours is on the item: with our stamp somebody took it off. All is read again, so that it fits."""
        place = place_of(seen.ref)
        if place.what not in ("event", "task") or seen.removed or seen.tagged or seen.state:
            return seen
        try:
            value = self._http.get(folder.mailbox, place.url(folder.mailbox), params=(
                {"$expand": "linkedResources"} if place.what == "task" else
                {"$select": EVENT_FIELDS, "$expand": STAMP}))
        except ItemGone:
            return seen
        return self._sighting(folder, parse.seen(value))

    def _sightings(self, folder: Folder, found: Sequence[dict[str, Any]]) -> Iterator[Sighting]:
        """Each item of a page once, as it was named last."""
        latest = {parse.identifier(value): value for value in found}
        masters = {key for key, value in latest.items() if self._is_tagged(parse.seen(value))}
        for value in latest.values():
            item = parse.seen(value)
            if item.removed:
                yield Sighting(reference(folder.mailbox, self._place(folder, item)), removed=True)
            elif "categories" not in value:
                continue
            elif folder.kind != "calendar" or self._stands_alone(folder.mailbox, item, masters):
                yield self._sighting(folder, item)

    def _sighting(self, folder: Folder, item: parse.Seen) -> Sighting:
        ref = reference(folder.mailbox, self._place(folder, item))
        tagged, state = self._is_tagged(item), states.state_of(item.categories)
        if item.invite and (tagged or state):
            ref = self.invited(folder.mailbox, item.id) or ref
        return Sighting(ref, tagged=tagged, state=state, stamp=item.stamp, draft=item.draft)

    @staticmethod
    def _place(folder: Folder, item: parse.Seen) -> Place:
        if folder.kind == "tasks":
            return Place("task", item.id, folder.key)
        return Place("event" if folder.kind == "calendar" else "message", item.id)

    def _is_tagged(self, item: parse.Seen) -> bool:
        return states.is_tagged(item.categories, self._trigger)

    def _stands_alone(self, mailbox: str, item: parse.Seen, masters: set[str]) -> bool:
        """False for one meeting of a series whose tag is the series': that is tracked as one."""
        if item.event_type == "occurrence":
            return False
        if item.event_type != "exception" or not item.master or not self._is_tagged(item):
            return True
        if item.master in masters:
            return False
        try:
            master = self._http.get(mailbox, f"{user(mailbox)}/events/{quoted(item.master)}",
                                    params={"$select": "categories"})
        except ItemGone:
            return True
        return not self._is_tagged(parse.seen(master))

    def invited(self, mailbox: str, message: str) -> Any:
        """The reference to the appointment behind a meeting message, or None when there is none (any more)."""
        try:
            body = self._http.get(mailbox, f"{user(mailbox)}/messages/{quoted(message)}", params={
                "$select": "id", "$expand": "microsoft.graph.eventMessage/event($select=id)"})
        except CaptureError as error:
            if type(error) not in (CaptureError, CannotFilter, ItemGone):
                raise
            return None  # fetching it says why, and holds it
        event = parse.member(body, "event", "id")
        return reference(mailbox, Place("invite", message), event) if event else None

    # ----------------------------------------------------------------------------------------- tagged

    def _tagged_messages(self, mailbox: str) -> Iterator[tuple[str, Sighting]]:
        watched = {folder.key: folder for folder in self._mail_folders(mailbox)}
        params = {"$select": MESSAGE_FIELDS, "$expand": STAMP, "$top": str(self._settings.page_size)}
        urls = [f"{user(mailbox)}/mailFolders/{quoted(key)}/messages" for key in watched]
        for item in self._by_category(mailbox, f"{user(mailbox)}/messages", urls, params):
            if item.folder in watched:
                yield item.received, self._sighting(watched[item.folder], item)

    def _tagged_events(self, mailbox: str) -> Iterator[tuple[str, Sighting]]:
        """From every calendar the user can write to, however old."""
        params = {"$select": EVENT_FIELDS, "$top": str(self._settings.page_size)}
        folder = Folder(mailbox, CALENDAR, "calendar")
        for value in self._http.pages(mailbox, f"{user(mailbox)}/calendars", params={"$select": "id,canEdit"}):
            if value.get("canEdit") is False:
                continue
            url = f"{user(mailbox)}/calendars/{quoted(parse.identifier(value))}/events"
            for item in self._by_category(mailbox, url, [url], params):
                yield item.received, self._sighting(folder, item)

    def _tagged_tasks(self, mailbox: str) -> Iterator[tuple[str, Sighting]]:
        for key, _ in self._lists(mailbox):
            folder = Folder(mailbox, key, "tasks")
            for value in self._http.pages(mailbox, f"{user(mailbox)}/todo/lists/{quoted(key)}/tasks",
                                          params={"$top": "100"}):
                item = parse.seen(value)
                if self._is_tagged(item):
                    yield item.received, self._sighting(folder, item)

    def _by_category(self, mailbox: str, url: str, scans: Sequence[str], params: dict[str, str]) -> list[parse.Seen]:
        """The tagged items of a list: by the server's filter, or by reading the lists `scans` in full."""
        condition = f"categories/any(c:c eq {literal(self._trigger)})"
        try:
            found = [parse.seen(value)
                     for value in self._http.pages(mailbox, url, params=params | {"$filter": condition})]
        except CannotFilter:
            found = [parse.seen(value) for scan in scans for value in self._http.pages(mailbox, scan, params=params)]
        return [item for item in found if self._is_tagged(item)]
