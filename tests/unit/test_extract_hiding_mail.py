"""No place of a mail is left out unread: headers of parts, odd structure, text encoded inside text."""

from __future__ import annotations

import base64
import binascii

import pytest

from tests.support.inprocess import read, text, unread

CANARY = "SIN 130 692 544, date of birth 1987-04-23"
HEAD = "From: Ana <ana@example.org>\nTo: bo@example.org\nSubject: roof\nMIME-Version: 1.0\n"
PROSE = "Hello Bo,\n\nthe meeting about the roof contract is moved to Thursday at ten in the usual room.\n\n"
IN_BASE64 = base64.encodebytes((PROSE + CANARY).encode()).decode()


def digits(value: str) -> str:
    """The digits of a text, so that blanks do not matter."""
    return "".join(c for c in value if c.isdigit())


def found(mail: str | bytes) -> bool:
    """Whether the canary is in what was read."""
    raw = mail.encode() if isinstance(mail, str) else mail
    return "130692544" in digits(text(read(raw)))


def plain(body: str, headers: str = "") -> str:
    return f"{HEAD}{headers}Content-Type: text/plain\n\n{body}"


def mixed(*parts: str, before: str = "", after: str = "", kind: str = "mixed") -> str:
    inner = "".join(f"--B\n{part}\n" for part in parts)
    return f'{HEAD}Content-Type: multipart/{kind}; boundary="B"\n\n{before}{inner}--B--\n{after}'


TEXT = f"Content-Type: text/plain\n\n{PROSE}"


@pytest.mark.parametrize("header", [
    "Content-Description: {}", "X-Note: {}", "Subject: {}", "Content-Disposition: attachment; note=\"{}\"",
    "Content-Disposition: attachment ({})", "Content-Disposition: attachment; filename=a.txt; filename=\"{}.txt\"",
    "Content-Disposition: attachment; filename=\"{}.txt\"; filename*=utf-8''a.txt"], ids=range(7))
def test_headers_of_parts_are_read(header: str) -> None:
    part = f"Content-Type: text/plain; name=a.txt\n{header.format(CANARY)}\n\nhello"
    assert found(mixed(TEXT, part))


@pytest.mark.parametrize("header", ["X-Spam-Report", "Content-Description", "X-Priority", "User-Agent", "List-Note",
                                    "X-Folder", "Importance", "Thread-Index"])
def test_headers_of_machines_are_read_when_written_in_words(header: str) -> None:
    assert found(plain("hello", f"{header}: {CANARY}\n"))


@pytest.mark.parametrize("line", ["X-Priority: 1 (Highest)", "X-Mailer: Microsoft Outlook 16.0",
                                  "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Thunderbird/128",
                                  "X-Spam-Status: No, score=-1.9 required=5.0 tests=BAYES_00,HTML_MESSAGE",
                                  "Received: from mail by host with SMTP id 130692544 for all of us; Mon, 3 Mar 2025"],
                         ids=range(5))
def test_what_machines_write_for_machines_stays_out(line: str) -> None:
    extraction = read(plain("hello", line + "\n").encode())
    assert line.partition(": ")[2] not in text(extraction)


def test_a_lost_envelope_line_among_headers_is_read() -> None:
    assert found(f"{HEAD}From {CANARY}\nX-A: b\n\nhello")


@pytest.mark.parametrize("mail", [
    f"{HEAD}Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=B\n\n--B\n{TEXT}\n--B--\n",
    f"{HEAD}Content-Type: multipart/mixed; boundary=A; boundary=B\n\n--A\n{TEXT}\n--A--\n--B\n{TEXT}\n--B--\n",
    f"{HEAD}Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\n{IN_BASE64}",
    f"{HEAD}Content-Type: multipart / mixed; boundary=B\n\n--B\n{TEXT}\n--B--\n",
    f"{HEAD}Content-Type: multipart; boundary=B\n\n--B\n{TEXT}\n--B--\n"], ids=range(5))
def test_structure_that_programs_take_differently_is_held(mail: str) -> None:
    assert ("corrupt" in {code for _, code in unread(read(mail.encode()))}) or found(mail)
    assert read(mail.encode()).status != "read"


@pytest.mark.parametrize("signature", ["application/pkcs7-signature", "application/pgp-signature"])
def test_a_signature_that_is_none_is_read(signature: str) -> None:
    assert found(mixed(TEXT, f"Content-Type: {signature}\n\n{CANARY}", kind="signed"))


def test_a_signature_is_left_out() -> None:
    part = "Content-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\n\nAAAA\n"
    assert read(mixed(TEXT, part, kind="signed").encode()).status == "read"


@pytest.mark.parametrize("mail", [
    plain(f"{PROSE}Content-Transfer-Encoding: base64\n\n{IN_BASE64}\nThanks\n"),
    plain(f"{PROSE}data: {base64.b64encode((PROSE + CANARY).encode()).decode()}\nthat\n"),
    plain("> " + IN_BASE64.replace("\n", "\n> ")),
    mixed(TEXT, after=f"--B\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{IN_BASE64}\n"),
    mixed(TEXT, before=f"Content-Transfer-Encoding: base64\n\n{IN_BASE64}\n"),
    f"{HEAD}Content-Type: text/plain\n\n\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{IN_BASE64}",
    plain("Content-Transfer-Encoding: quoted-printable\n\nSIN 130 6=\n92 5=\n44, born 1987=2D04-23\n"),
    f"{HEAD}Content-Transfer-Encoding: quoted-printable\n\nSIN 130 6=\r92 5=\r44\n"], ids=range(8))
def test_text_encoded_inside_text_is_read(mail: str) -> None:
    assert found(mail)


@pytest.mark.parametrize("token", [
    base64.b64encode(bytes(range(97, 255)) * 2).decode(), "A" * 400, "0123456789" * 30,
    "-----BEGIN PGP SIGNATURE-----\n\n" + base64.encodebytes(bytes(range(200, 256)) * 8).decode()], ids=range(4))
def test_tokens_that_say_nothing_hold_nothing(token: str) -> None:
    assert read(plain(f"{PROSE}{token}\n\nBye\n").encode()).status == "read"


def uu(content: bytes) -> str:
    return "".join(binascii.b2a_uu(content[at:at + 45]).decode() for at in range(0, len(content), 45)) + "`\nend\n"


@pytest.mark.parametrize(("begin", "mark"), [
    ("begin 644 a.txt", ""), ("begin 0100644 a.txt", ""), ("begin 644", ""), ("begin 644 a.txt", "> "),
    ("begin 644 a.txt", "  ")], ids=range(5))
def test_uuencoded_files_are_read_however_they_begin(begin: str, mark: str) -> None:
    lines = "".join(f"{mark}{line}\n" for line in (begin + "\n" + uu(CANARY.encode())).splitlines())
    assert found(plain(PROSE + lines))


def test_uuencoded_base64_and_text_beside_a_uuencoded_part() -> None:
    encoded = base64.encodebytes(CANARY.encode()).decode()
    assert found(plain(f"{PROSE}begin-base64 644 a.txt\n{encoded}====\n"))
    part = f"{HEAD}Content-Transfer-Encoding: x-uuencode\n\n{CANARY}\nbegin 644 a.txt\n{uu(b'hello')}"
    assert ("body", "corrupt") in unread(read(part.encode()))


@pytest.mark.parametrize(("body", "code"), [
    ("=ybegin line=128 size=4 name=a\nabcd\n=yend size=4\n", "unsupported"),
    ("(This file must be converted with BinHex 4.0)\n\n:$f*T:\n", "unsupported"),
    ("> -----BEGIN PGP MESSAGE-----\n>\n> AAAA\n", "encrypted")], ids=["yenc", "binhex", "pgp"])
def test_what_is_not_decoded_is_held(body: str, code: str) -> None:
    assert ("body", code) in unread(read(plain(PROSE + body).encode()))


def test_pgp_in_an_html_body_is_held() -> None:
    mail = f"{HEAD}Content-Type: text/html\n\n<p>-----BEGIN PGP MESSAGE-----<br>AAAA</p>"
    assert ("body (html)", "encrypted") in unread(read(mail.encode()))


@pytest.mark.parametrize(("content", "name", "status"), [
    ('{"a": "' + "".join(f"\\u{ord(c):04x}" for c in CANARY) + '"}', "a.json", "read"),
    ("%!PS-Adobe-3.0\n(S) show (IN) show\n", "a.ps", "partial")], ids=["json", "postscript"])
def test_text_files_of_other_languages(content: str, name: str, status: str) -> None:
    part = f"Content-Type: application/octet-stream\nContent-Disposition: attachment; filename={name}\n\n{content}"
    extraction = read(mixed(TEXT, part).encode())
    assert extraction.status == status
    assert status != "read" or "130692544" in digits(text(extraction))


@pytest.mark.parametrize(("kind", "body"), [
    ("text/enriched", "SIN 1<bold>30</bold> 69<italic>2</italic> 544"),
    ("text/plain; format=flowed; delsp=yes", "SIN 13 \n0 692 5 \n44, born")], ids=["enriched", "flowed"])
def test_words_cut_by_markup_or_line_breaks_are_joined(kind: str, body: str) -> None:
    assert "130 692 544" in text(read(f"{HEAD}Content-Type: {kind}\n\n{body}".encode()))


def test_letters_placed_one_by_one_are_joined() -> None:
    drawn = "".join(f"<t>{c}</t>" for c in "SIN130692544")
    assert "130692544" in text(read(f'<?xml version="1.0"?><a>{drawn}</a>'.encode()))
