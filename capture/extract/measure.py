"""Scores extraction over a folder with `files/` and `expected.json`.

`expected.json` is a list of objects: `file`, `outcome` ("read", "hold", "ocr", "any"), `must_contain`,
optionally `stretch`, `format`, `sha256`. Both sides are normalised in the same way before they are
compared: NFKC, without U+00AD, U+200B and U+FEFF, every run of white space one blank.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from capture.errors import BadInput
from capture.ports import Extractor
from pii_scan.text import Extraction

_INVISIBLE = re.compile("[\u00ad\u200b\ufeff]")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class FileScore:
    """How one file fared. `held` and `needs_ocr` say what came out; `missing` and `missing_stretch` are
    indexes into the lists of expected strings."""

    file: str
    format: str
    outcome: str
    held: bool
    codes: tuple[str, ...]
    wanted: int
    missing: tuple[int, ...]
    stretch: int
    missing_stretch: tuple[int, ...]
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Whether the status is what the outcome asks for (strings not considered)."""
        if self.outcome == "hold":
            return self.held
        return not (self.outcome == "read" and self.held)


@dataclass(frozen=True, slots=True)
class Tally:
    """`got` out of `of`."""

    got: int
    of: int

    def __str__(self) -> str:
        return f"{self.got}/{self.of}"


@dataclass(slots=True)
class ExtractionScore:
    """The score of a folder. `ocr` counts files whose text is in a picture: right means found with OCR,
    held as `needs_ocr` without."""

    with_ocr: bool
    files: list[FileScore] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def holds(self) -> Tally:
        """Files that must be held and are."""
        return self._count(lambda f: f.held, "hold")

    @property
    def readable(self) -> Tally:
        """Files that are readable and not held."""
        return self._count(lambda f: not f.held, "read")

    @property
    def strings(self) -> Tally:
        """Strings that must occur and do; those of `ocr` files are not counted here."""
        files = [f for f in self.files if f.outcome != "ocr"]
        return Tally(sum(f.wanted - len(f.missing) for f in files), sum(f.wanted for f in files))

    @property
    def stretch(self) -> Tally:
        """Strings that only some extractors find."""
        return Tally(sum(f.stretch - len(f.missing_stretch) for f in self.files), sum(f.stretch for f in self.files))

    @property
    def ocr(self) -> Tally:
        """Files of pictures treated rightly for whether OCR is there."""
        if self.with_ocr:
            return self._count(lambda f: not f.missing, "ocr")
        return self._count(lambda f: f.held and "needs_ocr" in f.codes, "ocr")

    def _count(self, right: Any, outcome: str) -> Tally:
        files = [f for f in self.files if f.outcome == outcome]
        return Tally(sum(map(right, files)), len(files))

    def lines(self) -> Iterator[str]:
        """The score in words, ready to print: figures first, then each file that is not as expected."""
        yield f"held that must be held    {self.holds}"
        yield f"readable and not held     {self.readable}"
        yield f"strings found             {self.strings}"
        yield f"stretch strings found     {self.stretch}"
        yield f"pictures {'with' if self.with_ocr else 'without'} OCR      {self.ocr}"
        yield f"files                     {len(self.files)} in {self.seconds:.1f} s"
        for score in self.files:
            wrong = [] if score.as_expected else [f"{'held' if score.held else 'not held'} ({', '.join(score.codes)})"]
            if score.missing and (score.outcome != "ocr" or self.with_ocr):
                wrong.append(f"{len(score.missing)} of {score.wanted} strings missing")
            if wrong:
                yield f"  {score.file}: {'; '.join(wrong)}"


def comparable(text: str) -> str:
    """Return `text` in the form in which expected and extracted text are compared."""
    return _BLANKS.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)))


def full_text(extraction: Extraction) -> str:
    """Everything read of an item, as one string in comparable form."""
    return comparable("\n".join(part.text() for part in extraction.parts))


def load_expected(folder: Path) -> list[dict[str, Any]]:
    """Return the entries of `expected.json`. Raises `BadInput` when the folder is not of this form."""
    try:
        entries = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput("expected.json") from error
    if not isinstance(entries, list) or not all(isinstance(e, dict) and {"file", "outcome"} <= e.keys()
                                                for e in entries):
        raise BadInput("expected.json")
    return entries


def score_file(entry: dict[str, Any], folder: Path, extractor: Extractor) -> FileScore:
    """Extract one file and compare. Raises `BadInput` when it is missing or not the file that was meant."""
    try:
        raw = (folder / "files" / entry["file"]).read_bytes()
    except OSError as error:
        raise BadInput("a file of expected.json is missing") from error
    if "sha256" in entry and hashlib.sha256(raw).hexdigest() != entry["sha256"]:
        raise BadInput("a file of expected.json has another checksum")
    start = time.perf_counter()
    extraction = extractor.extract(raw, name=entry["file"])
    seconds = time.perf_counter() - start
    text = full_text(extraction)
    must, stretch = entry.get("must_contain", []), entry.get("stretch", [])
    return FileScore(
        file=entry["file"], format=entry.get("format", ""), outcome=entry["outcome"],
        held=extraction.status != "read", codes=tuple(dict.fromkeys(unread.code for unread in extraction.unread)),
        wanted=len(must), missing=_missing(must, text), stretch=len(stretch), missing_stretch=_missing(stretch, text),
        seconds=seconds)


def _missing(strings: list[str], text: str) -> tuple[int, ...]:
    return tuple(index for index, string in enumerate(strings) if comparable(string).strip() not in text)


def measure(folder: Path, extractor: Extractor, *, with_ocr: bool) -> ExtractionScore:
    """Score every file of `folder`. `with_ocr`: whether the extractor reads pictures."""
    score = ExtractionScore(with_ocr)
    start = time.perf_counter()
    score.files = [score_file(entry, folder, extractor) for entry in load_expected(folder)]
    score.seconds = time.perf_counter() - start
    return score
