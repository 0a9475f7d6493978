"""No place of an attached file is left out unread: beside the cells, between the members, after the end."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib

import pytest
from PIL import Image, PngImagePlugin

from tests.support import documents
from tests.support.inprocess import read, text, unread

CANARY = "SIN 130 692 544, date of birth 1987-04-23"
HELLO = documents.paragraph("Hello there, all is well with the roof.")
CELL = "<row r='1'><c r='A1' t='inlineStr'><is><t>Hello there</t></is></c></row>"
S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def seen(data: bytes) -> bool:
    """Whether the canary is in what was read of a file."""
    return "130692544" in "".join(c for c in text(read(data)) if c.isdigit())


def zipped(*members: tuple[str | zipfile.ZipInfo, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("parts", [
    {"customXml__item1": f"<r a='{CANARY}'/>"}, {"customXml__item1": "<r sin='130692544'/>"},
    {"customXml__item1": f"<r><!-- {CANARY} --></r>"}, {"customXml__item1": f"<r><?note {CANARY}?></r>"},
    {"word__numbering": documents.word_part("numbering", f"<w:lvlText w:val='{CANARY}'/>")},
    {"word__charts__chart1": f"<c:chartSpace xmlns:c='c'><c:f>'{CANARY}'!A1</c:f></c:chartSpace>"},
    {"word__webextensions__webextension1": f"<webextension><property value='{CANARY}'/></webextension>"},
    {"word__other1": f"<presentation><a>{CANARY}</a></presentation>"},
    {"docProps__coreDOTpsmdcp": f"<coreProperties><subject>{CANARY}</subject></coreProperties>"},
    {"word___rels__documentDOTxmlDOTrels": documents.relations(("r", "hyperlink", "mailto:a?body=130%20692%20544",
                                                                True))}], ids=range(10))
def test_parts_of_a_document_hide_nothing(parts: dict[str, str]) -> None:
    assert seen(documents.word(HELLO, **parts))


@pytest.mark.parametrize("inner", [
    f"<w:docPr name='{CANARY}'/>", f"<w:tbl><w:tblPr><w:tblCaption w:val='{CANARY}'/></w:tblPr></w:tbl>",
    "<w:smartTag><w:attr w:name='sin' w:val='130 692 544'/></w:smartTag>", f"<w:hyperlink w:anchor='{CANARY}'/>",
    "<w:p>" + "".join(f"<w:r><w:sym w:font='Symbol' w:char='F0{ord(c):02X}'/></w:r>" for c in "130692544") + "</w:p>",
    f"<w:placeholder><w:docPart w:val='{CANARY}'/></w:placeholder>", f"<w:foo>{CANARY}</w:foo>"], ids=range(7))
def test_attributes_and_unknown_elements_of_a_document_are_read(inner: str) -> None:
    assert seen(documents.word(HELLO + inner))


@pytest.mark.parametrize("after", [
    f"<dataValidations><dataValidation><formula1>\"{CANARY}\"</formula1></dataValidation></dataValidations>",
    f"<autoFilter><filters><filter val='{CANARY}'/></filters></autoFilter>",
    f"<scenarios><scenario comment='{CANARY}'/></scenarios>", f"<ext><f>{CANARY}</f></ext>",
    f"<protectedRange name='{CANARY}'/>", f"<cfRule text='{CANARY}'/>"], ids=range(6))
def test_a_sheet_hides_nothing_beside_its_cells(after: str) -> None:
    assert seen(documents.workbook(CELL, after=after))


@pytest.mark.parametrize("rows", [
    f"<row r='1'><c r='A1' t='str'><f>\"{CANARY}\"</f><v>hello</v></c></row>",
    f"<row r='0'><c r='A0' t='inlineStr'><is><t>{CANARY}</t></is></c></row>",
    f"<row r='1'><c r='ZZZZ1' t='inlineStr'><is><t>{CANARY}</t></is></c></row>",
    f"<row r='1'><c r='a1' t='inlineStr'><is><t>{CANARY}</t></is></c></row>",
    f"<row r='1'><c r='A1' t='str'><v>{CANARY}</v></c><c r='A1' t='str'><v>hi</v></c></row>"], ids=range(5))
def test_cells_at_odd_places_are_read(rows: str) -> None:
    assert seen(documents.workbook(rows))


@pytest.mark.parametrize(("member", "content"), [
    ("xl/chartsheets/sheet1.xml", f"<chartsheet {S}><oddHeader>{CANARY}</oddHeader></chartsheet>"),
    ("xl/revisions/userNames.xml", f"<users {S}><userInfo name='{CANARY}'/></users>"),
    ("xl/activeX/activeX1.xml", f"<ocx><ocxPr name='Caption' value='{CANARY}'/></ocx>"),
    ("xl/externalLinks/externalLink1.xml", f"<externalLink {S}><ddeLink><val>{CANARY}</val></ddeLink></externalLink>")],
    ids=range(4))
def test_other_parts_of_a_workbook_are_read(member: str, content: str) -> None:
    assert seen(documents.workbook(CELL, extra={member: content}))


@pytest.mark.parametrize("body", [
    f"<text:p>x<text:placeholder text:description='{CANARY}'>y</text:placeholder></text:p>",
    f"<text:section text:name='{CANARY}'><text:p>x</text:p></text:section>",
    f"<text:p>x<text:dropdown><text:label text:value='{CANARY}'/></text:dropdown></text:p>",
    f"<text:p>x</text:p><text:hidden-paragraph>{CANARY}</text:hidden-paragraph>"], ids=range(4))
def test_attributes_of_open_documents_are_read(body: str) -> None:
    assert seen(documents.open_document("text", body))


def test_names_of_typefaces_and_identifiers_are_no_text() -> None:
    fonts = documents.word_part("fonts", "<w:font w:ascii='Times New Roman Bold'/>")
    item = "<r id='{6F9619FF-8B86-D011-B42D-00C04FC964FF}' on='true' n='12'/>"
    shown = text(read(documents.word(HELLO, word__fontTable=fonts, customXml__item1=item)))
    assert "Times" not in shown
    assert "6F9619FF" not in shown


def test_a_member_listed_twice_and_bytes_around_a_document_are_held() -> None:
    once = documents.word(HELLO)
    with zipfile.ZipFile(io.BytesIO(once)) as archive:
        members: list[tuple[str | zipfile.ZipInfo, str]] = [(i.filename, archive.read(i).decode())
                                                            for i in archive.infolist()]
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped(*members, members[-1])
    for data in (twice, zipped(("a.txt", CANARY)) + once, once + zipped(("a.txt", CANARY))):
        assert read(data).status != "read"
    assert seen(once + CANARY.encode())
    assert read(once + b"\0" * 100).status == "read"


def unlisted() -> bytes:
    """A zip with a member before the listed one that its directory leaves out."""
    hidden, shown = zipped(("a.txt", CANARY)), zipped(("b.txt", "hello there"))
    hidden = hidden[:hidden.index(b"PK\1\2")]
    at = shown.index(b"PK\1\2")
    directory, end = bytearray(shown[at:shown.index(b"PK\5\6")]), bytearray(shown[shown.index(b"PK\5\6"):])
    struct.pack_into("<I", directory, 42, len(hidden))
    struct.pack_into("<I", end, 16, len(hidden) + at)
    return hidden + shown[:at] + bytes(directory) + bytes(end)


@pytest.mark.parametrize("data", [unlisted(), zipped(("a.txt", CANARY)) + zipped(("b.txt", "hello"))],
                         ids=["unlisted", "before"])
def test_a_zip_with_more_than_it_lists_is_held(data: bytes) -> None:
    assert ("file (zip)", "corrupt") in unread(read(data))


def named(**fields: object) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("a.txt")
    for key, value in fields.items():
        setattr(info, key, value)
    return info


UNICODE_NAME = struct.pack("<HHBI", 0x7075, len(CANARY) + 5, 1, zlib.crc32(b"a.txt")) + CANARY.encode()


@pytest.mark.parametrize("data", [
    zipped((f"{CANARY}/", ""), ("a.txt", "hello")), zipped((named(comment=CANARY.encode()), "hello")),
    zipped((named(extra=UNICODE_NAME), "hello")), zipped((zipfile.ZipInfo("a/"), CANARY))], ids=range(4))
def test_names_and_comments_of_members_are_read(data: bytes) -> None:
    assert seen(data)


def tarred(name: str = "a.txt", content: bytes = b"hello", kind: bytes = tarfile.REGTYPE, **headers: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers=headers) as archive:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_names_in_tar_and_gzip_files_are_read() -> None:
    assert seen(tarred(CANARY, b"", tarfile.DIRTYPE))
    assert seen(tarred(comment=CANARY))
    packed = gzip.compress(b"hello there")
    assert seen(packed[:3] + b"\x10" + packed[4:10] + CANARY.encode() + b"\0" + packed[10:])
    out = io.BytesIO()
    with gzip.GzipFile(CANARY, "wb", fileobj=out) as file:
        file.write(b"hello there")
    assert seen(out.getvalue())


@pytest.mark.parametrize("data", [
    tarred() + tarred(content=CANARY.encode()), tarred() + CANARY.encode(), bz2.compress(b"hello") + CANARY.encode(),
    lzma.compress(b"hello") + CANARY.encode(), tarred(content=CANARY.encode(), kind=b"Z")], ids=range(5))
def test_what_follows_an_archive_is_held(data: bytes) -> None:
    assert read(data).status != "read"


def test_streams_one_after_another_are_read() -> None:
    for module in (bz2, lzma):
        assert seen(module.compress(b"hello ") + module.compress(CANARY.encode()))


def test_a_zip_or_text_after_a_pdf_or_page_is_read() -> None:
    secret = zipped(("a.txt", CANARY))
    for host in (documents.pdf("Hello there"), b"<html><p>Hello there</p></html>", documents.png(40, 40)):
        assert seen(host + secret) or read(host + secret).status != "read"
    assert seen(documents.pdf("Hello there") + CANARY.encode())


def annotated(annotation: str) -> bytes:
    return documents.pdf("Hello there", more=[annotation], page="/Annots [4 0 R]")


@pytest.mark.parametrize("data", [
    documents.pdf("Hello there", more=[f"<< /S /JavaScript /JS (var x = '{CANARY}') >>"], catalog="/OpenAction 4 0 R"),
    documents.pdf("Hello there", more=[f"<< /Type /OCG /Name ({CANARY}) >>"]),
    documents.pdf("Hello there", more=[f"<< /S /Figure /Alt ({CANARY}) >>"]),
    documents.pdf("Hello there", more=[f"<< /Note <feff{CANARY.encode('utf-16-be').hex()}> >>"]),
    documents.pdf("Hello there", more=[f"<< /Length 9 >> stream\n<rdf:RDF><d>{CANARY}</d></rdf:RDF>\nendstream"]),
    annotated(f"<< /Subtype /Widget /FT /Tx /T (a) /V ({CANARY}) /Rect [0 0 9 9] >>"),
    documents.pdf("Hello there", more=[f"<< /FT /Tx /T (a) /V ({CANARY}) >>"],
                  catalog="/AcroForm << /Fields [4 0 R] >>")],
    ids=["script", "layer", "alternative", "unknown key", "metadata", "widget", "field"])
def test_strings_no_page_shows_are_read(data: bytes) -> None:
    assert seen(data)


def test_a_file_inside_a_pdf_that_no_list_names_is_held() -> None:
    data = documents.pdf("Hello there", catalog="/AF [4 0 R]", more=[
        "<< /Type /Filespec /F (a.txt) /EF << /F 5 0 R >> >>",
        f"<< /Type /EmbeddedFile /Length {len(CANARY)} >> stream\n{CANARY}\nendstream"])
    assert ("file (pdf)", "unsupported") in unread(read(data))


def picture(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(out, kind, **options)
    return out.getvalue()


def exif(tag: int, value: object, *, detail: bool = False) -> Image.Exif:
    made = Image.Exif()
    (made.get_ifd(0x8769) if detail else made)[tag] = value
    return made


def png_text(key: str, *, compressed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text(key, CANARY, zip=compressed)
    return picture("PNG", pnginfo=info)


XMP = f"<x:xmpmeta xmlns:x='x'><d note='a'>{CANARY}</d></x:xmpmeta>".encode()
RECORD = b"\x1c\x02\x78" + struct.pack(">H", len(CANARY)) + CANARY.encode()
IPTC = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(RECORD)) + RECORD + b"\0" * (len(RECORD) % 2)


@pytest.mark.parametrize("data", [
    png_text("Note"), png_text("Anything", compressed=True), picture("JPEG", xmp=XMP), picture("WEBP", xmp=XMP),
    picture("JPEG", exif=exif(0x010D, CANARY)), picture("JPEG", comment=CANARY.encode()),
    picture("JPEG", exif=exif(0x9286, b"ASCII\0\0\0" + CANARY.encode(), detail=True)),
    picture("JPEG")[:2] + b"\xff\xed" + struct.pack(">H", len(IPTC) + 2) + IPTC + picture("JPEG")[2:],
    picture("JPEG") + CANARY.encode()],
    ids=["png", "ztxt", "jpeg xmp", "webp xmp", "document name", "comment", "user comment", "iptc", "behind the end"])
def test_texts_stored_in_pictures_are_read(data: bytes) -> None:
    assert seen(data)


@pytest.mark.parametrize("line", [
    f'ATTENDEE;X-NOTE="{CANARY}":mailto:a@example.org', f'DESCRIPTION;ALTREP="data:text/plain,{CANARY}":hi',
    f"PRODID:{CANARY}", f"CLASS:{CANARY}", f"BEGIN:{CANARY}",
    f"NOTE;ENCODING=b:{base64.b64encode(CANARY.encode()).decode()}"], ids=range(6))
def test_parameters_and_odd_values_of_a_calendar_are_read(line: str) -> None:
    assert seen(f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Roof\n{line}\nEND:VEVENT\nEND:VCALENDAR\n".encode())


@pytest.mark.parametrize("data", [
    rb"{\rtf1\ansi Hello there}" + CANARY.encode(),
    rb"{\rtf1\ansi Hello{\field{\*\datafield " + CANARY.encode().hex().encode() + b"}}}",
    f"sep={CANARY}\nid,note\n1,hello\n".encode(), f'<?xml version="1.0"?><?note {CANARY}?><a>hi</a>'.encode(),
    b'<?xml version="1.0"?><a><f>' + base64.b64encode(f"Hello there. {CANARY}".encode()) + b"</f></a>",
    b'<svg><text>Hi</text><image href="data:text/plain;base64,' + base64.b64encode(CANARY.encode()) + b'"/></svg>'],
    ids=["behind rtf", "rtf data field", "csv separator", "xml instruction", "xml base64", "svg data"])
def test_odd_places_of_text_files_are_read(data: bytes) -> None:
    assert seen(data)


def test_a_drawing_without_letters_is_held() -> None:
    data = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L10 10"/></svg>'
    assert ("file (xml)", "no_text") in unread(read(data))
