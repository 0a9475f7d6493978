"""The semantic stage: one message in, a probability and the sentences that decided out."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol

import numpy as np

from pii_scan.findings import Category, Finding
from pii_scan.semantic import cues
from pii_scan.semantic.features import NOTHING, Message, measure
from pii_scan.semantic.model import BadWeights, Floats, LinearModel, Scores, Weights, load
from pii_scan.semantic.segment import Unit, units
from pii_scan.semantic.trees import Forest
from pii_scan.text import Extraction

REVIEW, BLOCK = 0.5, 0.9
"""A probability from REVIEW is worth a reviewer's look, from BLOCK it is personal. Training scales the
probability so that these two numbers are its lines, whatever the weights."""
SHOWN_FROM = 0.2
"""Below this probability no sentence is reported."""
MOST_SHOWN = 8
RULE = "sentence"
"""`Finding.rule` of everything this stage reports."""

WEIGHTS = "weights.npz"


@dataclass(frozen=True, slots=True)
class SemanticResult:
    """`probability` (0 to 1) that the message tells something personal, see REVIEW and BLOCK, and the
    sentences behind it, strongest first. Decide on `probability`; a finding alone decides nothing."""

    probability: float
    findings: tuple[Finding, ...] = ()


class SentenceScorer(Protocol):
    """Judges the sentences of one message; `LinearScorer` is the one we ship.

    A heavier model (a sentence encoder, say) takes its place here and is trained for with the same
    command: message features are made of what it returns.
    """

    def score(self, texts: Sequence[str]) -> tuple[Scores, Sequence[int], Sequence[int]]:
        """(scores, cue masks, index of the text each row stands for); texts without a word have no row."""

    def topics(self, texts: Sequence[str]) -> Floats:
        """Logits of what each text is about, float64[texts, categories]; asked for the few that are reported.

        Every text has a word."""


class LinearScorer:
    """Hashed n-grams and cue pairs with a flat weight table. Safe to share between threads."""

    def __init__(self, weights: Weights) -> None:
        self._model = LinearModel(weights)
        self._lock = threading.Lock()

    def score(self, texts: Sequence[str]) -> tuple[Scores, Sequence[int], Sequence[int]]:
        """See `SentenceScorer`."""
        with self._lock:
            encoded = self._model.encoder.encode(texts)
            return self._model.score(encoded), encoded.masks.tolist(), encoded.kept.tolist()

    def topics(self, texts: Sequence[str]) -> Floats:
        """See `SentenceScorer`."""
        with self._lock:
            return self._model.topics(self._model.encoder.encode(texts))


_: type[SentenceScorer] = LinearScorer


def shipped_weights() -> Path:
    """The weights installed with the package."""
    return Path(str(resources.files(__package__).joinpath(WEIGHTS)))


class SemanticStage:
    """Scores whole messages. Built once, used for every message; needs no model outside its weights file."""

    def __init__(self, weights: Path | Weights | None = None, scorer: SentenceScorer | None = None) -> None:
        """`weights` is a file, loaded weights, or None for the shipped ones. Raises `BadWeights`."""
        self.weights = weights if isinstance(weights, Weights) else load(weights or shipped_weights())
        self._scorer = scorer or LinearScorer(self.weights)
        self._names: tuple[str, ...] = tuple(self.weights.meta["features"])
        if set(self._names) != set(measure(NOTHING)):
            raise BadWeights("features of another version")
        self._offset = np.array(self.weights.meta["bias"]["message"], np.float64)
        self._forest = Forest(self.weights.trees, len(self._names))
        self._categories = tuple(Category(c) for c in self.weights.meta["categories"])
        lines = self.weights.meta["lines"]
        self._slope = math.log(BLOCK / (1 - BLOCK)) / (lines["block"] - lines["review"])
        self._middle = float(lines["review"])

    @property
    def version(self) -> str:
        """Which weights these are, for the record of a decision."""
        return str(self.weights.meta["version"])

    def read(self, extraction: Extraction, rules: Sequence[Finding] = ()) -> Message:
        """Everything the last step looks at (training builds on the same function)."""
        cut = units(extraction)
        scores, masks, kept = self._scorer.score([u.text for u in cut])
        return Message([cut[i] for i in kept], np.array(masks, np.int64), scores.logit,
                       scores.document, extraction.envelope, rules)

    def logit(self, message: Message) -> float:
        """The message model before scaling: the higher of its two views."""
        measured = measure(message)
        values = np.array([measured[n] for n in self._names])
        whole, strongest = (self.weights.message @ values + self._offset).tolist()
        return max(float(whole) + self._forest.worth(values), float(strongest))

    def score(self, extraction: Extraction, rule_findings: Sequence[Finding] = ()) -> SemanticResult:
        """Judge one message. `rule_findings` are what the rules found in the same extraction."""
        message = self.read(extraction, rule_findings)
        probability = 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, self._slope * (self.logit(message) - self._middle)))))
        if probability < SHOWN_FROM or not len(message.logit):
            return SemanticResult(probability)
        return SemanticResult(probability, self._deciding(message, extraction))

    def _deciding(self, message: Message, extraction: Extraction) -> tuple[Finding, ...]:
        order = np.argsort(-message.logit, kind="stable")[:MOST_SHOWN]
        shown = [i for n, i in enumerate(order.tolist()) if n == 0 or message.logit[i] > 0]
        topics = self._scorer.topics([message.units[i].text for i in shown])
        return tuple(self._finding(message, i, topic, extraction) for i, topic in zip(shown, topics, strict=True))

    def _finding(self, message: Message, i: int, topic: Floats, extraction: Extraction) -> Finding:
        unit: Unit = message.units[i]
        part = extraction.parts[unit.part]
        where = part.blocks[unit.block].where
        score = 1.0 / (1.0 + math.exp(-float(message.logit[i])))
        return Finding(
            category=self._category(topic), rule=RULE,
            place=f"{part.place}, {where}" if where else part.place, part=unit.part, block=unit.block,
            start=unit.start, end=unit.end, score=round(score, 4),
            why=(f"sentence:{score:.2f}", *(f"cue:{name}" for name in _told(int(message.masks[i])))))

    def _category(self, topic: Floats) -> Category:
        return self._categories[int(np.argmax(topic))]


def _told(mask: int) -> list[str]:
    strong, weak = cues.told(mask)
    return [g for i, g in enumerate(cues.GROUPS) if strong >> i & 1] or \
           [f"{g}?" for i, g in enumerate(cues.GROUPS) if weak >> i & 1]
