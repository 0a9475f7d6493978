"""Pictures for tests, drawn on the spot."""

from __future__ import annotations

import base64
import io
import random

from PIL import Image, ImageDraw, ImageFont


def noise_picture(width: int, height: int) -> bytes:
    """A picture without text: coarse grey noise."""
    grain = random.Random(7).randbytes(max(width * height // 400, 1))  # noqa: S311 - noise, not a secret
    small = Image.frombytes("L", (max(width // 20, 1), max(height // 20, 1)), grain[:(width // 20) * (height // 20)])
    return saved(small.resize((width, height)))


def written_picture(words: str) -> bytes:
    """A picture of `words` in print."""
    image = Image.new("L", (900, 160), "white")
    ImageDraw.Draw(image).text((20, 50), words, fill=0, font=ImageFont.load_default(44))
    return saved(image)


def saved(image: Image.Image) -> bytes:
    """The picture as PNG."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def inline_mail(picture: bytes) -> bytes:
    """An HTML mail that shows `picture` in its signature."""
    return (b"From: a@b.example\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/related; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: text/html\r\n\r\n<p>words</p><img src='cid:logo'>\r\n"
            b"--b\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(picture) + b"\r\n--b--\r\n")
