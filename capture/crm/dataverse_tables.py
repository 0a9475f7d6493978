"""The tables of Dataverse we write and read: names, limits, states, and how their rows are addressed.

Names and limits are those of the table reference in the Power Apps documentation (MicrosoftDocs/powerapps-docs,
reference/entities). A column of our own begins with the publisher's prefix of the settings, "mw" unless changed.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from capture.errors import RecordGone
from capture.ports import StoredKind

NEVER_DONE: Final = -1


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of activity.

    `letter` stands for it in our ids, `path` in addresses. `subject` and `text` are the most characters it takes.
    `parties`, `files` and `notes` are collections of a row, `file_path` the table its files are rows of (where that is
    the table of notes, `notes` is ""), `place` the column with a place or phone number; `html`: the description is
    HTML. A row is `open` (state, status) at first and is done as `received` or `sent`; appointments and tasks are left
    open, for they are their owner's.
    """

    kind: StoredKind
    letter: str
    name: str
    path: str
    subject: int
    text: int
    parties: str
    files: str
    file_path: str
    open: tuple[int, int]
    received: tuple[int, int] = (NEVER_DONE, NEVER_DONE)
    sent: tuple[int, int] = (NEVER_DONE, NEVER_DONE)
    html: bool = False
    place: str = ""
    notes: str = ""

    @property
    def closes(self) -> bool:
        """Whether a row is completed when everything is in it; a completed mail cannot be edited."""
        return self.received[0] != NEVER_DONE

    def regarding(self, target: str) -> str:
        """The navigation property that binds the record it is about."""
        return f"regardingobjectid_{target}_{self.name}"


TABLES: Final = (
    Table(StoredKind.APPOINTMENT, "a", "appointment", "appointments", 200, 1_048_576, "appointment_activity_parties",
          "appointment_activity_mime_attachment", "activitymimeattachments", (0, 1), place="location",
          notes="Appointment_Annotation"),
    Table(StoredKind.MAIL, "e", "email", "emails", 800, 1_073_741_823, "email_activity_parties",
          "email_activity_mime_attachment", "activitymimeattachments", (0, 1), (1, 4), (1, 3), html=True,
          notes="Email_Annotation"),
    Table(StoredKind.PHONE_CALL, "p", "phonecall", "phonecalls", 200, 2_000, "phonecall_activity_parties",
          "PhoneCall_Annotation", "annotations", (0, 1), (1, 4), (1, 2), place="phonenumber"),
    Table(StoredKind.TASK, "t", "task", "tasks", 200, 2_000, "", "Task_Annotation", "annotations", (0, 2)),
)
"""In the order of their letters, as ids sort."""
OF_KIND: Final[Mapping[StoredKind, Table]] = {table.kind: table for table in TABLES}
OF_LETTER: Final[Mapping[str, Table]] = {table.letter: table for table in TABLES}

NOTES: Final = "annotations"
"""The table of notes: what people write beside a row, with or without a file."""
NAME_LENGTH: Final = 255
ADDRESS_LENGTH: Final = 320
PARTY_NAME_LENGTH: Final = 200
MESSAGE_ID_LENGTH: Final = 320

FROM, TO, CC, BCC, REQUIRED, OPTIONAL, ORGANIZER, RELATED = 1, 2, 3, 4, 5, 6, 7, 13
ROLES: Final[Mapping[int, str]] = {FROM: "from", TO: "to", CC: "cc", BCC: "bcc", REQUIRED: "required",
                                   OPTIONAL: "optional", ORGANIZER: "organizer", RELATED: "related"}
"""participationtypemask of the parties we write; 8 (regarding) and 9 (owner) are Dataverse's own."""


@dataclass(frozen=True, slots=True)
class Target:
    """A table with records that an activity can belong to."""

    kind: str
    name: str
    path: str
    key: str
    title: str


TARGETS: Final = (
    Target("contact", "contact", "contacts", "contactid", "fullname"),
    Target("organisation", "account", "accounts", "accountid", "name"),
    Target("lead", "lead", "leads", "leadid", "fullname"),
    Target("opportunity", "opportunity", "opportunities", "opportunityid", "name"),
)
OF_WORD: Final[Mapping[str, Target]] = {target.kind: target for target in TARGETS}
OF_NAME: Final[Mapping[str, Target]] = {target.name: target for target in TARGETS}
USERS: Final = Target("user", "systemuser", "systemusers", "systemuserid", "fullname")


@dataclass(frozen=True, slots=True)
class Columns:
    """Our own columns and the table of trackers, under the publisher's prefix."""

    prefix: str = "mw"

    @property
    def key(self) -> str:
        """The alternate key: a hash, for Message-IDs hold characters that addresses of rows may not."""
        return f"{self.prefix}_key"

    @property
    def item(self) -> str:
        """Our item key."""
        return f"{self.prefix}_item"

    @property
    def filled(self) -> str:
        """The version of the content as we wrote it."""
        return f"{self.prefix}_filled"

    @property
    def stub(self) -> str:
        """The case by which the content was pulled out."""
        return f"{self.prefix}_stub"

    @property
    def tracker(self) -> str:
        """The table of trackers; its rows have `key` and `item` too."""
        return f"{self.prefix}_tracker"

    @property
    def trackers(self) -> str:
        """Its path."""
        return f"{self.prefix}_trackers"

    @property
    def name(self) -> str:
        """Who tracked."""
        return f"{self.prefix}_name"

    @property
    def matched(self) -> str:
        """How this tracker's copy was matched."""
        return f"{self.prefix}_matched"

    @property
    def reason(self) -> str:
        """Why."""
        return f"{self.prefix}_reason"

    @property
    def links(self) -> str:
        """The records this tracker's copy belongs to: "contact:GUID account:GUID"."""
        return f"{self.prefix}_links"

    @property
    def asked(self) -> str:
        """What this tracker is asked and suggested, and what they decided (`capture/crm/dataverse_trackers.py`)."""
        return f"{self.prefix}_asked"


# ------------------------------------------------------------------------------------------------ ids

_IDENT: Final = re.compile(r"(\d{8}T\d{6})-([aept])-([0-9a-f]{32})")
_FORM: Final = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Ident:
    """The id of an activity as we use it: time of creation, table, row. It sorts as text, for a page of ids must
    begin after the last one; Dataverse cannot compare row ids, and sorts them in an order of its own."""

    created: datetime
    table: Table
    row: str

    def __str__(self) -> str:
        return f"{self.created:{_FORM}}-{self.table.letter}-{uuid.UUID(self.row).hex}"

    @property
    def address(self) -> str:
        """The path of the row."""
        return f"/{self.table.path}({self.row})"


def ident_of(text: str) -> Ident:
    """The id read again. Raises `RecordGone` when it is none of ours."""
    found = _IDENT.fullmatch(text)
    if not found:
        raise RecordGone("no id of a Dataverse activity")
    try:
        created = datetime.strptime(found[1], _FORM).replace(tzinfo=UTC)
    except ValueError:
        raise RecordGone("no id of a Dataverse activity") from None
    return Ident(created, OF_LETTER[found[2]], str(uuid.UUID(found[3])))


def moment(text: object) -> datetime:
    """A time as Dataverse gives it (UTC, whole seconds)."""
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")).astimezone(UTC)


def stamp(when: datetime) -> str:
    """A time as Dataverse takes it."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def quoted(text: str) -> str:
    """Text as a literal of a filter."""
    return "'" + text.replace("'", "''") + "'"
