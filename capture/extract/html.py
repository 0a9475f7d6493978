"""HTML: what is shown, what is hidden, and what sits in attributes and comments.

The depth of tags is measured before parsing: selectolax needs quadratic time on deep nesting. Deeper
pages are read by resiliparse, which is linear but drops attributes, so they are partial, `too_deep`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from capture.extract.body import decoded_text, unescape_entities
from capture.extract.collect import PartSink
from capture.extract.mailtext import split_mail_text
from capture.extract.reader import CannotRead
from capture.extract.textual import in_words, is_said
from pii_scan.text import Label

_UNNESTED: Final = frozenset([
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup",
    "colgroup", "html", "head", "body"])
_NESTING_TAG: Final = re.compile(rf"<(/?)(?!(?:{'|'.join(sorted(_UNNESTED))})[\s/>])[a-z]", re.I)
_BLOCKS: Final = frozenset([
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "option", "p", "pre", "section",
    "select", "summary", "table", "tbody", "tfoot", "thead", "title", "tr", "ul", "textarea", "caption"])
_MARKUP: Final = re.compile(r"<[^<>]*>")
_SPACE: Final = re.compile(r"[ \t\r\n\f\xa0]+")
_HIDDEN_STYLE: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all|"
    r"font-size\s*:\s*0*(?:\.0+|0?\.?[0-3]?)(?:px|pt|em|rem|%)?\s*(?:;|$|!)|opacity\s*:\s*0*(?:\.0+)?\s*(?:;|$|!)|"
    r"(?:^|[;\s])(?:max-)?(?:height|width)\s*:\s*0(?:px)?\s*(?:;|$|!)|"
    r"(?:^|[;\s])color\s*:\s*(?:#fff(?:fff)?\b|white\b|transparent\b|rgb\(\s*255\s*,\s*255\s*,\s*255)", re.I)
_LIGHT: Final = re.compile(r"color\s*:\s*(?:#fff|white|rgb\(\s*255)", re.I)
_BACKGROUND: Final = re.compile(r"background(?:-color)?\s*:\s*(?!#fff|white|transparent|none|inherit)", re.I)
_LAYOUT: Final = frozenset([
    "class", "id", "style", "width", "height", "align", "valign", "bgcolor", "color", "border", "cellpadding",
    "cellspacing", "colspan", "rowspan", "face", "size", "type", "rel", "target", "dir", "lang", "xmlns", "role", "for",
    "http-equiv", "charset", "media", "method", "scope", "shape", "coords", "clear", "nowrap", "hspace", "vspace",
    "link", "vlink", "alink", "text", "start", "span", "tabindex", "integrity", "nonce", "loading", "sizes", "d",
    "points", "transform", "viewbox", "fill", "stroke", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "path",
    "data-outlook-trace", "data-smartmail", "data-ogsc", "data-ogsb", "itemtype", "itemscope", "version", "enctype"])
"""Attributes that arrange a page. Their values are read only where they are written in words."""
_PLAIN: Final = frozenset([
    "alt", "title", "value", "href", "placeholder", "summary", "content", "aria-label", "label", "data-content",
    "cite", "action", "download", "srcdoc", "src"])
"""Attributes whose value is read as it stands; others with their name before it."""
_ADDRESSES: Final = frozenset(("href", "src", "action", "background", "poster", "data", "cite", "longdesc", "srcset",
                                    "imagesrcset"))
_QUERY: Final = re.compile(r"[?#;]|%[0-9a-f]{2}|^(?:mailto|tel|data|cid):", re.I)
_QUOTE_CLASSES: Final = re.compile(
    r"gmail_quote|yahoo_quoted|moz-cite-prefix|protonmail_quote|OutlookMessageHeader", re.I)
_QUOTE_IDS: Final = re.compile(r"(?:x_)*(?:appendonsend|divRplyFwdMsg|OLK_SRC_BODY_SECTION|reply-intro)$", re.I)
_DATA_URI: Final = re.compile(r"data:([\w/+.-]{0,80})(?:;[\w=+.-]{0,80})*?(;base64)?,", re.I)
_CSS: Final = re.compile(
    r"url\(\s*[\"']?(data:[^\"')]*)|/\*(.*?)(?:\*/|\Z)|\bcontent\s*:\s*(?:\"([^\"]*)|'([^']*))", re.I | re.S)
_COMMENTS: Final = re.compile(r"<!--(.*?)-->", re.S)
_SHEET: Final = re.compile(r"</?style\b[^<>]*>", re.I)
_BREAK_TAG: Final = re.compile(r"</?(?:p|br|div|td|th|tr|li|h[1-6]|table|xml|[ovw]:\w+)\b[^<>]*>", re.I)
_RAW_TEXT: Final = frozenset(("iframe", "noembed", "noframes"))
_LONG_NUMBER: Final = re.compile(r"\d(?:[ -]?\d){6}")
_QUOTED_VALUE: Final = re.compile(r"\b([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_UNFINISHED: Final = re.compile(r"<[^<>]*\Z")
_DECLARATION: Final = re.compile(
    r"<!(?!--|\[|DOCTYPE)[^<>]{0,2000}>|<\?(?!xml\b)[^<>]{0,2000}>|</(?![a-z])[^<>]{0,2000}>|"
    r"</[a-z][^\s<>]{0,80}\s[^<>]{0,2000}>|<!DOCTYPE\s[^<>]{0,2000}(?:<!ENTITY[^<>]{0,2000}>[^<>]{0,2000}){0,20}", re.I)
_RICH: Final = "template, style, script, iframe, object, embed, caption, noscript, svg, math"
_PIECE: Final = 250_000
_CELL_CHARS: Final = 300
_TABLE_CELLS: Final = 2


@dataclass(slots=True)
class _Walk:
    """State while walking down a document."""

    pieces: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    links: dict[str, None] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    quoted_at: int | None = None
    quote_depth: int = 0
    tables: int = 0
    length: int = 0

    def put(self, text: str, *, hidden: bool) -> None:
        """Add text to what is shown or to what is hidden."""
        (self.hidden if hidden else self.pieces).append(text)
        if not hidden:
            self.length += len(text)

    def shown(self) -> str:
        """Return and clear the text shown so far, blanks tidied."""
        text = tidy("".join(self.pieces))
        self.pieces.clear()
        return text


def read_html(data: bytes, sink: PartSink) -> None:
    """Read an HTML file."""
    _read(decoded_text(data, sink), sink, mail=False)


def read_mail_html(text: str, sink: PartSink) -> None:
    """Read the HTML body of a mail, with quoted text and signature labelled."""
    _read(text, sink, mail=True)


def tag_depth(text: str, limit: int) -> int:
    """Return how deep tags nest if that may be more than `limit`; tags that close themselves do not count."""
    depth = deepest = 0
    if text.count("<") <= limit:
        return 0
    for match in _NESTING_TAG.finditer(text):
        depth = max(depth - 1, 0) if match[1] else depth + 1
        if depth > deepest:
            deepest = depth
            if deepest > limit:
                break
    return deepest


def tidy(text: str) -> str:
    """Collapse blanks within lines and empty lines; `\\x01` stands for a kept blank, `\\x02` for a kept line."""
    lines = [_SPACE.sub(" ", line).strip() for line in text.split("\n")]
    out = "\n".join(lines)
    out = re.sub(r"\n{3,}", "\n\n", out).strip("\n")
    return out.replace("\x01", " ").replace("\x02", "\n")


def _read(text: str, sink: PartSink, *, mail: bool) -> None:
    if "-----BEGIN PGP MESSAGE-----" in text:
        sink.partial("encrypted")
    if tag_depth(text, sink.limits.html_depth) > sink.limits.html_depth:
        sink.partial("too_deep")
        from resiliparse.extract.html2text import extract_plain_text

        sink.text(extract_plain_text(text, preserve_formatting=False, alt_texts=True, links=True,
                                     form_fields=True, noscript=True))
        return
    walk = _Walk()
    try:
        root = LexborHTMLParser(text).root
    except SelectolaxError as error:  # it takes any markup: what fails is getting memory
        raise CannotRead("memory") from error
    if root is None:
        sink.empty()
        return
    _descend(root, walk, sink, mail=mail)
    _leftovers(text, walk)
    _flush(walk, sink, mail=mail)
    sink.text(tidy("".join(walk.hidden)), Label.HIDDEN, "hidden text")
    sink.text("\n".join(walk.comments), Label.HIDDEN, "comments")
    sink.text("\n".join(walk.links), Label.LINK, "attributes")
    for number, (mime, data) in enumerate(walk.pictures, 1):
        sink.embed(data, what=f"picture {number} of {len(walk.pictures)}", declared=mime, inline=True)
    if not root.text(deep=True).strip():
        sink.empty()


def _flush(walk: _Walk, sink: PartSink, *, mail: bool) -> None:
    quoted_at, text = walk.quoted_at, walk.shown()
    walk.quoted_at = None
    quoted = walk.quote_depth > 0
    walk.length = 0
    if not text.strip():
        return
    if not mail:
        sink.text(text, quoted=quoted)
        return
    if "\x03" in text or quoted_at is not None or quoted:
        before, mark, after = text.partition("\x03")
        if not mark and quoted:
            before, after = "", text
        for block in split_mail_text(before):
            sink.text(block.text, block.label, quoted=block.quoted)
        for block in split_mail_text(after.replace("\x03", ""), quoted_from=0):
            sink.text(block.text, block.label, quoted=True)
        return
    for block in split_mail_text(text):
        sink.text(block.text, block.label, quoted=block.quoted)


def _descend(root: Any, walk: _Walk, sink: PartSink, *, mail: bool) -> None:
    """Walk the tree without recursion. The stack holds nodes to enter and, as tuples, nodes to leave."""
    stack: list[tuple[Any, bool, bool, bool]] = [(root, False, False, False)]  # node, hidden, preformatted, leave
    while stack:
        node, hidden, preformatted, leave = stack.pop()
        tag = node.tag
        if leave:
            if tag in _BLOCKS:
                walk.put("\n", hidden=hidden)
            if tag == "blockquote":
                walk.quote_depth = max(walk.quote_depth - 1, 0)
            continue
        following = node.next
        if following is not None and node is not root:
            stack.append((following, hidden, preformatted, False))
        if tag == "-text":
            _text(node, walk, hidden=hidden, preformatted=preformatted)
            continue
        if tag == "-comment":
            _comment(node, walk)
            continue
        attributes = node.attributes
        inside_hidden = hidden or _is_hidden(tag, attributes)
        if _LONG_NUMBER.search(tag):
            walk.links[tag] = None
        _attributes(tag, attributes, walk)
        if tag == "br":
            walk.put("\n", hidden=hidden)
        elif tag == "style":
            _style(node.text(deep=True) or "", walk)
            continue
        elif tag == "template":  # its content is a document of its own, which the tree does not show
            _markup(node.html or "", walk)
            continue
        elif tag in _RAW_TEXT:
            walk.put(" " + _MARKUP.sub(" ", node.text(deep=True) or "") + "\n", hidden=True)
            continue
        elif tag in ("td", "th"):
            walk.put(" ", hidden=inside_hidden)
        elif tag in _BLOCKS:
            walk.put("\n", hidden=inside_hidden)
            if walk.length > _PIECE and not mail:  # a page cut short by the clock keeps what came before
                _flush(walk, sink, mail=mail)
        if tag == "table" and not inside_hidden:
            rows = _data_table(node)
            if rows is not None:
                _flush(walk, sink, mail=mail)
                walk.tables += 1
                sink.table(rows, f"table {walk.tables}", quoted=walk.quote_depth > 0)
                _table_attributes(node, walk)
                continue
        if mail and _is_quote(tag, attributes):
            if walk.quoted_at is None:
                walk.quoted_at = walk.length
                walk.put("\n\x03", hidden=False)
            walk.quote_depth += tag == "blockquote"
        stack.append((node, inside_hidden, preformatted, True))
        child = node.child
        if child is not None:
            stack.append((child, inside_hidden, preformatted or tag in ("pre", "textarea"), False))


def _text(node: Any, walk: _Walk, *, hidden: bool, preformatted: bool) -> None:
    text = node.text_content or ""
    parent = node.parent
    if parent is not None and parent.tag in ("style",):
        return
    if parent is not None and parent.tag in ("script", "noscript", "template"):
        walk.put(text + "\n", hidden=True)
        return
    if preformatted:
        walk.put(text.replace("\r", "").replace("\t", "\x01").replace(" ", "\x01").replace("\n", "\x02"), hidden=hidden)
    else:
        walk.put(text.replace("\n", " "), hidden=hidden)


def _comment(node: Any, walk: _Walk) -> None:
    _markup(node.comment_content or "", walk)


def _markup(source: str, walk: _Walk) -> None:
    """Markup that is not part of the page: in comments, templates, conditions for one mail program."""
    pieces = _SHEET.split(source)
    for sheet in pieces[1::2]:
        _style(sheet, walk)
    source = " ".join(pieces[::2])
    for tag in _MARKUP.findall(source):
        for name, double, single in _QUOTED_VALUE.findall(tag):
            _attributes("", {name.casefold(): unescape_entities(double or single)}, walk)
    text = _MARKUP.sub("", _BREAK_TAG.sub("\n", re.sub(r"\[if [^\]]*\]>?|<?!?\[endif\]", " ", source)))
    text = tidy(unescape_entities(text))
    if text and any(char.isalnum() for char in text):
        walk.comments.append(text)


def _attributes(tag: str, attributes: dict[str, str | None], walk: _Walk) -> None:
    if not attributes:
        return
    bare = " ".join([tag, *(name for name, value in attributes.items() if not value)])
    if _LONG_NUMBER.search(bare):  # words in angle brackets look like a tag
        walk.links[bare] = None
    for name, value in attributes.items():
        if not value:
            continue
        if value[:5].casefold() == "data:":
            _data_uri(value, walk)
        elif name == "style":
            _style(value, walk)
        elif name in _ADDRESSES or (name in _PLAIN and (name != "content" or tag == "meta")):
            _link(name, value, walk)
        elif name in _LAYOUT or name.startswith(("xmlns", "on", "data-")):
            if is_said(value):
                walk.links[f"{name}: {_SPACE.sub(' ', value)}"] = None
        elif any(char.isalnum() for char in value):
            walk.links[f"{name}: {_SPACE.sub(' ', value)}"] = None


def _link(name: str, value: str, walk: _Walk) -> None:
    if value.startswith(("#", "javascript:void")):
        return
    if name in _ADDRESSES and name != "href" and _QUERY.search(value) is None and " " not in value:
        return  # the address of a picture alone says nothing about a person
    readable = unquote(value) if name in _ADDRESSES and "%" in value else value
    walk.links[_SPACE.sub(" ", readable)] = None


def _style(text: str, walk: _Walk) -> None:
    """What a style sheet shows or says: generated content, comments, pictures it carries."""
    for match in _CSS.finditer(text):
        if match[1]:
            _data_uri(match[1], walk)
        elif (said := tidy(match[2] or match[3] or match[4] or "")) and any(char.isalnum() for char in said):
            walk.comments.append(said)


def _data_uri(value: str, walk: _Walk) -> None:
    match = _DATA_URI.match(value)
    if match is None:
        return
    raw = value[match.end():]
    try:
        data = base64.b64decode(raw + "==") if match[2] else unquote_to_bytes(raw)
    except (binascii.Error, ValueError):
        data = raw.encode("utf-8", "replace")
    if data:
        walk.pictures.append((match[1], data))


def _is_hidden(tag: str, attributes: dict[str, str | None]) -> bool:
    if not attributes:
        return False
    if "hidden" in attributes and tag != "input":
        return True
    style = attributes.get("style") or ""
    if not style or not _HIDDEN_STYLE.search(style):
        return tag == "font" and (attributes.get("color") or "").casefold() in ("#ffffff", "#fff", "white")
    return not (_LIGHT.search(style) and _BACKGROUND.search(style))


def _is_quote(tag: str, attributes: dict[str, str | None]) -> bool:
    if tag == "blockquote":
        return True
    if not attributes or tag not in ("div", "hr", "table", "span"):
        return False
    return bool(_QUOTE_CLASSES.search(attributes.get("class") or "") or _QUOTE_IDS.match(attributes.get("id") or ""))


def _data_table(table: Any) -> list[list[str]] | None:
    """The rows of a table of data; None for a table that only arranges the page.

    Data has at least two rows with two filled cells, short cells, and no table inside.
    """
    if (table.css_first("table") is not None and len(table.css("table")) > 1) or table.css_first(_RICH) is not None:
        return None
    rows: list[list[str]] = []
    for row in table.css("tr"):
        cells = []
        for cell in row.css("td, th"):
            text = tidy(cell.text(deep=True, separator=" "))
            if len(text) > _CELL_CHARS or cell.css_first("img, input, select, textarea, script") is not None \
                    or "display" in (cell.attributes.get("style") or ""):
                return None
            cells.append(text)
        rows.append(cells)
    filled = sum(1 for row in rows if sum(bool(cell) for cell in row) >= _TABLE_CELLS)
    return rows if filled >= 2 else None


def _table_attributes(table: Any, walk: _Walk) -> None:
    """What a table of data holds beside its cells: attributes and comments."""
    for node in table.traverse(include_text=False):
        if node.tag != "-comment":
            _attributes(node.tag, node.attributes, walk)
    html = table.html or ""
    for comment in _COMMENTS.findall(html) if "<!--" in html else ():
        _markup(comment, walk)


def _leftovers(text: str, walk: _Walk) -> None:
    """What a parser drops: declarations, processing instructions, odd end tags, a tag the page ends in."""
    pieces = [match[0] for match in _DECLARATION.finditer(text)]
    unfinished = _UNFINISHED.search(text, max(text.rfind("<"), 0))
    pieces += [unfinished[0]] if unfinished else []
    for piece in pieces:
        words = tidy(unescape_entities(re.sub(r"[<>\[\]!?]", " ", piece)))
        if (in_words(words) and "doctype" not in words[:9].casefold()) or _LONG_NUMBER.search(words):
            walk.comments.append(words)
