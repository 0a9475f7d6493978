"""The commands that measure and train: labelled mail and sample files meet the real readers and the scanner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pii_scan
from capture.errors import BadInput
from capture.extract.measure import ExtractionScore
from capture.extract.measure import measure as measure_samples
from capture.settings import Settings
from capture.terminal import progress
from capture.wiring import build_extractor, build_scanner, opened
from pii_scan import measure
from pii_scan.engine import Scanner
from pii_scan.findings import Finding, Verdict
from pii_scan.policy import load_pack
from pii_scan.semantic import SemanticResult
from pii_scan.semantic.corpora import Corpus, read_folders
from pii_scan.text import Extraction
from store import cases
from store.tables import Case, CaseState

TRAINING = Path(pii_scan.__file__).parent / "training"
Read = Callable[[bytes], Extraction]


@contextmanager
def _reading(settings: Settings, total: int | None) -> Iterator[Read]:
    """The real readers as a function, with a progress bar."""
    extractor = build_extractor(settings)
    try:
        with progress("reading", total) as advance:
            def read(raw: bytes) -> Extraction:
                advance()
                return extractor.extract(raw)
            yield read
    finally:
        extractor.close()


def _corpus(settings: Settings, folders: Sequence[Path]) -> Corpus:
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder")
    with _reading(settings, None) as read:
        return read_folders(folders, read)


def measured(settings: Settings, folders: Sequence[Path]) -> measure.Measurement:
    """The scanner as it is, over labelled mail."""
    scanner = build_scanner(settings)
    corpus = _corpus(settings, folders)
    return measure.measure(corpus.examples, lambda extraction: scanner.decide(scanner.scan(extraction), extraction))


def cross_validated(settings: Settings, folders: Sequence[Path], extra: Sequence[Path],
                    folds: int) -> measure.Measurement:
    """Every message judged by a model that never saw it nor its near-duplicates. The composed mail that ships with
    mailweir is always learnt from, `extra` besides."""
    scanner = _rules(settings)
    return measure.cross_validate(_corpus(settings, folders), scanner.scan, scanner.decide,
                                  extra=_corpus(settings, [TRAINING, *extra]), folds=folds)


def trained(settings: Settings, folders: Sequence[Path], out: Path) -> str:
    """Train the sentence model and write it; returns a sentence that names the version."""
    from pii_scan.semantic.train import train

    rules = _rules(settings)
    with _reading(settings, None) as read:
        weights = train(folders, out, read, lambda extraction: rules.scan(extraction).findings)
    return f"{out}: model {weights.meta.get('version', 'unnamed')}, {out.stat().st_size / 1e6:.1f} MB"


def measured_reading(settings: Settings, folder: Path, *, ocr: bool) -> ExtractionScore:
    """The readers over sample files with an expected outcome each."""
    from capture.extract import SandboxedExtractor

    if not (folder / "expected.json").is_file():
        raise BadInput(f"{folder}: no expected.json in this folder")
    with SandboxedExtractor(settings.extract, ocr=ocr) as extractor:
        return measure_samples(folder, extractor, with_ocr=ocr)


def calibrated(settings: Settings) -> measure.Calibration:
    """Thresholds from what reviewers made of held items."""
    thresholds = _rules(settings).pack.thresholds
    with opened(settings) as (database, _), database.reading() as session:
        outcomes = [_outcome(case) for state in (CaseState.RELEASED, CaseState.DELETED, CaseState.REDACTED)
                    for case in cases.listed(session, state=state, limit=100_000)]
    return measure.calibrate(outcomes, review=thresholds.review, block=thresholds.block)


def as_figures(result: measure.Measurement) -> dict[str, Any]:
    """A measurement for `--json`: counts of each share, no text."""
    def counts(share: measure.Share) -> dict[str, Any]:
        low, high = share.interval
        return {"hits": share.hits, "of": share.total, "low": round(low, 4), "high": round(high, 4)}

    def pairs(parts: dict[str, tuple[measure.Share, measure.Share]], second: str) -> dict[str, Any]:
        return {name: {"recall": counts(one), second: counts(other)} for name, (one, other) in parts.items()}

    return {"how": result.how, "messages": len(result.judged), "unsure": result.unsure,
            "recall": counts(result.recall()), "false_holds": counts(result.false_holds()),
            "false_holds_blind": counts(result.false_holds(lambda j: j.sample == "random")),
            "recall_attachments_only": counts(result.recall(lambda j: j.attached)),
            "blocked_personal": counts(result.blocked(personal=True)),
            "blocked_harmless": counts(result.blocked(personal=False)),
            "categories": pairs(result.categories(), "named"),
            "sources": pairs(result.parts(lambda j: j.source), "false_holds"),
            "samples": pairs(result.parts(lambda j: j.sample), "false_holds")}


def _outcome(case: Case) -> measure.Outcome:
    rule = str(case.summary.get("rule", ""))
    settled = not rule.startswith("semantic") or case.verdict not in (Verdict.BLOCK, Verdict.REVIEW)
    return measure.Outcome(float(case.summary.get("doubt", 0.0)), case.state != CaseState.RELEASED, settled)


class _NoSemantics:
    """Stands where the semantic stage is, when rules and tables alone are wanted."""

    def score(self, extraction: Extraction, rule_findings: Sequence[Finding]) -> SemanticResult:  # noqa: ARG002
        """Say nothing."""
        return SemanticResult(0.0, ())


def _rules(settings: Settings) -> Scanner:
    return Scanner(settings.scan, load_pack(settings.scan.pack), semantic=_NoSemantics())
