"""Compound files (OLE): opening them safely, and cutting a storage out as a file of its own.

Source of the layout: MS-CFB.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence

import olefile

from capture.extract.reader import CannotRead, Sink

MAGIC = bytes.fromhex("D0CF11E0A1B11AE1")
_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_END, _FAT_SECTOR, _LIST_SECTOR = 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
_NONE = 0xFFFFFFFF


class Compound:
    """The streams of a compound file, read under the budgets of the sink.

    Raises `CannotRead`: `corrupt`, `too_large` (too many streams). Paths are tuples of names.
    """

    def __init__(self, data: bytes, sink: Sink) -> None:
        self._sink = sink
        try:
            self._ole = olefile.OleFileIO(io.BytesIO(data))
            listed = self._ole.listdir(streams=True, storages=False)
        except (OSError, ValueError, IndexError, struct.error, RecursionError) as error:
            raise CannotRead("corrupt") from error
        self.streams = [tuple(path) for path in listed]
        if len(self.streams) > 20 * sink.limits.members:
            raise CannotRead("too_large")
        self._folded = {tuple(name.casefold() for name in path): path for path in self.streams}
        self._room = 20 * len(data) + 1_000_000
        """Streams may share sectors: all together may not give more than this."""

    def __contains__(self, path: Sequence[str]) -> bool:
        return tuple(name.casefold() for name in path) in self._folded

    def read(self, *path: str) -> bytes:
        """A stream by its path; names differ in case only. Raises `CannotRead("corrupt")`."""
        actual = self._folded.get(tuple(name.casefold() for name in path))
        if actual is None:
            raise CannotRead("corrupt")
        try:
            content = bytes(self._ole.openstream(list(actual)).read())
        except (OSError, ValueError, IndexError, struct.error) as error:
            raise CannotRead("corrupt") from error
        self._room -= len(content)
        if self._room < 0:
            raise CannotRead("ratio")
        self._sink.spend(len(content), len(content))  # a compound file packs nothing
        return content

    def below(self, storage: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Paths of the streams in a storage and the storages in it, relative to it."""
        size = len(storage)
        for path in self.streams:
            if len(path) > size and path[:size] == tuple(storage):
                yield path[size:]

    def cut_out(self, storage: Sequence[str]) -> bytes:
        """A storage as a compound file of its own."""
        return write_compound([(path, self.read(*storage, *path)) for path in self.below(storage)])


class _Entry:
    def __init__(self, name: str, content: bytes | None) -> None:
        self.name = name
        self.content = content
        self.children: dict[str, _Entry] = {}
        self.left = self.right = self.child = _NONE
        self.start = _END
        self.number = 0


def write_compound(streams: Sequence[tuple[tuple[str, ...], bytes]]) -> bytes:
    """A compound file (version 3) with the given streams, (path, content) each."""
    root = _Entry("Root Entry", None)
    for path, content in streams:
        at = root
        for name in path[:-1]:
            at = at.children.setdefault(name, _Entry(name, None))
        at.children[path[-1]] = _Entry(path[-1], content)
    entries = _numbered(root)
    chains: list[bytes] = []
    fat: list[int] = []
    mini, mini_fat = _small_streams(entries)
    for entry in entries:
        if entry.content is not None and len(entry.content) >= _CUTOFF:
            entry.start = _chain(fat, chains, entry.content)
    root.start = _chain(fat, chains, mini)
    mini_start = _chain(fat, chains, b"".join(struct.pack("<I", link) for link in mini_fat), fill=b"\xff")
    directory = b"".join(_directory_entry(entry, len(mini) if entry is root else None) for entry in entries)
    directory_start = _chain(fat, chains, directory)
    return _header(fat, len(mini_fat), mini_start, directory_start) + b"".join(chains) + _tables(fat)


def _numbered(root: _Entry) -> list[_Entry]:
    """All entries with their numbers, the entries of each storage as a balanced search tree."""
    entries = [root]
    for entry in entries:
        ordered = sorted(entry.children.values(), key=lambda child: (len(child.name), child.name.upper()))
        for child in ordered:
            child.number = len(entries)
            entries.append(child)
        entry.child = _balanced(ordered)
    return entries


def _balanced(ordered: Sequence[_Entry]) -> int:
    if not ordered:
        return _NONE
    middle = len(ordered) // 2
    entry = ordered[middle]
    entry.left, entry.right = _balanced(ordered[:middle]), _balanced(ordered[middle + 1:])
    return entry.number


def _small_streams(entries: Sequence[_Entry]) -> tuple[bytes, list[int]]:
    content = bytearray()
    links: list[int] = []
    for entry in entries:
        if entry.content and len(entry.content) < _CUTOFF:
            count = -(-len(entry.content) // _MINI)
            entry.start = len(links)
            links += [*range(len(links) + 1, len(links) + count), _END]
            content += entry.content.ljust(count * _MINI, b"\0")
    return bytes(content), links


def _chain(fat: list[int], chains: list[bytes], content: bytes, fill: bytes = b"\0") -> int:
    """Append content as a chain of sectors; returns its first sector."""
    if not content:
        return _END
    count = -(-len(content) // _SECTOR)
    start = len(fat)
    fat += [*range(start + 1, start + count), _END]
    chains.append(content.ljust(count * _SECTOR, fill))
    return start


def _directory_entry(entry: _Entry, root_size: int | None) -> bytes:
    name = entry.name.encode("utf-16-le")[:62] + b"\0\0"
    kind = 5 if root_size is not None else 1 if entry.content is None else 2
    size = root_size if root_size is not None else len(entry.content or b"")
    start = entry.start if kind != 1 else 0
    return (name.ljust(64, b"\0") + struct.pack("<HBBIII", len(name), kind, 1, entry.left, entry.right, entry.child)
            + bytes(36) + struct.pack("<IQ", start, size))


def _counts(sectors: int) -> tuple[int, int]:
    """How many sectors the allocation table takes, and how many list its sectors beyond the 109 of the header."""
    tables = lists = 0
    while tables * (_SECTOR // 4) < sectors + tables + lists:
        tables += 1
        lists = max(-(-(tables - 109) // (_SECTOR // 4 - 1)), 0)
    return tables, lists


def _tables(fat: list[int]) -> bytes:
    """The sectors of the allocation table, and behind them those that list its further sectors."""
    tables, lists = _counts(len(fat))
    links = [*fat, *[_FAT_SECTOR] * tables, *[_LIST_SECTOR] * lists]
    out = b"".join(struct.pack("<I", link) for link in links).ljust(tables * _SECTOR, b"\xff")
    further = [*range(len(fat) + 109, len(fat) + tables)]
    for index in range(lists):
        numbers = further[127 * index:127 * index + 127]
        following = len(fat) + tables + index + 1 if index + 1 < lists else _END
        out += b"".join(struct.pack("<I", number) for number in numbers).ljust(_SECTOR - 4, b"\xff")
        out += struct.pack("<I", following)
    return out


def _header(fat: list[int], mini_links: int, mini_start: int, directory_start: int) -> bytes:
    tables, lists = _counts(len(fat))
    first = [*range(len(fat), len(fat) + min(tables, 109))]
    mini_sectors = -(-mini_links * 4 // _SECTOR)
    return (MAGIC + bytes(16) + struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, tables, directory_start, 0,
                                            _CUTOFF, mini_start, mini_sectors,
                                            len(fat) + tables if lists else _END, lists)
            + b"".join(struct.pack("<I", number) for number in first).ljust(436, b"\xff"))
