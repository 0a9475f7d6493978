"""Invented people: role-play cards, scenario casualties, sample records. Whatever is told of them is kept and
shown with the reason "fiction" and not counted.

Only wording, birth dates and columns can be exempted; numbers with a check digit, cards, accounts, ways in and
homes never are. A plain word ("fictional", "invented") reaches further than a word that only hints at an
exercise ("casualty card", "role-play"), because rosters of real students stand beside those.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pii_scan.findings import Category, Finding
from pii_scan.folding import small_plain
from pii_scan.text import Block, Extraction, Label, Table

SAID = re.compile(
    r"\b(?:fictional|fictitious|fictifs?|fictives?|invented|imaginary|imaginaires?|made[- ]up|not (?:a )?real "
    r"(?:person|"
    r"people|patient|case|name)s?|no real (?:person|people|name)s?|dummy (?:data|records?)|test data|john doe|jane "
    r"doe)\b")
"""Says outright that people are invented."""

HINTED = re.compile(
    r"\b(?:(?:casualty|role|role-?play\w*|character|suspect|patient|actor|victim|moulage|scenario) (?:cards?|sheets?|"
    r"briefs?|scripts?|list)|role-?players?|mock (?:patient|victim|casualt\w+|suspect|disclosure|call|file)s?|"
    r"simulated "
    r"(?:patient|victim|casualt\w+)s?|jeux? de role|fiches? de (?:role|personnage|victime)|personnage)\b")
"""Hints that the people of a text are parts in an exercise."""

HEADED = re.compile(r"\b(?:character|fictional|triage|you are|make-?up|role|personnage|moulage)\b")
"""Header cells of a table of parts."""

BEFORE, AFTER, NEAR = 900, 250, 400
"""Characters that plain words reach before and after them, and that hints reach."""

CATEGORIES = frozenset({
    Category.DATE_OF_BIRTH, Category.HEALTH, Category.CRIMINAL_RECORD, Category.FAMILY_PRIVATE_LIFE, Category.MINOR,
    Category.RACE_RELIGION_POLITICS, Category.IMMIGRATION, Category.EMPLOYMENT_HR})
COLUMNS = frozenset({"roster_licence"})
"""Columns of other categories whose values have no check digit."""


def exempt_fiction(findings: Sequence[Finding], extraction: Extraction) -> tuple[Finding, ...]:
    """Return the findings with the reason "fiction" for those told of invented people."""
    candidates = [f for f in findings if _can(f)]
    if not candidates:
        return tuple(findings)
    said = any(SAID.search(small_plain(block.text)) for part in extraction.parts for block in part.blocks
               if isinstance(block, Block) and block.label in (Label.SUBJECT, Label.NAME) and len(block.text) < 300)
    texts: dict[tuple[int, int], str] = {}
    return tuple(replace(f, exempt="fiction") if _can(f) and (said or _told(f, extraction, texts)) else f
                 for f in findings)


def _can(f: Finding) -> bool:
    return not f.exempt and (f.category in CATEGORIES or f.rule in COLUMNS)


def _told(f: Finding, extraction: Extraction, texts: dict[tuple[int, int], str]) -> bool:
    block = extraction.parts[f.part].blocks[f.block]
    if isinstance(block, Table):
        head = small_plain(" | ".join(cell for row in block.rows[:3] for cell in row)[:2000])
        before = _caption(extraction, f)
        return bool(HEADED.search(head) or SAID.search(head) or HINTED.search(before) or SAID.search(before))
    key = (f.part, f.block)
    low = texts.get(key)
    if low is None:
        low = texts[key] = small_plain(block.text)
    return bool(SAID.search(low, max(0, f.start - BEFORE), min(len(low), f.end + AFTER))
                or HINTED.search(low, max(0, f.start - NEAR), f.start))


def _caption(extraction: Extraction, f: Finding) -> str:
    """The last NEAR characters of text before a table in its part, its file name with it."""
    parts = [b.text for b in extraction.parts[f.part].blocks[:f.block] if isinstance(b, Block)]
    return small_plain("\n".join(parts)[-NEAR:])
