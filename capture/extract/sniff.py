"""Type by content. The name and the declared type only choose within the family of texts."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass

from capture.extract.textual import as_text

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "rtf"), (b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "rar"), (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"), (b"II*\0", "tif"), (b"MM\0*", "tif"),
    (b"\x00\x00\x01\x00", "ico"), (b"\x78\x9f\x3e\x22", "tnef"), (b"\x76\xe8\x04\x60\xc4\x11\xe3\x86", "rpmsg"),
    (b"\xd7\xcd\xc6\x9a", "wmf"), (b"MZ", "exe"), (b"\x7fELF", "exe"), (b"!BDN", "pst"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PKCS7 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"  # 1.2.840.113549.1.7.x

KINDS_BY_EXTENSION = {
    "jpeg": "jpg", "tiff": "tif", "htm": "html", "xhtml": "html", "txt": "text", "log": "text", "md": "text",
    "tsv": "csv", "tab": "csv", "tgz": "gz", "dot": "doc", "xlt": "xls", "pps": "ppt", "pot": "ppt",
    **{kind: kind for kind in (
        "eml", "mbox", "msg", "rtf", "xml", "csv", "ics", "vcf", "html", "pdf", "docx", "docm", "dotx", "dotm",
        "pptx", "pptm", "ppsx", "ppsm", "potx", "potm", "xlsx", "xlsm", "xltx", "xltm", "xlsb", "xls", "odt",
        "ott", "ods", "ots", "odp", "otp", "odg", "doc", "ppt", "zip", "tar", "gz", "bz2", "xz", "7z", "rar",
        "png", "jpg", "gif", "bmp", "tif", "webp", "ico", "p7m", "p7s", "rpmsg")},
}
_FAMILIES = tuple(map(frozenset, (
    ("text", "html", "xml", "csv", "ics", "vcf", "eml", "mbox", "pgp"),
    ("docx", "docm", "dotx", "dotm"), ("pptx", "pptm", "ppsx", "ppsm", "potx", "potm"),
    ("xlsx", "xlsm", "xltx", "xltm", "xlsb"), ("odt", "ott"), ("ods", "ots"), ("odp", "otp"), ("gz", "tar"),
    ("p7m", "p7s", "eml"),
)))

_CONTENT_TYPES = (
    # (what the list of content types says, kind without and with macros), most special first
    ("wordprocessingml.template", "dotx"), ("word.template.macroenabled", "dotm"),
    ("word.document.macroenabled", "docm"), ("wordprocessingml", "docx"),
    ("excel.sheet.binary", "xlsb"), ("spreadsheetml.template", "xltx"), ("excel.template.macroenabled", "xltm"),
    ("excel.sheet.macroenabled", "xlsm"), ("spreadsheetml", "xlsx"),
    ("presentationml.slideshow", "ppsx"), ("powerpoint.slideshow.macroenabled", "ppsm"),
    ("presentationml.template", "potx"), ("powerpoint.template.macroenabled", "potm"),
    ("powerpoint.presentation.macroenabled", "pptm"), ("presentationml", "pptx"),
)
_ODF = {"text": "odt", "text-template": "ott", "text-master": "odt", "text-web": "odt", "spreadsheet": "ods",
        "spreadsheet-template": "ots", "presentation": "odp", "presentation-template": "otp", "graphics": "odg"}

_MAIL_HEADERS = frozenset([
    "from", "to", "cc", "bcc", "subject", "date", "received", "message-id", "mime-version", "return-path",
    "content-type", "delivered-to", "reply-to", "sender", "x-mailer", "in-reply-to", "references",
    "resent-from", "x-originating-ip", "dkim-signature", "content-transfer-encoding"])
_MIME_HEADERS = frozenset(["mime-version", "content-type", "content-transfer-encoding"])
_HEADER_LINE = re.compile(r"([!-9;-~]{1,76}):")
_MBOX = re.compile(rb"(?:\A|\n\r?\n)From [^\r\n]{1,200}\d\d:\d\d[^\r\n]{0,60}\r?\n[!-9;-~]{1,76}:")
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*"
    r"<(?:!doctype\s+html|html|head|body|title|meta|style|table|div|span|p|h[1-6]|font|center)[\s>]", re.I | re.S)
_TAG = re.compile(r"<(?:/?[a-z][a-z0-9]*|!--|!doctype)[\s/>-]", re.I)
_PGP = re.compile(r"^-----BEGIN PGP MESSAGE-----", re.M)
_PEM = re.compile(r"\s*-----BEGIN (?:PKCS7|CMS)-----")
_HEAD = 4_096


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the content is. `code` says why it cannot be read although its type is known; `named_as`
    is the kind its name promises when that is of another family."""

    kind: str
    code: str = ""
    named_as: str = ""


def sniff(data: bytes, *, name: str = "", declared: str = "", is_item: bool = False) -> Sniffed:
    """Return the type of `data`; `unknown_type` for what is neither known nor text.

    `is_item`: the bytes came from a mailbox, where a mail is likelier than a text that looks like one.
    """
    kind, code = _by_content(data, extension(name), _mime(declared), is_item=is_item)
    promised = KINDS_BY_EXTENSION.get(extension(name), "")
    if promised in ("", kind) or any({promised, kind} <= family for family in _FAMILIES):
        promised = ""
    return Sniffed(kind, code, promised)


def extension(name: str) -> str:
    """Return the lower-case extension of a file name, without the dot; "" when it has none."""
    _, dot, tail = name.rpartition(".")
    return tail.strip().casefold() if dot and len(tail) <= 8 else ""


def is_pkcs7(data: bytes) -> bool:
    """Whether the bytes begin as a PKCS #7 (CMS) structure does."""
    return data[:1] == b"0" and _PKCS7 in data[:64]


def _mime(declared: str) -> str:
    return declared.partition(";")[0].strip().casefold()


def _by_content(data: bytes, ext: str, mime: str, *, is_item: bool) -> tuple[str, str]:
    if data.startswith(_OLE):
        return _ole(data)
    if data.startswith(_ZIPS):
        return _zip(data)
    for magic, kind in MAGIC:
        if data.startswith(magic) and (kind not in ("ico", "exe") or as_text(data[:_HEAD]) is None):
            return (kind, "unknown_type") if kind == "exe" else (kind, "")
    if b"%PDF-" in data[:1_024]:
        return "pdf", ""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp", ""
    if data[:2] == b"BM" and len(data) > 30 and data[14] in (12, 40, 52, 56, 64, 108, 124):
        return "bmp", ""
    if data[4:8] == b"ftyp":
        return ("heic", "unsupported") if data[8:11] in (b"hei", b"hev", b"mif", b"avi") else ("media", "unknown_type")
    if data[40:44] == b" EMF":
        return "emf", ""
    if is_pkcs7(data):
        return "p7m", ""
    if _is_tar(data):
        return "tar", ""
    return _text(data, ext, mime, is_item=is_item)


def _text(data: bytes, ext: str, mime: str, *, is_item: bool) -> tuple[str, str]:
    is_text_file = KINDS_BY_EXTENSION.get(ext) == "text"
    if is_item:  # a mail may carry 8-bit or binary parts: its text is decoded part by part
        head = data[:65_536].decode("latin-1")
        if _is_mbox(data):
            return "mbox", ""
        if _is_mail(head, enough=1, mime_only=is_text_file):
            return "eml", ""
    decoded = as_text(data)
    if decoded is None:
        return ("eml", "") if mime == "message/rfc822" else ("unknown", "unknown_type")
    head = decoded.text[:65_536].lstrip("\ufeff")
    start = head.lstrip()[:64]
    if start.startswith("{\\rtf"):
        return "rtf", ""
    if _PEM.match(head):
        return "p7m", ""
    if start.upper().startswith("BEGIN:VCALENDAR"):
        return "ics", ""
    if start.upper().startswith("BEGIN:VCARD"):
        return "vcf", ""
    if _is_mbox(data):
        return "mbox", ""
    said_mail = mime == "message/rfc822" or ext == "eml"
    if _is_mail(head, enough=1 if said_mail else 2, mime_only=is_text_file and not said_mail):
        return "eml", ""
    if _PGP.search(head):
        return "pgp", ""
    return _markup_or_plain(head, ext, mime), ""


def _markup_or_plain(head: str, ext: str, mime: str) -> str:
    said_html = mime in ("text/html", "application/xhtml+xml") or ext in ("html", "htm", "xhtml")
    if _HTML.match(head) or (said_html and _TAG.search(head)):
        return "html"
    if head.lstrip().startswith(("<?xml", "<svg")) or (head.lstrip().startswith("<") and mime.endswith("xml")):
        return "html" if re.search(r"<html[\s>]", head[:_HEAD], re.I) else "xml"
    if ext in ("csv", "tsv", "tab") or mime in ("text/csv", "text/tab-separated-values"):
        return "csv"
    return "csv" if looks_delimited(head) else "text"


def looks_delimited(text: str) -> bool:
    """Whether the first lines have the same number (2 or more) of one delimiter: a table without a name."""
    lines = [line for line in text.split("\n")[:40] if line.strip()]
    if len(text) >= 65_536 and lines:
        lines.pop()
    if len(lines) < 3:
        return False
    for delimiter in ("\t", ";", ",", "|"):
        counts = [re.sub(r'"[^"]*"', "", line).count(delimiter) for line in lines]
        if counts[0] >= 2 and counts.count(counts[0]) >= 0.9 * len(counts):
            return True
    return False


def _is_mail(head: str, *, enough: int, mime_only: bool = False) -> bool:
    """Whether the text begins with a block of header lines, `enough` of them headers of mail.

    `mime_only`: it must have parts or an encoding too; without them a text file loses nothing as text.
    """
    known, has_mime = 0, False
    lines = head.lstrip("\r\n").splitlines()
    for number, line in enumerate(lines[:400]):
        if not line.strip():
            break
        if line[0] in " \t" and number:
            continue
        if number == 0 and line.startswith(("From ", ">From ")):
            continue
        header = _HEADER_LINE.match(line)
        if header is None:  # mail without an empty line after its headers exists
            return known >= 2 and (has_mime or not mime_only)
        known += header[1].casefold() in _MAIL_HEADERS
        has_mime = has_mime or header[1].casefold() in _MIME_HEADERS
    return known >= enough and (has_mime or not mime_only)


def _is_mbox(data: bytes) -> bool:
    """Whether the bytes are two mails or more, each below a "From " line; with one it is a mail."""
    first = _MBOX.match(data)
    return first is not None and _MBOX.search(data, first.end()) is not None


def _ole(data: bytes) -> tuple[str, str]:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as file:
            names = {"/".join(path) for path in file.listdir(streams=True, storages=True)}
    except Exception:  # noqa: BLE001 - olefile raises whatever a broken table leads it to
        return "ole", "corrupt"
    tops = {name.partition("/")[0].casefold() for name in names}
    if any(name.startswith("\x06DataSpaces") and "DRM" in name.upper() for name in names) or "\x09drmcontent" in tops:
        return "ole", "rights_managed"
    if "encryptedpackage" in tops:
        return "ole", "encrypted"
    if "\x06dataspaces" in tops:
        return "ole", "rights_managed"
    for stream, kind in (("__properties_version1.0", "msg"), ("worddocument", "doc"), ("workbook", "xls"),
                         ("book", "xls"), ("powerpoint document", "ppt"), ("pp97_dualstorage", "ppt")):
        if stream in tops:
            return kind, ""
    return "ole", "unknown_type"


def _zip(data: bytes) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "[Content_Types].xml" in names:
                return _office(archive, names)
            if "mimetype" in names:
                kind = _open_document(archive)
                if kind:
                    return kind, ""
    except RuntimeError:  # the member that would tell is encrypted
        return "zip", "encrypted"
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError, UnicodeError):
        return "zip", "corrupt"
    return "zip", ""


def _office(archive: zipfile.ZipFile, names: set[str]) -> tuple[str, str]:
    with archive.open("[Content_Types].xml") as member:
        raw = member.read(1_000_000)
    types = (raw.decode("utf-16", "replace") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else raw.decode("latin-1"))
    types = types.casefold()
    folders = {name.partition("/")[0].casefold() for name in names}
    if "xl" in folders and any(name.casefold() == "xl/workbook.bin" for name in names):
        return "xlsb", ""
    for wanted, folder in (("word", "doc"), ("xl", "xl"), ("ppt", "p")):
        if wanted not in folders:
            continue
        for phrase, kind in _CONTENT_TYPES:
            if phrase in types and kind.startswith({"doc": ("doc", "dot"), "xl": ("xl",), "p": ("p",)}[folder]):
                return kind, ""
        return {"doc": "docx", "xl": "xlsx", "p": "pptx"}[folder], ""
    return "zip", ""


def _open_document(archive: zipfile.ZipFile) -> str:
    with archive.open("mimetype") as member:
        mime = member.read(200).decode("latin-1").strip()
    prefix = "application/vnd.oasis.opendocument."
    return _ODF.get(mime.removeprefix(prefix), "") if mime.startswith(prefix) else ""


def _is_tar(data: bytes) -> bool:
    if len(data) < 512 or data[0] == 0:
        return False
    header = data[:512]
    digits = header[148:156].strip(b" \0")
    if not re.fullmatch(rb"[0-7]{1,8}", digits):
        return False
    return int(digits, 8) == sum(header[:148]) + 8 * 32 + sum(header[156:])
