"""Mail headers: unfolding, encoded words, parameters, addresses. Every function is linear and capped.

The standard library's header classes cost seconds on a hostile header (one of 200 kB: 2 s), so only its
parser for the structure of a mail is used (compat32), and headers are decoded here.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote_to_bytes

from capture.extract.textual import decode
from pii_scan.text import Address

_FOLD: Final = re.compile(r"\r?\n[ \t]?|\r")
_WORD: Final = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)(?:\?=|\Z)")
_BETWEEN_WORDS: Final = re.compile(r"(\?=)[ \t\r\n]+(=\?)")
_MESSAGE_ID: Final = re.compile(r"<([^<>\s]{1,998})>")
_COMMENT: Final = re.compile(r"\([^()]*\)")
_BLANKS: Final = re.compile(r"\s+")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_DATE_LENGTH: Final = 120


def to_text(value: object, limit: int) -> tuple[str, bool]:
    """Unfold a raw header value and decode bytes that are not ASCII; encoded words stay.

    Returns the text, cut to `limit` characters, and whether it was cut.
    """
    text = str(value)
    cut = len(text) > limit
    text = text[:limit]
    if not text.isascii():
        text = decode(text.encode("utf-8", "surrogateescape")).text
    return _CONTROLS.sub(" ", _FOLD.sub(" ", text)).strip(), cut


def decode_words(text: str) -> str:
    """Decode RFC 2047 encoded words; neighbours of one charset are joined before decoding, because
    senders split characters between them. What cannot be decoded stays as it is."""
    if "=?" not in text:
        return text
    text = _BETWEEN_WORDS.sub(r"\1\2", text)
    out: list[str] = []
    pending, charset, end = b"", "", 0
    for word in _WORD.finditer(text):
        if word.start() > end or word[1].casefold() != charset:
            out.append(_flush(pending, charset))
            out.append(text[end:word.start()])
            pending = b""
        charset, end = word[1].casefold(), word.end()
        pending += _payload(word[2], word[3])
    out.append(_flush(pending, charset))
    out.append(text[end:])
    return "".join(out)


def _payload(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "bB":
        return decode_base64(raw)[0]
    return binascii.a2b_qp(raw, header=True)


def _flush(pending: bytes, charset: str) -> str:
    return decode(pending, charset.partition("*")[0]).text if pending else ""


_ALPHABET: Final = bytes(range(65, 91)) + bytes(range(97, 123)) + bytes(range(48, 58)) + b"+/"
_NO_BASE64: Final = bytes(set(range(256)) - set(_ALPHABET) - {ord("=")})
_BLANK: Final = b" \t\r\n\x0b\x0c"


def decode_base64(data: bytes) -> tuple[bytes, bool]:
    """Decode base64, skipping what does not belong to it; return the bytes and whether any was damaged.

    Runs that end in padding are decoded one by one, as some senders concatenate them.
    """
    solid = data.translate(None, _BLANK)
    clean = solid.translate(None, _NO_BASE64)
    damaged = len(clean) != len(solid)
    out = []
    for run in re.split(rb"=+", clean):
        if not run:
            continue
        if len(run) % 4 == 1:
            damaged, run = True, run[:-1]
        out.append(binascii.a2b_base64(run + b"=" * (-len(run) % 4)))
    return b"".join(out), damaged


def parse_value(value: str) -> tuple[str, dict[str, str]]:
    """Split `text/plain; charset=x; name*0*=...` into the lower-case value and its parameters.

    RFC 2231 continuations and charsets are resolved, encoded words (which do not belong here but are
    common) decoded. Comments are left out of the value. Keys are lower case; of two equal keys the first
    wins, and an RFC 2231 one wins over a plain one.
    """
    main, parameters = all_parameters(value)
    if "(" in main:
        main = _COMMENT.sub(" ", main)
    found: dict[str, str] = {}
    for key, content in parameters:
        found.setdefault(key, content)
    return _BLANKS.sub("", main).casefold(), found


def all_parameters(value: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the value as it stands and all its parameters decoded, the RFC 2231 ones first."""
    pieces = _split(value, ";")
    plain: list[tuple[str, str]] = []
    extended: dict[str, dict[int, tuple[bool, str]]] = {}
    for piece in pieces[1:200]:
        key, equals, content = piece.partition("=")
        key = key.strip().casefold()
        if not equals or not key:
            continue
        content = _unquote(content.strip())
        match = re.fullmatch(r"([^*]+)\*(\d{1,3})?(\*)?", key)
        if match is None:
            plain.append((key, decode_words(content)))
            continue
        encoded = match[3] is not None or match[2] is None
        extended.setdefault(match[1], {}).setdefault(int(match[2] or 0), (encoded, content))
    return pieces[0], [*((key, _join_sections(sections)) for key, sections in extended.items()), *plain]


def _join_sections(sections: dict[int, tuple[bool, str]]) -> str:
    charset, raw = "", b""
    for number, (encoded, content) in sorted(sections.items()):
        if encoded and number == min(sections) and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        raw += unquote_to_bytes(content) if encoded else content.encode("utf-8", "replace")
    return decode(raw, charset).text


def _split(text: str, *separators: str) -> list[str]:
    """Split outside of quotes, angle brackets and comments, in one pass."""
    pieces, start, quoted, angle, comment = [], 0, False, False, 0
    skip = False
    for index, char in enumerate(text):
        if skip:
            skip = False
        elif char == "\\" and (quoted or comment):
            skip = True
        elif char == '"' and not comment:
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            comment += 1
        elif char == ")":
            comment = max(comment - 1, 0)
        elif comment:
            continue
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char in separators and not angle:
            pieces.append(text[start:index])
            start = index + 1
    pieces.append(text[start:])
    return pieces


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text.strip('"')


def parse_addresses(value: str, limit: int) -> tuple[list[Address], bool]:
    """Return the addresses of a header value (not yet decoded), at most `limit`, and whether it was cut."""
    addresses: list[Address] = []
    for piece in _split(value, ",", ";"):
        address = _address(piece)
        if address is None:
            continue
        if len(addresses) >= limit:
            return addresses, True
        addresses.append(address)
    return addresses, False


def _address(piece: str) -> Address | None:
    piece = piece.strip()
    if ":" in piece and not piece.startswith('"') and "@" not in piece.partition(":")[0] and "<" not in \
            piece.partition(":")[0]:
        piece = piece.partition(":")[2].strip()  # "Group name: first member"
    if not piece:
        return None
    if "<" in piece:
        name, _, rest = piece.rpartition("<")
        email = rest.partition(">")[0]
    else:
        bare = re.sub(r"\([^()]*\)", " ", piece).strip()
        comment = re.search(r"\(([^()]*)\)", piece)
        email, name = (bare, comment[1] if comment else "") if "@" in bare else ("", piece)
    name = decode_words(_unquote(name.strip())).strip().strip("'\"")
    email = email.strip().strip("'\"").casefold()
    return Address(name, email) if name or email else None


def message_ids(value: str) -> tuple[str, ...]:
    """Return the message ids in a header value, normalised as `Envelope` says."""
    found = _MESSAGE_ID.findall(value)
    if not found and value.strip() and " " not in value.strip():
        found = [value.strip().strip("<>")]
    normalised = []
    for identifier in found:
        local, at, domain = identifier.rpartition("@")
        normalised.append(f"{local}@{domain.casefold()}" if at else identifier)
    return tuple(normalised)


def sent_utc(value: str) -> str:
    """Return a Date header as UTC ISO 8601, or "" when it says no time."""
    try:
        moment = parsedate_to_datetime(value[:_DATE_LENGTH])
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat()
    except (TypeError, ValueError, IndexError, OverflowError):
        return ""
