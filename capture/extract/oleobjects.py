"""What old Office files, messages and drawings carry inside their compound file: objects, locks, properties."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

import olefile

from capture.extract import macros
from capture.extract.cfb import MAGIC, Compound
from capture.extract.codepages import codec_of
from capture.extract.metafile import give_drawing, with_header
from capture.extract.reader import CannotRead, Sink
from capture.extract.xmlparts import BUDGET_CODES
from pii_scan.text import Label

_DATA_SPACES = "\x06dataspaces"
_NATIVE = "\x01ole10native"
_DOCUMENTS = ("worddocument", "workbook", "book", "powerpoint document", "__properties_version1.0",
              "encryptedpackage")
_CONTENT_STREAMS = ("package", "contents", "embeddedodf")
_FILE_STARTS = (b"%PDF", b"PK\x03\x04", MAGIC[:4], b"\x89PNG", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1", b"{\\rt")
_OBJECT_MARKS = ("\x01compobj", "\x01ole", "\x03objinfo", "\x03ocxname")
_LAYOUT_STREAMS = frozenset({"\x03linkinfo", "equation native", "\x03print", "\x03accessobjsitedata", "\x03pic"})
SMALL_STATE = 4_096
"""Bytes of unknown data up to which an object without a picture is taken for a form control or a link."""
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


def embed_objects(compound: Compound, sink: Sink, below: Sequence[str] = ()) -> int:
    """Hand over every object in the storages below `below`; returns how many.

    Objects: packaged files, Office documents in a storage of their own, content streams; of an object of an
    unknown application its picture and its readable strings. Macro modules give their source.
    """
    storages: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in compound.below(below):
        storages.setdefault(path[:-1], []).append(path)
    count = 0
    done: list[tuple[str, ...]] = []
    for storage in sorted(storages, key=len):
        if any(storage[:len(root)] == root for root in done):
            continue
        streams: dict[str, tuple[str, ...]] = {path[-1].casefold(): (*below, *path) for path in storages[storage]}
        try:
            if "vba" in (name.casefold() for name in storage):
                for path in streams.values():
                    macros.give_module(compound.read(*path), sink)
            elif _object(compound, (*below, *storage), streams, sink, f"embedded {count + 1}", inner=bool(storage)):
                count += 1
                if storage:
                    done.append(storage)
        except CannotRead as error:
            if error.code in BUDGET_CODES:
                raise
            sink.partial(error.code)
    return count


def _object(compound: Compound, storage: Sequence[str], streams: dict[str, tuple[str, ...]], sink: Sink, what: str, *,
            inner: bool) -> bool:
    """Hand over the object in one storage, if it is one."""
    if inner and any(name in streams for name in _DOCUMENTS):
        sink.embed(compound.cut_out(storage), what=what)
        return True
    if _NATIVE in streams:
        give_native(compound.read(*streams[_NATIVE]), sink, what)
        return True
    for name in _CONTENT_STREAMS:
        if name in streams:
            content = compound.read(*streams[name])
            if content.lstrip()[:4] in _FILE_STARTS:
                sink.embed(content, what=what)
                return True
    if inner and any(name in streams for name in _OBJECT_MARKS):
        _foreign(compound, streams, sink, what)
        return True
    return False


def _foreign(compound: Compound, streams: dict[str, tuple[str, ...]], sink: Sink, what: str) -> None:
    """An object of an unknown application: the picture that stands for it in the document, and its strings.

    Without a picture, more than a little data makes the part partial, `unsupported`.
    """
    pictured = False
    rest = 0
    found: dict[str, None] = {}
    for name, path in streams.items():
        if name in _OBJECT_MARKS or name in _LAYOUT_STREAMS:
            continue
        content = compound.read(*path)
        picture = _presentation(name, content)
        if picture is not None:
            pictured = _shown(picture, sink, what) or pictured
            continue
        if name in _SUMMARIES:
            found.update(dict.fromkeys(property_texts(content)))
            continue
        rest += len(content)
        found.update(dict.fromkeys(macros.words_in(content)))
    if found:
        sink.text("\n".join(found), Label.HIDDEN, what)
    if rest > SMALL_STATE and not pictured:
        sink.partial("unsupported")


def _shown(picture: bytes, sink: Sink, what: str) -> bool:
    """Hand over the text of an object's picture; returns whether it is a drawing that could be read."""
    try:
        if picture:
            give_drawing(picture, sink, what, preview=True)
    except CannotRead as error:
        if error.code != "corrupt":
            raise
        return False
    return bool(picture)


def _presentation(name: str, content: bytes) -> bytes | None:
    """The metafile in a presentation stream; empty when it has none, None when the stream is no presentation."""
    if name == "\x03eprint":
        return content
    if name == "\x03meta":
        return with_header(content[8:])
    if not name.startswith("\x02olepres"):
        return None
    if len(content) < 12 or content[:4] != b"\xff\xff\xff\xff":
        return b""
    kind, device = struct.unpack_from("<II", content, 4)
    data = content[8 + device + 28:]
    if kind == 3 and data[:4] in (b"\x01\0\x09\0", b"\x02\0\x09\0"):
        return with_header(data)
    return data if kind == 14 else b""


def embed_compound(data: bytes, sink: Sink, what: str) -> None:
    """Hand over the object in a compound file of its own: a document as it is, else what is packed in it."""
    if not is_compound(data):
        sink.embed(data, what=what)
        return
    compound = Compound(data, sink)
    streams: dict[str, tuple[str, ...]] = {
        path[0].casefold(): path for path in compound.streams if len(path) == 1}
    if any(name in streams for name in _DOCUMENTS):
        sink.embed(data, what=what)
    elif streams and not embed_objects(compound, sink):
        _foreign(compound, streams, sink, what)


def give_native(data: bytes, sink: Sink, what: str) -> None:
    """Hand over the file in an Ole10Native stream (a packaged file with its name and paths).

    A stream that is no package, for instance a bitmap, is handed over whole. MS-OLEDS 2.3.6.
    """
    body = data[4:]
    package = _package(body)
    if package is None:
        if body:
            sink.embed(body, what=what)
        return
    name, paths, content = package
    if paths:
        sink.text("\n".join(paths), Label.NAME, what)
    sink.embed(content, what=what, name=name)


def _package(body: bytes) -> tuple[str, list[str], bytes] | None:
    """(name, other paths, content) of a packaged file; None when it is none."""
    try:
        if struct.unpack_from("<H", body)[0] != 2:
            return None
        label, at = _zero_ended(body, 2)
        path, at = _zero_ended(body, at)
        temporary, at = _counted(body, at + 4)
        size = struct.unpack_from("<I", body, at)[0]
    except (struct.error, ValueError):
        return None
    content = body[at + 4:at + 4 + size]
    if not content or len(content) < size:
        return None
    name = label or re.split(r"[\\/]", path)[-1]
    return name, sorted({text for text in (path, temporary) if text and text != name}), content


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
            codepage = codec_of(page)
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


def is_compound(data: bytes) -> bool:
    """Whether the bytes begin like a compound file."""
    return data.startswith(olefile.MAGIC)
