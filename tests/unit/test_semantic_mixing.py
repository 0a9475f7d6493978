"""A personal sentence in a page of business: made for training, and judged at run time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pii_scan.semantic import REVIEW, SemanticStage, fit
from pii_scan.semantic.corpora import Line, composed, labelled
from pii_scan.semantic.features import NOTHING, STRONGEST, WHOLE, Message, measure
from pii_scan.semantic.groups import kept_together
from pii_scan.semantic.mixing import mixed
from pii_scan.semantic.segment import Unit
from pii_scan.text import Block, Envelope, Extraction, Part

BUSINESS = (
    "The contract for the driving range is attached.", "Please send the signed copy and the PO number by Friday.",
    "The room for the March course is booked, 24 seats, projector included.", "Coffee is at 8:30 in the hall.",
    "The quarterly report on fuel and equipment costs is due Tuesday.", "Use the new spreadsheet for the figures.",
    "The vendor ships the hoses on Monday and the couplings a week later.", "Freight is included in the price.",
    "Section 4 of the agreement covers insurance and liability.", "We changed two clauses after the last call.",
    "The projector in the second room needs a new cable.", "Parking is on the north side, gate B.",
    "Invoices go to accounts payable with the cost centre.", "The agenda for Thursday has five points.",
    "The training calendar for the spring is on the web site.", "The delivery window is from nine to noon.",
)
PERSONAL = (
    "His chemo starts Thursday and he asked that we tell only you.",
    "My husband and I separated in March and I have the kids every second week.",
    "We let Owen go on Friday after the third written warning, his severance is six weeks' salary.",
    "My daughter was diagnosed with epilepsy last week, so I am at the hospital.",
)


def mail(lines: tuple[str, ...]) -> Extraction:
    return Extraction((Part("body", "text/plain", (Block("\n\n".join(lines)),)),), Envelope(subject="update"))


@pytest.fixture(scope="module")
def stage() -> SemanticStage:
    return SemanticStage()


@pytest.mark.parametrize("n", range(len(PERSONAL)))
@pytest.mark.parametrize("at", [0, 8, 16])
def test_business_around_a_personal_sentence_does_not_hide_it(stage: SemanticStage, n: int, at: int) -> None:
    assert stage.score(mail(BUSINESS)).probability < REVIEW
    assert stage.score(mail((*BUSINESS[:at], PERSONAL[n], *BUSINESS[at:]))).probability >= REVIEW


def test_the_strongest_sentences_are_seen_alike_in_a_short_mail_and_in_a_long_one() -> None:
    def one(quiet: int) -> dict[str, float]:
        units = [Unit(f"line {i}", 0, 0, 0, 1, "text", quoted=False, first=True) for i in range(quiet + 1)]
        return measure(Message(units, np.zeros(quiet + 1, np.int64), np.array([3.0, *[-9.0] * quiet]), 0.0,
                               Envelope(), ()))

    short, long = one(0), one(200)
    assert {n for n in STRONGEST if short[n] != long[n]} == {"units", "top1*units"}


def test_both_views_are_made_of_features_that_exist() -> None:
    assert set(measure(NOTHING)) == WHOLE | STRONGEST


def _material() -> tuple[fit.Material, list[tuple[int, str, Message]]]:
    rows = [{"id": f"a{i:03}", "decision": "block" if i % 2 else "pass", "subject": "", "from": "", "to": [],
             "body": f"The agenda is number {i}.\n\nHer knee is broken, item {i}.",
             "evidence": [f"Her knee is broken, item {i}."], "looks_like": []} for i in range(1, 5)]
    examples = [labelled(row, composed(row)) for row in rows]
    material = fit.prepare(examples, [Line("His chemo starts.", personal=True), Line("Coffee at nine.", personal=False),
                                      Line("The pipe is full.", personal=False, weight=0.5)])
    host = Message([Unit("The price is up.", 0, 0, 0, 1, "text", quoted=False, first=True)], np.zeros(1, np.int64),
                   np.array([-4.0]), -1.0, Envelope(), ())
    return material, [(0, "random", host), (1, "random", host), (1, "composed", host)]


def test_every_labelled_stretch_is_mixed_within_its_fold_and_nothing_else_is() -> None:
    material, hosts = _material()
    row_fold = np.arange(len(material.owner)) % 2
    made = mixed(material, np.full(len(material.owner), 2.0), row_fold, hosts)
    stretches = {t for t, s in zip(material.texts, material.stretch, strict=True) if s}
    assert stretches == {"Her knee is broken, item 1.", "Her knee is broken, item 3.", "His chemo starts.",
                         "Coffee at nine."}
    last = [m.units[-1].text for m in made.messages]
    assert set(last) == stretches
    for message, text, personal, fold in zip(made.messages, last, made.personal, made.fold, strict=True):
        i = material.texts.index(text)
        assert fold == row_fold[i]
        assert personal == (text != "Coffee at nine.")
        assert message.logit[-1] == 2.0
        assert len(message.units) == len(message.masks) == len(message.logit) in (1, 2)
    of_fold = {fold: last.count(text) for text, fold in zip(last, made.fold.tolist(), strict=True)}
    assert of_fold == {0: 2, 1: 3}


def test_composed_variants_with_neighbouring_numbers_stay_together() -> None:
    units: list[list[Unit]] = [[] for _ in range(5)]
    groups = kept_together(units, ["a001", "a010", "a011", "b001", "enron-1"])
    assert groups[0] == groups[1]
    assert len(set(groups)) == 4


def test_the_composed_mail_that_ships_is_numbered_so_that_variants_are_neighbours() -> None:
    import pii_scan.training as ours

    for path in sorted(Path(ours.__path__[0]).glob("messages_*.jsonl")):
        names = [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()]
        groups = kept_together([[] for _ in names], names)
        assert len(set(groups)) <= len(names) / 9 + 1
