"""Measuring: shares with intervals, pairs of recall and false holds, the curve, the cost, thresholds."""

from __future__ import annotations

import math

import pytest

from pii_scan.findings import Category, Decision, Finding, Report, Verdict
from pii_scan.measure import (
    LEAST,
    Judged,
    Measurement,
    Outcome,
    Share,
    calibrate,
    cross_validate,
    measure,
    wilson,
)
from pii_scan.semantic.corpora import Corpus, Example
from pii_scan.text import Block, Extraction, Part


def judged(name: str, *, personal: bool, verdict: Verdict, doubt: float = 0.0, rule: str = "semantic-doubt",
           sample: str = "random", categories: tuple[str, ...] = (), named: tuple[str, ...] = (),
           attached: bool = False) -> Judged:
    return Judged(name, personal, categories, "real", sample, attached, verdict, rule, doubt, named)


@pytest.fixture
def result() -> Measurement:
    return Measurement((
        judged("a", personal=True, verdict=Verdict.BLOCK, doubt=0.2, rule="finding:ca_sin",
               categories=("government_id",), named=("government_id",)),
        judged("b", personal=True, verdict=Verdict.REVIEW, doubt=0.6, categories=("health",), named=("minor",),
               sample="cue"),
        judged("c", personal=True, verdict=Verdict.PASS, doubt=0.3, rule="nothing-found", categories=("health",),
               attached=True),
        judged("d", personal=False, verdict=Verdict.PASS, doubt=0.1, rule="nothing-found"),
        judged("e", personal=False, verdict=Verdict.REVIEW, doubt=0.55, sample="cue"),
        judged("f", personal=False, verdict=Verdict.PASS, doubt=0.35, rule="nothing-found"),
    ), unsure=2)


@pytest.mark.parametrize(("hits", "total", "low", "high"), [
    pytest.param(52, 58, 0.792, 0.952, id="52 of 58"),
    pytest.param(0, 85, 0.0, 0.0432, id="none of 85"),
    pytest.param(0, 0, 0.0, 1.0, id="nothing to count"),
])
def test_intervals_are_wilsons(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-4)


def test_recall_and_false_holds_are_counted_on_their_own_mail(result: Measurement) -> None:
    assert result.recall() == Share(2, 3)
    assert result.false_holds() == Share(1, 3)
    assert result.false_holds(lambda j: j.sample == "random") == Share(0, 2)
    assert result.blocked(personal=True) == Share(1, 3)
    assert result.recall(lambda j: j.attached) == Share(0, 1)


def test_a_category_is_found_more_often_than_it_is_named(result: Measurement) -> None:
    assert result.categories() == {"government_id": (Share(1, 1), Share(1, 1)), "health": (Share(1, 2), Share(0, 2))}


def test_parts_show_recall_and_false_holds_together(result: Measurement) -> None:
    assert result.parts(lambda j: j.sample) == {"cue": (Share(1, 1), Share(1, 1)), "random": (Share(1, 2), Share(0, 2))}


def test_the_curve_moves_the_semantic_line_only(result: Measurement) -> None:
    curve = {line: (recall, wrong, blind) for line, recall, wrong, blind in result.curve()}
    assert curve[0.3] == (Share(3, 3), Share(2, 3), Share(1, 2))
    assert curve[0.5] == (Share(2, 3), Share(1, 3), Share(0, 2))
    assert curve[0.95] == (Share(1, 3), Share(0, 3), Share(0, 2))


def test_the_cost_is_counted_at_the_base_rate_of_life(result: Measurement) -> None:
    cost = result.cost(0.03)
    assert (cost.held_personal, cost.held_harmless, cost.missed) == pytest.approx((20.0, 0.0, 10.0))


def test_the_text_names_every_figure_and_no_message(result: Measurement) -> None:
    text = result.render()
    assert "6 messages (3 block, 3 pass), 2 unsure left out" in text
    for heading in ("block recall", "false holds, blindly drawn", "by category", "by source", "by sample",
                    "review threshold", "Of 1,000 mails"):
        assert heading in text
    assert "[20.8, 93.9]" in text


def example(name: str, decision: str, text: str, categories: tuple[str, ...] = (),
            spans: tuple[str, ...] = ()) -> Example:
    return Example(name, decision, categories, Extraction((Part("body", "text/plain", (Block(text),)),)), "invented",
                   "random", spans, ("body",))


def test_unsure_mail_is_neither_right_nor_wrong() -> None:
    seen: list[Extraction] = []

    def decide(extraction: Extraction) -> Decision:
        seen.append(extraction)
        return Decision(Verdict.PASS, "nothing-found", "test@1")

    result = measure([example("a", "unsure", "x"), example("b", "pass", "y"), example("c", "block", "z")], decide)
    assert (len(seen), result.unsure, result.recall(), result.false_holds()) == (2, 1, Share(0, 1), Share(0, 1))


def test_cross_validation_judges_every_message_by_a_model_that_did_not_see_it() -> None:
    facts = ["was diagnosed with epilepsy", "is in hospital after surgery", "had a miscarriage", "is on sick leave",
             "broke her leg"]
    who = ["My wife", "Her son", "His mother", "Our cadet", "My daughter", "The recruit"]
    deeds = ["is booked for the course", "was sent to the vendor", "needs a signature", "arrived at the gate",
             "is attached"]
    things = ["The room", "The invoice", "The contract", "The shipment", "The agenda", "The projector"]
    examples = [example(f"b{i}{j}", "block", f"{w} {f}.", ("health",), (f"{w} {f}.",))
                for i, w in enumerate(who) for j, f in enumerate(facts)]
    examples += [example(f"p{i}{j}", "pass", f"{t} {d}.") for i, t in enumerate(things) for j, d in enumerate(deeds)]
    examples.append(example("u", "unsure", "My wife says hello."))

    def verdicts(report: Report, _: Extraction) -> Decision:
        verdict = Verdict.REVIEW if report.doubt >= 0.5 else Verdict.PASS
        return Decision(verdict, "semantic-doubt", "test@1", report.findings, doubt=report.doubt)

    result = cross_validate(Corpus(tuple(examples)), lambda _: Report(), verdicts, folds=3)
    assert len(result.judged) == len({j.id for j in result.judged}) == 60
    assert result.unsure == 1
    assert result.recall().value > 0.9
    assert result.false_holds().value < 0.2
    assert all(j.named for j in result.judged if j.held)


def test_extra_mail_is_learnt_from_and_not_measured() -> None:
    def mails(prefix: str, count: int) -> tuple[Example, ...]:
        return tuple(e for i in range(count) for e in (
            example(f"{prefix}b{i}", "block", f"Her surgery number {i} went well.", ("health",), ("Her surgery",)),
            example(f"{prefix}p{i}", "pass", f"The invoice number {i} is attached.")))

    result = cross_validate(
        Corpus(mails("m", 4)), lambda _: Report((Finding(Category.HEALTH, "health", "body", 0, 0, 0, 1, 0.3),)),
        lambda report, _: Decision(Verdict.PASS, "nothing-found", "test@1", doubt=report.doubt),
        extra=Corpus(mails("x", 12)), folds=2)
    assert {j.id[0] for j in result.judged} == {"m"}
    assert len(result.judged) == 8


def outcomes(confirmed: list[float], released: list[float]) -> list[Outcome]:
    return [Outcome(d, personal=True) for d in confirmed] + [Outcome(d, personal=False) for d in released]


def test_few_decisions_change_no_threshold() -> None:
    proposal = calibrate(outcomes([0.9] * (LEAST - 1), [0.55] * 500))
    assert (proposal.review, proposal.block) == (0.5, 0.9)
    assert "too few" in proposal.reason


def test_the_review_line_rises_while_confirmed_items_stay_held() -> None:
    proposal = calibrate(outcomes([0.71 + 0.002 * i for i in range(100)], [0.52] * 60 + [0.8] * 5))
    assert 0.70 < proposal.review < 0.73
    assert proposal.kept.value >= 0.98
    assert proposal.spared == Share(60, 65)
    assert "review_at" in proposal.render()


def test_the_review_line_never_falls() -> None:
    assert calibrate(outcomes([0.3] * 50 + [0.9] * 50, [0.2] * 50)).review == 0.5


def test_the_block_line_leaves_few_harmless_items_above_it() -> None:
    proposal = calibrate(outcomes([0.6 + 0.003 * i for i in range(130)], [0.55 + 0.004 * i for i in range(60)]))
    above = [d for d in (0.55 + 0.004 * i for i in range(60)) if d >= proposal.block]
    confirmed_above = [d for d in (0.6 + 0.003 * i for i in range(130)) if d >= proposal.block]
    assert confirmed_above
    assert len(above) <= 0.02 * (len(above) + len(confirmed_above)) + 1
    assert proposal.block >= proposal.review


def test_items_held_by_a_rule_say_nothing_about_the_semantic_lines() -> None:
    settled = [Outcome(0.1, personal=True, settled=True)] * 100
    assert calibrate(settled + outcomes([0.9] * 40, [0.6] * 40)).kept == Share(40, 40)
    assert not math.isnan(calibrate([]).kept.value)
