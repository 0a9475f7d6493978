"""Attachments of Exchange Online, and whether a mail's MIME holds everything its server lists.

MIME is what is scanned; the list is the cross-check. A listed attachment without a MIME part (a link to a
cloud file, an attachment that failed) is unread, and holds the item.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from typing import Final

from capture.errors import CaptureError, ItemGone, Parked, TryLater
from capture.mailbox.composed import Attached
from capture.mailbox.graph_compose import attachment
from capture.mailbox.graph_http import GraphHttp, TooLarge
from capture.mailbox.graph_ids import quoted
from capture.mailbox.graph_parse import Attached as Listed
from capture.mailbox.graph_parse import attached
from pii_scan.text import Unread

_HEADER: Final = re.compile(rb"\A(?:From [^\r\n]*\r?\n)?[!-9;-~]{1,200}:")
_LIST: Final = {"$select": "id,name,contentType,size", "$top": "100"}


def listed(http: GraphHttp, mailbox: str, url: str) -> list[Listed]:
    """The attachment list of the item at `url`."""
    return [attached(value) for value in http.pages(mailbox, f"{url}/attachments", params=_LIST)]


def fetched(http: GraphHttp, mailbox: str, url: str, found: Sequence[Listed],
            limit: int) -> tuple[list[Attached], list[Unread]]:
    """The attachments of an appointment or task with their bytes, and those that could not be had.

    `limit` in bytes is for all together.
    """
    files: list[Attached] = []
    unread: list[Unread] = []
    for index, one in enumerate(found, 1):
        place = f"attachment {index} of {len(found)}"
        if one.kind not in ("file", "item"):
            unread.append(Unread(f"{place} ({_said(one)})", "not_fetched"))
            continue
        try:
            data, _ = http.content(mailbox, f"{url}/attachments/{quoted(one.id)}/$value", limit=limit)
        except TooLarge:
            unread.append(Unread(place, "too_large"))
        except ItemGone:
            unread.append(Unread(place, "not_fetched"))
        except (TryLater, Parked):
            raise
        except CaptureError:
            unread.append(Unread(place, "not_fetched"))
        else:
            limit -= len(data)
            name = f"{one.name or 'item'}.eml" if one.kind == "item" and is_mail(data) else one.name
            files.append(attachment(name, one.mime, data))
    return files, unread


def missing(raw: bytes, found: Sequence[Listed]) -> list[Unread]:
    """The listed attachments that the MIME does not hold.

    Attachments are matched by name; those whose names differ (servers rename and re-encode) by number. Further
    MIME parts that no list names are read like any other, so they need no match.
    """
    names = list(_part_names(message_from_bytes(raw, policy=compat32)))
    unnamed: list[int] = []
    lost: list[tuple[int, str]] = []
    for index, one in enumerate(found, 1):
        if one.kind not in ("file", "item"):
            lost.append((index, f" ({_said(one)})"))
        elif _folded(one.name) in names:
            names.remove(_folded(one.name))
        else:
            unnamed.append(index)
    short = len(unnamed) - len(names)
    lost += [(index, "") for index in unnamed[len(unnamed) - short:]] if short > 0 else []
    return [Unread(f"attachment {index} of {len(found)}{why}", "not_fetched") for index, why in sorted(lost)]


def is_mail(raw: bytes) -> bool:
    """True when the bytes begin like a mail's header block."""
    return bool(_HEADER.match(raw))


def header_block(raw: bytes) -> bytes:
    """The complete header lines at the start of a mail that was cut off."""
    ends = [found.start() for found in (re.search(rb"\r?\n\r?\n", raw), ) if found]
    block = raw[:ends[0]] if ends else raw[:256_000].rpartition(b"\n")[0]
    return block + b"\r\n\r\n"


def _part_names(message: Message) -> Iterator[str]:
    """The names ("" without one) of the parts that are attachments: neither body nor multipart. A mail inside
    is one part."""
    bodies = {"text/plain": 1, "text/html": 1}
    waiting: list[Message] = [message]
    while waiting:
        part = waiting.pop(0)
        kind = part.get_content_type()
        content = part.get_payload()
        if kind.startswith("multipart/") and isinstance(content, list):
            waiting[:0] = [one for one in content if isinstance(one, Message)]
            continue
        name = _name_of(part)
        if not name and part.get_content_disposition() != "attachment" and bodies.get(kind, 0):
            bodies[kind] -= 1
            continue
        inner = content[0] if isinstance(content, list) and content else None
        if kind == "message/rfc822" and not name and isinstance(inner, Message):
            name = _decoded(str(inner.get("Subject", "")))  # the list names it by its subject
        yield _folded(name)


def _name_of(part: Message) -> str:
    try:
        return _decoded(part.get_filename() or "")
    except (MessageError, ValueError, LookupError, TypeError):
        return ""


def _decoded(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, ValueError, LookupError):
        return value


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _said(one: Listed) -> str:
    return "cloud link" if one.kind == "reference" else "unknown kind"
