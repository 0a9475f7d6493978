"""Whole messages: what is held, what passes, and which sentence says why."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pii_scan.findings import Category, Finding
from pii_scan.semantic import BLOCK, REVIEW, RULE, SemanticStage
from pii_scan.semantic.model import Floats, Scores
from pii_scan.text import Address, Block, Envelope, Extraction, Label, Part


@pytest.fixture(scope="module")
def stage() -> SemanticStage:
    return SemanticStage()


def mail(body: str, subject: str = "Update") -> Extraction:
    envelope = Envelope(subject=subject, sender=Address("", "a@institute.example.org"),
                        recipients=(Address("", "b@partner.example.org"),))
    return Extraction((Part("subject", "subject", (Block(subject, Label.SUBJECT),)),
                       Part("body", "text/plain", (Block(body),))), envelope)


PERSONAL = [
    pytest.param("Hi Joan,\n\nMarcus won't be in for the rest of the month. His chemo starts Thursday and he asked "
                 "that we tell only you.\n\nTess", id="health"),
    pytest.param("Dana, my husband and I separated in March and I have the kids every second week, so I can't take "
                 "the evening class any more.", id="family"),
    pytest.param("I have to tell you that we let Owen go on Friday after the third written warning. His severance is "
                 "six weeks' salary.", id="employment"),
    pytest.param("Bonjour Luc, Mélanie est en arrêt de travail pour dépression depuis lundi; son médecin prévoit six "
                 "semaines d'absence.", id="French health"),
]
HARMLESS = [
    pytest.param("Hi Joan,\n\nThe contract for the driving range is attached. Please send the signed copy and the PO "
                 "number by Friday.\n\nTess", id="contract"),
    pytest.param("The room for the March course is booked, 24 seats, projector included. Coffee at 8:30.", id="room"),
    pytest.param("Reminder: the quarterly report on fuel and equipment costs is due Tuesday. Use the new spreadsheet.",
                 id="report"),
    pytest.param("Bonjour Luc, voici l'ordre du jour de la réunion de mardi et le devis pour le matériel.",
                 id="French agenda"),
]


@pytest.mark.parametrize("body", PERSONAL)
def test_a_private_fact_in_plain_words_is_held(stage: SemanticStage, body: str) -> None:
    result = stage.score(mail(body))
    assert result.probability >= REVIEW
    assert result.findings


@pytest.mark.parametrize("body", HARMLESS)
def test_ordinary_business_passes(stage: SemanticStage, body: str) -> None:
    assert stage.score(mail(body)).probability < REVIEW


def test_the_sentence_that_decided_is_shown_with_its_place(stage: SemanticStage) -> None:
    body = ("Thanks for the invoice.\n\nMy daughter was diagnosed with epilepsy last week, so I am at the hospital."
            "\n\nBob")
    item = mail(body)
    finding = stage.score(item).findings[0]
    assert body[finding.start:finding.end].startswith("My daughter was diagnosed")
    assert (finding.rule, finding.place, finding.part, finding.block) == (RULE, "body", 1, 0)
    assert finding.why[0] == f"sentence:{finding.score:.2f}"
    assert "cue:health" in finding.why
    assert finding.category in set(Category)


def test_an_empty_mail_is_no_reason_to_hold(stage: SemanticStage) -> None:
    result = stage.score(Extraction(()))
    assert result.probability < REVIEW
    assert result.findings == ()


def test_what_the_rules_found_raises_the_probability(stage: SemanticStage) -> None:
    item = mail("As discussed, see below. Reach me there in the evening.")
    found = Finding(Category.HOME_CONTACT, "home_phone", "body", 1, 0, 0, 10, 0.9)
    assert stage.score(item, [found]).probability > stage.score(item).probability


def test_an_exempted_finding_counts_for_nothing(stage: SemanticStage) -> None:
    item = mail("As discussed, see below.")
    found = Finding(Category.HOME_CONTACT, "home_phone", "body", 1, 0, 0, 10, 0.9, exempt="signature")
    assert stage.score(item, [found]).probability == stage.score(item).probability


def test_scores_do_not_depend_on_what_was_scored_before(stage: SemanticStage) -> None:
    items = [mail(p.values[0]) for p in (*PERSONAL, *HARMLESS)]
    forward = [stage.score(i).probability for i in items]
    fresh = SemanticStage()
    assert [fresh.score(i).probability for i in reversed(items)] == forward[::-1]


def test_threads_may_share_a_stage(stage: SemanticStage) -> None:
    items = [mail(p.values[0]) for p in (*PERSONAL, *HARMLESS)] * 10
    alone = [stage.score(i).probability for i in items]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: stage.score(i).probability, items)) == alone


def test_another_scorer_takes_its_place_at_the_seam() -> None:
    class Fixed:
        """A scorer that is sure of every sentence."""

        def score(self, texts: Sequence[str]) -> tuple[Scores, Sequence[int], Sequence[int]]:
            n = len(texts)
            return Scores(np.full(n, 6.0), 6.0), [0] * n, range(n)

        def topics(self, texts: Sequence[str]) -> Floats:
            return np.eye(len(Category))[np.full(len(texts), list(Category).index(Category.HEALTH))]

    result = SemanticStage(scorer=Fixed()).score(mail("Anything. At all."))
    assert result.probability >= BLOCK
    assert {f.score for f in result.findings} == {0.9975}
    assert {f.category for f in result.findings} == {Category.HEALTH}


def test_time_grows_with_the_length_only(stage: SemanticStage) -> None:
    def seconds(count: int) -> float:
        lines = (f"Line {i} says that order {i} was sent to the north gate on Monday." for i in range(count))
        item = mail("\n".join(lines))
        start = time.perf_counter()
        stage.score(item)
        return time.perf_counter() - start

    seconds(500)
    small = min(seconds(1_000) for _ in range(3))
    large = seconds(10_000)
    assert large < 10 * small * 4 + 0.1
