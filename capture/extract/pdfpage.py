"""One PDF page: whether its text exists only as a picture, and the tables in its layout."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as raw

FEW_CHARACTERS = 16
"""Below this a page with an image is a scan."""
STAMP_CHARACTERS = 200
"""Below this a page more than half covered by an image is a scan with a fax line or a stamp."""
MANY_PATHS = 150
"""A page without text but with so many drawn paths may show letters as outlines."""
SMALL_PIXELS = 100
MAX_NESTING = 6
RECTS_MAX = 3_000
PROSE_CHARACTERS = 30
"""Two columns of longer pieces than this are running text set in columns."""
_UNMAPPED = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f\U000f0000-\U0010ffff]")


def needs_eyes(page: pdfium.PdfPage, text: str) -> bool:
    """Whether the page shows something to read that is not in its text.

    True for scans (an image and fewer than 16 characters, or an image over half the page and fewer than 200),
    for pages whose letters are drawn as outlines, and for text without a usable character map.
    """
    characters = len(re.sub(r"\s", "", text))
    if characters and len(_UNMAPPED.findall(text)) > 0.3 * characters:
        return True
    if characters >= STAMP_CHARACTERS:
        return False
    largest, paths, words = 0.0, 0, 0
    for kind, share in _objects(page):
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            largest = max(largest, share)
        elif kind == raw.FPDF_PAGEOBJ_PATH:
            paths += 1
        elif kind == raw.FPDF_PAGEOBJ_TEXT:
            words += 1
    if characters < FEW_CHARACTERS:
        return largest > 0 or paths > MANY_PATHS or (words > 0 and not text)
    return largest > 0.5


def _objects(page: pdfium.PdfPage) -> Iterator[tuple[int, float]]:
    """(kind, share of the page) of every object, also inside forms; the share of tiny images is 0."""
    width, height = page.get_size()
    for item in page.get_objects(max_depth=MAX_NESTING):
        if item.type != raw.FPDF_PAGEOBJ_IMAGE:
            yield item.type, 0.0
            continue
        try:
            pixels = item.get_px_size()
            bounds = item.get_bounds()
            outer = item.container
            while outer is not None:
                bounds = outer.get_matrix().on_rect(*bounds)
                outer = outer.container
        except pdfium.PdfiumError:
            yield item.type, 1.0
            continue
        left, bottom, right, top = bounds
        share = min(abs((right - left) * (top - bottom)) / max(width * height, 1.0), 1.0)
        yield item.type, max(share, 0.001) if min(pixels) > SMALL_PIXELS or share > 0.1 else 0.0


class _Cell(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float
    text: str


def layout_tables(words: pdfium.PdfTextPage) -> Iterator[list[list[str]]]:
    """Tables seen in the layout: at least 3 lines in a row whose pieces stand in 2 or more common columns.

    The same words are in the page's text too; the table adds which value stands under which heading.
    """
    block: list[list[_Cell]] = []
    for line in [*_lines(words), []]:
        far = block and line and block[-1][0].bottom - line[0].top > 3 * (line[0].top - line[0].bottom)
        if block and (len(line) < 2 or far):
            rows = _columns(block)
            if rows:
                yield rows
            block = []
        if len(line) > 1:
            block.append(line)


def _lines(words: pdfium.PdfTextPage) -> list[list[_Cell]]:
    """Lines from top to bottom, each as pieces from left to right that stand more than a blank apart."""
    count = words.count_rects()
    if not 6 <= count <= RECTS_MAX:
        return []
    pieces = []
    for index in range(count):
        bounds = words.get_rect(index)
        text = " ".join(words.get_text_bounded(*bounds).split())
        if text:
            left, bottom, right, top = bounds
            pieces.append(_Cell(left, bottom, right, top, text))
    pieces.sort(key=lambda piece: -(piece.top + piece.bottom))
    lines: list[list[_Cell]] = []
    for piece in pieces:
        middle = (piece.top + piece.bottom) / 2
        if lines and lines[-1][0].bottom < middle < lines[-1][0].top:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [_joined(sorted(line)) for line in lines]


def _joined(line: list[_Cell]) -> list[_Cell]:
    out = [line[0]]
    for piece in line[1:]:
        last = out[-1]
        if piece.left - last.right < 0.9 * (last.top - last.bottom):
            gap = " " if piece.left - last.right > 0.1 * (last.top - last.bottom) else ""
            out[-1] = last._replace(right=max(last.right, piece.right), text=f"{last.text}{gap}{piece.text}")
        else:
            out.append(piece)
    return out


def _columns(block: list[list[_Cell]]) -> list[list[str]]:
    """The lines as rows of common columns; empty when this is no table (too few lines, or columns of prose)."""
    if len(block) < 3:
        return []
    usual = Counter(len(line) for line in block).most_common(1)[0][0]
    spans: list[list[float]] = []
    for piece in sorted(piece for line in block if len(line) == usual for piece in line):
        if spans and piece.left < spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], piece.right)
        else:
            spans.append([piece.left, piece.right])
    length = sum(len(piece.text) for line in block for piece in line) / sum(len(line) for line in block)
    if len(spans) < 2 or (len(spans) == 2 and length > PROSE_CHARACTERS):
        return []
    rows = []
    for line in block:
        row = [""] * len(spans)
        for piece in line:
            middle = (piece.left + piece.right) / 2
            column = min(range(len(spans)), key=lambda at: _distance(spans[at], piece.left, middle))
            row[column] = f"{row[column]} {piece.text}".strip()
        rows.append(row)
    if len(spans) == 2 and all(len(row[0]) <= 3 for row in rows):
        return []  # a list with its bullets or numbers
    return rows


def _distance(span: list[float], left: float, middle: float) -> float:
    if span[0] <= left <= span[1] or span[0] <= middle <= span[1]:
        return 0.0
    return min(abs(span[0] - left), abs(span[1] - left))
