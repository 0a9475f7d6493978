"""Pictures: how large they are decides whether they can hold text. OCR itself happens in the parent.

A picture without OCR is held as `needs_ocr`, with two ways out for what decorates a mail: small ones
inside a mail or document, and small inline ones that come again and again (ocr.py, `LogoBook`). A
photographed form is too large for either, and a picture that is the item itself is never let through.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import Final

from PIL import Image

from capture.extract.collect import PartSink
from capture.extract.reader import CannotRead
from pii_scan.text import Label

_SIDE: Final = 100
_TINY: Final = 16
_LOGO_FACTOR: Final = 4
_METADATA: Final = ("comment", "Description", "Title", "Author", "Comment", "Copyright", "description", "Software")
_EXIF_TEXT: Final = (0x010E, 0x013B, 0x8298, 0x9286, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F)
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
    texts = []
    for key in _METADATA:
        value = picture.info.get(key)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str):
            texts.append(value)
    exif = picture.getexif()
    for tag in _EXIF_TEXT:
        value = exif.get(tag)
        if isinstance(value, bytes):
            value = value.decode("utf-16-le" if tag >= 0x9C00 else "utf-8", "replace")
        if isinstance(value, str):
            texts.append(value)
    sink.text("\n".join(filter(str.strip, texts)), Label.PROPERTY, "picture properties")
