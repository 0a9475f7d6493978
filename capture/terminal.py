"""What commands print: tables for a person, plain lines for a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

STATE_STYLE = {"pass": "green", "linked": "green", "block": "red", "held": "red", "review": "yellow",
               "ok": "green", "warn": "yellow", "fail": "red"}


PIPE_WIDTH = 118
"""Columns where there is no terminal to ask."""


WHOLE = frozenset({"case", "run", "state", "action"})
"""Columns whose words are copied into the next command, so they are never broken; the others give way."""


TIMES = frozenset({"sent", "opened", "due", "at"})


def is_person() -> bool:
    """True when somebody looks at standard output."""
    return sys.stdout.isatty()


def console() -> Console:
    """The console for standard output; a pipe gets no colours and a width of its own."""
    return Console(width=None if is_person() else PIPE_WIDTH, highlight=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A rich table on a terminal; tab-separated lines with a header in a pipe."""
    listed = [[("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not is_person():
        sys.stdout.write("\t".join(columns) + "\n")
        sys.stdout.writelines("\t".join(row) + "\n" for row in listed)
        return
    grid = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column in WHOLE)
    for row in listed:
        grid.add_row(*(f"[{STATE_STYLE[c]}]{c}[/]" if c in STATE_STYLE else escape(c) for c in row))
    console().print(grid)


def short(column: str, value: Any) -> Any:
    """A value as a person reads it in a table: the first eight of an id, a time to the minute. A pipe gets all."""
    if not is_person() or not isinstance(value, str):
        return value
    if column == "id":
        return value[:8]
    return value[:16].replace("T", " ") if column in TIMES else value


def as_json(data: Any) -> None:
    """One indented JSON document."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n")


def json_line(data: Any) -> None:
    """One JSON object on one line, flushed, so that a pipe sees it at once."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One plain sentence on standard output."""
    sys.stdout.write(text + "\n")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Any]:
    """A progress bar on standard error when a person looks, nothing otherwise. Yields `advance()`."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with Progress(TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                  console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
