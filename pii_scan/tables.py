"""Tables and rosters: what a column holds, told by its header and a sample of its values.

One finding per column, with the number of values; distinct people and minors are counted. A column with a
telling header but values that do not fit is doubt; a column without values is a blank form and passes.
Tables of spreadsheets, documents and HTML come as `Table`; runs of lines in plain text that split evenly
at tabs, bars, wide gaps or commas are read as tables too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pii_scan.columns import ANY_HEADER, BLANK, KINDS, Kind, guess_name, is_minor_age, minor_birth
from pii_scan.folding import small_plain

Rows = Sequence[Sequence[str]]

HEADER_WITHIN = 15
SAMPLE = 200
FIT = 0.6


@dataclass(frozen=True, slots=True)
class ColumnFinding:
    """What one column of a table holds: its kind, column index, first row, values, score, codes."""

    kind: Kind
    column: int
    row: int
    count: int
    score: float
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableReport:
    """Findings of one table with the distinct people and the minors among them."""

    columns: tuple[ColumnFinding, ...] = ()
    persons: int = 0
    minors: int = 0


@dataclass(slots=True)
class _Column:
    kind: Kind
    index: int
    values: list[str]
    fit: float
    headed: bool


def read_table(rows: Rows, *, pasted: bool = False) -> TableReport:
    """Say which columns of a table hold personal information. Time grows with the number of cells.

    In `pasted` text columns are a guess, so values that do not fit their header say nothing.
    """
    head = _header(rows)
    if head is None:
        columns = _guessed(rows, 0)
        first = 0
    else:
        row, kinds = head
        if _ANIMALS.search(small_plain(" | ".join(rows[row]))):
            kinds = {j: kind for j, kind in kinds.items() if kind.name not in _OF_PEOPLE}
        first = row + 1
        columns = [_column(rows, first, index, kind) for index, kind in kinds.items()]
        if not any(c.kind.name == "name" for c in columns):
            names = _name_column(rows, first, taken=set(kinds))
            columns += [names] if names else []
    return _judge(rows, columns, first, pasted=pasted)


def _header(rows: Rows) -> tuple[int, dict[int, Kind]] | None:
    """The header row and the kinds its cells name; None when no row names any."""
    for i, row in enumerate(rows[:HEADER_WITHIN]):
        cells = [c.strip() for c in row]
        texts = [c for c in cells if c and not c.replace(".", "").replace(",", "").isdigit()]
        if len(texts) < 2 or len(texts) < len([c for c in cells if c]) or max(map(len, texts)) > 80:
            continue
        if any(_BODY_CELL.search(c) for c in cells) or (i and _stands_late(rows[:i], len(texts), cells)):
            continue
        kinds = {j: kind for j, c in enumerate(cells) if c and len(c) <= 60 and (kind := _kind_of(c))}
        if kinds and (len(kinds) >= 2 or len(kinds) * 2 >= len(texts) or any(k.category for k in kinds.values())):
            return i, kinds
    return None


_BODY_CELL = re.compile(r"[$€£%@]|\d{3,}|\d[-/:]\d|\.\s+[A-Z]")
"""What stands in the cells of a body, not in those of a header."""
_ANIMALS = re.compile(r"\b(?:dogs?|k-?9|breed|horses?|animals?|chip|vehicle|chien|race du chien|cheval)\b")
"""Header cells of tables of animals and things; birth dates and notes on their health pass."""
_OF_PEOPLE = frozenset({"date_of_birth", "age", "health", "guardian", "marital"})


def _stands_late(before: Rows, width: int, cells: Sequence[str]) -> bool:
    """Whether a row is no header because rows as full as it stand above it."""
    if any(len(c) > 40 for c in cells):
        return True
    full = max((sum(1 for c in row if c.strip()) for row in before), default=0)
    named = sum(1 for c in cells if c and _kind_of(c))
    return full >= width and named < 2


def _kind_of(header: str) -> Kind | None:
    words = " ".join(re.sub(r"[_/\\.:*()\[\]#-]+", " ", header.replace("#", " no ")).split())
    low = small_plain(words)
    if not ANY_HEADER.search(low):
        return None
    return next((k for k in KINDS if k.header.search(low)), None)


def _values(rows: Rows, first: int, index: int) -> list[str]:
    return [v for row in rows[first:]
            if index < len(row) and (v := row[index].strip()) and not BLANK.fullmatch(v.lower())]


def _column(rows: Rows, first: int, index: int, kind: Kind) -> _Column:
    values = _values(rows, first, index)
    sample = values[:: max(1, len(values) // SAMPLE)]
    fit = sum(map(kind.fits, sample)) / len(sample) if sample else 0.0
    return _Column(kind, index, values, fit, headed=True)


def _name_column(rows: Rows, first: int, taken: set[int]) -> _Column | None:
    kind = next(k for k in KINDS if k.name == "name")
    for index in range(min(6, max(map(len, rows[first:first + 20]), default=0))):
        if index in taken:
            continue
        values = _values(rows, first, index)
        sample = values[:: max(1, len(values) // SAMPLE)]
        if len(sample) >= 2 and sum(map(guess_name, sample)) >= 0.7 * len(sample):
            return _Column(kind, index, values, 1.0, headed=False)
    return None


def _guessed(rows: Rows, first: int) -> list[_Column]:
    """Columns of a table without a header: names, and beside them what values alone can tell."""
    names = _name_column(rows, first, taken=set())
    found = [names] if names else []
    width = min(40, max(map(len, rows[:20]), default=0))
    for index in range(width):
        if names and index == names.index:
            continue
        values = _values(rows, first, index)
        sample = values[:: max(1, len(values) // SAMPLE)]
        if len(sample) < 3:
            continue
        for kind in KINDS:
            if kind.alone and (names or kind.strong) and sum(map(kind.alone, sample)) >= 0.9 * len(sample):
                found.append(_Column(kind, index, values, 1.0, headed=False))
                break
    return found


def _judge(rows: Rows, columns: list[_Column], first: int, *, pasted: bool) -> TableReport:
    filled = [c for c in columns if c.values]
    people = next((c for c in filled if c.kind.name == "name" and c.fit >= 0.5), None)
    ids = next((c for c in filled if c.kind.strong and c.fit >= FIT), None)
    company = any(c.kind.name == "company" for c in filled)
    found = []
    for c in filled:
        kind = c.kind
        if not kind.category:
            continue
        code = f"header:{kind.name}" if c.headed else f"values:{kind.name}"
        if c.fit < FIT:
            score = 0.5 if not pasted and (kind.strong or (people and kind.alone_score)) and _some_value(c) else 0.0
            why: tuple[str, ...] = (code, "values-do-not-fit")
        elif people or kind.strong:
            score, why = kind.score, (code, "with-names") if people else (code,)
            if kind.weak_with_company and company:
                score, why = 0.0, (code, "business-directory")
        else:
            score, why = kind.alone_score, (code, "without-names")
        if ids and not people and not kind.strong and kind.with_id:
            score, why = kind.score, (code, "with-number")
        if score > 0:
            found.append(ColumnFinding(kind, c.index, first, len(c.values), score, why))
    if not found:
        return TableReport()
    names = [c.index for c in filled if c.kind.name == "name"] if people else []
    persons = _persons(rows, first, names or ([ids.index] if ids else []))
    return TableReport(tuple(found), persons, _minors(filled) if people else 0)


_DESCRIBED = re.compile(r"\b(?:text|digits?|yyyy|format|as on|required|optional|leave|example|max|one of|char\w*|"
                        r"varchar)\b")
"""What a description of a field says where a value would stand."""


def _some_value(c: _Column) -> bool:
    """Whether a column whose values do not fit holds values at all, not a description of what to write."""
    if c.kind.name in ("password", "home_address", "emergency_contact", "guardian", "private_mail"):
        return True
    sample = c.values[:SAMPLE]
    if any(sum(map(str.isdigit, v)) >= 4 for v in sample):
        return True
    return len(sample) > 2 and sum(1 for v in sample if _DESCRIBED.search(v.lower())) * 2 < len(sample)


def _persons(rows: Rows, first: int, columns: list[int]) -> int:
    """Distinct people: the cells of the name columns (or of the number) taken together, blanks left out."""
    seen = {" ".join(row[i].strip().lower() for i in columns if i < len(row)).strip() for row in rows[first:]}
    return len(seen - {""})


def _minors(columns: Sequence[_Column]) -> int:
    for name, test in (("date_of_birth", minor_birth), ("age", is_minor_age)):
        column = next((c for c in columns if c.kind.name == name), None)
        if column:
            return sum(map(test, column.values))
    return 0


_MARK = re.compile(r"\t|[ ]*\|[ ]*|[ ]{2,}")


@dataclass(frozen=True, slots=True)
class Pasted:
    """Rows found in plain text, with the character offsets of the lines they came from."""

    rows: tuple[tuple[str, ...], ...]
    start: int
    end: int


def pasted_tables(text: str, least: int = 3) -> Iterator[Pasted]:
    """Yield runs of at least `least` lines that split into the same two or more cells, give or take one.

    Tabs, bars and gaps of two and more blanks split a line; else commas or semicolons, when every line of
    the run has the same number. Quote marks at the line start are dropped.
    """
    run: list[tuple[str, ...]] = []
    width, mark, begin, at = 0, "", 0, 0
    for line in text.splitlines(keepends=True):
        cells, kind = _split(line)
        same = cells and kind == mark and (abs(len(cells) - width) <= 1 if kind == "gap" else len(cells) == width)
        if run and not same:
            if len(run) >= least:
                yield Pasted(tuple(run), begin, at)
            run = []
        if cells:
            if not run:
                width, mark, begin = len(cells), kind, at
            run.append(cells)
        at += len(line)
    if len(run) >= least:
        yield Pasted(tuple(run), begin, at)


def _split(line: str) -> tuple[tuple[str, ...], str]:
    bare = line.strip().lstrip("> ").strip("|") if line[:1] in "> |" else line.strip()
    if len(bare) < 5 or len(bare) > 2000:
        return (), ""
    gaps = "  " in bare or "\t" in bare or "|" in bare
    cells = _MARK.split(bare) if gaps else [bare]
    if len(cells) >= 2 and ("\t" in bare or "|" in bare or len(cells) >= 3 or len(bare) <= 80):
        return tuple(c.strip() for c in cells), "gap"
    for mark in (";", ","):
        if 1 <= bare.count(mark) <= 20:
            cells = bare.split(mark)
            if max(map(len, cells)) <= 40 and (len(cells) >= 3 or mark == ";" or any(c.isdigit() for c in bare)):
                return tuple(c.strip() for c in cells), mark
    return (), ""
