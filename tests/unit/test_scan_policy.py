"""Policy packs as cited data, and the decision as a pure function of evidence."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from pii_scan.errors import BadPack
from pii_scan.findings import Category, Finding, Report, Verdict
from pii_scan.policy import BASES, builtin_packs, check_pack, decide, load_pack
from pii_scan.text import Unread

PACK = load_pack("bc_foippa")


def finding(
    category: Category = Category.HEALTH,
    score: float = 0.9,
    start: int = 0,
    *,
    rule: str = "rule",
    exempt: str = "",
    block: int = 0,
) -> Finding:
    return Finding(category, rule, "body", 0, block, start, start + 5, score, exempt=exempt)


def verdict(*findings: Finding, doubt: float = 0.0, unread: tuple[Unread, ...] = ()) -> tuple[Verdict, str]:
    decision = decide(Report(findings, doubt=doubt), unread, PACK)
    return decision.verdict, decision.rule


class TestDecide:
    def test_nothing(self):
        assert verdict() == (Verdict.PASS, "nothing-found")

    @pytest.mark.parametrize(
        ("score", "expected"),
        [(0.8, Verdict.BLOCK), (0.79, Verdict.REVIEW), (0.5, Verdict.REVIEW), (0.49, Verdict.PASS)],
    )
    def test_one_finding(self, score, expected):
        assert verdict(finding(score=score))[0] is expected

    def test_exempt_is_shown_and_not_counted(self):
        decision = decide(Report((finding(exempt="signature"),)), (), PACK)
        assert decision.verdict is Verdict.PASS
        assert decision.findings[0].exempt == "signature"
        assert decision.categories == ()

    def test_two_doubtful_elements_of_one_person_block(self):
        near = (finding(score=0.6), finding(Category.DATE_OF_BIRTH, 0.6, 200))
        assert verdict(*near) == (Verdict.BLOCK, "joined-elements")

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(finding(Category.DATE_OF_BIRTH, 0.6, 5000), id="far away"),
            pytest.param(finding(Category.DATE_OF_BIRTH, 0.6, 10, block=1), id="another block"),
            pytest.param(finding(Category.HEALTH, 0.6, 10), id="the same category"),
            pytest.param(finding(Category.DATE_OF_BIRTH, 0.6, 10, exempt="signature"), id="exempt"),
            pytest.param(finding(Category.DATE_OF_BIRTH, 0.3, 10), id="too weak"),
        ],
    )
    def test_elements_that_do_not_join(self, other):
        assert verdict(finding(score=0.6), other)[0] is Verdict.REVIEW

    def test_unread_holds_and_block_wins(self):
        unread = (Unread("attachment 1 of 1 (zip)", "encrypted"),)
        assert verdict(unread=unread) == (Verdict.REVIEW, "unread:encrypted")
        assert verdict(finding(), unread=unread)[0] is Verdict.BLOCK
        assert verdict(doubt=0.95, unread=unread)[0] is Verdict.BLOCK

    def test_doubt_of_the_semantic_stage(self):
        assert [verdict(doubt=d)[0] for d in (0.1, 0.5, 0.9)] == [Verdict.PASS, Verdict.REVIEW, Verdict.BLOCK]

    def test_same_input_same_decision(self):
        report = Report((finding(), finding(Category.MINOR, 0.6, 90)), doubt=0.4, persons=3, minors=1)
        assert decide(report, (), PACK) == decide(report, (), PACK)

    def test_sensitivity_from_the_pack(self):
        def level(*findings: Finding, **more: int) -> str:
            return decide(Report(findings, **more), (), PACK).sensitivity

        assert level() == "L0"
        assert level(finding(Category.HOME_CONTACT)) == "L3"
        assert level(finding(Category.DATE_OF_BIRTH)) == "L4"
        assert level(finding(Category.HEALTH)) == "L5"
        assert level(finding(Category.DATE_OF_BIRTH), minors=2) == "L5"
        assert level(finding(Category.HOME_CONTACT), persons=40) == "L4"


class TestPacks:
    @pytest.mark.parametrize("name", builtin_packs())
    def test_every_entry_is_cited_and_its_basis_known(self, name):
        pack = load_pack(name)
        assert pack.label == f"{name}@{pack.version}"
        for entry in pack.entries.values():
            assert entry.cite
            assert entry.basis in BASES
        assert {f"category.{c}" for c in Category} <= pack.entries.keys()

    def test_unconfirmed_is_not_in_force(self):
        assert not PACK.entries["access_clock"].in_force
        assert PACK.entries["personal_information"].in_force

    def test_version_may_be_named(self):
        assert load_pack(PACK.label).version == PACK.version
        with pytest.raises(BadPack, match="was asked for"):
            load_pack("bc_foippa@1999.1.1")

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ('basis = "official"', 'basis = "hearsay"', "basis is none of"),
            ('name = "bc_foippa"', "", "name is missing"),
            ('name = "bc_foippa"', 'name = "bc_foippa"\nsurprise = 1', "unknown key"),
            ('"ca_sin"', '"ca_sinn"', "unknown recognizer"),
            ("\nreview = 0.5", "\nreview = 1.5", "thresholds.review"),
            ('key = "category.health"', 'key = "category.helth"', "category.health is missing"),
            ('key = "class.L5"', 'key = "class.L4"', "occurs twice"),
            ("[thresholds]", "[thresholds", "not TOML"),
        ],
    )
    def test_a_broken_pack_is_refused_with_the_reason(self, tmp_path, old, new, problem):
        text = (resources.files("pii_scan") / "packs" / "bc_foippa.toml").read_text("utf-8")
        assert old in text
        path = tmp_path / "mine.toml"
        path.write_text(text.replace(old, new, 1), "utf-8")
        assert any(problem in p for p in check_pack(path))
        with pytest.raises(BadPack):
            load_pack(path)

    def test_a_pack_of_ones_own(self, tmp_path):
        text = (resources.files("pii_scan") / "packs" / "uk_gdpr.toml").read_text("utf-8")
        path = tmp_path / "mine.toml"
        path.write_text(text.replace('"uk_gdpr"', '"mine"', 1), "utf-8")
        assert tomllib.loads(path.read_text("utf-8"))["name"] == load_pack(path).name == "mine"
        assert check_pack(path) == ()

    def test_missing(self):
        assert "no pack of this name" in check_pack("atlantis")[0]
