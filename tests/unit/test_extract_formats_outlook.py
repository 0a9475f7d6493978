"""Outlook messages and winmail.dat: the parts and labels of a mail."""

from __future__ import annotations

import documents as make
import pytest
from inprocess import places, read, text, unread

from pii_scan.text import Address, Block, Extraction, Label

SUBJECT, BODY, HTML = 0x0037, 0x1000, 0x1013
FROM_NAME, FROM_MAIL, MESSAGE_ID = 0x0042, 0x5D02, 0x1035
NAME, MAIL, DATA, FILE_NAME = 0x3001, 0x39FE, 0x3701, 0x3707


def message(**more) -> bytes:
    return make.outlook(
        {
            SUBJECT: "plans",
            BODY: "Dear Ben,\r\n\r\nsee you on Monday.\r\n",
            FROM_NAME: "Ada Ames",
            FROM_MAIL: "Ada@A.example",
            MESSAGE_ID: "<m1@A.example>",
            **more.pop("strings", {}),
        },
        recipients=[{NAME: "Ben Bell", MAIL: "ben@b.example"}],
        **more,
    )


def labelled(extraction: Extraction, label: Label) -> str:
    return "\n".join(
        block.text
        for part in extraction.parts
        for block in part.blocks
        if isinstance(block, Block) and block.label is label
    )


def test_a_message_reads_like_a_mail() -> None:
    extraction = read(message())
    assert extraction.status == "read"
    assert labelled(extraction, Label.SUBJECT) == "plans"
    assert labelled(extraction, Label.ADDRESSES).split("\n") == [
        "From: Ada Ames <Ada@A.example>",
        "To: Ben Bell <ben@b.example>",
    ]
    assert "see you on Monday." in labelled(extraction, Label.TEXT)
    assert [place.rpartition(", ")[2] for place in places(extraction)[-2:]] == ["headers", "body"]
    envelope = extraction.envelope
    assert (envelope.subject, envelope.message_id) == ("plans", "m1@a.example")
    assert (envelope.sender, envelope.recipients) == (
        Address("Ada Ames", "ada@a.example"),
        (Address("Ben Bell", "ben@b.example"),),
    )


def test_quoted_text_is_marked_and_both_bodies_are_read() -> None:
    extraction = read(
        message(
            strings={
                BODY: "Yes.\r\n\r\n-----Original Message-----\r\nFrom: Ben\r\nSent: Monday\r\nTo: Ada\r\n"
                "Subject: x\r\n\r\nold words\r\n",
                HTML: b"<p>only in html</p>",
            }
        )
    )
    assert "only in html" in text(extraction)
    assert any(
        block.quoted for part in extraction.parts for block in part.blocks if "old words" in getattr(block, "text", "")
    )


def test_every_other_string_is_read() -> None:
    extraction = read(message(strings={0x3A09: "604 555 0123", 0x8005: "a field of a form", 0x3A5D: "1 Pine Road"}))
    found = labelled(extraction, Label.PROPERTY)
    assert "Home phone: 604 555 0123" in found
    assert "Home street: 1 Pine Road" in found
    assert "a field of a form" in found


def test_attachments_and_nested_messages_are_parts() -> None:
    extraction = read(message(attachments=[{DATA: b"just words", FILE_NAME: "n.txt"}], nested=[b"inner words"]))
    assert extraction.status == "read"
    assert any(place.endswith("attachment 1 of 2 (text)") for place in places(extraction))
    assert "inner words" in text(extraction)
    assert "inner subject" in labelled(extraction, Label.SUBJECT)


@pytest.mark.parametrize(
    ("numbers", "raw"),
    [
        pytest.param({0x3FFD: 1251}, "Привет".encode("cp1251"), id="code page of the message"),
        pytest.param({0x3FDE: 28595}, "Привет".encode("iso8859-5"), id="internet code page"),
        pytest.param({0x3FF1: 0x0419}, "Привет".encode("cp1251"), id="code page of the locale"),
        pytest.param({0x3FFD: 65001}, "Привет всем, как дела у вас".encode("cp1251"), id="wrong code page is guessed"),
    ],
)
def test_8_bit_strings_are_decoded(numbers: dict[int, int], raw: bytes) -> None:
    assert "Привет" in text(read(make.outlook({SUBJECT: "s", BODY: raw}, numbers=numbers)))


def test_a_rights_managed_message_is_held() -> None:
    extraction = read(message(strings={0x001A: "IPM.Note.rpmsg.Microsoft.Voicemail"}))
    assert "rights_managed" in [code for _, code in unread(extraction)]


def test_an_attachment_by_reference_is_not_fetched() -> None:
    data = make.outlook({SUBJECT: "s", BODY: "b"}, attachments=[{FILE_NAME: "n.txt", 0x370D: "\\\\server\\n.txt"}])
    extraction = read(
        data.replace(make.struct.pack("<HHIII", 3, 0x3705, 6, 1, 0), make.struct.pack("<HHIII", 3, 0x3705, 6, 2, 0))
    )
    assert [code for _, code in unread(extraction)] == ["not_fetched"]
    assert "\\\\server\\n.txt" in text(extraction)


def test_messages_nested_too_deep_are_held() -> None:
    data = message()
    for _ in range(12):
        data = make.outlook({SUBJECT: "s", BODY: "b"}, attachments=[{DATA: data, FILE_NAME: "m.msg"}])
    assert "too_deep" in [code for _, code in unread(read(data))]


def test_a_winmail_reads_like_a_mail() -> None:
    extraction = read(
        make.winmail("plans", "see you on Monday", ("n.txt", b"just words"), properties={0x3A09: "604 555 0123"})
    )
    assert extraction.status == "read"
    assert labelled(extraction, Label.SUBJECT) == "plans"
    assert "see you on Monday" in text(extraction)
    assert "just words" in text(extraction)
    assert "Home phone: 604 555 0123" in text(extraction)


@pytest.mark.parametrize("cut", [30, 60, 90, 120])
def test_a_cut_winmail_is_corrupt(cut: int) -> None:
    data = make.winmail("plans", "see you on Monday", ("n.txt", b"just words"))
    assert "corrupt" in [code for _, code in unread(read(data[:cut]))]
