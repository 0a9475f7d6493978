"""OpenDocument: text, sheets with repeated cells, notes, margins, hidden parts, locks."""

from __future__ import annotations

import documents as make
import pytest
from inprocess import read, text, unread

from pii_scan.text import Extraction, Label, Table


def tables(extraction: Extraction) -> list[Table]:
    return [block for part in extraction.parts for block in part.blocks if isinstance(block, Table)]


def labels(extraction: Extraction) -> dict[str, Label]:
    return {
        line: block.label
        for part in extraction.parts
        for block in part.blocks
        if not isinstance(block, Table)
        for line in block.text.split("\n")
    }


def cell(shown: str, kind: str = "string", extra: str = "") -> str:
    return f'<table:table-cell office:value-type="{kind}" {extra}><text:p>{shown}</text:p></table:table-cell>'


def test_text_notes_margins_and_deletions_have_their_roles() -> None:
    extraction = read(
        make.open_document(
            "text",
            "<text:tracked-changes><text:changed-region><text:deletion><text:p>taken out</text:p></text:deletion>"
            "</text:changed-region></text:tracked-changes>"
            "<text:p>running<text:s text:c='2'/>text<text:note>"
            "<text:note-body><text:p>at the foot</text:p></text:note-body>"
            "</text:note> goes on<office:annotation><dc:creator>Ida Berg</dc:creator><text:p>a remark</text:p>"
            '</office:annotation></text:p><text:p><text:a xlink:href="https://x.example/f">form</text:a></text:p>',
            styles="<style:master-page><style:header><text:p>on top</text:p></style:header></style:master-page>",
        )
    )
    found = labels(extraction)
    assert found["running  text goes on"] is Label.TEXT
    assert (found["at the foot"], found["a remark"], found["Ida Berg"]) == (Label.NOTE,) * 3
    assert (found["taken out"], found["on top"], found["https://x.example/f"]) == (
        Label.HIDDEN,
        Label.MARGIN,
        Label.LINK,
    )
    assert extraction.status == "read"


def test_sheets_are_tables_with_repeated_cells_and_iso_dates() -> None:
    extraction = read(
        make.open_document(
            "spreadsheet",
            '<table:table table:name="Roster"><table:table-row>'
            + cell("Name")
            + cell("DOB")
            + cell("x", extra='table:number-columns-repeated="2"')
            + "</table:table-row>"
            '<table:table-row table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="1024"/>'
            "</table:table-row><table:table-row>"
            + cell("Ada")
            + cell("1 Jan 2010", "date", 'office:date-value="2010-01-01"')
            + cell("1.2E+14", "float", 'office:value="123456789012345"')
            + cell("046 454 286", "float", 'office:value="46454286"')
            + "</table:table-row></table:table>",
        )
    )
    assert tables(extraction)[0].rows == (
        ("Name", "DOB", "x", "x"),
        (),
        (),
        (),
        ("Ada", "2010-01-01", "123456789012345", "046 454 286"),
    )
    assert "1 Jan 2010" in text(extraction)
    assert "Roster" in text(extraction)


def test_a_million_repeated_rows_cost_nothing() -> None:
    extraction = read(
        make.open_document(
            "spreadsheet",
            '<table:table><table:table-row table:number-rows-repeated="1048575">'
            + cell("same")
            + "</table:table-row><table:table-row>"
            + cell("last")
            + "</table:table-row></table:table>",
        )
    )
    assert [table.rows for table in tables(extraction)] == [(("same",),), (("last",),)]
    assert tables(extraction)[1].first_row == 1_048_576


def test_hidden_sheets_say_so() -> None:
    extraction = read(
        make.open_document(
            "spreadsheet",
            '<table:table table:style-name="ta2"><table:table-row>'
            + cell("kept away")
            + "</table:table-row></table:table>",
        )
    )
    assert tables(extraction)[0].label is Label.HIDDEN


def test_slides_are_counted_and_notes_are_notes() -> None:
    extraction = read(
        make.open_document(
            "presentation",
            "<draw:page><draw:frame><draw:text-box><text:p>first</text:p></draw:text-box></draw:frame></draw:page>"
            "<draw:page><text:p>second</text:p>"
            "<presentation:notes><text:p>said aloud</text:p></presentation:notes></draw:page>",
        )
    )
    places = {
        block.text: (block.where, block.label)
        for part in extraction.parts
        for block in part.blocks
        if not isinstance(block, Table)
    }
    assert places["first"] == ("slide 1", Label.TEXT)
    assert places["second"] == ("slide 2", Label.TEXT)
    assert places["said aloud"] == ("slide 2, notes", Label.NOTE)


def test_an_encrypted_document_is_held() -> None:
    data = make.open_document(
        "text", "<text:p>x</text:p>", manifest="<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    )
    assert [code for _, code in unread(read(data))] == ["encrypted"]


@pytest.mark.parametrize(
    ("doctype", "status"),
    [
        pytest.param(
            '<!DOCTYPE math:math PUBLIC "-//OpenOffice.org//DTD Modified W3C MathML 1.01//EN" "math.dtd">',
            "read",
            id="a public name alone",
        ),
        pytest.param('<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>', "partial", id="declared entities"),
    ],
)
def test_only_declared_entities_hold_an_open_document(doctype: str, status: str) -> None:
    math = (
        f'{doctype}<math:math xmlns:math="http://www.w3.org/1998/Math/MathML"><math:mi>velocity</math:mi></math:math>'
    )
    extraction = read(make.open_document("text", "<text:p>body</text:p>", extra={"Object 1/content.xml": math}))
    assert extraction.status == status
    assert ("velocity" in text(extraction)) == (status == "read")
    assert "body" in text(extraction)
