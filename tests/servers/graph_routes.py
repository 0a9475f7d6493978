"""What the Graph stand-in does for each address: the semantics, apart from HTTP and from the shapes."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

import graph_shapes as shapes
import httpx
from graph_state import BoxState, Item

if TYPE_CHECKING:
    from graph_server import Graph

Json = dict[str, Any]
Answer = tuple[int, Any]
DELTA_PAGE, LIST_PAGE = 10, 10
PERMISSIONS = {"mailFolders": "Mail", "messages": "Mail", "translateExchangeIds": "Mail", "subscriptions": "Mail",
               "events": "Calendars", "calendars": "Calendars", "calendarView": "Calendars",
               "outlook": "MailboxSettings", "todo": "Tasks"}


class Failure(Exception):
    """An error reply."""

    def __init__(self, status: int, code: str, inner: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.inner = status, code, inner


class Routes:
    """One request."""

    def __init__(self, graph: Graph, prefer: str, if_match: str) -> None:
        self.graph, self.if_match = graph, if_match
        self.immutable = graph.immutable_ids and 'IdType="ImmutableId"' in prefer
        size = re.search(r"odata\.maxpagesize=(\d+)", prefer)
        self.page = int(size[1]) if size else 0

    def run(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Answer:
        if path[:1] == ["subscriptions"]:
            return self.subscriptions(method, path[1:], body)
        if path[:1] != ["users"] or len(path) < 3:
            raise Failure(404, "ResourceNotFound")
        box = self.graph.boxes.get(path[1])
        self.allowed(path[1], path[2], method)
        if box is None:
            raise Failure(404, "ErrorInvalidUser")
        with box.lock:
            return self.dispatch(box, method, path[2:], query, body)

    def allowed(self, address: str, collection: str, method: str) -> None:
        name = PERMISSIONS.get(collection, "?")
        suffix = ".All" if name == "Tasks" else ""
        wanted = {f"{name}.ReadWrite{suffix}"} | ({f"{name}.Read{suffix}"} if method == "GET" else set())
        outside = self.graph.scope is not None and address not in self.graph.scope and name != "Tasks"
        if outside or not wanted & self.graph.grants:
            raise Failure(403, "ErrorAccessDenied")

    def dispatch(self, box: BoxState, method: str, path: list[str], query: dict[str, str], body: Any) -> Answer:
        match (method, *path):
            case ("GET", "mailFolders"):
                return self.listing([self.folder(box, key) for key, f in box.folders.items() if f.parent == box.root],
                                    query, box, path)
            case ("GET", "mailFolders", key, "childFolders"):
                known = self.folder_key(box, key)
                return self.listing([self.folder(box, k) for k, f in box.folders.items() if f.parent == known],
                                    query, box, path)
            case ("GET", "mailFolders", key):
                return 200, selected(self.folder(box, self.folder_key(box, key)), query)
            case ("GET", "mailFolders", key, "messages", "delta"):
                return self.delta(box, self.folder_key(box, key), path, query)
            case ("GET", "mailFolders", key, "messages"):
                return self.items(box, box.within(self.folder_key(box, key)), query, path)
            case ("GET", "messages"):
                return self.items(box, [i for i in box.items if i.what == "messages"], query, path)
            case ("GET", "calendars"):
                return self.listing([shapes.calendar_json(key, name) for key, name in box.calendars.items()],
                                    query, box, path)
            case ("GET", "calendars", key, "events"):
                return self.items(box, [i for i in box.within(key) if i.shape["type"] != "exception"], query, path)
            case ("GET", "events"):
                return self.items(box, [i for i in box.items if i.what == "events" and i.shape["type"] != "exception"],
                                  query, path)
            case ("GET", "calendarView", "delta"):
                return self.delta(box, next(k for k, n in box.calendars.items() if n == "Calendar"), path, query)
            case ("GET", "todo", "lists"):
                return self.listing([shapes.list_json(key, name, "flaggedEmails" if name == "Flagged Emails" else
                                                      "defaultList" if name == "Tasks" else "none")
                                     for key, name in box.lists.items()], query, box, path)
            case ("GET", "todo", "lists", key, "tasks", "delta"):
                return self.delta(box, self.list_key(box, key), path, query)
            case ("GET", "todo", "lists", key, "tasks"):
                return self.items(box, box.within(self.list_key(box, key)), query, path)
            case (_, "todo", "lists", key, "tasks", id_, *rest):
                item = self.item(box, id_, "tasks")
                if item.folder != self.list_key(box, key):
                    raise Failure(404, "ErrorItemNotFound")
                return self.one(box, item, method, rest, query, body)
            case (_, "messages" | "events" as what, id_, *rest):
                return self.one(box, self.item(box, id_, what), method, rest, query, body)
            case ("GET", "outlook", "masterCategories"):
                return self.listing(box.master_categories, query, box, path)
            case ("POST", "outlook", "masterCategories"):
                if any(c["displayName"].casefold() == body["displayName"].casefold() for c in box.master_categories):
                    raise Failure(409, "ErrorDuplicateCategory")
                made = shapes.category_json(body["displayName"], body["color"])
                box.master_categories.append(made)
                return 201, made
            case ("POST", "translateExchangeIds"):
                found = [box.by_id.get(id_.replace("/", "-").replace("+", "_")) for id_ in body["inputIds"]]
                if None in found:
                    raise Failure(400, "ErrorInvalidIdMalformed")
                return 200, {"value": [{"sourceId": id_, "targetId": item.immutable}
                                       for id_, item in zip(body["inputIds"], found, strict=True) if item]}
        raise Failure(404, "ResourceNotFound")

    # --------------------------------------------------------------------------------------- one item

    def one(self, box: BoxState, item: Item, method: str, rest: list[str], query: dict[str, str], body: Any) -> Answer:
        match (method, *rest):
            case ("GET",):
                return 200, self.shape(item, query)
            case ("PATCH",):
                if self.graph.guards_etags and self.if_match and self.if_match != item.etag:
                    raise Failure(412, "ErrorIrresolvableConflict")
                for entry in body.get("singleValueExtendedProperties", []):
                    item.properties[entry["id"]] = entry["value"]
                fields = {k: v for k, v in body.items() if k != "singleValueExtendedProperties"}
                item.shape |= fields
                box.touched(item, set(fields) or {"changeKey"})
                return 200, self.shape(item, {})
            case ("GET", "$value") if item.what == "messages":
                return 200, item.raw
            case ("GET", "attachments"):
                return self.listing(item.attachments, query, box, [item.what, item.immutable, "attachments"])
            case ("GET", "attachments", key, "$value"):
                if key not in item.contents:
                    raise Failure(404, "ErrorItemNotFound")
                return 200, item.contents[key]
            case ("POST", "linkedResources"):
                item.linked.append(body | {"id": secrets.token_hex(8)})
                box.touched(item, {"linkedResources"})
                return 201, item.linked[-1]
            case ("PATCH", "linkedResources", key):
                link = next(one for one in item.linked if one["id"] == key)
                link |= body
                box.touched(item, {"linkedResources"})
                return 200, link
        raise Failure(404, "ResourceNotFound")

    def item(self, box: BoxState, id_: str, what: str) -> Item:
        found = box.find(id_, what)
        if found is None:
            malformed = not re.fullmatch(r"[A-Za-z0-9_=-]{20,}", id_)
            raise Failure(400 if malformed else 404, "ErrorInvalidIdMalformed" if malformed else "ErrorItemNotFound")
        return found

    def shape(self, item: Item, query: dict[str, str]) -> Json:
        whole = {"@odata.etag": item.etag, "id": self.id_of(item)} | item.shape
        if item.what != "tasks":
            whole |= {"changeKey": item.etag[3:-1]}
        if item.what == "messages":
            whole |= {"parentFolderId": item.folder}
        found = selected(whole, query)
        expand = query.get("$expand", "")
        if wanted := re.findall(r"id eq '([^']+)'", expand):
            values = [{"id": name, "value": value} for name, value in item.properties.items() if name in wanted]
            if values:
                found["singleValueExtendedProperties"] = values
        if "eventMessage/event" in expand and item.event is not None and not item.event.gone:
            found["event"] = {"id": item.event.immutable}
        if "linkedResources" in expand:
            found["linkedResources"] = item.linked
        if "checklistItems" in expand:
            found["checklistItems"] = item.steps
        return found

    def id_of(self, item: Item) -> str:
        return item.immutable if self.immutable else item.regular

    # ------------------------------------------------------------------------------------------ lists

    def items(self, box: BoxState, found: list[Item], query: dict[str, str], path: list[str]) -> Answer:
        condition = query.get("$filter", "")
        if condition:
            if not self.graph.can_filter:
                raise Failure(400, "InefficientFilter")
            found = [item for item in found if matches(item, condition)]
        return self.listing([self.shape(item, query) for item in found], query | {"$select": ""}, box, path)

    def listing(self, found: list[Json], query: dict[str, str], box: BoxState, path: list[str]) -> Answer:
        size = int(query.get("$top") or LIST_PAGE)
        skip = int(query.get("$skip") or 0)
        answer: Json = {"value": [selected(one, query) for one in found[skip:skip + size]]}
        if len(found) > skip + size:
            answer["@odata.nextLink"] = self.link(box, path, query | {"$skip": str(skip + size)})
        return 200, answer

    def link(self, box: BoxState, path: list[str], query: dict[str, str]) -> str:
        parts = "/".join(httpx.URL(path=f"/{one}").raw_path.decode()[1:] for one in path)
        return f"{self.graph.url}/v1.0/users/{box.address}/{parts}?{urlencode({k: v for k, v in query.items() if v})}"

    # ------------------------------------------------------------------------------------------ delta

    def delta(self, box: BoxState, collection: str, path: list[str], query: dict[str, str]) -> Answer:
        token = query.get("$deltatoken") or query.get("$skiptoken")
        calendar = path[0] == "calendarView"
        if not token:
            window = (query["startDateTime"], query["endDateTime"]) if calendar else None
            if calendar and ("$select" in query or "$filter" in query):
                raise Failure(400, "ErrorInvalidUrlQuery")
            frozen = {k: v for k, v in query.items() if k in ("$select", "$expand")}
            entries: list[tuple[Item, set[str] | None, bool]] = [(i, None, True) for i in box.within(collection)]
            end = box.seq
        else:
            known = self.graph.tokens.get(token)
            if known is None:
                raise Failure(410, "syncStateNotFound")
            entries, end, frozen, window = known
            if "$deltatoken" in query:
                entries = self.since(box, collection, end)
                end = box.seq
        size = self.page or DELTA_PAGE
        shown, left = entries[:size], entries[size:]
        value = [one for entry in shown for one in self.entry(collection, *entry, frozen, window)]
        if self.graph.replay:
            value = [*reversed(value), *value]
        key = secrets.token_urlsafe(18)
        self.graph.tokens[key] = (left, end, frozen, window)
        name, kind = ("@odata.nextLink", "$skiptoken") if left else ("@odata.deltaLink", "$deltatoken")
        return 200, {"value": value, name: self.link(box, path, {kind: key})}

    @staticmethod
    def since(box: BoxState, collection: str, seq: int) -> list[tuple[Item, set[str] | None, bool]]:
        """Each changed item once, newest state, with all that changed of it."""
        latest: dict[int, tuple[Item, set[str] | None, bool]] = {}
        for change in box.journal.get(collection, []):
            if change.seq > seq:
                before = latest.get(id(change.item))
                known = change.fields
                if before is not None:
                    known = None if before[1] is None or change.fields is None else before[1] | change.fields
                latest[id(change.item)] = (change.item, known, change.present)
        return list(latest.values())

    def entry(self, collection: str, item: Item, fields: set[str] | None, present: bool, frozen: dict[str, str],
              window: tuple[str, str] | None) -> list[Json]:
        if not present or item.gone or item.folder != collection:
            return [{"@removed": {"reason": "deleted" if item.gone else "changed"}, "id": self.id_of(item)}]
        if window and not window[0][:19] <= item.shape["start"]["dateTime"][:19] <= window[1][:19]:
            return [{"@removed": {"reason": "deleted"}, "id": self.id_of(item)}] if fields is not None else []
        found = self.shape(item, frozen)
        if self.graph.sparse and fields is not None:
            found = {k: v for k, v in found.items()
                     if k in fields or k.startswith("@") or k in ("id", "changeKey", "singleValueExtendedProperties")
                     or (window and k in ("type", "seriesMasterId", "start", "end"))}
        return [found, *item.occurrences]

    # ---------------------------------------------------------------------------------- subscriptions

    def subscriptions(self, method: str, rest: list[str], body: Any) -> Answer:
        known = self.graph.subscriptions
        if method == "POST" and not rest:
            for name in ("notificationUrl", "lifecycleNotificationUrl"):
                token = f"Validation: <{secrets.token_urlsafe(8)}> ä + &"
                try:
                    reply = httpx.post(body[name], params={"validationToken": token}, timeout=10, trust_env=False)
                except httpx.HTTPError:
                    raise Failure(400, "ValidationError") from None
                kind = reply.headers.get("content-type", "").partition(";")[0]
                if reply.status_code != 200 or reply.text != token or kind != "text/plain":
                    raise Failure(400, "ValidationError")
            made = shapes.subscription_json(body)
            address = unquote(body["resource"].split("/")[1])
            self.allowed(address, body["resource"].split("/")[2], "GET")
            known[made["id"]] = made
            return 201, made
        if not rest or rest[0] not in known:
            raise Failure(404, "ResourceNotFound", "ErrorItemNotFound")
        if method == "PATCH":
            known[rest[0]]["expirationDateTime"] = body["expirationDateTime"]
            return 200, known[rest[0]]
        if method == "DELETE":
            del known[rest[0]]
            return 204, None
        return 200, known[rest[0]]

    # ----------------------------------------------------------------------------------------- little

    @staticmethod
    def folder_key(box: BoxState, key: str) -> str:
        known = box.well_known.get(key, key)
        if known not in box.folders:
            raise Failure(404, "ErrorItemNotFound")
        return known

    @staticmethod
    def list_key(box: BoxState, key: str) -> str:
        if key not in box.lists:
            raise Failure(404, "ErrorItemNotFound")
        return key

    @staticmethod
    def folder(box: BoxState, key: str) -> Json:
        state = box.folders[key]
        children = sum(1 for f in box.folders.values() if f.parent == key)
        return shapes.folder_json(key, state.name, state.parent, children, len(box.within(key)))


def matches(item: Item, condition: str) -> bool:
    """The three filters in common use; any other is refused."""
    if found := re.fullmatch(r"categories/any\(c:c eq '((?:[^']|'')*)'\)", condition):
        return found[1].replace("''", "'") in item.categories
    if found := re.fullmatch(r"internetMessageId eq '((?:[^']|'')*)'", condition):
        return bool(item.shape["internetMessageId"] == found[1].replace("''", "'"))
    if found := re.fullmatch(r"singleValueExtendedProperties/Any\(ep: ep/id eq '([^']+)' and ep/value eq '([^']+)'\)",
                             condition):
        return item.properties.get(found[1]) == found[2]
    raise Failure(400, "ErrorInvalidUrlQueryFilter")


def selected(whole: Json, query: dict[str, str]) -> Json:
    """What `$select` leaves: the names, the id, and annotations."""
    names = [name for name in query.get("$select", "").split(",") if name]
    if not names:
        return dict(whole)
    return {k: v for k, v in whole.items() if k in names or k == "id" or k.startswith("@")}

