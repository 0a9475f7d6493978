"""Strings of a PDF that no page shows: properties of any name, scripts, layers, structure, unused form values.

pdfium gives what pages, forms and outlines use. Everything else a person may have written stands in the
file's objects as strings, which are looked for without interpreting the objects around them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from capture.extract.reader import Sink
from capture.extract.textual import is_printable, is_said
from pii_scan.text import Label

_LITERAL: Final = re.compile(rb"\(((?:[^()\\]|\\.|\([^()\\]{0,2000}\)){8,4000})\)", re.S)
_HEX: Final = re.compile(rb"<([0-9A-Fa-f\s]{32,8000})>")
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|\r?\n|.)", re.S)
_NAMED: Final = {b"n": b"\n", b"r": b"\n", b"t": b"\t", b"b": b"", b"f": b""}
_METADATA: Final = re.compile(rb"<(?:x:xmpmeta|rdf:RDF)\b")
_METADATA_BYTES: Final = 300_000
_TAGS: Final = re.compile(r"<[^<>]*>")
_OBJECT_BYTES: Final = 4_000_000
_STRINGS: Final = 20_000
_FILE: Final = re.compile(rb"/Type\s*/EmbeddedFile\b")


class Gathered:
    """A sink that passes everything on and remembers the texts and how many files it was given."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.limits, self.kind = sink.limits, sink.kind
        self.texts: list[str] = []
        self.files = 0

    def text(self, text: str, label: Label = Label.TEXT, where: str = "", *, quoted: bool = False) -> None:
        """See `Sink.text`."""
        self.texts.append(text)
        self._sink.text(text, label, where, quoted=quoted)

    def table(self, rows: Iterable[Sequence[str]], where: str = "", *, first_row: int = 1, label: Label = Label.TEXT,
              quoted: bool = False) -> None:
        """See `Sink.table`."""
        self._sink.table(rows, where, first_row=first_row, label=label, quoted=quoted)

    def partial(self, code: str) -> None:
        """See `Sink.partial`."""
        self._sink.partial(code)

    def embed(self, data: bytes, *, what: str, name: str = "", declared: str = "") -> None:
        """See `Sink.embed`."""
        self.files += 1
        self._sink.embed(data, what=what, name=name, declared=declared)

    def spend(self, expanded: int, packed: int = 0) -> None:
        """See `Sink.spend`."""
        self._sink.spend(expanded, packed)

    def picture(self, render: Callable[[], bytes], where: str = "") -> None:
        """See `Sink.picture`."""
        self._sink.picture(render, where)

    def empty(self) -> None:
        """See `Sink.empty`."""
        self._sink.empty()


def read_unshown(data: bytes, shown: str, sink: Sink) -> None:
    """Hand over strings that read as if a person had written them and that are not in `shown` already."""
    seen = _solid(shown)
    found: dict[str, None] = {}
    for piece in _outside_streams(data):
        for count, text in enumerate(_strings(piece)):
            if count > _STRINGS:
                sink.partial("too_large")
                break
            if is_said(text) and is_printable(text) and _solid(text) not in seen:
                found[text.strip()] = None
    for start in _METADATA.finditer(data):
        packet = data[start.start():start.start() + _METADATA_BYTES].partition(b"</rdf:RDF>")[0]
        for text in _TAGS.split(packet.decode("utf-8", "replace")):
            if is_said(text) and _solid(text) not in seen:
                found[" ".join(text.split())] = None
        break
    if found:
        sink.text("\n".join(found), Label.HIDDEN, "other text")


def embedded_files(data: bytes) -> int:
    """How many embedded files the objects of a PDF declare."""
    return sum(len(_FILE.findall(piece)) for piece in _outside_streams(data))


def _solid(text: str) -> str:
    return "".join(text.split())


def _outside_streams(data: bytes) -> Iterator[bytes]:
    """Everything but the content of streams; of object streams the content, as far as it is deflated."""
    at, left = 0, _OBJECT_BYTES
    while True:
        start = data.find(b"stream", at)
        if start < 0:
            yield data[at:]
            return
        yield data[at:start]
        end = data.find(b"endstream", start)
        if end < 0:
            return
        if b"/ObjStm" in data[max(at, start - 500):start] and left > 0:
            try:
                content = zlib.decompressobj().decompress(data[start + 6:end].lstrip(b"\r\n"), left)
            except zlib.error:
                content = b""
            left -= len(content)
            yield content
        at = end + 9


def _strings(piece: bytes) -> Iterator[str]:
    for match in _LITERAL.finditer(piece):
        yield _decoded(_ESCAPE.sub(_unescaped, match[1]))
    for match in _HEX.finditer(piece):
        digits = b"".join(match[1].split())
        yield _decoded(bytes.fromhex(digits[:len(digits) & ~1].decode()))


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[:1].isdigit() and code[0] < 0x38:
        return bytes([int(code, 8) & 0xFF])
    return b"" if code in (b"\n", b"\r\n") else _NAMED.get(code, code)


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xfe\xff", b"\xff\xfe")):
        return raw.decode("utf-16", "replace")
    marked = raw.startswith(b"\xef\xbb\xbf")
    return raw.decode("utf-8-sig" if marked else "latin-1", "replace")
