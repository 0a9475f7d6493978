"""Make the weights: `train(folders, out, read)`; the command is `mailweir train --data DIR... --out FILE`.

The steps: sentence model (evidence of block messages and personal lines against sentences of pass
messages, clean lines and unlabelled business sentences), category tables, whole-message words; then the
message model on sentence scores that come from models which have not seen the message, and on mixed
messages (`mixing`). Fixed seeds,
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
from pii_scan.semantic.features import NOTHING, STRONGEST, WHOLE, Message, measure
from pii_scan.semantic.groups import folds, kept_together
from pii_scan.semantic.mixing import Mixed, mixed
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
    looks like, and of composed mail, which is not, in the message model, `mixed_weight` that of messages made by
    `mixing` in its view of the strongest sentences. The review line is the lowest at
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
    mixed_weight: float = 0.3
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
    fold = np.array(_folds(examples, material, recipe), np.int64)
    logit, document = np.zeros(len(material.owner)), np.zeros(len(examples))
    row_fold = np.where(material.owner >= 0, fold[material.owner], -1)
    lines_of_ours = material.stretch & (material.owner < 0)
    row_fold[lines_of_ours] = np.arange(int(lines_of_ours.sum())) % recipe.folds
    for k in range(recipe.folds):
        sentences = fit_sentences(material, (row_fold != k), recipe)
        own = row_fold == k
        logit[own] = sentences.logits(material.sentence[own])
        whole = fit_documents(material, decided, fold != k, recipe)
        document[fold == k] = whole.logits(material.document[fold == k])
    sentences = fit_sentences(material, np.ones(len(row_fold), np.bool_), recipe)
    whole = fit_documents(material, decided, np.ones(len(examples), np.bool_), recipe)
    topics, topic_bias = fit_topics(material, recipe)
    whole_messages = messages(examples, material, logit, document, found)
    made = mixed(material, logit, row_fold, _hosts(examples, fold, decided, whole_messages))
    names = sorted(measure(NOTHING))
    message, bias, lines = fit_message(names, _table(names, whole_messages), (made, _table(names, made.messages)),
                                       decided, fold, recipe, examples, found)
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
        message=message, meta=meta)
    return replace(weights, meta=meta | {"version": _version(weights)})


def _folds(examples: Sequence[Example], material: fit.Material, recipe: Recipe) -> list[int]:
    names = [e.id for e in examples]
    return folds(kept_together(material.units, names), names, recipe.folds)


def _hosts(examples: Sequence[Example], fold: npt.NDArray[np.int64], decided: npt.NDArray[np.int64],
           whole: Sequence[Message]) -> list[tuple[int, str, Message]]:
    """Harmless messages no rule holds: blindly drawn ones and composed ones."""
    return [(int(fold[n]), example.sample, message) for n, (example, message) in enumerate(
        zip(examples, whole, strict=True))
        if decided[n] == 0 and example.sample in ("random", "composed") and message.units
        and _strongest_rule(message.rules) < RULE_HOLDS]


def _strongest_rule(found: Sequence[Finding]) -> float:
    return max((f.score for f in found if not f.exempt), default=0.0)


def _table(names: Sequence[str], of: Sequence[Message]) -> Floats:
    rows = []
    for message in of:
        values = measure(message)
        rows.append([values[n] for n in names])
    return np.array(rows)


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


def fit_message(names: Sequence[str], x: Floats, made: tuple[Mixed, Floats], decided: npt.NDArray[np.int64],
                fold: npt.NDArray[np.int64], recipe: Recipe, examples: Sequence[Example],
                found: Sequence[Sequence[Finding]]) -> tuple[Floats, list[float], dict[str, float]]:
    """(coefficients, biases, lines) of the message model: two views, each on its own features.

    The view of the whole message learns from real messages, the view of the strongest sentences also from
    mixed ones. Each is shifted so that 0 is the review line it would have alone; then the higher one counts.
    All lines come from scores out of fold.
    """
    use = decided >= 0
    sample = np.array([e.sample for e in examples])
    weight = np.where((sample == "random") & (decided == 0), recipe.blind_weight, 1.0)
    weight[sample == "composed"] = recipe.composed_weight
    rule = np.array([_strongest_rule(fs) for fs in found])
    good = (decided == 0) & (sample != "composed")
    if good.sum() < ENOUGH:
        good = decided == 0
    blind = good & (sample == "random")
    mix, mix_x = made
    coefficients, biases, views = np.zeros((2, len(names))), [], []
    for view, (of, share) in enumerate(((WHOLE, 0.0), (STRONGEST, recipe.mixed_weight))):
        columns = np.array([n in of for n in names])

        def fitted(real: npt.NDArray[np.bool_], extra: npt.NDArray[np.bool_], columns: npt.NDArray[np.bool_] = columns,
                   share: float = share) -> tuple[Floats, float]:
            extra = extra & (share > 0)
            return _regression(np.concatenate([x[real], mix_x[extra]])[:, columns],
                               np.concatenate([decided[real], mix.personal[extra]]),
                               np.concatenate([weight[real], np.full(int(extra.sum()), share)]), recipe)

        scores = np.zeros(len(x))
        for k in range(recipe.folds):
            part, bias = fitted(use & (fold != k), mix.fold != k)
            scores[fold == k] = x[fold == k][:, columns] @ part + bias
        line = _review_line(scores, rule, good, blind, recipe)
        part, bias = fitted(use, np.ones(len(mix.fold), np.bool_))
        coefficients[view, columns] = part
        biases.append(bias - line)
        views.append(scores - line)
    scores = np.maximum(*views)
    review = _review_line(scores, rule, good, blind, recipe)
    block = max(review + 0.1, _line(scores[good], rule[good] >= RULE_BLOCKS, recipe.block_rate))
    return coefficients, biases, {"review": review, "block": block}


def _review_line(scores: Floats, rule: Floats, good: npt.NDArray[np.bool_], blind: npt.NDArray[np.bool_],
                 recipe: Recipe) -> float:
    line = _line(scores[good], rule[good] >= RULE_HOLDS, recipe.hold_rate)
    if blind.sum() >= ENOUGH:
        line = max(line, _line(scores[blind], rule[blind] >= RULE_HOLDS, recipe.blind_rate))
    return line


def _line(scores: Floats, settled: npt.NDArray[np.bool_], most: float) -> float:
    """The lowest line that at most the share `most` is above, `settled` ones counted as above."""
    left = max(0, int(most * len(scores)) - int(settled.sum()))
    order = np.sort(scores[~settled])[::-1]
    return float(order[min(left, len(order) - 1)])


def _regression(x: Floats, y: npt.NDArray[np.int64], weight: Floats, recipe: Recipe) -> tuple[Floats, float]:
    """(coefficients, bias) for the features as they are."""
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-9] = 1.0
    model = LogisticRegression(C=recipe.c_message, max_iter=5000)
    model.fit((x - centre) / spread, y, sample_weight=weight)
    coefficients = model.coef_[0] / spread
    return coefficients, float(model.intercept_[0] - coefficients @ centre)
