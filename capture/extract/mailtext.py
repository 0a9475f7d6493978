"""What role each line of a mail plays: written now, quoted, signature, disclaimer. Nothing is dropped.

The labels only weigh findings (business contact data in a signature is not personal information), so a
wrong label must never hide anything: every line ends up in exactly one block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pii_scan.text import Block, Label

_QUOTE_MARK: Final = re.compile(r"[ \t]{0,3}>[ \t>]*")
_ORIGINAL: Final = re.compile(
    r"\s*[-_=*]{2,}\s*(?:original (?:message|appointment)|forwarded (?:message|by)|begin forwarded message|"
    r"message (?:d'origine|original|transféré)|forwarded)\b.{0,120}$"
    r"|\s*(?:begin forwarded message|début du message (?:réexpédié|transféré))\s*:\s*$", re.I)
_WROTE: Final = re.compile(r"\s*(?:on|le)\b.{4,300}\b(?:wrote|writes|a écrit)\s*:\s*$", re.I | re.S)
_WROTE_OPEN: Final = re.compile(r"\s*(?:on|le)\b.{0,120}(?:\d{4}|\d{1,2}:\d\d)", re.I)
_HEADER: Final = re.compile(
    r"\s*\*?(from|sent|date|to|cc|bcc|subject|reply-to|de|envoyé|à|cci|objet|importance|attachments?|when|where"
    r")\*?[ \t]*:\*?[ \t]*(.*)$", re.I)
_FIRST_HEADER: Final = frozenset(("from", "de"))
_BLOCK_STARTS: Final = frozenset(("from", "de", "to", "à", "sent", "date"))
_SENDER_AND_TIME: Final = re.compile(r".{2,120}\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}\D{0,4}\d{1,2}:\d\d.{0,20}$")
_RULE: Final = re.compile(r"\s*[_\-=*]{8,}\s*$")
_SIGN_MARK: Final = re.compile(r"(?:--|—|__) ?$")
_CLOSING: Final = re.compile(
    r"\s*(?:(?:many |with (?:many )?)?thanks(?: (?:again|so much|in advance|and regards))?|thank you(?: (?:again|"
    r"very much|so much))?|(?:(?:best|kind|kindest|warm|warmest|with best|with kind) )?(?:regards|wishes)|best|"
    r"cheers|sincerely(?: yours)?|yours (?:truly|sincerely|faithfully)|respectfully|take care|cordially|"
    r"cordialement|bien à vous|salutations(?: distinguées)?|merci(?: d'avance)?|thx|tks|rgds)\s*[,.!\-]*\s*$", re.I)
_SENT_FROM: Final = re.compile(r"\s*(?:sent from my|sent via|get outlook for|envoyé de mon)\b.{0,80}$", re.I)
_DISCLAIMER: Final = re.compile(
    r"(?=.{0,600}\b(?:confidential|privileged|intended (?:solely |only )?for|intended recipient|confidentiel|"
    r"destinataire))"
    r".{0,80}\b(?:(?:this|the) (?:e-?mail|message|communication|transmission|information|electronic (?:mail|message))|"
    r"confidentiality (?:notice|statement|note)|(?:privileged|notice|warning|disclaimer|caution)\b|"
    r"(?:ce|le présent) (?:courriel|message|courrier)|avis de confidentialité)", re.I | re.S)
_CONTACT: Final = re.compile(
    r"(?:\+?\d[\d\s().\-]{6,}\d)|[\w.+\-]+@[\w\-]+\.|www\.|https?://|\b(?:tel|phone|fax|cell|mobile|office|direct|"
    r"ext|t[ée]l[ée]phone|cellulaire|courriel|e-?mail)\b", re.I)
_TAIL_LINES: Final = 12
_SIGNATURE_WIDTH: Final = 90


@dataclass(slots=True)
class _Line:
    text: str
    label: Label = Label.TEXT
    quoted: bool = False


def split_mail_text(text: str, *, quoted_from: int | None = None) -> list[Block]:
    """Cut the text of a mail body into labelled blocks, in order, losing no line.

    `quoted_from` is the offset from which an HTML body said that the text is quoted, if it did.
    """
    lines = [_Line(line) for line in text.split("\n")]
    _mark_quotes(lines, quoted_from)
    _mark_header_blocks(lines)
    for start, end in _runs(lines):
        _mark_disclaimers(lines, start, end)
        _mark_signature(lines, start, end)
    return list(_blocks(lines))


def _mark_quotes(lines: list[_Line], quoted_from: int | None) -> None:
    offset, below = 0, False
    for number, line in enumerate(lines):
        if quoted_from is not None and offset >= quoted_from:
            below = True
        if not below and (_ORIGINAL.match(line.text) or _wrote(lines, number) or _starts_headers(lines, number)):
            below = below or not _answers_follow(lines, number)
            line.quoted = True
        line.quoted = line.quoted or below or bool(_QUOTE_MARK.match(line.text))
        offset += len(line.text) + 1


def _wrote(lines: list[_Line], number: int) -> bool:
    """An attribution: "On <date>, <person> wrote:", on one line or wrapped over up to three."""
    line = lines[number].text
    if _WROTE.match(line):
        return True
    if not _WROTE_OPEN.match(line):
        return False
    return any(_WROTE.match(" ".join(part.text for part in lines[number:number + count])) for count in (2, 3))


def _answers_follow(lines: list[_Line], number: int) -> bool:
    """Whether the quote below is marked line by line, so that unmarked lines after it are new text."""
    following = [line.text for line in lines[number + 1:number + 8] if line.text.strip()]
    return bool(following) and any(_QUOTE_MARK.match(text) for text in following[:3])


def _starts_headers(lines: list[_Line], number: int) -> bool:
    first = _HEADER.match(lines[number].text)
    if first is None or first[1].casefold() not in _FIRST_HEADER or not first[2].strip():
        return False
    names = {match[1].casefold() for line in lines[number + 1:number + 9] if (match := _HEADER.match(line.text))}
    return len(names & {"sent", "date", "to", "subject", "envoyé", "à", "objet", "cc"}) >= 2


def _mark_header_blocks(lines: list[_Line]) -> None:
    """Label the header lines of a quoted or forwarded mail.

    A block has at least two header lines. It starts at "From:", or, as some programs write it, at "To:"
    under a line that names the sender and the time.
    """
    number = 0
    while number < len(lines):
        end = _header_block_end(lines, number) if lines[number].quoted else number
        if end - number < 2:
            number += 1
            continue
        for line in lines[number:end]:
            header = _HEADER.match(_bare(line))
            line.label = Label.SUBJECT if header and header[1].casefold() in ("subject", "objet") else Label.ADDRESSES
        for line in lines[max(number - 4, 0):number]:
            if line.quoted and _SENDER_AND_TIME.match(_bare(line)):
                line.label = Label.ADDRESSES
        number = end


def _header_block_end(lines: list[_Line], start: int) -> int:
    """Where the header lines that begin at `start` end; `start` itself when none begin there."""
    first = _HEADER.match(_bare(lines[start]))
    if first is None or first[1].casefold() not in _BLOCK_STARTS:
        return start
    end, names = start, set[str]()
    while end < len(lines) and end - start < 14:
        content = _QUOTE_MARK.sub("", lines[end].text, count=1)
        header = _HEADER.match(content)
        if header is not None:
            names.add(header[1].casefold())
        elif not (end > start and content[:1] in " \t" and content.strip()):
            break
        end += 1
    return end if len(names) >= 2 else start


def _runs(lines: list[_Line]) -> Iterator[tuple[int, int]]:
    """Stretches of plain text with one sender: up to the next change between new and quoted."""
    start = 0
    for number in range(1, len(lines) + 1):
        here = lines[number] if number < len(lines) else None
        before = lines[number - 1]
        if (here is None or here.quoted != before.quoted
                or (here.label is Label.TEXT) != (before.label is Label.TEXT)
                or (here.quoted and _ORIGINAL.match(here.text))):
            if lines[start].label is Label.TEXT:
                yield start, number
            start = number


def _mark_disclaimers(lines: list[_Line], start: int, end: int) -> None:
    """A paragraph that begins by calling the mail confidential, with what follows it up to the end."""
    number = start
    while number < end:
        stop = number
        while stop < end and _bare(lines[stop]):
            stop += 1
        if stop > number:
            paragraph = "\n".join(_bare(line) for line in lines[number:stop])
            if len(paragraph) > 80 and _DISCLAIMER.match(paragraph):
                for line in lines[number:stop]:
                    line.label = Label.DISCLAIMER
        number = stop + 1


def _mark_signature(lines: list[_Line], start: int, end: int) -> None:
    """Label the signature at the end of one person's text.

    It begins at "-- ", or after a closing formula, and runs over short lines only, so a paragraph that
    follows by mistake stays text. Without either, trailing short lines with contact data count.
    """
    last = end
    while last > start and (not _bare(lines[last - 1]) or lines[last - 1].label is Label.DISCLAIMER
                            or _RULE.match(lines[last - 1].text)):
        last -= 1
    low = max(start, last - 2 * _TAIL_LINES)
    first = _signature_start(lines, low, last, start)
    if first is None:
        return
    for line in lines[first:last]:
        if line.label is Label.TEXT:
            line.label = Label.SIGNATURE


def _signature_start(lines: list[_Line], low: int, last: int, start: int) -> int | None:
    for number in range(low, last):
        if _SIGN_MARK.match(_bare(lines[number])) and _short(lines[number + 1:last]):
            return number
    for number in range(low, last):
        if _CLOSING.match(_bare(lines[number])) and _short(lines[number + 1:last]):
            return number + 1 if number + 1 < last else None
        if _SENT_FROM.match(_bare(lines[number])) and number == last - 1:
            return number
    return _contact_tail(lines, low, last, start)


def _contact_tail(lines: list[_Line], low: int, last: int, start: int) -> int | None:
    """Where trailing short lines with contact data begin, with the name and title above them; or None."""
    number = _paragraph_start(lines, low, last)
    tail = [_bare(line) for line in lines[number:last]]
    contacts = sum(bool(_CONTACT.search(line)) for line in tail)
    if not 1 <= len(tail) <= 8 or not contacts or any(_LIST_ITEM.match(line) for line in tail):
        return None
    if contacts == len(tail) or not _NAME.match(tail[0]):  # the name may stand above an empty line
        above = number
        while above > low and not _bare(lines[above - 1]):
            above -= 1
        number = _paragraph_start(lines, low, above)
        block = [_bare(line) for line in lines[number:above]]
        if number == above or len(block) > 6 or any(_LIST_ITEM.match(line) for line in block):
            return None
    return number if number > start and _NAME.match(_bare(lines[number])) else None


def _paragraph_start(lines: list[_Line], low: int, end: int) -> int:
    """Go up over short lines that are not empty."""
    while end > low and 0 < len(_bare(lines[end - 1])) <= 60:
        end -= 1
    return end


_NAME: Final = re.compile(r"[A-ZÀ-Ý][\w.'’-]*(?:,?[ \t]+[\w.'’&()/*|,-]+){0,8}$")
_LIST_ITEM: Final = re.compile(r"(?:[-*•·]|\(?\d{1,2}[.)])\s|[^\t]*\t|.* {3,}\S")


def _short(lines: list[_Line]) -> bool:
    texts = [_bare(line) for line in lines if _bare(line)]
    return 0 < len(texts) <= _TAIL_LINES and all(len(text) <= _SIGNATURE_WIDTH for text in texts)


def _bare(line: _Line) -> str:
    """The line without quote marks and outer blanks."""
    return (_QUOTE_MARK.sub("", line.text, count=1) if line.quoted else line.text).strip()


def _blocks(lines: list[_Line]) -> Iterator[Block]:
    start = 0
    for number in range(1, len(lines) + 1):
        same = (number < len(lines) and lines[number].quoted == lines[start].quoted
                and (lines[number].label is lines[start].label or not lines[number].text.strip()))
        if same:
            continue
        text = "\n".join(line.text for line in lines[start:number])
        if text.strip():
            yield Block(text, lines[start].label, quoted=lines[start].quoted)
        start = number
