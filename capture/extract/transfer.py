"""Content transfer encodings: base64, quoted-printable, uuencode. Damage is reported, never hidden."""

from __future__ import annotations

import binascii
import re
from typing import Final

from capture.extract.headers import decode_base64

_UU_BEGIN: Final = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} ([^\r\n]{1,255})\r?\n", re.M)


def decode_transfer(data: bytes, encoding: str) -> tuple[bytes, bool]:
    """Return the bytes behind a transfer encoding, and whether any of them were lost."""
    encoding = encoding.strip().casefold()
    if encoding == "base64":
        return decode_base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data), False
    if encoding in ("x-uuencode", "uuencode", "uue", "x-uue"):
        found = uuencoded(data)
        return (found[0][1], found[0][2]) if found else (data, True)
    return data, encoding not in ("", "7bit", "8bit", "binary", "7-bit", "8-bit", "none")


def uuencoded(data: bytes) -> list[tuple[str, bytes, bool, int, int]]:
    """Return (name, bytes, damaged, start, end) of every uuencoded file in a text body.

    Only a "begin" line that is followed by a valid line counts: people begin sentences with "begin" too.
    """
    files = []
    position = 0
    while (begin := _UU_BEGIN.search(data, position)) is not None:
        decoded, damaged, end = _uu_lines(data, begin.end())
        if decoded:
            files.append((begin[1].decode("utf-8", "replace").strip(), decoded, damaged, begin.start(), end))
        position = max(end, begin.end())
    return files


def _uu_lines(data: bytes, position: int) -> tuple[bytes, bool, int]:
    out: list[bytes] = []
    while position < len(data):
        newline = data.find(b"\n", position)
        stop = len(data) if newline < 0 else newline + 1
        line = data[position:stop].rstrip(b"\r\n")
        if line.strip() == b"end":
            return b"".join(out), False, stop
        decoded = _uu_line(line)
        if decoded is None:
            return b"".join(out), True, position
        out.append(decoded)
        position = stop
    return b"".join(out), True, position


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
