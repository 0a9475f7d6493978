"""Word and PowerPoint packages: every place that can hold text."""

from __future__ import annotations

import documents as make
import pytest
from inprocess import read, text, unread

from pii_scan.text import Block, Label, Table

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def labelled(extraction, label: Label) -> str:
    return "\n".join(
        block.text
        for part in extraction.parts
        for block in part.blocks
        if isinstance(block, Block) and block.label is label
    )


def tables(extraction) -> list[Table]:
    return [block for part in extraction.parts for block in part.blocks if isinstance(block, Table)]


def test_headers_notes_and_comments_are_read_with_their_roles() -> None:
    extraction = read(
        make.word(
            make.paragraph("the body"),
            word__header1=make.word_part("hdr", make.paragraph("a header")),
            word__footer1=make.word_part("ftr", make.paragraph("a footer")),
            word__footnotes=make.word_part(
                "footnotes", f'<w:footnote w:id="2">{make.paragraph("a footnote")}</w:footnote>'
            ),
            word__comments=make.word_part(
                "comments", f'<w:comment w:id="1" w:author="Ida Berg">{make.paragraph("a comment")}</w:comment>'
            ),
        )
    )
    assert extraction.status == "read"
    assert "the body" in labelled(extraction, Label.TEXT)
    assert {"a header", "a footer"} <= set(labelled(extraction, Label.MARGIN).split("\n"))
    assert "a footnote" in labelled(extraction, Label.NOTE)
    assert "Ida Berg: a comment" in labelled(extraction, Label.NOTE)


def test_tables_keep_rows_and_cells() -> None:
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    rows = "".join(
        f"<w:tr>{cell.format(a)}{cell.format(b)}</w:tr>" for a, b in (("Name", "DOB"), ("Ada", "2010-01-02"))
    )
    found = tables(read(make.word(f"<w:tbl>{rows}</w:tbl>")))
    assert found[0].rows == (("Name", "DOB"), ("Ada", "2010-01-02"))


def test_a_merged_cell_keeps_the_columns_after_it_in_place() -> None:
    wide = '<w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr><w:p><w:r><w:t>both</w:t></w:r></w:p></w:tc>'
    last = "<w:tc><w:p><w:r><w:t>third</w:t></w:r></w:p></w:tc>"
    assert tables(read(make.word(f"<w:tbl><w:tr>{wide}{last}</w:tr></w:tbl>")))[0].rows == (("both", "", "third"),)


def test_deleted_and_hidden_text_is_given_with_its_paragraph() -> None:
    extraction = read(
        make.word(
            "<w:p><w:r><w:t>number </w:t></w:r>"
            "<w:del w:author='x'><w:r><w:delText>11 22</w:delText></w:r></w:del></w:p>"
            "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>unseen</w:t></w:r><w:r><w:t>seen</w:t></w:r></w:p>"
        )
    )
    assert "number 11 22" in labelled(extraction, Label.HIDDEN)
    assert "unseenseen" in labelled(extraction, Label.HIDDEN)
    assert "11 22" not in labelled(extraction, Label.TEXT)
    assert "unseen" not in labelled(extraction, Label.TEXT)


def test_text_boxes_are_read_once_although_they_stand_twice() -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>in the box</w:t></w:r></w:p></w:txbxContent>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    body = (
        f"<w:p><w:r><mc:AlternateContent {mc}><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
        "</mc:AlternateContent><w:t>outside</w:t></w:r></w:p>"
    )
    assert text(read(make.word(body))).count("in the box") == 1


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        pytest.param(
            '<w:p><w:r><w:instrText>HYPERLINK "mailto:i@x.example"</w:instrText></w:r></w:p>',
            "mailto:i@x.example",
            id="field code",
        ),
        pytest.param('<w:p><w:fldSimple w:instr="MERGEFIELD Surname"/></w:p>', "MERGEFIELD Surname", id="simple field"),
        pytest.param(
            '<w:p><w:r><w:drawing><a:docPr descr="photo of a form"/></w:drawing></w:r></w:p>',
            "photo of a form",
            id="alternative text",
        ),
        pytest.param(
            '<w:p><w:r><w:ffData><w:default w:val="Jane Roe"/></w:ffData></w:r></w:p>', "Jane Roe", id="form field"
        ),
        pytest.param("<w:p><w:r><w:t>a</w:t><w:noBreakHyphen/><w:t>b</w:t></w:r></w:p>", "a\u2010b", id="hyphen"),
        pytest.param("<w:p><w:r><w:t>x</w:t><w:tab/><w:t>y</w:t></w:r></w:p>", "x\ty", id="tab"),
    ],
)
def test_text_in_unusual_places_is_read(body: str, wanted: str) -> None:
    assert wanted in text(read(make.word(body)))


def test_properties_links_and_embedded_files_are_read() -> None:
    extraction = read(
        make.word(
            make.paragraph("see the list"),
            docProps__core='<c:coreProperties xmlns:c="c"><c:creator>Ida Berg</c:creator></c:coreProperties>',
            word___rels__documentDOTxmlDOTrels=make.relations(("r9", "hyperlink", "https://x.example/form", True)),
            word__embeddings__sheetDOTxlsx=make.workbook(
                '<row r="1"><c r="A1" t="inlineStr"><is><t>inner</t></is></c></row>'
            ),
        )
    )
    assert "creator: Ida Berg" in labelled(extraction, Label.PROPERTY)
    assert "https://x.example/form" in labelled(extraction, Label.LINK)
    assert tables(extraction)[0].rows == (("inner",),)
    assert extraction.status == "read"


def test_a_photograph_inside_is_held_but_no_preview() -> None:
    form = make.word(make.paragraph("see below"), word__media__image1DOTpng=make.png(800, 600))
    preview = make.word(make.paragraph("see below"), docProps__thumbnailDOTpng=make.png(800, 600))
    assert [code for _, code in unread(read(form))] == ["needs_ocr"]
    assert read(preview).status == "read"


def test_slides_come_in_order_with_notes_and_hidden_ones_say_so() -> None:
    extraction = read(make.slides("first", "second", hidden=(2,), notes="said aloud"))
    places = {block.text: (block.where, block.label) for part in extraction.parts for block in part.blocks}
    assert places["first"] == ("slide 1", Label.TEXT)
    assert places["second"] == ("slide 2", Label.HIDDEN)
    assert places["said aloud"] == ("notes 1", Label.NOTE)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        pytest.param(f'<!DOCTYPE w [<!ENTITY e "x">]><w:document {W}/>'.encode(), "external_entity", id="entity"),
        pytest.param(
            f'<!DOCTYPE w SYSTEM "file:///etc/x"><w:document {W}/>'.encode(), "external_entity", id="outside DTD"
        ),
        pytest.param(
            f'<!DOCTYPE w [<!ENTITY e "x">]><w:document {W}/>'.encode("utf-16"), "external_entity", id="UTF-16"
        ),
        pytest.param(
            b"<!--" + b"x" * 7_000 + b"-->" + f"<!DOCTYPE w []><w:document {W}/>".encode(),
            "external_entity",
            id="behind a long comment",
        ),
        pytest.param(b"<w:document " + W.encode() + b">" + b"<w:p>" * 300, "too_deep", id="nested 300 deep"),
        pytest.param(b"<w:document " + W.encode() + b"><w:p>", "corrupt", id="cut off"),
    ],
)
def test_hostile_parts_hold_the_item(document: bytes, code: str) -> None:
    data = make.word(
        "", word__header1=make.word_part("hdr", make.paragraph("still read")), word__documentDOTxml=document
    )
    extraction = read(data)
    assert extraction.status != "read"
    assert code in [found for _, found in unread(extraction)]
    assert "still read" in text(extraction)


def test_forty_megabytes_of_xml_are_stopped() -> None:
    extraction = read(make.word(make.paragraph(" " * 40_000_000)))
    assert [code for _, code in unread(extraction)] == ["ratio"]
