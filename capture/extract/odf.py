"""OpenDocument packages: odt, ods, odp, odg and their templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from capture.extract.odfflow import OdfFlow
from capture.extract.office import tolerate
from capture.extract.officeflow import Properties
from capture.extract.reader import CannotRead, Sink
from capture.extract.xmlparts import Package, Walker, declares_entities, walk

_NO_CONTENT = re.compile(
    r"^(META-INF/.*|(.*/)?(Thumbnails|Configurations2)/.*|Pictures/TablePreview[^/]*"
    r"|(.*/)?(settings\.xml|mimetype|layout-cache|manifest\.rdf|script-l[bc]\.xml|dialog-l[bc]\.xml))$")
_PREVIEW = re.compile(r"^ObjectReplacements/(.+)$")
_OBJECT = re.compile(r"^(Object [^/]+|Obj[^/]+)/")
_MANIFEST = "META-INF/manifest.xml"


def read_odf(data: bytes, sink: Sink) -> None:
    """Read an OpenDocument package: text, sheets as tables, notes, margins, macros, embedded objects.

    Raises `CannotRead`: `encrypted`, `corrupt`. A part that declares entities makes it partial,
    `external_entity`.
    """
    package = Package(data, sink)
    if _MANIFEST in package:
        manifest = _Manifest(sink)
        with tolerate(sink):
            walk(package.chunks(_MANIFEST), manifest)
        if manifest.encrypted:
            raise CannotRead("encrypted")
    if "content.xml" not in package:
        raise CannotRead("corrupt")
    objects = sorted({found[1] for name in package.names if (found := _OBJECT.match(name))})
    count = 0
    for name in sorted(package.names, key=_rank):
        preview = _PREVIEW.match(name)
        if _NO_CONTENT.match(name) or (preview and (preview[1] in objects or preview[1] in package)):
            continue
        folder = name.rpartition("/")[0]
        where = f"object {objects.index(folder) + 1}" if folder in objects else ""
        with tolerate(sink):
            if name.endswith(".xml"):
                _read_xml(package.read(name), name, sink, where)
            else:
                content = package.read(name)
                if content:
                    count += 1
                    sink.embed(content, what=f"embedded {count}", name=name.rpartition("/")[2])


def _read_xml(data: bytes, name: str, sink: Sink, where: str) -> None:
    leaf = name.rpartition("/")[2]

    def make() -> Walker:
        if leaf in ("content.xml", "styles.xml"):
            return OdfFlow(sink, where)
        return Properties(sink, "macro" if name.startswith(("Basic/", "Scripts/", "Dialogs/")) else "properties")

    walk_with_harmless_doctype(data, make)


def walk_with_harmless_doctype(data: bytes, make: Callable[[], Walker]) -> None:
    """Walk a part that may have a document type, as MathML objects do, as long as it declares no entity.

    Raises `CannotRead("external_entity")` when it does.
    """
    try:
        walk([data], make())
    except CannotRead as error:
        if error.code != "external_entity" or declares_entities(data):
            raise
        walker = make()
        walker.doctype_allowed = True
        walk([data], walker)


def _rank(name: str) -> tuple[int, str]:
    order = {"content.xml": 0, "styles.xml": 1, "meta.xml": 2}
    return order.get(name, 3), name


class _Manifest(Walker):
    """Whether any member of the package is encrypted."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self.encrypted = False

    doctype_allowed = True  # manifests of the first version name their public DTD; it is not loaded

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002
        if name == "encryption-data":
            self.encrypted = True
