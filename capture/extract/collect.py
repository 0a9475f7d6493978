"""The child's side of a result: budgets, nesting, and the sink every reader writes into.

What a reader finds leaves the process at once as an event (frames.py), so that a crash later keeps what
was read before. The parent puts the events together again (assemble.py).

Events, all with the part's `id` ("0.2.1" is the first child of the second child of the item):
`open` (what, name), `kind` (kind, size, named), `text`, `table`, `flag` (code), `picture`, `shut`
(code, read, millis); without id: `envelope`, `done`.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from capture.extract import READERS
from capture.extract.frames import FRAME_BYTES, TABLE_CHARS, TEXT_CHARS
from capture.extract.limits import Limits
from capture.extract.protect import allow_cpu
from capture.extract.reader import CannotRead, Reader
from capture.extract.sniff import sniff
from capture.extract.strays import read_appended
from capture.extract.textual import normalise
from pii_scan.text import REASON_CODES, Label

_TRUNCATABLE = frozenset({"text", "csv", "html", "eml", "mbox", "ics", "vcf", "xml"})
_DOCUMENTS = frozenset({"docx", "docm", "dotx", "dotm", "pptx", "pptm", "ppsx", "ppsm", "potx", "potm", "xlsx",
                        "xlsm", "xltx", "xltm", "xlsb", "xls", "odt", "ott", "ods", "ots", "odp", "otp", "odg",
                        "doc", "ppt", "rtf", "html"})


class Wire(Protocol):
    """Where events go."""

    def send(self, event: dict[str, Any]) -> None:
        """Send one event."""

    def send_picture(self, data: bytes) -> None:
        """Send the bytes that belong to the `picture` event just sent."""


@dataclass(slots=True)
class Item:
    """What all parts of one item share: the wire, the budgets, what need not be read again."""

    wire: Wire
    limits: Limits
    skip: frozenset[str] = frozenset()
    ocr: bool = False
    guard_cpu: bool = True
    chars: int = 0
    expanded: int = 0
    embedded: int = 0
    records: int = 0
    pictures: int = 0
    mime_parts: int = 0

    def next_file(self) -> None:
        """Give the file that comes now its own CPU allowance."""
        if self.guard_cpu:
            allow_cpu(self.limits.cpu_seconds)


@dataclass(slots=True)
class PartSink:
    """The sink of one part; see `capture.extract.reader.Sink` for what readers may call."""

    item: Item
    ident: str
    depth: int = 0
    kind: str = "unknown"
    declared: str = ""
    name: str = ""
    size: int = 0
    inline: bool = False
    limits: Limits = field(init=False)
    _children: int = 0
    _codes: list[str] = field(default_factory=list)
    _has_content: bool = False
    _said_empty: bool = False
    _expanded: int = 0
    _packed: int = 0

    def __post_init__(self) -> None:
        self.limits = self.item.limits

    @property
    def root(self) -> bool:
        """Whether this part is the item itself."""
        return "." not in self.ident

    def text(self, text: str, label: Label = Label.TEXT, where: str = "", *, quoted: bool = False) -> None:
        """Add a run of text; see `Sink.text`."""
        text = normalise(text)
        if not text or text.isspace():
            return
        left = self.limits.text_chars - self.item.chars
        piece = text[:left]
        self.item.chars += len(piece)
        if piece:
            if label is not Label.NAME:
                self._has_content = True
            for start in range(0, len(piece), TEXT_CHARS):
                self._send("text", text=piece[start:start + TEXT_CHARS], label=label.value, where=where,
                           quoted=quoted, more=start > 0)
        if len(piece) < len(text):
            raise CannotRead("too_large")

    def table(self, rows: Iterable[Sequence[str]], where: str = "", *, first_row: int = 1,
              label: Label = Label.TEXT, quoted: bool = False) -> None:
        """Add rows of cells; see `Sink.table`."""
        kept: list[list[str]] = []
        pending, sent, over = 0, False, False

        def send() -> None:
            nonlocal kept, pending, sent
            if kept and (sent or any(cell and not cell.isspace() for row in kept for cell in row)):
                self._has_content = True
                self._send("table", rows=kept, label=label.value, where=where, first_row=first_row,
                           quoted=quoted, more=sent)
                sent, kept, pending = True, [], 0

        for row in rows:
            cells = [normalise(cell) for cell in row]
            cost = sum(map(len, cells)) + len(cells)
            over = self.item.chars + cost > self.limits.text_chars
            if over:
                break
            self.item.chars += cost
            pending += cost
            kept.append(cells)
            if pending > TABLE_CHARS:
                send()
        send()
        if over:
            raise CannotRead("too_large")

    def partial(self, code: str) -> None:
        """Note that something could not be read; see `Sink.partial`."""
        if code not in REASON_CODES:
            raise ValueError(code)
        if code not in self._codes:
            self._codes.append(code)
            self._send("flag", code=code)

    def empty(self) -> None:
        """Note that the format itself says there is nothing to read."""
        self._said_empty = True

    def spend(self, expanded: int, packed: int = 0) -> None:
        """Count expanded bytes against the item's budgets; see `Sink.spend`."""
        self.item.expanded += expanded
        self._expanded += expanded
        self._packed += packed
        if self.item.expanded > self.limits.expanded_bytes:
            raise CannotRead("too_large")
        if (self._expanded > self.limits.ratio_from_bytes
                and self._expanded > self.limits.ratio * max(self._packed or self.size, 1)):
            raise CannotRead("ratio")

    def picture(self, render: Callable[[], bytes], where: str = "") -> None:
        """Have a page read by OCR, or note that it was not; see `Sink.picture`."""
        self._has_content = True
        if not self.item.ocr:
            self.partial("needs_ocr")
        elif self.item.pictures >= self.limits.ocr_pages:
            self.partial("too_large")
        else:
            self._send_picture(render(), where=where)

    def image(self, data: bytes, *, small: bool = False, logo: str = "") -> None:
        """Hand over a picture file. `small`: it may hold no text. `logo`: digest by which the parent
        recognises a picture that comes with every mail of a sender."""
        self._has_content = True
        if self.item.ocr and self.item.pictures < self.limits.ocr_pages:
            self._send_picture(data, small=small, logo=logo)
        elif not small:
            self._send("picture", where="", small=small, logo=logo, sent=False)

    def embed(self, data: bytes, *, what: str, name: str = "", declared: str = "",
              inline: bool = False, damaged: bool = False) -> None:
        """Read an embedded file as a part of its own; see `Sink.embed`. `inline`: shown within the text;
        `damaged`: bytes were lost on the way here."""
        self.item.embedded += 1
        if self.item.embedded > self.limits.members:
            raise CannotRead("too_large")
        part = self._child(name, declared)
        part.inline = inline or self.kind in _DOCUMENTS
        part.size = len(data)

        def read() -> None:
            if damaged:
                part.partial("corrupt")
            _read_file(part, data)

        self._run(part, what, read)

    def refuse(self, code: str, *, what: str, name: str = "") -> None:
        """Report an embedded file that could not even be taken out."""
        self.item.embedded += 1
        if self.item.embedded > self.limits.members:
            raise CannotRead("too_large")
        part = self._child(name, "")

        def read() -> None:
            raise CannotRead(code)

        self._run(part, what, read)

    def section(self, read: Callable[[PartSink], None], *, what: str, kind: str, size: int = 0,
                declared: str = "") -> None:
        """Read a piece of this part (headers, a body) as a part of its own, at the same depth."""
        part = self._child("", declared)
        part.depth, part.kind, part.size = self.depth, kind, size
        self._run(part, what, lambda: read(part), section=True)

    def envelope(self, fields: dict[str, Any]) -> None:
        """Report the mail headers of the item; ignored for mails inside it."""
        if self.root:
            self.item.wire.send({"e": "envelope", **fields})

    def _child(self, name: str, declared: str) -> PartSink:
        self._children += 1
        self._has_content = True
        return PartSink(self.item, f"{self.ident}.{self._children}", depth=self.depth + 1, declared=declared,
                        name=name)

    def _run(self, part: PartSink, what: str, read: Callable[[], None], *, section: bool = False) -> None:
        if part.ident in self.item.skip:
            return
        self.item.records += 1
        if self.item.records > self.limits.part_records:
            raise CannotRead("too_large")
        part.run(what, read, section=section)
        self.item.next_file()

    def run(self, what: str, read: Callable[[], None], *, section: bool = False) -> None:
        """Open the part, let `read` fill it, and shut it with the status that follows."""
        started = time.monotonic()
        self._send("open", what=what, name=normalise(self.name), section=section, kind=self.kind, size=self.size)
        self.item.next_file()
        failed = ""
        try:
            if self.name:
                self.text(self.name, Label.NAME)
            read()
        except CannotRead as stop:
            failed = stop.code if stop.code in REASON_CODES else "corrupt"
        except MemoryError:
            failed = "memory"
        except RecursionError:
            failed = "too_deep"
        except Exception:  # noqa: BLE001 - a reader's unexpected error is a file it cannot read
            failed = "corrupt"
        except BaseException:  # noqa: BLE001 - a Rust panic is no Exception; nothing may end the child unsaid
            failed = "crashed"
        if failed and failed not in self._codes:
            self._codes.append(failed)
        if not self._codes and not self._has_content and self.size and not self._said_empty:
            self._codes.append("no_text")
        self._send("shut", code=failed or next(iter(self._codes), ""), read=self._has_content or not failed,
                   millis=int((time.monotonic() - started) * 1000))

    def _send(self, event: str, **fields: Any) -> None:
        self.item.wire.send({"e": event, "id": self.ident, **fields})

    def _send_picture(self, data: bytes, *, where: str = "", small: bool = False, logo: str = "") -> None:
        if len(data) > FRAME_BYTES:
            self.partial("too_large")
            return
        self.item.pictures += 1
        self._send("picture", where=where, small=small, logo=logo, sent=True)
        self.item.wire.send_picture(data)


def read_item(item: Item, data: bytes, name: str = "", *, truncated: bool = False) -> None:
    """Read a whole item: sniff it, read it with everything inside it, and say so event by event."""
    root = PartSink(item, "0", name=name, size=len(data))
    root.run("item", lambda: _read_file(root, data, truncated=truncated))
    item.wire.send({"e": "done"})


def _read_file(part: PartSink, data: bytes, *, truncated: bool = False) -> None:
    if not data:
        part._send("kind", kind="empty", size=0, named="")
        if part.root:  # an item is a mail: one of no bytes is a mail that was not fetched
            raise CannotRead("no_text")
        return
    found = sniff(data, name=part.name, declared=part.declared, is_item=part.root)
    part.kind = found.kind
    part._send("kind", kind=found.kind, size=len(data), named=found.named_as)
    if truncated:
        part.partial("too_large")
    if found.code:
        raise CannotRead(found.code)
    if part.depth > part.limits.nesting:
        raise CannotRead("too_deep")
    too_large = len(data) > part.limits.file_bytes and not (part.root and found.kind in ("eml", "mbox"))
    if (too_large or truncated) and found.kind not in _TRUNCATABLE:
        raise CannotRead("too_large")
    if too_large:
        part.partial("too_large")
        data = data[:part.limits.file_bytes]
    load_reader(found.kind)(data, part)
    read_appended(data, found.kind, part)


def load_reader(kind: str) -> Reader:
    """Return the reader of `kind`. Raises `CannotRead("unsupported")` when there is none."""
    target = READERS.get(kind)
    if target is None:
        raise CannotRead("unsupported")
    module, _, function = target.partition(":")
    try:
        reader: Reader = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:  # an optional package is not installed
        raise CannotRead("unsupported") from error
    return reader
