"""Sentences as numbers: hashed words, word pairs, letter groups and cue pairs.

Nothing here holds a word of the training mail: features are hashes, and a capitalised word that is
not a common one counts as "a name", whichever name it is. A token is analysed once and cached, so a
sentence costs a few table look-ups per word; all sums over a mail are done by numpy at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pii_scan.semantic import cues

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

COMMON_BITS = 20
"""log2 of the bit set of common lower-case words."""
CACHE_LIMIT = 200_000
"""Tokens kept analysed; beyond it the cache starts anew."""
LETTERS = (3, 4, 5)

_NAME = "~name"
_P1, _P2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(29)


def mix(values: Hashes) -> Hashes:
    """Spread 64-bit values so that their low bits can serve as a table index."""
    values = (values ^ (values >> _SHIFT)) * _P1
    return values ^ (values >> np.uint64(32))


def word_hash(word: str, salt: int = 0) -> int:
    """A 64-bit hash of a word, the same on every machine."""
    data = word.encode()
    return zlib.crc32(data, salt) << 32 | zlib.crc32(data, salt ^ 0x5BD1E995)


def common_slot(word: str) -> int:
    """Slot of a lower-case word in the bit set of common words."""
    return zlib.crc32(word.encode(), 77) & ((1 << COMMON_BITS) - 1)


@dataclass(frozen=True, slots=True, repr=False)
class Encoded:
    """Sentences of one mail: `ids` of all tokens in a row, `starts` of each sentence in it, `masks` of cues.

    Sentences without a token are left out; `kept` holds the index of each sentence that is here.
    """

    ids: Ints
    starts: Ints
    masks: Ints
    kept: Ints

    @property
    def sizes(self) -> Ints:
        """Tokens per sentence."""
        return np.diff(self.starts, append=len(self.ids))


class Encoder:
    """Turns text into token ids and keeps what is known of each token.

    `common` is a packed bit set (uint8, 2**COMMON_BITS / 8 bytes) of words that also occur in lower case.
    """

    def __init__(self, common: npt.NDArray[np.uint8]) -> None:
        self._common = np.unpackbits(common)
        self._lexicon = cues.lexicon()
        self.generation = 0
        self._reset()

    def _reset(self) -> None:
        self._ids: dict[str, int] = {}
        self.lower: list[str] = []
        self._mask_list: list[int] = []
        self._phrase_list: list[bool] = []
        self._hash_list: list[int] = []
        self.masks = np.zeros(0, np.int64)
        self.phrase = np.zeros(0, np.bool_)
        self.hashes = np.zeros(0, np.uint64)
        self.generation += 1

    def __len__(self) -> int:
        return len(self.lower)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Token ids and cue masks of sentences, in order."""
        if len(self._ids) > CACHE_LIMIT:
            self._reset()
        flat: list[str] = []
        starts: list[int] = []
        kept: list[int] = []
        for i, found in enumerate(cues.tokens_of(texts)):
            if found:
                starts.append(len(flat))
                kept.append(i)
                flat += found
        look = self._ids.get
        ids = [look(t, -1) for t in flat]
        if -1 in ids:
            self._learn(sorted({t for t, n in zip(flat, ids, strict=True) if n < 0}))
            ids = [self._ids[t] for t in flat]
        array = np.array(ids, np.int64)
        begin = np.array(starts, np.int64)
        masks = np.bitwise_or.reduceat(self.masks[array], begin) if flat else np.zeros(0, np.int64)
        self._phrases(ids, array, begin, masks)
        return Encoded(array, begin, masks, np.array(kept, np.int64))

    def _learn(self, words: list[str]) -> None:
        for raw in words:
            lower = raw.lower()
            mask = self._lexicon.mask(lower)
            key = lower
            if raw[0].isupper() and not mask and len(raw) > 1 and not self._common[common_slot(lower)]:
                key, mask = _NAME, cues.NAME
            self._ids[raw] = len(self.lower)
            self.lower.append(key)
            self._mask_list.append(mask)
            self._phrase_list.append(key in self._lexicon.phrases)
            self._hash_list.append(word_hash(key))
        self.masks = np.array(self._mask_list, np.int64)
        self.phrase = np.array(self._phrase_list, np.bool_)
        self.hashes = np.array(self._hash_list, np.uint64)

    def _phrases(self, ids: list[int], array: Ints, starts: Ints, masks: Ints) -> None:
        """Add the bits of phrases to `masks`."""
        lower, phrases, size = self.lower, self._lexicon.phrases, len(ids)
        for at in np.flatnonzero(self.phrase[array]).tolist():
            following = lower[ids[at + 1]] if at + 1 < size else ""
            for rest, bit in phrases[lower[ids[at]]]:
                if rest[0] == following and _matches(rest, [lower[i] for i in ids[at + 1:at + 1 + len(rest)]]):
                    sentence = int(np.searchsorted(starts, at, side="right")) - 1
                    if sentence + 1 == len(starts) or at + 1 + len(rest) <= starts[sentence + 1]:
                        masks[sentence] |= bit


def _matches(rest: tuple[str, ...], words: list[str]) -> bool:
    return list(rest) == words


def pair_hashes(encoded: Encoded, hashes: Hashes) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Hash of each token with the next one, and which of them stay inside one sentence.

    The pair at the end of a sentence is not valid; arrays are as long as `ids`.
    """
    own = hashes[encoded.ids]
    following = np.append(own[1:], np.uint64(0))
    inside = np.ones(len(own), np.bool_)
    inside[encoded.starts[1:] - 1] = False
    if len(inside):
        inside[-1] = False
    return mix(own * _P2 + following), inside


def letter_hashes(word: str) -> list[int]:
    """Hashes of the letter groups of a word with its ends marked; none for numbers, marks and names."""
    if word == _NAME or not word[0].isalpha():
        return []
    data = f"<{word[:24]}>".encode("latin-1", "replace")
    crc = zlib.crc32
    return [crc(data[i:i + n], n) * 0x9E3779B1 for n in LETTERS for i in range(len(data) - n + 1)]


def cue_hashes(mask: int) -> list[int]:
    """Hashes of the cue bits of a sentence and of every pair of them."""
    names = [i for i in range(len(cues.NAMES)) if mask >> i & 1]
    found = [word_hash(f"~cue{i}") for i in names]
    found += [word_hash(f"~cue{i}+{j}") for n, i in enumerate(names) for j in names[n + 1:]]
    return found
