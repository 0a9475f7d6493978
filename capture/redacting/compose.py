"""The redacted mail: headers from the envelope, one text body, every attachment built anew under a neutral name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from capture.redacting.cutting import Cuts
from capture.redacting.office import docx, fits_sheet, xlsx
from pii_scan.text import Address as Party
from pii_scan.text import Block, Extraction, Part, Table

WORD = frozenset(("docx", "docm", "dotx", "dotm", "doc", "odt", "ott", "rtf"))
SHEET = frozenset(("xlsx", "xlsm", "xltx", "xltm", "xlsb", "xls", "ods", "ots", "csv"))
TEXT = frozenset(("text", "html", "pdf", "pptx", "pptm", "ppsx", "ppsm", "odp", "ppt", "eml", "msg"))
"""Kinds that are produced anew as Word, Excel and text files; every other kind is left out."""

PLAIN_ENOUGH = 0.6
"""A plain body is taken rather than the HTML one when it is at least this share of the longest."""

_PLAIN = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_ATTACHMENT = re.compile(r"(?:mail, )?attachment \d+")
_NOBODY = Address("removed", addr_spec="removed@redacted.invalid")
_POLICY = policy.SMTP


@dataclass(frozen=True, slots=True, repr=False)
class Copy:
    """The mail as bytes and the parts that are not in it, as (place, code): "removed", "type" for a kind that is not
    produced anew, "twin" for the other form of a body, or why the part was not read."""

    mail: bytes
    left_out: tuple[tuple[str, str], ...]


def compose(extraction: Extraction, cuts: Cuts) -> Copy:
    """Build the redacted mail."""
    mail = EmailMessage(policy=_POLICY)
    _headers(mail, extraction, cuts)
    left_out: list[tuple[str, str]] = []
    bodies = [p for p, part in enumerate(extraction.parts) if _is_body(part)]
    texts = {p: _text(extraction, p, cuts) for p in bodies
             if extraction.parts[p].status == "read" and p not in cuts.parts}
    longest = max((len(text.strip()) for text in texts.values()), default=0)
    main = max(texts, default=None, key=lambda p: (
        len(texts[p].strip()) >= PLAIN_ENOUGH * longest, extraction.parts[p].kind == "text", len(texts[p].strip()), -p))
    kept: list[int] = []
    for p, part in enumerate(extraction.parts):
        if p == main or part.kind == "headers" or not _has_content(part):
            continue
        code = _reason(part, p, cuts, is_body=p in bodies)
        if code:
            left_out.append((part.place, code))
        else:
            kept.append(p)
    mail.set_content(_wire("\n\n".join(filter(None, (
        texts[main] if main is not None else "", _placeholder(left_out))))), cte="quoted-printable")
    for number, p in enumerate(kept, 1):
        _attach(mail, extraction, p, cuts, number)
    return Copy(mail.as_bytes(), tuple(left_out))


def _placeholder(left_out: Iterable[tuple[str, str]]) -> str:
    """The line that says how many attachments are not in the copy; "" when all are."""
    held = {found[0] for place, code in left_out if code != "twin" and (found := _ATTACHMENT.match(place))}
    return f"[{len(held)} attachment{'' if len(held) == 1 else 's'} held]" if held else ""


def _is_body(part: Part) -> bool:
    """Whether a part is a body of the mail itself, not of a mail inside it."""
    return part.place.removeprefix("mail, ").startswith("body") and part.kind in ("text", "html")


def _has_content(part: Part) -> bool:
    """Archives and mails inside are not content: their members and parts stand beside them."""
    return part.status != "read" or part.kind in WORD | SHEET or any(
        isinstance(b, Table) or b.label.value != "name" for b in part.blocks)


def _reason(part: Part, p: int, cuts: Cuts, *, is_body: bool) -> str:
    if p in cuts.parts:
        return "removed"
    if part.status != "read":
        return part.code or "corrupt"
    if is_body:
        return "twin"
    return "" if part.kind in WORD | SHEET | TEXT else "type"


def _headers(mail: EmailMessage, extraction: Extraction, cuts: Cuts) -> None:
    envelope = extraction.envelope
    subject = _PLAIN.sub(" ", envelope.subject)
    for p, part in enumerate(extraction.parts):
        for b, block in enumerate(part.blocks):
            if isinstance(block, Block) and block.label.value == "subject" and block.text == envelope.subject:
                subject = _PLAIN.sub(" ", cuts.text(extraction, p, b)) if p not in cuts.parts else "[removed]"
    mail["Subject"] = cuts.clean(subject)[:900]
    sender = _party(envelope.sender, cuts) if envelope.sender else None
    mail["From"] = (sender or _NOBODY,)
    to = [a for r in envelope.recipients if (a := _party(r, cuts))]
    mail["To"] = tuple(to) or (_NOBODY,)
    if envelope.sent:
        mail["Date"] = format_datetime(datetime.fromisoformat(envelope.sent))
    if envelope.message_id:
        mail["Message-ID"] = f"<{_PLAIN.sub('', envelope.message_id)}>"
    if envelope.in_reply_to:
        mail["In-Reply-To"] = f"<{_PLAIN.sub('', envelope.in_reply_to)}>"
    if envelope.references:
        mail["References"] = " ".join(f"<{_PLAIN.sub('', r)}>" for r in envelope.references[:50])


def _party(party: Party, cuts: Cuts) -> Address | None:
    """A sender or recipient, without what was taken out; None when the address itself was."""
    if not party.email or cuts.takes(party.email):
        return None
    name = cuts.clean(_PLAIN.sub(" ", party.name)).strip()
    try:
        return Address(name, addr_spec=_PLAIN.sub("", party.email))
    except (HeaderParseError, ValueError, IndexError):
        return None


def _text(extraction: Extraction, p: int, cuts: Cuts) -> str:
    """Everything that remains of a part as text, tables with tabs."""
    pieces: list[str] = []
    for b, block in enumerate(extraction.parts[p].blocks):
        if isinstance(block, Table):
            pieces.append(_lines(cuts.table(extraction, p, b)))
        elif text := cuts.text(extraction, p, b):
            pieces.append("\n".join(f"> {line}" for line in text.split("\n")) if block.quoted and
                          not text.lstrip().startswith(">") else text)
    return "\n".join(pieces)


def _lines(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join("\t".join(" ".join(cell.split()) for cell in row) for row in rows)


def _wire(text: str) -> str:
    """Text without line ends that mail does not know, and without lone surrogates."""
    return text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()


def _attach(mail: EmailMessage, extraction: Extraction, p: int, cuts: Cuts, number: int) -> None:
    part = extraction.parts[p]
    blocks = [(cuts.table(extraction, p, b) if isinstance(block, Table) else cuts.text(extraction, p, b))
              for b, block in enumerate(part.blocks)]
    tables = [b for b in blocks if not isinstance(b, str) and b]
    if part.kind in SHEET and all(map(fits_sheet, tables)):
        # text beside the cells is another writing of them (a date as its number), a box or a chart: not the sheet
        mail.add_attachment(xlsx(tables), maintype="application",
                            subtype="vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                            filename=f"document {number}.xlsx")
    elif part.kind in WORD:
        mail.add_attachment(docx(b for b in blocks if b), maintype="application",
                            subtype="vnd.openxmlformats-officedocument.wordprocessingml.document",
                            filename=f"document {number}.docx")
    else:
        mail.add_attachment(_wire(_text(extraction, p, cuts)).encode(), maintype="text", subtype="plain",
                            filename=f"document {number}.txt", params={"charset": "utf-8"})
