"""Make the weights: `train(folders, out, read)`; the command is `mailweir train --data DIR... --out FILE`.

The steps: sentence model (evidence of block messages and personal lines against sentences of pass
messages, clean lines and unlabelled business sentences), category tables, whole-message words; then the
message model on sentence scores that come from models which have not seen the message, and on mixed
messages (`mixing`). Fixed seeds,
fixed order: the same data gives the same bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from pii_scan.findings import Finding
from pii_scan.semantic import fit
from pii_scan.semantic.corpora import Corpus, Example, Read, read_folders
from pii_scan.semantic.features import NOTHING, STRONGEST, WHOLE, Message, measure
from pii_scan.semantic.groups import folds, kept_together
from pii_scan.semantic.mixing import Mixed, mixed
from pii_scan.semantic.model import FORMAT, Floats, Weights
from pii_scan.semantic.trees import COLUMNS, Forest
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
    `mixing` in its view of the strongest sentences. `tree_share` is the share of the trees beside the regression
    in the view of the whole message. The review line is the lowest at
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
    composed_weight: float = 1.0
    mixed_weight: float = 0.3
    trees: int = 200
    tree_rate: float = 0.05
    tree_share: float = 0.7
    leaves: int = 8
    least_in_leaf: int = 15
    strongest_later: float = 0.2
    hold_rate: float = 0.078
    blind_rate: float = 0.039
    block_rate: float = 0.012


@dataclass(frozen=True, slots=True, repr=False)
class MessageModel:
    """The fitted last step: `coefficients` and `bias` of the two views, `trees` of the first, `lines` by name."""

    coefficients: Floats
    bias: list[float]
    trees: Floats
    lines: dict[str, float]


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
    message = fit_message(names, _table(names, whole_messages), (made, _table(names, made.messages)),
                          decided, fold, recipe, examples, found)
    meta: dict[str, Any] = {
        "format": FORMAT, "features": names, "categories": list(fit.CATEGORIES), "lines": message.lines,
        "bias": {"sentence": float(sentences.bias[0]), "document": float(whole.bias[0]), "message": message.bias,
                 "topics": [float(b) for b in topic_bias]},
        "trained_on": {"messages": len(examples), "block": int((decided == 1).sum()),
                       "pass": int((decided == 0).sum()), "sentences": len(material.owner),
                       "personal_sentences": int((material.target == 1).sum())},
    }
    words = 1 << fit.WORD_BITS
    weights = Weights(
        words=sentences.table[:words].astype(np.float16), letters=sentences.table[words:].astype(np.float16),
        topics=topics.astype(np.float16), document=whole.table.astype(np.float16), common=material.common,
        message=message.coefficients, trees=message.trees, meta=meta)
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
    for table in (weights.words, weights.letters, weights.topics, weights.document, weights.message,
                  weights.trees):
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
                              logit[rows], float(document[n]), example.extraction.envelope, found[n]))
    return result


def fit_message(names: Sequence[str], x: Floats, made: tuple[Mixed, Floats], decided: npt.NDArray[np.int64],
                fold: npt.NDArray[np.int64], recipe: Recipe, examples: Sequence[Example],
                found: Sequence[Sequence[Finding]]) -> MessageModel:
    """The message model: two views, each on its own features.

    The view of the whole message learns from real messages, by a regression and by trees; the view of the
    strongest sentences is a regression that learns from mixed messages too. Each is shifted so that 0 is the
    review line it would have alone, the second one further by `recipe.strongest_later`; then the higher one
    counts. All lines come from scores out of fold.
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
    of_whole, of_strongest = (np.array([n in view for n in names]) for view in (WHOLE, STRONGEST))
    share = np.full(len(mix.fold), recipe.mixed_weight)
    trees = recipe.tree_share

    def whole(real: npt.NDArray[np.bool_]) -> tuple[Floats, float, Floats]:
        part, bias = _regression(x[real], of_whole, decided[real], weight[real], recipe)
        nodes, start = fit_trees(x[real], decided[real], weight[real], recipe)
        return (1 - trees) * part, (1 - trees) * bias + trees * start, nodes

    def strongest(real: npt.NDArray[np.bool_], extra: npt.NDArray[np.bool_]) -> tuple[Floats, float]:
        return _regression(np.concatenate([x[real], mix_x[extra]]), of_strongest,
                           np.concatenate([decided[real], mix.personal[extra]]),
                           np.concatenate([weight[real], share[extra]]), recipe)

    views = np.zeros((2, len(x)))
    for k in range(recipe.folds):
        own = fold == k
        part, bias, nodes = whole(use & ~own)
        forest = Forest(nodes, len(names))
        views[0, own] = x[own] @ part + bias + [forest.worth(row) for row in x[own]]
        part, bias = strongest(use & ~own, mix.fold != k)
        views[1, own] = x[own] @ part + bias
    lines = np.array([_review_line(view, rule, good, blind, recipe) for view in views])
    lines[1] += recipe.strongest_later
    one, one_bias, nodes = whole(use)
    two, two_bias = strongest(use, np.ones(len(mix.fold), np.bool_))
    scores = (views - lines[:, None]).max(axis=0)
    review = _review_line(scores, rule, good, blind, recipe)
    block = max(review + 0.1, _line(scores[good], rule[good] >= RULE_BLOCKS, recipe.block_rate))
    return MessageModel(np.stack([one, two]), [one_bias - float(lines[0]), two_bias - float(lines[1])], nodes,
                        {"review": review, "block": block})


def fit_trees(x: Floats, y: npt.NDArray[np.int64], weight: Floats, recipe: Recipe) -> tuple[Floats, float]:
    """(nodes as `Forest` reads them, worth times `recipe.tree_share`; the log-odds the trees start from)."""
    model = GradientBoostingClassifier(n_estimators=recipe.trees, learning_rate=recipe.tree_rate, max_depth=None,
                                       max_leaf_nodes=recipe.leaves, min_samples_leaf=recipe.least_in_leaf,
                                       subsample=0.5, max_features=0.2, random_state=7)
    seen = x.astype(np.float32)
    model.fit(seen, y, sample_weight=weight)
    nodes = np.zeros((recipe.trees, 2 * recipe.leaves - 1, COLUMNS))
    for table, (one,) in zip(nodes, model.estimators_, strict=True):
        tree = one.tree_
        size, at = tree.node_count, np.arange(tree.node_count)
        leaf = tree.children_left < 0
        table[:, 2] = table[:, 3] = np.arange(len(table))
        table[:size, 0] = np.where(leaf, 0, tree.feature)
        table[:size, 1] = np.where(leaf, 0.0, tree.threshold)
        table[:size, 2] = np.where(leaf, at, tree.children_left)
        table[:size, 3] = np.where(leaf, at, tree.children_right)
        table[:size, 4] = np.where(leaf, tree.value[:, 0, 0] * recipe.tree_rate * recipe.tree_share, 0.0)
    share = float(np.average(y, weights=weight))
    return nodes, math.log(share / (1 - share))


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


def _regression(x: Floats, of: npt.NDArray[np.bool_], y: npt.NDArray[np.int64], weight: Floats,
                recipe: Recipe) -> tuple[Floats, float]:
    """(coefficients, bias) for the features as they are; coefficients are 0 outside `of`."""
    x = x[:, of]
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-9] = 1.0
    model = LogisticRegression(C=recipe.c_message, max_iter=5000)
    model.fit((x - centre) / spread, y, sample_weight=weight)
    part = model.coef_[0] / spread
    coefficients = np.zeros(len(of))
    coefficients[of] = part
    return coefficients, float(model.intercept_[0] - part @ centre)
