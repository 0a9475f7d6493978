"""What a file holds beside its content proper: another program may show that instead.

A zip is read from its end, so bytes before, between and after the listed members, or a member listed
twice, stay unseen by one program and are opened by another. Pictures and PDF files end before what was
appended to them.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from typing import Final

from capture.extract.reader import Sink
from capture.extract.textual import as_text
from pii_scan.text import Label

_LOCAL: Final = 30
_DESCRIPTOR: Final = 24
_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_SLACK: Final = 8
"""Fewer stray bytes than this say nothing."""


def strays(data: bytes, archive: zipfile.ZipFile) -> Iterator[bytes]:
    """Yield every stretch of bytes that belongs to no listed member, save runs of zeros."""
    at = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        start = info.header_offset  # zipfile has added what precedes the archive
        if start > at:
            yield from _inked(data[at:start], follows=at > 0)
        header = data[start:start + _LOCAL]
        sizes = struct.unpack("<HH", header[26:]) if len(header) == _LOCAL else (0, 0)
        at = max(at, start + _LOCAL + sum(sizes) + info.compress_size)
    directory = archive.start_dir
    if directory > at:
        yield from _inked(data[at:directory], follows=True)
    end = data.rfind(_END, directory)
    if end >= 0:
        yield from _inked(data[end + _END_SIZE + len(archive.comment):], follows=False)


def _inked(gap: bytes, *, follows: bool) -> Iterator[bytes]:
    limit = _DESCRIPTOR if follows and not gap.startswith(b"PK\x03\x04") else _SLACK
    if len(gap) > limit and gap.strip(b"\0\r\n "):
        yield gap


def twice(archive: zipfile.ZipFile) -> bool:
    """Whether a name is listed more than once."""
    names = [info.filename for info in archive.infolist()]
    return len(set(names)) < len(names)


def appended(data: bytes) -> bytes:
    """A zip file that follows other content (a picture, a page, a PDF), or b""."""
    end = data.rfind(_END, max(len(data) - 65_557, 0))
    if end < 0 or end + _END_SIZE > len(data):
        return b""
    size, offset, comment = struct.unpack("<IIH", data[end + 12:end + _END_SIZE])
    start = end - size - offset
    if end + _END_SIZE + comment != len(data) or start < 0 or size == 0:
        return b""
    if not data.startswith(b"PK\x03\x04", start):  # offsets may count from the start of the whole file
        start = data.find(b"PK\x03\x04")
    return data[start:] if start > 0 else b""


_LAST_BYTES: Final = {"png": b"IEND", "jpg": b"\xff\xd9", "pdf": b"%%EOF"}
_AFTER_LAST: Final = {"png": 4}
_TEXT_LENGTH: Final = 8
_HOSTS: Final = frozenset(("png", "jpg", "gif", "bmp", "tif", "webp", "ico", "pdf", "html", "text", "csv", "xml",
                           "rtf"))


def read_appended(data: bytes, kind: str, sink: Sink) -> None:
    """Read a zip file or plain text that follows the end of a picture, page or PDF."""
    if kind not in _HOSTS:
        return
    if extra := appended(data):
        sink.spend(len(extra), len(extra))
        sink.embed(extra, what="embedded file")
        return
    last = _LAST_BYTES.get(kind, b"")
    end = data.rfind(last) if last else -1
    tail = data[end + len(last) + _AFTER_LAST.get(kind, 0):].strip() if end >= 0 else b""
    if len(tail) > _TEXT_LENGTH and (found := as_text(tail)) is not None:
        sink.text(found.text, Label.HIDDEN, "text")


def note_strays(data: bytes, archive: zipfile.ZipFile, sink: Sink) -> None:
    """Make a part partial whose zip holds more than it lists; text among it is read."""
    for stray in strays(data, archive):
        sink.partial("corrupt")
        if (found := as_text(stray)) is not None:
            sink.text(found.text, Label.HIDDEN, "text")
