"""How well the scanner decides: recall and false holds on labelled mail, the curve, the cost, and thresholds.

Pure functions over labelled examples; the commands `mailweir measure` and `mailweir calibrate` print what
they return. Every share comes with its counts and a 95 % Wilson interval, recall and false holds always
as a pair. Messages labelled "unsure" are left out of every figure. No result holds text of a mail.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from pii_scan.findings import Decision, Report, Verdict
from pii_scan.semantic.corpora import Corpus, Example
from pii_scan.text import Extraction

if TYPE_CHECKING:
    from pii_scan.semantic import SemanticResult

Decide = Callable[[Extraction], Decision]
"""The whole scanner: text in, decision out."""

CURVE = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""Review thresholds of the curve."""
LEAST = 30
"""Fewer confirmed or released items than this, and no threshold is proposed."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with the 95 % Wilson interval."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share, 0 when there is nothing to count."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; (0, 1) when there is nothing to count."""
        return wilson(self.hits, self.total)

    def __str__(self) -> str:
        if not self.total:
            return "    -"
        low, high = self.interval
        return f"{100 * self.value:5.1f} %  {self.hits:>4}/{self.total:<5} [{100 * low:.1f}, {100 * high:.1f}]"


def wilson(hits: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a share."""
    if not total:
        return 0.0, 1.0
    p, zz = hits / total, z * z
    middle = (p + zz / (2 * total)) / (1 + zz / total)
    half = z * math.sqrt(p * (1 - p) / total + zz / (4 * total * total)) / (1 + zz / total)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled message and what the scanner said of it. `settled` is the verdict of rules and unread
    parts alone; `attached` is True when all its evidence is in attachments."""

    id: str
    personal: bool
    categories: tuple[str, ...]
    source: str
    sample: str
    attached: bool
    verdict: Verdict
    rule: str
    doubt: float
    named: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Blocked, or held for review."""
        return self.verdict is not Verdict.PASS

    @property
    def settled(self) -> bool:
        """Held whatever the semantic stage says."""
        return self.held and not self.rule.startswith("semantic")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What `measure` and `cross_validate` return; `unsure` counts what was left out."""

    judged: tuple[Judged, ...]
    unsure: int = 0
    how: str = "one model"

    def recall(self, which: Callable[[Judged], bool] = lambda _: True) -> Share:
        """Personal messages that were blocked or held, among those `which` picks."""
        found = [j.held for j in self.judged if j.personal and which(j)]
        return Share(sum(found), len(found))

    def false_holds(self, which: Callable[[Judged], bool] = lambda _: True) -> Share:
        """Harmless messages that were blocked or held, among those `which` picks."""
        found = [j.held for j in self.judged if not j.personal and which(j)]
        return Share(sum(found), len(found))

    def blocked(self, *, personal: bool) -> Share:
        """Messages blocked outright."""
        found = [j.verdict is Verdict.BLOCK for j in self.judged if j.personal is personal]
        return Share(sum(found), len(found))

    def categories(self) -> dict[str, tuple[Share, Share]]:
        """For each labelled category: recall, and how often the category itself was named."""
        names = sorted({c for j in self.judged if j.personal for c in j.categories})
        result = {}
        for name in names:
            own = [j for j in self.judged if j.personal and name in j.categories]
            result[name] = (Share(sum(j.held for j in own), len(own)),
                            Share(sum(name in j.named for j in own), len(own)))
        return result

    def parts(self, key: Callable[[Judged], str]) -> dict[str, tuple[Share, Share]]:
        """Recall and false holds for each value of `key` (source, sample)."""
        return {name: (self.recall(lambda j, n=name: key(j) == n),  # type: ignore[misc]
                       self.false_holds(lambda j, n=name: key(j) == n))  # type: ignore[misc]
                for name in sorted({key(j) for j in self.judged})}

    def curve(self) -> tuple[tuple[float, Share, Share, Share], ...]:
        """(review threshold, recall, false holds, false holds on blindly drawn mail) along CURVE."""
        rows = []
        for line in CURVE:
            def held(j: Judged, line: float = line) -> bool:
                return j.settled or j.doubt >= line

            good = [j for j in self.judged if not j.personal]
            blind = [j for j in good if j.sample == "random"]
            bad = [j for j in self.judged if j.personal]
            rows.append((line, Share(sum(map(held, bad)), len(bad)), Share(sum(map(held, good)), len(good)),
                         Share(sum(map(held, blind)), len(blind))))
        return tuple(rows)

    def cost(self, base_rate: float = 0.04) -> Cost:
        """What a reviewer meets per 1,000 mails when `base_rate` of them are personal.

        Uses the blindly drawn mail for false holds when there is any: picked mail is harder than life.
        """
        blind = self.false_holds(lambda j: j.sample == "random")
        harmless = 1000 * (1 - base_rate) * (blind if blind.total else self.false_holds()).value
        personal = 1000 * base_rate * self.recall().value
        return Cost(base_rate, personal, harmless, 1000 * base_rate - personal)

    def render(self, base_rate: float = 0.04) -> str:
        """Everything as text for a terminal."""
        personal = sum(j.personal for j in self.judged)
        lines = [f"{len(self.judged)} messages ({personal} block, {len(self.judged) - personal} pass), "
                 f"{self.unsure} unsure left out; {self.how}", ""]
        rows = [("block recall, blocked or held", self.recall()), ("  blocked", self.blocked(personal=True)),
                ("false holds, all pass mail", self.false_holds()),
                ("false holds, blindly drawn pass mail", self.false_holds(lambda j: j.sample == "random")),
                ("  blocked outright", self.blocked(personal=False)),
                ("recall, evidence in attachments only", self.recall(lambda j: j.attached))]
        lines += [f"{name:<40} {share}" for name, share in rows]
        lines += ["", f"{'by category':<40} {'recall':<32} named"]
        lines += [f"  {name:<38} {recall!s:<32} {named.hits}/{named.total}"
                  for name, (recall, named) in self.categories().items()]
        for title, key in (("by source", _source), ("by sample", _sample)):
            lines += ["", f"{title:<40} {'recall':<32} false holds"]
            lines += [f"  {name or '(none)':<38} {recall!s:<32} {wrong}"
                      for name, (recall, wrong) in self.parts(key).items()]
        lines += ["", f"{'review threshold':<18} {'recall':<32} {'false holds':<32} blindly drawn"]
        lines += [f"  {line:<16} {recall!s:<32} {wrong!s:<32} {blind}" for line, recall, wrong, blind in self.curve()]
        return "\n".join([*lines, "", self.cost(base_rate).render()])


def _source(judged: Judged) -> str:
    return judged.source


def _sample(judged: Judged) -> str:
    return judged.sample


@dataclass(frozen=True, slots=True)
class Cost:
    """Per 1,000 mails at a base rate: held and personal, held and harmless, personal and missed."""

    base_rate: float
    held_personal: float
    held_harmless: float
    missed: float

    def render(self) -> str:
        """Two sentences."""
        held = self.held_personal + self.held_harmless
        share = self.held_harmless / held if held else 0.0
        return (f"Of 1,000 mails with {100 * self.base_rate:g} % personal ones, a reviewer sees {held:.0f}, "
                f"{self.held_harmless:.0f} of them harmless ({100 * share:.0f} %). "
                f"{self.missed:.1f} personal mails pass.")


def judge(example: Example, decision: Decision) -> Judged:
    """Label and decision side by side. The example is labelled block or pass."""
    return Judged(example.id, example.decision == "block", example.categories, example.source, example.sample,
                  example.places == ("attachment",), decision.verdict, decision.rule, decision.doubt,
                  decision.categories)


def measure(examples: Iterable[Example], decide: Decide) -> Measurement:
    """Decide every labelled message once and count."""
    judged: list[Judged] = []
    unsure = 0
    for example in examples:
        if example.decision == "unsure":
            unsure += 1
        else:
            judged.append(judge(example, decide(example.extraction)))
    return Measurement(tuple(judged), unsure)


RuleReport = Callable[[Extraction], Report]
"""What rules and tables find (a `Scanner` with the semantic stage off)."""
Verdicts = Callable[[Report, Extraction], Decision]
"""`Scanner.decide`."""


def cross_validate(measured: Corpus, rules: RuleReport, verdicts: Verdicts, *, extra: Corpus | None = None,
                   folds: int = 5, jobs: int = 0) -> Measurement:
    """Judge every message with weights that were trained without it and without its near-duplicates.

    Sentence, category, whole-message and message models are trained anew for each fold on the rest of
    `measured` and all of `extra`, which is not measured. `jobs` folds at a time, each in a process of its own that
    takes some 500 MB; 0 is one for each core, at most 4. Needs the `train` extra (scikit-learn).
    """
    from pii_scan.semantic.groups import folds as spread
    from pii_scan.semantic.groups import kept_together
    from pii_scan.semantic.segment import units

    corpus = measured + (extra or Corpus())
    examples = corpus.examples
    reports = [rules(e.extraction) for e in examples]
    groups = kept_together([units(e.extraction) for e in examples], [e.id for e in examples])
    fold = [int(k) for k in spread(groups, [e.id for e in examples], folds)]
    wanted = [i for i in range(len(measured.examples)) if examples[i].decision != "unsure"]
    given = (corpus, [r.findings for r in reports], fold, wanted)
    judged: list[Judged] = []
    with ProcessPoolExecutor(jobs or min(folds, os.cpu_count() or 1, 4), get_context("spawn"),
                             initializer=_take, initargs=given) as pool:
        for scored in pool.map(_score_fold, range(folds)):
            for i, result in scored:
                found = reports[i]
                report = Report(found.findings + result.findings, result.probability, found.persons, found.minors)
                judged.append(judge(examples[i], verdicts(report, examples[i].extraction)))
    unsure = sum(e.decision == "unsure" for e in measured.examples)
    return Measurement(tuple(sorted(judged, key=lambda j: j.id)), unsure, f"cross-validated in {folds} folds")


_given: list[Any] = []
"""In a process of `cross_validate`: the corpus, what the rules found, the fold of each example, whom to score."""


def _take(*given: Any) -> None:
    _given[:] = given


def _score_fold(k: int) -> list[tuple[int, SemanticResult]]:
    """Train without fold `k` and score its examples, by their place in the corpus."""
    from pii_scan.semantic import SemanticStage, fit, train

    corpus, findings, fold, wanted = _given
    rest = [i for i in range(len(corpus.examples)) if fold[i] != k]
    examples = [corpus.examples[i] for i in rest]
    material = fit.prepare(examples, corpus.lines)
    stage = SemanticStage(train.fit_prepared(examples, material, [findings[i] for i in rest], train.Recipe()))
    return [(i, stage.score(corpus.examples[i].extraction, findings[i])) for i in wanted if fold[i] == k]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What people made of a held item: `personal` when confirmed, not when released. `settled` items were
    held by a rule or an unread part and say nothing about the semantic thresholds."""

    doubt: float
    personal: bool
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Calibration:
    """Proposed thresholds and what they would have done to the operator's own items.

    `review` and `block` equal the present ones where the data does not carry a change; `reason` says so.
    `kept` are confirmed items still held, `spared` released items that would not have been held,
    `blocked_wrongly` released items at or above the proposed block line.
    """

    review: float
    block: float
    kept: Share
    spared: Share
    blocked_wrongly: Share
    reason: str = ""
    used: int = field(default=0)

    def render(self) -> str:
        """A few lines for a terminal."""
        lines = [f"review_at = {self.review:g}", f"block_at = {self.block:g}",
                 f"confirmed items still held     {self.kept}", f"released items spared          {self.spared}",
                 f"released items blocked         {self.blocked_wrongly}"]
        return "\n".join([*lines, self.reason] if self.reason else lines)


def calibrate(outcomes: Sequence[Outcome], *, review: float = 0.5, block: float = 0.9, keep: float = 0.98,
              wrong_blocks: float = 0.02) -> Calibration:
    """Propose thresholds from items the reviewers released or confirmed.

    The review line goes up as far as `keep` of the confirmed items stay held; it never goes down, for
    nobody has looked at what was not held. The block line is the lowest one, not below the review line,
    above which at most `wrong_blocks` of the items were harmless. With fewer than LEAST confirmed or
    released items nothing changes.
    """
    usable = [o for o in outcomes if not o.settled]
    confirmed = sorted(o.doubt for o in usable if o.personal)
    released = sorted(o.doubt for o in usable if not o.personal)
    reason = ""
    if min(len(confirmed), len(released)) < LEAST:
        reason = (f"{len(confirmed)} confirmed and {len(released)} released items are too few to change anything "
                  f"({LEAST} of each are needed).")
        new_review, new_block = review, block
    else:
        allowed = math.floor((1 - keep) * len(confirmed) + 1e-9)
        new_review = max(review, math.floor(confirmed[allowed] * 1000) / 1000)
        new_block = max(new_review, _block_line(confirmed, released, wrong_blocks))
    return Calibration(
        new_review, new_block, Share(sum(d >= new_review for d in confirmed), len(confirmed)),
        Share(sum(d < new_review for d in released), len(released)),
        Share(sum(d >= new_block for d in released), len(released)), reason, len(usable))


def _block_line(confirmed: Sequence[float], released: Sequence[float], most: float) -> float:
    """The lowest line above which at most `most` of all items are harmless; 1 when there is none."""
    both = sorted([(d, 0) for d in confirmed] + [(d, 1) for d in released], reverse=True)
    line, wrong = 1.0, 0
    for n, (doubt, harmless) in enumerate(both, 1):
        wrong += harmless
        last_of_its_kind = n == len(both) or both[n][0] < doubt
        if last_of_its_kind and wrong <= most * n:
            line = math.floor(doubt * 1000) / 1000
    return line
