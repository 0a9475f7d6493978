"""PDF: text per page, annotations, form values, bookmarks, properties, attached files, scanned pages."""

from __future__ import annotations

import ctypes
import io
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from capture.extract.officeflow import Properties
from capture.extract.pdfpage import layout_tables, needs_eyes
from capture.extract.pdfraw import Gathered, embedded_files, read_unshown
from capture.extract.reader import CannotRead, Sink
from capture.extract.xmlparts import has_ink, walk
from pii_scan.text import Label

OCR_DPI = 200
BOOKMARKS_MAX = 5_000
TABLE_PAGES = 200
"""Pages whose layout is searched for tables: finding them costs more than the text itself."""

_PROTECTED_MARK = re.compile(rb"/MicrosoftIRMServices|/EncryptedPayload\b")
_PROTECTED_NAME = re.compile(r"irmservices|protected pdf|encryptedpayload", re.IGNORECASE)
_STREAM = re.compile(rb"/ObjStm\b.{0,400}?stream\r?\n", re.DOTALL)
_NOTE_KEYS = ("Contents", "T", "Subj", "RC")
_VALUE_KEYS = (*_NOTE_KEYS, "V", "DV")
"""Of a form field too, in case the file has no form that would tell its value."""
_DATE = re.compile(r"^D:(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?.*$")
_ISO = r"\1-\2-\3 \4:\5"
_TAGS = re.compile(r"<[^>]*>")


def read_pdf(data: bytes, sink: Sink) -> None:
    """Read a PDF. Pages are given at "page N"; a page that is only a picture goes to `sink.picture`.

    Raises `CannotRead`: `encrypted` (a password is needed), `rights_managed`, `corrupt`.
    """
    document = _open(data)
    try:
        gathered = Gathered(sink)
        _protection(document, data, sink)
        _properties(document, gathered)
        _xfa(document, gathered)
        document.init_forms()
        forms = document.formenv
        pages = len(document)
        for index in range(min(pages, sink.limits.pdf_pages)):
            _page(document, index, forms, gathered)
        if pages > sink.limits.pdf_pages:
            sink.partial("too_large")
        _attachments(document, gathered)
        if raw.FPDF_GetSecurityHandlerRevision(document) < 0:  # strings of an encrypted file are no text
            read_unshown(data, "\n".join(gathered.texts), sink)
            if gathered.files < embedded_files(data):
                sink.partial("unsupported")
    finally:
        document.close()


def _open(data: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        locked = getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        if locked and _PROTECTED_MARK.search(data):
            raise CannotRead("rights_managed") from error
        raise CannotRead("encrypted" if locked else "corrupt") from error


def _protection(document: pdfium.PdfDocument, data: bytes, sink: Sink) -> None:
    """A wrapper page around a protected document must not pass as the document."""
    if _PROTECTED_MARK.search(data):
        sink.partial("rights_managed")
        return
    for index in range(document.count_attachments()):
        if _PROTECTED_NAME.search(_attachment_name(document.get_attachment(index))):
            sink.partial("rights_managed")
            return
    if document.count_attachments() and any(_PROTECTED_MARK.search(text) for text in _object_streams(data)):
        sink.partial("rights_managed")


def _object_streams(data: bytes) -> Iterator[bytes]:
    """The first megabyte of every compressed object stream."""
    for found in _STREAM.finditer(data):
        try:
            yield zlib.decompressobj().decompress(data[found.end():], 1_000_000)
        except zlib.error:
            continue


def _properties(document: pdfium.PdfDocument, sink: Sink) -> None:
    lines = [f"{key}: {_DATE.sub(_ISO, value)}" for key, value in document.get_metadata_dict(skip_empty=True).items()
             if has_ink(value)]
    if lines:
        sink.text("\n".join(lines), Label.PROPERTY, "properties")
    titles = []
    for bookmark in document.get_toc(max_depth=15):
        title = bookmark.get_title()
        if title and has_ink(title):
            titles.append(title)
        if len(titles) >= BOOKMARKS_MAX:
            sink.partial("too_large")
            break
    if titles:
        sink.text("\n".join(titles), Label.TEXT, "bookmarks")


def _xfa(document: pdfium.PdfDocument, sink: Sink) -> None:
    """Forms of the XFA kind keep their questions and answers in XML; the pages may say only "please wait"."""
    count = raw.FPDF_GetXFAPacketCount(document)
    for index in range(max(count, 0)):
        name = _utf8(partial(raw.FPDF_GetXFAPacketName, document, index))
        if name not in ("datasets", "template", "form"):
            continue
        size = ctypes.c_ulong()
        raw.FPDF_GetXFAPacketContent(document, index, None, 0, size)
        if not size.value:
            continue
        sink.spend(size.value)
        buffer = ctypes.create_string_buffer(size.value)
        raw.FPDF_GetXFAPacketContent(document, index, buffer, size.value, size)
        try:
            walk([buffer.raw], Properties(sink, f"form {name}"))
        except CannotRead as error:
            if error.code == "too_large":
                raise
            sink.partial(error.code)


def _page(document: pdfium.PdfDocument, index: int, forms: object, sink: Sink) -> None:
    where = f"page {index + 1}"
    try:
        page = document.get_page(index)
        try:
            words = page.get_textpage()
        except pdfium.PdfiumError:
            page.close()
            raise
    except pdfium.PdfiumError:
        sink.partial("corrupt")
        return
    try:
        text = clean(words.get_text_range())
        if has_ink(text):
            sink.text(text, Label.TEXT, where)
            if index < TABLE_PAGES:
                for number, rows in enumerate(layout_tables(words), 1):
                    sink.table(rows, f"{where}, table {number}")
        _annotations(document, page, forms, where, sink)
        if needs_eyes(page, text):
            sink.picture(_renderer(page, sink.limits.image_pixels), where)
        if raw.FPDFPage_GetAnnotCount(page) and raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) == \
                raw.FLATTEN_SUCCESS:
            _stamped(page, text, where, sink)
    finally:
        words.close()
        page.close()


def _stamped(page: pdfium.PdfPage, text: str, where: str, sink: Sink) -> None:
    """What annotations draw on the page: stamps, filled-in fields, comments shown as text."""
    try:
        words = page.get_textpage()
    except pdfium.PdfiumError:
        return
    try:
        before = set(text.split("\n"))
        lines = [line for line in clean(words.get_text_range()).split("\n") if line not in before]
    finally:
        words.close()
    if has_ink("\n".join(lines)):
        sink.text("\n".join(lines), Label.NOTE, f"{where}, notes")


def clean(text: str) -> str:
    """pdfium's text with plain line ends; a hyphen it marked as broken over two lines is a hyphen again."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x02", "-").replace("\ufffe", "-")
    return "".join(c for c in text if c >= " " or c in "\n\t") if _CONTROL.search(text) else text


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")


def _renderer(page: pdfium.PdfPage, max_pixels: int) -> Callable[[], bytes]:
    def render() -> bytes:
        width, height = page.get_size()
        scale = min(OCR_DPI / 72, (max_pixels / max(width * height, 1)) ** 0.5)
        out = io.BytesIO()
        page.render(scale=scale, grayscale=True).to_pil().save(out, "PNG")
        return out.getvalue()
    return render


def _annotations(document: pdfium.PdfDocument, page: pdfium.PdfPage, forms: object, where: str, sink: Sink) -> None:
    """Notes, form fields, link targets and files pinned to a page."""
    notes: list[str] = []
    fields: list[str] = []
    links: list[str] = []
    for index in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind == raw.FPDF_ANNOT_WIDGET and forms:
                fields += _field(forms, annotation)
            elif kind == raw.FPDF_ANNOT_LINK:
                links += _link(document, annotation)
            elif kind == raw.FPDF_ANNOT_FILEATTACHMENT:
                attached = raw.FPDFAnnot_GetFileAttachment(annotation)
                if attached:
                    _embed(pdfium.PdfAttachment(attached, document), f"embedded in {where}", sink)
            notes += _strings(annotation, _VALUE_KEYS if kind == raw.FPDF_ANNOT_WIDGET and not fields else _NOTE_KEYS)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    for lines, label, place in ((notes, Label.NOTE, "notes"), (fields, Label.TEXT, "form"),
                                (links, Label.LINK, "links")):
        if lines:
            sink.text("\n".join(dict.fromkeys(lines)), label, f"{where}, {place}")


def _strings(annotation: object, keys: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for key in keys:
        text = _utf16(partial(raw.FPDFAnnot_GetStringValue, annotation, key.encode()))
        if key == "RC":
            text = _TAGS.sub(" ", text)
        text = clean(text).strip()
        if text and text not in found:
            found.append(text)
    return found


def _field(forms: object, widget: object) -> list[str]:
    """"name: value" of a form field, with its options when nothing is chosen by name."""
    read = [_utf16(partial(function, forms, widget)) for function in (
        raw.FPDFAnnot_GetFormFieldAlternateName, raw.FPDFAnnot_GetFormFieldName, raw.FPDFAnnot_GetFormFieldValue)]
    label, name, value = (clean(text).strip() for text in read)
    if not value or value == "Off":
        return []
    return [f"{label or name}: {value}"]


def _link(document: pdfium.PdfDocument, annotation: object) -> list[str]:
    link = raw.FPDFAnnot_GetLink(annotation)
    action = raw.FPDFLink_GetAction(link) if link else None
    if not action:
        return []
    if raw.FPDFAction_GetType(action) == raw.PDFACTION_URI:
        return [uri] if (uri := _utf8(partial(raw.FPDFAction_GetURIPath, document, action))) else []
    return [path] if (path := _utf8(partial(raw.FPDFAction_GetFilePath, action))) else []


def _attachments(document: pdfium.PdfDocument, sink: Sink) -> None:
    for index in range(document.count_attachments()):
        if index >= sink.limits.members:
            sink.partial("too_large")
            return
        _embed(document.get_attachment(index), f"attachment {index + 1} of {document.count_attachments()}", sink)


def _attachment_name(attachment: pdfium.PdfAttachment) -> str:
    try:
        return str(attachment.get_name())
    except pdfium.PdfiumError:
        return ""


def _embed(attachment: pdfium.PdfAttachment, what: str, sink: Sink) -> None:
    try:
        content = bytes(attachment.get_data())
    except pdfium.PdfiumError:
        sink.partial("corrupt")
        return
    sink.spend(len(content), len(content))
    sink.embed(content, what=what, name=_attachment_name(attachment))


def _utf16(call: Callable[[object, int], int]) -> str:
    """A string that pdfium writes as UTF-16-LE with a closing zero; `call(None, 0)` tells its size in bytes."""
    size = call(None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    call(ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return unicodedata.normalize("NFC", buffer.raw[:size - 2].decode("utf-16-le", "replace"))


def _utf8(call: Callable[[object, int], int]) -> str:
    """A string that pdfium writes as bytes with a closing zero."""
    size = call(None, 0)
    if size <= 1:
        return ""
    buffer = ctypes.create_string_buffer(size)
    call(buffer, size)
    return buffer.raw[:size - 1].decode("utf-8", "replace")
