"""iCalendar and vCard: unfolded and unescaped, then scanned as text."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from capture.extract.body import decoded_text
from capture.extract.collect import PartSink
from capture.extract.headers import decode_base64, parse_value
from capture.extract.html import read_mail_html
from capture.extract.textual import decode, is_said
from capture.extract.transfer import decode_transfer
from pii_scan.text import Label

_FOLD: Final = re.compile(r"\n[ \t]")
_ESCAPE: Final = re.compile(r"\\([nN,;\\:\"])")
_TIMES: Final = frozenset([
    "dtstamp", "dtstart", "dtend", "created", "last-modified", "due", "completed", "trigger",
    "duration", "rrule", "exdate", "rdate", "tzoffsetfrom", "tzoffsetto", "tzid", "tzurl", "sequence",
    "transp", "priority", "version", "prodid", "calscale", "method", "begin", "end", "uid", "class",
    "action", "rev", "x-lic-location", "recurrence-id", "percent-complete"])
_ADDRESSES: Final = frozenset(("attendee", "organizer", "email", "tel", "adr", "n", "fn", "org", "title"))
_TEXTS: Final = frozenset(("summary", "description", "comment", "note", "location", "contact"))
_DATES: Final = frozenset(("dtstart", "dtend", "due"))
_SWITCHES: Final = frozenset((
    "type", "value", "encoding", "charset", "language", "fmttype", "tzid", "rsvp", "partstat", "role", "cutype", "cn",
    "filename", "x-filename", "pref", "related", "range", "fbtype", "x-apple-radius", "x-num-guests", "email"))
"""Parameters that are read elsewhere or choose from a list."""
_LONG_TIME: Final = 200


def read_calendar(data: bytes, sink: PartSink) -> None:
    """Read events, tasks and cards: every property's value, people as addresses, files as files."""
    attachments: list[tuple[str, bytes, str]] = []
    for name, parameters, value in _properties(decoded_text(data, sink)):
        _said_beside(name, parameters, value, sink)
        if (content := _binary(parameters, value)) is not None:
            attachments.append((parameters.get("filename", parameters.get("x-filename", "")), content,
                                parameters.get("fmttype", "")))
        elif name == "x-alt-desc" or parameters.get("fmttype", "").casefold() == "text/html":
            read_mail_html(unescape(value), sink)
        elif name in _TEXTS:
            sink.text(unescape(value), Label.SUBJECT if name == "summary" else Label.TEXT, name)
        elif name in _ADDRESSES:
            sink.text(" ".join(filter(None, (parameters.get("cn", ""), unescape(value)))), Label.ADDRESSES, name)
        elif name not in _TIMES or name in _DATES:
            sink.text(f"{name}: {unescape(value)}", Label.PROPERTY, "property")
    for number, (file_name, content, mime) in enumerate(attachments, 1):
        sink.embed(content, what=f"attachment {number} of {len(attachments)}", name=file_name, declared=mime)
    sink.empty()


def _said_beside(name: str, parameters: dict[str, str], value: str, sink: PartSink) -> None:
    """Parameters of any name, and values of times and switches that are none."""
    lines = [unquote(content) for key, content in parameters.items() if key not in _SWITCHES and len(content) > 1]
    if name in _TIMES - _DATES and (is_said(unescape(value)) or len(value) > _LONG_TIME):
        lines.append(f"{name}: {unescape(value)}")
    sink.text("\n".join(lines), Label.PROPERTY, "property")


def unescape(value: str) -> str:
    """Undo the escapes of RFC 5545 text."""
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def _properties(text: str) -> list[tuple[str, dict[str, str], str]]:
    text = re.sub(r"=\n", "", text) if "QUOTED-PRINTABLE" in text.upper() else text
    found = []
    for line in _FOLD.sub("", text).split("\n"):
        head, value = _cut(line)
        if not head:
            continue
        name, parameters = parse_value(head)
        name = name.rpartition(".")[2]  # vCard groups: "item1.TEL"
        if parameters.get("encoding", "").casefold() == "quoted-printable" or "quoted-printable" in head.casefold():
            raw, _ = decode_transfer(value.encode("utf-8", "replace"), "quoted-printable")
            value = decode(raw, parameters.get("charset", "")).text
        found.append((name, parameters, value))
    return found


def _cut(line: str) -> tuple[str, str]:
    """Split a line at the first colon outside quotes."""
    quoted = False
    for index, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ":" and not quoted:
            return line[:index], line[index + 1:]
    return ("", "") if not line.strip() else ("comment", line)


def _binary(parameters: dict[str, str], value: str) -> bytes | None:
    encoding = parameters.get("encoding", "").casefold()
    if encoding in ("base64", "b") or parameters.get("value", "").casefold() == "binary":
        return decode_base64(value.encode("ascii", "ignore"))[0]
    if value.startswith("data:") and ";base64," in value[:200]:
        return decode_base64(value.partition(",")[2].encode("ascii", "ignore"))[0]
    return None
