"""Plain text and XML."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus, unquote_to_bytes

from capture.extract.collect import PartSink
from capture.extract.encodedtext import read_encoded
from capture.extract.headers import decode_base64, parse_value
from capture.extract.reader import CannotRead
from capture.extract.textual import Decoded, as_text, is_said
from pii_scan.text import Label

_XML: Final = re.compile(r"<!--(.*?)-->|<!\[CDATA\[(.*?)\]\]>|<([^<>]*)>|([^<]+)", re.S)
_ATTRIBUTE: Final = re.compile(r"[\w:.-]+\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_ENTITY: Final = re.compile(r"<!ENTITY\b", re.I)
_POSTSCRIPT: Final = re.compile(r"\s*%!(?:PS|\s)")
_UNICODE_ESCAPE: Final = re.compile(r"\\u([0-9A-Fa-f]{4})")
_FEW: Final = 8
_CARRIED: Final = 40
_SVG: Final = re.compile(r"<(?:\w{1,20}:)?svg\b")
_DRAWN: Final = re.compile(r"<(?:\w{1,20}:)?(?:path|image|polyline|polygon|use)\b")
_LOSSY_SHARE: Final = 0.01
_NAMED_CHARSET: Final = re.compile(
    rb"<(?:meta|\?xml)\b[^<>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?([\w.:-]{2,40})", re.I)


def decoded_text(data: bytes, sink: PartSink) -> str:
    """Return the text of a file with line ends as `\\n`. Raises `CannotRead` when it is none."""
    charset = parse_value(sink.declared)[1].get("charset", "") or _named_inside(data)
    found: Decoded | None = as_text(data, charset)
    if found is None:
        raise CannotRead("unknown_type")
    if found.lossy and found.text.count("\ufffd") > _LOSSY_SHARE * len(found.text):
        sink.partial("corrupt")
    text = found.text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip("\ufeff\0 \t\n\f\v") and not sink.root:
        sink.empty()
    return text


def _named_inside(data: bytes) -> str:
    """The charset that HTML or XML names for itself; not UTF-16, which would not have let us read the name."""
    found = _NAMED_CHARSET.search(data[:2_048])
    name = found[1].decode("ascii") if found else ""
    return "" if name.casefold().startswith(("utf-16", "utf-32", "ucs")) else name


def read_text(data: bytes, sink: PartSink) -> None:
    """Read a plain text file."""
    text = decoded_text(data, sink)
    if "-----BEGIN PGP MESSAGE-----" in text:
        sink.partial("encrypted")
    if _POSTSCRIPT.match(text):  # what it shows is computed; only the strings stand there
        sink.partial("unsupported")
    sink.text(text)
    if _UNICODE_ESCAPE.search(text):
        sink.text(_UNICODE_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text), Label.HIDDEN, "text")
    if sink.declared.startswith("application/x-www-form-urlencoded"):
        sink.text(unquote_plus(text), Label.TEXT, "form")
    read_encoded(text, sink)


def read_xml(data: bytes, sink: PartSink) -> None:
    """Read the text, attributes and comments of XML, without a parser that could be led astray."""
    text = decoded_text(data, sink)
    if _ENTITY.search(text):
        sink.partial("external_entity")
    words: list[str] = []
    attributes: list[str] = []
    comments: list[str] = []
    for match in _XML.finditer(text):
        if match[1]:
            comments.append(match[1].strip())
        elif match[3]:
            if match[3].startswith("?") and is_said(match[3]):
                comments.append(match[3].strip("?"))
            attributes += [a or b for a, b in _ATTRIBUTE.findall(match[3])]
        elif (piece := (match[2] or match[4] or "").strip()):
            words.append(unescape_entities(piece))
    carried = [word for word in words if len(word) > _CARRIED]
    attributes, links = _data_uris(attributes)
    sink.text("\n".join(words))
    if len(words) > _FEW and sum(map(len, words)) <= 2 * len(words):  # letters placed one by one
        sink.text("".join(words))
    for word in carried:
        read_encoded(word, sink)
    for number, content in enumerate(links, 1):
        sink.embed(content, what=f"embedded {number}")
    if not "".join(words).strip() and _SVG.search(text) and _DRAWN.search(text):
        sink.partial("no_text")  # letters may be drawn as lines
    sink.text(unescape_entities("\n".join(filter(None, attributes))), Label.LINK, "attributes")
    sink.text("\n".join(filter(None, comments)), Label.HIDDEN, "comments")


def _data_uris(attributes: list[str]) -> tuple[list[str], list[bytes]]:
    """Attributes without those that carry a file in themselves, and these files."""
    plain: list[str] = []
    files: list[bytes] = []
    for value in attributes:
        head, comma, content = value.partition(",")
        if not value.lstrip().casefold().startswith("data:") or not comma:
            plain.append(value)
        elif head.casefold().endswith(";base64"):
            files.append(decode_base64(content.encode("ascii", "ignore"))[0])
        else:
            files.append(unquote_to_bytes(content))
    return plain, files


def unescape_entities(text: str) -> str:
    """Resolve character references."""
    import html

    return html.unescape(text) if "&" in text else text
