"""One item of Exchange Online: fetch it, mark it, find it again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from capture.errors import CaptureError, Changed, ItemGone, Parked
from capture.mailbox import graph_compose, graph_files, states
from capture.mailbox import graph_parse as parse
from capture.mailbox.graph_errors import CannotFilter
from capture.mailbox.graph_http import GraphHttp, TooLarge
from capture.mailbox.graph_ids import Place, literal, place_of, quoted, reference, user
from capture.mailbox.graph_watch import STAMP
from capture.ports import ItemKind, ItemRef, MailItem, Stamp
from pii_scan.text import Unread

log = logging.getLogger("mailweir.mailbox")

TRIES: Final = 3
HEAD_FIELDS: Final = "categories,internetMessageId,parentFolderId,changeKey,receivedDateTime,isDraft,hasAttachments"
SENSITIVITY: Final = f"singleValueExtendedProperties($filter=id eq {literal(parse.SENSITIVITY_PROPERTY)})"
EVENT_LINK: Final = "microsoft.graph.eventMessage/event($select=id)"


class GraphItems:
    """The fetching and marking half of the Graph backend. Thread-safe. `limit`: bytes of one item."""

    def __init__(self, http: GraphHttp, *, limit: int, tasks: bool, trigger: str = states.TRIGGER) -> None:
        self._http, self._limit, self._tasks, self._trigger = http, limit, tasks, trigger
        self._listed: set[str] = set()
        self._lock = threading.Lock()

    # ------------------------------------------------------------------------------------------ fetch

    def fetch(self, ref: ItemRef) -> MailItem:
        """The whole item; see `capture.ports.Mailbox`. Private and confidential items come without content."""
        place = place_of(ref)
        if place.what == "task":
            return self._fetch_task(ref, place)
        if place.what == "message":
            return self._fetch_message(ref, place)
        return self._fetch_event(ref, self._event(ref.mailbox, place))

    def _fetch_message(self, ref: ItemRef, place: Place) -> MailItem:
        url = place.url(ref.mailbox)
        head = self._http.get(ref.mailbox, url, params={"$select": HEAD_FIELDS, "$expand": SENSITIVITY})
        seen = parse.seen(head)
        if seen.private:
            return MailItem(ref, b"", private=True)
        unread: list[Unread] = []
        if seen.invite:  # its appointment is what is tracked; without one, a person decides
            unread.append(Unread("meeting message without an appointment", "unsupported"))
        try:
            raw, mime = self._http.content(ref.mailbox, f"{url}/$value", limit=self._limit)
        except TooLarge as error:
            return MailItem(ref, graph_files.header_block(error.head), (Unread("message", "too_large"),))
        if mime.endswith("json") or not graph_files.is_mail(raw):
            unread.append(Unread("message", "corrupt"))
        else:
            unread += graph_files.missing(raw, graph_files.listed(self._http, ref.mailbox, url))
        return MailItem(ref, raw, tuple(unread))

    def _fetch_event(self, ref: ItemRef, place: Place) -> MailItem:
        url = place.url(ref.mailbox)
        event = self._http.get(ref.mailbox, url)
        if parse.seen(event).private:
            return MailItem(ref, b"", private=True)
        files, unread = self._files(ref.mailbox, url)
        return MailItem(ref, graph_compose.appointment(event, files), tuple(unread))

    def _fetch_task(self, ref: ItemRef, place: Place) -> MailItem:
        url = place.url(ref.mailbox)
        task = self._http.get(ref.mailbox, url, params={"$expand": "linkedResources,checklistItems"})
        files, unread = self._files(ref.mailbox, url)
        return MailItem(ref, graph_compose.task(task, ref.mailbox, files), tuple(unread))

    def _files(self, mailbox: str, url: str) -> tuple[Sequence[Any], Sequence[Unread]]:
        return graph_files.fetched(self._http, mailbox, url, graph_files.listed(self._http, mailbox, url), self._limit)

    def _event(self, mailbox: str, place: Place) -> Place:
        """The event itself; a meeting request leads to it. Raises `ItemGone` when it leads nowhere any more."""
        if place.what != "invite":
            return place
        body = self._http.get(mailbox, place.url(mailbox), params={"$select": "id", "$expand": EVENT_LINK})
        event = parse.member(body, "event", "id")
        if not event:
            raise ItemGone("graph: a meeting message without an appointment")
        return Place("event", event)

    # ------------------------------------------------------------------------------------------- mark

    def mark(self, ref: ItemRef, state: str, stamp: Stamp | None = None) -> ItemRef:
        """Show a state; see `capture.ports.Mailbox`. Only our own category names are added or removed, on what
        the server has at that moment: it refuses the write when somebody else wrote in between."""
        self._name_categories(ref.mailbox)
        place = place_of(ref)
        if place.what == "invite":
            try:
                self._write(ref.mailbox, Place("message", place.id), state, stamp)
            except ItemGone:
                log.info("a meeting request was gone before it could be marked; its appointment is marked")
                return self.mark(reference(ref.mailbox, Place("event", ref.identity)), state, stamp)
            self._write(ref.mailbox, self._event(ref.mailbox, place), state, stamp)
        else:
            self._write(ref.mailbox, place, state, stamp)
        return reference(ref.mailbox, place, ref.identity)

    def _write(self, mailbox: str, place: Place, state: str, stamp: Stamp | None) -> None:
        url = place.url(mailbox)
        for _ in range(TRIES):
            head = self._http.get(mailbox, url, params=_head_params(place))
            seen = parse.seen(head)
            wanted = states.merged(seen.categories, state, self._trigger)
            fields: dict[str, Any] = {"categories": wanted}
            stamped = stamp is None or seen.stamp == stamp
            if stamp is not None and place.what != "task":
                fields["singleValueExtendedProperties"] = _properties(stamp)
            try:
                if wanted != list(seen.categories) or (not stamped and place.what != "task"):
                    self._http.send(mailbox, "PATCH", url, json_body=fields, if_match=seen.etag)
                if not stamped and place.what == "task" and stamp is not None:
                    self._link(mailbox, url, head, stamp)
            except Changed:
                continue
            return
        raise Changed(f"graph: {TRIES} tries")

    def _link(self, mailbox: str, url: str, task: Mapping[str, Any], stamp: Stamp) -> None:
        """Put the stamp on a task, which has no extended properties: a linked resource of ours."""
        fields = {"applicationName": parse.APPLICATION, "externalId": stamp.capture,
                  "displayName": parse.stamp_text(stamp)}
        for link in parse.objects(task.get("linkedResources")):
            if parse.text(link.get("applicationName")) == parse.APPLICATION:
                target = f"{url}/linkedResources/{quoted(parse.identifier(link))}"
                self._http.send(mailbox, "PATCH", target, json_body=fields)
                return
        self._http.send(mailbox, "POST", f"{url}/linkedResources", json_body=fields)

    def _name_categories(self, mailbox: str) -> None:
        """Put our category names into the mailbox's master list, once: then they have a colour and can be picked.
        Without the right to do so the marks are shown all the same, so nothing fails here."""
        with self._lock:
            if mailbox in self._listed:
                return
        url = f"{user(mailbox)}/outlook/masterCategories"
        try:
            there = {parse.text(value.get("displayName")).casefold() for value in self._http.pages(mailbox, url)}
            for name in states.names(self._trigger):
                if name.casefold() not in there:
                    self._http.send(mailbox, "POST", url, json_body={"displayName": name, "color": "preset8"})
        except Parked as error:
            log.warning("the category names of a mailbox cannot be listed: %s", error)
        except CaptureError as error:
            log.info("the category names of a mailbox were not listed this time: %s", error)
            return
        with self._lock:
            self._listed.add(mailbox)

    # ----------------------------------------------------------------------------------------- locate

    def locate(self, ref: ItemRef, capture: str = "", message_id: str = "") -> ItemRef | None:
        """Where the item is now; see `capture.ports.Mailbox`. An id of Outlook's own form is translated."""
        place = place_of(ref)
        if place.what == "task" or ref.kind is ItemKind.TASK:  # the second when our stamp is all that is known of it
            return self._locate_task(ref, place, capture)
        for id_ in dict.fromkeys(filter(None, (place.id, ref.identity if place.what == "message" else ""))):
            if self._is_there(ref.mailbox, Place(place.what, id_)):
                return reference(ref.mailbox, Place(place.what, id_), ref.identity if place.what == "invite" else "")
            if translated := self._translated(ref.mailbox, id_):
                found = Place(place.what, translated)
                if self._is_there(ref.mailbox, found):
                    return reference(ref.mailbox, found)
        if place.what == "invite" and self._is_there(ref.mailbox, Place("event", ref.identity)):
            return reference(ref.mailbox, Place("event", ref.identity))
        what: Any = "message" if ref.kind is ItemKind.MAIL else "event"
        return self._searched(ref.mailbox, what, capture, message_id)

    def _searched(self, mailbox: str, what: Any, capture: str, message_id: str) -> ItemRef | None:
        conditions = []
        if capture:
            conditions.append(f"singleValueExtendedProperties/Any(ep: ep/id eq {literal(parse.CAPTURE_PROPERTY)}"
                              f" and ep/value eq {literal(capture)})")
        if message_id and what == "message":
            conditions.append("internetMessageId eq " + literal(f"<{message_id.strip('<>')}>"))
        collection = "messages" if what == "message" else "events"
        for condition in conditions:
            try:
                found = list(self._http.pages(mailbox, f"{user(mailbox)}/{collection}", params={
                    "$filter": condition, "$select": "id", "$top": "10"}))
            except CannotFilter:
                continue
            if found:
                return reference(mailbox, Place(what, parse.identifier(found[0])))
        return None

    def _locate_task(self, ref: ItemRef, place: Place, capture: str) -> ItemRef | None:
        """A task moved to another list may have another id there: then our stamp finds it."""
        if self._is_there(ref.mailbox, place):
            return reference(ref.mailbox, place, ref.identity)
        for value in self._http.pages(ref.mailbox, f"{user(ref.mailbox)}/todo/lists"):
            list_id = parse.identifier(value)
            url = f"{user(ref.mailbox)}/todo/lists/{quoted(list_id)}/tasks"
            for task in self._http.pages(ref.mailbox, url, params={"$expand": "linkedResources", "$top": "100"}):
                seen = parse.seen(task)
                if seen.id == place.id or (capture and seen.stamp is not None and seen.stamp.capture == capture):
                    return reference(ref.mailbox, Place("task", seen.id, list_id), ref.identity)
        return None

    def _is_there(self, mailbox: str, place: Place) -> bool:
        if not place.id:
            return False
        try:
            self._http.get(mailbox, place.url(mailbox), params=None if place.what == "task" else {"$select": "id"})
        except ItemGone:
            return False
        return True

    def _translated(self, mailbox: str, id_: str) -> str:
        """The immutable id for one of Outlook's ids; "" when there is none."""
        form = "ewsId" if "/" in id_ or "+" in id_ else "restId"
        try:
            body = self._http.send(mailbox, "POST", f"{user(mailbox)}/translateExchangeIds", json_body={
                "inputIds": [id_], "sourceIdType": form, "targetIdType": "restImmutableEntryId"}).body
        except Parked:
            raise
        except CaptureError as error:
            if type(error) in (CaptureError, CannotFilter, ItemGone):  # not an id of that form
                return ""
            raise
        results = parse.objects(body.get("value") if isinstance(body, dict) else None)
        found = parse.text(results[0].get("targetId")) if results else ""
        return found if found != id_ else ""


def _head_params(place: Place) -> dict[str, str]:
    if place.what == "task":
        return {"$expand": "linkedResources"}
    return {"$select": "categories,changeKey", "$expand": STAMP}


def _properties(stamp: Stamp) -> list[dict[str, str]]:
    return [{"id": parse.CAPTURE_PROPERTY, "value": stamp.capture},
            {"id": parse.STATE_PROPERTY, "value": parse.stamp_text(stamp)}]
