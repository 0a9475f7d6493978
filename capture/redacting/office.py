"""Word and Excel files written anew from text and tables: nothing in them but what is given.

The smallest packages that Word, Excel and LibreOffice open: no properties, no styles, no links, no formulas (every
cell is a string). Source: ECMA-376, parts 1 and 2. Two runs write the same bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

Rows = Sequence[Sequence[str]]

MOST_ROWS, MOST_COLUMNS, MOST_CELL = 1_048_576, 16_384, 32_767
"""What a sheet of Excel holds: rows, columns, characters of a cell."""

_STAMP = (1980, 1, 1, 0, 0, 0)
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def fits_sheet(rows: Rows) -> bool:
    """Whether a table fits a sheet of Excel whole."""
    return len(rows) <= MOST_ROWS and all(
        len(row) <= MOST_COLUMNS and all(len(cell) <= MOST_CELL for cell in row) for row in rows)


def docx(blocks: Iterable[str | Rows]) -> bytes:
    """A Word file of paragraphs (a text gives one for each line) and tables."""
    body = "".join(_paragraphs(b) if isinstance(b, str) else _table(b) for b in blocks)
    document = f'<w:document xmlns:w="{_WORD}"><w:body>{body}<w:p/><w:sectPr/></w:body></w:document>'
    return _package({"word/document.xml": document}, "word/document.xml",
                    {"word/document.xml": "wordprocessingml.document.main"})


def xlsx(sheets: Sequence[Rows]) -> bytes:
    """An Excel file with one sheet for each table, named Sheet1, Sheet2, ...; all cells are strings.

    Raises ValueError for a table that does not fit a sheet (`fits_sheet`)."""
    tables = list(sheets) or [[]]
    if not all(map(fits_sheet, tables)):
        raise ValueError("a table does not fit a sheet")
    numbers = range(1, len(tables) + 1)
    names = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    relations = "".join(f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
                        for n in numbers)
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>',
    }
    types = {"xl/workbook.xml": "spreadsheetml.sheet.main"}
    for n, rows in zip(numbers, tables, strict=True):
        data = "".join(f'<row r="{r}">{"".join(_cells(row, r))}</row>' for r, row in enumerate(rows, 1))
        parts[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{_SHEET}"><sheetData>{data}</sheetData></worksheet>'
        types[f"xl/worksheets/sheet{n}.xml"] = "spreadsheetml.worksheet"
    return _package(parts, "xl/workbook.xml", types)


def _package(parts: Mapping[str, str], main: str, types: Mapping[str, str]) -> bytes:
    overrides = "".join(f'<Override PartName="/{part}" ContentType="{_TYPE}.{kind}+xml"/>'
                        for part, kind in types.items())
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
                               f'"application/vnd.openxmlformats-package.relationships+xml"/>'
                               f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
                       f'Type="{_OFFICE}/officeDocument" Target="{main}"/></Relationships>',
        **parts,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, _STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, _XML + text)
    return buffer.getvalue()


def written(text: str) -> str:
    """Text as XML: escaped, characters XML does not know left out."""
    return escape(_FORBIDDEN.sub("", text))


def _paragraphs(text: str) -> str:
    return "".join(f'<w:p><w:r><w:t xml:space="preserve">{written(line)}</w:t></w:r></w:p>'
                   for line in text.splitlines())


def _table(rows: Rows) -> str:
    width = max(map(len, rows), default=0)
    if not width:
        return ""
    grid = '<w:gridCol w:w="2000"/>' * width
    lines = "".join("<w:tr>" + "".join(f"<w:tc><w:tcPr/>{_paragraphs(cell) or '<w:p/>'}</w:tc>"
                                       for cell in (*row, *[""] * (width - len(row)))) + "</w:tr>" for row in rows)
    return f"<w:tbl><w:tblPr/><w:tblGrid>{grid}</w:tblGrid>{lines}</w:tbl><w:p/>"


def _cells(row: Sequence[str], number: int) -> Iterator[str]:
    for c, cell in enumerate(row):
        if cell:
            yield f'<c r="{_column(c)}{number}" t="inlineStr"><is><t xml:space="preserve">{written(cell)}</t></is></c>'


def _column(index: int) -> str:
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name
