"""Contacts as other programs write them, as lines of `store.crm_import`: Outlook's CSV export, vCards (RFC 6350, 2426).

What there is no place for (home address, home phone, birthday, anniversary, picture) is not read at all.
"""

from __future__ import annotations

import csv
import quopri
import re
from collections.abc import Iterator, Sequence
from typing import Final

Row = tuple[int, dict[str, str]]

OUTLOOK: Final = {
    "title": "salutation", "first_name": "first_name", "last_name": "last_name", "company": "organisation",
    "job_title": "title", "e-mail_address": "email", "business_phone": "phone", "company_main_phone": "",
    "business_fax": "fax", "mobile_phone": "mobile", "e-mail_2_address": "", "categories": "category", "notes": "notes",
    "business_street": "", "business_city": "", "business_state": "", "business_postal_code": "",
    "business_country/region": "", "nickname": "known_as"}
"""Columns of Outlook's export that have a place here; the business address is put together."""
_ADDRESS: Final = ("business_street", "business_city", "business_state", "business_postal_code",
                   "business_country/region")
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_UNESCAPE: Final = re.compile(r"\\([nN,;:\\])")


def is_vcard(text: str) -> bool:
    """Whether a text is made of vCards."""
    return text.lstrip()[:20].upper().startswith("BEGIN:VCARD")


def from_outlook(names: Sequence[str], reader: csv.DictReader[str]) -> Iterator[Row] | None:
    """The rows of Outlook's contacts export, or None when the header is not one of those."""
    known = {name.replace("_", " ").casefold().replace(" ", "_") for name in names}
    if not {"first_name", "last_name", "e-mail_address"} <= known or "company" not in known:
        return None
    return _outlook_rows(reader)


def _outlook_rows(reader: csv.DictReader[str]) -> Iterator[Row]:
    for row in reader:
        cells = {(name or "").strip().casefold().replace(" ", "_"): (value or "").strip()
                 for name, value in row.items() if isinstance(value, str)}
        line = {ours: cells.get(theirs, "") for theirs, ours in OUTLOOK.items() if ours}
        line["address"] = ", ".join(filter(None, (" ".join(cells.get(name, "").split()) for name in _ADDRESS)))
        line["category"] = line["category"].partition(";")[0].strip()
        if any(line.values()):
            yield reader.line_num, line


def from_vcards(text: str) -> Iterator[Row]:
    """One row for each card, numbered by the line it begins in."""
    card: list[tuple[str, frozenset[str], str]] = []
    begins = 0
    for number, logical in _unfolded(text):
        name, parameters, value = _property(logical)
        if name == "BEGIN" and value.strip().upper() == "VCARD":
            card, begins = [], number
        elif name == "END" and value.strip().upper() == "VCARD":
            yield begins, _line_of(card)
        elif name:
            card.append((name, parameters, value))


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first physical line; soft breaks of quoted-printable are joined too."""
    lines = text.replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        first, line = number + 1, lines[number]
        number += 1
        quoted = "QUOTED-PRINTABLE" in line.upper().partition(":")[0]
        while number < len(lines) and (lines[number][:1] in (" ", "\t") or (quoted and line.endswith("="))):
            line = line[:-1] + lines[number] if quoted and line.endswith("=") else line + lines[number][1:]
            number += 1
        yield first, line


def _property(line: str) -> tuple[str, frozenset[str], str]:
    """(name in capitals, parameter values in capitals, value)."""
    head, colon, value = line.partition(":")
    if not colon:
        return "", frozenset(), ""
    pieces = head.split(";")
    words = frozenset(w for p in pieces[1:] for w in p.upper().rpartition("=")[2].replace('"', "").split(","))
    if "QUOTED-PRINTABLE" in words:
        value = quopri.decodestring(value.encode("utf-8", "replace")).decode("utf-8", "replace")
    return pieces[0].rpartition(".")[2].strip().upper(), words, value


def _line_of(card: Sequence[tuple[str, frozenset[str], str]]) -> dict[str, str]:
    line = dict.fromkeys(("salutation", "first_name", "last_name", "known_as", "title", "organisation", "address",
                          "email", "private_email", "phone", "mobile", "fax", "category", "notes"), "")
    for name, words, value in card:
        if name == "N":
            parts = [*_split(value), "", "", "", "", ""]
            line["last_name"], line["first_name"], line["salutation"] = parts[0], parts[1], parts[3]
        elif name in _PLAIN:
            line[_PLAIN[name]] = line[_PLAIN[name]] or next(iter(_split(value)), "")
        elif name == "NOTE":
            line["notes"] = _text(value)
        elif name == "CATEGORIES":
            line["category"] = _text(value.partition(",")[0])
        elif (place := _place(name, words)) and not line[place]:
            line[place] = ", ".join(filter(None, _split(value))) if name == "ADR" else _text(value).removeprefix("tel:")
    if not (line["first_name"] or line["last_name"]):
        full = next((_text(value) for name, _, value in card if name == "FN"), "")
        line["first_name"], _, line["last_name"] = full.rpartition(" ") if " " in full else ("", "", full)
    return line


_PLAIN: Final = {"NICKNAME": "known_as", "TITLE": "title", "ORG": "organisation"}


def _place(name: str, words: frozenset[str]) -> str:
    """Where a way to reach somebody goes; "" when it has no place."""
    home = "HOME" in words
    if name == "EMAIL":
        return "private_email" if home else "email"
    if name == "ADR":
        return "" if home else "address"
    if name != "TEL":
        return ""
    if words & {"CELL", "MOBILE"}:
        return "mobile"
    return "" if home or "PAGER" in words else "fax" if "FAX" in words else "phone"


def _split(value: str) -> list[str]:
    return [_text(part) for part in re.split(r"(?<!\\);", value)]


def _text(value: str) -> str:
    return _UNESCAPE.sub(lambda m: " " if m[1] in "nN" else m[1], value).strip()
