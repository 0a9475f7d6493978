"""What the task pane in Outlook asks for: how an item stands, what would happen to it, what would be stored.

The pane sends ids only. Whoever asks was let in by the caller (`mailbox_for` says whose mailbox it is); the item is
fetched from that mailbox and has the Message-ID that came with the id. Nothing but `requests.request` keeps anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from capture import allowing, marking, trimming
from capture.errors import AttachmentStays, ItemGone, ItemPrivate
from capture.fetching import named, with_unread
from capture.mine import mailboxes_of
from capture.notices import KIND_WORDS, SYSTEM_WORDS, UNREAD_WORDS
from capture.ports import ItemKind, ItemRef, MailItem
from capture.settings import Settings
from capture.wiring import Tools
from pii_scan.findings import Verdict
from pii_scan.text import Extraction
from store import audit, identity, pane, watch
from store.errors import NotFound
from store.pane import Standing
from store.summary import counts, summary

_FAULTS = {"attachment-stays": "has an attachment that could not be left out, so all of it is held"}


@dataclass(frozen=True, slots=True, repr=False)
class Named:
    """An item as the pane names it; nothing of it is believed before it was fetched. `mailbox` is the name it is
    served under."""

    mailbox: str
    item_id: str
    message_id: str
    kind: ItemKind

    @property
    def ref(self) -> ItemRef:
        """Where it is said to be."""
        return ItemRef(self.mailbox, self.item_id, self.kind)


@dataclass(frozen=True, slots=True)
class Stored:
    """One thing that would be stored: what it is, and how much ("characters", "bytes", "people", "")."""

    what: str
    amount: int
    unit: str


def owners(settings: Settings, address: str, people: Collection[str]) -> bool:
    """Whether one of these addresses owns the mailbox of this address, or was made its delegate."""
    plain = address.strip().casefold()
    return bool({plain} & {found.casefold() for found in mailboxes_of(people, settings)}) or bool(
        set(settings.pane.delegates.get(plain, ())) & set(people))


def mailbox_for(tools: Tools, address: str) -> str:
    """The name under which the mailbox of this address is served. Raises `NotFound`."""
    wanted = {name.casefold() for name in mailboxes_of({address.strip().casefold()}, tools.settings)}
    for name in tools.mailbox.mailboxes():
        if name.casefold() in wanted:
            return name
    raise NotFound("no such mailbox is served")


def item_id_for(tools: Tools, mailbox: str, item_id: str) -> str:
    """The id as the mailbox's server takes it: Outlook gives the one of EWS, and Graph writes the same in base64url."""
    with tools.database.reading() as session:
        kinds = {row.mailbox: row.backend for row in watch.mailboxes(session)}
    graph = (kinds.get(mailbox) or tools.settings.mailbox.kind) == "graph"
    return item_id.replace("/", "-").replace("+", "_") if graph else item_id


def standing(tools: Tools, session: Session, item: Named) -> Standing:
    """How an item stands, by our own records alone: nothing is fetched."""
    bare = item.message_id.strip().strip("<>")
    keys = [marking.source_key(tools, ItemRef(item.mailbox, name)) for name in (item.item_id, f"<{bare}>" if bare else
                                                                                "") if name]
    message = identity.message_key(tools.keys, bare) if bare else ""
    return pane.standing(session, pane.newest(session, item.mailbox, keys, message))


def lines(kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was found and what could not be read, by kind and place: never a value."""
    found: dict[tuple[str, str], int] = {}
    for line in kept.get("findings", ()):
        key = (line["place"], line["kind"])
        found[key] = found.get(key, 0) + int(line["count"])
    return [{"place": place, "code": kind, "words": KIND_WORDS.get(kind, kind.replace("_", " ")), "count": count}
            for (place, kind), count in found.items()] + [
        {"place": one["place"], "code": one["code"], "words": _FAULTS.get(one["code"]) or UNREAD_WORDS.get(
            one["code"], SYSTEM_WORDS), "count": 0}
        for one in kept.get("unread", ())]


def check(tools: Tools, item: Named, actor: str,
          left_out: Collection[int] = ()) -> tuple[Verdict, list[dict[str, Any]]]:
    """What a scan says of an item without the attachments of these numbers; nothing is kept. One that cannot be left
    out is a reason to hold, as it is in the flow. Raises `ItemGone`, `ItemPrivate`, `ScanError`, and what the mailbox
    raises. The look is audited."""
    mail = fetched(tools, item)
    try:
        extraction = extracted(tools, mail, left_out)
    except AttachmentStays as stays:
        kept: dict[str, Any] = {"verdict": Verdict.REVIEW.value, "policy": "", "findings": [],
                                "unread": [{"place": "item", "code": stays.code}]}
    else:
        scanner = allowing.with_rules(tools, allowing.division_of(tools, item.mailbox))
        kept = summary(scanner.decide(scanner.scan(extraction), extraction))
    with tools.database.session() as session:
        audit.append(session, "pane:item:checked", actor=actor, body={
            "verdict": kept["verdict"], "policy": kept["policy"], "kinds": counts(kept), "unread": len(kept["unread"])})
    return Verdict(kept["verdict"]), lines(kept)


def preview(tools: Tools, item: Named, actor: str, left_out: Collection[int] = ()) -> tuple[Stored, ...]:
    """What of an item would be stored without these attachments, as kinds and amounts; no word of it. Raises
    `AttachmentStays`, and as `check` does."""
    extraction = extracted(tools, fetched(tools, item), left_out)
    envelope = extraction.envelope
    found = [Stored("subject line", len(envelope.subject), "characters"),
             Stored("sender and recipients", len(envelope.parties()), "people")]
    if envelope.sent:
        found.append(Stored("date and time", 0, ""))
    body = sum(len(part.text()) for part in extraction.parts if part.place.startswith("body"))
    found.append(Stored("text", body, "characters"))
    found += [Stored(f"{part.place} ({part.kind})", part.size, "bytes") if "(" not in part.place
              else Stored(part.place, part.size, "bytes")
              for part in extraction.parts if part.place.startswith("attachment")]
    with tools.database.session() as session:
        audit.append(session, "pane:item:previewed", actor=actor, body={"parts": len(found)})
    return tuple(found)


def fetched(tools: Tools, item: Named) -> MailItem:
    """The item that was named, to be looked at. Raises `ItemGone`, `ItemPrivate`, and what the mailbox raises."""
    found = named(tools, item.ref, item.message_id)
    if found.private:
        raise ItemPrivate
    if not found.raw and not found.unread:
        raise ItemGone
    return found


def extracted(tools: Tools, item: MailItem, left_out: Collection[int] = ()) -> Extraction:
    """What was read of it without these attachments. Raises `AttachmentStays`."""
    raw = trimming.without(item.raw, left_out, tools.extractor) if left_out else item.raw
    return with_unread(tools.extractor.extract(raw), item.unread)
