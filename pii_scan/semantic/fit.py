"""Fit the tables of the sentence and whole-message models (training only; imports scikit-learn)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression

from pii_scan.findings import Category
from pii_scan.semantic import cues
from pii_scan.semantic.corpora import Example, Line
from pii_scan.semantic.encode import COMMON_BITS, Encoded, Encoder, common_slot, cue_hashes, letter_hashes, pair_hashes
from pii_scan.semantic.model import CUE_SHARE, LETTER_SHARE, Floats
from pii_scan.semantic.segment import Unit, units

CATEGORIES = tuple(c.value for c in Category)
WORD_BITS, LETTER_BITS, TOPIC_BITS, DOCUMENT_BITS = 19, 17, 14, 18

OURS = 2.0
"""Weight of composed sentences and lines: the setting this is made for is outnumbered by other business mail."""

_FOLD = re.compile(r"[^\w@]+")


@dataclass(frozen=True, slots=True, repr=False)
class Material:
    """Encoded training text: sentences of messages, then lines.

    owner[i] is the index of the example of sentence i, or -1 for a line; target[i] is 1 personal,
    0 not, -1 unlabelled; weight[i] its share; topic[i] the category index or -1. stretch[i] is True for what
    somebody labelled word by word: evidence, what only looks personal, composed lines. `texts` are the sentences.
    """

    common: npt.NDArray[np.uint8]
    encoder: Encoder
    encoded: Encoded
    owner: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    weight: Floats
    topic: npt.NDArray[np.int64]
    stretch: npt.NDArray[np.bool_]
    texts: tuple[str, ...]
    sentence: sparse.csr_matrix
    topical: sparse.csr_matrix
    document: sparse.csr_matrix
    units: tuple[tuple[Unit, ...], ...]


def common_words(texts: Iterable[str]) -> npt.NDArray[np.uint8]:
    """The packed bit set of words seen in lower case in at least three sentences."""
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update({t for t in cues.tokens(text) if t[0].islower()})
    bits = np.zeros(1 << COMMON_BITS, np.uint8)
    for word, times in seen.items():
        if times >= 3:
            bits[common_slot(word)] = 1
    return np.packbits(bits)


def prepare(examples: Sequence[Example], lines: Sequence[Line]) -> Material:
    """Cut, label and encode everything there is to learn from."""
    texts: list[str] = []
    owner: list[int] = []
    target: list[int] = []
    weight: list[float] = []
    topic: list[int] = []
    stretch: list[bool] = []
    cut = tuple(tuple(units(e.extraction)) for e in examples)
    for n, (example, own) in enumerate(zip(examples, cut, strict=True)):
        spans = [s for s in (_fold(s) for s in example.spans) if s]
        single = CATEGORIES.index(example.categories[0]) if len(example.categories) == 1 else -1
        for unit in own:
            hit = any(_covers(span, _fold(unit.text)) for span in spans)
            label, share = _label(example.decision, hit=hit)
            share *= OURS if example.sample == "composed" else 1.0
            texts.append(unit.text)
            owner.append(n)
            target.append(label)
            weight.append(share)
            topic.append(single if label == 1 else -1)
            stretch.append(hit and label >= 0)
    for line in lines:
        texts.append(line.text)
        owner.append(-1)
        target.append(int(line.personal))
        weight.append(line.weight * (OURS if line.weight >= 1 else 1.0))
        topic.append(CATEGORIES.index(line.category) if line.category in CATEGORIES else -1)
        stretch.append(line.weight >= 1)
    common = common_words(texts)
    encoder = Encoder(common)
    encoded = encoder.encode(texts)
    k = encoded.kept
    own_index = np.array(owner, np.int64)[k]
    return Material(common, encoder, encoded, own_index, np.array(target, np.int64)[k], np.array(weight)[k],
                    np.array(topic, np.int64)[k], np.array(stretch, np.bool_)[k], tuple(texts[i] for i in k.tolist()),
                    _sentences(encoder, encoded), _topical(encoder, encoded),
                    _documents(encoder, encoded, own_index, len(examples)), cut)


def _label(decision: str, *, hit: bool) -> tuple[int, float]:
    if decision == "block":
        return (1, 1.0) if hit else (-1, 0.0)
    if decision == "pass":
        return (0, 2.0) if hit else (0, 1.0)
    return -1, 0.0


def _fold(text: str) -> str:
    return " ".join(_FOLD.sub(" ", text.casefold()).split())


def _covers(span: str, unit: str) -> bool:
    """True when a labelled span and a unit are the same stretch of text, or share most of the shorter one."""
    if not unit:
        return False
    if span in unit:
        return True
    if len(unit) >= 12 and unit in span:
        return True
    a, b = set(span.split()), set(unit.split())
    return min(len(a), len(b)) >= 4 and len(a & b) >= 0.6 * min(len(a), len(b))


def _columns(hashes: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.int64]:
    return (hashes & np.uint64((1 << bits) - 1)).astype(np.int64)


def _rows(encoded: Encoded) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(encoded.starts)), encoded.sizes)


def _cue_matrix(encoded: Encoded, bits: int, width: int) -> sparse.csr_matrix:
    lists = {m: cue_hashes(m) for m in set(encoded.masks.tolist())}
    rows, columns = [], []
    for i, m in enumerate(encoded.masks.tolist()):
        rows += [i] * len(lists[m])
        columns += lists[m]
    at = _columns(np.array(columns, np.uint64), bits)
    return sparse.csr_matrix((np.full(len(rows), CUE_SHARE, np.float32), (rows, at)),
                             shape=(len(encoded.starts), width))


def _word_matrix(encoder: Encoder, encoded: Encoded, bits: int, width: int) -> sparse.csr_matrix:
    rows = _rows(encoded)
    pairs, inside = pair_hashes(encoded, encoder.hashes)
    scale = (1.0 / np.sqrt(2.0 * encoded.sizes - 1.0)).astype(np.float32)
    at = np.concatenate([_columns(encoder.hashes[encoded.ids], bits), _columns(pairs[inside], bits)])
    both = np.concatenate([rows, rows[inside]])
    return sparse.csr_matrix((scale[both], (both, at)), shape=(len(encoded.starts), width))


def _sentences(encoder: Encoder, encoded: Encoded) -> sparse.csr_matrix:
    """One row a sentence: words, pairs and cues, then letter groups."""
    width, letters = 1 << WORD_BITS, 1 << LETTER_BITS
    words = _word_matrix(encoder, encoded, WORD_BITS, width) + _cue_matrix(encoded, WORD_BITS, width)
    groups = [letter_hashes(w) for w in encoder.lower]
    sizes = np.array([len(g) for g in groups], np.int64)
    table = sparse.csr_matrix(
        (np.ones(int(sizes.sum()), np.float32),
         (np.repeat(np.arange(len(groups)), sizes),
          _columns(np.array([h for g in groups for h in g], np.uint64), LETTER_BITS))),
        shape=(len(groups), letters))
    counts = sparse.csr_matrix((np.ones(len(encoded.ids), np.float32), (_rows(encoded), encoded.ids)),
                               shape=(len(encoded.starts), len(groups)))
    total = np.maximum(counts @ sizes.astype(np.float32), 1.0)
    spelt = sparse.diags_array((LETTER_SHARE / np.sqrt(total)).astype(np.float32)) @ (counts @ table)
    return sparse.csr_matrix(sparse.hstack([words, spelt], format="csr"))


def _topical(encoder: Encoder, encoded: Encoded) -> sparse.csr_matrix:
    width = 1 << TOPIC_BITS
    return _word_matrix(encoder, encoded, TOPIC_BITS, width) + _cue_matrix(encoded, TOPIC_BITS, width)


def _documents(encoder: Encoder, encoded: Encoded, owner: npt.NDArray[np.int64], count: int) -> sparse.csr_matrix:
    rows = owner[_rows(encoded)]
    pairs, inside = pair_hashes(encoded, encoder.hashes)
    found = np.concatenate([np.stack([rows, encoded.ids.astype(np.int64)]),
                            np.stack([rows[inside], pairs[inside].astype(np.int64)])], axis=1)
    n_ids = len(encoded.ids)
    one = np.unique(found[:, :n_ids][:, rows >= 0], axis=1)
    two = np.unique(found[:, n_ids:][:, rows[inside] >= 0], axis=1)
    row = np.concatenate([one[0], two[0]])
    at = np.concatenate([_columns(encoder.hashes[one[1]], DOCUMENT_BITS),
                         _columns(two[1].astype(np.uint64), DOCUMENT_BITS)])
    size = np.maximum(np.bincount(row, minlength=count), 1)
    return sparse.csr_matrix(((1.0 / np.sqrt(size[row])).astype(np.float32), (row, at)),
                             shape=(count, 1 << DOCUMENT_BITS))


@dataclass(frozen=True, slots=True, repr=False)
class Linear:
    """A fitted linear model: `table` one weight a column (or columns x classes), and the bias."""

    table: Floats
    bias: Floats

    def logits(self, x: sparse.csr_matrix) -> Floats:
        """Decision values of the rows of `x`."""
        found: Floats = np.asarray(x @ self.table + self.bias)
        return found


def rarity(x: sparse.csr_matrix) -> Floats:
    """A gentle inverse document frequency per column, 1 for the commonest, 0 for columns seen once."""
    seen = np.bincount(x.indices, minlength=x.shape[1])
    scale = np.log((1.0 + x.shape[0]) / (1.0 + seen)) + 1.0
    scale /= np.log(x.shape[0] / 10.0 + 1.0)
    scale[seen < 2] = 0.0
    found: Floats = scale
    return found


def fit_linear(x: sparse.csr_matrix, y: npt.NDArray[np.int64], weight: Floats, *, c: float,
               balance: float = 1.0) -> Linear:
    """Logistic regression; `balance` is the total weight of class 1 against class 0."""
    scale = rarity(x)
    use = np.flatnonzero(scale)
    scaled = sparse.csr_matrix(x[:, use] @ sparse.diags_array(scale[use].astype(np.float32)))
    share = weight.copy()
    share[y == 1] *= balance * share[y == 0].sum() / share[y == 1].sum()
    model = LogisticRegression(C=c, solver="liblinear", dual=True, tol=1e-3, max_iter=200, random_state=7)
    model.fit(scaled, y, sample_weight=share)
    table = np.zeros(x.shape[1])
    table[use] = model.coef_[0] * scale[use]
    return Linear(table, model.intercept_.copy())
