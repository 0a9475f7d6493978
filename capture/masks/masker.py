"""Puts the masks of an item together: who is named in it, what was found, and page by page what is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from capture.masks import pieces, prose
from capture.masks.asking import ask
from capture.masks.found import FORM, SENTENCE, WORD, Found, Grid, Span
from capture.masks.patterns import forms, without_links, year_of
from capture.masks.people import People
from capture.masks.reasons import because, explain
from capture.masks.refs import Refs, Spot, What
from capture.masks.shapes import shape
from capture.masks.views import (
    BlockView,
    CaseView,
    Masked,
    PartView,
    Plain,
    RowView,
    Run,
    TableView,
    TextView,
    Why,
)
from capture.masks.words import PLAIN_CAPITALS, folded, is_ordinary, may_be_name
from pii_scan.columns import KINDS, guess_name
from pii_scan.findings import Category, Report
from pii_scan.folding import small_plain
from pii_scan.text import Block, Extraction, Label, Part, Table

ASKED = 30_000
"""Up to so many characters the language model reads the whole item at once, so that a name it alone knows has one
pseudonym everywhere; of longer items it reads the page that is shown."""
_NAME_KINDS = tuple(k for k in KINDS if k.name in ("name", "guardian", "emergency_contact"))
_NAMED_SAMPLE = 200
_FIELD = re.compile(r"[ \t]*([A-Za-z][A-Za-z-]{0,30}):[ \t]?")
_BETWEEN = re.compile(r"[;<>\"()\[\]\n]+|[^\s,;<>\"()]*[@:][^\s,;<>\"()]*")
_WORDS = re.compile(r"[^\W\d_]+")
_LETTERS = frozenset((Label.TEXT, Label.NOTE, Label.HIDDEN))
_WHOLE = {Label.NAME: ("file name", "file-name"), Label.LINK: ("link", "link-form")}


class Masker:
    """One item with its report, ready to be shown. Never printed: it holds the item."""

    def __init__(self, extraction: Extraction, report: Report, secret: bytes) -> None:
        """Walk the item once and learn who is named in it."""
        self.extraction, self.report, self.refs = extraction, report, Refs(secret)
        self.found = Found(extraction, report)
        self._year = year_of(extraction.envelope.sent)
        self._mail: dict[str, tuple[str, ...]] = {}
        self._names: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}
        self.people = People()
        self._small = sum(len(b.text) for p in extraction.parts for b in p.blocks if isinstance(b, Block)) <= ASKED
        self._learn()

    def __repr__(self) -> str:
        return f"Masker({len(self.extraction.parts)} parts)"

    # who is named

    def _learn(self) -> None:
        for party in self.extraction.envelope.parties():
            words = [folded(w) for w in _WORDS.findall(party.name)]
            local = party.email.partition("@")[0]
            if not words:
                words = [folded(w) for w in re.split(r"[._-]+", local) if len(w) > 2]
            if party.email:
                self._mail[party.email] = tuple(words)
            self._party(words, local)
        for p, part in enumerate(self.extraction.parts):
            for b, block in enumerate(part.blocks):
                if isinstance(block, Table):
                    self._learn_table(p, b, block)
                elif block.label is Label.ADDRESSES:
                    for words, _, _ in _displayed(block.text):
                        self._party(words, "")
                elif block.label not in _WHOLE:
                    self._learn_text(block)
        self.people.settle()

    def _learn_text(self, block: Block) -> None:
        for n in range(pieces.count(block)):
            lo, hi = pieces.cut(block.text, n)
            text = block.text[lo:hi]
            if self._small or "@" in text:
                text = without_links(text)
            for word in prose.hidden(text, None, ask if self._small else None, letter=block.label in _LETTERS,
                                     signature=block.label is Label.SIGNATURE, quick=not self._small):
                self.people.add(word.names, certain=word.certain)

    def _party(self, words: Sequence[str], local: str) -> None:
        """A display name: a person's unless it is made of ordinary words only."""
        names = [w for w in words if len(w) > 1 and w not in PLAIN_CAPITALS]
        strange = [w for w in names if not is_ordinary(w) or may_be_name(w)]
        joined = local.replace(".", "").replace("_", "").replace("-", "")
        as_mailbox = len(names) == 2 and joined in (names[0] + names[1], names[0][:1] + names[1])
        if (strange and len(words) <= 4) or as_mailbox:
            self.people.add(names, certain=True)

    def _learn_table(self, p: int, b: int, table: Table) -> None:
        first, columns = _name_columns(table)
        if not columns:
            return
        self._names[p, b] = first, columns
        for row in table.rows[first:]:
            self.people.add(_row_names(row, columns), certain=True)

    # what is hidden

    def spans(self, text: str, *, label: Label | None = None) -> Iterator[Span]:
        """What is hidden in a text by its words and forms alone."""
        for form in forms(text, self._year):
            token = ""
            if form.kind == "e-mail":
                names = self._mail.get(text[form.start:form.end].casefold())
                token = self.people.token(names)[0] if names else ""
            yield Span(form.start, form.end, form.kind, (because(form.code),), FORM, token)
        for word in prose.hidden(without_links(text), self.people, ask, letter=label in _LETTERS,
                                 signature=label is Label.SIGNATURE):
            yield self._named(word.start, word.end, word.names, word.code)

    def _named(self, start: int, end: int, names: Sequence[str], code: str) -> Span:
        token, certain = self.people.token(names) if names else ("", False)
        kind = "person" if certain else "name" if names else "word"
        return Span(start, end, kind, (because(code),), WORD, token)

    def text_spans(self, p: int, b: int, lo: int, hi: int) -> list[Span]:
        """Everything hidden in the characters `lo` to `hi` of a text block, overlaps resolved; offsets from `lo`."""
        block = self.extraction.parts[p].blocks[b]
        if not isinstance(block, Block):
            raise TypeError("not a text block")
        text = block.text[lo:hi]
        found = self.found.of(p, b, lo, hi, text)
        if block.label in _WHOLE:
            kind, code = _WHOLE[block.label]
            lines = [(m.start(), m.end()) for m in re.finditer(r"[^\n]+", text)]
            return settled(chain(found, (Span(x, y, kind, (because(code),), SENTENCE) for x, y in lines)))
        if block.label is Label.ADDRESSES:
            return settled(chain(found, self._address_spans(text)))
        if block.label is Label.PROPERTY:
            return settled(chain(found, _property_spans(text)))
        return settled(chain(found, self.spans(text, label=block.label)))

    def _address_spans(self, text: str) -> Iterator[Span]:
        for form in forms(text, self._year):
            names = self._mail.get(text[form.start:form.end].casefold())
            yield Span(form.start, form.end, form.kind, (because("party"),), FORM,
                       self.people.token(names)[0] if names else "")
        for words, start, end in _displayed(text):
            yield self._named(start, end, words or ("",), "party")

    def counted(self) -> list[str]:
        """The refs of every mask with a finding behind it that counts, as a view of the whole item has them; of
        tables the columns and rows found. Looks only where something was found."""
        refs: dict[str, None] = {}
        for p, part in enumerate(self.extraction.parts):
            for b, block in enumerate(part.blocks):
                if isinstance(block, Table):
                    refs.update(dict.fromkeys(self._counted_grid(p, b, block)))
                    continue
                for n in range(pieces.count(block)):
                    lo, hi = pieces.cut(block.text, n)
                    if not any(w.counts for s in self.found.of(p, b, lo, hi, block.text[lo:hi]) for w in s.why):
                        continue
                    refs.update((self.refs.seal(Spot(What.SPAN, p, b, lo + s.start, lo + s.end)), None)
                                for s in self.text_spans(p, b, lo, hi) if any(w.counts for w in s.why))
        return list(refs)

    def _counted_grid(self, p: int, b: int, table: Table) -> Iterator[str]:
        grid = self.found.grids.get((p, b), Grid())
        width = max(map(len, table.rows), default=0)
        for c, (_, _, whys) in grid.columns.items():
            if any(w.counts for w in whys):
                yield self.refs.seal(Spot(What.CELLS, p, b, 0, len(table.rows), c, c + 1))
        for r, row_whys in grid.rows.items():
            if any(w.counts for w in row_whys):
                yield self.refs.seal(Spot(What.CELLS, p, b, r, r + 1, 0, width))

    # the page

    def view(self, offset: int, limit: int, only: int | None, heavy: int | None = None) -> CaseView:
        """A page, see `capture.masked.view`; `heavy` is the weight after which it ends."""
        parts, seen, shown, weight = [], 0, 0, 0
        for p, part in enumerate(self.extraction.parts):
            counted = sum(map(pieces.count, part.blocks))
            blocks: list[BlockView] = []
            if only is None or only == p:
                before = seen
                for b, block in enumerate(part.blocks):
                    many = pieces.count(block)
                    for n in range(max(0, offset - before), min(many, offset + limit - before)):
                        if heavy is not None and weight >= heavy:
                            break
                        blocks.append(self._piece(p, b, block, n, many))
                        shown += 1
                        weight += pieces.weight(block, n)
                    before += many
                seen += counted
            parts.append(self._part(p, part, tuple(blocks), counted))
        after = offset + shown
        return CaseView(tuple(parts), offset, seen, after if after < seen and shown else None, self.people.count,
                        self.report.doubt)

    def _part(self, p: int, part: Part, blocks: tuple[BlockView, ...], counted: int) -> PartView:
        found: dict[Category, int] = {}
        exempted: dict[Category, int] = {}
        for f in self.report.findings:
            if f.part == p:
                into = exempted if f.exempt else found
                into[f.category] = into.get(f.category, 0) + f.count
        ref = self.refs.seal(Spot(What.PART, p))
        file_name = _own_name(part)
        name = Masked(self.refs.seal(Spot(What.NAME, p)), "file name", shape("file name", file_name), "", ref,
                      (because("file-name"),)) if file_name else None
        return PartView(p, ref, part.place, part.kind, part.status, part.code, part.size, name, blocks, counted, found,
                        exempted, tuple(explain(f) for f in self.report.findings
                                        if f.part == p and f.rule == "filled_form"))

    def _piece(self, p: int, b: int, block: Block | Table, n: int, many: int) -> BlockView:
        if isinstance(block, Table):
            return self._rows(p, b, block, n, many)
        lo, hi = pieces.cut(block.text, n)
        ref = self.refs.seal(Spot(What.BLOCK, p, b) if many == 1 else Spot(What.SPAN, p, b, lo, hi))
        runs = _runs(block.text[lo:hi], self.text_spans(p, b, lo, hi), ref,
                     lambda s: self.refs.seal(Spot(What.SPAN, p, b, lo + s.start, lo + s.end)))
        return TextView(ref, block.label, block.where, block.quoted, runs, more=n + 1 < many)

    def _rows(self, p: int, b: int, table: Table, n: int, many: int) -> TableView:
        ref = self.refs.seal(Spot(What.BLOCK, p, b))
        width = max(map(len, table.rows), default=0)
        grid = self.found.grids.get((p, b), Grid())
        first, named = self._names.get((p, b), (0, ()))
        body = max(first, min((c[0] for c in grid.columns.values()), default=0))
        rows = []
        for r in range(n * pieces.ROWS, min(len(table.rows), (n + 1) * pieces.ROWS)):
            row = table.rows[r]
            token, certain = self.people.token(_row_names(row, named)) if named and r >= first else ("", False)
            cells: list[tuple[Run, ...]] = []
            for c, cell in enumerate(row):
                column = grid.columns.get(c)
                if not cell.strip():
                    cells.append((Plain(cell),) if cell else ())
                elif column and r >= column[0]:
                    cells.append((self._cell(p, b, r, c, ref, column[1], cell, (*column[2], because("table-column"))),))
                elif c in named and r >= first:
                    cells.append((self._cell(p, b, r, c, ref, "person" if certain else "name", cell,
                                             (because("table-name"),), token),))
                elif r in grid.rows and (r >= body or not _is_heading(cell)):
                    cells.append((self._cell(p, b, r, c, ref, "text", cell, (*grid.rows[r], because("table-row"))),))
                else:
                    cells.append(self._cell_runs(p, b, r, c, ref, cell, table))
            rows.append(RowView(self.refs.seal(Spot(What.CELLS, p, b, r, r + 1, 0, width)), table.first_row + r,
                                tuple(cells)))
        columns = tuple(self.refs.seal(Spot(What.CELLS, p, b, 0, len(table.rows), c, c + 1)) for c in range(width))
        return TableView(ref, table.label, table.where, table.quoted, table.first_row, len(table.rows), columns,
                         tuple(rows), more=n + 1 < many)

    def _cell(self, p: int, b: int, r: int, c: int, section: str, kind: str, cell: str, why: tuple[Why, ...],
              token: str = "") -> Masked:
        return Masked(self.refs.seal(Spot(What.CELLS, p, b, r, r + 1, c, c + 1)), kind, shape(kind, cell), token,
                      section, _distinct(why), _exempt(why))

    def _cell_runs(self, p: int, b: int, r: int, c: int, section: str, cell: str, table: Table) -> tuple[Run, ...]:
        if table.label in _WHOLE:
            kind, code = _WHOLE[table.label]
            return (self._cell(p, b, r, c, section, kind, cell, (because(code),)),)
        spans = settled(chain(self.found.again(cell), self.spans(cell)))
        if p in self.found.filled and c and cell.strip():
            spans = [Span(0, len(cell), "form field", (*self.found.filled[p], because("form-field")), SENTENCE)]
        return _runs(cell, spans, section,
                     lambda s: self.refs.seal(Spot(What.CELLS, p, b, r, r + 1, c, c + 1, s.start, s.end)))


# overlaps and runs


def settled(spans: Iterable[Span]) -> list[Span]:
    """Spans without overlaps: what touches is hidden together, named by the higher rank, with all reasons."""
    done: list[Span] = []
    for s in sorted((s for s in spans if s.start < s.end), key=lambda s: (s.start, -s.end)):
        if done and s.start < done[-1].end:
            old = done[-1]
            lead, other = (s, old) if s.rank > old.rank else (old, s)
            inside = s.end <= old.end
            token = lead.token or (other.token if lead.rank == other.rank else "")
            why = (*lead.why, *(w for w in other.why if w.category is not None))
            done[-1] = Span(old.start, old.end if inside else s.end, lead.kind, why, lead.rank, token)
        else:
            done.append(s)
    return done


def _runs(text: str, spans: Sequence[Span], section: str, seal: Callable[[Span], str]) -> tuple[Run, ...]:
    runs: list[Run] = []
    at = 0
    for s in spans:
        if s.start > at:
            runs.append(Plain(text[at:s.start]))
        runs.append(Masked(seal(s), s.kind, shape(s.kind, text[s.start:s.end]), s.token, section, _distinct(s.why),
                           _exempt(s.why)))
        at = s.end
    if at < len(text):
        runs.append(Plain(text[at:]))
    return tuple(runs)


def _distinct(why: Iterable[Why]) -> tuple[Why, ...]:
    return tuple(dict.fromkeys(sorted(why, key=lambda w: (w.category is None, bool(w.exempt), -w.score))))


def _exempt(why: Iterable[Why]) -> str:
    findings = [w for w in why if w.category is not None]
    return findings[0].exempt if findings and all(w.exempt for w in findings) else ""


# names in headers and tables


def _displayed(text: str) -> Iterator[tuple[list[str], int, int]]:
    """(folded words, start, end) of every name in address lines, without the e-mail addresses."""
    at = 0
    for line in text.splitlines(keepends=True):
        field = _FIELD.match(line)
        begin = at + (field.end() if field and is_ordinary(field[1].lower().replace("-", "")) else 0)
        stop = at + len(line.rstrip("\r\n"))
        edges = [begin]
        for m in _BETWEEN.finditer(text, begin, stop):
            edges += [m.start(), m.end()]
        edges.append(stop)
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            for lo, hi in _one_by_one(text, start, end, stop):
                yield [folded(w) for w in _WORDS.findall(text[lo:hi])], lo, hi
        at += len(line)


def _one_by_one(text: str, start: int, end: int, stop: int) -> Iterator[tuple[int, int]]:
    """The names of a stretch of address lines: commas separate them, but "Last, First <mailbox>" is one."""
    stretches = [(start + m.start(), start + m.end()) for m in re.finditer(r"[^\s,](?:[^,]*[^\s,])?", text[start:end])]
    if len(stretches) == 2 and text[end:min(end + 1, stop)] in ("<", '"'):
        yield stretches[0][0], stretches[1][1]
    else:
        yield from stretches


def _property_spans(text: str) -> Iterator[Span]:
    for m in re.finditer(r"[^\n]+", text):
        field = _FIELD.match(m.group())
        start = m.start() + (field.end() if field and all(map(is_ordinary, field[1].lower().split("-"))) else 0)
        if start < m.end():
            yield Span(start, m.end(), "property", (because("property"),), SENTENCE)


def _own_name(part: Part) -> str:
    """The file name of a part; "" for one that has none of its own (its last step is the place itself)."""
    last = part.path.rpartition(" > ")[2]
    ours = {"mail", "headers", "item", ""}
    step = part.place.rpartition(", ")[2]
    return "" if last in ours or last == step or step.startswith(f"{last} (") else last


def _name_columns(table: Table) -> tuple[int, tuple[int, ...]]:
    """(first row below the heading, indices of the columns that hold names)."""
    for i, row in enumerate(table.rows[:15]):
        headed = [c for c, cell in enumerate(row) if 0 < len(cell) <= 60 and _is_name_header(cell)]
        if headed and sum(1 for cell in row if cell.strip()) >= 2:
            return i + 1, tuple(headed)
    return 0, tuple(_guessed(table, 0))


def _is_heading(cell: str) -> bool:
    """Whether a cell above the body of a table is made of ordinary words only."""
    return len(cell) <= 60 and not any(map(str.isdecimal, cell)) and all(
        is_ordinary(w.lower()) or w.isupper() for w in _WORDS.findall(cell))


def _is_name_header(cell: str) -> bool:
    low = small_plain(" ".join(re.sub(r"[_/\\.:*()\[\]#-]+", " ", cell).split()))
    return any(k.header.search(low) for k in _NAME_KINDS)


def _guessed(table: Table, first: int) -> list[int]:
    sample = table.rows[first:first + _NAMED_SAMPLE]
    found = []
    for c in range(min(40, max(map(len, sample), default=0))):
        values = [row[c].strip() for row in sample if c < len(row) and row[c].strip()]
        if len(values) >= 2 and sum(map(guess_name, values)) >= 0.6 * len(values):
            found.append(c)
    return found


def _row_names(row: Sequence[str], columns: Sequence[int]) -> list[str]:
    return [folded(w) for c in columns if c < len(row) for w in _WORDS.findall(row[c])][:8]
