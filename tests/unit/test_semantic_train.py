"""Training: what a corpus may hold, near-duplicates, and the same bytes twice."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from pii_scan.findings import Category, Finding
from pii_scan.semantic import SemanticStage, fit, train
from pii_scan.semantic.corpora import BadCorpus, composed, labelled, read_folder, read_folders
from pii_scan.semantic.groups import folds, near_duplicates
from pii_scan.semantic.segment import units
from pii_scan.text import Block, Extraction, Part, Table

WHO = ("my son", "her husband", "his mother", "our cadet Pieter", "my wife", "Dagny")
FACTS = (("was diagnosed with epilepsy", "health"), ("is in hospital after surgery", "health"),
         ("filed for divorce last month", "family_private_life"), ("was fired for misconduct", "employment_hr"),
         ("failed the final exam again", "education_record"))
THINGS = ("the invoice", "the room", "the contract", "the projector", "the agenda", "the shipment")
DEEDS = ("was sent to the vendor", "is booked for the course", "needs a signature by Friday", "arrived at the gate",
         "is attached as a spreadsheet")


def read(raw: bytes) -> Extraction:
    return Extraction((Part("body", "text/plain", (Block(raw.decode()),)),))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A small invented corpus: 30 personal and 30 harmless messages, composed ones, lines, business sentences."""
    folder = tmp_path / "corpus"
    (folder / "messages").mkdir(parents=True)
    labels = []
    for n, (who, (fact, category)) in enumerate(itertools.product(WHO, FACTS)):
        sentence = f"I heard that {who} {fact}."
        (folder / "messages" / f"b{n:02}.eml").write_text(f"Hello,\n\n{sentence}\nSee the agenda item {n}.\n")
        labels.append({"id": f"b{n:02}", "decision": "block", "categories": [category], "evidence": [sentence],
                       "sample": "cue"})
    for n, (thing, deed) in enumerate(itertools.product(THINGS, DEEDS)):
        (folder / "messages" / f"p{n:02}.eml").write_text(f"Hello,\n\nPlease note that {thing} {deed}.\nRegards\n")
        labels.append({"id": f"p{n:02}", "decision": "pass", "sample": "random", "looks_like": []})
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labels))
    sheet = {"name": "list_of_people.csv", "kind": "csv", "rows": [["Name", "Note"], ["Dagny", "asthma"]]}
    message = {"id": "c1", "decision": "block", "categories": ["health"], "subject": "note",
               "from": "A <a@x.example.org>", "to": ["b@x.example.org"], "body": "See attached.",
               "attachments": [sheet],
               "evidence": ["Dagny"]}
    (folder / "messages_a.jsonl").write_text(json.dumps(message) + "\n")
    (folder / "domain.jsonl").write_text(json.dumps(
        {"text": "Her chemo starts Monday.", "label": "personal", "category": "health", "lang": "en"}) + "\n")
    with gzip.open(folder / "negatives.txt.gz", "wt") as file:
        file.write("The pipeline ran at full capacity.\n" * 3)
    return folder


def test_a_folder_may_hold_mail_composed_messages_lines_and_sentences(corpus: Path) -> None:
    found = read_folder(corpus, read)
    assert len(found.examples) == 61
    assert [line.weight for line in found.lines] == [1.0, 0.5, 0.5, 0.5]
    table = next(e for e in found.examples if e.id == "c1").extraction.parts[2].blocks[1]
    assert isinstance(table, Table)
    assert table.rows[1] == ("Dagny", "asthma")


def test_a_line_given_twice_counts_once(corpus: Path) -> None:
    assert len(read_folders([corpus, corpus], read).lines) == 2


@pytest.mark.parametrize("damage", ["no json", "no object", "unknown decision", "no message", "empty folder"])
def test_a_damaged_corpus_is_named_without_its_text(damage: str, corpus: Path, tmp_path: Path) -> None:
    labels = corpus / "labels.jsonl"
    if damage == "no json":
        labels.write_text('{"id": "secret')
    elif damage == "no object":
        labels.write_text('"secret"\n')
    elif damage == "unknown decision":
        labels.write_text('{"id": "p00", "decision": "secret"}\n')
    elif damage == "no message":
        (corpus / "messages" / "p00.eml").unlink()
    folder = tmp_path if damage == "empty folder" else corpus
    with pytest.raises(BadCorpus) as caught:
        read_folders([folder], read)
    assert "secret" not in str(caught.value)


def test_training_twice_gives_the_same_bytes_and_a_model_that_works(corpus: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    train.train([corpus], one, read)
    train.train([corpus], two, read)
    assert one.read_bytes() == two.read_bytes()
    stage = SemanticStage(one)
    personal = stage.score(read(b"I heard that her husband was diagnosed with epilepsy."))
    harmless = stage.score(read(b"Please note that the contract is attached as a spreadsheet."))
    assert personal.probability > 0.5 > harmless.probability
    assert personal.findings[0].category is Category.HEALTH


def test_no_word_of_the_training_mail_is_in_the_file(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.npz"
    weights = train.train([corpus], out, read)
    words = {w for e in read_folder(corpus, read).examples for p in e.extraction.parts for w in p.text().split()
             if len(w) > 5 and w.isalpha()}
    kept = json.dumps(weights.meta)
    assert {w for w in words if f'"{w}"' in kept} == set()


def test_fitted_weights_and_the_running_stage_agree(corpus: Path) -> None:
    found = read_folder(corpus, read)
    material = fit.prepare(found.examples, found.lines)
    recipe = train.Recipe()
    linear = train.fit_sentences(material, np.ones(len(material.owner), np.bool_), recipe)
    whole = train.fit_documents(material, np.array([e.decision == "block" for e in found.examples], np.int64),
                                np.ones(len(found.examples), np.bool_), recipe)
    stage = SemanticStage(train.fit_prepared(found.examples, material, [()] * len(found.examples), recipe))
    at = 0
    for n, example in enumerate(found.examples):
        message = stage.read(example.extraction)
        rows = slice(at, at + len(message.logit))
        at += len(message.logit)
        np.testing.assert_allclose(message.logit, linear.logits(material.sentence[rows]), atol=0.02)
        np.testing.assert_allclose(message.document, whole.logits(material.document[n])[0], atol=0.02)


def test_rules_are_heard_in_training(corpus: Path) -> None:
    found = read_folder(corpus, read)

    def rules(extraction: Extraction) -> list[Finding]:
        personal = "I heard" in extraction.parts[0].text()
        return [Finding(Category.HEALTH, "health", "body", 0, 0, 0, 1, 0.9)] if personal else []

    weights = train.fit_weights(found, rules)
    assert (weights.message[:, weights.meta["features"].index("rule.other")] > 0).all()


def test_forwards_and_replies_stay_together() -> None:
    long = "This is the long paragraph that everybody in the thread quotes again and again."
    texts = ["Short.", f"{long} First.", f"FYI\n\n> {long}",
             "Something else entirely, with words of its own in it, many."]
    groups = near_duplicates([units(read(t.encode())) for t in texts])
    assert groups == [0, 1, 1, 3]
    spread = folds(groups, ["a", "b", "c", "d"], 2)
    assert spread[1] == spread[2]
    assert sorted(np.bincount(spread).tolist()) == [2, 2]


def test_folds_do_not_depend_on_the_order_of_the_mail() -> None:
    names = [f"m{i}" for i in range(40)]
    forward = dict(zip(names, folds(list(range(40)), names, 5), strict=True))
    backward = dict(zip(names[::-1], folds(list(range(40)), names[::-1], 5), strict=True))
    assert forward == backward


def test_composed_attachments_without_content_are_names_only() -> None:
    extraction = composed({"id": "x", "subject": "s", "body": "b", "from": "a@x.example.org", "to": "b@x.example.org",
                           "attachments": ["medical_note.pdf"]})
    block = extraction.parts[2].blocks[0]
    assert isinstance(block, Block)
    assert block.text == "medical note pdf"
    assert labelled({"id": 7, "decision": "unsure"}, extraction).id == "7"
