"""Form fingerprints: an institution registers its blank form, a filled one is recognised.

A fingerprint is the set of hashes of the form's labels ("Date of birth", "Emergency contact"), so the
blank itself need not be kept. A text that holds most of the labels is that form; it is filled when
values that are no labels themselves stand beside enough of them. The blank form passes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pii_scan.errors import ScanError
from pii_scan.findings import Category
from pii_scan.folding import small_plain
from pii_scan.text import Block, Part, Table

SHARE = 0.6
"""Share of the form's labels a text must hold."""
FILLED = 3
"""Labels that must have a value (or a third of those found, if that is less)."""
LEAST_LABELS = 4

_CUT = re.compile(r"[:?]|_{2,}|\.{3,}|\t|[ ]{3,}|☐|□|\[ ?\]")
_EMPTY = re.compile(r"[\s_.\-–/☐□\[\]()]*")


class BadForm(ScanError):
    """A form cannot be registered or its fingerprint cannot be read."""

    code = "bad-form"
    hint = "Register the blank form itself, with its labels as text (not as a picture)."


@dataclass(frozen=True, slots=True)
class FormPrint:
    """The fingerprint of a blank form. `name` is shown to reviewers, so it is no content."""

    name: str
    category: Category
    labels: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FormMatch:
    """A form found in a part: labels found, and how many have a value."""

    form: FormPrint
    found: int
    filled: int


def _key(label: str) -> str:
    letters = "".join(c for c in small_plain(label) if c.isalpha())
    return hashlib.sha256(letters.encode()).hexdigest()[:16] if 3 <= len(letters) <= 80 else ""


def _fields(lines: Iterable[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """(label hash, what stands after it or "") of every field of a text given as lines of cells."""
    waiting = ""
    for cells in lines:
        pieces = [p for c in cells for p in map(str.strip, _CUT.split(c)) if not _EMPTY.fullmatch(p)]
        if waiting:
            yield waiting, pieces[0] if pieces else ""
            waiting = ""
        for i, piece in enumerate(pieces):
            if not (key := _key(piece)):
                continue
            if i + 1 < len(pieces):
                yield key, pieces[i + 1]
            else:
                waiting = key
    if waiting:
        yield waiting, ""


def _lines(part: Part) -> Iterator[Sequence[str]]:
    for block in part.blocks:
        if isinstance(block, Table):
            yield from block.rows
        else:
            yield from ([line] for line in block.text.splitlines() if line.strip())


def register_form(part: Part, *, name: str, category: Category) -> FormPrint:
    """Fingerprint a blank form. Raises `BadForm` when fewer than four labels are found."""
    labels = frozenset(key for key, _ in _fields(_lines(part)))
    if len(labels) < LEAST_LABELS:
        raise BadForm(f"{len(labels)} labels found")
    return FormPrint(name, category, labels)


def match_form(part: Part, forms: Iterable[FormPrint]) -> FormMatch | None:
    """The filled form a part is, or None; a blank form is None."""
    fields: dict[str, list[str]] = {}
    for key, value in _fields(_lines(part)):
        fields.setdefault(key, []).append(value)
    for form in forms:
        found = form.labels & fields.keys()
        if len(found) < SHARE * len(form.labels):
            continue
        filled = sum(any(v and _key(v) not in form.labels for v in fields[k]) for k in found)
        if filled >= min(FILLED, max(1, len(found) // 3)):
            return FormMatch(form, len(found), filled)
    return None


def save_forms(forms: Iterable[FormPrint], path: Path) -> None:
    """Write fingerprints as JSON; they hold hashes only."""
    path.write_text(json.dumps([{"name": f.name, "category": f.category, "labels": sorted(f.labels)} for f in forms]),
                    "utf-8")


def load_forms(path: Path) -> tuple[FormPrint, ...]:
    """Read fingerprints. Raises `BadForm`."""
    try:
        return tuple(FormPrint(str(f["name"]), Category(f["category"]), frozenset(map(str, f["labels"])))
                     for f in json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise BadForm(type(exc).__name__) from exc


def as_part(text: str) -> Part:
    """A part made of plain text, for registering a form from its text."""
    return Part("form", "text/plain", (Block(text),))
