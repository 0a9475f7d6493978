"""What old Office files, messages and drawings carry inside their compound file: objects, locks, properties."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

import olefile

from capture.extract import macros
from capture.extract.cfb import Compound
from capture.extract.reader import CannotRead, Sink
from capture.extract.xmlparts import BUDGET_CODES
from pii_scan.text import Label

_DATA_SPACES = "\x06dataspaces"
_NATIVE = "\x01ole10native"
_DOCUMENTS = ("worddocument", "workbook", "book", "powerpoint document", "__properties_version1.0",
              "visiodocument", "quill")
_CONTENT_STREAMS = ("package", "contents", "embeddedodf")
_SUMMARIES = ("\x05summaryinformation", "\x05documentsummaryinformation")
_RIGHTS = re.compile(r"drm", re.IGNORECASE)


def check_protection(compound: Compound) -> None:
    """Raises `CannotRead`: `rights_managed` (data spaces with a DRM transform), `encrypted` (a whole package)."""
    names = [name.casefold() for path in compound.streams for name in path]
    managed = any(_RIGHTS.search(name) for path in compound.streams for name in path)
    encrypted = "encryptedpackage" in names or "encryptioninfo" in names
    if _DATA_SPACES in names and (managed or not encrypted):
        raise CannotRead("rights_managed")
    if managed and any(name == "\x09drmcontent" for name in names):
        raise CannotRead("rights_managed")
    if encrypted:
        raise CannotRead("encrypted")


def embed_objects(compound: Compound, sink: Sink, main: Sequence[str] = (), below: Sequence[str] = ()) -> int:
    """Hand over every object in the storages below `below`; returns how many.

    Objects: packaged files, Office documents in a storage of their own, raw content streams. Macro modules
    among the streams give their source. Streams named in `main` belong to the host itself.
    """
    count = 0
    done: list[tuple[str, ...]] = []
    for path in sorted(compound.below(below), key=len):
        storage, name = path[:-1], path[-1].casefold()
        if any(storage[:len(root)] == root for root in done):
            continue
        whole = (*below, *path)
        try:
            if storage and name in _DOCUMENTS:
                done.append(storage)
                count += 1
                sink.embed(compound.cut_out((*below, *storage)), what=f"embedded {count}")
            elif name == _NATIVE:
                count += 1
                give_native(compound.read(*whole), sink, f"embedded {count}")
            elif storage and name in _CONTENT_STREAMS:
                count += 1
                sink.embed(compound.read(*whole), what=f"embedded {count}")
            elif "vba" in (part.casefold() for part in storage) and path[-1] not in main:
                macros.give_module(compound.read(*whole), sink)
        except CannotRead as error:
            if error.code in BUDGET_CODES:
                raise
            sink.partial(error.code)
    return count


def give_native(data: bytes, sink: Sink, what: str) -> None:
    """Hand over the file in an Ole10Native stream (a packaged file with its name and paths).

    A stream that is no package, for instance a bitmap, is handed over whole. MS-OLEDS 2.3.6.
    """
    body = data[4:]
    try:
        if struct.unpack_from("<H", body)[0] != 2:
            raise ValueError
        label, at = _zero_ended(body, 2)
        path, at = _zero_ended(body, at)
        at += 4
        size = struct.unpack_from("<I", body, at)[0]
        temporary, at = _counted(body, at)
        size = struct.unpack_from("<I", body, at)[0]
        content = body[at + 4:at + 4 + size]
        if not content or len(content) < size:
            raise ValueError
    except (struct.error, ValueError):
        if body:
            sink.embed(body, what=what)
        return
    name = label or re.split(r"[\\/]", path)[-1]
    others = {text for text in (path, temporary) if text and text != name}
    if others:
        sink.text("\n".join(sorted(others)), Label.NAME, what)
    sink.embed(content, what=what, name=name)


def _zero_ended(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("cp1252", "replace"), end + 1


def _counted(data: bytes, at: int) -> tuple[str, int]:
    size = struct.unpack_from("<I", data, at)[0]
    if size > len(data):
        raise ValueError
    return data[at + 4:at + 4 + size].rstrip(b"\0").decode("cp1252", "replace"), at + 4 + size


def give_properties(compound: Compound, sink: Sink) -> None:
    """Hand over the text properties (author, title, company, custom ones) of the document."""
    lines: dict[str, None] = {}
    for path in compound.streams:
        if len(path) == 1 and path[0].casefold() in _SUMMARIES:
            for text in property_texts(compound.read(*path)):
                lines[text] = None
    if lines:
        sink.text("\n".join(lines), Label.PROPERTY, "properties")


def property_texts(stream: bytes) -> list[str]:
    """The strings of a property set stream, in order (MS-OLEPS); empty for a damaged one."""
    found: list[str] = []
    try:
        sections = struct.unpack_from("<I", stream, 24)[0]
        for section in range(min(sections, 4)):
            start = struct.unpack_from("<I", stream, 28 + 20 * section + 16)[0]
            found += _section_texts(stream, start)
    except struct.error:
        return found
    return found


def _section_texts(stream: bytes, start: int) -> list[str]:
    count = min(struct.unpack_from("<I", stream, start + 4)[0], 1_000)
    places = [struct.unpack_from("<II", stream, start + 8 + 8 * index) for index in range(count)]
    codepage = "cp1252"
    for key, offset in places:
        if key == 1:
            page = struct.unpack_from("<H", stream, start + offset + 4)[0]
            codepage = _codec(page)
    found = []
    for key, offset in places:
        if key in (0, 1):
            continue
        kind = struct.unpack_from("<H", stream, start + offset)[0]
        if kind in (0x1E, 0x1F):
            found.append(_property_string(stream, start + offset + 4, kind, codepage))
        elif kind in (0x101E, 0x101F, 0x100C):
            size = min(len(stream) - start - offset, 65_536)
            found += macros.strings_in(stream[start + offset:start + offset + size])
    return [text for text in found if text.strip()]


def _property_string(stream: bytes, at: int, kind: int, codepage: str) -> str:
    size = struct.unpack_from("<I", stream, at)[0]
    if kind == 0x1F:
        raw = stream[at + 4:at + 4 + 2 * size]
        return raw.decode("utf-16-le", "replace").split("\0")[0]
    text = stream[at + 4:at + 4 + size].decode(codepage, "replace")
    return text.split("\0")[0]


def _codec(page: int) -> str:
    name = {1200: "utf-16-le", 65001: "utf-8", 10000: "mac_roman"}.get(page, f"cp{page}")
    try:
        b"".decode(name)
    except LookupError:
        return "cp1252"
    return name


def is_compound(data: bytes) -> bool:
    """Whether the bytes begin like a compound file."""
    return data.startswith(olefile.MAGIC)
