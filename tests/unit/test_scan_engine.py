"""The scanner as a whole: places, offsets, names, business contact, unread parts, missing model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pii_scan.engine import Scanner
from pii_scan.errors import BadPack, ModelMissing
from pii_scan.findings import Category, Decision, Finding, Report, Verdict
from pii_scan.recognizers import names
from pii_scan.settings import ScanSettings
from pii_scan.text import Address, Block, Envelope, Extraction, Label, Part, Table


@dataclasses.dataclass
class FixedDoubt:
    """A semantic stage that always says the same."""

    probability: float = 0.0
    findings: tuple[Finding, ...] = ()

    def score(self, extraction: Extraction, rule_findings: Sequence[Finding]) -> FixedDoubt:
        return self


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(semantic=FixedDoubt())


def item(
    *blocks: str | Block | Table, envelope: Envelope | None = None, status: str = "read", code: str = ""
) -> Extraction:
    made = tuple(Block(b) if isinstance(b, str) else b for b in blocks)
    return Extraction((Part("body", "text/plain", made, status, code),), envelope or Envelope())  # type: ignore[arg-type]


def decided(scanner: Scanner, extraction: Extraction) -> Decision:
    return scanner.decide(scanner.scan(extraction), extraction)


BUSINESS = """Hello Ann,

please find attached our quote Q-2231 for 40 helmets. PO 4500123456, GST 123456782 RT0001.
Bo Lim will join the meeting on Friday; Cy Dee is on vacation until the 12th.

Bo Lim, Buyer
Exempla Supply Ltd., 1802 Fraser Avenue, Vancouver BC
Office 604-555-0100  Cell 604-555-0101  bo.lim@exempla.example.com
"""


def test_business_mail_passes(scanner):
    decision = decided(scanner, item(BUSINESS))
    assert decision.verdict is Verdict.PASS
    assert decision.link
    assert decision.sensitivity == "L0"


def test_offsets_point_at_the_value(scanner):
    text = "Hi,\nher SIN is 130 692 544, thanks"
    report = scanner.scan(item("Subject line", Block(text, where="page 2")))
    (found,) = report.findings
    assert text[found.start : found.end] == "130 692 544"
    assert (found.block, found.place, found.rule) == (1, "body, page 2", "ca_sin")
    assert found.why == ("context:sin", "check-digit")


def test_offsets_in_tables_are_row_and_column(scanner):
    table = Table((("Label", "Value"), ("Date of birth", "1990-02-03"), ("SIN", "130 692 544")), where="sheet 1")
    found = {f.rule: f for f in scanner.scan(item(table)).findings}
    assert (found["ca_sin"].start, found["ca_sin"].end) == (2, 1)
    assert found["date_of_birth"].place == "body, sheet 1"


def test_repeated_values_in_a_column_are_one_finding(scanner):
    table = Table(tuple((f"x{i}", f"born 19{60 + i % 40}-03-01") for i in range(500)))
    found = [f for f in scanner.scan(item(table)).findings if f.rule == "date_of_birth"]
    assert [f.count for f in found] == [500]


def test_context_reaches_from_a_short_block_such_as_a_subject_only(scanner):
    found = scanner.scan(item("the SIN is", "130 692 544")).findings
    assert [(f.rule, f.block) for f in found] == [("id_in_context", 1)]
    long = "The form asks for a SIN. " + "We meet on Thursday to talk about the helmets and the hoses. " * 3
    assert scanner.scan(item(long, "130 692 544")).findings == ()


def test_no_text_in_findings_or_decision(scanner):
    decision = decided(scanner, item("Ann Zebrowski's password: Hunter2xx and SIN 130 692 544"))
    assert decision.verdict is Verdict.BLOCK
    for secret in ("Zebrowski", "Hunter2xx", "130 692 544", "130692544"):
        assert secret not in repr(decision)


@pytest.mark.parametrize(("status", "code"), [("unreadable", "encrypted"), ("partial", "needs_ocr")])
def test_unread_is_not_clean(scanner, status, code):
    decision = decided(scanner, item(BUSINESS, status=status, code=code))
    assert decision.verdict is Verdict.REVIEW
    assert decision.rule == f"unread:{code}"
    assert [u.code for u in decision.unread] == [code]


def test_found_and_unread_blocks(scanner):
    assert decided(scanner, item("SIN 130 692 544", status="partial", code="needs_ocr")).verdict is Verdict.BLOCK


def test_nothing_extracted_is_not_clean(scanner):
    assert decided(scanner, Extraction(())).verdict is Verdict.REVIEW


class TestNames:
    def test_a_name_is_asked_about_only_when_it_decides(self):
        scanner = Scanner(semantic=FixedDoubt())
        scanner.scan(item(BUSINESS))
        scanner.scan(item("His surgery is on Tuesday"))
        assert not scanner._names.loaded
        decision = decided(scanner, item("Please note that Robert Johnson was diagnosed with cancer."))
        assert scanner._names.loaded
        assert decision.verdict is Verdict.BLOCK
        assert "name-model" in decision.findings[0].why

    def test_a_name_the_model_does_not_know_is_doubt(self, scanner):
        decision = decided(scanner, item("Farrukh broke his collarbone at the ropes course."))
        assert decision.verdict is Verdict.REVIEW
        assert "name-unconfirmed" in decision.findings[0].why

    def test_ordinary_capitals_are_no_names(self, scanner):
        text = "Medical Research was diagnosed as costly. Goldman Sachs was terminated."
        assert scanner.scan(item(text)).findings == ()

    def test_missing_or_changed_model(self, monkeypatch, tmp_path):
        monkeypatch.setattr(names, "find_spec", lambda _: None)
        with pytest.raises(ModelMissing):
            Scanner(semantic=FixedDoubt())
        monkeypatch.undo()
        monkeypatch.setattr(names, "DIGEST", "0" * 64)
        with pytest.raises(ModelMissing):
            Scanner(semantic=FixedDoubt())


class TestBusinessContact:
    HOME = "Home: 604-555-0199"

    def test_number_called_home_in_a_signature_is_doubt(self, scanner):
        decision = decided(scanner, item("See you.", Block(self.HOME, Label.SIGNATURE)))
        assert decision.verdict is Verdict.REVIEW
        assert [(f.rule, f.exempt) for f in decision.findings] == [("home_phone", "")]
        assert "in-signature" in decision.findings[0].why

    def test_private_mail_in_a_signature_is_kept_and_exempt(self, scanner):
        decision = decided(scanner, item("See you.", Block("private mail: ann@example.net", Label.SIGNATURE)))
        assert decision.verdict is Verdict.PASS
        assert [(f.rule, f.exempt) for f in decision.findings] == [("private_mail", "signature")]

    def test_the_same_in_the_text_blocks(self, scanner):
        assert decided(scanner, item("You can reach me. " + self.HOME)).verdict is Verdict.BLOCK

    def test_joined_to_another_fact_it_counts_again(self, scanner):
        sig = Block(self.HOME + "\nDOB 1987-03-04", Label.SIGNATURE)
        assert {f.exempt for f in scanner.scan(item(sig)).findings} == {""}

    def test_party_domain_and_known_contacts(self):
        text = "my private e-mail is ann@exempla.example.com"
        party = Envelope(sender=Address("Ann", "ann@exempla.example.com"))
        free = Envelope(sender=Address("Ann", "ann@gmail.com"))
        scanner = Scanner(semantic=FixedDoubt())
        assert scanner.scan(item(text, envelope=party)).findings[0].exempt == "party-domain"
        assert scanner.scan(item(text)).findings[0].exempt == ""
        assert (
            scanner.scan(item(text.replace("exempla.example.com", "gmail.com"), envelope=free)).findings[0].exempt == ""
        )
        known = Scanner(ScanSettings(contacts=("ann@exempla.example.com", "604-555-0199")), semantic=FixedDoubt())
        assert known.scan(item(text)).findings[0].exempt == "known-contact"
        assert known.scan(item("Home: (604) 555-0199")).findings[0].exempt == "known-contact"
        own = Scanner(ScanSettings(own_domains=("exempla.example.com",)), semantic=FixedDoubt())
        assert own.scan(item(text)).findings[0].exempt == "party-domain"

    def test_only_contact_data_can_be_exempt(self, scanner):
        text = "SIN 130 692 544\nDOB 1987-03-04\nPassword: Hunter2xx"
        for label in Label:
            assert {f.exempt for f in scanner.scan(item(Block(text, label))).findings} == {""}


class TestSemanticSeam:
    def test_its_probability_decides(self):
        for probability, verdict in ((0.95, Verdict.BLOCK), (0.6, Verdict.REVIEW), (0.2, Verdict.PASS)):
            assert decided(Scanner(semantic=FixedDoubt(probability)), item(BUSINESS)).verdict is verdict

    def test_its_sentence_is_shown_only_when_it_counts(self):
        sentence = Finding(Category.HEALTH, "sentence", "body", 0, 0, 0, 5, 0.97, why=("sentence:0.97",))
        held = decided(Scanner(semantic=FixedDoubt(0.6, (sentence,))), item(BUSINESS))
        assert held.categories == ("health",)
        assert held.rule == "semantic-doubt"
        passed = decided(Scanner(semantic=FixedDoubt(0.3, (sentence,))), item(BUSINESS))
        assert passed.findings == ()
        assert passed.verdict is Verdict.PASS

    def test_it_gets_the_findings_of_the_rules(self):
        got: list[Sequence[Finding]] = []

        class Watching(FixedDoubt):
            def score(self, extraction: Extraction, rule_findings: Sequence[Finding]) -> FixedDoubt:
                got.append(rule_findings)
                return self

        Scanner(semantic=Watching()).scan(item("SIN 130 692 544"))
        assert [[f.rule for f in findings] for findings in got] == [["ca_sin"]]

    def test_thresholds_are_settings(self):
        strict = Scanner(ScanSettings(review_at=0.1), semantic=FixedDoubt(0.2))
        assert decided(strict, item(BUSINESS)).verdict is Verdict.REVIEW

    def test_the_shipped_stage_runs(self):
        decision = decided(Scanner(), item("My wife has been in the hospital since Friday with pneumonia."))
        assert decision.verdict is Verdict.BLOCK


def test_scan_many_keeps_order(scanner):
    items = [item("SIN 130 692 544"), item(BUSINESS), item("DOB 1990-02-03")]
    assert [len(r.findings) for r in scanner.scan_many(items)] == [1, 0, 1]
    assert all(isinstance(r, Report) for r in scanner.scan_many(items))


def test_uk_pack_finds_nhs_numbers_and_bc_pack_does_not():
    text = item("NHS number 943 476 5919")
    assert decided(Scanner(ScanSettings(pack="uk_gdpr"), semantic=FixedDoubt()), text).verdict is Verdict.BLOCK
    assert decided(Scanner(semantic=FixedDoubt()), text).verdict is Verdict.PASS


def test_student_number_form_is_a_setting():
    text = item("student number A01234567")
    assert (
        decided(Scanner(ScanSettings(student_number_pattern=r"A0\d{7}"), semantic=FixedDoubt()), text).verdict
        is Verdict.BLOCK
    )
    only_six = Scanner(ScanSettings(student_number_pattern=r"\d{6}"), semantic=FixedDoubt())
    assert decided(only_six, text).verdict is Verdict.PASS
    with pytest.raises(ValueError, match="student_number_pattern"):
        ScanSettings(student_number_pattern="(unclosed")


def test_bad_pack(tmp_path: Path):
    with pytest.raises(BadPack):
        Scanner(ScanSettings(pack=str(tmp_path / "none.toml")))


RULES = Scanner(ScanSettings(names=False), semantic=FixedDoubt())
FRAGMENTS = st.sampled_from(
    (
        "SIN",
        "130 692 544",
        "born",
        "1987-03-04",
        "home",
        "604-555-0199",
        "password:",
        "Hunter2xx",
        "\n",
        "\t",
        "|",
        "> ",
        "DOB",
        "Name",
        "Ann Lee",
        "\x1e",
        "İ",
        "ﬁ",
        "née",
        "IBAN DE89 3704 0044 0532 0130 00",
        "12 Elm Street",
        "she was diagnosed",
        "   ",
    )
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.one_of(FRAGMENTS, st.text(max_size=12)), max_size=25), st.sampled_from(list(Label)))
def test_any_text_gets_a_verdict_and_offsets_inside_it(words, label):
    text = " ".join(words)
    table = Table(tuple(tuple(line.split("\t")) for line in text.split("\n")))
    made = item(Block(text, label), table)
    report = RULES.scan(made)
    for f in report.findings:
        if f.block == 0:
            assert 0 <= f.start <= f.end <= len(text)
        else:
            assert 0 <= f.start < len(table.rows)
            assert 0 <= f.end < max(1, len(table.rows[f.start]))
        assert 0 < f.score <= 1
        assert f.why
    assert RULES.decide(report, made).verdict in list(Verdict)
