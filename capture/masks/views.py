"""What the desk shows of a held item: plain values without content behind them.

Only `Plain.text` holds words of the item, and only words that say nothing about anybody. Everything else is
codes, counts, shapes and opaque refs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from pii_scan.findings import Category
from pii_scan.text import Label, Status


@dataclass(frozen=True, slots=True)
class Why:
    """Why something is hidden, for a person to read: one finding, or one reason of the masking itself.

    `category` is None for what is hidden only because it might name somebody. `rule` and `codes` are those of the
    finding, `sentence` says the same in plain words ("Passes the check digit of a Social Insurance Number.").
    `score` runs 0 to 1 (0 = no score), `count` is how many values the finding stands for. `exempt` is "" or the
    code why the finding does not count, and `exempt_sentence` the same in plain words.
    """

    category: Category | None
    rule: str
    sentence: str
    codes: tuple[str, ...] = ()
    score: float = 0.0
    count: int = 1
    exempt: str = ""
    exempt_sentence: str = ""

    @property
    def counts(self) -> bool:
        """Whether this is a finding that counts against the item."""
        return self.category is not None and not self.exempt


@dataclass(frozen=True, slots=True)
class Plain:
    """Words shown as they stand."""

    text: str


@dataclass(frozen=True, slots=True)
class Masked:
    """Something hidden.

    `ref` names it for `reveal` and `redact`: opaque, the same for the same place as long as the secret is the same.
    `kind` is a word for its type ("person", "SIN", "e-mail", "sentence", "file name"), `shape` what it looks like
    without telling it ("***-***-**4", "14 words", "" for a person), `token` the pseudonym of the person it is about
    ("PERSON_3", the same everywhere in the item) or "". `section` is the ref of the paragraph, table or name it
    stands in, to reveal that as a whole. `why` has the findings first. `exempt`: every finding behind it was
    exempted, as a code ("signature"); "" when none was or some count.
    """

    ref: str
    kind: str
    shape: str
    token: str
    section: str
    why: tuple[Why, ...] = ()
    exempt: str = ""

    @property
    def counts(self) -> bool:
        """Whether a finding that counts is behind it."""
        return any(w.counts for w in self.why)

    @property
    def label(self) -> str:
        """What stands in its place: "PERSON_3", "SIN ***-***-**4", "sentence (14 words)"."""
        if self.token:
            return self.token if self.kind in ("person", "name") else f"{self.kind} of {self.token}"
        return f"{self.kind} {self.shape}".strip()


Run: TypeAlias = Plain | Masked


@dataclass(frozen=True, slots=True)
class TextView:
    """A piece of running text. `ref` names the piece (to reveal or remove it whole), `where` its place in the part
    ("page 3"), `quoted` marks text of an earlier mail. A long block is given in several pieces; `more` means the
    next piece of the same block follows."""

    ref: str
    label: Label
    where: str
    quoted: bool
    runs: tuple[Run, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of a table: `number` as in the sheet or file (from 1), `ref` names the row, one tuple of runs a cell."""

    ref: str
    number: int
    cells: tuple[tuple[Run, ...], ...]


@dataclass(frozen=True, slots=True)
class TableView:
    """Rows of a table. `ref` names the whole table, `columns` has a ref for each column, left to right. `first_row`
    is the number of the table's own first row, `total` how many rows it has; a long table comes in pieces."""

    ref: str
    label: Label
    where: str
    quoted: bool
    first_row: int
    total: int
    columns: tuple[str, ...]
    rows: tuple[RowView, ...]
    more: bool = False


BlockView: TypeAlias = TextView | TableView


@dataclass(frozen=True, slots=True)
class PartView:
    """One part of the item: a body, the headers, an attachment. `ref` names the part (to remove it whole).

    `place` is free of content ("attachment 2 of 3 (xlsx)"), `name` its file name, masked, or None. `status` and
    `code` say whether it was read. `blocks` are those of this page; `pieces` is how many pieces the part has, so
    that a part with pieces and no blocks stands on another page. `found` counts values by category that count,
    `exempted` those that do not. `whys` are findings about the part as a whole (a filled form).
    """

    index: int
    ref: str
    place: str
    kind: str
    status: Status
    code: str
    size: int
    name: Masked | None
    blocks: tuple[BlockView, ...]
    pieces: int
    found: dict[Category, int] = field(default_factory=dict)
    exempted: dict[Category, int] = field(default_factory=dict)
    whys: tuple[Why, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseView:
    """One page of a held item, masked. `offset` is the first piece shown (from 0), `pieces` how many there are,
    `next` the offset of the next page or None. `persons` is how many people have a token; `doubt` the probability
    (0 to 1) of the sentence model. `whys` are all findings of the item in plain words, without places."""

    parts: tuple[PartView, ...]
    offset: int
    pieces: int
    next: int | None
    persons: int
    doubt: float
