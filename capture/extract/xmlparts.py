"""Zip packages of XML parts (Office XML, ODF): opening, budgets, and one safe way to stream XML.

XML is read event by event; no tree is built, so a part costs time but hardly memory. Nothing is ever
recovered: a broken part ends in `CannotRead`, and what was read before it stays.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping

from lxml import etree

from capture.extract.reader import CannotRead, Sink
from capture.extract.strays import note_strays, twice
from capture.extract.textual import is_said
from pii_scan.text import Label

CHUNK = 1 << 16
_ENCRYPTED_FLAG = 0x1
_FACES = frozenset({"typeface", "ascii", "hAnsi", "cs", "eastAsia", "font-name", "font-family", "style", "points",
                    "path", "enhanced-path", "d", "viewBox", "font-name-asian", "font-name-complex", "display-name"})
"""Attributes whose values are several words without being text: typefaces, outlines, names of styles."""


class Package:
    """The members of a zip file, read under the budgets of the sink.

    Sizes are counted from the bytes that come out, not from what the directory claims.
    Raises `CannotRead`: `corrupt` (no readable directory), `too_large` (too many members).
    """

    def __init__(self, data: bytes, sink: Sink) -> None:
        self._sink = sink
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise CannotRead("corrupt") from error
        self._infos = {info.filename.replace("\\", "/").lstrip("/"): info
                       for info in self._zip.infolist() if not info.is_dir()}
        note_strays(data, self._zip, sink)
        if twice(self._zip):
            sink.partial("corrupt")
        if self._zip.comment.strip():
            sink.text(self._zip.comment.decode("utf-8", "replace"), Label.PROPERTY, "archive comment")
        if len(self._infos) > sink.limits.members:
            raise CannotRead("too_large")

    @property
    def names(self) -> list[str]:
        """Member names in directory order, with forward slashes."""
        return list(self._infos)

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a member, piece by piece.

        Raises `CannotRead`: `encrypted`, `corrupt` (also for an unknown compression), or a used-up budget.
        """
        info = self._infos[name]
        if info.flag_bits & _ENCRYPTED_FLAG:
            raise CannotRead("encrypted")
        packed = info.compress_size
        try:
            with self._zip.open(info) as member:
                while chunk := member.read(CHUNK):
                    self._sink.spend(len(chunk), packed)
                    packed = 0
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise CannotRead("corrupt") from error

    def read(self, name: str) -> bytes:
        """The whole content of a member; errors as for `chunks`."""
        return b"".join(self.chunks(name))


BUDGET_CODES = frozenset({"too_large", "ratio", "timeout", "memory"})
"""Codes that end the whole file: going on with its next part would only spend more."""


def local(tag: str) -> str:
    """The name without its namespace."""
    return tag.rpartition("}")[2]


def attribute(attributes: Mapping[str, str], name: str) -> str:
    """The attribute of that local name, in whatever namespace; empty when absent."""
    if name in attributes:
        return attributes[name]
    ending = "}" + name
    for key, value in attributes.items():
        if key.endswith(ending):
            return value
    return ""


class Walker:
    """Receives the events of one XML part. Subclasses override `opened`, `closed` and `characters`.

    Names come without their namespace: both dialects of Office XML (transitional and strict) use the same
    local names. Raises `CannotRead("too_deep")` beyond `max_depth` and `CannotRead("external_entity")`
    at a document type declaration, before any entity could be used.
    """

    doctype_allowed = False

    def __init__(self, max_depth: int, sink: Sink | None = None) -> None:
        self._max_depth = max_depth
        self._aside_sink = sink
        self._overheard: dict[str, None] = {}
        self._depth = 0
        self._names: dict[str, str] = {}

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def closed(self, name: str) -> None:
        """An element ends."""

    def characters(self, text: str) -> None:
        """Text inside the innermost open element; may come in several pieces."""

    def finish(self) -> None:
        """The part has ended, or broke off: hand over what is still held back."""

    def overhear(self, text: str) -> None:
        """Keep text from a place that holds none as a rule, if it reads as if a person had written it."""
        if " " in text and is_said(text):
            self._overheard[text.strip()] = None

    def give_overheard(self) -> None:
        """Hand over what was overheard: attributes, comments and elements no walker reads."""
        found, self._overheard = self._overheard, {}
        if found and self._aside_sink is not None:
            self._aside_sink.text("\n".join(found), Label.PROPERTY, "attributes")

    # the interface of lxml's target parser
    def comment(self, text: str) -> None:
        self.overhear(text)

    def pi(self, target: str, data: str | None = None) -> None:
        self.overhear(f"{target} {data or ''}")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > self._max_depth:
            raise CannotRead("too_deep")
        name = self._names.get(tag)
        if name is None:
            name = self._names[tag] = local(tag)
        for key, value in attributes.items():
            if " " in value and key.rpartition("}")[2] not in _FACES:
                self.overhear(value)
        self.opened(name, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self.closed(self._names[tag])

    def data(self, text: str) -> None:
        self.characters(text)

    def doctype(self, *_: object) -> None:
        if not self.doctype_allowed:
            raise CannotRead("external_entity")

    def close(self) -> None:
        """Required by the parser; `finish` is what subclasses use."""


def walk(chunks: Iterable[bytes], walker: Walker) -> None:
    """Send the events of an XML part to `walker`; its `finish` is called in every case.

    Raises `CannotRead`: `corrupt` (not well-formed), `too_deep`, `external_entity`, or what the walker raises.
    """
    parser = etree.XMLParser(target=walker, resolve_entities=False, no_network=True, load_dtd=False,
                             huge_tree=False, recover=False)
    try:
        for chunk in chunks:
            parser.feed(chunk)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise CannotRead("too_deep" if "xcessive depth" in str(error) else "corrupt") from error
    finally:
        walker.finish()
        walker.give_overheard()


def declares_entities(data: bytes) -> bool:
    """Whether the document type declaration of an XML part declares an entity."""
    events = etree.iterparse(io.BytesIO(data), events=("start",), resolve_entities=False, no_network=True,
                             load_dtd=False, huge_tree=False)
    try:
        for _, element in events:
            dtd = element.getroottree().docinfo.internalDTD
            return dtd is not None and any(True for _ in dtd.iterentities())
    except etree.XMLSyntaxError as error:
        raise CannotRead("corrupt") from error
    return False


_KEEP = re.compile(r"[^\s]")


def has_ink(text: str) -> bool:
    """Whether there is anything but white space."""
    return _KEEP.search(text) is not None
