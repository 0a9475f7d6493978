"""The parent's side of a result: events of an untrusted child become parts.

Every field is checked: places are made of counts and kinds only, so that a child taken over by a hostile
file cannot put content into a log. What breaks a rule raises `BadFrame`, and the child is ended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from capture.extract.frames import BadFrame
from capture.extract.limits import Limits
from pii_scan.text import REASON_CODES, Address, Block, Envelope, Extraction, Label, Part, Status, Table

_IDENT: Final = re.compile(r"0(\.\d{1,5}){0,20}")
_KIND: Final = re.compile(r"[a-z0-9]{0,12}")
_WHAT: Final = re.compile(r"(?:(?:[a-z]+|\d{1,9})[ ,()]{0,3}|\(){1,12}")
_WHAT_WORDS: Final = frozenset([
    "attachment", "body", "box", "calendar", "cell", "chart", "comment", "content", "drawing", "embedded", "endnote",
    "file", "footer", "footnote", "form", "frame", "header", "headers", "html", "in", "item", "layout", "mail",
    "master", "member", "message", "note", "notes", "object", "of", "page", "paragraph", "paragraphs", "part",
    "picture",
    "preamble", "raw", "rich", "row", "sheet", "signed", "slide", "table", "text"])
_WHERE: Final = re.compile(r"[a-z0-9 ,()/-]*|(?:[a-z0-9 ,()/-]|\b[A-Z]{1,3}\d{0,7}\b){0,200}")
_WHERE_LENGTH: Final = 120
_SHORT: Final = 24
_SLACK: Final = 1_000_000
_BLOCKS: Final = 1_000_000
_LABELS: Final = {label.value: label for label in Label}


@dataclass(slots=True)
class PictureSeen:
    """A picture a reader came across. `data` is empty when it was not handed over; `settled` once it
    was read or found to need no reading."""

    where: str
    small: bool
    logo: str
    data: bytes = b""
    settled: bool = False


@dataclass(slots=True)
class Rows:
    """A table whose rows still arrive."""

    rows: list[tuple[str, ...]]
    label: Label
    where: str
    first_row: int
    quoted: bool

    def finished(self) -> Table:
        """Return the table."""
        return Table(tuple(self.rows), self.label, self.where, self.first_row, self.quoted)


@dataclass(slots=True)
class Record:
    """A part in the making."""

    what: str
    name: str
    section: bool
    kind: str = "unknown"
    named: str = ""
    size: int = 0
    millis: int = 0
    blocks: list[Block | Rows] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    open: bool = True
    read: bool = True
    pictures: list[PictureSeen] = field(default_factory=list)

    def flag(self, code: str) -> None:
        """Note a reason why the part is not fully read."""
        if code not in self.codes:
            self.codes.append(code)


class Book:
    """Everything known of one item so far. Events come in through `event` and `picture`."""

    def __init__(self, limits: Limits, kinds: frozenset[str]) -> None:
        self.records: dict[str, Record] = {}
        self.done = False
        self.limits = limits
        self._kinds = kinds
        self._envelope = Envelope()
        self._chars = 0
        self._blocks = 0
        self._picture: PictureSeen | None = None

    def next_child(self) -> None:
        """Another child goes on with the item; what it sends counts from nothing."""
        self._chars = self._blocks = 0
        self._picture = None

    def event(self, event: dict[str, Any]) -> bool:
        """Take one event; true when the child has moved on to another part. Raises `BadFrame`."""
        try:
            return self._event(event)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadFrame from error

    def picture(self, data: bytes) -> None:
        """Take the bytes of the picture announced last. Raises `BadFrame`."""
        if self._picture is None:
            raise BadFrame
        self._picture.data = data
        self._picture = None

    def fail(self, code: str) -> bool:
        """The child ended at the wrong time: the part in hand gets the reason; false if there was none."""
        for record in reversed(self.records.values()):
            if record.open:
                self._close(record, code)
                return True
        return False

    def fail_all(self, code: str) -> None:
        """Nothing more will be read of this item: every part still open gets the reason."""
        if not self.records:
            self.records["0"] = Record("item", "", section=False, read=False)
        for record in self.records.values():
            if record.open:
                self._close(record, code)

    def settled(self) -> frozenset[str]:
        """The parts a further child need not read again."""
        return frozenset(ident for ident, record in self.records.items() if not record.open)

    def extraction(self) -> Extraction:
        """Return the result as it stands."""
        parts = []
        parents = {ident.rpartition(".")[0] for ident in self.records}
        for ident in sorted(self.records, key=_sort_key):
            record = self.records[ident]
            is_mail_itself = ident == "0" and record.kind in ("eml", "mbox")
            if is_mail_itself and not record.codes and not record.blocks:
                continue
            parts.append(self._part(ident, record, has_parts=ident in parents))
        return Extraction(tuple(parts), self._envelope)

    def _event(self, event: dict[str, Any]) -> bool:
        name = event["e"]
        if name == "done":
            self.done = True
            return True
        if name == "envelope":
            self._envelope = _envelope(event, self.limits.addresses)
            return False
        ident = event["id"]
        if not _IDENT.fullmatch(ident):
            raise BadFrame
        if name == "open":
            self._open(ident, event)
            return True
        record = self.records[ident]
        if not record.open:
            raise BadFrame
        if name == "kind":
            record.kind, record.named = self._kind(event["kind"]), self._kind(event["named"])
            record.size = int(event["size"])
        elif name == "text":
            self._text(record, event)
        elif name == "table":
            self._table(record, event)
        elif name == "flag":
            record.flag(_reason(event["code"]))
        elif name == "picture":
            self._see(record, event)
        elif name == "shut":
            record.read = bool(event["read"])
            record.millis = int(event["millis"])
            self._close(record, _reason(event["code"]) if event["code"] else "")
            return True
        else:
            raise BadFrame
        return False

    def _open(self, ident: str, event: dict[str, Any]) -> None:
        parent = ident.rpartition(".")[0]
        if parent and parent not in self.records:
            raise BadFrame
        known = self.records.pop(ident, None)
        if known is not None and not known.open:
            raise BadFrame
        if len(self.records) >= self.limits.part_records + 50:
            raise BadFrame
        self.records[ident] = Record(
            _what(event["what"]), str(event["name"])[:4_096],
            section=bool(event["section"]), kind=self._kind(event["kind"]), size=int(event["size"]))

    def _kind(self, kind: str) -> str:
        if not _KIND.fullmatch(kind):
            raise BadFrame
        return kind if kind in self._kinds or not kind else "unknown"

    def _spend(self, characters: int) -> None:
        self._chars += characters
        if self._chars > self.limits.text_chars + _SLACK:
            raise BadFrame

    def _text(self, record: Record, event: dict[str, Any]) -> None:
        text = event["text"]
        if not isinstance(text, str):
            raise BadFrame
        self._spend(len(text))
        self._blocks += 1
        if self._blocks > _BLOCKS:
            raise BadFrame
        if event["more"] and record.blocks and isinstance(last := record.blocks[-1], Block):
            record.blocks[-1] = Block(last.text + text, last.label, last.where, last.quoted)
            return
        record.blocks.append(Block(text, _LABELS[event["label"]], _where(event["where"]), bool(event["quoted"])))

    def _table(self, record: Record, event: dict[str, Any]) -> None:
        seen: dict[str, str] = {}
        rows: list[tuple[str, ...]] = []
        for row in event["rows"]:
            cells = tuple(seen.setdefault(cell, cell) if len(cell) < _SHORT else cell for cell in row)
            if not all(isinstance(cell, str) for cell in cells):
                raise BadFrame
            self._spend(sum(map(len, cells)) + len(cells))
            rows.append(cells)
        table = Rows(rows, _LABELS[event["label"]], _where(event["where"]), int(event["first_row"]),
                     bool(event["quoted"]))
        last = record.blocks[-1] if record.blocks else None
        if isinstance(last, Rows) and (event["more"] or _follows(last, table)):
            last.rows += rows
        else:
            record.blocks.append(table)

    def _see(self, record: Record, event: dict[str, Any]) -> None:
        logo = event["logo"]
        if not re.fullmatch(r"([0-9a-f]{64})?", logo):
            raise BadFrame
        seen = PictureSeen(_where(event["where"]), bool(event["small"]), logo)
        record.pictures.append(seen)
        if len(record.pictures) > self.limits.part_records:
            raise BadFrame
        self._picture = seen if event["sent"] else None

    @staticmethod
    def _close(record: Record, code: str) -> None:
        record.open = False
        if code:
            record.flag(code)
            if len(record.codes) > 1 and record.codes[0] != code:  # what ended the reading is said first
                record.codes.remove(code)
                record.codes.insert(0, code)

    def _part(self, ident: str, record: Record, *, has_parts: bool) -> Part:
        has_text = any(isinstance(b, Rows) or b.label is not Label.NAME for b in record.blocks)
        status: Status = "read"
        if any(not seen.settled and not seen.small for seen in record.pictures):
            record.flag("needs_ocr")
        if record.codes:
            status = "partial" if has_text or (has_parts and record.read) else "unreadable"
        blocks = tuple(block.finished() if isinstance(block, Rows) else block for block in record.blocks)
        return Part(self._place(ident), record.kind, blocks, status,
                    record.codes[0] if record.codes else "", self._path(ident), record.size, record.millis)

    def _ancestors(self, ident: str) -> list[tuple[str, Record]]:
        names = ident.split(".")
        return [(key, self.records[key]) for key in (".".join(names[:n]) for n in range(1, len(names) + 1))]

    def _place(self, ident: str) -> str:
        words = []
        for key, record in self._ancestors(ident):
            if key == "0":
                if record.kind in ("eml", "mbox") and ident != "0":
                    continue
                words.append("mail" if record.kind in ("eml", "mbox") else f"file ({_kind_words(record)})")
            elif record.section:
                words.append(record.what)
            else:
                words.append(f"{record.what} ({_kind_words(record)})")
        return ", ".join(words)

    def _path(self, ident: str) -> str:
        steps = []
        for key, record in self._ancestors(ident):
            fallback = "mail" if key == "0" and record.kind in ("eml", "mbox") else record.what
            steps.append(record.name or fallback)
        return " > ".join(steps)


def _follows(before: Rows, after: Rows) -> bool:
    """Whether `after` goes on where `before` ended: readers give long sheets in pieces."""
    return (bool(after.where) and after.where == before.where and after.label is before.label
            and after.quoted == before.quoted and after.first_row == before.first_row + len(before.rows))


def _kind_words(record: Record) -> str:
    return f"{record.kind}, named as {record.named}" if record.named else record.kind


def _sort_key(ident: str) -> tuple[int, ...]:
    return tuple(map(int, ident.split(".")))


def _reason(code: str) -> str:
    if code not in REASON_CODES:
        raise BadFrame
    return code


def _what(what: str) -> str:
    """Return `what` if it is made of our own words and counts, else "embedded file"."""
    what = what.casefold()[:80]
    known = _WHAT.fullmatch(what) and _WHAT_WORDS.issuperset(re.findall(r"[a-z]+", what))
    return what if known else "embedded file"


def _where(where: str) -> str:
    """Return `where` if it is a place made of counts; a place that is none is left out, never shown."""
    return where if len(where) <= _WHERE_LENGTH and _WHERE.fullmatch(where) else ""


def _address(value: Any) -> Address:
    name, email = value
    return Address(str(name), str(email))


def _envelope(event: dict[str, Any], most: int) -> Envelope:
    sender = event["sender"]
    return Envelope(
        message_id=str(event["message_id"]), subject=str(event["subject"]),
        sender=_address(sender) if sender else None,
        recipients=tuple(_address(value) for value in event["recipients"][:most]),
        sent=str(event["sent"]), in_reply_to=str(event["in_reply_to"]),
        references=tuple(str(value) for value in event["references"][:most]), list_mail=bool(event["list_mail"]),
        sensitivity=str(event["sensitivity"]), categories=tuple(str(value) for value in event["categories"][:most]))
