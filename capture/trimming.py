"""An item without the attachments that its user left out: they are not kept, and what remains is read and scanned anew.

Attachments are numbered as `capture/extract` numbers them ("attachment 2 of 3"). That both number alike is not taken
for granted: what was read before and after has to say so, else nothing is left out and the item is held.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Final

from capture.errors import AttachmentStays
from capture.extract import headers
from capture.ports import Extractor
from pii_scan.text import Extraction

LEFT_OUT: Final = "[1 attachment left out]"
"""What stands in the place of each."""
_PLACE: Final = re.compile(r"attachment (\d+) of (\d+)(?: \(|$)")
_BODIES: Final = frozenset(("text/plain", "text/html", "", "text/enriched", "text/richtext", "text/x-amp-html",
                            "text/watch-html"))


def without(raw: bytes, numbers: Collection[int], extractor: Extractor) -> bytes:
    """The mail without these attachments. Raises `AttachmentStays` when one is not there, or when it is not certain
    that it, and nothing else, was taken out."""
    before = extractor.extract(raw)
    mail = message_from_bytes(raw, policy=compat32)
    leaves = list(_attached(mail))
    if not numbers or not set(numbers) <= set(attachments_of(before)) or len(leaves) != _total(before):
        raise AttachmentStays
    for number in set(numbers):
        _replace(leaves[number - 1])
    trimmed = mail.as_bytes()
    if _total(extractor.extract(trimmed)) != _total(before) - len(set(numbers)):
        raise AttachmentStays
    return trimmed


def attachments_of(extraction: Extraction) -> dict[int, str]:
    """Number of each attachment of the mail itself -> its place, whatever became of reading it."""
    found: dict[int, str] = {}
    for part in extraction.parts:
        number = number_of(part.place)
        if number and part.kind != "not fetched":  # what the server did not hand over is not in the mail
            found.setdefault(number, part.place)
    return found


def number_of(place: str) -> int:
    """The number of the attachment a place is in, 0 for one that is in none: of "attachment 2 of 3 (zip), member 1
    (csv)" it is 2."""
    found = _PLACE.match(place)
    return int(found[1]) if found else 0


def _total(extraction: Extraction) -> int:
    """How many attachments the reader counted."""
    return max((int(found[2]) for part in extraction.parts if (found := _PLACE.match(part.place))), default=0)


def _attached(mail: Message) -> Iterator[Message]:
    """The parts that the reader numbers as attachments, in its order."""
    payload = mail.get_payload()
    mime = _first(mail, "content-type")[0]
    if mime.startswith("multipart/") and isinstance(payload, list):
        if mime != "multipart/encrypted":
            for part in payload:
                if isinstance(part, Message):
                    yield from _attached(part)
        return
    disposition, parameters = _first(mail, "content-disposition")
    named = parameters.get("filename") or _first(mail, "content-type")[1].get("name")
    if disposition == "attachment" or named or mime not in _BODIES:
        yield mail


def _first(mail: Message, name: str) -> tuple[str, dict[str, str]]:
    value = next((value for key, value in mail.raw_items() if key.casefold() == name), "")
    return headers.parse_value(headers.to_text(value, 100_000)[0])


def _replace(leaf: Message) -> None:
    """A line of text in the place of an attachment; nothing that named or described it stays."""
    for name in {key for key in leaf.keys() if key.casefold().startswith("content-")}:  # noqa: SIM118 - headers
        del leaf[name]
    leaf["Content-Type"] = "text/plain; charset=us-ascii"
    leaf["Content-Disposition"] = "inline"
    leaf.set_payload(f"{LEFT_OUT}\n")
