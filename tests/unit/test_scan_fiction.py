"""Invented people, field descriptions, animals and company accounts pass; real people beside an exercise do not."""

from __future__ import annotations

import pytest

from pii_scan.engine import Scanner
from pii_scan.findings import Verdict
from pii_scan.tables import read_table
from pii_scan.text import Block, Extraction, Label, Part, Table


class Silent:
    """Stands for the semantic stage."""

    probability, findings = 0.0, ()

    def score(self, item, rule_findings):
        return self


@pytest.fixture(scope="module")
def scanner():
    return Scanner(semantic=Silent())


def item(*blocks):
    made = tuple(b if isinstance(b, Block | Table) else Block(b) for b in blocks)
    return Extraction((Part("body", "text/plain", made),))


def decided(scanner, extraction):
    return scanner.decide(scanner.scan(extraction), extraction)


CARDS = Table((("Card", "Name (fictional)", "Born", "What you show"), ("1", "Mavis Thorn", "1948-05-30", "pale"),
               ("2", "Jian Soo", "1990-11-02", "silent"), ("3", "Pat Olsen", "1971-02-14", "cough")))
ROSTER = Table((("Name", "Born", "Phone"), ("Mavis Thorn", "1948-05-30", "604-555-0101"),
                ("Jian Soo", "1990-11-02", "604-555-0102"), ("Pat Olsen", "1971-02-14", "604-555-0103")))


@pytest.mark.parametrize(
    "extraction",
    [
        pytest.param(item("SUSPECT (imaginary): Dale Hart, DOB 1981-07-19, beard."), id="said in the text"),
        pytest.param(item("Role cards for Tuesday.\n1. Your wife died last week. DOB 1963-01-12"), id="hinted"),
        pytest.param(item("Confidential informant told me that John Doe, born 1985-01-01, sells."), id="placeholder"),
        pytest.param(item(CARDS), id="said in a header"),
        pytest.param(item(Block("Casualties, all invented", Label.SUBJECT), "Card 2: born 1963-01-12"), id="subject"),
    ],
)
def test_invented_people_pass_and_are_shown(scanner, extraction):
    decision = decided(scanner, extraction)
    assert decision.verdict is Verdict.PASS
    assert "fiction" in {f.exempt for f in decision.findings}


@pytest.mark.parametrize(
    "extraction",
    [
        pytest.param(item("Names for the exercise on Tuesday:", ROSTER), id="roster beside an exercise"),
        pytest.param(item("The case is invented. For her pay: SIN 130 692 544"), id="a valid number is never fiction"),
        pytest.param(item("Invented names only.\n" + "We meet at nine. " * 80 + "\nDOB 1963-01-12"), id="far away"),
        pytest.param(item("The role-play is moved: " + "the room is taken. " * 30 + "Bo, born 1963-01-12"), id="hint"),
    ],
)
def test_real_people_beside_an_exercise_are_held(scanner, extraction):
    assert decided(scanner, extraction).verdict is not Verdict.PASS


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([["Dog", "Breed", "Born"], ["Bannock", "Lab", "2012-05-30"], ["Juno", "GSD", "2010-11-11"],
                      ["Tuk", "Malinois", "2013-02-02"]], id="animals"),
        pytest.param([["last_name", "date_of_birth", "pen"], ["text, as on ID", "yyyy-mm-dd", "9 digits or empty"]],
                     id="description of fields"),
        pytest.param([["General liability", "84-20071", "$5,000,000"], ["Medical payments", "$10,000", "each"],
                      ["Bodily injury", "$2,500", "each"]], id="cells of a body that look like headers"),
        pytest.param([["02:11", "failover to node 2"], ["02:14", "the parent was killed"], ["02:20", "cleaned up"]],
                     id="log lines"),
    ],
)
def test_tables_of_nobody_pass(rows):
    assert read_table(rows).columns == ()


def test_header_below_title_rows_is_found():
    rows = [["Course list", ""], ["printed in May", ""], ["Name", "DOB"], ["Ann Lee", "1990-03-14"],
            ["Bo Lim", "1985-11-02"], ["Cy Dee", "1979-01-20"]]
    assert [c.kind.name for c in read_table(rows).columns] == ["date_of_birth"]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Kingfisher Safety Ltd.\nTransit 00910  Institution 004  Account 5233-871\nGST 81123 4455", Verdict.PASS),
        ("Remittance to our bank: institution 809, transit 12340, account 100 448 2217", Verdict.PASS),
        ("for my direct deposit: transit 12340, institution 809, account 100 448 2217", Verdict.BLOCK),
        ("straight to me please, branch 12340-809, account 100 448 2217", Verdict.BLOCK),
    ],
)
def test_whose_account_it_is(scanner, text, verdict):
    assert decided(scanner, item(text)).verdict is verdict


def test_text_passed_on_often_is_doubt(scanner):
    assert decided(scanner, item("> > > my wife died last week\n")).verdict is Verdict.REVIEW
    assert decided(scanner, item("> my wife died last week\n")).verdict is Verdict.BLOCK
