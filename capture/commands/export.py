"""`mailweir export`: data for somebody else, recorded before it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capture.commands.common import Home, settings_of


def export(
    what: Annotated[str, typer.Argument(help="cases, audit, contacts, organisations, activities, opportunities, "
                                              "projects, events, issues or documents.")],
    out: Annotated[Path, typer.Option("--out", help="A new file; only you can read it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, as a short code.")],
    recipient: Annotated[str, typer.Option("--recipient", help="For whom, as a short code.")],
    actor: Annotated[str, typer.Option("--actor", help="Who does it: the address of a registered administrator.")],
    form: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    since: Annotated[str, typer.Option("--since", help="Only rows from this day on, UTC, e.g. 2026-03-31.")] = "",
    home: Home = None,
) -> None:
    """Export data. For administrators only.

    The disclosure is recorded before the file is written, and every row of it says who exported it, when, and under
    which id. At most accountability.export_rows rows. How to reach a person of another division is left out.
    """
    from capture.auditing import moment_of
    from capture.exporting import Wanted, to_file
    from capture.terminal import say

    made = to_file(settings_of(home), Wanted(what, form, reason, recipient, moment_of(since)), out,
                   actor=actor)
    say(f"{made.rows} rows in {out}; export {made.id}")
