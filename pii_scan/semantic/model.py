"""The trained weights: a plain npz file, read without pickle, and the sums made of them."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pii_scan.errors import ScanError
from pii_scan.semantic import cues
from pii_scan.semantic.encode import Encoded, Encoder, Hashes, cue_hashes, letter_hashes, pair_hashes, word_hash
from pii_scan.semantic.trees import Floats, Forest

FORMAT = 3
LETTER_SHARE = 0.7
"""Weight of the letter groups against words in a sentence."""
CUE_SHARE = 0.35
"""Weight of one cue (pair) against a word."""


class BadWeights(ScanError):
    """The weights of the semantic stage cannot be used, so nothing can be scanned."""

    code = "bad-semantic-weights"
    hint = "Put back the file that was installed, or train one with `mailweir train`."


@dataclass(frozen=True, repr=False)
class Weights:
    """Everything learnt. Tables are indexed by the low bits of a hash.

    words     float16[2**n]       words, word pairs and cues of the sentence model
    letters   float16[2**m]       letter groups of the sentence model
    topics    float16[2**t, C]    words, pairs and cues by category, for naming a sentence
    document  float16[2**d]       words and pairs of the whole-message model
    common    uint8[2**20 / 8]    bit set of common lower-case words
    message   float64[2, F]       coefficients of the message features, one row for each of two views; the
                                  higher sum counts (features.py: WHOLE, STRONGEST)
    trees     float64[T, N, 5]    decision trees whose sum is added to the first view (trees.py)
    meta      dict                format, bias of each model, categories, names of features, thresholds,
                                  provenance
    """

    words: npt.NDArray[np.float16]
    letters: npt.NDArray[np.float16]
    topics: npt.NDArray[np.float16]
    document: npt.NDArray[np.float16]
    common: npt.NDArray[np.uint8]
    message: Floats
    trees: Floats
    meta: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the file; the same weights give the same bytes."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in ("words", "letters", "topics", "document", "common", "message", "trees"):
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, getattr(self, name), allow_pickle=False)
                archive.writestr(_entry(f"{name}.npy"), buffer.getvalue())
            archive.writestr(_entry("meta.json"), json.dumps(self.meta, indent=1, sort_keys=True))


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def load(path: Path) -> Weights:
    """Read a weights file. Raises `BadWeights` for a file that is damaged, foreign or of another format."""
    try:
        with zipfile.ZipFile(path) as archive:
            meta = json.loads(archive.read("meta.json"))
            arrays = {name.removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(archive.read(name)), allow_pickle=False)
                for name in archive.namelist() if name.endswith(".npy")}
        if meta["format"] != FORMAT:
            raise BadWeights(f"format {meta['format']}, this program reads {FORMAT}")
        weights = Weights(meta=meta, **arrays)
        sizes = {len(t) & (len(t) - 1) for t in (weights.words, weights.letters, weights.topics, weights.document)}
        names = len(meta["features"])
        if sizes != {0} or weights.message.shape != (2, names) or len(meta["bias"]["message"]) != 2:
            raise BadWeights("tables of the wrong size")
        Forest(weights.trees, names)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as exc:
        raise BadWeights(type(exc).__name__) from exc
    return weights


@dataclass(frozen=True, slots=True, repr=False)
class Scores:
    """Per sentence of an `Encoded`: `logit` of being personal; `document` is the logit of the whole message."""

    logit: Floats
    document: float


class LinearModel:
    """Sums of weights over the sentences of a mail. Holds a cache per token; not for two threads at once."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.encoder = Encoder(weights.common)
        self._words = weights.words.astype(np.float32)
        self._letters = weights.letters.astype(np.float32)
        self._topics = weights.topics.astype(np.float32)
        self._document = weights.document.astype(np.float32)
        self._cues: dict[int, tuple[float, npt.NDArray[np.float32]]] = {}
        self._generation = -1
        self._clear()

    def _clear(self) -> None:
        self._generation = self.encoder.generation
        self._token_word = np.zeros(0, np.float32)
        self._token_letter = np.zeros(0, np.float32)
        self._token_count = np.zeros(0, np.float32)
        self._token_topic = np.zeros((0, self._topics.shape[1]), np.float32)
        self._token_document = np.zeros(0, np.float32)

    def _extend(self) -> None:
        """Work out the share of every token that is new to the cache."""
        if self.encoder.generation != self._generation:
            self._clear()
        have = len(self._token_word)
        if have == len(self.encoder):
            return
        hashes = self.encoder.hashes[have:]
        groups = [letter_hashes(w) for w in self.encoder.lower[have:]]
        mask = len(self._letters) - 1
        letters = np.array([sum(self._letters[h & mask] for h in g) for g in groups], np.float32)
        self._token_word = np.append(self._token_word, take(self._words, hashes))
        self._token_letter = np.append(self._token_letter, letters)
        self._token_count = np.append(self._token_count, np.array([len(g) for g in groups], np.float32))
        self._token_topic = np.concatenate([self._token_topic, take(self._topics, hashes)])
        self._token_document = np.append(self._token_document, take(self._document, hashes))

    def score(self, encoded: Encoded) -> Scores:
        """Logits of being personal: of every sentence, and of the message they make."""
        bias = self.weights.meta["bias"]
        if not len(encoded.ids):
            return Scores(np.zeros(0), float(bias["document"]))
        self._extend()
        ids, starts = encoded.ids, encoded.starts
        pairs, inside = pair_hashes(encoded, self.encoder.hashes)
        word = np.add.reduceat(self._token_word[ids] + take(self._words, pairs) * inside, starts) * _scale(encoded)
        count = np.add.reduceat(self._token_count[ids], starts)
        letter = np.add.reduceat(self._token_letter[ids], starts) / np.sqrt(np.maximum(count, 1.0))
        cue = np.array([self._cue(m)[0] for m in encoded.masks.tolist()])
        logit = word + LETTER_SHARE * letter + cue + bias["sentence"]
        return Scores(logit.astype(np.float64), self._whole(ids, pairs[inside]))

    def topics(self, encoded: Encoded) -> Floats:
        """Logits of what each sentence is about: float64[sentences, categories]."""
        if not len(encoded.ids):
            return np.zeros((0, self._topics.shape[1]))
        self._extend()
        pairs, inside = pair_hashes(encoded, self.encoder.hashes)
        words = self._token_topic[encoded.ids] + take(self._topics, pairs) * inside[:, None]
        topic = np.add.reduceat(words, encoded.starts) * _scale(encoded)[:, None]
        topic = topic + np.array([self._cue(m)[1] for m in encoded.masks.tolist()])
        logits: Floats = (topic + np.array(self.weights.meta["bias"]["topics"])).astype(np.float64)
        return logits

    def _cue(self, mask: int) -> tuple[float, npt.NDArray[np.float32]]:
        known = self._cues.get(mask)
        if known is None:
            hashes = np.array(cue_hashes(mask), np.uint64)
            known = (float(take(self._words, hashes).sum()) * CUE_SHARE,
                     take(self._topics, hashes).sum(axis=0) * np.float32(CUE_SHARE))
            if len(self._cues) < 100_000:
                self._cues[mask] = known
        return known

    def _whole(self, ids: npt.NDArray[np.int64], pairs: Hashes) -> float:
        one, two = _distinct(ids), _distinct(pairs)
        total = float(self._token_document[one].sum() + take(self._document, two).sum())
        return total / math.sqrt(len(one) + len(two)) + float(self.weights.meta["bias"]["document"])


def _scale(encoded: Encoded) -> Floats:
    """One over the root of the number of words and pairs of each sentence: long ones are not louder than short ones."""
    scale: Floats = 1.0 / np.sqrt(2.0 * encoded.sizes - 1.0)
    return scale


def _distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each value once, in order; `np.unique` does more and takes its time for it."""
    if not len(values):
        return values
    ordered = np.sort(values)
    new = np.ones(len(ordered), np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def take(table: npt.NDArray[np.float32], hashes: Hashes) -> npt.NDArray[np.float32]:
    """Rows of a table of 2**n rows at the low bits of `hashes`."""
    found: npt.NDArray[np.float32] = table[(hashes & np.uint64(len(table) - 1)).astype(np.intp)]
    return found


__all__ = ["FORMAT", "BadWeights", "Encoded", "Floats", "LinearModel", "Scores", "Weights", "cues", "load", "word_hash"]
