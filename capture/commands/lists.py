"""`mailweir lists` and `mailweir forms`: what an installation adds to the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capture.commands.common import AsJson, Home, settings_of

lists_app = typer.Typer(no_args_is_help=True, help="Numbers or names to hold, kept as keyed hashes only.")
forms_app = typer.Typer(no_args_is_help=True, help="Blank forms; a filled one is recognised.")

RuleName = Annotated[str, typer.Option("--name", help="Name shown to reviewers: no content.")]
CategoryName = Annotated[str, typer.Option("--category", help="What a hit counts as, e.g. education_record.")]


@lists_app.command("load")
def lists_load(
    file: Annotated[Path, typer.Argument(help="Text file, one value a line.")],
    list_name: RuleName, category: CategoryName,
    kind: Annotated[str, typer.Option("--kind", help="number or name.")] = "number",
    home: Home = None,
) -> None:
    """Load a list of numbers or names to be held wherever they stand. Only keyed hashes are kept."""
    from capture.registered import load_values
    from capture.terminal import say

    say(load_values(settings_of(home), file, name=list_name, category=category, kind=kind))


@lists_app.command("list")
def lists_list(home: Home = None, json_out: AsJson = False) -> None:
    """Show the lists of this home, and how long they are."""
    from capture.registered import lists
    from capture.terminal import as_json, table

    rows = lists(settings_of(home))
    if json_out:
        as_json(rows)
    else:
        table("", ["name", "kind", "category", "values"], [list(row.values()) for row in rows])


@lists_app.command("remove")
def lists_remove(list_name: Annotated[str, typer.Argument(help="Name of the list.")], home: Home = None) -> None:
    """Delete a list."""
    from capture.registered import remove_list
    from capture.terminal import say

    say(remove_list(settings_of(home), list_name))


@forms_app.command("register")
def forms_register(
    file: Annotated[Path, typer.Argument(help="The blank form: docx, pdf, xlsx, html, ...")],
    form_name: RuleName, category: CategoryName, home: Home = None,
) -> None:
    """Register a blank form, so that a filled one is recognised. The fingerprint is kept, the form is not."""
    from capture.registered import register
    from capture.terminal import say

    say(register(settings_of(home), file, name=form_name, category=category))


@forms_app.command("list")
def forms_list(home: Home = None, json_out: AsJson = False) -> None:
    """Show the registered forms."""
    from capture.registered import forms
    from capture.terminal import as_json, table

    rows = forms(settings_of(home))
    if json_out:
        as_json(rows)
    else:
        table("", ["name", "category", "labels"], [list(row.values()) for row in rows])
