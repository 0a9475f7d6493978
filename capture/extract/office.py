"""Office XML: docx, docm, dotx, pptx and their variants; the parts xlsx shares with them.

Every member of the package is looked at: XML parts by their root element, everything else as an embedded
file, save for the few kinds that never hold content (fonts, printer settings, preview pictures).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from capture.extract import macros, metafile, oleobjects
from capture.extract.officeflow import Properties, Relationships, TextFlow
from capture.extract.reader import CannotRead, Sink
from capture.extract.xmlparts import BUDGET_CODES, Package, Walker, walk
from pii_scan.text import Label

_NO_CONTENT = re.compile(
    r"(^|/)(thumbnail\.[^/]*|printersettings\d*\.bin|vbaprojectsignature[^/]*\.bin|[^/]*\.(odttf|fntdata|ttf)"
    r"|\[trash\]/.*|_xmlsignatures/.*)$", re.IGNORECASE)
_XML = (".xml", ".vml", ".rels", ".psmdcp")
_REPEATS = re.compile(r"(slideMasters|slideLayouts|notesMasters|handoutMasters|diagrams)/")
_BARE_WMF = (b"\x01\0\x09\0\0\x03", b"\x02\0\x09\0\0\x03", b"\x01\0\x09\0\0\x01")
_UNCLOSED_BREAK = re.compile(rb"<br\s*>")
"""Office itself writes HTML's unclosed <br> into the drawings of old comments."""

_FLOW = frozenset({
    "document", "glossaryDocument", "hdr", "ftr", "footnotes", "endnotes", "comments", "sld", "notes",
    "sldMaster", "sldLayout", "notesMaster", "handoutMaster", "cmLst", "chartSpace", "chart", "dataModel",
    "drawing", "userShapes", "wsDr", "xml", "ThreadedComments", "personList", "cmAuthorLst", "authorLst",
    "people", "settings", "tagLst", "externalLink", "ink",
})
_NO_TEXT = frozenset({
    "Types", "styles", "theme", "themeOverride", "fonts", "webSettings", "numbering", "colorsDef", "styleDef",
    "layoutDef", "presentationPr", "viewPr", "tblStyleLst", "calcChain", "styleSheet", "colorMap", "colorStyle",
    "chartStyle", "presentation", "commentsEx", "commentsIds", "commentsExtensible", "vbaSuppData", "wne",
    "tcg", "clrMapOvr", "slideUpdateInfo", "metadata", "workbook", "worksheet", "sst", "chartsheet",
    "dialogsheet", "volTypes", "volatileDependencies", "datastoreItem", "ocx",
})
_PLACES = (
    (re.compile(r"slides/slide(\d+)\.xml$"), "slide {}"),
    (re.compile(r"notesSlides/notesSlide(\d+)\.xml$"), "notes {}"),
    (re.compile(r"slideMasters/"), "master"), (re.compile(r"slideLayouts/"), "layout"),
    (re.compile(r"notesMasters/|handoutMasters/"), "notes master"),
    (re.compile(r"/header(\d*)\.xml$"), "header {}"), (re.compile(r"/footer(\d*)\.xml$"), "footer {}"),
    (re.compile(r"charts?(?:ex)?(\d+)\.xml$", re.IGNORECASE), "chart {}"),
    (re.compile(r"diagrams/(?:data|drawing)(\d*)\.xml$"), "diagram {}"),
    (re.compile(r"drawing(\d+)\.(?:xml|vml)$", re.IGNORECASE), "drawing {}"),
    (re.compile(r"glossary/"), "glossary"),
    (re.compile(r"customXml/item(\d+)\.xml$"), "custom XML {}"),
)


def read_office(data: bytes, sink: Sink) -> None:
    """Read a Word or PowerPoint package: running text, tables, notes, comments, links, embedded files."""
    package = Package(data, sink)
    relations = RelationMap(package, sink)
    order = _slide_order(relations)
    seen: set[str] = set()
    for name in sorted(package.names, key=lambda name: _rank(name, order)):
        read_part(package, name, sink, place_of(name, order), seen)
    relations.give_links(sink)
    embed_members(package, sink, package.names)


class RelationMap:
    """The relationships of every part of a package."""

    def __init__(self, package: Package, sink: Sink) -> None:
        self._of: dict[str, list[tuple[str, str, str, bool]]] = {}
        for name in package.names:
            folder, _, leaf = name.rpartition("/")
            if not leaf.endswith(".rels"):
                continue
            reader = Relationships(sink)
            with tolerate(sink):
                walk(package.chunks(name), reader)
            source = posixpath.join(posixpath.dirname(folder), leaf.removesuffix(".rels"))
            self._of[source] = reader.found

    def of(self, source: str, kind: str = "") -> Iterator[tuple[str, str]]:
        """(id, member name) of the internal relationships of `source`, of one kind if given."""
        base = posixpath.dirname(source)
        for key, found, target, external in self._of.get(source, ()):
            if not external and (not kind or found == kind):
                path = target.lstrip("/") if target.startswith("/") else posixpath.join(base, target)
                yield key, posixpath.normpath(path)

    def main_part(self) -> str:
        """The name of the part the package is about; empty when it says nothing."""
        return next((name for _, name in self.of("", "officeDocument")), "")

    def give_links(self, sink: Sink) -> None:
        """Hand over the targets of all external relationships, each once."""
        targets = dict.fromkeys(unquote(target) for found in self._of.values()
                                for _, _, target, external in found if external and target)
        if targets:
            sink.text("\n".join(targets), Label.LINK, "external targets")


class tolerate:  # noqa: N801  (reads as a statement)
    """`with tolerate(sink):` a part that cannot be read makes the file partial; a used-up budget ends it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, CannotRead) or error.code in BUDGET_CODES:
            return False
        self._sink.partial(error.code)
        return True


def read_part(package: Package, name: str, sink: Sink, where: str, seen: set[str]) -> None:
    """Read one XML part; what is no XML is left to `embed_members`. `seen`: lines of earlier layouts."""
    if not name.casefold().endswith(_XML) or name.endswith(".rels") or name == "[Content_Types].xml":
        return
    walker = _ByRoot(sink, where, seen if _REPEATS.search(name) else None)
    with tolerate(sink):
        if name.casefold().endswith(".vml"):
            walk([_UNCLOSED_BREAK.sub(b"<br/>", package.read(name))], walker)
        else:
            walk(package.chunks(name), walker)


def embed_members(package: Package, sink: Sink, names: Iterable[str]) -> None:
    """Hand over every member that is not XML: pictures, workbooks behind charts, packaged objects."""
    count = 0
    for name in names:
        if name.casefold().endswith(_XML) or _NO_CONTENT.search(name):
            continue
        leaf = name.rpartition("/")[2]
        count += 1
        with tolerate(sink):
            data = package.read(name)
            if not data:
                continue
            if leaf.casefold() == "vbaproject.bin":
                macros.read_macros(data, sink)
            elif leaf.casefold().startswith("activex"):
                macros.read_control(data, sink)
            elif leaf.casefold().startswith("customproperty"):
                _stored_text(data, sink)
            elif oleobjects.is_compound(data):
                oleobjects.embed_compound(data, sink, f"embedded {count}")
            else:
                if data.startswith(_BARE_WMF):
                    data = metafile.with_header(data)
                sink.embed(data, what=f"embedded {count}", name=leaf)


def _stored_text(data: bytes, sink: Sink) -> None:
    """A property of a sheet that a program stored beside it: 16-bit text, or a record with some text in it."""
    text = data.decode("utf-16-le", "replace").strip("\0")
    if not text.isprintable():
        text = "\n".join(macros.words_in(data))
    sink.text(text, Label.PROPERTY, "custom property")


class _ByRoot(Walker):
    """Chooses the walker of a part by its root element."""

    def __init__(self, sink: Sink, where: str, seen: set[str] | None) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self._sink = sink
        self._where = where
        self._seen = seen
        self._inner: Walker | None = None
        self._started = False

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._started:
            self._started = True
            if name in _FLOW:
                self._inner = TextFlow(self._sink, self._where, seen=self._seen)
            elif name not in _NO_TEXT:
                self._inner = Properties(self._sink, self._where or "properties")
        if self._inner:
            self._inner.opened(name, attributes)

    def closed(self, name: str) -> None:
        if self._inner:
            self._inner.closed(name)

    def characters(self, text: str) -> None:
        if self._inner:
            self._inner.characters(text)
        else:
            self.overhear(text)

    def finish(self) -> None:
        if self._inner:
            self._inner.finish()
            self._inner.give_overheard()


def place_of(name: str, order: Mapping[str, int] | None = None) -> str:
    """The place of a part in words ("slide 3"); empty for the main part."""
    for pattern, words in _PLACES:
        found = pattern.search(name)
        if found:
            number = str(order[name]) if order and name in order else next(iter(found.groups()), "")
            return words.format(number).strip()
    return ""


def _slide_order(relations: RelationMap) -> dict[str, int]:
    """Slides in the order they are shown; notes get the number of their slide."""
    main = relations.main_part()
    slides = [name for _, name in relations.of(main, "slide")]
    order = {name: number for number, name in enumerate(sorted(slides, key=_numbers), 1)}
    for slide, number in list(order.items()):
        for _, notes in relations.of(slide, "notesSlide"):
            order[notes] = number
    return order


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(run) for run in re.findall(r"\d{1,9}", name))


def _rank(name: str, order: Mapping[str, int]) -> tuple[int, int, tuple[int, ...], str]:
    """Main text first, then slides with their notes, then the rest by name."""
    if name.endswith("/document.xml"):
        return (0, 0, (), name)
    if name in order:
        return (1, order[name], (), name)
    return (2, 0, _numbers(name), name)
