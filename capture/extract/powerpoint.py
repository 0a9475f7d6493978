"""Text of old PowerPoint files: every text record, by the slide, notes page or master it stands in.

Source: MS-PPT 2.13.24 (record types).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from capture.extract import officeart
from capture.extract.officeflow import BLOCK_CHARS
from capture.extract.reader import CannotRead, Sink
from pii_scan.text import Label

_TEXT_CHARS, _TEXT_BYTES, _STRING, _OBJECT, _CRYPT = 4000, 4008, 4026, 4113, 0x2F14
_SLIDE, _NOTES, _MASTER, _HANDOUT, _DOCUMENT, _LIST = 1006, 1008, 1016, 4041, 1000, 4080
_LINKS, _COMMENT, _FONTS = 4055, 12000, 2005
_BLOBS = frozenset({5003})
_PLACES = {_SLIDE: (Label.TEXT, "slide"), _NOTES: (Label.NOTE, "notes"), _MASTER: (Label.MARGIN, "master"),
           _HANDOUT: (Label.MARGIN, "handout"), _LIST: (Label.TEXT, "outline"), _LINKS: (Label.LINK, "links"),
           _COMMENT: (Label.NOTE, "comment")}
_MAX_DEPTH = 64
_TOP = re.compile(rb"\x0f\0[\xe8\xee\xf0\xf8]\x03", re.DOTALL)
"""The start of a document, slide, notes or master container."""
_PACKED = b"PK\x03\x04"
"""Newer programs put zip files into containers, for other newer programs; the text stands in the old records too."""


@dataclass
class _Open:
    end: int
    kind: int
    label: Label
    where: str


@dataclass
class Deck:
    """What was found: text by place, and the objects' compound files."""

    texts: dict[tuple[Label, str], dict[str, None]] = field(default_factory=dict)
    objects: list[bytes] = field(default_factory=list)
    damaged: bool = False
    """Whether a record claims to be longer than what it stands in."""
    broken: list[bytes] = field(default_factory=list)
    """Objects whose compressed data is damaged, as far as they could be decompressed."""


def read_deck(document: bytes, sink: Sink) -> Deck:
    """Hand over the text of a "PowerPoint Document" stream; returns what was found.

    Raises `CannotRead`: `encrypted`, `corrupt` (no record at all).
    """
    deck = Deck()
    _scan(document, deck, sink, [_Open(len(document), 0, Label.TEXT, "document")], {})
    for (label, where), lines in deck.texts.items():
        block: list[str] = []
        for line in lines:
            block.append(line)
            if sum(map(len, block)) > BLOCK_CHARS:
                sink.text("\n".join(block), label, where)
                block = []
        if block:
            sink.text("\n".join(block), label, where)
    return deck


def _scan(data: bytes, deck: Deck, sink: Sink, stack: list[_Open], counts: dict[int, int]) -> None:
    at = 0
    while at + 8 <= len(data):
        while len(stack) > 1 and at >= stack[-1].end:
            stack.pop()
        flags, kind, length = struct.unpack_from("<HHI", data, at)
        here = stack[-1]
        if len(stack) == 1 and here.kind == 0 and (kind < _DOCUMENT or at + 8 + length > len(data)):
            found = _TOP.search(data, at + 1)  # between two savings there may be a gap
            if found is None:
                return
            at = found.start()
            continue
        at += 8
        if kind == _CRYPT:
            raise CannotRead("encrypted")
        if flags & 0xF == 0xF and kind != _FONTS and len(stack) < _MAX_DEPTH:
            label, where = here.label, here.where
            if kind in _PLACES:
                counts[kind] = counts.get(kind, 0) + 1
                label, word = _PLACES[kind]
                where = word if kind in (_LIST, _LINKS) else f"{word} {counts[kind]}"
                if kind == _COMMENT and here.kind == _SLIDE:
                    where = f"{here.where}, {where}"
            stack.append(_Open(min(at + length, here.end), kind, label, where))
            continue
        end = min(at + length, here.end)  # damage inside a container ends with it
        deck.damaged = deck.damaged or (end < at + length and not data[at - 8:end].startswith(_PACKED))
        content = data[at:end]
        _record(kind, flags >> 4, content, deck, sink, here)
        if kind in _BLOBS and len(content) > 8:
            _scan(content, deck, sink, [_Open(len(content), here.kind, here.label, here.where)], counts)
        at = end


def _record(kind: int, instance: int, content: bytes, deck: Deck, sink: Sink, here: _Open) -> None:
    texts: list[str] = []
    if kind in (_TEXT_CHARS, _STRING):
        texts = [content.decode("utf-16-le", "replace")]
    elif kind == _TEXT_BYTES:
        texts = [content.decode("cp1252" if any(0x80 <= c < 0xA0 for c in content) else "latin-1", "replace")]
    elif kind in (0xF00B, 0xF121, 0xF122):
        texts = officeart.option_texts(instance, content)
    elif kind == _OBJECT:
        stored, whole = officeart.inflate(
            content[4:], int.from_bytes(content[:4], "little"), sink) if instance == 1 else (content, True)
        if whole:
            deck.objects.append(stored)
        else:
            deck.broken.append(stored)
    label = Label.LINK if kind not in (_TEXT_CHARS, _TEXT_BYTES, _STRING) else here.label
    for text in texts:
        clean = "".join(_SIGNS.get(c, c) for c in text if c >= " " or c in _SIGNS).strip()
        if clean and not clean.startswith("___PPT"):
            deck.texts.setdefault((label, here.where), {})[clean] = None


_SIGNS = {"\r": "\n", "\x0b": "\n", "\t": "\t", "\n": "\n"}
