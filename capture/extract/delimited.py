"""CSV and TSV as tables."""

from __future__ import annotations

import csv
import io
from typing import Final

from capture.extract.body import decoded_text
from capture.extract.collect import PartSink

_DELIMITERS: Final = ",;\t|"
_SEPARATOR_LINE: Final = 8
_FIELD_CHARS: Final = 1_000_000


def read_delimited(data: bytes, sink: PartSink) -> None:
    """Read delimited text as rows of cells; a file with one column still becomes rows."""
    text = decoded_text(data, sink)
    if text[:4].casefold() == "sep=":
        first, _, text = text.partition("\n")
        if len(first) > _SEPARATOR_LINE:
            sink.text(first)
    csv.field_size_limit(_FIELD_CHARS)
    try:
        sink.table(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text)))
    except csv.Error:  # a stray quote or NUL: as text nothing is lost
        sink.text(text)


def delimiter_of(text: str) -> str:
    """Return the delimiter that cuts the first lines most evenly."""
    lines = [line for line in text[:100_000].split("\n")[:50] if line.strip()]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        counts = [len(row) - 1 for row in csv.reader(lines, delimiter=delimiter)]
        used = [count for count in counts if count]
        if used:
            common = max(set(used), key=used.count)
            score = used.count(common) / max(len(counts), 1) * min(common, 8) ** 0.5
            if score > best_score:
                best, best_score = delimiter, score
    return best
