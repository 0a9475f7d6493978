"""What the scanner reads: parts of an item as text and tables, each with its place.

Extraction (`capture/extract`) produces these, the scanner consumes them; they live here because
`pii_scan` may import nothing of ours. `place` and `where` are safe for logs and notices (counts and
kinds: "attachment 2 of 3 (xlsx)", "sheet 2"); `path` holds file names, which are content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Status = Literal["read", "partial", "unreadable"]

REASON_CODES = frozenset({
    "encrypted", "rights_managed", "needs_ocr", "corrupt", "too_large", "too_deep", "ratio", "timeout",
    "memory", "crashed", "unknown_type", "unsupported", "external_entity", "no_text", "not_fetched",
})
"""Why a part was not (fully) read. Stable: other people script against them."""


class Label(StrEnum):
    """What role a run of text plays. Every label is scanned; none is skipped."""

    TEXT = "text"              # what the sender wrote, or the running text of a document
    SUBJECT = "subject"
    ADDRESSES = "addresses"    # From/To/Cc lines of the mail, of a nested mail or of quoted headers
    SIGNATURE = "signature"
    DISCLAIMER = "disclaimer"
    NAME = "name"              # file name of an attachment or archive member
    MARGIN = "margin"          # page or sheet header and footer
    NOTE = "note"              # comment, footnote, endnote, speaker note, annotation
    HIDDEN = "hidden"          # hidden sheet, row, column or text; tracked deletion
    PROPERTY = "property"      # document property (author, title), calendar property
    LINK = "link"              # link target, HTML attribute, external target


@dataclass(frozen=True, slots=True, repr=False)
class Block:
    """A run of text. `where` is its place inside the part ("page 3", "comment 2"); `quoted` marks
    text quoted from an earlier mail."""

    text: str
    label: Label = Label.TEXT
    where: str = ""
    quoted: bool = False

    def __repr__(self) -> str:
        return f"Block({self.label}, {len(self.text)} characters, {self.where!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Rows of cells as they stood, nothing dropped: the scanner finds the header row itself.

    Row i of `rows` is row `first_row + i` of the sheet, file or page. Rows may differ in length.
    """

    rows: tuple[tuple[str, ...], ...]
    label: Label = Label.TEXT
    where: str = ""
    first_row: int = 1
    quoted: bool = False

    def __repr__(self) -> str:
        return f"Table({len(self.rows)} rows, {self.where!r})"

    def lines(self) -> Iterator[str]:
        """Each row as one line, cells separated by a tab."""
        for row in self.rows:
            yield "\t".join(row)


@dataclass(frozen=True, slots=True, repr=False)
class Part:
    """One part of an item: a body, a header block, an attachment, a member of an archive.

    A part that is not `read` carries a reason `code` of `REASON_CODES`; what was read of it is here
    all the same and is scanned. `size` in bytes, `millis` of parsing time.
    """

    place: str
    kind: str
    blocks: tuple[Block | Table, ...] = ()
    status: Status = "read"
    code: str = ""
    path: str = ""
    size: int = 0
    millis: int = 0

    def __repr__(self) -> str:
        return f"Part({self.place!r}, {self.kind}, {self.status}{' ' + self.code if self.code else ''})"

    def text(self) -> str:
        """Everything read of this part as one string, blocks separated by a newline."""
        return "\n".join(b.text if isinstance(b, Block) else "\n".join(b.lines()) for b in self.blocks)


@dataclass(frozen=True, slots=True)
class Unread:
    """A part that was not fully read, and why. Holds the item."""

    place: str
    code: str


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A mailbox: `name` as displayed, `email` casefolded, either may be empty."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """The mail headers the flow and the scanner need, decoded and capped.

    `message_id`, `in_reply_to` and `references` are normalised: no brackets or blanks, local part as
    sent, domain casefolded; empty when absent. `sent` is UTC ISO 8601 or empty. `list_mail` marks
    bulk mail (List-Id, List-Unsubscribe, Precedence: bulk).
    """

    message_id: str = ""
    subject: str = ""
    sender: Address | None = None
    recipients: tuple[Address, ...] = ()
    sent: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    list_mail: bool = False
    sensitivity: str = ""
    categories: tuple[str, ...] = ()

    def parties(self) -> tuple[Address, ...]:
        """Sender and recipients."""
        return ((self.sender,) if self.sender else ()) + self.recipients


@dataclass(frozen=True, slots=True, repr=False)
class Extraction:
    """The text of one item and what could not be read of it.

    `status` is the worst status of the parts; an item that is not `read` is held.
    """

    parts: tuple[Part, ...]
    envelope: Envelope = field(default_factory=Envelope)

    @property
    def status(self) -> Status:
        order: Sequence[Status] = ("read", "partial", "unreadable")
        return max((p.status for p in self.parts), key=order.index, default="unreadable")

    @property
    def unread(self) -> tuple[Unread, ...]:
        """Every part that is not fully read."""
        return tuple(Unread(p.place, p.code) for p in self.parts if p.status != "read")
