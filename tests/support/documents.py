"""Builds documents of every format in a few lines each, so that no sample file has to be stored."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence

from capture.extract.cfb import write_compound

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_R = f'xmlns:r="{_OFFICE}"'
_ODF = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
    for short in ("office", "text", "table", "draw", "presentation", "style", "manifest")
) + (' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"')


def package(members: dict[str, str | bytes]) -> bytes:
    """A zip of members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def relations(*rows: tuple[str, str, str, bool]) -> str:
    """A .rels part of (id, kind, target, external)."""
    inner = "".join(
        f'<Relationship Id="{key}" Type="{_OFFICE}/{kind}" Target="{target}"'
        f"{' TargetMode=' + chr(34) + 'External' + chr(34) if external else ''}/>"
        for key, kind, target, external in rows
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inner}</Relationships>'
    )


def _types(folder: str) -> str:
    kind = {"word": "wordprocessingml.document", "ppt": "presentationml.presentation", "xl": "spreadsheetml.sheet"}
    return (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/m" '
        f'ContentType="application/vnd.openxmlformats-officedocument.{kind[folder]}.main+xml"/></Types>'
    )


def word(body: str, **parts: str | bytes) -> bytes:
    """A docx with this body; `parts` are members, with __ for / and no ending (word__header1="...")."""
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": _types("word"),
        "_rels/.rels": relations(("r1", "officeDocument", "word/document.xml", False)),
        "word/document.xml": f"<w:document {_W} {_A} {_R}><w:body>{body}</w:body></w:document>",
    }
    for name, content in parts.items():
        path = name.replace("__", "/").replace("DOT", ".")
        members[path if "." in path else f"{path}.xml"] = content
    return package(members)


def paragraph(text: str) -> str:
    """A Word paragraph."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def word_part(root: str, inner: str) -> str:
    """A header, footer or notes part."""
    return f"<w:{root} {_W}>{inner}</w:{root}>"


def slides(*texts: str, hidden: Sequence[int] = (), notes: str = "") -> bytes:
    """A pptx with one text a slide, and notes to slide 1."""
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": _types("ppt"),
        "_rels/.rels": relations(("r1", "officeDocument", "ppt/presentation.xml", False)),
        "ppt/presentation.xml": f"<p:presentation {_P}/>",
        "ppt/_rels/presentation.xml.rels": relations(
            *((f"r{number}", "slide", f"slides/slide{number}.xml", False) for number in range(1, len(texts) + 1))
        ),
    }
    for number, text in enumerate(texts, 1):
        show = ' show="0"' if number in hidden else ""
        members[f"ppt/slides/slide{number}.xml"] = (
            f"<p:sld {_P} {_A}{show}><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sld>"
        )
    if notes:
        members["ppt/notesSlides/notesSlide1.xml"] = (
            f"<p:notes {_P} {_A}><p:txBody><a:p><a:r><a:t>{notes}</a:t></a:r></a:p></p:txBody></p:notes>"
        )
    return package(members)


def workbook(
    *sheets: str,
    formats: Sequence[str] = (),
    strings: Sequence[str] = (),
    states: Sequence[str] = (),
    after: str = "",
    extra: dict[str, str | bytes] | None = None,
) -> bytes:
    """An xlsx of sheets given as rows of cells in XML; style i + 1 has the i-th number format."""
    entries = "".join(
        f'<sheet name="Tab {number}" sheetId="{number}" r:id="r{number}"'
        f"{' state=' + chr(34) + states[number - 1] + chr(34) if len(states) >= number else ''}/>"
        for number in range(1, len(sheets) + 1)
    )
    codes = "".join(f'<numFmt numFmtId="{164 + index}" formatCode="{code}"/>' for index, code in enumerate(formats))
    styles = "".join(f'<xf numFmtId="{number}"/>' for number in (0, *range(164, 164 + len(formats))))
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": _types("xl"),
        "_rels/.rels": relations(("r1", "officeDocument", "xl/workbook.xml", False)),
        "xl/workbook.xml": f"<workbook {_S} {_R}><sheets>{entries}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            *(
                (f"r{number}", "worksheet", f"worksheets/sheet{number}.xml", False)
                for number in range(1, len(sheets) + 1)
            ),
            ("s", "styles", "styles.xml", False),
            ("t", "sharedStrings", "sharedStrings.xml", False),
        ),
        "xl/styles.xml": f"<styleSheet {_S}><numFmts>{codes}</numFmts><cellXfs>{styles}</cellXfs></styleSheet>",
        "xl/sharedStrings.xml": f"<sst {_S}>" + "".join(f"<si><t>{text}</t></si>" for text in strings) + "</sst>",
        **(extra or {}),
    }
    for number, rows in enumerate(sheets, 1):
        members[f"xl/worksheets/sheet{number}.xml"] = (
            f"<worksheet {_S}><sheetData>{rows}</sheetData>{after}</worksheet>"
        )
    return package(members)


def open_document(
    kind: str, body: str, *, styles: str = "", manifest: str = "", extra: dict[str, str | bytes] | None = None
) -> bytes:
    """An odt, ods or odp; `kind` is text, spreadsheet or presentation."""
    return package(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {_ODF}><office:automatic-styles>"
            '<style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/>'
            f"</style:style></office:automatic-styles><office:body><office:{kind}>{body}"
            f"</office:{kind}></office:body></office:document-content>",
            "styles.xml": f"<office:document-styles {_ODF}><office:master-styles>{styles}</office:master-styles>"
            "</office:document-styles>",
            "META-INF/manifest.xml": f"<manifest:manifest {_ODF}>{manifest}</manifest:manifest>",
            **(extra or {}),
        }
    )


# PDF


def pdf(*pages: str, more: Sequence[str] = (), catalog: str = "", page: str = "", password: bytes = b"") -> bytes:
    """A PDF with one line of text a page; lines are separated by newlines, "x,y:text" places one.

    Objects 1 to 3 are catalog, pages and font; `more` are further objects, numbered from 4; then pages and contents.
    """
    contents = ["\n".join(_shown(line, index) for index, line in enumerate(text.split("\n"))) for text in pages]
    first = 4 + len(more)
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
        (
            f"<< /Type /Pages /Count {len(pages)} /Kids ["
            + " ".join(f"{first + 2 * index} 0 R" for index in range(len(pages)))
            + "] >>"
        ).encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        *(text.encode("latin-1") for text in more),
    ]
    key = _pdf_key(password) if password else b""
    for index, content in enumerate(contents):
        stream = content.encode("latin-1")
        if key:
            number = first + 2 * index + 1
            stream = _rc4(
                hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0", usedforsecurity=False).digest()[:10], stream
            )
        objects.append(
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> "
                f"/XObject << /Im 4 0 R >> >> /Contents {first + 2 * index + 1} 0 R {page} >>"
            ).encode()
        )
        objects.append(b"<< /Length %d >> stream\n%b\nendstream" % (len(stream), stream))
    trailer = ""
    if password:
        user = _rc4(key, _PAD)
        objects.append(
            b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%b> /U <%b> >>"
            % (_pdf_owner(password).hex().encode(), user.hex().encode())
        )
        trailer = f"/Encrypt {len(objects)} 0 R /ID [<00> <00>]"
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(out)


def _shown(line: str, index: int) -> str:
    if line.startswith("!"):
        return line[1:]
    out = []
    for piece in line.split("|"):
        place, colon, text = piece.partition(":")
        x, comma, y = place.partition(",")
        if not (colon and comma and x.isdigit() and y.isdigit()):
            x, y, text = "72", str(720 - 14 * index), piece
        out.append(f"BT /F1 12 Tf {x} {y} Td ({text}) Tj ET")
    return "\n".join(out)


_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def _pdf_owner(password: bytes) -> bytes:
    secret = hashlib.md5((password + _PAD)[:32], usedforsecurity=False).digest()[:5]
    return _rc4(secret, (password + _PAD)[:32])


def _pdf_key(password: bytes) -> bytes:
    return hashlib.md5(
        (password + _PAD)[:32] + _pdf_owner(password) + struct.pack("<i", -4) + b"\0", usedforsecurity=False
    ).digest()[:5]


def _rc4(key: bytes, data: bytes) -> bytes:
    box = list(range(256))
    j = 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


# compound files


def word_97(
    text: str,
    *,
    notes: str = "",
    margins: str = "",
    encrypted: bool = False,
    wide: bool = True,
    extra: Sequence[tuple[tuple[str, ...], bytes]] = (),
) -> bytes:
    """A .doc with main text, footnotes and headers in one piece."""
    whole = text + notes + margins
    raw = whole.encode("utf-16-le" if wide else "cp1252")
    fib = bytearray(0x400)
    struct.pack_into("<HH", fib, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", fib, 10, 0x0200 | (0x0100 if encrypted else 0))
    struct.pack_into("<3i", fib, 0x4C, len(text), len(notes), len(margins))
    offset = len(fib) if wide else len(fib) * 2 | 0x40000000
    plc = struct.pack("<II", 0, len(whole)) + struct.pack("<HIH", 0, offset, 0)
    clx = b"\x02" + struct.pack("<I", len(plc)) + plc
    struct.pack_into("<II", fib, 0x1A2, 0, len(clx))
    return write_compound([(("WordDocument",), bytes(fib) + raw), (("1Table",), clx), *extra])


def record(kind: int, content: bytes = b"", *, version: int = 0, instance: int = 0) -> bytes:
    """A PowerPoint or drawing record; version 15 is a container."""
    return struct.pack("<HHI", version | instance << 4, kind, len(content)) + content


def powerpoint_97(*texts: str, encrypted: bool = False, inside: bytes = b"") -> bytes:
    """A .ppt with one text a slide."""
    document = record(1000, inside, version=15)
    for text in texts:
        document += record(1006, record(0xF00D, record(4000, text.encode("utf-16-le")), version=15), version=15)
    user = struct.pack("<IIII", 0xF6, 0x14, 0x14, 0xF3D1C4DF if encrypted else 0xE391C05F)
    return write_compound([(("PowerPoint Document",), document), (("Current User",), user)])


def biff(*records: tuple[int, bytes]) -> bytes:
    """Records of a workbook stream."""
    return b"".join(struct.pack("<HH", kind, len(content)) + content for kind, content in records)


def workbook_97(
    *rows: Sequence[str | float],
    formats: Sequence[str] = (),
    before: Sequence[tuple[int, bytes]] = (),
    after: Sequence[tuple[int, bytes]] = (),
    hidden: bool = False,
    extra: Sequence[tuple[tuple[str, ...], bytes]] = (),
) -> bytes:
    """A .xls with one sheet; a number in column i is shown by the i-th format."""
    bof = struct.pack("<HHHHII", 0x0600, 0x05, 0, 0, 0, 0)
    sheet_bof = struct.pack("<HHHHII", 0x0600, 0x10, 0, 0, 0, 0)
    codes = [(0x041E, struct.pack("<H", 164 + number) + _long_text(code)) for number, code in enumerate(formats)]
    styles = [(0x00E0, struct.pack("<HH", 0, number) + bytes(16)) for number in (0, *range(164, 164 + len(formats)))]
    head = [(0x0809, bof), *before, *codes, *styles]
    size = len(biff(*head)) + 4 + 8 + 3 + 4
    bound = struct.pack("<IBBBB", size, int(hidden), 0, 3, 0) + b"Tab"
    cells = []
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            style = min(column + 1, len(formats))
            if isinstance(value, str):
                cells.append((0x0204, struct.pack("<HHH", row, column, 0) + _long_text(value)))
            else:
                cells.append((0x0203, struct.pack("<HHHd", row, column, style, value)))
    dimensions = (0x0200, struct.pack("<IIHHH", 0, len(rows), 0, max(map(len, rows), default=0), 0))
    stream = biff(*head, (0x0085, bound), (0x000A, b""), (0x0809, sheet_bof), dimensions, *cells, *after, (0x000A, b""))
    return write_compound([(("Workbook",), stream.ljust(4096, b"\0")), *extra])


def _long_text(text: str) -> bytes:
    return struct.pack("<HB", len(text), 1) + text.encode("utf-16-le")


def native(name: str, content: bytes) -> bytes:
    """An Ole10Native stream with a packaged file."""
    label = name.encode("cp1252") + b"\0"
    body = (
        struct.pack("<H", 2)
        + label
        + b"C:\\desk\\"
        + label
        + struct.pack("<I", 3)
        + struct.pack("<I", len(label))
        + label
        + struct.pack("<I", len(content))
        + content
    )
    return struct.pack("<I", len(body)) + body


def outlook(
    strings: dict[int, str | bytes],
    *,
    recipients: Sequence[dict[int, str | bytes]] = (),
    attachments: Sequence[dict[int, str | bytes]] = (),
    nested: Sequence[bytes] = (),
    numbers: dict[int, int] | None = None,
) -> bytes:
    """A .msg of properties; `nested` are embedded messages given as properties of their subject and body."""
    streams = _properties((), strings, 32, numbers)
    for number, values in enumerate(recipients):
        streams += _properties((f"__recip_version1.0_#{number:08X}",), values, 8, None)
    for number, values in enumerate(attachments):
        streams += _properties((f"__attach_version1.0_#{number:08X}",), values, 8, {0x3705: 1})
    for number, text in enumerate(nested, len(attachments)):
        folder = f"__attach_version1.0_#{number:08X}"
        streams += _properties((folder,), {}, 8, {0x3705: 5})
        streams += _properties(
            (folder, "__substg1.0_3701000D"), {0x0037: "inner subject", 0x1000: text.decode()}, 24, None
        )
    return write_compound(streams)


def _properties(
    folder: tuple[str, ...], values: dict[int, str | bytes], header: int, numbers: dict[int, int] | None
) -> list[tuple[tuple[str, ...], bytes]]:
    listed = bytes(header)
    streams = []
    for key, value in values.items():
        kind = 0x1F if isinstance(value, str) else 0x1E if key == 0x1000 else 0x102
        raw = value.encode("utf-16-le") if isinstance(value, str) else value
        streams.append(((*folder, f"__substg1.0_{key:04X}{kind:04X}"), raw))
        listed += struct.pack("<HHIII", kind, key, 6, len(raw), 0)
    for key, number in (numbers or {}).items():
        listed += struct.pack("<HHIII", 3, key, 6, number & 0xFFFFFFFF, 0)
    return [*streams, ((*folder, "__properties_version1.0"), listed)]


# TNEF


def winmail(subject: str, body: str, *files: tuple[str, bytes], properties: dict[int, str] | None = None) -> bytes:
    """A winmail.dat."""
    out = struct.pack("<IH", 0x223E9F78, 1)
    out += _attribute(1, 0x9007, 6, struct.pack("<II", 1252, 0))
    out += _attribute(1, 0x8004, 1, subject.encode("cp1252") + b"\0")
    out += _attribute(1, 0x800C, 2, body.encode("cp1252") + b"\0")
    if properties:
        listed = struct.pack("<I", len(properties))
        for key, text in properties.items():
            raw = text.encode("utf-16-le") + b"\0\0"
            listed += struct.pack("<HHII", 0x1F, key, 1, len(raw)) + raw + bytes(-len(raw) % 4)
        out += _attribute(1, 0x9003, 6, listed)
    for name, content in files:
        out += _attribute(2, 0x9002, 6, bytes(14))
        out += _attribute(2, 0x8010, 1, name.encode("cp1252") + b"\0")
        out += _attribute(2, 0x800F, 6, content)
    return out


def _attribute(level: int, key: int, kind: int, content: bytes) -> bytes:
    return struct.pack("<BHHI", level, key, kind, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF)


# drawings and pictures


def emf(*lines: str) -> bytes:
    """An EMF that draws lines of text."""
    header = struct.pack("<II", 1, 108) + bytes(32) + b" EMF" + bytes(64)
    body = b""
    for index, line in enumerate(lines):
        raw = line.encode("utf-16-le") + bytes(-2 * len(line) % 4)
        body += (
            struct.pack("<II", 84, 76 + len(raw))
            + bytes(28)
            + struct.pack("<iiIII", 10, 20 * index, len(line), 76, 0)
            + bytes(16)
            + struct.pack("<I", 0)
            + raw
        )
    return header + body + struct.pack("<IIIII", 14, 20, 0, 16, 20)


def wmf(*lines: str) -> bytes:
    """A WMF with the header of files, that draws lines of text."""
    body = b""
    for line in lines:
        raw = line.encode("cp1252") + bytes(len(line) % 2)
        parameters = struct.pack("<H", len(line)) + raw + struct.pack("<hh", 0, 0)
        body += struct.pack("<IH", 3 + len(parameters) // 2, 0x0521) + parameters
    return (
        b"\xd7\xcd\xc6\x9a"
        + bytes(18)
        + struct.pack("<HHHIHIH", 1, 9, 0x300, 0, 0, 0, 0)
        + body
        + struct.pack("<IH", 3, 0)
    )


def png(width: int, height: int) -> bytes:
    """A white PNG."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\0" + b"\xff" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
