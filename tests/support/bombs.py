"""Builds hostile and broken files, so that none has to be stored. Everything is a few lines and small."""

from __future__ import annotations

import base64
import gzip
import io
import random
import struct
import zipfile
import zlib

CONTENT_TYPES = (b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
                 b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                 b'<Default Extension="xml" ContentType="application/xml"/>%b</Types>')
WORD = b'<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'  # noqa: E501
SHEET = b'<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'  # noqa: E501
RELS = (b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        b'<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%b" '
        b'Target="%b"/></Relationships>')
W = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of `members`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def docx(document: bytes) -> bytes:
    """A Word file with this main part."""
    return zipped({"[Content_Types].xml": CONTENT_TYPES % WORD,
                   "_rels/.rels": RELS % (b"officeDocument", b"word/document.xml"), "word/document.xml": document})


def docx_of(text: str) -> bytes:
    """A Word file with one paragraph."""
    return docx(b'<?xml version="1.0"?><w:document %b><w:body><w:p><w:r><w:t>%b</w:t></w:r></w:p></w:body></w:document>'
                % (W, text.encode()))


def xlsx(sheet: bytes, strings: bytes = b"") -> bytes:
    """A workbook with one sheet part."""
    ns = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    members = {
        "[Content_Types].xml": CONTENT_TYPES % SHEET,
        "_rels/.rels": RELS % (b"officeDocument", b"xl/workbook.xml"),
        "xl/workbook.xml": b'<?xml version="1.0"?><workbook %b xmlns:r="http://schemas.openxmlformats.org/'
                           b'officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="r1"/>'
                           b'</sheets></workbook>' % ns,
        "xl/_rels/workbook.xml.rels": RELS % (b"worksheet", b"worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": b'<?xml version="1.0"?><worksheet %b><sheetData>%b</sheetData></worksheet>'
                                    % (ns, sheet)}
    return zipped(members)


def mail(body: bytes = b"Dear all,\r\n\r\nthe course starts on Monday.\r\n", *attachments: tuple[str, bytes],
         subject: str = "course") -> bytes:
    """A mail with a plain body and attachments."""
    head = (b"From: Ada Ames <ada@sender.example>\r\nTo: Ben Bell <ben@receiver.example>\r\n"
            b"Subject: %b\r\nMessage-ID: <m1@sender.example>\r\nDate: Mon, 6 Jan 2025 10:00:00 -0800\r\n"
            b"MIME-Version: 1.0\r\n" % subject.encode())
    if not attachments:
        return head + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body
    parts = [b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body]
    for name, content in attachments:
        parts.append(b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
                     b'Content-Disposition: attachment; filename="%b"\r\n\r\n' % name.encode()
                     + base64.encodebytes(content))
    return (head + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
            + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n")


def zeros_zipped(megabytes: int) -> bytes:
    """A zip file whose one member expands to `megabytes` of zeros."""
    return zipped({"zeros.txt": bytes(megabytes * 1_000_000)})


def zeros_gzipped(megabytes: int) -> bytes:
    """The same as gzip."""
    return gzip.compress(bytes(megabytes * 1_000_000), 6)


def nested_zip(depth: int) -> bytes:
    """A text in `depth` zip files around each other."""
    data, name = b"innermost text", "t.txt"
    for _ in range(depth):
        data, name = zipped({name: data}), "z.zip"
    return data


def many_members(count: int) -> bytes:
    """A zip file with `count` small members."""
    return zipped({f"m{number}.txt": b"x" for number in range(count)}, zipfile.ZIP_STORED)


def billion_laughs() -> bytes:
    """A Word file whose entities expand to gigabytes."""
    entities = b"".join(b'<!ENTITY e%d "%b">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10))
    return docx(b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "ha">%b]><w:document %b><w:body><w:p><w:r><w:t>&e9;'
                b'</w:t></w:r></w:p></w:body></w:document>' % (entities, W))


def external_entity() -> bytes:
    """A Word file that asks for a file of the machine."""
    return docx(b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><w:document %b><w:body>'
                b'<w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>' % W)


def sparse_corner() -> bytes:
    """A workbook with two cells, one in the last row and column there is."""
    return xlsx(b'<row r="1"><c r="A1" t="inlineStr"><is><t>near</t></is></c></row>'
                b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>far corner</t></is></c></row>')


def fat_docx(megabytes: int) -> bytes:
    """A Word file with `megabytes` of one repeated paragraph."""
    paragraph = b"<w:p><w:r><w:t>again and again</w:t></w:r></w:p>"
    return docx(b'<?xml version="1.0"?><w:document %b><w:body>%b</w:body></w:document>'
                % (W, paragraph * (megabytes * 1_000_000 // len(paragraph))))


def deep_html(depth: int) -> bytes:
    """`depth` div elements inside each other."""
    return b"<html><body>" + b"<div>" * depth + b"deep" + b"</div>" * depth


def wide_html(megabytes: int) -> bytes:
    """A page of many paragraphs."""
    paragraph = b'<p class="a">Some words and <b>a few</b> more of them, <a href="https://x.example/">linked</a>.</p>\n'
    return b"<html><body>" + paragraph * (megabytes * 1_000_000 // len(paragraph))


def many_mime_parts(count: int) -> bytes:
    """A mail with `count` parts."""
    return (b"From: a@b.example\r\nSubject: parts\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
            + b"--x\r\nContent-Type: text/plain\r\n\r\np\r\n" * count + b"--x--\r\n")


def deep_mime(depth: int) -> bytes:
    """A mail with `depth` multiparts inside each other."""
    opens = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return b"From: a@b.example\r\nSubject: deep\r\n" + opens + b"Content-Type: text/plain\r\n\r\nat the bottom\r\n"


def nested_mails(depth: int) -> bytes:
    """A mail in a mail in a mail."""
    data = mail(b"innermost\r\n")
    for _ in range(depth):
        data = (b"From: a@b.example\r\nSubject: fwd\r\nContent-Type: multipart/mixed; boundary=q%d\r\n\r\n--q%d\r\n"
                b"Content-Type: message/rfc822\r\n\r\n%b\r\n--q%d--\r\n" % (len(data), len(data), data, len(data)))
    return data


def many_addresses(count: int) -> bytes:
    """A mail to `count` people."""
    to = ", ".join(f"Person {number} <p{number}@x.example>" for number in range(count))
    return f"From: a@b.example\r\nTo: {to}\r\nSubject: all\r\n\r\nhello all\r\n".encode()


def huge_png(side: int) -> bytes:
    """A PNG that claims `side` x `side` pixels."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(bytes(1_000))) + chunk(b"IEND", b""))


def pdf(page_contents: list[bytes], filters: bytes = b"", extra: bytes = b"") -> bytes:
    """A PDF with one page for each content stream."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R %b >>" % extra, b"",
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for content in page_contents:
        objects.append(b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), filters, content))
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
                       b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects))
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b" ".join(kids), len(kids))
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def pdf_text(text: str) -> bytes:
    """A content stream that shows `text`."""
    return b"BT /F1 12 Tf 72 700 Td (%b) Tj ET" % text.encode("latin-1")


def double_deflated_pdf(megabytes: int) -> bytes:
    """A PDF whose page expands twice."""
    content = b"0 0 m 9 9 l S\n" * (megabytes * 1_000_000 // 14)
    return pdf([zlib.compress(zlib.compress(content, 9), 9)], b"/Filter [/FlateDecode /FlateDecode]")


def rtf_with_object(megabytes: int) -> bytes:
    """An RTF file with hexadecimal object data."""
    return b"{\\rtf1\\ansi before {\\object\\objemb{\\*\\objdata " + b"00ff" * (megabytes * 250_000) + b"}} after}"


def tnef_53() -> bytes:
    """A TNEF file of 53 bytes whose one attribute is shorter than it says."""
    return b"\x78\x9f\x3e\x22\x01\x00" + struct.pack("<BII", 1, 0x00069003, 38) + bytes(38)


def random_bytes(count: int, seed: int = 1) -> bytes:
    """Noise."""
    return random.Random(seed).randbytes(count)  # noqa: S311 - noise, not a secret


def encrypted_zip() -> bytes:
    """A zip file whose member says that it is encrypted."""
    plain = bytearray(zipped({"secret.txt": b"nothing to read here"}, zipfile.ZIP_STORED))
    plain[6] |= 1
    plain[plain.index(b"PK\x01\x02") + 8] |= 1
    return bytes(plain)
