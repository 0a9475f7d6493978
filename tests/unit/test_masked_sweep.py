"""No planted name, number, address or file name is seen in a masked view, and enough is seen to decide.

Over invented mails of three kinds: those the sentence model is trained with (a share of them; MASKED_SWEEP=1 in the
environment takes all), the demo's, and mails made here with names planted where names stand.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from masked import texts, visible, whole

from capture.demo import compose, files, items
from capture.extract import SandboxedExtractor
from capture.masks.words import ACRONYMS, PLAIN_CAPITALS, is_ordinary, may_be_name
from pii_scan.engine import Scanner
from pii_scan.semantic.corpora import composed
from pii_scan.text import Extraction

TRAINING = Path(__file__).parents[2] / "pii_scan" / "training"
EVERY = 1 if os.environ.get("MASKED_SWEEP") else 14
_NAME = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"(?<![\d.,:])\d(?:[ .()-]{0,2}\d){6,}(?![\d.,:])")
_DATE_OR_HOURS = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[/.-]\d\d?[/.-]\d{2,4}|[0-2]\d[0-5]\d[ -]+[0-2]\d[0-5]\d"
                            r"|20\d\d-20\d\d|.*[.]\d\d\b.*|.*  .*")


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner()


@pytest.fixture(scope="module")
def extractor() -> Iterator[SandboxedExtractor]:
    with SandboxedExtractor(ocr=False) as one:
        yield one


def seen_of(extraction: Extraction, scanner: Scanner) -> tuple[str, float]:
    """What is seen of an item, and its share of all characters."""
    shown = whole(extraction, scanner.scan(extraction))
    total = sum(len(p.text()) for p in extraction.parts)
    return visible(shown), sum(map(len, texts(shown, gap=""))) / max(1, total)


def standing(words: list[str], seen: str) -> list[str]:
    """Which of these words are seen, whole and in any case."""
    low = seen.casefold()
    return [w for w in words if re.search(rf"(?<!\w){re.escape(w.casefold())}(?!\w)", low)]


# the mails the sentence model is trained with


def messages() -> Iterator[dict[str, Any]]:
    number = 0
    for path in sorted(TRAINING.glob("messages_*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            number += 1
            if number % EVERY == 0:
                yield json.loads(line)


def parties(row: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Names and addresses of sender and recipients; names that are words as well are left out."""
    names, addresses = [], []
    for who in (row["from"], *row["to"]):
        name, _, rest = who.partition("<")
        addresses += re.findall(r"[\w.+-]+@[\w.-]+", rest or who)
        names += [w for w in _NAME.findall(name) if len(w) > 2 and not is_ordinary(w.lower())
                  and w.lower() not in PLAIN_CAPITALS | ACRONYMS]
    return names, addresses


def told(row: dict[str, Any], seen: str) -> list[str]:
    """What the labels of a mail call evidence and is seen word by word; short pieces say nothing alone."""
    flat = " ".join(seen.split())
    return [e for e in row["evidence"] if len(e.split()) > 3 and " ".join(e.split()) in flat]


def test_training_mails_show_no_party_no_number_and_no_file_name(scanner: Scanner) -> None:
    shares: dict[str, list[float]] = {}
    leaks: list[str] = []
    evidence = hidden = 0
    for row in messages():
        seen, share = seen_of(composed(row), scanner)
        shares.setdefault(f"{row['lang']} {row['decision']}", []).append(share)
        names, addresses = parties(row)
        file_names = [a if isinstance(a, str) else a["name"] for a in row["attachments"]]
        numbers = [n for n in _DIGITS.findall(seen) if not _DATE_OR_HOURS.fullmatch(n)]
        if standing(names, seen) or any(a.casefold() in seen.casefold() for a in (*addresses, *file_names)) or numbers:
            leaks.append(row["id"])
        evidence += len(row["evidence"])
        hidden += len(row["evidence"]) - len(told(row, seen))
    for kind, values in sorted(shares.items()):
        print(f"{kind}: {len(values)} mails, {100 * sum(values) / len(values):.0f} % of the characters are seen")
    print(f"evidence hidden: {hidden} of {evidence}")
    assert leaks == []
    assert hidden >= 0.97 * evidence
    passing = shares["en pass"]
    assert sum(passing) / len(passing) > 0.75, "a reviewer must be able to read on"


# the demo


def test_the_demo_shows_nobody(scanner: Scanner, extractor: SandboxedExtractor, tmp_path: Path) -> None:
    items.build_mailboxes(tmp_path)
    people = [v for v in vars(compose).values() if isinstance(v, compose.Person)]
    assert len(people) > 5
    names = [w for p in people for w in p.name.split() if w.lower() not in PLAIN_CAPITALS and (
        not is_ordinary(w.lower()) or may_be_name(w.lower()))]
    planted = [*names, *(p.email for p in people), *(p.phone for p in people), "Basra", "Harleen", "Quesnel", "Farida",
               "Haidari", "9698 658 215", "130 692 544", "Depot4!Lantern", "Irene", "418 Wren Street", "Luc Marchand"]
    mails = sorted(tmp_path.rglob("*.eml"))
    leaks = []
    for path in mails:
        seen, _ = seen_of(extractor.extract(path.read_bytes()), scanner)
        if standing(planted, seen):
            leaks.append(path.parent.name)
    assert len(mails) > 20
    assert leaks == []


# planted here


GIVEN = ("Quillon", "Tsuneo", "Ottoline", "Gurleen", "Aurélie", "Đức", "Zsófia", "Nkechi", "Rose", "Grant", "Summer",
         "Dawn", "Siobhán", "Mehmet", "Xiulan", "Will")
FAMILY = ("Marchbanks", "Brandvold", "O'Rourke", "Lachance-Ho", "Okparaocha", "Sandhu", "Tallio", "Nguyễn", "Baker",
          "Hill", "Wrzos", "Al-Rashid", "de Villiers", "Pfeiffer", "Young", "Stone")
PLACES = (
    "Hi {given},\n\nThe hall is free on Tuesday.\n\nThanks,\n{other}",
    "Good morning,\n\n{full} called about the hall, and {given} wants the keys. Please ask {full}.\n\nRegards\n{other}",
    "Team,\n\nPresent: {full}, {other} {family}. Regrets: {family}, {given}.\n\n- {other}",
    "> On Tuesday {full} wrote:\n> The hall is free, says Constable {family}.\n\n"
    "The keys are with {full}'s assistant.",
    "Bonjour {given},\n\nLa salle est libre mardi, dit {full}. Merci de confirmer avec Mme {family}.\n\n"
    "Cordialement,\n{other}",
    "the hall is free. ask {full} ({phone}, {mail}) or see {file}.\n\n{given}",
)


def planted(seed: int) -> tuple[EmailMessage, list[str]]:
    """A mail with people in it, and every word, number and address that may not be seen."""
    chance = random.Random(seed)  # noqa: S311 - the same mails in every run
    given, other = chance.sample(GIVEN, 2)
    family, writer = chance.sample(FAMILY, 2)
    full, phone = f"{given} {family}", f"604-555-01{seed % 90 + 10}"
    mailbox = f"{_plain(given)}.{_plain(family)}@example.net"
    file = f"{_plain(family)}_CV {seed}.docx"
    facts = {"given": given, "family": family, "full": full, "other": other, "phone": phone, "mail": mailbox,
             "file": file}
    text = PLACES[seed % len(PLACES)].format(**facts)
    mail = EmailMessage()
    mail["From"] = f'"{other} {writer}" <{_plain(other)}.{_plain(writer)}@example.com>'
    mail["To"] = f'"{full}" <{mailbox}>'
    mail["Subject"] = f"The hall, {full}"
    mail["Date"] = "Thu, 19 Mar 2026 10:00:00 -0700"
    mail.set_content(text)
    link = f"</p><a href='https://example.net/{_plain(family)}'>the plan</a>"
    mail.add_alternative("<p>" + text.replace("\n", "<br>") + link, subtype="html")
    rows = [["Name", "DOB", "Phone"], [full, CANARY_BIRTH, phone], [f"{other} {writer}", "1991-02-03", phone]]
    mail.add_attachment(files.xlsx(family, rows), maintype="application",
                        subtype="vnd.openxmlformats-officedocument.spreadsheetml.sheet", filename=file)
    mail.add_attachment(files.csv_file([[CANARY_NAME, CANARY_SIN], [full, "free"]]), maintype="text", subtype="csv",
                        filename=f"{_plain(family)}.csv")
    words = [w for name in (full, other, writer) for w in _NAME.findall(name) if len(w) > 2 and w.lower() != "will"]
    return mail, [*words, *CANARY_NAME.split(), CANARY_SIN, CANARY_BIRTH, phone, mailbox, file]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold()) or "q"


def test_planted_people_are_seen_nowhere(scanner: Scanner, extractor: SandboxedExtractor) -> None:
    leaks = []
    for seed in range(200 if EVERY == 1 else 18):
        mail, words = planted(seed)
        seen, _ = seen_of(extractor.extract(mail.as_bytes()), scanner)
        assert "hall" in seen.casefold() or "salle" in seen.casefold()
        leaks += [(seed, words.index(w)) for w in standing(words, seen)]
    assert leaks == []
