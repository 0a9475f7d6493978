"""Content encoded inside text: a mail pasted or bounced in raw form, base64 blocks, quoted-printable.

No mail program decodes these, but a person who opens the text file can, and a bounce often holds the
whole mail it is about. What decodes to nothing known (keys, signatures, tokens) is left as it is.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from capture.extract.collect import PartSink
from capture.extract.headers import decode_base64
from capture.extract.sniff import sniff
from capture.extract.textual import decode
from pii_scan.text import Label

_LINE: Final = r"[A-Za-z0-9+/]{40,}={0,2}"
_BASE64: Final = re.compile(
    rf"(?<![A-Za-z0-9+/=]){_LINE}"
    rf"(?:[ \t]*\r?\n[>| \t]*[A-Za-z0-9+/]{{2,}}={{0,2}}(?=[ \t]*(?:[\r\n<\"'&]|\Z))){{0,200000}}")
_MIXED: Final = re.compile(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])", re.S)
_NO_BASE64: Final = re.compile(r"[^A-Za-z0-9+/=]")
_KNOWN: Final = frozenset(("pdf", "zip", "docx", "docm", "xlsx", "xlsm", "xlsb", "pptx", "odt", "ods", "odp", "rtf",
                           "doc", "xls", "ppt", "msg", "gz", "7z", "png", "jpg", "gif", "tif", "tnef", "html", "eml",
                           "xml"))
_RUNS: Final = 200
_SHORTEST: Final = 8
_SOFT: Final = re.compile(r"=[ \t]*\r?\n")
_ESCAPED: Final = re.compile(r"=[0-9A-F]{2}")
_SAYS_QUOTED: Final = re.compile(r"^[>| \t]*content-transfer-encoding:[ \t]*quoted-printable", re.I | re.M)
_ENOUGH: Final = 5
_WIRE_FORMS: Final = re.compile(r"^[>| \t]*(?:=ybegin [^\n]*line=|\(This file must be converted with BinHex)", re.M)


def read_encoded(text: str, sink: PartSink) -> None:
    """Read what is encoded inside `text` too: embedded files of its own, or hidden text.

    Forms nobody uses any more (yEnc, BinHex) are named and held, `unsupported`.
    """
    if _WIRE_FORMS.search(text):
        sink.partial("unsupported")
    if _SAYS_QUOTED.search(text) or (len(_SOFT.findall(text)) >= _ENOUGH and _ESCAPED.search(text)) \
            or len(_ESCAPED.findall(text)) >= 4 * _ENOUGH:
        plain = decode(binascii.a2b_qp(text.encode("utf-8", "replace"))).text
        if plain != text:
            sink.text(plain, Label.HIDDEN, "text")
    for number, run in enumerate(_BASE64.finditer(text), 1):
        if number > _RUNS:
            sink.partial("too_large")
            return
        _read_run(run[0], number, sink)


def _read_run(run: str, number: int, sink: PartSink) -> None:
    if not _MIXED.match(run):  # a long number, a row of hexadecimal digits, a ruler
        return
    for clean in _candidates(run):
        content = decode_base64(clean.encode())[0]
        known = sniff(content).kind in _KNOWN
        if not known and not _is_text(content):
            continue
        sink.spend(len(content), len(content))
        if known:
            sink.embed(content, what=f"embedded {number}")
        else:
            sink.text(decode(content).text, Label.HIDDEN, f"embedded {number}")
        return


def _candidates(run: str) -> Iterator[str]:
    """The run with its last line, which is shorter than the others, and without: it may be a word of the text below."""
    lines = [_NO_BASE64.sub("", line) for line in run.split("\n")]
    width = len(lines[1]) if len(lines) > 1 else len(lines[0])
    end = 1
    while end < len(lines) and len(lines[end]) == width:
        end += 1
    if len(lines) > 1 and len(lines[0]) > width:  # one long line, and a word below
        end = 1
    yield "".join(lines[:end + 1])
    if end < len(lines):
        yield "".join(lines[:end])


def _is_text(content: bytes) -> bool:
    """Whether bytes are text beyond doubt: a token decodes to noise, which is no UTF-8 without control characters."""
    for charset in ("utf-8", "utf-16-le"):
        try:
            text = content.decode(charset)
        except UnicodeError:
            continue
        if len(text) > _SHORTEST and (text.isascii() or charset == "utf-8") and \
                all(c.isprintable() or c in "\r\n\t" for c in text):
            return True
    return False
