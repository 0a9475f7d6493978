"""Categories and stamp inside a mail (.eml) or calendar (.ics) file, and how they are replaced.

A mail carries its categories in `Keywords:` headers and our stamp in `X-Mailweir:`; an event or a task in
`CATEGORIES` and `X-MAILWEIR` of its first VEVENT or VTODO. Nothing else of the bytes changes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header

from capture.mailbox import states
from capture.ports import ItemKind, Stamp

HEADER_BYTES = 256_000
"""How far into a file the header is looked for; a header block beyond that is not a mail's."""
IDENTITY_BYTES = 64_000
"""How much of it tells one item from another: far enough from `HEADER_BYTES` that marks push nothing out of it."""

_KEYWORDS = re.compile(rb"^keywords[ \t]*:(?P<value>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)(?:\r?\n|\Z)",
                       re.IGNORECASE | re.MULTILINE)
_STAMP = re.compile(rb"^x-mailweir[ \t]*:(?P<value>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)(?:\r?\n|\Z)",
                    re.IGNORECASE | re.MULTILINE)
_UNSENT = re.compile(rb"^x-unsent[ \t]*:[ \t]*1[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_SENSITIVE = re.compile(rb"^sensitivity[ \t]*:[ \t]*(?:private|personal|company-confidential)[ \t]*\r?$",
                        re.IGNORECASE | re.MULTILINE)
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")

_COMPONENT = re.compile(rb"^BEGIN:(VEVENT|VTODO)[ \t]*\r?\n", re.IGNORECASE | re.MULTILINE)
_ICS_CATEGORIES = re.compile(rb"^categories(?:;[^:\r\n]*)?:(?P<value>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)(?:\r?\n|\Z)",
                             re.IGNORECASE | re.MULTILINE)
_ICS_STAMP = re.compile(rb"^x-mailweir(?:;[^:\r\n]*)?:(?P<value>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)(?:\r?\n|\Z)",
                        re.IGNORECASE | re.MULTILINE)
_ICS_PRIVATE = re.compile(rb"^class(?:;[^:\r\n]*)?:[ \t]*(?:private|confidential)[ \t]*\r?$",
                          re.IGNORECASE | re.MULTILINE)
_ICS_SPLIT = re.compile(r"(?<!\\),")
_STAMP_FORM = re.compile(r"(?P<capture>[0-9a-f]{32}) (?P<generation>[0-9]{1,9}) (?P<state>[a-z ]{0,20})")


@dataclass(frozen=True, slots=True)
class Format:
    """How marks stand in one kind of file."""

    kind: Callable[[bytes], ItemKind]
    categories: Callable[[bytes], list[str]]
    stamp: Callable[[bytes], Stamp | None]
    draft: Callable[[bytes], bool]
    private: Callable[[bytes], bool]
    marked: Callable[[bytes, str, Stamp | None, str], bytes]
    without_marks: Callable[[bytes], bytes]
    head: Callable[[bytes], bytes]
    """The part near the beginning that tells one item from another, without our marks."""


def categories(raw: bytes) -> list[str]:
    """The categories of a mail: the `Keywords:` headers, split at commas."""
    found: list[str] = []
    for match in _KEYWORDS.finditer(header_of(raw)):
        value = _unfolded(match["value"])
        with contextlib.suppress(ValueError, LookupError, MessageError):  # another program's; ours are plain
            value = str(make_header(decode_header(value)))
        found += [name.strip() for name in value.split(",") if name.strip()]
    return found


def with_state(raw: bytes, state: str, stamp: Stamp | None = None, trigger: str = states.TRIGGER) -> bytes:
    """The same mail with our tag, states and stamp taken out and the new ones put in."""
    header = header_of(raw)
    newline = b"\r\n" if b"\r\n" in header[:2000] else b"\n"
    wanted = states.merged(categories(raw), state, trigger)
    line = b"Keywords: " + ", ".join(wanted).encode("utf-8") + newline if wanted else b""
    changed = _STAMP.sub(b"", header)
    if stamp is not None:
        changed = b"X-Mailweir: " + _stamp_text(stamp) + newline + changed
    changed, found = _replace_first(_KEYWORDS, changed, line)
    return (changed if found else line + changed) + raw[len(header):]


def stamp_of(raw: bytes) -> Stamp | None:
    """Our stamp on a mail."""
    return _parsed_stamp(_STAMP.search(header_of(raw)))


def plain_mail(raw: bytes) -> bytes:
    """A mail without categories and stamp."""
    header = header_of(raw)
    return _STAMP.sub(b"", _KEYWORDS.sub(b"", header)) + raw[len(header):]


def mail_head(raw: bytes) -> bytes:
    """The header of a mail, or the first of it, without categories and stamp."""
    return plain_mail(header_of(raw))[:IDENTITY_BYTES]


def without_stamp(raw: bytes) -> bytes:
    """A mail without our stamp, as its user knows it."""
    header = header_of(raw)
    return _STAMP.sub(b"", header) + raw[len(header):]


def header_of(raw: bytes) -> bytes:
    """The header block with its last line break."""
    if raw.startswith((b"\n", b"\r\n")):
        return b""
    end = _END_OF_HEADER.search(raw, 0, HEADER_BYTES)
    if end is None:
        return raw[:HEADER_BYTES]
    return raw[:end.start()] + (b"\r\n" if end.group().startswith(b"\r") else b"\n")


def ics_kind(raw: bytes) -> ItemKind:
    """What the first component of a calendar file is."""
    found = _COMPONENT.search(raw)
    return ItemKind.TASK if found and found[1].upper() == b"VTODO" else ItemKind.APPOINTMENT


def ics_categories(raw: bytes) -> list[str]:
    """The categories of the first event or task of a calendar file."""
    found: list[str] = []
    for match in _ICS_CATEGORIES.finditer(_component(raw)[1]):
        found += [name.strip() for part in _ICS_SPLIT.split(_folded_out(match["value"]))
                  if (name := re.sub(r"\\([\\,;])", r"\1", part)).strip()]
    return found


def ics_with_state(raw: bytes, state: str, stamp: Stamp | None = None, trigger: str = states.TRIGGER) -> bytes:
    """The same calendar file with our categories and stamp replaced in its first event or task."""
    before, component, after = _component(raw)
    if not component:
        return raw
    newline = b"\r\n" if b"\r\n" in component else b"\n"
    wanted = states.merged(ics_categories(raw), state, trigger)
    escaped = [re.sub(r"([\\,;])", r"\\\1", name) for name in wanted]
    lines = _fold(("CATEGORIES:" + ",".join(escaped)).encode("utf-8"), newline) if wanted else b""
    if stamp is not None:
        lines += b"X-MAILWEIR:" + _stamp_text(stamp) + newline
    first, rest = component.split(b"\n", 1)
    return before + first + b"\n" + lines + _ICS_STAMP.sub(b"", _ICS_CATEGORIES.sub(b"", rest)) + after


def ics_stamp(raw: bytes) -> Stamp | None:
    """Our stamp on a calendar file."""
    return _parsed_stamp(_ICS_STAMP.search(_component(raw)[1]))


def ics_plain(raw: bytes) -> bytes:
    """A calendar file without categories and stamp."""
    before, component, after = _component(raw)
    return before + _ICS_STAMP.sub(b"", _ICS_CATEGORIES.sub(b"", component)) + after


def ics_head(raw: bytes) -> bytes:
    """The first bytes of a calendar file, without categories and stamp."""
    return ics_plain(raw[:HEADER_BYTES])[:IDENTITY_BYTES]


MAIL = Format(lambda _: ItemKind.MAIL, categories, stamp_of,
              lambda raw: bool(_UNSENT.search(header_of(raw))), lambda raw: bool(_SENSITIVE.search(header_of(raw))),
              with_state, plain_mail, mail_head)
CALENDAR = Format(ics_kind, ics_categories, ics_stamp, lambda _: False,
                  lambda raw: bool(_ICS_PRIVATE.search(_component(raw)[1])), ics_with_state, ics_plain, ics_head)


def _stamp_text(stamp: Stamp) -> bytes:
    return f"{stamp.capture} {stamp.generation} {stamp.state}".encode("ascii")


def _parsed_stamp(match: re.Match[bytes] | None) -> Stamp | None:
    found = _STAMP_FORM.fullmatch(_unfolded(match["value"])) if match else None
    return Stamp(found["capture"], found["state"], int(found["generation"])) if found else None


def _unfolded(value: bytes) -> str:
    return " ".join(value.decode("utf-8", "replace").split())


def _folded_out(value: bytes) -> str:
    return re.sub(rb"\r?\n[ \t]", b"", value).decode("utf-8", "replace")


def _fold(line: bytes, newline: bytes) -> bytes:
    """A content line in pieces of at most 73 octets (RFC 5545 3.1), never inside a character."""
    pieces: list[bytes] = []
    while len(line) > 73:
        cut = 73
        while line[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(line[:cut])
        line = line[cut:]
    return (newline + b" ").join([*pieces, line]) + newline


def _component(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """The bytes before, of and after the first event or task's own lines (up to its first alarm or its end)."""
    begin = _COMPONENT.search(raw)
    if begin is None:
        return raw, b"", b""
    end = re.compile(rb"^(?:BEGIN|END):", re.IGNORECASE | re.MULTILINE).search(raw, begin.end())
    stop = end.start() if end else len(raw)
    return raw[:begin.start()], raw[begin.start():stop], raw[stop:]


def _replace_first(pattern: re.Pattern[bytes], text: bytes, line: bytes) -> tuple[bytes, bool]:
    """Put `line` where the pattern first matches and take the other matches out."""
    found = False

    def once(_: re.Match[bytes]) -> bytes:
        nonlocal found
        replacement, found = (b"" if found else line), True
        return replacement

    return pattern.sub(once, text), found
