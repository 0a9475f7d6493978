"""Leaving attachments out: the one that was meant and nothing else, or the item is held."""

from __future__ import annotations

from binascii import b2a_uu
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from world import mail

from capture.errors import AttachmentStays
from capture.extract.extractor import SandboxedExtractor
from capture.trimming import LEFT_OUT, attachments_of, number_of, without

FILES = (("one.csv", "text/csv", b"a;b\n1;2\n"), ("two.txt", "text/plain", b"the second\n"),
         ("three.txt", "text/plain", b"the third\n"))


@pytest.fixture(scope="module")
def extractor() -> Iterator[SandboxedExtractor]:
    made = SandboxedExtractor()
    yield made
    made.close()


def forwarded() -> bytes:
    """A picture in the text, a mail inside, a file."""
    message = EmailMessage()
    message["Subject"] = "Forwarded"
    message.set_content("See below.\n")
    message.add_alternative("<p>See below. <img src='cid:x'></p>", subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG\r\n\x1a\n", "image", "png", cid="<x>")
    message.add_attachment(message_from_bytes(mail("Inside", "Inner words.\n", attachments=FILES[:1]), policy=default))
    message.add_attachment(b"the last\n", maintype="text", subtype="plain", filename="last.txt")
    return message.as_bytes()


@pytest.mark.parametrize(("raw", "numbers", "gone", "stays"), [
    pytest.param(mail("Three", "Hello.\n", attachments=FILES), (2,), b"two.txt", b"three.txt", id="the middle one"),
    pytest.param(mail("Three", "Hello.\n", attachments=FILES), (1, 3), b"three.txt", b"two.txt", id="two of three"),
    pytest.param(forwarded(), (2,), b"Inner words", b"last.txt", id="a mail inside, with what is in it"),
    pytest.param(forwarded(), (3,), b"last.txt", b"Inner words", id="after a picture and a mail"),
])
def test_what_is_left_out_is_gone_with_its_name_and_the_rest_is_there(
        extractor: SandboxedExtractor, raw: bytes, numbers: tuple[int, ...], gone: bytes, stays: bytes) -> None:
    before = attachments_of(extractor.extract(raw))
    trimmed = without(raw, numbers, extractor)
    assert (gone in trimmed, stays in trimmed) == (False, True)
    assert trimmed.count(LEFT_OUT.encode()) == len(numbers)
    assert trimmed == without(raw, numbers, extractor), "twice is the same"
    assert len(attachments_of(extractor.extract(trimmed))) == len(before) - len(numbers)


CODED = f"begin 644 two.txt\n{b2a_uu(b'hello world').decode()}`\nend\n"


@pytest.mark.parametrize(("raw", "numbers"), [
    pytest.param(mail("Three", "Hello.\n", attachments=FILES), (4,), id="there is none of this number"),
    pytest.param(mail("Three", "Hello.\n", attachments=FILES), (), id="none is named"),
    pytest.param(mail("None", "Hello.\n"), (1,), id="there are none"),
    pytest.param(mail("Coded", CODED, attachments=FILES[:1]), (1,), id="a file in the text itself is numbered, too"),
])
def test_what_is_not_certain_is_refused(extractor: SandboxedExtractor, raw: bytes, numbers: tuple[int, ...]) -> None:
    with pytest.raises(AttachmentStays):
        without(raw, numbers, extractor)


def test_the_number_of_a_place_is_that_of_the_attachment_it_is_in() -> None:
    places = ("attachment 2 of 3 (zip), member 1 (csv)", "attachment 12 of 12", "body", "part headers", "attachment")
    assert [number_of(place) for place in places] == [2, 12, 0, 0, 0]
