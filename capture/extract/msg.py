"""Outlook messages (.msg): a compound file of MAPI properties. Source: MS-OXMSG."""

from __future__ import annotations

import re
import struct

from capture.extract import oleobjects
from capture.extract.cfb import Compound, write_compound
from capture.extract.collect import PartSink
from capture.extract.mapi import (
    DATA,
    METHOD,
    MapiAttachment,
    MapiMessage,
    Value,
    codepage_of,
    filetime,
    give_message,
)
from capture.extract.reader import CannotRead
from capture.extract.textual import decode

_PROPERTIES = "__properties_version1.0"
_VALUE = re.compile(r"^__substg1\.0_([0-9A-F]{4})([0-9A-F]{4})(?:-([0-9A-F]{8}))?$", re.IGNORECASE)
_TEXT_8, _TEXT_16, _BINARY, _OBJECT, _INTEGER, _TIME, _BOOLEAN = 0x1E, 0x1F, 0x102, 0x0D, 0x03, 0x40, 0x0B
_MANY = 0x1000
_EMBEDDED_MESSAGE = 5
_TOP_HEADER, _MESSAGE_HEADER, _OTHER_HEADER = 32, 24, 8
_NAMES = "__nameid_version1.0"


def read_msg(data: bytes, sink: PartSink) -> None:
    """Read an Outlook message with its recipients and attachments, whatever its class (mail, contact, task).

    Raises `CannotRead`: `corrupt`, `rights_managed`.
    """
    compound = Compound(data, sink)
    if (_PROPERTIES,) not in compound:
        raise CannotRead("corrupt")
    give_message(_Reader(compound, sink).message(), sink)


class _Reader:
    def __init__(self, compound: Compound, sink: PartSink) -> None:
        self._compound = compound
        self._sink = sink
        self._codec = "cp1252"
        self._folders: dict[str, dict[str, tuple[str, ...]]] = {}
        for path in compound.streams:
            if len(path) <= 2:
                folder = path[0] if len(path) == 2 else ""
                self._folders.setdefault(folder, {})[path[-1]] = path

    def message(self) -> MapiMessage:
        """The message with everything it holds; a property that cannot be read makes it partial."""
        fixed = self._fixed("", _TOP_HEADER)
        self._codec = codepage_of(fixed)
        message = MapiMessage(values=self._values("", fixed))
        for folder in sorted(self._folders):
            lower = folder.casefold()
            if lower.startswith("__recip_version1.0"):
                message.recipients.append(self._values(folder, self._fixed(folder, _OTHER_HEADER)))
            elif lower.startswith("__attach_version1.0"):
                message.attachments.append(self._attachment(folder))
        # an attachment that is only a storage has no stream of its own beside the property list
        if len(message.attachments) + len(message.recipients) > 20 * self._sink.limits.members:
            raise CannotRead("too_large")
        return message

    def _attachment(self, folder: str) -> MapiAttachment:
        values = self._values(folder, self._fixed(folder, _OTHER_HEADER))
        storage = (folder, f"__substg1.0_{DATA:04X}{_OBJECT:04X}")
        inner = list(self._compound.below(storage))
        if DATA in values or not inner:
            return MapiAttachment(values)
        is_message = values.get(METHOD) == _EMBEDDED_MESSAGE or (_PROPERTIES,) in inner

        def give(what: str) -> None:
            try:
                if is_message:
                    self._sink.embed(self._nested(storage, inner), what=what)
                else:
                    oleobjects.embed_compound(self._compound.cut_out(storage), self._sink, what)
            except CannotRead as error:
                if error.code != "corrupt":
                    raise
                self._sink.partial("corrupt")

        return MapiAttachment(values, give)

    def _nested(self, storage: tuple[str, ...], inner: list[tuple[str, ...]]) -> bytes:
        """A nested message as a file: only a message of its own has the last 8 bytes of the header, and the names."""
        streams = []
        for path in inner:
            content = self._compound.read(*storage, *path)
            if path == (_PROPERTIES,):
                content = content[:_MESSAGE_HEADER] + bytes(_TOP_HEADER - _MESSAGE_HEADER) + content[_MESSAGE_HEADER:]
            streams.append((path, content))
        streams += [(path, self._compound.read(*path)) for path in self._compound.streams if path[0] == _NAMES]
        return write_compound(streams)

    def _fixed(self, folder: str, header: int) -> dict[int, Value]:
        """Properties whose value stands in the property list itself: numbers and times."""
        path = (folder, _PROPERTIES) if folder else (_PROPERTIES,)
        values: dict[int, Value] = {}
        if path not in self._compound:
            return values
        content = self._compound.read(*path)
        for at in range(header, len(content) - 15, 16):
            kind, key = struct.unpack_from("<HH", content, at)
            if kind == _INTEGER:
                values[key] = struct.unpack_from("<i", content, at + 8)[0]
            elif kind == _BOOLEAN:
                values[key] = content[at + 8]
            elif kind == _TIME:
                when = filetime(struct.unpack_from("<Q", content, at + 8)[0])
                if when is not None:
                    values[key] = when
        return values

    def _text(self, content: bytes, *, wide: bool) -> str:
        """A string; what does not fit the message's code page is in another one, and guessed."""
        if wide:
            return content.decode("utf-16-le", "replace")
        try:
            return content.decode(self._codec)
        except UnicodeDecodeError:
            return decode(content).text

    def _values(self, folder: str, values: dict[int, Value]) -> dict[int, Value]:
        for name, path in sorted(self._folders.get(folder, {}).items()):
            found = _VALUE.match(name)
            if not found:
                continue
            key, kind = int(found[1], 16), int(found[2], 16)
            many = bool(kind & _MANY)
            if kind & ~_MANY not in (_TEXT_8, _TEXT_16, _BINARY) or (many and found[3] is None):
                continue
            try:
                content = self._compound.read(*path)
            except CannotRead as error:
                if error.code != "corrupt":
                    raise
                self._sink.partial("corrupt")
                continue
            if kind & ~_MANY == _BINARY:
                values[key] = content
                continue
            text = self._text(content, wide=kind & ~_MANY == _TEXT_16).rstrip("\0")
            previous = values.get(key)
            if many:
                values[key] = [*(previous if isinstance(previous, list) else ()), text]
            elif not isinstance(previous, str) or not previous:
                values[key] = text
        return values
