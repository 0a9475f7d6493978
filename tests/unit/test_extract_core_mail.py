"""Mails: parts and their places, bodies, sealed content, damage."""

from __future__ import annotations

import base64

import bombs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inprocess import places, read, text, unread

from pii_scan.text import Address, Block, Label

HEAD = b"From: Ada Ames <ada@a.example>\r\nTo: Ben <ben@b.example>\r\nSubject: plans\r\nMIME-Version: 1.0\r\n"


def multipart(*parts: bytes, kind: bytes = b"mixed", extra: bytes = b"") -> bytes:
    """A mail of `parts`, each with its own header."""
    return (HEAD + b'Content-Type: multipart/%b; boundary="b"%b\r\n\r\n' % (kind, extra)
            + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n")


def plain(body: bytes, charset: bytes = b"utf-8") -> bytes:
    return b"Content-Type: text/plain; charset=" + charset + b"\r\n\r\n" + body


def attached(data: bytes, name: bytes, mime: bytes = b"application/octet-stream") -> bytes:
    return (b"Content-Type: " + mime + b'\r\nContent-Disposition: attachment; filename="' + name
            + b'"\r\nContent-Transfer-Encoding: base64\r\n\r\n' + base64.encodebytes(data))


def test_parts_have_places_that_count_and_paths_that_name() -> None:
    inner = bombs.zipped({"roster.csv": b"a,b,c\n1,2,3\n4,5,6\n"})
    extraction = read(multipart(plain(b"hello"), attached(b"just words", b"n.txt"), attached(inner, b"report.zip")))
    assert places(extraction) == ["headers", "body", "attachment 1 of 2 (text)", "attachment 2 of 2 (zip)",
                                  "attachment 2 of 2 (zip), member 1 (csv)"]
    assert extraction.parts[-1].path == "mail > report.zip > roster.csv"
    assert extraction.status == "read"


def test_file_names_are_scanned_but_in_no_place() -> None:
    extraction = read(multipart(plain(b"hello"), attached(b"words", b"Zed Quill medical.txt")))
    assert Block("Zed Quill medical.txt", Label.NAME) in extraction.parts[-1].blocks
    assert all("Quill" not in place for place in places(extraction))
    assert "Quill" not in repr(extraction.parts)


def test_envelope() -> None:
    raw = (b"From: =?utf-8?q?Ren=C3=A9e?= <R@A.example>\r\nTo: b@b.example, C <c@c.example>\r\nCc: d@d.example\r\n"
           b"Subject: =?utf-8?b?w6k=?= plan\r\nMessage-ID: <X.1@HOST.example>\r\nIn-Reply-To: <p@h.example>\r\n"
           b"References: <o@h.example> <p@h.example>\r\nDate: Mon, 6 Jan 2025 10:00:00 -0800\r\n"
           b"List-Id: <l.example>\r\nSensitivity: Private\r\nKeywords: Red, Blue\r\n\r\nhello\r\n")
    envelope = read(raw).envelope
    assert envelope.sender == Address("Renée", "r@a.example")
    assert [address.email for address in envelope.recipients] == ["b@b.example", "c@c.example", "d@d.example"]
    assert envelope.subject == "é plan"
    assert envelope.message_id == "X.1@host.example"
    assert envelope.in_reply_to == "p@h.example"
    assert envelope.references == ("o@h.example", "p@h.example")
    assert envelope.sent == "2025-01-06T18:00:00+00:00"
    assert envelope.list_mail
    assert envelope.sensitivity == "Private"
    assert envelope.categories == ("Red", "Blue")


def test_the_envelope_is_that_of_the_item_not_of_a_mail_inside() -> None:
    inner = bombs.mail(b"inner words\r\n", subject="inner subject")
    extraction = read(multipart(plain(b"see below"), b"Content-Type: message/rfc822\r\n\r\n" + inner))
    assert extraction.envelope.subject == "plans"
    assert places(extraction)[2:] == ["attachment 1 of 1 (eml)", "attachment 1 of 1 (eml), headers",
                                      "attachment 1 of 1 (eml), body"]
    assert "inner subject" in text(extraction)
    assert "inner words" in text(extraction)


def test_both_alternatives_are_read() -> None:
    html = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>only in <b>html</b></p>"
    extraction = read(multipart(plain(b"only in plain"), html, kind=b"alternative"))
    assert places(extraction) == ["headers", "body", "body (html)"]
    assert "only in plain" in text(extraction)
    assert "only in html" in text(extraction)


@pytest.mark.parametrize(("body", "charset", "wanted"), [
    pytest.param("café".encode(), b"utf-8", "café", id="as declared"),
    pytest.param("café au lait".encode("cp1252"), b"no-such", "café au lait", id="unknown charset"),
    pytest.param("café au lait".encode("cp1252"), b"us-ascii", "café au lait", id="wrong charset"),
    pytest.param("café".encode("utf-16"), b"utf-16", "café", id="utf-16"),
    pytest.param("Привет, как дела сегодня, уважаемые коллеги".encode("koi8-r"), b"koi8-r", "Привет, как", id="koi8-r"),
    pytest.param(b"plain", b"base64", "plain", id="a codec that is no charset"),
])
def test_charsets(body: bytes, charset: bytes, wanted: str) -> None:
    encoded = base64.encodebytes(body)
    raw = (HEAD + b"Content-Type: text/plain; charset=" + charset
           + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded)
    extraction = read(raw)
    assert wanted in text(extraction)
    assert extraction.status == "read"


def test_eight_bit_bodies_without_a_charset_are_read() -> None:
    assert "café au lait" in text(read(HEAD + b"\r\n" + "café au lait".encode("cp1252")))


def test_invisible_characters_do_not_hide_words() -> None:
    extraction = read(HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "1\u200b30 6\u00ad92 ５４４".encode())
    assert "130 692 544" in text(extraction)


def test_broken_base64_gives_what_can_be_read_and_holds() -> None:
    whole = base64.encodebytes(b"first half of the words, second half of the words")
    broken = whole[:20] + b"!?" + whole[20:]
    raw = multipart(plain(b"x"), b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n"
                                 b"Content-Transfer-Encoding: base64\r\n\r\n" + broken)
    extraction = read(raw)
    assert unread(extraction) == [("attachment 1 of 1 (text)", "corrupt")]
    assert "second half" in text(extraction)


def test_uuencoded_attachment_is_taken_out_of_the_body() -> None:
    extraction = read(HEAD + b"\r\nsee list\r\n\r\nbegin 644 list.txt\r\n+:&5L;&\\@=V]R;&0 \r\n \r\nend\r\n")
    assert places(extraction) == ["headers", "body", "attachment 1 of 1 (text)"]
    assert "hello world" in text(extraction)
    assert "+:&5L" not in text(extraction)


SEALED = [
    pytest.param(multipart(b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1",
                           b"Content-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\nx",
                           kind=b"encrypted"), "encrypted", id="PGP/MIME"),
    pytest.param(HEAD + b"\r\nhello\r\n-----BEGIN PGP MESSAGE-----\r\nhQEM\r\n-----END PGP MESSAGE-----\r\n",
                 "encrypted", id="PGP in the body"),
    pytest.param(multipart(plain(b"This message is protected."), attached(b"\x76\xe8\x04\x60x", b"message.rpmsg",
                 b"application/x-microsoft-rpmsg-message")), "rights_managed", id="rights-managed"),
    pytest.param(HEAD + b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
                 b"Content-Transfer-Encoding: base64\r\n\r\n"
                 + base64.encodebytes(bytes.fromhex("302006092a864886f70d010703a0133011020100") + bytes(13)),
                 "encrypted", id="S/MIME"),
    pytest.param(multipart(plain(b"x"), b"Content-Type: message/external-body; access-type=URL\r\n\r\n"),
                 "not_fetched", id="external body"),
    pytest.param(multipart(plain(b"x"), attached(bombs.encrypted_zip(), b"a.zip")), "encrypted", id="encrypted zip"),
    pytest.param(multipart(plain(b"x"), attached(bombs.random_bytes(3_000), b"a.bin")), "unknown_type", id="noise"),
    pytest.param(multipart(plain(b"x"), attached(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000), b"a.doc")),
                 "corrupt", id="broken OLE"),
    pytest.param(HEAD + b"Content-Type: multipart/mixed; boundary=none\r\n\r\nno parts at all\r\n", "corrupt",
                 id="parts that cannot be told apart"),
]


@pytest.mark.parametrize(("raw", "code"), SEALED)
def test_what_cannot_be_read_is_named(raw: bytes, code: str) -> None:
    extraction = read(raw)
    assert code in [found for _, found in unread(extraction)]
    assert extraction.status != "read"


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    head = bytes([length]) if length < 128 else bytes([0x82, length >> 8, length & 255])
    return bytes([tag]) + head + content


def signed(content: bytes | None) -> bytes:
    """A PKCS #7 SignedData without signers, around `content`."""
    data_oid, signed_oid = bytes.fromhex("06092a864886f70d010701"), bytes.fromhex("06092a864886f70d010702")
    inner = der(0x30, data_oid + (der(0xA0, der(0x04, content)) if content is not None else b""))
    body = der(0x30, der(0x02, b"\1") + der(0x31, b"") + inner + der(0x31, b""))
    return der(0x30, signed_oid + der(0xA0, body))


def test_opaque_signature_is_unwrapped() -> None:
    inner = b"Content-Type: text/plain\r\n\r\nwords inside the signature\r\n"
    raw = (HEAD + b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n"
           b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(signed(inner)))
    extraction = read(raw)
    assert "words inside the signature" in text(extraction)
    assert extraction.status == "read"


def test_detached_signature_holds_nothing_up() -> None:
    raw = multipart(plain(b"signed words"), attached(signed(None), b"smime.p7s", b"application/pkcs7-signature"),
                    kind=b"signed")
    assert places(read(raw)) == ["headers", "body"]
    raw = multipart(plain(b"signed words"), attached(signed(None), b"smime.p7s", b"application/pkcs7-signature"))
    assert read(raw).status == "read"


def test_truncated_signature_is_corrupt() -> None:
    raw = multipart(plain(b"x"), attached(signed(b"content")[:-12], b"smime.p7m"))
    assert [code for _, code in unread(read(raw))] == ["corrupt"]


def test_preamble_and_epilogue_are_read_as_hidden_text() -> None:
    raw = multipart(plain(b"x")).replace(b"\r\n\r\n--b\r\n", b"\r\n\r\nwords before\r\n--b\r\n") + b"words after\r\n"
    blocks = [block for part in read(raw).parts for block in part.blocks if isinstance(block, Block)]
    hidden = [block.text.strip() for block in blocks if block.label is Label.HIDDEN]
    assert hidden == ["words before", "words after"]


def test_mbox_mails_are_parts() -> None:
    one = b"From a@b.example Mon Jan  6 10:00:00 2025\n" + HEAD.replace(b"\r", b"") + b"\nfirst\n>From here\n\n"
    extraction = read(one + one.replace(b"first", b"second"))
    assert places(extraction)[0] == "mail 1 of 2 (eml)"
    assert "first\nFrom here" in text(extraction)
    assert "second" in text(extraction)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_as_a_mail_end_in_a_result(data: bytes) -> None:
    extraction = read(HEAD + data)
    assert extraction.parts
    assert all(part.code for part in extraction.parts if part.status != "read")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: message/rfc822\r\n", b"\r\n", b"--b\r\n",
    b"--b--\r\n", b"Content-Transfer-Encoding: base64\r\n", b"aGVsbG8=\r\n",
    b"Content-Disposition: attachment; filename*=x''%\r\n",
    b"Content-Type: text/html\r\n", b"<table><tr><td>x", b"begin 644 a\r\n", b"\xff\xfe", b">From x\r\n", b" \r\n"]),
    max_size=30))
def test_shuffled_pieces_of_mail_end_in_a_result(pieces: list[bytes]) -> None:
    extraction = read(HEAD + b"".join(pieces))
    assert extraction.parts
    assert places(extraction)[0] in ("headers", "mail")


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=64, max_size=800))
def test_noise_is_never_read(data: bytes) -> None:
    """Bytes of which an eighth are control characters are no text and no known type."""
    noise = b"".join(bytes([byte, 0x01]) for byte in data)
    extraction = read(multipart(plain(b"x"), attached(noise, b"a.docx")))
    assert extraction.status != "read"
