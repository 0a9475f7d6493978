"""Old Office files in compound files: .doc and .ppt, and the objects inside them."""

from __future__ import annotations

import struct

from sharepoint2text import ExtractionError, ExtractionFileEncryptedError, read_bytes

from capture.extract import macros, officeart, oleobjects, powerpoint, worddoc
from capture.extract.cfb import Compound
from capture.extract.reader import CannotRead, Sink
from pii_scan.text import Label

_ENCRYPTED_TOKEN = 0xF3D1C4DF
_DOCUMENT_RECORD = struct.pack("<H", 1000)


def read_ole(data: bytes, sink: Sink) -> None:
    """Read a .doc or .ppt file: text, tables, notes, margins, properties, embedded objects, pictures.

    Raises `CannotRead`: `encrypted`, `rights_managed`, `corrupt`, `unsupported`.
    """
    compound = Compound(data, sink)
    oleobjects.check_protection(compound)
    if ("WordDocument",) in compound:
        _word(data, compound, sink)
    elif ("PP97_DUALSTORAGE", "PowerPoint Document") in compound:  # beside a version 95 of the same
        _powerpoint(data, compound, sink, "PP97_DUALSTORAGE")
    elif ("PowerPoint Document",) in compound:
        _powerpoint(data, compound, sink)
    else:
        raise CannotRead("unknown_type")
    oleobjects.give_properties(compound, sink)


def _word(data: bytes, compound: Compound, sink: Sink) -> None:
    document = compound.read("WordDocument")
    tables = {name: compound.read(name) for name in ("0Table", "1Table") if (name,) in compound}
    try:
        worddoc.read_word(document, tables, sink)
    except (struct.error, IndexError):
        _second_reader(data, "doc", sink)
    except CannotRead as error:
        if error.code != "corrupt":
            raise
        _second_reader(data, "doc", sink)
    objects = oleobjects.embed_objects(compound, sink)
    stores = [compound.read("Data")] if ("Data",) in compound else []
    for store in (*stores, *tables.values(), document):
        objects -= officeart.give_drawings(store, sink, objects)
    for table in tables.values():
        _texts(officeart.drawing_texts(table), sink, "drawings")


def _powerpoint(data: bytes, compound: Compound, sink: Sink, *folder: str) -> None:
    user = (*folder, "Current User")
    if user in compound:
        stream = compound.read(*user)
        if len(stream) >= 16 and struct.unpack_from("<I", stream, 12)[0] == _ENCRYPTED_TOKEN:
            raise CannotRead("encrypted")
    if ("EncryptedSummary",) in compound:
        raise CannotRead("encrypted")
    document = compound.read(*folder, "PowerPoint Document")
    deck = powerpoint.read_deck(document, sink)
    if not deck.texts and document[2:4] != _DOCUMENT_RECORD:
        _second_reader(data, "ppt", sink)
    elif not deck.texts:
        sink.empty()
    if deck.damaged:
        sink.partial("corrupt")
    for number, content in enumerate(deck.objects, 1):
        oleobjects.embed_compound(content, sink, f"object {number}")
    drawings = 0
    if (*folder, "Pictures") in compound:
        drawings = officeart.give_drawings(compound.read(*folder, "Pictures"), sink, len(deck.objects))
    for number, content in enumerate(deck.broken, 1):
        _texts(macros.words_in(content), sink, f"damaged object {number}")
    if len(deck.broken) > drawings:  # what an object shows is among the pictures; without it, nothing was read
        sink.partial("corrupt")
    oleobjects.embed_objects(compound, sink)


def _texts(texts: list[str], sink: Sink, where: str) -> None:
    if texts:
        sink.text("\n".join(texts), Label.HIDDEN, where)


def _second_reader(data: bytes, extension: str, sink: Sink) -> None:
    """Another reader's attempt at a file whose tables are damaged; what it finds is not the whole.

    Raises `CannotRead` when it finds nothing either.
    """
    sink.partial("corrupt")
    try:
        texts = [found.full_text for found in read_bytes(data, extension=extension, ignore_images=True)]
    except ExtractionFileEncryptedError as error:
        raise CannotRead("encrypted") from error
    except (ExtractionError, ValueError, OSError, struct.error) as error:
        raise CannotRead("corrupt") from error
    for text in texts:
        sink.text(text)
