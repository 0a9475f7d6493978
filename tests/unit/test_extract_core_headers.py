"""Decoding of mail headers and transfer encodings."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.extract import headers
from capture.extract.transfer import decode_transfer, uuencoded
from pii_scan.text import Address


@pytest.mark.parametrize(("raw", "shown"), [
    pytest.param("=?utf-8?q?caf=C3=A9?=", "café", id="quoted"),
    pytest.param("=?UTF-8?B?w6k=?= and =?iso-8859-1?Q?=E9?=", "é and é", id="two words apart"),
    pytest.param("=?utf-8?B?ww==?= =?utf-8?B?qQ==?=", "é", id="a character split between words"),
    pytest.param("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab", id="folded neighbours join"),
    pytest.param("=?no-such-charset?q?plain_text?=", "plain text", id="unknown charset"),
    pytest.param("=?utf-8?x?abc?=", "=?utf-8?x?abc?=", id="unknown encoding stays"),
    pytest.param("a =?utf-8?q?b?= c", "a b c", id="text around it stays"),
    pytest.param("=?utf-8*en?q?tagged?=", "tagged", id="language tag"),
])
def test_encoded_words(raw: str, shown: str) -> None:
    assert headers.decode_words(raw) == shown


@pytest.mark.parametrize(("raw", "name", "email"), [
    pytest.param("Ada Ames <Ada@X.example>", "Ada Ames", "ada@x.example", id="name and address"),
    pytest.param('"Ames, Ada" <ada@x.example>', "Ames, Ada", "ada@x.example", id="comma in quotes"),
    pytest.param("ada@x.example (Ada Ames)", "Ada Ames", "ada@x.example", id="name as comment"),
    pytest.param("=?utf-8?q?Ren=C3=A9e=2C_A?= <r@x.example>", "Renée, A", "r@x.example", id="comma in a word"),
    pytest.param("ada@x.example", "", "ada@x.example", id="bare"),
    pytest.param("Staff: ada@x.example", "", "ada@x.example", id="in a group"),
    pytest.param("Ada Ames", "Ada Ames", "", id="no address"),
    pytest.param('"Ada \\"Bee\\" Ames" <ada@x.example>', 'Ada "Bee" Ames', "ada@x.example", id="escaped quotes"),
])
def test_one_address(raw: str, name: str, email: str) -> None:
    assert headers.parse_addresses(raw, 10) == ([Address(name, email)], False)


def test_several_addresses_and_the_cap() -> None:
    found, cut = headers.parse_addresses("a@x.example, b@x.example; c@x.example", 10)
    assert [address.email for address in found] == ["a@x.example", "b@x.example", "c@x.example"]
    assert not cut
    found, cut = headers.parse_addresses("a@x.example,b@x.example", 1)
    assert len(found) == 1
    assert cut


@pytest.mark.parametrize(("raw", "main", "parameters"), [
    pytest.param('text/plain; charset="utf-8"', "text/plain", {"charset": "utf-8"}, id="quoted"),
    pytest.param("attachment; filename*=utf-8''caf%C3%A9.txt", "attachment", {"filename": "café.txt"}, id="rfc 2231"),
    pytest.param("attachment; filename*0=long; filename*1=name.txt", "attachment", {"filename": "longname.txt"},
                 id="continued"),
    pytest.param("attachment; filename*0*=iso-8859-1''caf%E9; filename*1=.txt", "attachment",
                 {"filename": "café.txt"}, id="continued with charset"),
    pytest.param('attachment; filename="=?utf-8?q?caf=C3=A9.txt?="', "attachment", {"filename": "café.txt"},
                 id="encoded word in a parameter"),
    pytest.param('attachment; filename="a;b.txt"', "attachment", {"filename": "a;b.txt"}, id="semicolon in quotes"),
    pytest.param("", "", {}, id="nothing"),
])
def test_values_with_parameters(raw: str, main: str, parameters: dict[str, str]) -> None:
    assert headers.parse_value(raw) == (main, parameters)


@pytest.mark.parametrize(("raw", "ids"), [
    pytest.param("<A.b@Host.EXAMPLE>", ("A.b@host.example",), id="domain casefolded, local part as sent"),
    pytest.param("<a@x.example>\r\n <b@x.example>", ("a@x.example", "b@x.example"), id="two"),
    pytest.param("a@x.example", ("a@x.example",), id="without brackets"),
    pytest.param("", (), id="none"),
    pytest.param("free words here", (), id="not an id"),
])
def test_message_ids(raw: str, ids: tuple[str, ...]) -> None:
    assert headers.message_ids(raw) == ids


@pytest.mark.parametrize(("raw", "sent"), [
    pytest.param("Mon, 6 Jan 2025 10:00:00 -0800", "2025-01-06T18:00:00+00:00", id="with zone"),
    pytest.param("Mon, 6 Jan 2025 10:00:00", "2025-01-06T10:00:00+00:00", id="without zone"),
    pytest.param("yesterday", "", id="no date"),
    pytest.param("Mon, 99 Jan 99999 99:99:99 +9999", "", id="impossible"),
])
def test_date(raw: str, sent: str) -> None:
    assert headers.sent_utc(raw) == sent


@pytest.mark.parametrize(("raw", "decoded", "damaged"), [
    pytest.param(b"aGVs\r\nbG8=", b"hello", False, id="folded"),
    pytest.param(b"aGVsbG8", b"hello", False, id="without padding"),
    pytest.param(b"aGVsbG8=aGVsbG8=", b"hellohello", False, id="two runs in a row"),
    pytest.param(b"aGVs!!bG8=", b"hello", True, id="strange characters"),
    pytest.param(b"aGVsb", b"hel", True, id="cut off"),
    pytest.param(b"", b"", False, id="empty"),
])
def test_base64(raw: bytes, decoded: bytes, damaged: bool) -> None:
    assert headers.decode_base64(raw) == (decoded, damaged)


def test_unknown_transfer_encoding_is_damage() -> None:
    assert decode_transfer(b"x", "x-strange") == (b"x", True)
    assert decode_transfer(b"caf=C3=A9", "Quoted-Printable") == ("café".encode(), False)


UU = b"begin 644 list.txt\n+:&5L;&\\@=V]R;&0 \n \nend\n"


def test_uuencoded_file_in_a_body_is_found() -> None:
    files = uuencoded(b"see below\n" + UU + b"bye\n")
    assert [(name, data, damaged) for name, data, damaged, _, _ in files] == [("list.txt", b"hello world", False)]


@pytest.mark.parametrize("body", [
    pytest.param(b"begin 644 reasons why\nwe should meet on Monday to talk it over\n", id="a sentence"),
    pytest.param(b"let us begin\n", id="the word"),
])
def test_words_are_not_uuencoded_files(body: bytes) -> None:
    assert uuencoded(body) == []


def test_uuencoded_file_without_end_is_damaged() -> None:
    ((_, data, damaged, _, _),) = uuencoded(UU.replace(b"end\n", b""))
    assert data == b"hello world"
    assert damaged


@pytest.mark.parametrize("hostile", [
    pytest.param("=?" * 30_000, id="open words"),
    pytest.param("=?utf-8?q?" + "a" * 60_000, id="a word without end"),
    pytest.param("(" * 60_000, id="open comments"),
    pytest.param(";" * 60_000, id="empty parameters"),
    pytest.param('"' * 59_999, id="quotes"),
    pytest.param("<" * 60_000, id="open brackets"),
    pytest.param("a*0*=" * 12_000, id="continuations"),
    pytest.param(",".join(["=?utf-8?b?w6k=?="] * 3_500), id="many words"),
])
def test_hostile_headers_cost_little(hostile: str) -> None:
    start = time.process_time()
    headers.decode_words(hostile)
    headers.parse_addresses(hostile, 2_000)
    headers.parse_value(hostile)
    headers.message_ids(hostile)
    headers.sent_utc(hostile)
    assert time.process_time() - start < 2


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet='=?utf-8QqBb_"<>()@;,:*\'\\ \r\n%0', max_size=200))
def test_no_header_raises(value: str) -> None:
    text, cut = headers.to_text(value, 100)
    assert len(text) <= 100
    assert cut == (len(value) > 100)
    headers.decode_words(value)
    headers.parse_value(value)
    headers.message_ids(value)
    headers.sent_utc(value)
    addresses, _ = headers.parse_addresses(value, 5)
    assert len(addresses) <= 5
    assert all(address.name or address.email for address in addresses)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 76))
def test_base64_round_trip_survives_line_breaks(data: bytes, width: int) -> None:
    encoded = base64.b64encode(data)
    folded = b"\r\n".join(encoded[i:i + width] for i in range(0, len(encoded), width)) if width else encoded
    assert headers.decode_base64(folded) == (data, False)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_transfer_encoding_raises(data: bytes) -> None:
    for encoding in ("base64", "quoted-printable", "x-uuencode", "7bit", ""):
        decode_transfer(data, encoding)
    uuencoded(b"begin 644 x\n" + data)
