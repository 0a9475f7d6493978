"""From bytes to text: one reader a format, each named here by one line.

The kind comes from the content (sniff.py), never from the name. A reader is `read(data, sink)` as in
reader.py and runs in a child process only; `SandboxedExtractor` is what the flow uses. A kind without a
line here is held as `unsupported`. Values are strings, so that naming a format loads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capture.extract.extractor import SandboxedExtractor as SandboxedExtractor

_OFFICE = "capture.extract.office:read_office"
_SHEET = "capture.extract.sheet:read_sheet"
_ODF = "capture.extract.odf:read_odf"
_OLE = "capture.extract.ole:read_ole"

READERS: dict[str, str] = {
    # mail
    "eml": "capture.extract.message:read_mail",
    "mbox": "capture.extract.message:read_mbox",
    "msg": "capture.extract.msg:read_msg",
    "tnef": "capture.extract.tnef:read_tnef",
    "p7m": "capture.extract.sealed:read_pkcs7",
    "pgp": "capture.extract.sealed:read_pgp",
    "rpmsg": "capture.extract.sealed:read_rights_managed",
    # text
    "text": "capture.extract.body:read_text",
    "html": "capture.extract.html:read_html",
    "rtf": "capture.extract.rtf:read_rtf",
    "xml": "capture.extract.body:read_xml",
    "csv": "capture.extract.delimited:read_delimited",
    "ics": "capture.extract.calendar:read_calendar",
    "vcf": "capture.extract.calendar:read_calendar",
    # documents
    "pdf": "capture.extract.pdf:read_pdf",
    "docx": _OFFICE, "docm": _OFFICE, "dotx": _OFFICE, "dotm": _OFFICE,
    "pptx": _OFFICE, "pptm": _OFFICE, "ppsx": _OFFICE, "ppsm": _OFFICE, "potx": _OFFICE, "potm": _OFFICE,
    "xlsx": _SHEET, "xlsm": _SHEET, "xltx": _SHEET, "xltm": _SHEET, "xlsb": _SHEET, "xls": _SHEET,
    "odt": _ODF, "ott": _ODF, "ods": _ODF, "ots": _ODF, "odp": _ODF, "otp": _ODF, "odg": _ODF,
    "doc": _OLE, "ppt": _OLE,
    # archives
    "zip": "capture.extract.archive:read_zip",
    "tar": "capture.extract.archive:read_tar",
    "gz": "capture.extract.archive:read_compressed",
    "bz2": "capture.extract.archive:read_compressed",
    "xz": "capture.extract.archive:read_compressed",
    "7z": "capture.extract.archive:read_7z",
    # pictures
    "png": "capture.extract.image:read_image", "jpg": "capture.extract.image:read_image",
    "gif": "capture.extract.image:read_image", "bmp": "capture.extract.image:read_image",
    "tif": "capture.extract.image:read_image", "webp": "capture.extract.image:read_image",
    "ico": "capture.extract.image:read_image",
    "emf": "capture.extract.metafile:read_metafile", "wmf": "capture.extract.metafile:read_metafile",
}

__all__ = ["READERS", "SandboxedExtractor"]


def __getattr__(name: str) -> Any:
    if name == "SandboxedExtractor":  # loaded when asked for: a child needs only the registry
        from capture.extract.extractor import SandboxedExtractor

        return SandboxedExtractor
    raise AttributeError(name)
