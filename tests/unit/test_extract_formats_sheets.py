"""Workbooks: cells as text, places, hidden sheets, what stands beside the cells, limits."""

from __future__ import annotations

import struct

import documents as make
import pytest
from inprocess import read, text, unread

from capture.extract import numfmt
from capture.extract.limits import Limits
from pii_scan.text import Block, Extraction, Label, Table


def tables(extraction: Extraction) -> list[Table]:
    return [block for part in extraction.parts for block in part.blocks if isinstance(block, Table)]


def number(reference: str, value: str, style: int = 0) -> str:
    return f'<c r="{reference}" s="{style}"><v>{value}</v></c>'


def words(reference: str, value: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>'


@pytest.mark.parametrize(
    ("value", "code", "cell", "shown"),
    [
        (46454286, "000000000", "046454286", ""),
        (46454286, "000\\-000\\-000", "046-454-286", ""),
        (6045550123, "[<=9999999]###\\-####;\\(###\\)\\ ###\\-####", "(604) 555-0123", ""),
        (123456789012345, "General", "123456789012345", ""),
        (1.2e14, "0.00E+00", "120000000000000", "1.20E+14"),
        (0.256, "0.0%", "0.256", "25.6%"),
        (1234.5, '"$"#,##0.00', "1234.5", "$1,234.50"),
        (-5, "0;(0)", "-5", "(5)"),
        (35287, "m/d/yy", "1996-08-10", "8/10/96"),
        (35287.75, "yyyy-mm-dd hh:mm:ss", "1996-08-10 18:00:00", ""),
        (0.5, "h:mm", "12:00:00", "12:00"),
        (1.5, "[h]:mm", "1.5", "36:00"),
        (43363, "dddd, mmmm dd, yyyy", "2018-09-20", "Thursday, September 20, 2018"),
        (3, '"Grade "0', "3", "Grade 3"),
        (1e-7, "", "0.0000001", ""),
        (9e20, "0", "900000000000000000000", ""),
    ],
)
def test_numbers_become_text_in_full_and_dates_iso(value: float, code: str, cell: str, shown: str) -> None:
    assert numfmt.cell_text(value, code) == (cell, shown)


@pytest.mark.parametrize(
    "code", ["", "[", '"', "\\", "0/0", ";;;", "[>1", "#" * 300, "yyyy" * 50, "??/??", "[h", "E+", "%%%"]
)
@pytest.mark.parametrize("value", [0.0, -1.5, 1e300, 5e-324, 2_958_470.0])
def test_any_format_code_is_survived(code: str, value: float) -> None:
    cell, shown = numfmt.cell_text(value, code)
    assert cell
    assert isinstance(shown, str)


def test_a_sheet_is_a_table_with_its_rows_in_place() -> None:
    rows = (
        f'<row r="2">{words("A2", "Name")}{words("C2", "DOB")}</row>'
        f'<row r="5">{words("A5", "Ada")}{number("C5", "40179", 1)}</row>'
    )
    extraction = read(make.workbook(rows, formats=("d-mmm-yy",)))
    table = tables(extraction)[0]
    assert (table.where, table.first_row) == ("sheet 1", 2)
    assert table.rows == (("Name", "", "DOB"), (), (), ("Ada", "", "2010-01-01"))
    assert "1-Jan-10" in text(extraction)
    assert extraction.status == "read"


def test_hidden_sheets_are_read_and_say_so() -> None:
    row = f'<row r="1">{words("A1", "kept away")}</row>'
    table = tables(read(make.workbook(row, states=("veryHidden",))))[0]
    assert (table.label, table.rows) == (Label.HIDDEN, (("kept away",),))


def test_far_apart_cells_do_not_allocate_the_rectangle() -> None:
    rows = f'<row r="1">{number("A1", "1")}</row><row r="1048576">{number("XFD1048576", "77")}</row>'
    extraction = read(make.workbook(rows))
    assert extraction.status == "read"
    assert [
        block.where
        for part in extraction.parts
        for block in part.blocks
        if isinstance(block, Block) and block.text == "77"
    ] == ["sheet 1, row 1048576, column 16384"]


def test_what_stands_beside_the_cells_is_read() -> None:
    s = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    extraction = read(
        make.workbook(
            f'<row r="1">{words("A1", "x")}</row>',
            after='<headerFooter><oddHeader>&amp;L&amp;"Arial,Bold"&amp;12Class list&amp;RMs. Berg</oddHeader>'
            "</headerFooter>",
            extra={
                "xl/comments1.xml": f'<comments {s}><authors><author>Ida Berg</author></authors>'
                '<commentList><comment ref="A1">'
                "<text><r><t>moved away</t></r></text></comment></commentList></comments>",
                "xl/worksheets/_rels/sheet1.xml.rels": make.relations(("c", "comments", "../comments1.xml", False)),
                "xl/pivotCache/pivotCacheRecords1.xml": f'<pivotCacheRecords {s}><r><s v="deleted row"/></r>'
                "</pivotCacheRecords>",
                "xl/customProperty1.bin": "filed by Ida".encode("utf-16-le"),
            },
        )
    )
    found = text(extraction)
    assert "Class list" in found
    assert "Ms. Berg" in found
    assert "&" not in found
    assert {"moved away", "Ida Berg", "deleted row", "filed by Ida"} <= set(found.split("\n"))
    places = {block.where for part in extraction.parts for block in part.blocks}
    assert "sheet 1, comment 1" in places
    assert "sheet 1, header" in places


def test_a_missing_shared_string_holds_the_item() -> None:
    extraction = read(
        make.workbook(f'<row r="1"><c r="A1" t="s"><v>7</v></c>{words("B1", "there")}</row>', strings=("one",))
    )
    assert unread(extraction)[0][1] == "corrupt"
    assert "there" in text(extraction)


def test_more_cells_than_allowed_are_held_with_those_read() -> None:
    rows = "".join(f'<row r="{row}">{words(f"A{row}", f"cell {row}")}</row>' for row in range(1, 40))
    extraction = read(make.workbook(rows), limits=Limits(sheet_cells=20))
    assert unread(extraction)[0][1] == "too_large"
    assert "cell 20" in text(extraction)
    assert "cell 21" not in text(extraction)


def test_an_old_workbook_gives_cells_formats_notes_and_charts() -> None:
    text_box = (0x01B6, bytes(10) + struct.pack("<HH", 5, 0) + bytes(4))
    extraction = read(
        make.workbook_97(
            ("SIN", "DOB"),
            (46454286.0, 40179.0),
            formats=("000-000-000", "yyyy/mm/dd"),
            after=[
                (0x0014, struct.pack("<HB", 8, 0) + b"&CMargin"),
                text_box,
                (0x003C, b"\0shape"),
                (0x001C, struct.pack("<HHHHHB", 0, 0, 0, 1, 4, 0) + b"Ida "),
                (0x100D, b"\0\0\x06\0series"),
            ],
        )
    )
    assert extraction.status == "read"
    assert tables(extraction)[0].rows == (("SIN", "DOB"), ("046-454-286", "2010-01-01"))
    found = text(extraction)
    for wanted in ("Margin", "shape", "Ida", "series", "2010/01/01"):
        assert wanted in found


def test_hidden_sheets_of_old_workbooks_say_so() -> None:
    assert tables(read(make.workbook_97(("kept away",), hidden=True)))[0].label is Label.HIDDEN


def test_an_old_workbook_with_a_far_cell_is_read_without_the_rectangle() -> None:
    far = (0x0203, struct.pack("<HHHd", 65_535, 255, 0, 77.0))
    extraction = read(make.workbook_97(("near",), after=[far]), limits=Limits(sheet_cells=1_000))
    assert extraction.status == "read"
    assert {"near", "77"} <= {cell for table in tables(extraction) for row in table.rows for cell in row} | set(
        text(extraction).split("\n")
    )


def test_a_file_packed_into_an_old_workbook_is_read() -> None:
    extraction = read(
        make.workbook_97(("x",), extra=[(("MBD0001", "\x01Ole10Native"), make.native("n.txt", b"packed words"))])
    )
    assert "packed words" in text(extraction)
    assert any(part.path.endswith("n.txt") for part in extraction.parts)


def _record12(kind: int, content: bytes) -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + bytes([len(content) & 0x7F | 0x80, len(content) >> 7]) + content


def _wide(word: str) -> bytes:
    return struct.pack("<I", len(word)) + word.encode("utf-16-le")


def test_a_binary_workbook_is_read_record_by_record() -> None:
    cell = struct.pack("<II", 0, 0)
    sheet = (
        _record12(0, struct.pack("<I", 3) + bytes(13))
        + _record12(7, cell + struct.pack("<I", 0))
        + _record12(5, struct.pack("<IId", 1, 1, 40179.0))
        + _record12(6, struct.pack("<II", 2, 0) + _wide("typed"))
    )
    styles = (
        _record12(44, struct.pack("<H", 164) + _wide("yyyy-mm-dd"))
        + _record12(617, bytes(4))
        + _record12(47, bytes(16))
        + _record12(47, struct.pack("<HH", 0, 164) + bytes(12))
        + _record12(618, b"")
    )
    data = make.package(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": make.relations(("r", "officeDocument", "xl/workbook.bin", False)),
            "xl/workbook.bin": _record12(156, struct.pack("<II", 1, 1) + _wide("r1") + _wide("Tab")),
            "xl/_rels/workbook.bin.rels": make.relations(
                ("r1", "worksheet", "worksheets/sheet1.bin", False),
                ("r2", "sharedStrings", "sharedStrings.bin", False),
                ("r3", "styles", "styles.bin", False),
            ),
            "xl/worksheets/sheet1.bin": sheet,
            "xl/styles.bin": styles,
            "xl/sharedStrings.bin": _record12(19, b"\0" + _wide("shared")),
            "xl/comments1.bin": _record12(637, _wide("a remark")),
        }
    )
    extraction = read(data)
    assert extraction.status == "read"
    table = tables(extraction)[0]
    assert (table.first_row, table.label, table.rows) == (4, Label.HIDDEN, (("shared", "2010-01-01", "typed"),))
    assert "a remark" in text(extraction)
