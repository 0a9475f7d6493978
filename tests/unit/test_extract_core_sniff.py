"""Types by content, charsets, and what counts as text."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import bombs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.extract.sniff import Sniffed, sniff
from capture.extract.textual import as_text, decode, is_charset, normalise


def odf(mime: str) -> bytes:
    return bombs.zipped({"mimetype": mime.encode(), "content.xml": b"<x/>"}, zipfile.ZIP_STORED)


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(("data", "kind"), [
    pytest.param(bombs.docx_of("x"), "docx", id="docx"),
    pytest.param(bombs.xlsx(b""), "xlsx", id="xlsx"),
    pytest.param(bombs.zipped({"[Content_Types].xml": b"macroEnabled.main+xml word.document.macroEnabled",
                               "word/document.xml": b""}), "docm", id="docm"),
    pytest.param(bombs.zipped({"[Content_Types].xml": b"", "xl/workbook.bin": b""}), "xlsb", id="xlsb"),
    pytest.param(bombs.zipped({"[Content_Types].xml": b"presentationml.slideshow", "ppt/presentation.xml": b""}),
                 "ppsx", id="ppsx"),
    pytest.param(odf("application/vnd.oasis.opendocument.text"), "odt", id="odt"),
    pytest.param(odf("application/vnd.oasis.opendocument.spreadsheet"), "ods", id="ods"),
    pytest.param(odf("application/epub+zip"), "zip", id="epub is a zip"),
    pytest.param(bombs.zipped({"a.txt": b"x"}), "zip", id="zip"),
    pytest.param(bombs.zipped({}), "zip", id="empty zip"),
    pytest.param(bombs.pdf([b""]), "pdf", id="pdf"),
    pytest.param(b"junk before\n" + bombs.pdf([b""]), "pdf", id="pdf after junk"),
    pytest.param(b"{\\rtf1 x}", "rtf", id="rtf"),
    pytest.param(b" \r\n{\\rtf1 x}", "rtf", id="rtf after blanks"),
    pytest.param(bombs.huge_png(1), "png", id="png"),
    pytest.param(b"\xff\xd8\xff\xe0" + bytes(20), "jpg", id="jpg"),
    pytest.param(b"BM" + bytes(12) + b"\x28" + bytes(40), "bmp", id="bmp"),
    pytest.param(b"RIFF\0\0\0\0WEBP" + bytes(20), "webp", id="webp"),
    pytest.param(gzip.compress(b"x"), "gz", id="gz"),
    pytest.param(tar(), "tar", id="tar"),
    pytest.param(b"7z\xbc\xaf\x27\x1c" + bytes(40), "7z", id="7z"),
    pytest.param(bombs.tnef_53(), "tnef", id="tnef"),
    pytest.param(b"<!DOCTYPE html><p>x", "html", id="html by doctype"),
    pytest.param(b"\n<!-- c -->\n<HTML><body>x", "html", id="html after a comment"),
    pytest.param(b"<?xml version='1.0'?><html xmlns='x'><p/></html>", "html", id="xhtml"),
    pytest.param(b"<?xml version='1.0'?><data/>", "xml", id="xml"),
    pytest.param(b"BEGIN:VCALENDAR\r\n", "ics", id="ics"),
    pytest.param(b"begin:vcard\r\n", "vcf", id="vcf"),
    pytest.param(b"From: a@b.c\nSubject: x\n\nhi", "eml", id="mail"),
    pytest.param(b"From a@b.c Mon Jan  6 10:00:00 2025\nFrom: a@b.c\nSubject: x\n\nhi\n\n" * 2, "mbox", id="mbox"),
    pytest.param(b"From a@b.c Mon Jan  6 10:00:00 2025\nFrom: a@b.c\nSubject: x\n\nhi\n\n", "eml",
                 id="mail in mbox form"),
    pytest.param(b"-----BEGIN PGP MESSAGE-----\n\nx", "pgp", id="pgp"),
    pytest.param(b"-----BEGIN PKCS7-----\nx", "p7m", id="pem"),
    pytest.param(b"a;b;c\n1;2;3\n4;5;6\n", "csv", id="csv without a name"),
    pytest.param(b"Just a note.\nWith two lines.\n", "text", id="text"),
    pytest.param("текст на русском языке, и ничего больше".encode("cp1251"), "text", id="cyrillic"),
    pytest.param("a note".encode("utf-16-le"), "text", id="utf-16 without a mark"),
    pytest.param(b"From: here on we walk.\nIt is far.\n", "text", id="a sentence is no mail"),
    pytest.param(b"MZ stands for Mark Zbikowski, who made it up.\n", "text", id="MZ in words"),
])
def test_type_by_content(data: bytes, kind: str) -> None:
    assert sniff(data) == Sniffed(kind)


@pytest.mark.parametrize(("data", "code"), [
    pytest.param(bombs.random_bytes(3_000), "unknown_type", id="noise"),
    pytest.param(b"MZ" + bombs.random_bytes(3_000), "unknown_type", id="program"),
    pytest.param(bombs.docx_of("x")[:200], "corrupt", id="cut zip"),
    pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "corrupt", id="cut OLE"),
    pytest.param(b"\0\0\0\x18ftypmp42" + bytes(50), "unknown_type", id="film"),
    pytest.param(b"\0\0\0\x18ftypheic" + bytes(50), "unsupported", id="heic"),
])
def test_what_cannot_be_read_says_why(data: bytes, code: str) -> None:
    assert sniff(data, name="a.docx").code == code


@pytest.mark.parametrize(("name", "data", "named_as"), [
    pytest.param("scan.jpg", bombs.pdf([b""]), "jpg", id="PDF named jpg"),
    pytest.param("a.PDF", bombs.pdf([b""]), "", id="as named"),
    pytest.param("a.txt", b"a;b;c\n1;2;3\n4;5;6\n", "", id="texts are one family"),
    pytest.param("a.xlsm", bombs.xlsx(b""), "", id="workbooks are one family"),
    pytest.param("a.docx", bombs.zipped({"a": b""}), "docx", id="zip named docx"),
    pytest.param("a.unheard", b"words", "", id="unknown extension"),
    pytest.param("noname", b"words", "", id="no extension"),
])
def test_mismatch_of_name_and_content_is_noted(name: str, data: bytes, named_as: str) -> None:
    assert sniff(data, name=name).named_as == named_as


def test_the_name_chooses_among_texts_only() -> None:
    assert sniff(b"a,b\n", name="a.csv").kind == "csv"
    assert sniff(b"<b>x</b>", name="a.html").kind == "html"
    assert sniff(b"Subject: x\n\nhi", declared="message/rfc822").kind == "eml"
    assert sniff(b"From: a@b.c\nSubject: x\n\nhi", name="a.txt").kind == "text"
    assert sniff(b"From: a@b.c\nMIME-Version: 1.0\nContent-Type: text/html\n\nhi", name="a.txt").kind == "eml"


def test_charset_order() -> None:
    assert decode("é".encode("utf-8-sig")).text == "é"
    assert decode("é".encode(), "iso-8859-1").text == "Ã©"
    assert decode("é".encode(), "no-such").text == "é"
    assert decode(b"caf\xe9 and more plain words").guessed


@pytest.mark.parametrize("name", ["base64", "rot13", "punycode", "unicode_escape", "idna", "undefined", "no-such", ""])
def test_codecs_that_are_no_charsets(name: str) -> None:
    assert not is_charset(name)


def test_printable_share() -> None:
    assert as_text(b"words " * 100 + b"\x01\x02") is not None
    assert as_text(b"words" + bytes(5)) is None
    assert as_text(b"") is not None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2_000), st.text(max_size=12), st.booleans())
def test_any_bytes_have_a_type_or_a_reason(data: bytes, name: str, is_item: bool) -> None:
    found = sniff(data, name=name, is_item=is_item)
    assert found.kind
    assert found.code or found.kind != "unknown"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=500), st.sampled_from(["", "utf-8", "utf-16", "cp1252", "big5", "utf-7", "hz", "x"]))
def test_decoding_never_raises(data: bytes, charset: str) -> None:
    decode(data, charset)
    as_text(data, charset)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
