"""What the pane sends and gets: the shapes of its API. Ids, codes, counts and places; no text of an item."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from addin.api import Body, Reason
from capture.ports import ItemKind
from capture.requests import MOST
from capture.wording import MOST as MOST_WORDS
from store.crm_choices import MOST_CHOSEN
from store.pane import State


class SignIn(Body):
    """Proof of who calls. `mailbox` is the address of the mailbox; from Exchange it is proved by the server."""

    kind: Literal["entra", "exchange", "demo"]
    token: str = Field(default="", max_length=20_000)
    mailbox: str = Field(default="", max_length=320)


class Bearer(BaseModel):
    """What opens the API: in memory only. `seconds` until it ends."""

    bearer: str
    seconds: int


class Config(BaseModel):
    """How the pane signs in here. `authority` and `client_id` are empty when Exchange Online is not set up."""

    ways: list[Literal["entra", "exchange", "demo"]]
    client_id: str
    authority: str
    scope: str
    contact: str
    notice_url: str


class Me(BaseModel):
    """Who is signed in. `rules` is the version to be affirmed, 0 when that is done; `trained`: may track."""

    address: str
    rules: int
    trained: bool
    staff: bool


class Rules(BaseModel):
    """The rules of behaviour in force. `signed`: this person signed this version before."""

    number: int
    text: str
    since: datetime
    signed: bool


class Affirm(Body):
    """The version that was shown."""

    number: int = Field(ge=1, le=999_999)


class Item(Body):
    """An item as Outlook names it. All of it is checked: the item is fetched from this mailbox by the service."""

    mailbox: str = Field(min_length=1, max_length=320)
    item_id: str = Field(default="", max_length=MOST)
    internet_message_id: str = Field(default="", max_length=MOST)
    kind: ItemKind = ItemKind.MAIL


RecordName = Annotated[str, Field(
    pattern=r"^(?:contact|organisation|lead|opportunity|project|event|issue):[0-9A-Za-z-]{1,36}$")]
"""A record as "kind:id"."""


class Trimmed(Item):
    """An item without some of its attachments: `leave_out` are the numbers of those that are not to be stored."""

    leave_out: list[Annotated[int, Field(ge=1, le=999)]] = Field(default=[], max_length=100)


class Track(Trimmed):
    """Track an item. `records` are the CRM records the user chose besides what matching finds."""

    records: list[RecordName] = Field(default=[], max_length=MOST_CHOSEN)


class Decide(Body):
    """What becomes of a record for an item in the CRM: link it, dismiss the suggestion, take the link off."""

    act: Literal["link", "dismiss", "unlink"]
    record: RecordName


class Search(Body):
    """What somebody looks for in the CRM."""

    text: Annotated[str, Field(min_length=2, max_length=100)]


class Report(Body):
    """Why a hold is wrong: a code, and words that are scanned before they are kept."""

    code: Reason
    text: str = Field(default="", max_length=MOST_WORDS)


class Line(BaseModel):
    """Something found, or not read (`count` 0): its kind in words, and where. Never a value."""

    place: str
    code: str
    words: str
    count: int


class CrmRecord(BaseModel):
    """A CRM record. Without a name it belongs to another division. `why` is a code, `words` says it in a sentence."""

    record: str
    id: str
    name: str
    detail: str
    why: str
    words: str


class Tracker(BaseModel):
    """Who tracks the message, since when, by which route. `who` is "" for somebody of another division."""

    who: str
    at: datetime
    route: str


class Status(BaseModel):
    """How an item stands. `id` is ours, "" for an item nobody asked for yet. `step` is one of `steps`. `without`: the
    attachments that alone are why it is held. `others`: how many other mailboxes track it. `withdrawn`: what its
    user reported is that they do not need it."""

    id: str
    state: State
    outlook: Literal["Checking", "Tracked", "Held for privacy review", "Not tracked"]
    step: str
    steps: list[str]
    lines: list[Line]
    case: str
    opened: datetime | None
    joined: bool
    redacted: bool
    reported: Literal["", "waiting", "answered"]
    answer: str
    withdrawn: bool
    without: list[int]
    others: int
    records: list[CrmRecord]
    trackers: list[Tracker]
    can: list[str]


class Attachment(BaseModel):
    """An attachment of the mail itself, by its number: it may be left out."""

    number: int
    what: str
    bytes: int


class Suggestions(BaseModel):
    """What matching links (`sure`; `words` says why, or why nothing), what it suggests, of which records one has to be
    chosen (`questions`); `beyond` more belong to another division."""

    sure: list[CrmRecord]
    words: str
    records: list[CrmRecord]
    questions: list[list[CrmRecord]]
    beyond: int
    attachments: list[Attachment]


class Found(BaseModel):
    """What a search found; `beyond` more belong to another division."""

    records: list[CrmRecord]
    beyond: int


class Questions(BaseModel):
    """What its user is asked and suggested about an item in the CRM."""

    questions: list[list[CrmRecord]]
    records: list[CrmRecord]


class Checked(BaseModel):
    """What a scan says; nothing was kept."""

    verdict: Literal["pass", "block", "review"]
    lines: list[Line]


class StoredThing(BaseModel):
    """One thing that would be stored."""

    what: str
    amount: int
    unit: str


class Preview(BaseModel):
    """What would be stored when the item passes."""

    things: list[StoredThing]


class ReportCodes(BaseModel):
    """The codes of a report, with their words."""

    codes: dict[str, str]
