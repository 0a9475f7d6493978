"""What every recognizer shares: the indexed text, context words, and the Presidio base class.

Presidio hands each recognizer the text and "NLP artifacts". Ours are an `IndexedText`: the text folded to
lower case without accents (same length, so offsets agree) and the places of the few words recognizers
asked for. A recognizer is skipped when none of its anchor words occurs; otherwise it looks around those
places only. So the text is walked once, whatever the number of recognizers, and no pattern ever runs over
more than a short window.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

from pii_scan.findings import Category
from pii_scan.folding import plain, small
from pii_scan.settings import ScanSettings

WALL = "\x1e"
"""Stands between the blocks of an item in the joined text; no context reaches across it."""

REACH = 60
"""How far, in characters, a label may stand from its value."""

GAP = r"(?:[ \t]{1,4}|[ \t]{0,4}\r?\n[ \t>|*]{0,8}|[-_/.])"
"""Between two words of a phrase, or two groups of a number: blanks, one line break, or one mark."""

_RUN = re.compile(r"\d{3,}")
_WORD = re.compile(r"[a-z](?:\.[a-z])+|[a-z]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """What a recognizer found: offsets, score 0 to 1, and codes saying why."""

    start: int
    end: int
    score: float
    why: tuple[str, ...] = ()


_NO_TOKENS: Any = ()


class IndexedText(NlpArtifacts):
    """Text with its plain and its small twin, and the places of the anchor words. Never printed: it holds content."""

    def __init__(self, text: str, anchors: frozenset[str] | None = None) -> None:
        self.text = text
        self.plain = plain(text)
        self.low = small(self.plain)
        self._runs: list[tuple[int, int]] | None = None
        self.spelled: list[tuple[int, int, str]] | None = None
        self.at: dict[str, list[int]] = {}
        places = self.at
        for found in _WORD.finditer(self.low):
            word = found.group()
            if "." in word:
                word = word.replace(".", "")
            if anchors is None or word in anchors:
                places.setdefault(word, []).append(found.start())
        # the attributes Presidio expects; empty, because no recognizer of ours reads them
        super().__init__(entities=[], tokens=_NO_TOKENS, tokens_indices=[], lemmas=[], nlp_engine=None, language="en")

    def __repr__(self) -> str:
        return f"IndexedText({len(self.text)} characters)"

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Where runs of three and more digits are, found once however many recognizers ask."""
        if self._runs is None:
            self._runs = [m.span() for m in _RUN.finditer(self.low)]
        return self._runs

    def spots(self, words: Iterable[str]) -> list[int]:
        """Where any of `words` begins, in order, each place once."""
        return sorted({p for w in frozenset(words).intersection(self.at) for p in self.at[w]})

    def around(self, start: int, end: int, reach: int = REACH) -> tuple[int, int]:
        """The window `reach` characters either side of a span, cut at walls between blocks."""
        lo = max(0, start - reach)
        wall = self.low.rfind(WALL, lo, start)
        hi = min(len(self.low), end + reach)
        after = self.low.find(WALL, end, hi)
        return (wall + 1 if wall >= 0 else lo), (after if after >= 0 else hi)

    def sentence(self, start: int, end: int, reach: int = 240) -> tuple[int, int]:
        """The sentence (or line of a list) around a span, at most `reach` characters either side."""
        lo, hi = self.around(start, end, reach)
        left = lo
        for m in _STOP.finditer(self.low, lo, start):
            left = m.end()
        right = _STOP.search(self.low, end, hi)
        return left, (right.start() if right else hi)


_STOP = re.compile(r"[.!?](?=[\s\"')])\s*|\n[ \t>|]*\n|\n[ \t>|]*(?:[-*o•]|\d{1,2}[.)])[ \t]")


class WindowEngine(NlpEngine):
    """The NLP engine we give Presidio: it only indexes. Names are looked up elsewhere, and rarely."""

    def __init__(self, anchors: frozenset[str]) -> None:
        self.anchors = anchors

    def load(self) -> None:
        """Nothing to load."""

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> IndexedText:  # noqa: ARG002 - Presidio's signature
        return IndexedText(text, self.anchors)

    def process_batch(self, texts: Iterable[str], language: str, batch_size: int = 1,  # noqa: ARG002
                      n_process: int = 1, **kwargs: Any) -> Iterator[tuple[str, IndexedText]]:  # noqa: ARG002
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word: str, language: str) -> bool:  # noqa: ARG002
        return False

    def is_punct(self, word: str, language: str) -> bool:  # noqa: ARG002
        return False

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


class OwnContext(ContextAwareEnhancer):
    """Leaves scores alone: our recognizers judge context themselves, by whole words and phrases."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0, 0, 0)

    def enhance_using_context(self, text: str, raw_results: list[RecognizerResult],  # noqa: ARG002
                              nlp_artifacts: NlpArtifacts, recognizers: list[EntityRecognizer],  # noqa: ARG002
                              context: list[str] | None = None) -> list[RecognizerResult]:  # noqa: ARG002
        return raw_results


class Recognizer(EntityRecognizer):
    """Base of every recognizer of ours.

    `kind` is the stable rule name, `category` what it is evidence of, `citation` the key of the policy
    pack entry it rests on. `anchors` are the small, plain words it wants indexed;
    unless `needs_word` is false, it is skipped when none of them occurs.
    """

    kind: ClassVar[str]
    category: ClassVar[Category]
    citation: ClassVar[str]
    anchors: ClassVar[frozenset[str]] = frozenset()
    needs_word: ClassVar[bool] = True
    name: str

    def __init__(self) -> None:
        super().__init__(supported_entities=[self.kind], name=type(self).__name__, supported_language="en")

    @classmethod
    def from_settings(cls, settings: ScanSettings) -> Recognizer:  # noqa: ARG003 - a few need them
        """Make the recognizer for an installation."""
        return cls()

    def load(self) -> None:
        """Patterns are compiled with the module."""

    def words(self) -> frozenset[str]:
        """The anchor words this recognizer wants indexed."""
        return self.anchors

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        """Yield what is found in `doc`."""
        raise NotImplementedError

    def analyze(self, text: str, entities: Sequence[str],  # noqa: ARG002 - Presidio's signature
                nlp_artifacts: NlpArtifacts | None = None) -> list[RecognizerResult]:
        """Presidio's entry. Works alone too: without artifacts the text is indexed here."""
        words = self.words()
        doc = nlp_artifacts if isinstance(nlp_artifacts, IndexedText) else IndexedText(text, words)
        if self.needs_word and words and words.isdisjoint(doc.at):
            return []
        return [RecognizerResult(self.kind, h.start, h.end, h.score,
                                 recognition_metadata={"recognizer_name": self.name, "why": h.why,
                                                       RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id})
                for h in self.hits(doc)]


class Phrases:
    """Context words and phrases, matched whole, across blanks and one line break, never inside words."""

    def __init__(self, *phrases: str) -> None:
        self.first: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
        for phrase in phrases:
            words = phrase.split()
            name = "-".join(words)
            head = words[0]
            # an abbreviation may be written with stops: s.i.n.
            start = r"\.?".join(head) if len(head) <= 3 else re.escape(head)
            pattern = start + "".join(rf"{GAP}{re.escape(w)}" for w in words[1:]) + r"(?:'s|s)?(?![a-z])"
            key = _WORD.match(head)
            if key is None:
                raise ValueError("a phrase begins with a letter")
            self.first.setdefault(key.group(), []).append((name, re.compile(pattern)))
        for options in self.first.values():
            options.sort(key=lambda o: -len(o[0]))
        self.words = frozenset(self.first)

    def find(self, doc: IndexedText) -> Iterator[tuple[int, int, str]]:
        """Yield (start, end, phrase) of every place, the longest phrase at each, in order."""
        places = sorted({(p, w) for w in self.words.intersection(doc.at) for p in doc.at[w]})
        done = -1
        for place, word in places:
            if place < done:
                continue
            for name, pattern in self.first[word]:
                m = pattern.match(doc.low, place)
                if m:
                    done = m.end()
                    yield place, done, name
                    break
