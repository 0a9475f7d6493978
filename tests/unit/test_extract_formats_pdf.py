"""PDF: text by page, notes, forms, attachments, scans, locks and damage."""

from __future__ import annotations

import documents as make
import pytest
from inprocess import read, text, unread

from capture.extract.limits import Limits
from pii_scan.text import Block, Extraction, Label, Table

_IMAGE = (
    "<< /Type /XObject /Subtype /Image /Width 400 /Height 400 /ColorSpace /DeviceGray /BitsPerComponent 1 "
    "/Length 20000 >> stream\n" + "x" * 20_000 + "\nendstream"
)


def blocks(extraction: Extraction) -> dict[str, Block]:
    return {block.where: block for part in extraction.parts for block in part.blocks if isinstance(block, Block)}


def test_pages_have_their_number() -> None:
    found = blocks(read(make.pdf("page one words", "page two words")))
    assert found["page 1"].text.strip() == "page one words"
    assert found["page 2"].text.strip() == "page two words"


def test_columns_become_a_table() -> None:
    rows = (("Name", "DOB", "Grade"), ("Ada Ames", "2010-01-02", "4"), ("Ben Bell", "2011-03-04", "5"))
    page = "\n".join(
        "|".join(f"{72 + 150 * column},{700 - 20 * row}:{cell}" for column, cell in enumerate(cells))
        for row, cells in enumerate(rows)
    )
    extraction = read(make.pdf(page))
    assert [block.rows for part in extraction.parts for block in part.blocks if isinstance(block, Table)] == [rows]


def test_running_text_is_no_table() -> None:
    extraction = read(make.pdf("\n".join("This is a line of running text like any other." for _ in range(12))))
    assert not [block for part in extraction.parts for block in part.blocks if isinstance(block, Table)]


def test_notes_links_and_properties_are_read() -> None:
    note = "<< /Type /Annot /Subtype /Text /Rect [9 9 20 20] /Contents (call the parents) /T (Ida Berg) >>"
    link = "<< /Type /Annot /Subtype /Link /Rect [9 9 20 20] /A << /S /URI /URI (https://x.example/form) >> >>"
    found = blocks(read(make.pdf("body text of the page", more=(note, link), page="/Annots [4 0 R 5 0 R]")))
    assert (found["page 1, notes"].text, found["page 1, notes"].label) == ("call the parents\nIda Berg", Label.NOTE)
    assert (found["page 1, links"].text, found["page 1, links"].label) == ("https://x.example/form", Label.LINK)


def test_form_values_are_read_with_their_names() -> None:
    field = (
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (surname) /TU (Family name) /V (Roe) /Rect [9 9 90 20] "
        "/F 4 /P 6 0 R >>"
    )
    found = blocks(
        read(
            make.pdf(
                "a form with one field",
                more=(field, "<< /Fields [4 0 R] >>"),
                page="/Annots [4 0 R]",
                catalog="/AcroForm 5 0 R",
            )
        )
    )
    assert found["page 1, form"].text == "Family name: Roe"


def test_answers_of_an_xfa_form_are_read() -> None:
    data = "<xfa:datasets xmlns:xfa='x'><xfa:data><form><surname>Roe</surname></form></xfa:data></xfa:datasets>"
    stream = f"<< /Length {len(data)} >> stream\n{data}\nendstream"
    extraction = read(
        make.pdf("Please wait...", more=(stream, "<< /Fields [] /XFA [(datasets) 4 0 R] >>"), catalog="/AcroForm 5 0 R")
    )
    assert "surname: Roe" in text(extraction)


def test_attached_files_are_read() -> None:
    stream = "<< /Type /EmbeddedFile /Length 14 >> stream\nattached words\nendstream"
    name = "<< /Type /Filespec /F (n.txt) /UF (n.txt) /EF << /F 4 0 R >> >>"
    extraction = read(
        make.pdf(
            "see the attached file",
            more=(stream, name),
            catalog="/Names << /EmbeddedFiles << /Names [(n.txt) 5 0 R] >> >>",
        )
    )
    assert "attached words" in text(extraction)
    assert extraction.parts[-1].path.endswith("n.txt")


@pytest.mark.parametrize(
    ("page", "held"),
    [
        pytest.param("!q 600 0 0 700 0 0 cm /Im Do Q", True, id="a scan"),
        pytest.param("!q 600 0 0 700 0 0 cm /Im Do Q\nsent by fax 604 555 0123", True, id="a scan with a fax line"),
        pytest.param(
            "!q 60 0 0 70 0 0 cm /Im Do Q\n" + "\n".join(["a letter with a picture in it"] * 8),
            False,
            id="a letter with a picture",
        ),
        pytest.param(
            "!q 250 0 0 250 0 0 cm /Im Do Q\nTesting a short page, 28", False, id="a short page with a small picture"
        ),
        pytest.param(
            "!" + " ".join(f"{n} {n} m {n + 5} {n} l S" for n in range(400)), True, id="letters drawn as lines"
        ),
    ],
)
def test_pages_that_are_pictures_need_ocr(page: str, held: bool) -> None:
    codes = [code for _, code in unread(read(make.pdf(page, more=(_IMAGE,))))]
    assert codes == (["needs_ocr"] if held else [])


def test_a_password_is_encrypted_and_an_empty_one_is_none() -> None:
    assert [code for _, code in unread(read(make.pdf("secret words", password=b"pw")))] == ["encrypted"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(make.pdf("x", catalog="/AF [<< /AFRelationship /EncryptedPayload >>]"), id="encrypted payload"),
        pytest.param(
            make.pdf("This document is protected").replace(b"%%EOF", b"%/Filter /MicrosoftIRMServices\n%%EOF"),
            id="rights filter",
        ),
    ],
)
def test_a_wrapper_of_a_protected_document_is_rights_managed(data: bytes) -> None:
    assert "rights_managed" in [code for _, code in unread(read(data))]


def test_pages_beyond_the_limit_are_held() -> None:
    extraction = read(make.pdf(*(f"page number {number}" for number in range(1, 12))), limits=Limits(pdf_pages=10))
    assert [code for _, code in unread(extraction)] == ["too_large"]
    assert "page number 10" in text(extraction)
    assert "page number 11" not in text(extraction)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(make.pdf("gone")[:60], id="cut off"),
        pytest.param(b"%PDF-1.4\n" + bytes(range(256)) * 20, id="noise"),
        pytest.param(b"%PDF-1.4\n", id="empty"),
    ],
)
def test_damaged_files_are_corrupt(data: bytes) -> None:
    extraction = read(data)
    assert [code for _, code in unread(extraction)] == ["corrupt"]
    assert not text(extraction)
