"""Archives, pictures, CSV, calendars, XML and plain files: read whole, or named as unread."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import tarfile

import bombs
import py7zr
import pytest
from inprocess import places, read, text, unread
from PIL import Image, PngImagePlugin

from capture.extract.limits import Limits
from pii_scan.text import Block, Label, Table


def picture(width: int, height: int, kind: str = "PNG", *, comment: str = "") -> bytes:
    out = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    if comment:
        info.add_text("Comment", comment)
    image = Image.new("RGB", (width, height), "white")
    image.save(out, kind, **({"pnginfo": info} if kind == "PNG" else {}))
    return out.getvalue()


def tar_of(members: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def seven_of(members: dict[str, bytes], password: str | None = None) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", password=password) as archive:
        for name, content in members.items():
            archive.writestr(content, name)
    return out.getvalue()


MEMBERS = {"a.txt": b"words in a", "folder/b.txt": b"words in b"}


@pytest.mark.parametrize(("data", "name"), [
    pytest.param(bombs.zipped(MEMBERS), "x.zip", id="zip"),
    pytest.param(tar_of(MEMBERS), "x.tar", id="tar"),
    pytest.param(gzip.compress(tar_of(MEMBERS)), "x.tgz", id="tar in gzip"),
    pytest.param(bz2.compress(tar_of(MEMBERS)), "x.tar.bz2", id="tar in bzip2"),
    pytest.param(lzma.compress(tar_of(MEMBERS)), "x.tar.xz", id="tar in xz"),
    pytest.param(seven_of(MEMBERS), "x.7z", id="7z"),
])
def test_members_and_their_names_are_read(data: bytes, name: str) -> None:
    extraction = read(data, name)
    assert extraction.status == "read"
    assert "words in a" in text(extraction)
    assert "words in b" in text(extraction)
    assert "folder/b.txt" in text(extraction)


@pytest.mark.parametrize(("data", "code"), [
    pytest.param(bombs.encrypted_zip(), "encrypted", id="encrypted zip"),
    pytest.param(seven_of(MEMBERS, "password"), "encrypted", id="encrypted 7z"),
    pytest.param(bombs.zipped(MEMBERS)[:-30], "corrupt", id="cut zip"),
    pytest.param(seven_of(MEMBERS)[:-40], "corrupt", id="cut 7z"),
    pytest.param(gzip.compress(b"words " * 500)[:-20], "corrupt", id="cut gzip"),
    pytest.param(tar_of(MEMBERS)[:700], "corrupt", id="cut tar"),
    pytest.param(bombs.zeros_zipped(20), "ratio", id="zip bomb"),
    pytest.param(bombs.zeros_gzipped(20), "ratio", id="gzip bomb"),
    pytest.param(seven_of({"zeros": bytes(20_000_000)}), "ratio", id="7z bomb"),
    pytest.param(bombs.nested_zip(12), "too_deep", id="nested"),
])
def test_unreadable_archives(data: bytes, code: str) -> None:
    extraction = read(data, "x.zip")
    assert code in [found for _, found in unread(extraction)]


def test_one_bad_member_leaves_the_others() -> None:
    good = bytearray(bombs.zipped({"a.txt": b"words in a" * 9, "b.txt": b"words in b" * 9}))
    good[good.index(b"a.txt") + 7] ^= 0xFF
    extraction = read(bytes(good), "x.zip")
    assert [code for _, code in unread(extraction)] == ["corrupt"]
    assert "words in b" in text(extraction)


def test_the_byte_budget_is_shared_by_all_members() -> None:
    noise = {f"{n}.txt": bombs.random_bytes(200_000, n).hex().encode() for n in range(6)}
    extraction = read(bombs.zipped(noise), "x.zip", limits=Limits(expanded_bytes=1_000_000))
    assert ("file (zip)", "too_large") in unread(extraction)
    assert "member 1 (text)" in places(extraction)[1]


def test_links_in_tar_files_are_named_not_followed() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("innocent")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    extraction = read(out.getvalue(), "x.tar")
    assert "innocent /etc/passwd" in text(extraction)


MAILED = [
    # (width, height, held)
    pytest.param(189, 55, False, id="signature logo"),
    pytest.param(1, 1, False, id="tracking pixel"),
    pytest.param(100, 100, False, id="at the limit"),
    pytest.param(101, 101, True, id="over the limit"),
    pytest.param(600, 100, False, id="banner"),
    pytest.param(2_000, 90, True, id="a line of a screenshot"),
    pytest.param(1_200, 1_600, True, id="photographed form"),
]


@pytest.mark.parametrize(("width", "height", "held"), MAILED)
def test_pictures_in_a_mail_without_ocr(width: int, height: int, held: bool) -> None:
    extraction = read(bombs.mail(b"see below\r\n", ("p.png", picture(width, height))))
    assert unread(extraction) == ([("attachment 1 of 1 (png)", "needs_ocr")] if held else [])


def test_a_picture_that_is_the_item_is_always_held() -> None:
    assert [code for _, code in unread(read(picture(136, 66), "scan.png"))] == ["needs_ocr"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_every_picture_format_is_held(kind: str) -> None:
    assert [code for _, code in unread(read(picture(300, 300, kind)))] == ["needs_ocr"]


def test_text_in_picture_properties_is_read() -> None:
    extraction = read(picture(300, 300, comment="Zed Quill, form 7"))
    assert Block("Zed Quill, form 7", Label.PROPERTY, "picture properties") in extraction.parts[0].blocks
    assert extraction.parts[0].status == "partial"


def test_broken_and_huge_pictures() -> None:
    assert [code for _, code in unread(read(picture(300, 300)[:60]))] == ["corrupt"]
    assert [code for _, code in unread(read(bombs.huge_png(30_000)))] == ["too_large"]


@pytest.mark.parametrize(("raw", "rows"), [
    pytest.param(b"Name,DOB\nZed,2001-02-03\n", (("Name", "DOB"), ("Zed", "2001-02-03")), id="comma"),
    pytest.param(b"Name;DOB\nQuill, Zed;2001-02-03\n", (("Name", "DOB"), ("Quill, Zed", "2001-02-03")), id="semicolon"),
    pytest.param(b"Name\tDOB\nZed\t2001-02-03\n", (("Name", "DOB"), ("Zed", "2001-02-03")), id="tab"),
    pytest.param(b'Name,Note\n"Quill, Zed","two\nlines"\n', (("Name", "Note"), ("Quill, Zed", "two\nlines")),
                 id="quotes"),
    pytest.param(b"sep=;\nName;DOB\nZed;x\n", (("Name", "DOB"), ("Zed", "x")), id="separator line"),
    pytest.param("Näme,DOB\nZoé,x\n".encode("cp1252"), (("Näme", "DOB"), ("Zoé", "x")), id="cp1252"),
    pytest.param("Name,DOB\nZoé,x\n".encode("utf-16"), (("Name", "DOB"), ("Zoé", "x")), id="utf-16"),
])
def test_delimited_text_is_a_table(raw: bytes, rows: tuple[tuple[str, ...], ...]) -> None:
    (table,) = [block for block in read(raw, "list.csv").parts[0].blocks if isinstance(block, Table)]
    assert table.rows == rows
    assert table.first_row == 1


def test_a_long_list_is_one_table() -> None:
    raw = b"name,number\n" + b"".join(b"person %d,%d\n" % (n, n) for n in range(60_000))
    (table,) = [block for block in read(raw, "list.csv").parts[0].blocks if isinstance(block, Table)]
    assert len(table.rows) == 60_001


EVENT = """BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
SUMMARY:Interview\\, second\r
DTSTART:20250106T100000\r
DESCRIPTION:A long line that is fol\r
 ded\\nand has two lines\r
ATTENDEE;CN="Quill, Zed":mailto:zed@x.example\r
X-ALT-DESC;FMTTYPE=text/html:<p>in <b>html</b></p>\r
X-PRIVATE:some words\r
ATTACH;ENCODING=BASE64;VALUE=BINARY;FILENAME=a.txt:{attachment}\r
END:VEVENT\r
END:VCALENDAR\r
""".replace("{attachment}", base64.b64encode(b"attached words").decode())


def test_calendar() -> None:
    extraction = read(EVENT.encode(), "a.ics")
    found = text(extraction)
    for words in ("Interview, second", "folded\nand has two lines", "Quill, Zed", "zed@x.example", "in html",
                  "some words", "attached words", "20250106T100000"):
        assert words in found, words
    assert places(extraction) == ["file (ics)", "file (ics), attachment 1 of 1 (text)"]
    assert extraction.status == "read"


def test_contact_card() -> None:
    card = ("BEGIN:VCARD\nVERSION:2.1\nN:Quill;Zed\nTEL;HOME:604 555 0100\nBDAY:2001-02-03\n"
            "NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:caf=C3=A9 =\nwords\nEND:VCARD\n")
    found = text(read(card.encode(), "a.vcf"))
    for words in ("Quill;Zed", "604 555 0100", "2001-02-03", "café words"):
        assert words in found, words


def test_xml_gives_text_attributes_and_comments() -> None:
    found = text(read(b"<?xml version='1.0'?><a n='in attribute'>in text<!-- in comment --><![CDATA[in cdata]]></a>"))
    for words in ("in attribute", "in text", "in comment", "in cdata"):
        assert words in found


def test_entities_in_xml_are_held() -> None:
    extraction = read(b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
    assert [code for _, code in unread(extraction)] == ["external_entity"]


@pytest.mark.parametrize("data", [b"", b"  \r\n\t\n", b"\xef\xbb\xbf"])
def test_empty_files_are_read(data: bytes) -> None:
    assert read(bombs.mail(b"x\r\n", ("a.txt", data))).status == "read"


def test_a_text_larger_than_the_budget_is_cut_and_held() -> None:
    extraction = read(b"words " * 1_000, "a.txt", limits=Limits(text_chars=3_000))
    assert [code for _, code in unread(extraction)] == ["too_large"]
    assert 2_900 <= len(text(extraction)) <= 3_010


def test_a_missing_reader_is_unsupported() -> None:
    assert [code for _, code in unread(read(b"Rar!\x1a\x07\x00" + bytes(50), "a.rar"))] == ["unsupported"]
