"""winmail.dat: a message in Microsoft's transport form. Source: MS-OXTNEF.

An own reader: the package made for it never returns on some 53-byte files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from capture.extract import oleobjects
from capture.extract.codepages import codec_of
from capture.extract.collect import PartSink
from capture.extract.mapi import (
    BODY,
    CODEPAGE,
    DATA,
    LONG_NAME,
    METHOD,
    SHORT_NAME,
    SUBJECT,
    MapiAttachment,
    MapiMessage,
    Value,
    codepage_of,
    filetime,
    give_message,
)
from capture.extract.reader import CannotRead

_SIGNATURE = 0x223E9F78
_FROM, _SUBJECT, _BODY, _CLASS = 0x8000, 0x8004, 0x800C, 0x8008
_FILE_DATA, _FILE_TITLE, _FILE_TRANSPORT_NAME, _FILE_START, _FILE_PROPERTIES = 0x800F, 0x8010, 0x9001, 0x9002, 0x9005
_PROPERTIES, _RECIPIENTS, _CODEPAGE = 0x9003, 0x9004, 0x9007
_SIZES = {2: 2, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0x0A: 4, 0x0B: 2, 0x14: 8, 0x40: 8, 0x48: 16}
_VARIABLE = frozenset({0x0D, 0x1E, 0x1F, 0x102})
_NAMED = 0x8000
_MESSAGE_IID = bytes.fromhex("0703020000000000C000000000000046")
_MAX_PROPERTIES = 100_000
_ATTACHED_MESSAGE = 5


def read_tnef(data: bytes, sink: PartSink) -> None:
    """Read a winmail.dat: the message's properties, recipients, bodies and attachments.

    Raises `CannotRead("corrupt")` when it is none. Damage further in makes it partial, `corrupt`; what stands
    before the damage is read.
    """
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        raise CannotRead("corrupt")
    reader = _Reader(sink)
    try:
        for key, content in _attributes(data):
            reader.attribute(key, content)
    except (struct.error, ValueError):
        sink.partial("corrupt")
    give_message(reader.message, sink)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(id, content) of every attribute. Raises `ValueError` at a damaged one."""
    at = 6
    while at + 9 <= len(data):
        key, _, size = struct.unpack_from("<HHI", data, at + 1)
        end = at + 9 + size
        if data[at] not in (1, 2) or end > len(data):
            raise ValueError
        content = data[at + 9:end]
        if end + 2 <= len(data) and sum(content) & 0xFFFF != struct.unpack_from("<H", data, end)[0]:
            raise ValueError
        yield key, content
        if end + 2 > len(data):  # cut off before the checksum: who knows what followed
            raise ValueError
        at = end + 2
    if data[at:].strip(b"\0\r\n "):
        raise ValueError


class _Reader:
    def __init__(self, sink: PartSink) -> None:
        self.message = MapiMessage()
        self._sink = sink
        self._codec = "cp1252"

    def attribute(self, key: int, content: bytes) -> None:
        """Take one attribute into the message."""
        values = self.message.values
        if key == _CODEPAGE:
            page = struct.unpack_from("<I", content)[0]
            self._codec = codec_of(page)
            values[CODEPAGE] = page
        elif key == _SUBJECT:
            values.setdefault(SUBJECT, self._text(content))
        elif key == _BODY:
            values.setdefault(BODY, self._text(content))
        elif key == _CLASS:
            values.setdefault(0x001A, self._text(content))
        elif key == _FROM:
            self._sender(content)
        elif key == _PROPERTIES:
            found, _ = self._properties(content, 0)
            self._codec = codepage_of({**values, **found})
            values.update(found)
        elif key == _RECIPIENTS:
            self._recipients(content)
        elif key == _FILE_START:
            self.message.attachments.append(MapiAttachment())
        elif self.message.attachments:
            self._file(self.message.attachments[-1], key, content)

    def _text(self, content: bytes) -> str:
        return content.decode(self._codec, "replace").rstrip("\0")

    def _sender(self, content: bytes) -> None:
        """An old-style address: kind, lengths, then name and "SMTP:address"."""
        _, _, name, address = struct.unpack_from("<4H", content)
        self.message.values.setdefault(0x0C1A, self._text(content[8:8 + name]))
        self.message.values.setdefault(0x0C1F, self._text(content[8 + name:8 + name + address]).partition(":")[2])

    def _recipients(self, content: bytes) -> None:
        count, at = struct.unpack_from("<I", content)[0], 4
        for _ in range(min(count, _MAX_PROPERTIES)):
            values, at = self._properties(content, at)
            self.message.recipients.append(values)

    def _file(self, attachment: MapiAttachment, key: int, content: bytes) -> None:
        values = attachment.values
        if key == _FILE_DATA:
            values[DATA] = content
        elif key in (_FILE_TITLE, _FILE_TRANSPORT_NAME):
            values.setdefault(SHORT_NAME if key == _FILE_TITLE else LONG_NAME, self._text(content))
        elif key == _FILE_PROPERTIES:
            found, _ = self._properties(content, 0)
            stored = found.pop(DATA, None)
            values.update(found)
            if isinstance(stored, bytes):
                self._stored(attachment, stored)

    def _stored(self, attachment: MapiAttachment, stored: bytes) -> None:
        """The content of an attachment among its properties: a message or an OLE object behind its interface id."""
        if stored.startswith(_MESSAGE_IID) or attachment.values.get(METHOD) == _ATTACHED_MESSAGE:
            inner = stored[16:]
            attachment.give = lambda what: self._sink.embed(inner, what=what)
        elif oleobjects.is_compound(stored[16:]):
            content = stored[16:]
            attachment.give = lambda what: oleobjects.embed_compound(content, self._sink, what)
        else:
            attachment.values.setdefault(DATA, stored)

    def _properties(self, data: bytes, at: int) -> tuple[dict[int, Value], int]:
        """A list of properties from `at`, and where it ends. Raises `struct.error` or `ValueError` at damage."""
        count = struct.unpack_from("<I", data, at)[0]
        at += 4
        values: dict[int, Value] = {}
        for _ in range(min(count, _MAX_PROPERTIES)):
            kind, key = struct.unpack_from("<HH", data, at)
            at += 4
            if key >= _NAMED:
                at = _after_name(data, at)
            at = self._property(data, at, kind, key, values)
        return values, at

    def _property(self, data: bytes, at: int, kind: int, key: int, values: dict[int, Value]) -> int:
        base, many = kind & ~0x1000, bool(kind & 0x1000)
        count = 1
        if many or base in _VARIABLE:
            count = struct.unpack_from("<I", data, at)[0]
            at += 4
        if base in _VARIABLE:
            texts: list[str] = []
            for _ in range(count):
                size = struct.unpack_from("<I", data, at)[0]
                content = data[at + 4:at + 4 + size]
                if len(content) < size:
                    raise ValueError
                at += 4 + size + -size % 4
                if base in (0x0D, 0x102):
                    values[key] = content
                else:
                    texts.append(content.decode("utf-16-le", "replace").rstrip("\0") if base == 0x1F
                                 else self._text(content))
            if texts:
                values[key] = texts if many else texts[0]
            return at
        if base not in _SIZES:
            raise ValueError
        size = _SIZES[base]
        if at + size * count > len(data):
            raise ValueError
        if not many and base == 3:
            values[key] = struct.unpack_from("<i", data, at)[0]
        elif not many and base == 0x40:
            when = filetime(struct.unpack_from("<Q", data, at)[0])
            if when is not None:
                values[key] = when
        total = size * count
        return at + total + -total % 4


def _after_name(data: bytes, at: int) -> int:
    """The place behind the name of a named property: a GUID, and a number or a counted 16-bit string."""
    kind, size = struct.unpack_from("<II", data, at + 16)
    return at + 24 if kind == 0 else at + 24 + size + -size % 4
