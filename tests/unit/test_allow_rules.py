"""Allow rules: what may be asked for, who puts it in force, how it ends, and what the scanner makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from stores import MASTER, opened

from capture.allowing import AllowingScanner, block_digest, value_digest
from pii_scan.findings import Category, Decision, Finding, Report, Verdict
from pii_scan.text import Address, Block, Envelope, Extraction, Part, Table
from store import allow, audit
from store.allow import Allowed, Wish
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.errors import AllowRefused, DatabaseConflict, NotFound

KEYS = Keys(MASTER)
HASH = value_digest(KEYS, "046 454 286")
VALUE = Wish("value", "sin", "government_id", digest=HASH, division="north")
FINE = {"looked_at": 4, "would_pass": 1, "confirmed": 0, "cases": ["MW-2026-000001"]}


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    with opened(store_url) as (database, _):
        yield database


def rule_of(db: Database, wish: Wish = VALUE, *, tested: bool = True, approve: bool = True) -> str:
    with db.session() as s:
        rule = allow.propose(s, wish, actor="vera").id
        if tested:
            allow.note_test(s, rule, FINE, actor="vera")
        if approve:
            allow.approve(s, rule, actor="ines")
    return rule


@pytest.mark.parametrize("wish", [
    pytest.param(Wish("sender", "", "", domain="client.example.com"), id="everything from a domain"),
    pytest.param(Wish("sender", "sin", "", domain="client.example.com"), id="a domain without a kind"),
    pytest.param(Wish("sender", "sin", "government_id", domain="com"), id="a whole top-level domain"),
    pytest.param(Wish("sender", "*", "government_id", domain="client.example.com"), id="any rule"),
    pytest.param(Wish("sender", "roster_name", "education_record", domain="client.example.com"), id="lists of people"),
    pytest.param(Wish("value", "sentence", "health", digest=HASH), id="what the wording says"),
    pytest.param(Wish("value", "sin", "government_id"), id="no value"),
    pytest.param(Wish("value", "sin", "anything", digest=HASH), id="a kind there is not"),
    pytest.param(Wish("pattern", "sin", "government_id", pattern="#########"), id="a pattern that every number has"),
    pytest.param(Wish("pattern", "sin", "government_id", pattern="AB.*"), id="an expression"),
    pytest.param(Wish("pattern", "sin", "government_id", pattern="SIN 046454286"), id="a value as a pattern"),
    pytest.param(Wish("directory", "sin", "government_id", entries=frozenset({HASH})), id="a directory of numbers"),
    pytest.param(Wish("directory", "home_phone", "home_contact"), id="an empty directory"),
    pytest.param(replace(VALUE, days=0), id="no time"),
    pytest.param(replace(VALUE, days=400), id="for ever"),
    pytest.param(replace(VALUE, reason="because I say so"), id="a reason in words"),
])
def test_what_is_too_wide_or_not_a_rule_is_refused(db: Database, wish: Wish) -> None:
    with pytest.raises(AllowRefused), db.session() as s:
        allow.propose(s, wish, actor="vera")
    with db.reading() as s:
        assert allow.listed(s, everything=True) == ()


def test_a_rule_is_in_force_from_its_approval_until_it_expires_or_is_withdrawn(db: Database) -> None:
    rule = rule_of(db, approve=False)
    with db.reading() as s:
        assert allow.in_force(s, "north") == ()
    with db.session() as s:
        row = allow.approve(s, rule, actor="ines")
        assert row.expires is not None
        assert row.expires - now() > timedelta(days=179)
    with db.reading() as s:
        assert [r.id for r in allow.in_force(s, "north")] == [rule]
        assert allow.in_force(s, "south") == allow.in_force(s, "") == ()
        assert allow.in_force(s, "north", at=now() + timedelta(days=181)) == ()
        assert allow.as_row(row, now() + timedelta(days=181))["state"] == "expired"
        assert allow.listed(s, at=now() + timedelta(days=181)) == ()
    with db.session() as s:
        allow.withdraw(s, rule, actor="ines", reason="not-needed")
    with db.reading() as s:
        assert allow.in_force(s, "north") == ()
        assert [r.action for r in audit.show(s, action="policy:allow:")] == [
            f"policy:allow:{v}" for v in ("proposed", "tested", "approved", "withdrawn")]
    with pytest.raises(AllowRefused), db.session() as s:
        allow.withdraw(s, rule, actor="ines", reason="not-needed")


def test_a_rule_for_the_organisation_holds_in_every_division(db: Database) -> None:
    rule = rule_of(db, replace(VALUE, division=""))
    with db.reading() as s:
        assert [r.id for d in ("north", "south", "") for r in allow.in_force(s, d)] == [rule] * 3


def test_nobody_approves_alone_untested_or_against_a_confirmed_hit(db: Database) -> None:
    rule = rule_of(db, tested=False, approve=False)
    with pytest.raises(AllowRefused, match="back-test"), db.session() as s:
        allow.approve(s, rule, actor="ines")
    with db.session() as s:
        allow.note_test(s, rule, FINE | {"confirmed": 1}, actor="vera")
    with pytest.raises(AllowRefused, match="confirmed"), db.session() as s:
        allow.approve(s, rule, actor="ines")
    with db.session() as s:
        allow.note_test(s, rule, FINE, actor="vera")
    with pytest.raises(AllowRefused, match="another person"), db.session() as s:
        allow.approve(s, rule, actor="vera")
    with db.session() as s:
        row = allow.get(s, rule)
        row.tested = row.tested | {"at": (now() - timedelta(days=2)).isoformat()}
    with pytest.raises(AllowRefused, match="holds for a day"), db.session() as s:
        allow.approve(s, rule, actor="ines")


@pytest.mark.parametrize("sql", [
    pytest.param("UPDATE allow_rule SET approved_by = proposed_by", id="author and approver the same"),
    pytest.param("UPDATE allow_rule SET state = 'in-force'", id="in force without an approver"),
    pytest.param("UPDATE allow_rule SET rule = ''", id="about everything"),
])
def test_the_database_insists(db: Database, sql: str) -> None:
    rule_of(db, approve=False)
    with pytest.raises(DatabaseConflict), db.session() as s:
        s.execute(text(sql))


def test_a_rule_there_is_not_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound), db.reading() as s:
        allow.get(s, "AL-99999")


def test_uses_are_counted(db: Database) -> None:
    rule = rule_of(db)
    with db.session() as s:
        allow.note_use(s, allow.uses([(f"allow:{rule}", 2), ("signature", 5), (f"allow:{rule}", 1), ("allow:AL-9", 1)]))
    with db.reading() as s:
        assert allow.as_row(allow.get(s, rule))["used"] == 3


# ------------------------------------------------------------------------------------------ in the scanner

TEXT = "Our invoice INV-046454286 and the case file 046 454 286."
CELLS = Table((("number",), ("046454286",)))


def extraction(domain: str = "client.example.com") -> Extraction:
    return Extraction((Part("body", "text", (Block(TEXT), CELLS)),),
                      Envelope(sender=Address("", f"rose@{domain}")))


def found(start: int, end: int, block: int = 0, count: int = 1, rule: str = "sin") -> Finding:
    return Finding(Category.GOVERNMENT_ID, rule, "body", 0, block, start, end, 0.95, count)


INVOICE, FILE, CELL = found(16, 25), found(44, 55), found(1, 0, block=1)


class Finds:
    """A scanner that finds these, and holds for any that counts."""

    def __init__(self, *findings: Finding) -> None:
        self._findings = findings

    def scan(self, _extraction: Extraction) -> Report:
        return Report(self._findings)

    def decide(self, report: Report, _extraction: Extraction) -> Decision:
        counted = [f for f in report.findings if not f.exempt]
        return Decision(Verdict.BLOCK if counted else Verdict.PASS, "test", "test@1", report.findings)


def exempt(rule: Allowed, *findings: Finding, domain: str = "client.example.com") -> list[bool]:
    scanner = AllowingScanner(Finds(*findings), KEYS, [rule])
    kept = scanner.scan(extraction(domain)).findings
    assert [replace(f, exempt="") for f in kept] == [*findings], "nothing that was found is dropped"
    assert {f.exempt for f in kept} <= {"", f"allow:{rule.id}"}
    return [bool(f.exempt) for f in kept]


def made(kind: str, digest: str = "", pattern: str = "", domain: str = "", rule: str = "sin") -> Allowed:
    return Allowed("AL-1", kind, rule, "government_id", frozenset({digest} - {""}),
                   allow.shape_of(pattern) if pattern else None, domain)


def test_an_exact_value_is_known_however_it_is_written() -> None:
    assert exempt(made("value", HASH), INVOICE, FILE, CELL) == [True, True, True]
    assert exempt(made("value", value_digest(KEYS, "046454287")), INVOICE, FILE, CELL) == [False, False, False]


def test_a_rule_is_about_one_rule_of_the_scanner() -> None:
    assert exempt(made("value", HASH, rule="phn"), INVOICE, FILE) == [False, False]


def test_a_finding_that_stands_for_several_values_is_not_one_value() -> None:
    assert exempt(made("value", HASH), replace(FILE, count=2), replace(CELL, count=31)) == [False, False]


def test_a_pattern_covers_the_whole_value_and_no_longer_one() -> None:
    assert exempt(made("pattern", pattern="INV-#########"), INVOICE, FILE, CELL) == [True, False, False]
    assert exempt(made("pattern", pattern="INV-########"), INVOICE) == [False], "one digit less is another number"
    assert exempt(made("pattern", pattern="NV-#########"), INVOICE) == [False], "it begins inside a word"


def test_a_sender_is_allowed_by_the_whole_domain() -> None:
    rule = made("sender", domain="client.example.com")
    assert exempt(rule, FILE) == [True]
    for other in ("sub.client.example.com", "notclient.example.com", "client.example.com.evil.example"):
        assert exempt(rule, FILE, domain=other) == [False]


def test_a_template_is_one_block_word_by_word() -> None:
    known = block_digest(KEYS, Block("  our INVOICE inv-046454286 and the case\nfile 046 454 286. "))
    assert exempt(made("template", known), INVOICE, FILE, CELL) == [True, True, False]
    assert exempt(made("template", block_digest(KEYS, Block(TEXT + " PS"))), INVOICE) == [False]


def test_what_a_rule_speaks_for_passes_and_says_by_which_rule() -> None:
    scanner = AllowingScanner(Finds(FILE), KEYS, [made("value", HASH)])
    decision = scanner.decide(scanner.scan(extraction()), extraction())
    assert decision.verdict is Verdict.PASS
    assert [f.exempt for f in decision.findings] == ["allow:AL-1"]
    other = AllowingScanner(Finds(FILE, found(0, 3, rule="phn")), KEYS, [made("value", HASH)])
    assert not other.decide(other.scan(extraction()), extraction()).link, "one that counts holds the item"
