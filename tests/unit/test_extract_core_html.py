"""HTML: shown and hidden text, attributes, tables, quotes, depth."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inprocess import read, text, unread

from pii_scan.text import Block, Extraction, Label, Table

MAIL = b"From: a@b.example\r\nSubject: s\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"


def html(markup: str) -> Extraction:
    return read(f"<html><body>{markup}</body></html>".encode(), "page.html")


def of(extraction: Extraction, label: Label) -> str:
    return "\n".join(block.text for part in extraction.parts for block in part.blocks
                     if isinstance(block, Block) and block.label is label)


@pytest.mark.parametrize("style", [
    "display:none", "DISPLAY : NONE", "visibility: hidden", "font-size:0", "font-size: 0px;", "font-size:1px",
    "color:#ffffff", "color: white; font-size:12pt", "mso-hide:all", "opacity:0", "max-height:0;overflow:hidden"])
def test_hidden_text_is_read_as_hidden(style: str) -> None:
    extraction = html(f'<p>seen</p><div style="{style}">unseen <b>words</b></div>')
    assert "unseen words" in of(extraction, Label.HIDDEN)
    assert of(extraction, Label.TEXT).strip() == "seen"


@pytest.mark.parametrize("style", [
    "font-size:10px", "font-size:0.9em", "color:#fffff0", "color:white; background:#003366", "opacity:0.5",
    "width:100%", "max-width:600px", "background-color:#ffffff", "line-height:0"])
def test_ordinary_styles_hide_nothing(style: str) -> None:
    assert "words" in of(html(f'<p style="{style}">words</p>'), Label.TEXT)


@pytest.mark.parametrize(("markup", "words"), [
    pytest.param('<img alt="alt words">', "alt words", id="alt"),
    pytest.param('<a href="mailto:zed@x.example">x</a>', "mailto:zed@x.example", id="link"),
    pytest.param('<a href="https://x.example/?q=caf%C3%A9">x</a>', "café", id="percent-encoded"),
    pytest.param('<input value="value words">', "value words", id="form value"),
    pytest.param('<p title="title words">x</p>', "title words", id="title"),
    pytest.param("<!-- comment words -->", "comment words", id="comment"),
    pytest.param("<script>var x = 'script words'</script>", "script words", id="script"),
    pytest.param("<template><b>template</b> words</template>", "template words", id="template"),
    pytest.param("<iframe>frame words</iframe>", "frame words", id="frame"),
    pytest.param("<xmp>example words</xmp>", "example words", id="example"),
    pytest.param("<textarea>area words</textarea>", "area words", id="text area"),
    pytest.param("<noscript>noscript words</noscript>", "noscript words", id="noscript"),
    pytest.param("<title>title words</title>", "title words", id="page title"),
    pytest.param("<p>entity &eacute;&#233;</p>", "entity éé", id="entities"),
    pytest.param("<pre>kept  blanks\nand lines</pre>", "kept  blanks\nand lines", id="preformatted"),
    pytest.param("<p hidden>hidden attribute</p>", "hidden attribute", id="hidden attribute"),
])
def test_nothing_with_words_is_left_out(markup: str, words: str) -> None:
    assert words in text(html(f"<p>x</p>{markup}"))


def test_words_are_not_cut_by_inline_tags_nor_glued_by_blocks() -> None:
    assert "130 692 544" in text(html("<p>1<b>3</b>0 <i>692</i> <span>54</span>4</p>"))
    assert "onetwo" not in text(html("<div>one</div><div>two</div>"))
    assert "onetwo" not in text(html("one<br>two"))


def test_tables_of_data_stay_tables_and_layout_tables_do_not() -> None:
    extraction = html("<p>before</p><table><tr><th>Name</th><th>DOB</th></tr><tr><td>Zed</td><td>2001-02-03</td></tr>"
                      "</table><p>after</p>")
    (table,) = [b for b in extraction.parts[0].blocks if isinstance(b, Table)]
    assert table.rows == (("Name", "DOB"), ("Zed", "2001-02-03"))
    body = [b.text.strip() for b in extraction.parts[0].blocks if isinstance(b, Block) and b.label is Label.TEXT]
    assert body == ["before", "after"]
    layout = html("<table><tr><td><table><tr><td>inner</td></tr></table></td></tr><tr><td>footer</td></tr></table>")
    assert not [b for b in layout.parts[0].blocks if isinstance(b, Table)]
    assert "inner" in text(layout)
    assert "footer" in text(layout)


def test_links_in_data_tables_are_kept() -> None:
    extraction = html("<table><tr><td>a</td><td>b</td></tr><tr><td><a href='mailto:z@x.example'>z</a></td><td>c</td>"
                      "</tr></table>")
    assert "mailto:z@x.example" in of(extraction, Label.LINK)


def test_quoted_html_is_labelled() -> None:
    body = ("<div>new words</div><div class='gmail_quote'><div>On Mon, Ben wrote:</div>"
            "<blockquote>old words</blockquote></div>")
    blocks = [b for p in read(MAIL + body.encode()).parts for b in p.blocks if isinstance(b, Block)]
    assert [b.quoted for b in blocks if "new words" in b.text] == [False]
    assert [b.quoted for b in blocks if "old words" in b.text] == [True]


def test_embedded_pictures_are_parts() -> None:
    noise = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
    extraction = html(f'<p>x</p><img src="data:image/png;base64,{noise}">')
    assert unread(extraction) == [("file (html), picture 1 of 1 (png)", "corrupt")]


def test_the_charset_a_page_names_for_itself() -> None:
    page = "<html><head><meta http-equiv=x content='text/html; charset=koi8-r'></head><p>Привет, коллеги</p></html>"
    assert "Привет, коллеги" in text(read(page.encode("koi8-r"), "a.html"))


def test_deep_pages_are_partial_and_their_text_is_kept() -> None:
    extraction = html("<div>" * 2_500 + "bottom words" + "</div>" * 2_500)
    assert unread(extraction) == [("file (html)", "too_deep")]
    assert "bottom words" in text(extraction)


def test_unclosed_paragraphs_are_not_deep() -> None:
    assert html("<p>words<li>item<br>" * 3_000).status == "read"


def test_html_said_to_be_html_without_tags_is_read() -> None:
    assert "just words" in text(read(MAIL + b"just words, 1 < 2"))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([
    "<p>", "</p>", "<table>", "<tr>", "<td>", "</table>", "<div style='display:none'>", "</div>", "words ", "<!--",
    "-->",
    "<blockquote>", "</blockquote>", "<script>", "</script>", "&#0;", "&amp", "<a href='x", "'>",
    "<svg><foreignObject>",
    "<template>", "<select><option>", "\x00", "\u200b", "<br>", "<pre>\n", "<style>", "]]>", "<![CDATA["]),
    max_size=40))
def test_any_markup_ends_in_a_result(pieces: list[str]) -> None:
    markup = "".join(pieces)
    extraction = read(MAIL + markup.encode())
    assert extraction.parts
    assert all(part.code != "crashed" for part in extraction.parts)
    extraction = html("words at the start " + markup)
    assert "words at the start" in text(extraction) or extraction.status != "read"
