"""Archives: members are read like attachments, on one common budget of bytes, members and depth.

Sizes in an archive's directory are claims; what counts is what comes out, chunk by chunk.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

from capture.extract.collect import PartSink
from capture.extract.reader import CannotRead
from capture.extract.strays import note_strays
from pii_scan.text import Label

_CHUNK: Final = 1 << 18
_UNICODE_FIELDS: Final = (0x7075, 0x6375)
_ENCRYPTED_BIT: Final = 0x1
_BAD: Final = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, tarfile.TarError, OSError, EOFError, ValueError)


def read_zip(data: bytes, sink: PartSink) -> None:
    """Read every member of a zip file; encrypted ones are held one by one."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [info for info in archive.infolist() if not info.is_dir() or info.file_size]
        if archive.comment.strip():
            sink.text(archive.comment.decode("utf-8", "replace"), where="archive comment")
        note_strays(data, archive, sink)
        sink.text("\n".join(_zip_names(archive)), Label.NAME, "members")
        if not members:
            sink.empty()
        for number, info in enumerate(members, 1):
            what = f"member {number}"
            if info.flag_bits & _ENCRYPTED_BIT:
                sink.refuse("encrypted", what=what, name=info.filename)
                continue
            try:
                with archive.open(info) as member:
                    content = drain(member, sink, packed=min(info.compress_size, len(data)))
            except NotImplementedError:  # a compression method Python does not know
                sink.refuse("unsupported", what=what, name=info.filename)
            except RuntimeError:
                sink.refuse("encrypted", what=what, name=info.filename)
            except _BAD:
                sink.refuse("corrupt", what=what, name=info.filename)
            else:
                sink.embed(content, what=what, name=info.filename)


def drain(stream: IO[bytes] | Any, sink: PartSink, *, packed: int = 0) -> bytes:
    """Read a stream to its end, counting every chunk. Raises `CannotRead` at a limit."""
    chunks = []
    while chunk := stream.read(_CHUNK):
        sink.spend(len(chunk), packed)
        packed = 0
        chunks.append(chunk)
    return b"".join(chunks)


def _zip_names(archive: zipfile.ZipFile) -> Iterator[str]:
    """Folder names, comments of members, and the second names some programs write in Unicode."""
    for info in archive.infolist():
        if info.is_dir():
            yield info.filename
        if info.comment.strip():
            yield info.comment.decode("utf-8", "replace")
        at = 0
        while at + 4 <= len(info.extra):
            kind, size = struct.unpack_from("<HH", info.extra, at)
            if kind in _UNICODE_FIELDS:
                yield info.extra[at + 9:at + 4 + size].decode("utf-8", "replace")
            at += 4 + size


def read_tar(data: bytes, sink: PartSink) -> None:
    """Read every file of a tar archive; links and devices are named, not followed."""
    number = 0
    texts: dict[str, None] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for info in archive:
                texts |= dict.fromkeys((info.uname, info.gname, *map(str, info.pax_headers.values())))
                if info.isdir():
                    texts[info.name] = None
                    continue
                number += 1
                source = archive.extractfile(info) if info.isreg() else None
                if source is None:
                    sink.text(f"{info.name} {info.linkname}".strip(), where=f"member {number}")
                    if info.size and info.type not in tarfile.SUPPORTED_TYPES:
                        sink.partial("unsupported")
                    continue
                with source:
                    sink.embed(drain(source, sink), what=f"member {number}", name=info.name)
            rest = data[archive.offset:]
    except _BAD as error:
        raise CannotRead("corrupt") from error
    sink.text("\n".join(filter(None, texts)), Label.NAME, "members")
    if rest.strip(b"\0"):  # a second archive, or anything the first one's reader stops at
        sink.partial("corrupt")
    if number == 0:
        sink.empty()


def read_compressed(data: bytes, sink: PartSink) -> None:
    """Read what a gzip, bzip2 or xz file holds: one file, often a tar archive."""
    name = _inner_name(sink.name)
    chunks: list[bytes] = []
    try:
        if sink.kind == "gz":
            sink.text("\n".join(_gzip_texts(data)), Label.NAME, "member 1")
        for chunk in _expand(data, sink.kind):
            sink.spend(len(chunk))
            chunks.append(chunk)
    except _BAD:
        sink.partial("corrupt")
    except CannotRead as stop:
        sink.partial(stop.code)
    if chunks:
        sink.embed(b"".join(chunks), what="member 1", name=name)


def _expand(data: bytes, kind: str) -> Iterator[bytes]:
    """The content of a compressed file. What follows its last stream is damage, unless it is zeros."""
    if kind == "gz":
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
        return
    while data:
        machine = bz2.BZ2Decompressor() if kind == "bz2" else lzma.LZMADecompressor()
        while not machine.eof:
            chunk = machine.decompress(data, _CHUNK)
            data = b""
            if chunk:
                yield chunk
            elif machine.needs_input:
                raise EOFError
        data = machine.unused_data.lstrip(b"\0")


def _gzip_texts(data: bytes) -> Iterator[str]:
    """The name and the comment in the header of a gzip file (RFC 1952, 2.3)."""
    flags, at = data[3], 10
    if flags & 4:
        at += 2 + int.from_bytes(data[at:at + 2], "little")
    for flag in (8, 16):
        if flags & flag:
            end = data.find(b"\0", at)
            if end < 0:
                raise EOFError
            yield data[at:end].decode("latin-1")
            at = end + 1


def _inner_name(name: str) -> str:
    stem, dot, tail = name.rpartition(".")
    if not dot:
        return ""
    return f"{stem}.tar" if tail.casefold() == "tgz" else stem


def read_7z(data: bytes, sink: PartSink) -> None:
    """Read a 7z archive with py7zr (extra `archives`); without it the archive is held as unsupported."""
    try:
        import py7zr
        import py7zr.exceptions
    except ImportError as error:
        raise CannotRead("unsupported") from error
    factory = _seven_factory(sink)
    try:
        with py7zr.SevenZipFile(io.BytesIO(data)) as archive:
            if archive.needs_password():
                _refuse_names(archive, sink)
                return
            archive.extract(factory=factory)
    except py7zr.exceptions.PasswordRequired as error:
        raise CannotRead("encrypted") from error
    except py7zr.exceptions.UnsupportedCompressionMethodError as error:
        raise CannotRead("unsupported") from error
    except (*_BAD, py7zr.exceptions.ArchiveError) as error:
        _embed_all(factory.members(), sink)
        raise CannotRead("corrupt") from error
    _embed_all(factory.members(), sink)


def _embed_all(members: Iterator[tuple[str, bytes]], sink: PartSink) -> None:
    number = 0
    for number, (name, content) in enumerate(members, 1):
        sink.embed(content, what=f"member {number}", name=name)
    if number == 0:
        sink.empty()


def _refuse_names(archive: Any, sink: PartSink) -> None:
    for number, name in enumerate(archive.getnames(), 1):
        sink.refuse("encrypted", what=f"member {number}", name=name)
    sink.partial("encrypted")


def _seven_factory(sink: PartSink) -> Any:
    """A factory that keeps members in memory and counts every byte against the budget."""
    from py7zr.io import Py7zIO, WriterFactory

    class Member(Py7zIO):
        def __init__(self) -> None:
            self.buffer = io.BytesIO()

        def write(self, s: bytes | bytearray) -> int:
            sink.spend(len(s))
            return self.buffer.write(s)

        def read(self, size: int | None = None) -> bytes:
            return self.buffer.read(size)

        def seek(self, offset: int, whence: int = 0) -> int:
            return self.buffer.seek(offset, whence)

        def flush(self) -> None:
            """Nothing waits."""

        def size(self) -> int:
            return self.buffer.getbuffer().nbytes

    class Factory(WriterFactory):
        def __init__(self) -> None:
            self.products: dict[str, Member] = {}

        def create(self, filename: str) -> Member:
            if len(self.products) >= sink.limits.members:
                raise CannotRead("too_large")
            return self.products.setdefault(filename, Member())

        def members(self) -> Iterator[tuple[str, bytes]]:
            for name, member in self.products.items():
                yield name, member.buffer.getvalue()

    return Factory()
