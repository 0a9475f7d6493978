"""Identifiers: valid, wrong check digit, wrong context, inside a longer number, in a table, over a line break.

Numbers are made here from the specifications, so none is anybody's on purpose.
"""

from __future__ import annotations

import random

import pytest

from pii_scan import checkdigits
from pii_scan.engine import Scanner
from pii_scan.findings import Report
from pii_scan.recognizers import REGISTRY, load
from pii_scan.settings import ScanSettings
from pii_scan.tables import read_table
from pii_scan.text import Block, Extraction, Part, Table


class NoSemantics:
    """The rules alone."""

    def score(self, extraction: object, rule_findings: object) -> object:
        return type("Nothing", (), {"probability": 0.0, "findings": ()})()


@pytest.fixture(scope="module")
def scanners() -> dict[str, Scanner]:
    return {
        name: Scanner(ScanSettings(pack=name, names=False), semantic=NoSemantics()) for name in ("bc_foippa",
            "uk_gdpr")
    }


def scan(scanner: Scanner, *blocks: str | Table) -> Report:
    made = tuple(Block(b) if isinstance(b, str) else b for b in blocks)
    return scanner.scan(Extraction((Part("body", "text/plain", made),)))


def rules(report: Report, least: float = 0.8) -> set[str]:
    return {f.rule for f in report.findings if f.score >= least and not f.exempt}


def found(kind: str, text: str) -> list[str]:
    """The texts a recognizer finds, alone, with a score that blocks."""
    results = load(kind, ScanSettings()).analyze(text, [kind])
    return [text[r.start : r.end] for r in results if r.score >= 0.8]


def with_check(stem: str, valid: object) -> str:
    """`stem` and the digit that makes it valid."""
    assert callable(valid)
    return next(stem + d for d in "0123456789" if valid(stem + d))


def numbers(seed: int, kind: str) -> str:
    rng = random.Random(seed)  # noqa: S311 - test numbers
    while True:
        if kind in ("sin", "pen"):
            stem, test = (
                "".join(map(str, [rng.randint(1, 7), *(rng.randint(0, 9) for _ in range(7))])),
                checkdigits.sin if kind == "sin" else checkdigits.pen,
            )
        elif kind == "phn":
            stem, test = "9" + "".join(str(rng.randint(0, 9)) for _ in range(8)), checkdigits.phn
        elif kind == "nhs":
            stem, test = "".join(str(rng.randint(0, 9)) for _ in range(9)), checkdigits.nhs
        else:
            stem, test = "4" + "".join(str(rng.randint(0, 9)) for _ in range(14)), checkdigits.card
        for d in "0123456789":
            if test(stem + d):
                return stem + d


SSN = "536904399"
SIN, PHN, PEN, NHS, CARD = (numbers(7, k) for k in ("sin", "phn", "pen", "nhs", "card"))


def wrong(number: str) -> str:
    """The number mistyped: another check digit, or a social security number of an area never issued."""
    if number == SSN:
        return "000" + number[3:]
    return number[:-1] + str((int(number[-1]) + 1) % 10)


def spaced(number: str, *sizes: int) -> str:
    out, at = [], 0
    for n in sizes:
        out.append(number[at : at + n])
        at += n
    return " ".join(out)


@pytest.mark.parametrize(
    ("check", "good"),
    [
        pytest.param(checkdigits.sin, "130692544", id="sin"),
        pytest.param(checkdigits.phn, "9698658215", id="phn of the ministry's example"),
        pytest.param(checkdigits.card, "4111111111111111", id="the payment industry's test card"),
        pytest.param(checkdigits.card, "378282246310005", id="test card of fifteen digits"),
        pytest.param(checkdigits.iban, "DE89370400440532013000", id="iban of the registry's example"),
        pytest.param(checkdigits.iban, "GB82WEST12345698765432", id="iban with letters"),
        pytest.param(checkdigits.nhs, "9434765919", id="nhs data dictionary example"),
    ],
)
def test_check_digits_agree_with_published_examples(check, good):
    assert check(good)
    others = {good[:-1] + d for d in "0123456789"} - {good}
    assert not any(check(o) for o in others)


def test_pen_and_luhn_agree():
    """The two specifications read differently and give the same digit."""
    rng = random.Random(3)  # noqa: S311 - test numbers
    for _ in range(2000):
        digits = str(rng.randint(10**8, 10**9 - 1))
        assert checkdigits.pen(digits) == checkdigits.luhn(digits)


LABELLED = [
    ("ca_sin", "SIN", SIN, (3, 3, 3)),
    ("bc_phn", "PHN", PHN, (4, 3, 3)),
    ("bc_pen", "PEN", PEN, (3, 3, 3)),
    ("uk_nhs", "NHS number", NHS, (3, 3, 4)),
    ("us_ssn", "SSN", SSN, (3, 2, 4)),
]


@pytest.mark.parametrize(("kind", "label", "number", "sizes"), LABELLED, ids=[x[0] for x in LABELLED])
class TestLabelledNumbers:
    def test_together_or_apart(self, kind, label, number, sizes):
        for value in (number, spaced(number, *sizes), spaced(number, *sizes).replace(" ", "-")):
            for text in (
                f"{label}: {value}",
                f"{label} {value}, thank you",
                f"her {label} is {value}.",
                f"{value} ({label})",
                f"{label}#{value}",
            ):
                assert found(kind, text) == [value], text.replace(value, "<value>")

    def test_over_a_line_break(self, kind, label, number, sizes):
        first, rest = number[: sizes[0]], number[sizes[0] :]
        assert found(kind, f"the {label}\nis {number}") == [number]
        assert found(kind, f"{label} {first}\n> {rest}") or found(
            kind, f"{label} {first} {rest[: sizes[1]]}\n{rest[sizes[1] :]}"
        )

    def test_wrong_check_digit(self, kind, label, number, sizes):
        assert found(kind, f"{label}: {spaced(wrong(number), *sizes)}") == []

    def test_wrong_context(self, kind, label, number, sizes):
        for text in (
            f"invoice {number}",
            f"PO {spaced(number, *sizes)}",
            f"tracking no {number}",
            spaced(number, *sizes),
            f"{label} on file; invoice {number}",
            f"fax {spaced(number, *sizes)}",
        ):
            assert found(kind, text) == [], text.replace(number, "<number>")

    def test_inside_a_longer_number(self, kind, label, number, sizes):
        for text in (f"{label} 1{number}", f"{label} {number}7", f"{label} AB{number}", f"{label} 88-{number}-2"):
            assert found(kind, text) == [], text.replace(number, "<number>")

    def test_label_too_far_or_inside_a_word(self, kind, label, number, sizes):
        assert found(kind, f"{label} {'and more words ' * 8} {number}") == []
        assert found(kind, f"X{label.replace(' ', '')}Y {number}") == []


@pytest.mark.parametrize(
    ("header", "value", "kind"),
    [
        ("SIN", SIN, "sin"),
        ("PHN", PHN, "phn"),
        ("Social insurance no.", SIN, "sin"),
        ("Care card #", PHN, "phn"),
        ("PEN", PEN, "pen"),
        ("SSN", "536-90-4399", "ssn"),
        ("Card number", CARD, "payment_card"),
        ("NAS", SIN, "sin"),
    ],
)
def test_column_of_identifiers(header, value, kind):
    report = read_table([["Ref", header], *([f"A{i}", value] for i in range(4))])
    assert [(c.kind.name, c.count) for c in report.columns] == [(kind, 4)]
    assert report.columns[0].score >= 0.9
    blank = read_table([["Ref", header], ["A1", ""], ["A2", "n/a"]])
    assert blank.columns == ()


def test_column_whose_values_do_not_fit_is_doubt():
    report = read_table([["Ref", "SIN"], ["A1", "see file"], ["A2", "pending"], ["A3", "pending"]])
    assert [(c.kind.name, c.score) for c in report.columns] == [("sin", 0.5)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(f"Mon NAS est le {spaced(SIN, 3, 3, 3)}", "ca_sin", id="nas"),
        pytest.param(f"numéro d'assurance sociale : {SIN}", "ca_sin", id="numero d'assurance sociale"),
        pytest.param(f"N.A.S. {SIN}", "ca_sin", id="with stops"),
        pytest.param(f"s.i.n. {SIN}", "ca_sin", id="sin with stops"),
        pytest.param(f"social\ninsurance number {SIN}", "ca_sin", id="phrase over a line break"),
        pytest.param(f"carte santé {spaced(PHN, 4, 3, 3)}", "bc_phn", id="carte sante"),
        pytest.param(f"Personal Health Number\t{PHN}", "bc_phn", id="beside a tab"),
        pytest.param("driver's licence 8120457", "bc_driver_licence", id="licence"),
        pytest.param("DL#8120457 BC", "bc_driver_licence", id="dl"),
        pytest.param("Permis de conduire : 8120457", "bc_driver_licence", id="permis"),
        pytest.param("passport GA449201", "passport", id="passport"),
        pytest.param("Passport of our guest: K 4471902, expires 2029", "passport", id="letter and seven digits"),
        pytest.param("student number 30551290", "student_number", id="student number"),
        pytest.param("matricule 30551290", "student_number", id="matricule"),
        pytest.param("NI number QQ123456C".replace("QQ", "AB"), "uk_nino", id="nino"),
    ],
)
def test_labels_in_english_and_french(text, kind):
    assert len(found(kind, text)) == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("tel 8120457", "bc_driver_licence", id="a telephone number"),
        pytest.param("public policy 8120457", "bc_driver_licence", id="lic inside a word"),
        pytest.param("Passport to Adventure, 12 pages", "passport", id="the word alone"),
        pytest.param("student services, room 2041", "student_number", id="too short"),
        pytest.param("student intake 20260901", "student_number", id="a date"),
        pytest.param("NI number BG123456C", "uk_nino", id="prefix not issued"),
        pytest.param("a sin of omission in 2026", "ca_sin", id="the word sin"),
        pytest.param("pen and paper for 30 people", "bc_pen", id="the word pen"),
    ],
)
def test_near_misses(text, kind):
    assert found(kind, text) == []


def test_mistyped_identifier_is_doubt_not_block(scanners):
    report = scan(scanners["bc_foippa"], f"My SIN is {spaced(wrong(SIN), 3, 3, 3)}")
    assert [(f.rule, f.score) for f in report.findings] == [("mistyped_id", 0.6)]
    assert rules(scan(scanners["bc_foippa"], f"a new pen, order {wrong(PEN)}"), 0.5) == set()


@pytest.mark.parametrize(
    ("text", "score"),
    [
        pytest.param(f"Visa {CARD} exp 04/29", 1.0, id="with its name"),
        pytest.param(f"please charge {spaced(CARD, 4, 4, 4, 4)}", 0.6, id="grouped without context is doubt"),
        pytest.param(f"reference {CARD}", 0.0, id="a bare reference"),
        pytest.param(f"Visa {wrong(CARD)}", 0.6, id="mistyped card is doubt"),
        pytest.param(f"card {CARD}99999", 0.0, id="inside a longer number"),
        pytest.param("Amex 3714 496353 98431 exp 02/29", 1.0, id="american express groups"),
        pytest.param(f"carte de crédit\n{spaced(CARD, 4, 4)}\n{spaced(CARD[8:], 4, 4)}", 1.0, id="over a line break"),
    ],
)
def test_payment_cards(text, score):
    results = load("payment_card", ScanSettings()).analyze(text, [])
    assert max((r.score for r in results), default=0.0) == score


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        pytest.param("My pay goes to IBAN DE89 3704 0044 0532 0130 00", True, id="a person's iban"),
        pytest.param("Remit to Exempla GmbH, IBAN DE89 3704 0044 0532 0130 00", False, id="a company's iban"),
        pytest.param("my salary: IBAN DE88 3704 0044 0532 0130 00", False, id="wrong check digits"),
        pytest.param("direct deposit for her: transit 30112-003-1234567", True, id="bank triple of a person"),
        pytest.param(
            "Vendor EFT details: bank 30112-003-1234567, Exempla Supply Ltd.", False, id="bank triple of a vendor"
        ),
        pytest.param("part 30112-003-1234567 is back in stock", False, id="a part number"),
        pytest.param(
            "Direct deposit for him: TD, transit 94120, account 6613-884", True, id="transit and account in words"
        ),
    ],
)
def test_bank_accounts_of_people_and_companies(scanners, text, blocks):
    assert bool(rules(scan(scanners["bc_foippa"], text))) is blocks


def test_identifier_in_a_signature_still_blocks(scanners):
    from pii_scan.text import Label

    made = Extraction((Part("body", "text/plain", (Block("Regards,\nA. Example\nSIN 130 692 544", Label.SIGNATURE),)),))
    decision = scanners["bc_foippa"].decide(scanners["bc_foippa"].scan(made), made)
    assert decision.verdict == "block"
    assert decision.findings[0].exempt == ""


def test_bc_telephone_is_no_nhs_number_for_bc(scanners):
    assert "uk_nhs" not in scanners["bc_foippa"].pack.recognizers
    assert rules(scan(scanners["bc_foippa"], "Call the government at 250-387-2026 or 2503872026"), 0.3) == set()


def test_random_business_numbers_pass(scanners):
    rng = random.Random(11)  # noqa: S311 - test numbers
    labels = (
        "PO",
        "Invoice",
        "Tracking",
        "Order no.",
        "Ref",
        "Serial",
        "GST",
        "Phone",
        "Fax",
        "Quote",
        "Confirmation #",
        "",
    )
    lines = []
    for _ in range(20_000):
        n = rng.choice((7, 8, 9, 10, 12, 13, 14, 16))
        digits = "".join(str(rng.randint(0, 9)) for _ in range(n))
        lines.append(f"{rng.choice(labels)} {digits}")
    report = scan(scanners["bc_foippa"], "\n".join(lines))
    assert len(rules(report)) == 0
    assert len([f for f in report.findings if f.score >= 0.5]) <= 2


@pytest.mark.parametrize("kind", sorted(REGISTRY))
def test_no_finding_in_an_empty_text(kind):
    assert load(kind, ScanSettings()).analyze("", []) == []
