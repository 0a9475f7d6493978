"""The attachments of the demo, written byte by byte so that two runs make the same files.

Office files and archives come from the standard library with a fixed time stamp; the usual writers put
the clock into them. Only the scanned letter needs Pillow, to draw a page.
"""

from __future__ import annotations

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from datetime import date
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont

Cell = str | int | date

_STAMP = (2026, 3, 2, 9, 0, 0)
_EXCEL_DAY_ZERO = date(1899, 12, 30)
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_OFFICE_TYPE = "application/vnd.openxmlformats-officedocument"
_RELS_TYPE = "application/vnd.openxmlformats-package.relationships+xml"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def _package(parts: Mapping[str, str], main: str, types: Mapping[str, str]) -> bytes:
    """Zip the XML `parts` into an office package whose main part is `main`; `types` names content types."""
    overrides = "".join(
        f'<Override PartName="/{part}" ContentType="{_OFFICE_TYPE}.{kind}+xml"/>'
        for part, kind in types.items()
    )
    files = {
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types">'
            f'<Default Extension="rels" ContentType="{_RELS_TYPE}"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="{main}"/></Relationships>'
        ),
        **parts,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, _STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(info, _XML + text)
    return buffer.getvalue()


def docx(paragraphs: Sequence[str]) -> bytes:
    """A Word document with one paragraph a string."""
    body = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>' for line in paragraphs
    )
    document = f'<w:document xmlns:w="{_WORD}"><w:body>{body}<w:sectPr/></w:body></w:document>'
    return _package(
        {"word/document.xml": document},
        "word/document.xml",
        {"word/document.xml": "wordprocessingml.document.main"},
    )


def _cell(value: Cell) -> str:
    if isinstance(value, date):
        return f'<c s="1"><v>{(value - _EXCEL_DAY_ZERO).days}</v></c>'
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def xlsx(sheet: str, rows: Sequence[Sequence[Cell]]) -> bytes:
    """An Excel workbook with one sheet; dates are real date cells, as a registration system exports them."""
    data = "".join(f"<row>{''.join(_cell(value) for value in row)}</row>" for row in rows)
    parts = {
        "xl/workbook.xml": (
            f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
            f'<sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
        ),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{data}</sheetData></worksheet>',
        "xl/styles.xml": (
            f'<styleSheet xmlns="{_SHEET}"><fonts count="1"><font/></fonts>'
            '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
            '<borders count="1"><border/></borders>'
            '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
            '<cellXfs count="2"><xf/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
        ),
    }
    return _package(parts, "xl/workbook.xml", {
        "xl/workbook.xml": "spreadsheetml.sheet.main",
        "xl/worksheets/sheet1.xml": "spreadsheetml.worksheet",
        "xl/styles.xml": "spreadsheetml.styles",
    })


def csv_file(rows: Sequence[Sequence[Cell]]) -> bytes:
    """A comma-separated file in UTF-8, dates in ISO form."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _pdf(objects: Sequence[bytes]) -> bytes:
    """Put numbered objects (the first is the catalogue) into a PDF file with its cross-reference table."""
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (entries, len(data), data)


def pdf(lines: Sequence[str]) -> bytes:
    """A one-page PDF with real text, one line a string (at most about 55 lines of 90 characters)."""
    shown = []
    for line in lines:
        raw = line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
        shown.append(b"(%b) Tj T*" % raw)
    content = b"BT /F1 10 Tf 13 TL 60 780 Td\n" + b"\n".join(shown) + b"\nET"
    return _pdf([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        _stream(b"", content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ])


def scanned_pdf(lines: Sequence[str]) -> bytes:
    """A one-page PDF that is only a picture of the lines: a letter put through an office scanner."""
    width, height = 1240, 1754  # A4 at 150 dots an inch
    page = Image.new("L", (width, height), 250)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=26)
    for number, line in enumerate(lines):
        draw.text((120, 160 + 44 * number), line, fill=40, font=font)
    pixels = zlib.compress(page.tobytes(), 9)
    return _pdf([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /XObject << /Im1 5 0 R >> >> >>",
        _stream(b"", b"q 595 0 0 842 0 0 cm /Im1 Do Q"),
        _stream(
            b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray"
            b" /BitsPerComponent 8 /Filter /FlateDecode" % (width, height),
            pixels,
        ),
    ])


def _zip_crypto(data: bytes, password: bytes, check: int) -> bytes:
    """Encrypt with the traditional ZIP cipher (PKWARE APPNOTE 6.1), a fixed header in place of random bytes.

    The cipher is weak and here only to be recognised: the demo shows that a locked archive is held.
    """
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = zlib.crc32(bytes((byte,)), keys[0] ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = zlib.crc32(bytes((keys[1] >> 24,)), keys[2] ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    for byte in password:
        update(byte)
    out = bytearray()
    for byte in b"demo header" + bytes((check,)) + data:
        mixed = (keys[2] | 2) & 0xFFFF
        out.append(byte ^ ((mixed * (mixed ^ 1)) >> 8 & 0xFF))
        update(byte)
    return bytes(out)


def encrypted_zip(member: str, data: bytes, password: str) -> bytes:
    """A ZIP archive with one member that opens only with the password."""
    name = member.encode("ascii")
    crc = zlib.crc32(data)
    body = _zip_crypto(data, password.encode("ascii"), crc >> 24)
    year, month, day, hour, minute, second = _STAMP
    stamp = (hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day)
    # version needed, flags (bit 0: encrypted), method (stored), time, date, CRC, sizes, name and extra length
    common = struct.pack("<5H3I2H", 20, 1, 0, *stamp, crc, len(body), len(data), len(name), 0)
    local = b"PK\x03\x04" + common + name + body
    central = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<3H2I", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end
