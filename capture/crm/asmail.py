"""A stored item of the CRM as an RFC 822 mail, so that it is read and scanned the way a mail is.

Everything the CRM keeps of it is in the mail: subject, parties, text, files with their names. Nothing of it can end
a header early or look like a part of its own: words are encoded, bodies are base64.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

_PLAIN = re.compile(r"[ -<>@-~]*")   # printable ASCII without "=" and "?": cannot be taken for an encoded word
_ADDRESS = re.compile(r"[!-~]+")
_TYPE = re.compile(r"(?!multipart/)[a-z0-9.+-]{1,100}/[a-z0-9.+-]{1,100}", re.I)
_SENDERS = frozenset({"from", "organizer"})
BOUNDARY = "=_mailweir_stored_item"
TEXT = ("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64")
HTML = ("Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: base64")


@dataclass(frozen=True, slots=True, repr=False)
class StoredFile:
    """A file of a stored item."""

    name: str
    content_type: str
    content: bytes


def as_mail(*, subject: str, body: str, sent: datetime | None, message_id: str,
            participants: Iterable[Mapping[str, str]], files: Sequence[StoredFile] = (),
            html: bool = False) -> bytes:
    """The mail. `participants` have `role` ("from" or "organizer" for the sender), `name` and `email`; `html`: the
    body is HTML."""
    head = list(_headers(subject, sent, message_id, list(participants)))
    text = [*(HTML if html else TEXT), "", _base64(body.encode("utf-8", "replace"))]
    if not files:
        return "\r\n".join([*head, "MIME-Version: 1.0", *text]).encode("ascii")
    lines = [*head, "MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"', "",
             f"--{BOUNDARY}", *text]
    for file in files:
        lines += [f"--{BOUNDARY}", *_file(file)]
    return "\r\n".join([*lines, f"--{BOUNDARY}--", ""]).encode("ascii")


def text_of(raw: bytes) -> str | None:
    """The text of a mail made by `as_mail` without files; None when it is not one of those."""
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head.endswith("\r\n".join(TEXT).encode("ascii")):
        return None
    return base64.b64decode(body).decode("utf-8", "replace")


def _headers(subject: str, sent: datetime | None, message_id: str,
             participants: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for header, senders in (("From", True), ("To", False)):
        who = [_party(p) for p in participants if (p.get("role") in _SENDERS) is senders]
        if any(who):
            yield f"{header}: {', '.join(filter(None, who))}"
    yield f"Subject: {_words(subject)}"
    if sent is not None:
        yield f"Date: {format_datetime(sent)}"
    if message_id and _ADDRESS.fullmatch(message_id):
        yield f"Message-ID: <{message_id}>"
    elif message_id:
        yield f"X-Message-ID: {_words(message_id)}"


def _party(party: Mapping[str, str]) -> str:
    name, email = party.get("name", ""), party.get("email", "")
    if email and not _ADDRESS.fullmatch(email):  # no address, so it is read as words
        name, email = f"{name} {email}", ""
    return " ".join(filter(None, (_encoded(name) if name else "", f"<{email}>" if email else "")))


def _words(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _encoded(text)


def _encoded(text: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}?="


def _file(file: StoredFile) -> Iterator[str]:
    kind = file.content_type if _TYPE.fullmatch(file.content_type) else "application/octet-stream"
    yield f"Content-Type: {kind}"
    named = f"; filename*=utf-8''{quote(file.name, safe='', errors='replace')}" if file.name else ""
    yield f"Content-Disposition: attachment{named}"
    yield "Content-Transfer-Encoding: base64"
    yield ""
    yield _base64(file.content)


def _base64(data: bytes) -> str:
    return base64.encodebytes(data).decode("ascii").replace("\n", "\r\n")
