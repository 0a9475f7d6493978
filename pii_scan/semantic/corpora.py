"""Labelled mail and lines to learn from and to measure on, read from folders.

A folder may hold any of:

    labels.jsonl + messages/<id>.eml   labelled messages (decision pass, block or unsure)
    messages_*.jsonl                   composed messages, one JSON object a line
    domain.jsonl                       composed lines (text, label "personal" or "clean", category)
    negatives.txt.gz                   unlabelled sentences of ordinary business mail, one a line
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from pii_scan.errors import ScanError
from pii_scan.text import Address, Block, Envelope, Extraction, Label, Part, Table

Read = Callable[[bytes], Extraction]
"""Turns the bytes of a mail into text; `capture.extract` provides it, this package may not import it."""


class BadCorpus(ScanError):
    """A folder of labelled mail cannot be used."""

    code = "bad-corpus"
    hint = "See docs/semantic.md for the files such a folder holds."


@dataclass(frozen=True, slots=True, repr=False)
class Example:
    """A labelled message. `sample` says how it was drawn ("random", "cue", "composed", ...), `spans` are
    its personal stretches (block) or the ones that only look personal (pass)."""

    id: str
    decision: str
    categories: tuple[str, ...]
    extraction: Extraction
    source: str = ""
    sample: str = ""
    spans: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Example({self.id}, {self.decision}, {self.sample})"


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """One labelled sentence. `weight` is its share in training against a sentence of a message."""

    text: str
    personal: bool
    category: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True, repr=False)
class Corpus:
    """Everything read from one or more folders, in a fixed order."""

    examples: tuple[Example, ...] = ()
    lines: tuple[Line, ...] = field(default=())

    def __add__(self, other: Corpus) -> Corpus:
        return Corpus(self.examples + other.examples, self.lines + other.lines)


def read_folders(folders: Iterable[Path], read: Read) -> Corpus:
    """All folders together, a line that occurs twice kept once.

    Raises `BadCorpus` for a folder without data or a damaged file.
    """
    corpus = Corpus()
    for folder in folders:
        one = read_folder(folder, read)
        if not (one.examples or one.lines):
            raise BadCorpus("no labels.jsonl, messages_*.jsonl, domain.jsonl or negatives.txt.gz in a folder")
        corpus = corpus + one
    return Corpus(corpus.examples, tuple({(line.text, line.personal): line for line in corpus.lines}.values()))


def read_folder(folder: Path, read: Read) -> Corpus:
    """One folder; empty when it holds nothing known."""
    examples: list[Example] = []
    lines: list[Line] = []
    labels = folder / "labels.jsonl"
    if labels.is_file():
        for row in _json_lines(labels):
            path = folder / "messages" / f"{row['id']}.eml"
            try:
                raw = path.read_bytes()
            except OSError as exc:
                raise BadCorpus(f"message of label {row['id']}: {type(exc).__name__}") from exc
            examples.append(labelled(row, read(raw)))
    for path in sorted(folder.glob("messages_*.jsonl")):
        examples += [labelled(row, composed(row)) for row in _json_lines(path)]
    domain = folder / "domain.jsonl"
    if domain.is_file():
        lines += [Line(row["text"], row["label"] == "personal", row.get("category", ""))
                  for row in _json_lines(domain)]
    negatives = folder / "negatives.txt.gz"
    if negatives.is_file():
        with gzip.open(negatives, "rt", encoding="utf-8") as file:
            lines += [Line(text.strip(), personal=False, weight=0.5) for text in file if text.strip()]
    return Corpus(tuple(examples), tuple(lines))


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as exc:
                    raise BadCorpus(f"line {number} is not JSON") from exc
                if not isinstance(row, dict):
                    raise BadCorpus(f"line {number} is not an object")
                yield row


def labelled(row: Mapping[str, Any], extraction: Extraction) -> Example:
    """A row of labels with its text. Raises `BadCorpus` when it has no id or an unknown decision."""
    if row.get("decision") not in ("pass", "block", "unsure") or "id" not in row:
        raise BadCorpus("a label without id, or whose decision is not pass, block or unsure")
    block = row["decision"] == "block"
    return Example(
        id=str(row["id"]), decision=row["decision"], categories=tuple(row.get("categories") or ()),
        extraction=extraction, source=row.get("source", "composed"), sample=row.get("sample", "composed"),
        spans=tuple((row.get("evidence") if block else row.get("looks_like")) or ()),
        places=tuple(row.get("evidence_in") or ()))


def composed(row: Mapping[str, Any]) -> Extraction:
    """The text of a composed message as the extractor would give it."""
    subject = row.get("subject", "")
    parts = [Part("subject", "subject", (Block(subject, Label.SUBJECT),)),
             Part("body", "text/plain", (Block(row.get("body", ""), Label.TEXT),))]
    attachments: Sequence[Any] = row.get("attachments") or ()
    for n, item in enumerate(attachments, 1):
        held = item if isinstance(item, Mapping) else {"name": str(item)}
        blocks: list[Block | Table] = [Block(_spoken(held.get("name", "")), Label.NAME)]
        if held.get("text"):
            blocks.append(Block(held["text"]))
        if held.get("rows"):
            blocks.append(Table(tuple(tuple(str(cell) for cell in cells) for cells in held["rows"])))
        parts.append(Part(f"attachment {n} of {len(attachments)} ({held.get('kind', '')})", held.get("kind", ""),
                          tuple(blocks)))
    to = row.get("to") or ()
    envelope = Envelope(subject=subject, sender=_address(row.get("from", "")),
                        recipients=tuple(_address(a) for a in ([to] if isinstance(to, str) else to)))
    return Extraction(tuple(parts), envelope)


def _spoken(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").replace(".", " ")


def _address(text: str) -> Address:
    name, email = parseaddr(text)
    return Address(name, email.casefold())
