"""The operations of the fake Exchange server: a request element in, the body of the reply out."""

from __future__ import annotations

import base64
import queue
import secrets
from collections.abc import Callable, Iterable, Sequence
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import ews_xml as xml
from ews_store import Attached, Folder, Item
from lxml import etree

if TYPE_CHECKING:
    from ews_server import EwsServer

_NAMES = {"m": xml.M, "t": xml.T, "s": xml.SOAP}
_KEYS = {"item:ItemId", "item:ParentFolderId"}
_ALL = {field for field in xml.ORDER if field not in ("item:MimeContent", "extended")}


class Refused(Exception):
    """A SOAP fault."""

    def __init__(self, code: str, values: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(code)
        self.code, self.values = code, values


class Operations:
    """One request of one mailbox."""

    def __init__(self, fake: EwsServer, mailbox: str) -> None:
        self.fake, self.mailbox = fake, mailbox
        self.store, self.box = fake.store, fake.store.box(mailbox)

    def answer(self, operation: str, call: Any) -> str:
        """The body of the reply."""
        method: Callable[[Any], Iterable[str]] | None = getattr(self, f"do_{operation.lower()}", None)
        if method is None:
            raise Refused("ErrorInvalidRequest")
        with self.store.lock:
            return xml.response(operation, method(call))

    @staticmethod
    def empty(operation: str) -> str:
        """What an error message of an operation holds besides its code: the schema wants it, and Exchange sends it."""
        sync = "<m:SyncState/><m:IncludesLast{}InRange>true</m:IncludesLast{}InRange>"
        return {"GetItem": "<m:Items/>", "UpdateItem": "<m:Items/>", "CreateItem": "<m:Items/>",
                "MoveItem": "<m:Items/>", "GetFolder": "<m:Folders/>", "GetAttachment": "<m:Attachments/>",
                "CreateAttachment": "<m:Attachments/>", "SyncFolderItems": sync.format("Item", "Item"),
                "SyncFolderHierarchy": sync.format("Folder", "Folder")}.get(operation, "")

    # ------------------------------------------------------------------------------------------- folders

    def do_getfolder(self, call: Any) -> Iterable[str]:
        """Folders by id or name."""
        for one in call.find("m:FolderIds", _NAMES):
            folder = self._folder(one)
            yield (xml.success("GetFolder", f"<m:Folders>{self._shown(folder)}</m:Folders>") if folder
                   else xml.error("GetFolder", "ErrorFolderNotFound", "<m:Folders/>"))

    def do_findfolder(self, call: Any) -> Iterable[str]:
        """Folders below folders."""
        view = call.find("m:IndexedPageFolderView", _NAMES)
        offset, most = (int(view.get("Offset")), int(view.get("MaxEntriesReturned"))) if view is not None else (0, 1000)
        for one in call.find("m:ParentFolderIds", _NAMES):
            parent = self._folder(one)
            if parent is None:
                yield xml.error("FindFolder", "ErrorFolderNotFound")
                continue
            deep = call.get("Traversal") == "Deep"
            found = list(self.store.below(self.mailbox, parent.key)) if deep else [
                folder for folder in self.box.folders.values() if folder.parent == parent.key]
            page = found[offset:offset + most]
            last = offset + len(page) >= len(found)
            yield xml.success("FindFolder", (
                f'<m:RootFolder IndexedPagingOffset="{offset + len(page)}" TotalItemsInView="{len(found)}" '
                f'IncludesLastItemInRange="{str(last).lower()}"><t:Folders>'
                f'{"".join(map(self._shown, page))}</t:Folders></m:RootFolder>'))

    def do_syncfolderhierarchy(self, call: Any) -> Iterable[str]:
        """All folders, each time."""
        parent = self._folder(call.find("m:SyncFolderId", _NAMES)[0]) or self.box.folders[self.box.root]
        each = "".join(f"<t:Create>{self._shown(one)}</t:Create>" for one in self.store.below(self.mailbox, parent.key))
        yield xml.success("SyncFolderHierarchy", (
            f"<m:SyncState>{self.store.state(parent, 0)}</m:SyncState><m:IncludesLastFolderInRange>true"
            f"</m:IncludesLastFolderInRange><m:Changes>{each}</m:Changes>"))

    def _folder(self, element: Any) -> Folder | None:
        key = element.get("Id")
        if etree.QName(element).localname == "DistinguishedFolderId":
            return next((one for one in self.box.folders.values() if one.distinguished == key), None)
        return self.box.folders.get(key)

    def _shown(self, folder: Folder) -> str:
        children = sum(one.parent == folder.key for one in self.box.folders.values())
        return xml.folder(folder, self.box, len(list(self.store.in_folder(self.mailbox, folder.key))), children)

    # --------------------------------------------------------------------------------------------- items

    def do_syncfolderitems(self, call: Any) -> Iterable[str]:
        """What changed since a state."""
        folder = self._folder(call.find("m:SyncFolderId", _NAMES)[0])
        most = int(call.findtext("m:MaxChangesReturned", "0", _NAMES))
        if not 1 <= most <= 512:
            raise Refused("ErrorInvalidArgument")
        if folder is None:
            yield xml.error("SyncFolderItems", "ErrorSyncFolderNotFound", self.empty("SyncFolderItems"))
            return
        state = call.findtext("m:SyncState", "", _NAMES)
        since = self.store.number(folder, state) if state else 0
        if self.fake.faults.take("ignore cursor", "SyncFolderItems") is not None:
            since = 0
        if since is None or self.fake.faults.take("refuse cursor", "SyncFolderItems") is not None:
            yield xml.error("SyncFolderItems", "ErrorInvalidSyncStateData", self.empty("SyncFolderItems"))
            return
        changes, number, last = self.store.changes(folder, since, most)
        wanted, extended = _wanted(call.find("m:ItemShape", _NAMES))
        if "item:MimeContent" in wanted or "item:Body" in wanted:
            self.fake.problem("a sync that fetches whole items")
        each = "".join(self._change(what, key, wanted, extended) for what, key in changes)
        yield xml.success("SyncFolderItems", (
            f"<m:SyncState>{self.store.state(folder, number)}</m:SyncState><m:IncludesLastItemInRange>"
            f"{str(last).lower()}</m:IncludesLastItemInRange><m:Changes>{each}</m:Changes>"))

    def _change(self, what: str, key: str, wanted: set[str], extended: list[tuple[str, str]]) -> str:
        item = self.box.items.get(key)
        if what == "Delete" or item is None:
            return f'<t:Delete><t:ItemId Id="{key}" ChangeKey="CQAAAA=="/></t:Delete>'
        if what == "ReadFlagChange":
            return (f'<t:ReadFlagChange><t:ItemId Id="{key}" ChangeKey="CQAAAA=="/><t:IsRead>true</t:IsRead>'
                    "</t:ReadFlagChange>")
        return f"<t:{what}>{self._item(item, wanted, extended)}</t:{what}>"

    def do_getitem(self, call: Any) -> Iterable[str]:
        """Items by id."""
        ids = list(call.find("m:ItemIds", _NAMES))
        if len(ids) > 10:
            self.fake.problem("more than ten items in one GetItem")
        wanted, extended = _wanted(call.find("m:ItemShape", _NAMES))
        for one in ids:
            item = self.box.items.get(one.get("Id"))
            yield (xml.success("GetItem", f"<m:Items>{self._item(item, wanted, extended)}</m:Items>") if item
                   else xml.error("GetItem", "ErrorItemNotFound", "<m:Items/>"))

    def _item(self, item: Item, wanted: set[str], extended: list[tuple[str, str]]) -> str:
        mime = item.mime
        if "item:MimeContent" in wanted:
            if wrong := self.fake.faults.take("wrong mime", "GetItem"):
                mime = wrong["mime"]
            mime = mime or _mime(item)
        shown = dict(item.extended)
        shown["0x300b"] = item.search_key
        copy = Item(**{**vars(item), "extended": shown})
        return xml.item(copy, wanted, extended, mime)

    def do_finditem(self, call: Any) -> Iterable[str]:
        """Items of folders, with a condition."""
        view = call.find("m:IndexedPageItemView", _NAMES)
        offset, most = (int(view.get("Offset")), int(view.get("MaxEntriesReturned"))) if view is not None else (0, 1000)
        condition = call.find("m:Restriction", _NAMES)
        if most > 1000:
            raise Refused("ErrorInvalidPagingMaxRows")
        most = min(most, 250) if condition is not None else most
        wanted, extended = _wanted(call.find("m:ItemShape", _NAMES))
        for one in call.find("m:ParentFolderIds", _NAMES):
            folder = self._folder(one)
            if folder is None:
                yield xml.error("FindItem", "ErrorFolderNotFound")
                continue
            found = [item for item in self.store.in_folder(self.mailbox, folder.key)
                     if condition is None or self._meets(item, condition[0])]
            page = found[offset:offset + most]
            each = "".join(self._item(item, wanted, extended) for item in page)
            last = offset + len(page) >= len(found)
            yield xml.success("FindItem", (
                f'<m:RootFolder IndexedPagingOffset="{offset + len(page)}" TotalItemsInView="{len(found)}" '
                f'IncludesLastItemInRange="{str(last).lower()}"><t:Items>{each}</t:Items></m:RootFolder>'))

    def _meets(self, item: Item, condition: Any) -> bool:
        path = condition[0]
        name = path.get("FieldURI") or path.get("PropertyName")
        wanted = condition.find(".//t:Constant", _NAMES).get("Value")
        value = xml.message_id(item) if name == "message:InternetMessageId" else item.extended.get(name, "")
        return value.startswith(wanted) if etree.QName(condition).localname == "Contains" else value == wanted

    def do_updateitem(self, call: Any) -> Iterable[str]:
        """Write categories and extended properties."""
        if call.get("SendMeetingInvitationsOrCancellations") != "SendToNone":
            self.fake.problem("a change that may send invitations")
        for change in call.find("m:ItemChanges", _NAMES):
            key = change.find("t:ItemId", _NAMES)
            item = self.box.items.get(key.get("Id"))
            if item is None:
                yield xml.error("UpdateItem", "ErrorItemNotFound", "<m:Items/>")
                continue
            if self.box.read_only:
                yield xml.error("UpdateItem", "ErrorAccessDenied", "<m:Items/>")
                continue
            if (stale := self.fake.faults.take("stale", "UpdateItem")) is not None:
                self.store.tag(self.mailbox, item, *item.categories, *([stale["user"]] if "user" in stale else []))
            if (self.fake.change_keys and call.get("ConflictResolution") != "AlwaysOverwrite"
                    and key.get("ChangeKey") != item.change_key):
                yield xml.error("UpdateItem", "ErrorIrresolvableConflict", "<m:Items/>")
                continue
            for update in change.find("t:Updates", _NAMES):
                self._update(item, update)
            self.store.touch(self.mailbox, item)
            yield xml.success("UpdateItem", (
                f'<m:Items><t:{item.kind}><t:ItemId Id="{item.key}" ChangeKey="{item.change_key}"/></t:{item.kind}>'
                f"</m:Items><m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>"))

    def _update(self, item: Item, update: Any) -> None:
        path = update[0]
        setting = etree.QName(update).localname == "SetItemField"
        if path.get("FieldURI") == "item:Categories":
            item.categories = [one.text or "" for one in update.iterfind(".//t:String", _NAMES)] if setting else []
        elif path.get("PropertyName"):
            item.extended[path.get("PropertyName")] = update.findtext(".//t:Value", "", _NAMES)
        elif path.get("FieldURI") == "message:IsRead":
            self.store.read(self.mailbox, item)
        elif setting:
            item.properties[path.get("FieldURI")] = update[1][0].text or ""

    def do_createitem(self, call: Any) -> Iterable[str]:
        """New mails, by their properties."""
        target = call.find("m:SavedItemFolderId", _NAMES)
        folder = (self._folder(target[0]) if target is not None else None) or self.store.folder(self.mailbox, "drafts")
        for element in call.find("m:Items", _NAMES):
            message = EmailMessage()
            message["Subject"] = element.findtext("t:Subject", "", _NAMES)
            message["Message-ID"] = f"<{secrets.token_hex(8)}@fake.example>"
            message.set_content(element.findtext("t:Body", "", _NAMES))
            path = self._path(folder)
            item = self.store.put(
                self.mailbox, path, etree.QName(element).localname, mime=message.as_bytes(),
                categories=tuple(one.text or "" for one in element.iterfind("t:Categories/t:String", _NAMES)),
                properties={"item:Subject": message["Subject"],
                            "item:Body": element.findtext("t:Body", "", _NAMES)})
            yield xml.success("CreateItem", f"<m:Items>{self._item(item, _KEYS, [])}</m:Items>")

    def _path(self, folder: Folder) -> str:
        if folder.distinguished:
            return folder.distinguished
        parent = self.box.folders[folder.parent]
        above = "" if parent.distinguished == "msgfolderroot" else (
            parent.name if parent.distinguished else self._path(parent)) + "/"
        return above + folder.name

    def do_moveitem(self, call: Any) -> Iterable[str]:
        """Move items; each gets a new id."""
        folder = self._folder(call.find("m:ToFolderId", _NAMES)[0])
        for one in call.find("m:ItemIds", _NAMES):
            item = self.box.items.get(one.get("Id"))
            if item is None or folder is None:
                code = "ErrorItemNotFound" if folder else "ErrorToFolderNotFound"
                yield xml.error("MoveItem", code, "<m:Items/>")
                continue
            self.store.move(self.mailbox, item, self._path(folder))
            yield xml.success("MoveItem", f"<m:Items>{self._item(item, {'item:ItemId'}, [])}</m:Items>")

    def do_deleteitem(self, call: Any) -> Iterable[str]:
        """Delete items for good."""
        for one in call.find("m:ItemIds", _NAMES):
            item = self.box.items.get(one.get("Id"))
            if item is None:
                yield xml.error("DeleteItem", "ErrorItemNotFound")
                continue
            self.store.delete(self.mailbox, item)
            yield xml.success("DeleteItem")

    def do_senditem(self, call: Any) -> Iterable[str]:
        """Send drafts: they move to Sent Items."""
        for one in call.find("m:ItemIds", _NAMES):
            item = self.box.items.get(one.get("Id"))
            if item is None:
                yield xml.error("SendItem", "ErrorItemNotFound")
                continue
            item.properties.pop("item:IsDraft", None)
            self.store.move(self.mailbox, item, "sentitems")
            yield xml.success("SendItem")

    # --------------------------------------------------------------------------------------- attachments

    def do_getattachment(self, call: Any) -> Iterable[str]:
        """Attachments by id."""
        known = {one.key: one for item in self.box.items.values() for one in item.attachments}
        for one in call.find("m:AttachmentIds", _NAMES):
            found = known.get(one.get("Id"))
            if found is None or found.broken:
                code = "ErrorCannotOpenFileAttachment" if found else "ErrorInvalidAttachmentId"
                yield xml.error("GetAttachment", code, "<m:Attachments/>")
                continue
            yield xml.success("GetAttachment",
                              f"<m:Attachments>{xml.attachment(found, content=True)}</m:Attachments>")

    def do_createattachment(self, call: Any) -> Iterable[str]:
        """Put files on an item."""
        item = self.box.items.get(call.find("m:ParentItemId", _NAMES).get("Id"))
        for one in call.find("m:Attachments", _NAMES):
            if item is None:
                yield xml.error("CreateAttachment", "ErrorItemNotFound", "<m:Attachments/>")
                continue
            made = Attached(one.findtext("t:Name", "", _NAMES),
                            base64.b64decode(one.findtext("t:Content", "", _NAMES)))
            item.attachments.append(made)
            self.store.touch(self.mailbox, item)
            yield xml.success("CreateAttachment", (
                f'<m:Attachments><t:FileAttachment><t:AttachmentId Id="{made.key}" RootItemId="{item.key}" '
                f'RootItemChangeKey="{item.change_key}"/></t:FileAttachment></m:Attachments>'))

    # ----------------------------------------------------------------------------------- subscriptions, names

    def do_subscribe(self, call: Any) -> Iterable[str]:
        """Listen to everything in the mailbox."""
        key = base64.b64encode(secrets.token_bytes(24)).decode()
        self.store.listeners[key] = (self.mailbox.casefold(), queue.Queue())
        yield xml.success("Subscribe", f"<m:SubscriptionId>{key}</m:SubscriptionId>")

    def do_unsubscribe(self, call: Any) -> Iterable[str]:
        """Stop listening."""
        gone = self.store.listeners.pop(call.findtext("m:SubscriptionId", "", _NAMES), None)
        yield xml.success("Unsubscribe") if gone else xml.error("Unsubscribe", "ErrorSubscriptionNotFound")

    def do_resolvenames(self, call: Any) -> Iterable[str]:
        """Addresses that begin like the entry."""
        entry = call.findtext("m:UnresolvedEntry", "", _NAMES).casefold()
        found = [box.address for name, box in self.store.mailboxes.items() if name.startswith(entry)]
        if not found:
            yield xml.error("ResolveNames", "ErrorNameResolutionNoResults")
            return
        each = "".join(f"<t:Resolution><t:Mailbox><t:Name>{one}</t:Name><t:EmailAddress>{one}</t:EmailAddress>"
                       f"<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>"
                       f"</t:Resolution>" for one in found)
        yield xml.success("ResolveNames", (
            f'<m:ResolutionSet TotalItemsInView="{len(found)}" IncludesLastItemInRange="true">{each}'
            f"</m:ResolutionSet>"))


def _wanted(shape: Any) -> tuple[set[str], list[tuple[str, str]]]:
    """The field URIs asked for, and the extended ones as (attributes, name in the item)."""
    fields = set(_KEYS)
    if shape.findtext("t:BaseShape", "", _NAMES) != "IdOnly":
        fields |= _ALL
    extended = []
    for path in shape.iterfind("t:AdditionalProperties/*", _NAMES):
        if path.get("FieldURI"):
            fields.add(path.get("FieldURI"))
        else:
            attributes = " ".join(f'{name}="{value}"' for name, value in path.attrib.items())
            extended.append((attributes, path.get("PropertyName") or (path.get("PropertyTag") or "").lower()))
    if shape.findtext("t:IncludeMimeContent", "", _NAMES) == "true":
        fields.add("item:MimeContent")
    return fields, extended


def _mime(item: Item) -> bytes:
    """A MIME for an item that was put without one."""
    message = EmailMessage()
    message["Subject"] = item.properties.get("item:Subject", "")
    message.set_content(item.properties.get("item:Body", ""))
    return message.as_bytes()
