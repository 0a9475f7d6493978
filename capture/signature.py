"""A contact out of a mail's signature, as a proposal for whoever makes it: business fields only, nothing is written.

    proposed(name="Imaginary, Wanda", email="wanda@hall.example.com", text=body)
    {"first_name": "Wanda", "last_name": "Imaginary", "title": "Chief", "phone": "604-555-0142", ...}

Only what stands under the sender's own name at the end of their text counts. Numbers that are marked as somebody's cell
or home phone are left out, and so is whatever is not clearly a title, an organisation, a phone or a fax.
"""

from __future__ import annotations

import re
from typing import Final

MOST_LINES: Final = 8
"""Lines of a signature that are looked at."""
_QUOTED: Final = re.compile(r"^(?:>|-{2,}\s*original message|from:\s|on .{5,80} wrote:|de\s?:\s)", re.IGNORECASE)
_PHONE: Final = re.compile(r"(?<![\w@])\+?\d[\d ().-]{6,18}\d(?:\s*(?:x|ext\.?|poste)\s*\d{1,6})?", re.IGNORECASE)
_PRIVATE: Final = re.compile(r"\b(?:cell\w*|mobile|home|private|personal|c|m|dom)\s*[.:)]|\b(?:cell\w*|mobile|home)\b",
                             re.IGNORECASE)
_FAX: Final = re.compile(r"\b(?:fax|t[ée]l[ée]copieur|f)\s*[.:)]|\bfax\b", re.IGNORECASE)
_NO_WORDS: Final = re.compile(r"[@\d]|https?:|www\.", re.IGNORECASE)


def proposed(name: str, email: str, text: str) -> dict[str, str]:
    """The fields of a contact for a sender of this name and address; empty when the sender has no name.

    `text` is what they wrote. Fields: first_name, last_name, email, and title, organisation, phone, fax as far as the
    signature says.
    """
    first, last = names(name)
    if not last:
        return {}
    found = {"first_name": first, "last_name": last, "email": email.strip()}
    words: list[str] = []
    for line in _below(text, first, last):
        number = _PHONE.search(line)
        if number:
            kind = "fax" if _FAX.search(line) else "phone"
            if not _PRIVATE.search(line):
                found.setdefault(kind, " ".join(number[0].split()))
        elif not _NO_WORDS.search(line) and len(line) <= 100:
            words.append(line)
    found |= dict(zip(("title", "organisation"), words, strict=False))
    return {field: value for field, value in found.items() if value}


def names(name: str) -> tuple[str, str]:
    """First and last name of "Wanda Imaginary" or "Imaginary, Wanda"; ("", "") for an address or a role in brackets."""
    plain = " ".join(re.sub(r"\(.*?\)|[\"']", " ", name).split())
    if "@" in plain or any(c.isdigit() for c in plain):
        return "", ""
    last, comma, first = plain.partition(",")
    if comma:
        return first.strip()[:100], last.strip()[:100]
    first, _, last = plain.rpartition(" ")
    return first[:100], last[:100]


def _below(text: str, first: str, last: str) -> list[str]:
    """The lines under the last line that is the sender's name, before anything that is quoted."""
    wanted = {f"{first} {last}".strip().casefold(), f"{last}, {first}".casefold(), last.casefold()}
    lines: list[str] = []
    for line in text.splitlines():
        if _QUOTED.match(line.strip()):
            break
        if line.strip():
            lines.append(" ".join(line.split()))
    starts = [place for place, line in enumerate(lines) if line.partition(",")[0].strip(" ,-|").casefold() in wanted
              or line.strip(" ,-|").casefold() in wanted]
    if not starts:
        return []
    begin = starts[-1]
    rest = lines[begin].partition(",")[2].strip() if lines[begin].casefold() not in wanted else ""
    return [*([rest] if rest else []), *lines[begin + 1:begin + 1 + MOST_LINES]]
