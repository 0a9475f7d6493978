"""Content transfer encodings: base64, quoted-printable, uuencode. Damage is reported, never hidden."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from capture.extract.headers import decode_base64

_UU_BEGIN: Final = re.compile(
    rb"^(?P<mark>[>| \t]*)begin(?P<base64>-base64)? [0-7]{3,7}(?:[ \t]+(?P<name>[^\r\n]{1,255}))?[ \t]*\r?\n", re.M)
_BASE64_LINE: Final = re.compile(rb"[A-Za-z0-9+/=]+")
_SOFT_CR: Final = re.compile(rb"=[ \t]*\r(?!\n)")


def decode_transfer(data: bytes, encoding: str) -> tuple[bytes, bool]:
    """Return the bytes behind a transfer encoding, and whether any of them were lost."""
    encoding = encoding.strip().casefold()
    if encoding == "base64":
        return decode_base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(_SOFT_CR.sub(b"", data)), False
    if encoding in ("x-uuencode", "uuencode", "uue", "x-uue"):
        found = uuencoded(data)
        if not found:
            return data, True
        around = data[:found[0][3]] + data[found[0][4]:]
        return found[0][1], found[0][2] or bool(around.strip())
    return data, encoding not in ("", "7bit", "8bit", "binary", "7-bit", "8-bit", "none")


def uuencoded(data: bytes) -> list[tuple[str, bytes, bool, int, int]]:
    """Return (name, bytes, damaged, start, end) of every uuencoded file in a text body.

    Only a "begin" line that is followed by a valid line counts: people begin sentences with "begin" too.
    """
    files = []
    position = 0
    while (begin := _UU_BEGIN.search(data, position)) is not None:
        read = _base64_lines if begin["base64"] else _uu_lines
        decoded, damaged, end = read(data, begin.end(), begin["mark"])
        if decoded:
            name = (begin["name"] or b"").decode("utf-8", "replace").strip()
            files.append((name, decoded, damaged, begin.start(), end))
        position = max(end, begin.end())
    return files


def _lines(data: bytes, position: int, mark: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(line without its quote mark, start, end) from `position` on."""
    while position < len(data):
        newline = data.find(b"\n", position)
        stop = len(data) if newline < 0 else newline + 1
        yield data[position:stop].removeprefix(mark).rstrip(b"\r\n"), position, stop
        position = stop


def _uu_lines(data: bytes, position: int, mark: bytes) -> tuple[bytes, bool, int]:
    out: list[bytes] = []
    for line, start, stop in _lines(data, position, mark):
        if line.strip() == b"end":
            return b"".join(out), False, stop
        decoded = _uu_line(line)
        if decoded is None:
            return b"".join(out), True, start
        out.append(decoded)
    return b"".join(out), True, len(data)


def _base64_lines(data: bytes, position: int, mark: bytes) -> tuple[bytes, bool, int]:
    out: list[bytes] = []
    for line, start, stop in _lines(data, position, mark):
        if line.strip() == b"====":
            return decode_base64(b"".join(out))[0], False, stop
        if _BASE64_LINE.fullmatch(line.strip()) is None:
            return decode_base64(b"".join(out))[0], True, start
        out.append(line)
    return decode_base64(b"".join(out))[0], True, len(data)


def _uu_line(line: bytes) -> bytes | None:
    """One line decoded, tolerating stripped trailing blanks and check characters; None if it is none."""
    if not line or line in (b"`", b" "):
        return b""
    length = (line[0] - 32) & 63
    wanted = (length + 2) // 3 * 4
    if not 32 <= line[0] <= 96 or len(line) - 1 > wanted + 4 or len(line) - 1 < wanted - 4:
        return None
    try:
        return binascii.a2b_uu(line[:1] + line[1:1 + wanted].ljust(wanted, b" "))
    except binascii.Error:
        return None
