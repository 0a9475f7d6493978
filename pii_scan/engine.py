"""The scanner: an extraction in, findings and a decision out.

Presidio is the frame (AnalyzerEngine, registry, RecognizerResult) with an empty registry plus the
recognizers the policy pack names. Its NLP step is ours and only indexes the text; the language model is
loaded the first time a name decides. Tables, business contact and the semantic stage are separate steps.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from pii_scan import policy
from pii_scan.business import KnownContacts, exempt
from pii_scan.fiction import exempt_fiction
from pii_scan.findings import Category, Decision, Finding, Report
from pii_scan.forms import load_forms, match_form
from pii_scan.lists import BadList, load_list, match
from pii_scan.policy import Pack, load_pack
from pii_scan.settings import ScanSettings
from pii_scan.tables import ColumnFinding, TableReport, pasted_tables, read_table
from pii_scan.text import Block, Extraction, Label, Table, Unread

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, RecognizerResult

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Matrices of one sentence are too small to share between threads: with two, a name costs five times as much.

UNCONFIRMED = 0.6
"""Score of wording that rests on a name the language model does not know as one. The model knows names
from some parts of the world far better than from others, so its silence is doubt, not a pass."""

CHUNK = 400_000
"""Characters handed to Presidio at once; longer blocks go alone."""

_WALL = "\n\x1e\n"
_NAME_AT = re.compile(r"person:name@(\d+)-(\d+)")


class Semantic(Protocol):
    """What the semantic stage offers (`pii_scan.semantic.SemanticStage`)."""

    def score(self, extraction: Extraction, rule_findings: Sequence[Finding]) -> Any:
        """Return an object with `probability` (0 to 1) and `findings`."""


@dataclass(slots=True)
class _Chunk:
    """Blocks joined for one pass, with the place of each in the joined text."""

    texts: list[str]
    starts: list[int]
    owners: list[tuple[int, int]]
    size: int = 0


class Scanner:
    """Finds personal information and decides what it means for an item. Build once, use for every item.

    Raises `BadPack` when the policy pack cannot be used and `ModelMissing` when the language model is not
    installed or not the pinned one; then nothing may be linked.
    """

    def __init__(self, settings: ScanSettings | None = None, pack: Pack | None = None, *,
                 semantic: Semantic | None = None, list_key: bytes = b"") -> None:
        """`list_key` opens the exact-match lists of the settings; it is kept in memory only."""
        self.settings = settings or ScanSettings()
        base = pack or load_pack(self.settings.pack)
        self.pack = base.with_thresholds(block=self.settings.block_at, review=self.settings.review_at)
        self._names = _name_finder() if self.settings.names else None
        self._analyzer, self._categories = _analyzer(self.pack, self.settings)
        self._forms = load_forms(self.settings.forms) if self.settings.forms else ()
        self._lists = tuple(map(load_list, self.settings.lists))
        if self._lists and not list_key:
            raise BadList("its key was not given")
        self._list_key = list_key
        self._semantic = semantic if semantic is not None else _semantic_stage(self.settings)

    def scan(self, extraction: Extraction) -> Report:
        """Return everything found. The findings hold places, offsets and codes, never text."""
        return self.scan_with(extraction, lambda found: found)

    def scan_with(self, extraction: Extraction,
                  weigh: Callable[[tuple[Finding, ...]], tuple[Finding, ...]]) -> Report:
        """As `scan`; `weigh` may exempt findings before the semantic stage counts them. It drops none."""
        findings = list(_in_cells((*self._rules(extraction), *self._listed(extraction)), extraction))
        persons = minors = 0
        for found, table in _tables(extraction):
            findings.extend(found)
            persons += table.persons
            minors += table.minors
        findings.extend(self._filled_forms(extraction))
        findings = _best(findings)
        known = KnownContacts.of(extraction.envelope, self.settings.own_domains, self.settings.contacts)
        kept = weigh(exempt_fiction(exempt(findings, extraction, known), extraction))
        doubt = 0.0
        if self._semantic is not None:
            judged = self._semantic.score(extraction, kept)
            doubt = float(judged.probability)
            kept += tuple(judged.findings)
        return Report(kept, doubt=doubt, persons=persons, minors=minors)

    def scan_many(self, extractions: Iterable[Extraction]) -> Iterator[Report]:
        """Scan one after the other; for rescans. Order is kept."""
        return map(self.scan, extractions)

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        """Return what the policy pack makes of the findings and of what was not read."""
        something = any(part.kind != "empty" for part in extraction.parts)
        unread = extraction.unread if something else (Unread("item", "no_text"),)
        return policy.decide(report, unread, self.pack)

    def _rules(self, extraction: Extraction) -> Iterator[Finding]:
        for chunk in _chunks(extraction):
            text = _WALL.join(chunk.texts)
            results = self._analyzer.analyze(text, language="en")
            for result, score, why in self._named(results, text):
                i = bisect_right(chunk.starts, result.start) - 1
                part, block = chunk.owners[i]
                rule, begin = result.entity_type, chunk.starts[i]
                yield Finding(self._categories[rule], rule, _place(extraction, part, block), part, block,
                              result.start - begin, result.end - begin, round(score, 4), 1, why)

    def _filled_forms(self, extraction: Extraction) -> Iterator[Finding]:
        for p, part in enumerate(extraction.parts) if self._forms else ():
            if part.blocks and (m := match_form(part, self._forms)):
                yield Finding(m.form.category, "filled_form", part.place, p, 0, 0, 0, 0.9, m.filled,
                              (f"form:{m.form.name}", f"fields:{m.filled}"))

    def _listed(self, extraction: Extraction) -> Iterator[Finding]:
        for p, part in enumerate(extraction.parts) if self._lists else ():
            for b, block in enumerate(part.blocks):
                text = block.text if isinstance(block, Block) else "\n".join(block.lines())
                for hit in match(text, self._lists, self._list_key):
                    yield Finding(hit.list.category, "exact_list", _place(extraction, p, b), p, b, hit.start, hit.end,
                                  hit.list.score, 1, (f"list:{hit.list.name}",))

    def _named(self, results: Sequence[RecognizerResult],
               text: str) -> Iterator[tuple[RecognizerResult, float, tuple[str, ...]]]:
        """Ask the language model about results that rest on a capitalised name alone."""
        open_questions: list[tuple[RecognizerResult, int, int]] = []
        for result in results:
            why: tuple[str, ...] = tuple(result.recognition_metadata["why"])
            place = next((m for code in why if (m := _NAME_AT.fullmatch(code))), None)
            if place is None:
                yield result, result.score, why
            else:
                open_questions.append((result, int(place[1]), int(place[2])))
        if not open_questions:
            return
        if any(r.score >= self.pack.thresholds.finding_block and not _asks(r) for r in results):
            for result, _, _ in open_questions:  # the item is held anyway: the name decides nothing
                yield result, min(result.score, 0.7), _told(result, "name-not-asked")
            return
        spans = [(max(0, a - 80), min(len(text), b + 80)) for _, a, b in open_questions]
        people = self._names.persons([text[a:b].replace("\n", " ") for a, b in spans]) if self._names else None
        for n, (result, a, b) in enumerate(open_questions):
            sure = people is not None and any(s < b - spans[n][0] and e > a - spans[n][0] for s, e in people[n])
            if sure:
                yield result, result.score, _told(result, "name-model")
            else:
                yield result, min(result.score, UNCONFIRMED), _told(result, "name-unconfirmed")


def _asks(result: RecognizerResult) -> bool:
    return any(c.startswith("person:name@") for c in result.recognition_metadata["why"])


def _told(result: RecognizerResult, answer: str) -> tuple[str, ...]:
    """The codes of a result resting on a name, without offsets, and what came of asking."""
    codes = result.recognition_metadata["why"]
    return (*("person:name" if c.startswith("person:name@") else c for c in codes), answer)


def _chunks(extraction: Extraction) -> Iterator[_Chunk]:
    """Blocks and tables of the item as texts of about CHUNK characters."""
    chunk = _Chunk([], [], [])
    for p, part in enumerate(extraction.parts):
        for b, block in enumerate(part.blocks):
            text = block.text if isinstance(block, Block) else "\n".join(block.lines())
            if chunk.texts and chunk.size + len(text) > CHUNK:
                yield chunk
                chunk = _Chunk([], [], [])
            chunk.starts.append(chunk.size)
            chunk.texts.append(text)
            chunk.owners.append((p, b))
            chunk.size += len(text) + len(_WALL)
    if chunk.texts:
        yield chunk


def _in_cells(findings: Iterable[Finding], extraction: Extraction) -> Iterator[Finding]:
    """Findings inside tables with row and column for offsets, one per rule and column with its count."""
    starts: dict[tuple[int, int], list[int]] = {}
    columns: dict[tuple[int, int, str, int], Finding] = {}
    for f in findings:
        table = extraction.parts[f.part].blocks[f.block]
        if not isinstance(table, Table):
            yield f
            continue
        lines = starts.get((f.part, f.block))
        if lines is None:
            lengths = (sum(map(len, row)) + max(len(row), 1) for row in table.rows)
            lines = starts[f.part, f.block] = list(accumulate(lengths, initial=0))
        row = max(0, min(bisect_right(lines, f.start) - 1, len(table.rows) - 1))
        ends = accumulate(len(cell) + 1 for cell in table.rows[row])
        column = next((c for c, end in enumerate(ends) if f.start - lines[row] < end), 0)
        key = (f.part, f.block, f.rule, column)
        seen = columns.get(key)
        columns[key] = replace(f, start=row, end=column) if seen is None else replace(
            seen if seen.score >= f.score else replace(f, start=seen.start, end=column), count=seen.count + 1)
    yield from columns.values()


def _place(extraction: Extraction, part: int, block: int) -> str:
    where = extraction.parts[part].blocks[block].where
    return f"{extraction.parts[part].place}, {where}" if where else extraction.parts[part].place


def _tables(extraction: Extraction) -> Iterator[tuple[list[Finding], TableReport]]:
    """Column findings of every table, and of runs of table-like lines in plain text."""
    for p, part in enumerate(extraction.parts):
        for b, block in enumerate(part.blocks):
            if isinstance(block, Table):
                report = read_table(block.rows)
                yield [_roster(extraction, p, b, c, c.row, c.column, c.why) for c in report.columns], report
            elif block.label in (Label.TEXT, Label.NOTE, Label.HIDDEN):
                for pasted in pasted_tables(block.text):
                    report = read_table(pasted.rows, pasted=True)
                    yield [_roster(extraction, p, b, c, pasted.start, pasted.end, (*c.why, "pasted"))
                           for c in report.columns], report


def _roster(extraction: Extraction, part: int, block: int, column: ColumnFinding, start: int, end: int,
            why: tuple[str, ...]) -> Finding:
    return Finding(column.kind.category or Category.HOME_CONTACT, f"roster_{column.kind.name}",
                   _place(extraction, part, block), part, block, start, end, column.score, column.count, why)


MOST_SHOWN = 100
"""Findings of one rule in one block kept one by one; further ones are counted with the last."""


def _best(findings: Iterable[Finding]) -> list[Finding]:
    """Drop a finding that a stronger one of the same category overlaps in the same block of text, and fold
    endless repetitions of one rule into a count."""
    kept: list[Finding] = []
    last: dict[tuple[int, int, str], int] = {}
    shown: dict[tuple[int, int, str], list[int]] = {}
    for f in sorted(findings, key=lambda f: (f.part, f.block, f.start, -f.score)):
        key = (f.part, f.block, f.category)
        before = kept[last[key]] if key in last else None
        if before and not f.rule.startswith("roster") and not before.rule.startswith("roster") and f.start < before.end:
            if f.score > before.score:
                kept[last[key]] = f
            continue
        places = shown.setdefault((f.part, f.block, f.rule), [])
        if len(places) >= MOST_SHOWN:
            old = kept[places[-1]]
            kept[places[-1]] = replace(old, count=old.count + f.count, score=max(old.score, f.score))
            continue
        last[key] = len(kept)
        places.append(len(kept))
        kept.append(f)
    return kept


def _analyzer(pack: Pack, settings: ScanSettings) -> tuple[AnalyzerEngine, dict[str, Category]]:
    """Presidio's engine with an empty registry plus the pack's recognizers, and the category of each."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    from pii_scan.recognizers import load
    from pii_scan.recognizers.base import OwnContext, Recognizer, WindowEngine

    recognizers: list[Recognizer] = [load(name, settings) for name in pack.recognizers]
    anchors = frozenset().union(*(r.words() for r in recognizers))
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=WindowEngine(anchors), supported_languages=["en"],
                            context_aware_enhancer=OwnContext(), log_decision_process=False)
    return engine, {r.kind: r.category for r in recognizers}


def _name_finder() -> Any:
    from pii_scan.recognizers.names import NameFinder, check_model

    return NameFinder(check_model())


def _semantic_stage(settings: ScanSettings) -> Semantic | None:
    """The semantic stage with the operator's weights or those that ship."""
    from pii_scan.semantic import SemanticStage

    make: Callable[..., Semantic] = SemanticStage
    return make(settings.semantic_model)
