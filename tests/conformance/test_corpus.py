"""Recall and false holds on the labelled mail of the conformance data, held against the promised bars.

Two figures: every message of `train` and `dev` judged by weights trained without it (cross-validated,
near-duplicates together), and `dev` judged by weights that never saw any of it. Both are held to the bars;
docs/semantic.md says where they stand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pii_scan
from capture.extract.extractor import SandboxedExtractor
from pii_scan import measure
from pii_scan.engine import Scanner
from pii_scan.findings import Finding
from pii_scan.semantic import SemanticResult, SemanticStage
from pii_scan.semantic.corpora import Corpus, read_folder
from pii_scan.semantic.train import fit_weights
from pii_scan.text import Extraction

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

FOLDS = 10


class RulesOnly:
    """Stands in for the semantic stage while the rules speak alone."""

    def score(self, extraction: Extraction, rule_findings: list[Finding]) -> SemanticResult:
        return SemanticResult(0.0)


@pytest.fixture(scope="module")
def folder() -> Path:
    named = os.environ.get("MAILWEIR_CONFORMANCE_DATA")
    assert named, "run `make conformance DATA=...`"
    corpus = Path(named) / "corpus"
    for part in ("dev/labels.jsonl", "train/labels.jsonl", "negatives.txt.gz"):
        assert (corpus / part).is_file(), f"corpus/{part} is missing"
    return corpus


@pytest.fixture(scope="module")
def parts(folder: Path) -> Iterator[dict[str, Corpus]]:
    """`dev`, `train` and `extra` (composed mail of ours, unlabelled business sentences)."""
    with SandboxedExtractor() as extractor:
        ours = read_folder(Path(pii_scan.__file__).parent / "training", extractor.extract)
        lines = tuple(line for line in read_folder(folder, extractor.extract).lines if line.weight < 1)
        yield {"dev": read_folder(folder / "dev", extractor.extract),
               "train": read_folder(folder / "train", extractor.extract),
               "extra": ours + Corpus(lines=lines)}


@pytest.fixture(scope="module")
def rules() -> Scanner:
    return Scanner(semantic=RulesOnly())


@pytest.fixture(scope="module")
def crossed(parts: dict[str, Corpus], rules: Scanner) -> measure.Measurement:
    return measure.cross_validate(parts["train"] + parts["dev"], rules.scan, rules.decide, extra=parts["extra"],
                                  folds=FOLDS)


@pytest.fixture(scope="module")
def unseen(parts: dict[str, Corpus], rules: Scanner) -> measure.Measurement:
    weights = fit_weights(parts["train"] + parts["extra"], lambda extraction: rules.scan(extraction).findings)
    scanner = Scanner(semantic=SemanticStage(weights))
    return measure.measure(parts["dev"].examples, lambda item: scanner.decide(scanner.scan(item), item))


@pytest.fixture(params=["crossed", "unseen"])
def measured(request: pytest.FixtureRequest) -> measure.Measurement:
    result: measure.Measurement = request.getfixturevalue(request.param)
    return result


def _stays_below(share: measure.Share, bar: float) -> bool:
    return share.total > 0 and share.value <= bar


def test_personal_mail_is_held(measured: measure.Measurement, record_property: Callable[[str, object], None]) -> None:
    record_property("figures", measured.render())
    assert measured.recall().value >= 0.86, str(measured.recall())


def test_harmless_mail_passes(measured: measure.Measurement) -> None:
    assert _stays_below(measured.false_holds(), 0.08), str(measured.false_holds())


def test_blindly_drawn_harmless_mail_passes(measured: measure.Measurement) -> None:
    blind = measured.false_holds(lambda j: j.sample == "random")
    assert _stays_below(blind, 0.04), str(blind)


def test_harmless_mail_is_hardly_ever_blocked_outright(measured: measure.Measurement) -> None:
    assert measured.blocked(personal=False).value <= 0.015, str(measured.blocked(personal=False))


def test_personal_composed_mail_is_held(unseen: measure.Measurement) -> None:
    share = unseen.recall(lambda j: j.source == "composed")
    assert share.value >= 0.92, str(share)


def test_harmless_composed_mail_passes_unless_it_could_not_be_read(unseen: measure.Measurement) -> None:
    read = unseen.false_holds(lambda j: j.source == "composed" and not j.rule.startswith("unread"))
    assert _stays_below(read, 0.06), str(read)


def test_mail_whose_attachment_alone_is_personal_is_held(unseen: measure.Measurement) -> None:
    share = unseen.recall(lambda j: j.attached)
    assert share.total
    assert share.hits == share.total, str(share)
