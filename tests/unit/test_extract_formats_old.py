"""Old Office files, the compound files around them, and drawings."""

from __future__ import annotations

import io
import struct

import documents as make
import olefile
import pytest
from inprocess import read, text, unread

from capture.extract.cfb import write_compound
from pii_scan.text import Block, Extraction, Label, Table


def blocks(extraction: Extraction) -> list[Block]:
    return [block for part in extraction.parts for block in part.blocks if isinstance(block, Block)]


@pytest.mark.parametrize("wide", [True, False])
def test_a_word_file_gives_its_stories(wide: bool) -> None:
    extraction = read(make.word_97("Dear café\rnext line\r", notes="at the foot\r", margins="on top\r", wide=wide))
    found = {block.text: block.label for block in blocks(extraction)}
    assert found["Dear café\nnext line"] is Label.TEXT
    assert (found["at the foot"], found["on top"]) == (Label.NOTE, Label.MARGIN)
    assert extraction.status == "read"


def test_fields_and_table_cells_are_told_apart() -> None:
    extraction = read(
        make.word_97("see \x13HYPERLINK mailto:i@x.example\x14Ida\x15 now\rName\x07DOB\x07\x07Ada\x072010\x07\x07end\r")
    )
    assert [block.rows for part in extraction.parts for block in part.blocks if isinstance(block, Table)] == [
        (("Name", "DOB"), ("Ada", "2010"))
    ]
    found = {block.text: block.label for block in blocks(extraction)}
    assert found["see Ida now"] is Label.TEXT
    assert found["HYPERLINK mailto:i@x.example"] is Label.LINK


def test_slides_of_an_old_presentation_are_read() -> None:
    found = {block.text: block.where for block in blocks(read(make.powerpoint_97("first", "second")))}
    assert (found["first"], found["second"]) == ("slide 1", "slide 2")


def test_objects_in_an_old_document_are_read() -> None:
    inner = make.word_97("inner words\r")
    with olefile.OleFileIO(io.BytesIO(inner)) as ole:
        streams = [(("ObjectPool", "_1", *path), ole.openstream(path).read()) for path in ole.listdir()]
    packed = (("ObjectPool", "_2", "\x01Ole10Native"), make.native("n.txt", b"packed words"))
    extraction = read(make.word_97("outer words\r", extra=[*streams, packed]))
    assert extraction.status == "read"
    for wanted in ("outer words", "inner words", "packed words", "n.txt"):
        assert wanted in text(extraction)


def test_an_object_of_an_unknown_program_is_held_unless_its_picture_is_there() -> None:
    state = (("ObjectPool", "_1", "State"), bytes(range(256)) * 40)
    mark = (("ObjectPool", "_1", "\x01Ole"), bytes(20))
    picture = (("ObjectPool", "_1", "\x03EPRINT"), make.emf("drawn words"))
    assert [code for _, code in unread(read(make.word_97("x\r", extra=[state, mark])))] == ["unsupported"]
    extraction = read(make.word_97("x\r", extra=[state, mark, picture]))
    assert extraction.status == "read"
    assert "drawn words" in text(extraction)


def test_properties_are_read() -> None:
    value = struct.pack("<HHI", 0x1E, 0, 9) + b"Ida Berg\0"
    section = struct.pack("<II", 8 + 8 + len(value), 1) + struct.pack("<II", 4, 16) + value
    stream = b"\xfe\xff\0\0" + bytes(20) + struct.pack("<I", 1) + bytes(16) + struct.pack("<I", 48) + section
    extraction = read(make.word_97("x\r", extra=[(("\x05SummaryInformation",), stream)]))
    assert ("Ida Berg", Label.PROPERTY) in [(block.text, block.label) for block in blocks(extraction)]


def test_a_large_picture_in_an_old_document_is_held_and_a_small_one_is_not() -> None:
    for side, held in ((800, True), (120, False)):
        extraction = read(make.word_97("x\r", extra=[(("Data",), bytes(68) + make.png(side, side))]))
        assert [code for _, code in unread(extraction)] == (["needs_ocr"] if held else [])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(make.word_97("secret\r", encrypted=True), "encrypted", id="doc"),
        pytest.param(make.powerpoint_97("secret", encrypted=True), "encrypted", id="ppt"),
        pytest.param(make.powerpoint_97(inside=make.record(0x2F14, version=15)), "encrypted", id="ppt record"),
        pytest.param(make.workbook_97(("secret",), before=[(0x002F, bytes(54))]), "encrypted", id="xls"),
        pytest.param(
            write_compound([(("EncryptedPackage",), bytes(5_000)), (("EncryptionInfo",), bytes(200))]),
            "encrypted",
            id="package",
        ),
        pytest.param(
            write_compound(
                [
                    (("\x06DataSpaces", "DataSpaceMap"), bytes(80)),
                    (("EncryptedPackage",), bytes(80)),
                    (("\x06DataSpaces", "TransformInfo", "DRMEncryptedTransform", "\x06Primary"), bytes(9)),
                ]
            ),
            "rights_managed",
            id="rights-managed package",
        ),
        pytest.param(
            make.word_97(
                "placeholder\r",
                extra=[
                    (("\x06DataSpaces", "DataSpaceInfo", "\tDRMDataSpace"), bytes(40)),
                    (("\tDRMContent",), bytes(500)),
                ],
            ),
            "rights_managed",
            id="DRM doc",
        ),
    ],
)
def test_locked_files_are_held_and_give_no_text(data: bytes, code: str) -> None:
    extraction = read(data)
    assert [found for _, found in unread(extraction)] == [code]
    assert not text(extraction)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(make.word_97("gone " * 900 + "\r")[:2_000], id="doc"),
        pytest.param(make.powerpoint_97("gone " * 900)[:2_000], id="ppt"),
        pytest.param(make.workbook_97(("gone",))[:2_000], id="xls"),
        pytest.param(make.outlook({0x37: "gone"})[:900], id="msg"),
        pytest.param(make.word(make.paragraph("gone"))[:300], id="docx"),
        pytest.param(make.workbook("<row/>")[:300], id="xlsx"),
        pytest.param(make.open_document("text", "")[:300], id="odt"),
    ],
)
def test_truncated_files_are_held(data: bytes) -> None:
    extraction = read(data)
    assert extraction.status != "read"
    assert {code for _, code in unread(extraction)} <= {"corrupt", "unknown_type"}


@pytest.mark.parametrize("size", [0, 100, 4_095, 4_096, 70_000, 9_000_000])
def test_a_written_compound_file_reads_back(size: int) -> None:
    streams = [(("big",), bytes(range(251)) * (size // 251) + bytes(size % 251)), (("s", "t", "small"), b"hello")]
    with olefile.OleFileIO(io.BytesIO(write_compound(streams)), raise_defects=olefile.DEFECT_INCORRECT) as ole:
        for path, content in streams:
            if content:
                assert ole.openstream(list(path)).read() == content


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(make.emf("first line", "second"), id="emf"),
        pytest.param(make.wmf("first line", "second"), id="wmf"),
    ],
)
def test_drawn_text_is_read(data: bytes) -> None:
    assert text(read(data)).split("\n") == ["first line", "second"]
    assert read(make.word(make.paragraph("x"), word__media__image1DOTemf=data)).status == "read"


def test_a_cut_drawing_is_corrupt() -> None:
    assert [code for _, code in unread(read(make.emf("first line")[:150]))] == ["corrupt"]


def test_word_art_over_several_lines_is_read() -> None:
    art = "Happy\r\nBirthday\0".encode("utf-16-le")
    options = make.record(0xF00B, struct.pack("<HI", 0xC0C0, len(art)) + art, version=3, instance=1)
    shape = make.record(1006, make.record(0xF004, options, version=15), version=15)
    assert "Happy\nBirthday" in text(read(make.powerpoint_97("x", inside=shape)))


def test_slides_behind_a_gap_between_two_savings_are_read() -> None:
    slide = make.record(1006, make.record(4000, "after the gap".encode("utf-16-le")), version=15)
    document = make.record(1000, version=15) + bytes(483) + slide
    assert "after the gap" in text(read(write_compound([(("PowerPoint Document",), document)])))


def test_a_record_longer_than_its_container_is_corrupt() -> None:
    inner = make.record(4000, "cut".encode("utf-16-le"))
    document = make.record(1006, inner[:4] + struct.pack("<I", 4_000) + inner[8:], version=15) + bytes(5_000)
    assert [code for _, code in unread(read(write_compound([(("PowerPoint Document",), document)])))] == ["corrupt"]
