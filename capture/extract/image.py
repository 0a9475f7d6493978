"""Pictures: how large they are decides whether they can hold text. OCR itself happens in the parent.

A picture without OCR is held as `needs_ocr`, with two ways out for what decorates a mail: small ones
inside a mail or document, and small inline ones that come again and again (ocr.py, `LogoBook`). A
photographed form is too large for either, and a picture that is the item itself is never let through.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from html import unescape
from typing import Final

from PIL import Image

from capture.extract.collect import PartSink
from capture.extract.reader import CannotRead
from capture.extract.textual import as_text, is_printable, is_said
from pii_scan.text import Label

_SIDE: Final = 100
_TINY: Final = 16
_LOGO_FACTOR: Final = 4
_NO_TEXT: Final = frozenset(("exif", "icc_profile", "xmp", "photoshop", "mp", "dpi", "version", "transparency"))
_XMP_KEYS: Final = ("xmp", "XML:com.adobe.xmp")
_EXIF_DETAILS: Final = 0x8769
_EXIF_OF_CAMERAS: Final = frozenset((0x010F, 0x0110, 0x0131, 0x0132, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290,
                                     0x9291, 0x9292, 0x927C, 0xA420, 0xA431, 0xA433, 0xA434, 0xA435, 0x9000, 0xA000,
                                     0x02BC, 0x83BB, 0x8649, 0x8773, 0x9101, 0xA301, 0xA302, 0xA300))
"""EXIF tags that cameras fill: make, model, times, serial numbers, settings, embedded blocks."""
_HEXADECIMAL: Final = re.compile(r"\s*\w*\s*\d*\s*[0-9a-fA-F\s]*")
_USER_COMMENT: Final = 0x9286
_IPTC: Final = 0x0404
_IPTC_RECORD: Final = re.compile(rb"\x1c[\x02\x01](.)(..)", re.S)
_METADATA_CHARS: Final = 200_000
_TAGS: Final = re.compile(r"<[^<>]*>")
_VALUES: Final = re.compile(r"=\s*(?:\"([^\"<>]*)\"|'([^'<>]*)')")
_PASSED_ON: Final = frozenset(("png", "jpg", "tif", "bmp", "webp"))
_WIDEST: Final = 2_600


def preload() -> None:
    """Load the picture formats now; later no file can be opened."""
    Image.init()


def read_image(data: bytes, sink: PartSink) -> None:
    """Measure a picture, read the text in its metadata, and hand it over or hold it."""
    Image.MAX_IMAGE_PIXELS = None  # our own limit follows, before any pixel is decoded
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as picture:
                _measured(picture, data, sink)
        except (OSError, SyntaxError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CannotRead("corrupt") from error


def _measured(picture: Image.Image, data: bytes, sink: PartSink) -> None:
    width, height = picture.size
    if width * height > sink.limits.image_pixels:
        raise CannotRead("too_large")
    _metadata(picture, sink)
    small, logo = _role(width, height, len(data), sink)
    if small and max(width, height) <= _TINY:
        sink.empty()
        return
    if not sink.item.ocr:
        sink.image(b"", small=small, logo=_digest(data) if logo else "")
        if small:
            sink.empty()
        return
    for frame in range(min(getattr(picture, "n_frames", 1), sink.limits.ocr_pages + 1)):
        if frame:
            picture.seek(frame)
        sink.image(_for_ocr(picture, data if frame == 0 else b"", sink.kind), small=small,
                   logo=_digest(data) if logo else "")
        if sink.kind == "gif":  # an animation shows one thing; a TIFF has pages
            break


def _role(width: int, height: int, size: int, sink: PartSink) -> tuple[bool, bool]:
    """Whether a picture is too small for text, and whether it may be a logo."""
    limits = sink.limits
    if sink.root:
        return max(width, height) <= _TINY, False
    small = min(width, height) <= _SIDE and width * height <= limits.logo_pixels
    logo = sink.inline and width * height <= _LOGO_FACTOR * limits.logo_pixels and size <= limits.logo_bytes
    return small, logo


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _for_ocr(picture: Image.Image, data: bytes, kind: str) -> bytes:
    """The picture as the OCR program gets it: as it came when it can read that, else as grey PNM.

    Small pictures are enlarged, as letters need some 20 pixels of height.
    """
    width, height = picture.size
    if data and kind in _PASSED_ON and 400 <= max(width, height) <= _WIDEST:
        return data
    grey = picture.convert("RGBA") if picture.mode in ("P", "LA", "PA", "RGBA") else picture.convert("L")
    if grey.mode == "RGBA":
        ground = Image.new("RGBA", grey.size, "white")
        grey = Image.alpha_composite(ground, grey).convert("L")
    scale = 3 if max(width, height) < 400 else min(1.0, 2 * _WIDEST / max(width, height))
    if scale != 1:
        grey = grey.resize((max(int(width * scale), 1), max(int(height * scale), 1)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    grey.save(out, format="PPM")
    return out.getvalue()


def _metadata(picture: Image.Image, sink: PartSink) -> None:
    """Every text stored beside the pixels: comments, EXIF, XMP, IPTC, PNG texts of any key."""
    texts: list[str] = []
    for key, value in picture.info.items():
        if key in _XMP_KEYS:
            texts += _xmp(value)
        elif isinstance(key, str) and key not in _NO_TEXT and isinstance(value, (str, bytes)):
            texts.append(_readable(value))
    exif = picture.getexif()
    for tag, value in (*exif.items(), *exif.get_ifd(_EXIF_DETAILS).items()):
        if tag not in _EXIF_OF_CAMERAS and isinstance(value, (str, bytes)):
            texts.append(_exif(tag, value))
    resources = picture.info.get("photoshop")
    if isinstance(resources, dict) and isinstance(iptc := resources.get(_IPTC), bytes):
        texts += _iptc(iptc)
    text = "\n".join(dict.fromkeys(filter(str.strip, texts)))
    if len(text) > _METADATA_CHARS:
        sink.partial("too_large")
    sink.text(text[:_METADATA_CHARS], Label.PROPERTY, "picture properties")


def _readable(value: str | bytes) -> str:
    """Text that is some; "" for data stored as text or bytes that are no characters."""
    found = as_text(value) if isinstance(value, bytes) else None
    text = (found.text if found else "") if isinstance(value, bytes) else value
    return text if is_printable(text) and not _HEXADECIMAL.fullmatch(text) else ""


def _exif(tag: int, value: str | bytes) -> str:
    if isinstance(value, str):
        return _readable(value.strip("\0"))
    if tag in range(0x9C9B, 0x9CA0):
        return value.decode("utf-16-le", "replace").strip("\0")
    if tag == _USER_COMMENT:  # eight bytes name the character set
        return value[8:].decode("utf-16-be" if value.startswith(b"UNICODE") and value[8:9] == b"\0" else
                                "utf-16-le" if value.startswith(b"UNICODE") else "utf-8", "replace").strip("\0 ")
    return _readable(value.strip(b"\0"))


def _xmp(value: object) -> list[str]:
    """The texts in an XMP packet: content of elements, and values written in words."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    said = [unescape(piece).strip() for piece in _TAGS.split(text)]
    values = [unescape(double or single) for double, single in _VALUES.findall(text)]
    return [*(piece for piece in said if any(char.isalpha() for char in piece) and " " in piece),
            *(value for value in values if is_said(value))]


def _iptc(data: bytes) -> list[str]:
    """The texts of IPTC records: marker, record, kind, length in two bytes."""
    found, at = [], 0
    while (record := _IPTC_RECORD.search(data, at)) is not None:
        size = int.from_bytes(record[2], "big")
        if size < 0x8000:
            found.append(_readable(data[record.end():record.end() + size]))
        at = record.end() + (size if size < 0x8000 else 0)
    return found
