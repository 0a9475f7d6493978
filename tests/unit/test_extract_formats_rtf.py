"""RTF: destinations, code pages, tables, objects, HTML inside, hostile input."""

from __future__ import annotations

import struct
import time

import documents as make
import pytest
from inprocess import read, text, unread

from pii_scan.text import Block, Extraction, Label, Table


def rtf(body: str) -> bytes:
    return (
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial;}{\f2\fcharset128 M;}}"
        + body
        + "}"
    ).encode("latin-1")


def blocks(extraction: Extraction) -> list[Block]:
    return [block for part in extraction.parts for block in part.blocks if isinstance(block, Block)]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        pytest.param(r"caf\'e9", "café", id="byte in the document's code page"),
        pytest.param(r"\f1\'cf\'f0\'e8\'e2\'e5\'f2", "Привет", id="byte in the font's code page"),
        pytest.param(r"\f2\'93\'fa\'96\'7b", "日本", id="double byte"),
        pytest.param(r"\u26085?\u26412?", "日本", id="unicode with a substitute"),
        pytest.param(r"\uc2\u26085??\u26412??!", "日本!", id="two substitutes"),
        pytest.param(r"\uc0\u-10179\u-8704", "😀", id="surrogate pair"),
        pytest.param(r"a\emdash b\_c\~d\-e", "a—b‐c d", id="signs"),
        pytest.param(r"{\*\unknown kept words}", "kept words", id="unknown destination"),
        pytest.param(r"{\*\unknown 0105000002000000ffffffff}x", "x", id="hexadecimal in an unknown destination"),
        pytest.param(r"{\field{\*\fldinst HYPERLINK mailto:i@x.example}{\fldrslt Ida}}", "Ida", id="field result"),
        pytest.param(
            r"{\field{\*\fldinst HYPERLINK mailto:i@x.example}{\fldrslt Ida}}", "mailto:i@x.example", id="field code"
        ),
        pytest.param(r"{\info{\author Ida Berg}}x", "Ida Berg", id="author"),
        pytest.param(r"\{braces\} and \\ ", "{braces} and \\", id="escapes"),
        pytest.param("line\\\nnext", "line\nnext", id="escaped line end"),
        pytest.param(r"{\stylesheet{\s1 Heading;}}body", "body", id="style names are left out"),
    ],
)
def test_text_is_read_wherever_it_stands(body: str, wanted: str) -> None:
    found = text(read(rtf(body)))
    assert wanted in found
    assert "Heading" not in found


def test_margins_notes_and_hidden_text_have_their_roles() -> None:
    found = {
        block.text.strip(): block.label
        for block in blocks(
            read(
                rtf(
                    r"{\header on top\par}{\footer below\par}body{\footnote at the foot} goes on\par"
                    r"{\v unseen }shown\par {\*\atnauthor Ida}{\*\annotation a remark}"
                )
            )
        )
    }
    assert (found["on top"], found["below"]) == (Label.MARGIN, Label.MARGIN)
    assert (found["at the foot"], found["a remark"]) == (Label.NOTE, Label.NOTE)
    assert found["unseen shown"] is Label.HIDDEN
    assert any(
        "body goes on" in words and "unseen" not in words for words, label in found.items() if label is Label.TEXT
    )


def test_tables_keep_rows_and_cells() -> None:
    extraction = read(
        rtf(
            r"before\par\trowd\intbl Name\cell DOB\cell\row\trowd\intbl Ada\par Ames\cell 2010\cell\row"
            r"\pard after\par"
        )
    )
    found = [block for part in extraction.parts for block in part.blocks if isinstance(block, Table)]
    assert found[0].rows == (("Name", "DOB"), ("Ada\nAmes", "2010"))


def test_binary_data_is_skipped_by_its_count() -> None:
    data = rtf("before{\\pict\\bin5 }}}}}}after")
    assert text(read(data)).split() == ["beforeafter"]


def test_a_packaged_file_is_read() -> None:
    body = make.native("n.txt", b"packed words")[4:]
    name = b"Package\0"
    ole = (
        struct.pack("<III", 0x501, 2, len(name)) + name + struct.pack("<II", 0, 0) + struct.pack("<I", len(body)) + body
    )
    extraction = read(rtf(r"{\object{\*\objclass Package}{\*\objdata " + ole.hex() + r"}{\result picture}}"))
    assert "packed words" in text(extraction)
    assert extraction.status == "read"


def test_object_data_that_cannot_be_decoded_is_held() -> None:
    extraction = read(rtf(r"words{\object{\*\objdata 0105000002000000ffffff7f0000000000}}"))
    assert [code for _, code in unread(extraction)] == ["corrupt"]


def test_wrapped_html_is_handed_over_as_html() -> None:
    extraction = read(
        rb"{\rtf1\ansi\fromhtml1{\*\htmltag64 <p title='a hint'>}\htmlrtf {\htmlrtf0 Dear Ida"
        rb"\htmlrtf\par}\htmlrtf0{\*\htmltag72 </p>}}"
    )
    assert "Dear Ida" in text(extraction)
    assert "a hint" in text(extraction)
    assert "<p" not in text(extraction)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(rtf("words that stand before the cut {\\b and")[:-3], "corrupt", id="cut off"),
        pytest.param(b"{\\rtf1 " + bytes(range(128, 160)) * 30 + bytes(range(1, 9)) * 30 + b"}", "corrupt", id="noise"),
    ],
)
def test_damage_is_held(data: bytes, code: str) -> None:
    assert [found for _, found in unread(read(data))] == [code]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{\\rtf1 " + b"{" * 200_000 + b"deep" + b"}" * 200_000 + b"}", id="200,000 nested braces"),
        pytest.param(
            b"{\\rtf1 words{\\object{\\*\\objdata " + b"0123456789abcdef" * 1_250_000 + b"}}}",
            id="20 MB of object data",
        ),
        pytest.param(b"{\\rtf1 words " + b"\\u26085?" * 300_000 + b"}", id="300,000 unicode signs"),
        pytest.param(b"{\\rtf1 words " + b"\\cell\\row" * 200_000 + b"}", id="200,000 rows"),
    ],
)
def test_large_input_takes_seconds_at_most(data: bytes) -> None:
    start = time.process_time()
    read(data)
    assert time.process_time() - start < 12


def test_a_document_without_any_text_is_empty_and_not_held() -> None:
    assert read(rtf(r"{\stylesheet{\s1 Heading;}}\pard\par")).status == "read"


def test_a_picture_that_cannot_be_read_is_no_empty_document() -> None:
    assert read(rtf(r"{\pict\pngblip " + make.png(800, 600).hex() + "}")).status != "read"
    assert read(rtf(r"{\pict\dibitmap " + "00" * 400 + "}")).status != "read"
