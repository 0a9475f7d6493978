"""A message as Outlook stores it (MAPI properties), from a .msg file or a winmail.dat, on its way into the sink.

It gives the same parts and labels as a mail: headers, each body, each attachment. Sources: MS-OXPROPS, MS-OXCMSG.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import compressed_rtf

from capture.extract import headers
from capture.extract.codepages import codec_of
from capture.extract.collect import PartSink
from capture.extract.html import read_mail_html
from capture.extract.mailtext import split_mail_text
from capture.extract.reader import CannotRead
from capture.extract.textual import decode, is_printable
from pii_scan.text import Label

Value = str | bytes | int | datetime | list[str]

SUBJECT, BODY, RTF, HTML, CLASS, HEADERS = 0x0037, 0x1000, 0x1009, 0x1013, 0x001A, 0x007D
MESSAGE_ID, REPLY_TO_ID, REFERENCES, SENT, SENSITIVITY = 0x1035, 0x1042, 0x1039, 0x0039, 0x0036
CODEPAGE, INTERNET_CODEPAGE, LOCALE = 0x3FFD, 0x3FDE, 0x3FF1
NAME, EMAIL, SMTP, RECIPIENT_TYPE = 0x3001, 0x3003, 0x39FE, 0x0C15
DATA, METHOD, LONG_NAME, SHORT_NAME, MIME, CONTENT_ID = 0x3701, 0x3705, 0x3707, 0x3704, 0x370E, 0x3712
LONG_PATH, PATH = 0x370D, 0x3708

_SENDERS = (("From", 0x0042, 0x5D02, 0x0065), ("Sender", 0x0C1A, 0x5D01, 0x0C1F),
            ("Received by", 0x0040, 0x5D07, 0x0076), ("Received representing", 0x0044, 0x5D08, 0x0078))
"""Word -> properties of the name, the SMTP address and the address of a sender or receiver."""
_DISPLAYED = ((0x0E04, "To"), (0x0E03, "Cc"), (0x0E02, "Bcc"), (0x0050, "Reply-To"), (0x0074, "To"), (0x0073, "Cc"))
_RECIPIENT_WORDS = {1: "To", 2: "Cc", 3: "Bcc"}
_SENSITIVITIES = {1: "personal", 2: "private", 3: "company-confidential"}
_BY_REFERENCE = frozenset({2, 3, 4, 7})
_NO_WORDS = frozenset({"SMTP", "EX", "MAPIPDL", "FAX", "IPM.Note", "en-US", "us-ascii", "utf-8"})
_TECHNICAL = frozenset({CLASS, HEADERS, MESSAGE_ID, REPLY_TO_ID, REFERENCES, BODY, SUBJECT, 0x0E1D, 0x0070, 0x003D,
                        0x0C1E, 0x0064, 0x3002, 0x0075, 0x0077, 0x3FF8, 0x3FFA, 0x5D09, 0x1046, 0x10F3, 0x3A71,
                        0x0E28, 0x0E29, 0x0047, 0x1044})
_WORDS = {0x3A08: "Business phone", 0x3A09: "Home phone", 0x3A1C: "Mobile phone", 0x3A1B: "Business phone 2",
          0x3A2F: "Home phone 2", 0x3A42: "Birthday", 0x3A16: "Company", 0x3A17: "Job title", 0x3A18: "Department",
          0x3A59: "Home city", 0x3A5A: "Home country", 0x3A5B: "Home postal code", 0x3A5C: "Home province",
          0x3A5D: "Home street", 0x3A15: "Postal address", 0x3A45: "Name prefix", 0x3A06: "Given name",
          0x3A11: "Surname", 0x3A4F: "Nickname", 0x3A48: "Spouse", 0x3A58: "Children", 0x3A4D: "Gender",
          0x3A07: "Government ID", 0x3A10: "Organizational ID", 0x3A30: "Assistant", 0x3A4E: "Manager",
          0x3FFA: "Last modifier", 0x3A1A: "Primary phone", 0x3A24: "Business fax", 0x3A25: "Home fax",
          0x3A41: "Wedding anniversary", 0x3A46: "Profession"}
_ROUTING = re.compile(r"received|return-path|mime-version|content-.*|message-id|references|in-reply-to|date|subject|"
                      r"dkim-.*|arc-.*|authentication-results|received-spf|thread-.*|x-.*|user-agent|list-.*|from|to|cc|"
                      r"bcc|sender|reply-to|precedence|importance|priority|accept-language|domainkey-.*", re.IGNORECASE)
_LOCALES = {0x0419: 1251, 0x0422: 1251, 0x0402: 1251, 0x041F: 1254, 0x0408: 1253, 0x040D: 1255, 0x0401: 1256,
            0x0405: 1250, 0x0415: 1250, 0x040E: 1250, 0x0411: 932, 0x0412: 949, 0x0804: 936, 0x0404: 950, 0x041E: 874}


@dataclass
class MapiAttachment:
    """One attachment: its properties, and a function that hands over its object when it is one."""

    values: dict[int, Value] = field(default_factory=dict)
    give: Callable[[str], None] | None = None
    """Called with the place; used for nested messages and OLE objects."""

    @property
    def name(self) -> str:
        """The best file name."""
        return next((name for key in (LONG_NAME, SHORT_NAME, NAME) if (name := text_of(self.values, key))), "")


@dataclass
class MapiMessage:
    """A message: properties by id, named and other strings, recipients, attachments."""

    values: dict[int, Value] = field(default_factory=dict)
    recipients: list[dict[int, Value]] = field(default_factory=list)
    attachments: list[MapiAttachment] = field(default_factory=list)


def text_of(values: dict[int, Value], key: int) -> str:
    """The string property `key`, or an empty string."""
    value = values.get(key)
    return value.strip() if isinstance(value, str) else ""


def codepage_of(values: dict[int, Value]) -> str:
    """The codec of 8-bit strings: the message's code page, the internet one, that of the locale, cp1252."""
    for key in (CODEPAGE, INTERNET_CODEPAGE):
        page = values.get(key)
        if isinstance(page, int) and page not in (0, 1200, 20127):
            return codec_of(page)
    locale = values.get(LOCALE)
    return codec_of(_LOCALES.get(locale, 1252)) if isinstance(locale, int) else "cp1252"


def filetime(ticks: int) -> datetime | None:
    """A point in time from 100-nanosecond ticks since 1601; None outside the years Python knows."""
    try:
        return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None


def give_message(message: MapiMessage, sink: PartSink) -> None:
    """Hand over a message. Raises `CannotRead("rights_managed")` for a message that is only a wrapper."""
    values = message.values
    sink.envelope(_envelope(message, sink))
    sink.section(lambda part: _headers(message, part), what="headers", kind="headers", size=1)
    managed = text_of(values, CLASS).casefold().startswith("ipm.note.rpmsg")
    body, html, rtf = values.get(BODY), values.get(HTML), values.get(RTF)
    if isinstance(body, bytes):
        body = body.decode(codepage_of(values), "replace")
    if isinstance(body, str) and body.strip("\0 \r\n\t"):
        plain = body
        sink.section(lambda part: _plain(plain, part), what="body", kind="text", size=len(plain))
    if html:
        content = html.encode() if isinstance(html, str) else html
        charset = "utf-8" if isinstance(html, str) else _html_charset(values)
        if isinstance(content, bytes):
            sink.section(lambda part: _html(content, charset, part), what="body (html)", kind="html", size=len(content))
    if isinstance(rtf, bytes) and rtf:
        _rich(rtf, sink, has_html=bool(html))
    total = len(message.attachments)
    for number, attachment in enumerate(message.attachments, 1):
        _attachment(attachment, f"attachment {number} of {total}", sink)
    if managed:
        raise CannotRead("rights_managed")
    if not (body or html or rtf or total):
        sink.empty()


# headers


def _headers(message: MapiMessage, sink: PartSink) -> None:
    values = message.values
    subject = text_of(values, SUBJECT) or text_of(values, 0x0E1D)
    sink.text(subject, Label.SUBJECT)
    topic = text_of(values, 0x0070)
    if topic and topic not in subject:
        sink.text(topic, Label.SUBJECT)
    lines = dict.fromkeys([*_address_lines(message), *_header_lines(text_of(values, HEADERS), addresses=True)])
    sink.text("\n".join(lines), Label.ADDRESSES)
    given = {subject, topic, *(text_of(values, key) for _, *keys in _SENDERS for key in keys)}
    sink.text("\n".join(dict.fromkeys([*_other_lines(values, given),
                                       *_header_lines(text_of(values, HEADERS), addresses=False)])), Label.PROPERTY)
    sink.empty()


def _address_lines(message: MapiMessage) -> Iterator[str]:
    values = message.values
    for word, name, smtp, address in _SENDERS:
        line = _person(values, name, smtp, address)
        if line:
            yield f"{word}: {line}"
    for recipient in message.recipients:
        kind = recipient.get(RECIPIENT_TYPE, 1)
        line = _person(recipient, NAME, SMTP, EMAIL)
        if line:
            yield f"{_RECIPIENT_WORDS.get(kind if isinstance(kind, int) else 1, 'To')}: {line}"
    for key, word in _DISPLAYED:
        if text_of(values, key):
            yield f"{word}: {text_of(values, key)}"


def _person(values: dict[int, Value], name: int, smtp: int, address: int) -> str:
    shown = text_of(values, name)
    mail = text_of(values, smtp) or text_of(values, address)
    if mail and mail != shown:
        return f"{shown} <{mail}>".strip()
    return shown


def _header_lines(block: str, *, addresses: bool) -> Iterator[str]:
    """Lines of the stored internet headers: those with addresses, or the uncommon ones."""
    for line in re.sub(r"\r?\n[ \t]+", " ", block[:2_000_000]).splitlines():
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        of_people = name.casefold() in ("from", "sender", "reply-to", "to", "cc", "bcc")
        if colon and value and (of_people if addresses else not _ROUTING.fullmatch(name)):
            yield f"{name}: {headers.decode_words(value)}"


def _other_lines(values: dict[int, Value], given: set[str]) -> Iterator[str]:
    """Every other string property: categories, location, fields of a contact, a task or a form."""
    for key, value in values.items():
        if (key in _TECHNICAL and key != 0x3FFA) or any(key in keys for _, *keys in _SENDERS):
            continue
        texts = value if isinstance(value, list) else [_as_text(key, value)]
        for text in texts:
            text = text.strip("\0 \r\n\t")
            if len(text) > 1 and text not in given and text not in _NO_WORDS and not text.startswith("/o="):
                yield f"{_WORDS[key]}: {text}" if key in _WORDS else text


def _as_text(key: int, value: Value) -> str:
    if isinstance(value, datetime) and key in _WORDS:
        return value.date().isoformat()
    return value if isinstance(value, str) else ""


def _envelope(message: MapiMessage, sink: PartSink) -> dict[str, Any]:
    values, most = message.values, sink.limits.addresses
    sent = values.get(SENT)
    sender = next((found for _, name, smtp, address in _SENDERS[:2]
                   if (found := (text_of(values, name), _mail(values, smtp, address))) != ("", "")), None)
    sensitivity = values.get(SENSITIVITY)
    return {
        "message_id": next(iter(headers.message_ids(text_of(values, MESSAGE_ID))), ""),
        "subject": text_of(values, SUBJECT) or text_of(values, 0x0E1D),
        "sender": sender,
        "recipients": [(text_of(each, NAME), _mail(each, SMTP, EMAIL)) for each in message.recipients[:most]],
        "sent": sent.isoformat(timespec="seconds").replace("+00:00", "Z") if isinstance(sent, datetime) else "",
        "in_reply_to": next(iter(headers.message_ids(text_of(values, REPLY_TO_ID))), ""),
        "references": headers.message_ids(text_of(values, REFERENCES)),
        "list_mail": bool(re.search(r"(?im)^list-(id|unsubscribe|post):", text_of(values, HEADERS))),
        "sensitivity": _SENSITIVITIES.get(sensitivity, "") if isinstance(sensitivity, int) else "",
        "categories": [],
    }


def _mail(values: dict[int, Value], *keys: int) -> str:
    return next((text.casefold() for key in keys if "@" in (text := text_of(values, key))), "")


# bodies and attachments


def _plain(text: str, sink: PartSink) -> None:
    text = text.rstrip("\0").replace("\r\n", "\n").replace("\r", "\n")
    if not is_printable(text):
        sink.partial("corrupt")
    if re.search(r"^-----BEGIN PGP MESSAGE-----", text, re.MULTILINE):
        sink.partial("encrypted")
    for block in split_mail_text(text):
        sink.text(block.text, block.label, quoted=block.quoted)


def _html(content: bytes, charset: str, sink: PartSink) -> None:
    text = decode(content.rstrip(b"\0"), charset).text
    if not is_printable(text):
        sink.partial("corrupt")
    if not text.strip():
        sink.empty()
    read_mail_html(text, sink)


def _html_charset(values: dict[int, Value]) -> str:
    page = values.get(INTERNET_CODEPAGE)
    return codec_of(page) if isinstance(page, int) and page not in (0, 1200) else ""


def _rich(rtf: bytes, sink: PartSink, *, has_html: bool) -> None:
    """The rich-text body; HTML wrapped in it is skipped when the HTML itself is there."""
    try:
        content = bytes(compressed_rtf.decompress(rtf))
    except Exception as error:
        sink.partial("corrupt")
        if isinstance(error, MemoryError):
            raise
        return
    content = content.rstrip(b"\0")
    sink.spend(len(content), len(rtf))
    if content.strip() and not (has_html and b"\\fromhtml" in content[:2_000]):
        sink.embed(content, what="body (rich text)", declared="application/rtf")


def _attachment(attachment: MapiAttachment, what: str, sink: PartSink) -> None:
    values = attachment.values
    data, method = values.get(DATA), values.get(METHOD)
    name = attachment.name
    if attachment.give is not None:
        if name:
            sink.text(name, Label.NAME, what)
        attachment.give(what)
    elif isinstance(data, bytes) and data:
        sink.embed(data, what=what, name=name, declared=text_of(values, MIME), inline=bool(text_of(values, CONTENT_ID)))
    elif isinstance(method, int) and method in _BY_REFERENCE:
        path = text_of(values, LONG_PATH) or text_of(values, PATH)
        if path:
            sink.text(path, Label.LINK, what)
        sink.refuse("not_fetched", what=what, name=name)
    elif isinstance(data, bytes) and method == 1:
        sink.embed(b"", what=what, name=name)
    else:
        sink.refuse("corrupt", what=what, name=name)


