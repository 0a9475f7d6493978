"""Make the weights: `train(folders, out, read)`; the command is `mailweir train --data DIR... --out FILE`.

The steps: sentence model (evidence of block messages and personal lines against sentences of pass
messages, clean lines and unlabelled business sentences), category tables, whole-message words; then the
message model on sentence scores that come from models which have not seen the message. Fixed seeds,
fixed order: the same data gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression

from pii_scan.findings import Finding
from pii_scan.semantic import fit
from pii_scan.semantic.corpora import Corpus, Example, Read, read_folders
from pii_scan.semantic.features import Message, measure
from pii_scan.semantic.groups import folds, near_duplicates
from pii_scan.semantic.model import FORMAT, Floats, Weights
from pii_scan.text import Extraction

Rules = Callable[[Extraction], Sequence[Finding]]
"""What the rules find in an extraction (`Scanner` without the semantic stage)."""
ENOUGH = 200
"""Pass messages needed to draw a line on them."""
RULE_HOLDS, RULE_BLOCKS = 0.5, 0.8
"""Rule findings of this score hold or block whatever the semantic stage says (defaults of the packs)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of the training; the defaults were chosen by cross-validation.

    `c_*` are inverse regularisation strengths, `balance_*` the total weight of personal against other.
    `blind_weight` and `composed_weight` are the shares of blindly drawn harmless mail, which is what life
    looks like, and of composed mail, which is not, in the message model. The review line is the lowest at
    which rules and scores out of fold together hold at most `hold_rate` of the pass messages and
    `blind_rate` of the blindly drawn ones; the block line likewise blocks at most `block_rate`. Composed
    messages, harder than life on purpose, have no say in the lines when there is enough other mail.
    """

    folds: int = 5
    c_sentence: float = 3.0
    balance_sentence: float = 0.3
    c_document: float = 10.0
    balance_document: float = 0.5
    c_topic: float = 3.0
    c_message: float = 0.05
    blind_weight: float = 2.0
    composed_weight: float = 0.5
    hold_rate: float = 0.081
    blind_rate: float = 0.041
    block_rate: float = 0.012


def train(folders: Sequence[Path], out: Path, read: Read, rules: Rules | None = None,
          recipe: Recipe | None = None) -> Weights:
    """Read the folders, fit, write the file, return the weights. Raises `BadCorpus`."""
    weights = fit_weights(read_folders(sorted(folders), read), rules, recipe)
    weights.save(out)
    return weights


def fit_weights(corpus: Corpus, rules: Rules | None = None, recipe: Recipe | None = None) -> Weights:
    """Fit all models on a corpus."""
    found = [tuple(rules(e.extraction)) if rules else () for e in corpus.examples]
    return fit_prepared(corpus.examples, fit.prepare(corpus.examples, corpus.lines), found, recipe or Recipe())


def fit_prepared(examples: Sequence[Example], material: fit.Material, found: Sequence[Sequence[Finding]],
                 recipe: Recipe) -> Weights:
    """Fit on encoded text; `found` holds the rule findings of each example."""
    decided = np.array([{"pass": 0, "block": 1}.get(e.decision, -1) for e in examples], np.int64)
    fold = np.array(folds(near_duplicates(material.units), [e.id for e in examples], recipe.folds), np.int64)
    logit, document = np.zeros(len(material.owner)), np.zeros(len(examples))
    of_message = material.owner >= 0
    owner_fold = np.where(of_message, fold[material.owner], -1)
    for k in range(recipe.folds):
        sentences = fit_sentences(material, (owner_fold != k), recipe)
        own = owner_fold == k
        logit[own] = sentences.logits(material.sentence[own])
        whole = fit_documents(material, decided, fold != k, recipe)
        document[fold == k] = whole.logits(material.document[fold == k])
    sentences = fit_sentences(material, np.ones(len(owner_fold), np.bool_), recipe)
    whole = fit_documents(material, decided, np.ones(len(examples), np.bool_), recipe)
    topics, topic_bias = fit_topics(material, recipe)
    rows = [measure(m) for m in messages(examples, material, logit, document, found)]
    names = sorted(rows[0])
    x = np.array([[r[n] for n in names] for r in rows])
    message, centre, spread, bias, lines = fit_message(x, decided, fold, recipe, examples, found)
    meta: dict[str, Any] = {
        "format": FORMAT, "features": names, "categories": list(fit.CATEGORIES), "lines": lines,
        "bias": {"sentence": float(sentences.bias[0]), "document": float(whole.bias[0]), "message": bias,
                 "topics": [float(b) for b in topic_bias]},
        "trained_on": {"messages": len(examples), "block": int((decided == 1).sum()),
                       "pass": int((decided == 0).sum()), "sentences": len(material.owner),
                       "personal_sentences": int((material.target == 1).sum())},
    }
    words = 1 << fit.WORD_BITS
    weights = Weights(
        words=sentences.table[:words].astype(np.float16), letters=sentences.table[words:].astype(np.float16),
        topics=topics.astype(np.float16), document=whole.table.astype(np.float16), common=material.common,
        message=message, centre=centre, spread=spread, meta=meta)
    return replace(weights, meta=meta | {"version": _version(weights)})


def _version(weights: Weights) -> str:
    digest = hashlib.sha256()
    for table in (weights.words, weights.letters, weights.topics, weights.document, weights.message):
        digest.update(np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()[:12]


def fit_sentences(material: fit.Material, use: npt.NDArray[np.bool_], recipe: Recipe) -> fit.Linear:
    """The sentence model on the labelled sentences among `use`."""
    rows = use & (material.target >= 0)
    return fit.fit_linear(material.sentence[rows], material.target[rows], material.weight[rows],
                          c=recipe.c_sentence, balance=recipe.balance_sentence)


def fit_documents(material: fit.Material, decided: npt.NDArray[np.int64], use: npt.NDArray[np.bool_],
                  recipe: Recipe) -> fit.Linear:
    """The whole-message words on the decided messages among `use`."""
    rows = use & (decided >= 0)
    return fit.fit_linear(material.document[rows], decided[rows], np.ones(int(rows.sum())),
                          c=recipe.c_document, balance=recipe.balance_document)


def fit_topics(material: fit.Material, recipe: Recipe) -> tuple[Floats, Floats]:
    """(table, bias) of one model per category, each category against the others."""
    rows = material.topic >= 0
    x: sparse.csr_matrix = material.topical[rows]
    topic = material.topic[rows]
    table = np.zeros((x.shape[1], len(fit.CATEGORIES)))
    bias = np.full(len(fit.CATEGORIES), -9.0)
    for c in range(len(fit.CATEGORIES)):
        y = (topic == c).astype(np.int64)
        if 3 <= y.sum() < len(y):
            one = fit.fit_linear(x, y, np.ones(len(y)), c=recipe.c_topic, balance=0.5)
            table[:, c], bias[c] = one.table, one.bias[0]
    return table, bias


def messages(examples: Sequence[Example], material: fit.Material, logit: Floats, document: Floats,
             found: Sequence[Sequence[Finding]]) -> list[Message]:
    """The messages with their scores, ready to be measured."""
    first = np.concatenate([[0], np.cumsum([len(u) for u in material.units])])
    bounds = np.searchsorted(material.owner[material.owner >= 0], np.arange(len(examples) + 1))
    result = []
    for n, example in enumerate(examples):
        rows = slice(int(bounds[n]), int(bounds[n + 1]))
        kept = material.encoded.kept[rows] - first[n]
        result.append(Message([material.units[n][i] for i in kept.tolist()], material.encoded.masks[rows],
                              logit[rows], np.zeros((len(kept), 0)), float(document[n]),
                              example.extraction.envelope, found[n]))
    return result


def fit_message(x: Floats, decided: npt.NDArray[np.int64], fold: npt.NDArray[np.int64], recipe: Recipe,
                examples: Sequence[Example], found: Sequence[Sequence[Finding]],
                ) -> tuple[Floats, Floats, Floats, float, dict[str, float]]:
    """(coefficients, centre, spread, bias, lines) of the message model; lines from scores out of fold."""
    use = decided >= 0
    sample = np.array([e.sample for e in examples])
    weight = np.where((sample == "random") & (decided == 0), recipe.blind_weight, 1.0)
    weight[sample == "composed"] = recipe.composed_weight
    scores = np.zeros(len(x))
    for k in range(recipe.folds):
        rows = use & (fold != k)
        coefficients, centre, spread, bias = _regression(x[rows], decided[rows], weight[rows], recipe)
        scores[fold == k] = ((x[fold == k] - centre) / spread) @ coefficients + bias
    rule = np.array([max((f.score for f in fs if not f.exempt), default=0.0) for fs in found])
    good = (decided == 0) & (sample != "composed")
    if good.sum() < ENOUGH:
        good = decided == 0
    blind = good & (sample == "random")
    review = _line(scores[good], rule[good] >= RULE_HOLDS, recipe.hold_rate)
    if blind.sum() >= ENOUGH:
        review = max(review, _line(scores[blind], rule[blind] >= RULE_HOLDS, recipe.blind_rate))
    block = max(review + 0.1, _line(scores[good], rule[good] >= RULE_BLOCKS, recipe.block_rate))
    coefficients, centre, spread, bias = _regression(x[use], decided[use], weight[use], recipe)
    return coefficients, centre, spread, bias, {"review": review, "block": block}


def _line(scores: Floats, settled: npt.NDArray[np.bool_], most: float) -> float:
    """The lowest line that at most the share `most` is above, `settled` ones counted as above."""
    left = max(0, int(most * len(scores)) - int(settled.sum()))
    order = np.sort(scores[~settled])[::-1]
    return float(order[min(left, len(order) - 1)])


def _regression(x: Floats, y: npt.NDArray[np.int64], weight: Floats,
                recipe: Recipe) -> tuple[Floats, Floats, Floats, float]:
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-9] = 1.0
    model = LogisticRegression(C=recipe.c_message, max_iter=5000)
    model.fit((x - centre) / spread, y, sample_weight=weight)
    return model.coef_[0].copy(), centre, spread, float(model.intercept_[0])
