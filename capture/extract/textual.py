"""Bytes to characters: which charset, and whether this is text at all."""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

from charset_normalizer import from_bytes

PRINTABLE_SHARE = 0.97
"""Content counts as text only if this much of it is printable; random bytes reach about 0.87."""

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Codecs that are not charsets, or cost more than linear time.
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")
_UNPRINTABLE_BYTES = bytes([*range(9), *range(14, 27), *range(28, 32), 127])
_PLAIN_BYTES = bytes([9, 10, 13, 32, *range(48, 58), *range(65, 91), *range(97, 123)])
_SAMPLE = 32_768
_WORD = re.compile(r"[^\W\d_]{2,}[,.;:!?]?")
_WORDS = 3
_WORDS_SHARE = 0.4
GROUPED_NUMBER = re.compile(r"\b\d{3}([ -])\d{3}\1\d{3}\b")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\x00]")


@dataclass(frozen=True, slots=True, repr=False)
class Decoded:
    """Text, the charset it was read with, and whether that was a guess or left holes."""

    text: str
    charset: str
    guessed: bool = False
    lossy: bool = False


def decode(data: bytes, declared: str = "") -> Decoded:
    """Decode text. A byte order mark wins, then the declared charset, utf-8, a guess, and cp1252.

    Never fails: bytes that fit no charset come out as U+FFFD and `lossy` is set.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            text = data.decode(name, "replace")
            return Decoded(text, name, lossy="\ufffd" in text)
    wide = _utf16_without_mark(data) if b"\0" in data else ""
    for name in (declared, wide, "utf-8"):
        if name and is_charset(name):
            try:
                return Decoded(data.decode(name), name)
            except (UnicodeError, ValueError):
                continue
    name = wide or _guess(data)
    text = data.decode(name, "replace")
    return Decoded(text, name, guessed=True, lossy="\ufffd" in text)


def is_charset(name: str) -> bool:
    """Whether Python knows `name` as a charset (and not as some other codec)."""
    try:
        info = codecs.lookup(name.strip().strip("'\""))
    except (LookupError, ValueError):
        return False
    return info.name.replace("-", "_") not in _NO_CHARSETS and bool(getattr(info, "_is_text_encoding", True))


def as_text(data: bytes, declared: str = "") -> Decoded | None:
    """Decode `data` if it is text, else return None."""
    probe = data[:_SAMPLE]
    marked = any(data.startswith(mark) for mark, _ in _BOMS)
    if not marked and not _utf16_without_mark(data):
        controls = len(probe) - len(probe.translate(None, _UNPRINTABLE_BYTES))
        if controls > (1 - PRINTABLE_SHARE) * len(probe):
            return None
    decoded = decode(data, declared)
    return decoded if is_printable(decoded.text) else None


def is_printable(text: str) -> bool:
    """Whether at least 97 % of the characters are printable."""
    if not text:
        return True
    allowed = (1 - PRINTABLE_SHARE) * len(text)
    if len(_UNPRINTABLE.findall(text)) > allowed:
        return False
    sample = text[:_SAMPLE]
    odd = sum(1 for c in sample if not c.isprintable() and not c.isspace())
    return odd <= (1 - PRINTABLE_SHARE) * len(sample) + 1


def _utf16_without_mark(data: bytes) -> str:
    probe = data[:_SAMPLE]
    if len(probe) < 8:
        return ""
    half = len(probe) // 2
    if probe[1::2].count(0) > 0.7 * half and probe[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if probe[0::2].count(0) > 0.7 * half and probe[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return ""


def _guess(data: bytes) -> str:
    """cp1252 for text that is mostly plain ASCII, where a guess from few bytes is worse than none."""
    probe = data[:_SAMPLE]
    plain = len(probe) - len(probe.translate(None, _PLAIN_BYTES))
    if plain >= 0.6 * len(probe):
        return "cp1252"
    best = from_bytes(probe).best()
    name = best.encoding if best is not None else "cp1252"
    return name if is_charset(name) else "cp1252"


def in_words(value: str) -> bool:
    """Whether a value is written in words, as people do, rather than in the signs of a machine."""
    tokens = value.split()
    count = sum(1 for token in tokens if _WORD.fullmatch(token))
    return count >= _WORDS and count >= _WORDS_SHARE * len(tokens)


def is_said(value: str) -> bool:
    """Whether a value that stands where programs keep theirs was written by a person: words, or a grouped number."""
    value = value.replace('"', " ")
    return in_words(value) or GROUPED_NUMBER.search(value) is not None


def normalise(text: str) -> str:
    """Return `text` in NFKC without characters nobody sees. Offsets everywhere count in this form."""
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    text = _INVISIBLE.sub("", text)
    return text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)
