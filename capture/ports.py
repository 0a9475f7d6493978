"""What the flow needs from the world, as protocols, and the small values passed between steps.

A backend need not import the protocol; its last line lets mypy agree: `_: type[Mailbox] = FolderMailbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Event
from typing import Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from pii_scan.findings import Decision, Finding, Report
from pii_scan.text import Address, Envelope, Extraction, Unread

R = TypeVar("R")


class ItemKind(StrEnum):
    """What an item is, to its user and to the CRM."""

    MAIL = "mail"
    APPOINTMENT = "appointment"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class ItemRef:
    """Where an item is: `mailbox` names the user's mailbox, `key` the item inside it (opaque; it may change
    when the item is moved). `identity` stays the same when the item is moved, as far as the server offers
    such a thing ("" otherwise); it is what a capture is recognised by. Both may hold a path or a Message-ID
    and are never logged."""

    mailbox: str
    key: str
    kind: ItemKind = ItemKind.MAIL
    identity: str = ""

    def __repr__(self) -> str:
        return "ItemRef(...)"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What we wrote on an item, to know our own writes again: nothing readable. Copies carry it too, so it is
    believed only when the stored capture agrees."""

    capture: str
    state: str
    generation: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """One item as the watching sees it: no text. `tagged`: the trigger category is on it; `state`: our state
    category on it ("" = none); `stamp`: what we last wrote on it, if the server shows it; `removed`: it is no
    longer in this folder (optional: nothing depends on being told); `draft` items are ignored until they are
    sent. Whether the folder it lies in is a trigger as well is the watching's matter, not the backend's."""

    ref: ItemRef
    tagged: bool = False
    state: str = ""
    stamp: Stamp | None = None
    removed: bool = False
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to watch. `key` is opaque and constant while the folder is renamed or moved. `path` is what its
    user sees ("Inbox/Clients", parts joined by "/"; never logged): a folder named like the trigger category is a
    trigger, and so is one bound to a CRM record. `fast` folders (inbox, sent, calendar, tasks) are asked every
    minute, others on a wake-up or every ten minutes."""

    mailbox: str
    key: str
    kind: Literal["mail", "sent", "calendar", "tasks"] = "mail"
    fast: bool = True
    path: str = ""

    def __repr__(self) -> str:
        return f"Folder({self.kind})"


@dataclass(frozen=True, slots=True, repr=False)
class Changes:
    """One page of what changed in a folder. `cursor` is where to go on (opaque, secret: it names folders);
    `more`: another page is ready; `reset`: the server began again from the start, so this is a full pass."""

    sightings: tuple[Sighting, ...]
    cursor: bytes
    more: bool = False
    reset: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class MailItem:
    """A fetched item: its reference and its RFC 822 bytes (for an appointment or a task, put together from
    its properties). `unread`: parts the server listed but did not hand over (cloud links, failed attachments);
    they hold the item. `private`: marked private or confidential by its user, so it is refused unread.
    `record`: the CRM record it belongs to ("contact:ID", "organisation:ID") when its folder is bound to one; set
    by the flow, not by backends. Never logged."""

    ref: ItemRef
    raw: bytes
    unread: tuple[Unread, ...] = ()
    private: bool = False
    record: str = ""

    def __repr__(self) -> str:
        return f"MailItem({len(self.raw)} bytes)"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing `mailweir mailbox check` and `doctor` looked at: `fine`, and if not, what exactly is missing
    (a permission, a setting) and what to do. No content, no address."""

    code: str
    fine: bool
    detail: str
    hint: str = ""


class Step(Protocol):
    """How the flow runs one of its steps: directly, or durably with a checkpoint (`capture/engine.py`).

    Raises `StepFailed` with the reason code, whatever went wrong inside; `TryLater` is retried first.
    """

    def __call__(self, name: str, function: Callable[[], R]) -> R:
        """Run the step and return its result: ids, counts and codes, never text."""


class Mailbox(Protocol):
    """The mailboxes of an installation, as far as the flow and the watching care.

    A backend watches, fetches and marks; it never decides, and recognises tags on our side. Every method is
    safe to call twice. Each may raise `TryLater` when a later call may work (`wait`: the seconds the server
    asked for), `Parked` when this mailbox needs a person (rights, licence, sign-in), `Unreachable` when the
    mailboxes cannot be opened at all.
    """

    def mailboxes(self) -> Sequence[str]:
        """The mailboxes to watch, by the name captures carry."""

    def folders(self, mailbox: str) -> Sequence[Folder]:
        """The folders of a mailbox to watch: not Deleted Items, Junk, Drafts, Outbox, nor excluded ones."""

    def changes(self, folder: Folder, cursor: bytes) -> Changes:
        """What changed since `cursor` (b"" = everything), one page. Raises `CursorLost` when the server does
        not know the cursor any more; `ItemGone` when the folder is gone."""

    def tagged(self, mailbox: str) -> Iterator[Sighting]:
        """Every item of a mailbox with the trigger category, oldest first: first start and nightly reconcile."""

    def fetch(self, ref: ItemRef) -> MailItem:
        """The whole item, unchanged. Raises `ItemGone` when it is not at `ref` any more."""

    def mark(self, ref: ItemRef, state: str, stamp: Stamp | None = None) -> ItemRef:
        """Show the user the state ("pending", "linked", "held", "in review", ...) as a category, take the tag
        off and put the stamp on, in one write; other categories stay (`capture.mailbox.states` does the merging).
        "" takes our states away. Returns the fresh reference. Raises `ItemGone` when the item is not at `ref` any
        more, `Changed` when it kept changing."""

    def locate(self, ref: ItemRef, capture: str = "", message_id: str = "") -> ItemRef | None:
        """Where the item is now: by its identity, else by our stamp with the id `capture`, else by its
        Message-ID; None when it is nowhere. A hint that is "" is not used."""

    def wakeups(self, stop: Event) -> Iterator[str]:
        """Yield the name of a mailbox whenever something may have changed there, until `stop` is set. May
        yield nothing at all: polling is the floor, and the cursor is the truth."""

    def check(self, mailbox: str) -> Sequence[Check]:
        """What works and what is missing, for one mailbox."""

    def close(self) -> None:
        """Let go of connections."""


class Extractor(Protocol):
    """Turns the bytes of a mail or file into text, in a process of its own."""

    def extract(self, raw: bytes, *, name: str = "") -> Extraction:
        """Return everything that could be read, and what could not. Never raises for bad input."""

    def close(self) -> None:
        """Stop the child processes."""


class Scanner(Protocol):
    """Looks for personal information. `pii_scan.engine.Scanner` is the one we ship."""

    def scan(self, extraction: Extraction) -> Report:
        """Return the findings, without text. Raises `ScanError` when no verdict is possible."""

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        """Return what the policy pack makes of the findings and of what was not read."""


Weigh: TypeAlias = Callable[[tuple[Finding, ...]], tuple[Finding, ...]]
"""Takes the findings of a scan and gives them back, some of them exempted; it drops none."""


@runtime_checkable
class Weighing(Protocol):
    """A scanner that lets findings be exempted before it judges the message as a whole."""

    def scan_with(self, extraction: Extraction, weigh: Weigh) -> Report:
        """As `Scanner.scan`, with `weigh` asked about the findings first."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What the CRM did: the activity's id and how it was matched ("contact", "organisation",
    "unmatched"), with the number of records linked. `notes`: codes of what does not stand in the activity as it was
    in the item, and is said there ("file-too-large"). `asked`: questions only its user can answer (which of several
    contacts?)."""

    activity: str
    matched: str
    records: int
    notes: tuple[str, ...] = ()
    asked: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Typed:
    """A phone call or a task that a person writes down in the CRM. Its text was scanned before.

    `caller`, `called`, `number`, `outgoing` and `minutes` are a phone call's; `when` it is due. `record`: what it is
    about ("contact:ID", "organisation:ID", ...).
    """

    kind: StoredKind
    subject: str
    text: str
    caller: Address = Address("", "")  # noqa: RUF009 - frozen
    called: tuple[Address, ...] = ()
    number: str = ""
    outgoing: bool = True
    minutes: int = 0
    when: datetime | None = None
    record: str = ""

    def __repr__(self) -> str:
        return f"Typed({self.kind})"


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """A record an item can be linked to: its kind ("contact", "organisation", "lead", "opportunity"), its id, its
    name, and what tells it from others of the name (a title, an organisation). No address, no phone number."""

    kind: str
    id: str
    name: str
    detail: str = ""

    def __repr__(self) -> str:
        return f"Record({self.kind})"


@dataclass(frozen=True, slots=True, repr=False)
class Offer:
    """A record for an item. `reason` is a code of `capture.matching.REASONS`; `sure`: it is linked without asking.
    Offers of the same `question` ("" = none) are an either-or."""

    record: Record
    reason: str
    sure: bool = False
    question: str = ""

    def __repr__(self) -> str:
        return f"Offer({self.reason})"


@dataclass(frozen=True, slots=True)
class Offers:
    """What matching makes of an item: what it would link, then what it suggests, the strongest reason first; `reason`
    says why something is linked, or why nothing is. `beyond` more have an address of the item and are out of sight."""

    found: tuple[Offer, ...]
    reason: str
    beyond: int = 0


class StoredKind(StrEnum):
    """What a stored item of the CRM is: what was linked from Outlook, what people typed in the CRM as an activity or
    into a record, and documents."""

    MAIL = "mail"
    APPOINTMENT = "appointment"
    TASK = "task"
    NOTE = "note"
    PHONE_CALL = "phonecall"
    ORGANISATION = "organisation"
    CONTACT = "contact"
    OPPORTUNITY = "opportunity"
    PROJECT = "project"
    EVENT = "event"
    ISSUE = "issue"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stored items: stored at `since` or later and before `until` (UTC), of this division ("" = of any), of
    these kinds (none named = of every kind), `attached`: only those with an attachment."""

    since: datetime | None = None
    until: datetime | None = None
    division: str = ""
    kinds: tuple[StoredKind, ...] = ()
    attached: bool = False


@dataclass(frozen=True, slots=True)
class StoredRef:
    """One stored item: the CRM's own id of it, stable for its life; what it is; whose it is ("" = nobody's)."""

    id: str
    kind: StoredKind
    division: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class StoredItem:
    """A stored item with its content, as a rescan reads it.

    `raw` is the content as an RFC 822 mail, attachments and all, for the extractor. `content` is the same exactly as
    the CRM keeps it, opaque to everybody but the backend: what `restore` takes. `version` changes with the content.
    `stub` is the case by which the content was pulled out, "" when it is there. `stored` is when it came into the
    CRM (UTC), `trackers` are the mailboxes whose owners asked for it, `shown_with` the ids of the records on whose
    timelines its subject line stands. `edited`: somebody changed the content since we wrote it, or that is not known.
    `unread`: what the CRM listed but did not hand over; it holds the item. `fields`: what was typed into a record, by
    field; it is then read field by field, as when it was kept, and not out of `raw`. `typed`: text in which people
    wrote about somebody, which may not name a creed or an origin.
    """

    ref: StoredRef
    item_key: str
    raw: bytes
    content: bytes
    version: str
    stored: datetime
    stub: str = ""
    trackers: tuple[str, ...] = ()
    shown_with: tuple[str, ...] = ()
    attachments: int = 0
    edited: bool = True
    unread: tuple[Unread, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    typed: str = ""

    def __repr__(self) -> str:
        return f"StoredItem({self.ref.kind}, {self.attachments} attachments)"


Restored = Literal["restored", "already", "gone"]


class Crm(Protocol):
    """The CRM. Every write is an upsert by our own item key, so a repeated call is harmless.

    Each method may raise `TryLater` when a later call may work.
    """

    def link(self, item_key: str, tracker: str, item: MailItem, envelope: Envelope,
             extraction: Extraction) -> Linked:
        """Write one activity for the item (or add the tracker to it) and link it to its records.

        An activity whose content was pulled out (see `pull`) gets this content, unless its case is still open.
        Returns only when the whole item is there; until then nothing of it shows as linked. Raises `CrmRefused` when
        the CRM does not take it, `CrmIncomplete` when it did not keep all of it.
        """

    def write(self, item_key: str, author: str, typed: Typed) -> Linked:
        """Write what a person typed as one activity; repeated with the same key, it stays one. Errors as `link`."""

    def suggest(self, tracker: str, item: MailItem, envelope: Envelope, *, who: str = "") -> Offers:
        """What `link` would make of the item in this mailbox, as far as `who` (an address; "" = the tracker) may see.
        Writes nothing. What the CRM does not name any more is left out."""

    def find(self, text: str, *, who: str = "", kinds: tuple[str, ...] = (), limit: int = 20) -> Sequence[Record]:
        """Records whose name, or whose address as a whole, begins or goes on like this, of these kinds (none named =
        of every kind), as far as `who` (an address) may see them; by name."""

    def stored(self, wanted: Wanted, after: str = "", limit: int = 200) -> Sequence[StoredRef]:
        """One page of stored items in the order of their ids, those with an id greater than `after`; none at the
        end. An item stored meanwhile may or may not be among them; no other is left out or comes twice."""

    def count(self, wanted: Wanted) -> int:
        """How many stored items there are, for telling how far a run is."""

    def read(self, ident: str) -> StoredItem:
        """One item with its content. Raises `RecordGone` when there is none of this id."""

    def pull(self, ident: str, version: str, case: str) -> None:
        """Replace the content, names of files included, by a stub marked with the case number; links and trackers
        stay. Does nothing when it is the stub of this case already. Raises `RecordGone`, and `RecordChanged` when
        the content is not that of `version` any more, or the case was released meanwhile."""

    def restore(self, ident: str, case: str, content: bytes) -> Restored:
        """Put `content` (of `StoredItem`) back in the place of the stub of this case. "already" when there is no
        such stub any more, "gone" when there is no such item any more; then nothing is written."""

    def check(self) -> Sequence[Check]:
        """What works and what is missing."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A record that an item in the CRM may belong to, as its user is asked; ids and codes only. Those of one activity,
    tracker and `question` are an either-or, "" = suggested by itself."""

    activity: str
    tracker: str
    question: str
    kind: str
    ident: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """What somebody is asked, with the words they know it by. `sent` is ISO 8601, "" when the item has no time."""

    asked: Asked
    subject: str
    sent: str
    record: Record


@runtime_checkable
class Asks(Protocol):
    """A CRM elsewhere that keeps what people are asked about items and takes their answers. Of ours asks the store."""

    def asked(self, trackers: Collection[str] | None, limit: int = 200, *, about: str = "") -> Sequence[Asked]:
        """What is open for these mailboxes (None = for all), the newest first: of at most `limit` items, or of the
        activity `about` alone."""

    def in_words(self, asked: Sequence[Asked]) -> Sequence[Question]:
        """The same in words, as far as its user may see the records; what was pulled out, or is gone, is left out.
        The reading is the caller's to record, before."""

    def whose(self, activity: str) -> tuple[str, tuple[str, ...]]:
        """The division of an activity and the mailboxes that track it. Raises `RecordGone` for one that is not there,
        or was not made for an item."""

    def answer(self, activity: str, tracker: str, record: tuple[str, str], *, link: bool, who: str,
               role: str = "") -> None:
        """Link an activity to a record by hand, or say that it is not this one: for the mailbox `tracker`, with the
        rights of `who` (an address or a mailbox). Raises `NotFound` for a record that is not there, not within sight,
        or (`link` False) not suggested, `BadState` while the content is held."""


class Notifier(Protocol):
    """Delivers a notice that lies in the outbox. At least once; `key` lets the receiver drop doubles."""

    def send(self, key: str, to: str, subject: str, text: str) -> None:
        """Deliver one notice. Raises `TryLater` when it may work later."""


