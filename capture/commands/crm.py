"""`mailweir crm`: the embedded CRM at the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from capture.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The embedded CRM.")

Home = Annotated[Path | None, typer.Option("--home", help="Home folder. [default: MAILWEIR_HOME or ~/.mailweir]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Actor = Annotated[str, typer.Option("--actor", help="Who does it. [default: the signed-in user]")]


def _settings(home: Path | None) -> Settings:
    from capture.logs import restyle
    from capture.settings import home_from, load_settings

    settings = load_settings(home_from(home))
    restyle(settings.log.style)
    return settings


@app.command("import")
def crm_import(
    file: Annotated[Path, typer.Argument(help="CSV file of organisations and contacts (docs/operators/crm.md).")],
    home: Home = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; write nothing.")] = False,
    division: Annotated[str, typer.Option("--division", help="Whose the contacts are; others do not see how to reach "
                                                             "them.")] = "",
    json_out: AsJson = False, actor: Actor = "",
) -> None:
    """Import organisations and contacts. Nothing is written when a line is wrong."""
    from capture.desk import import_crm
    from capture.terminal import as_json, say

    counts = import_crm(_settings(home), file, dry_run=dry_run, division=division, actor=actor)
    if json_out:
        as_json(counts)
    else:
        say("  ".join(f"{name} {count}" for name, count in counts.items()))


@app.command("list")
def crm_list(
    kind: Annotated[str, typer.Argument(help="activities, unmatched, organisations, contacts, opportunities, projects, "
                                             "events, issues or documents.")] = "activities",
    home: Home = None, json_out: AsJson = False, actor: Actor = "",
) -> None:
    """List records of the embedded CRM.

    How to reach people of another division is left out; so are its opportunities, projects and documents.
    """
    from capture import keeping
    from capture.desk import list_crm
    from capture.terminal import as_json, short, table

    rows = (keeping.listed if kind in keeping.LISTED else list_crm)(_settings(home), kind, actor=actor)
    if json_out:
        as_json(rows)
    else:
        columns = list(rows[0]) if rows else ["id"]
        table("", columns, [[short(c, row[c]) for c in columns] for row in rows])


@app.command("show")
def crm_show(
    record: Annotated[str, typer.Argument(help="Id of an activity, organisation or contact; any other record as "
                                               "KIND:ID.")],
    home: Home = None, json_out: AsJson = False, actor: Actor = "",
) -> None:
    """Show one record with its links and trackers. The look is audited.

    How to reach people of another division is left out; so is what its activities say, unless one tracks them. Without
    --actor one is the operator of the machine, who belongs to no division.
    """
    from capture import keeping
    from capture.desk import show_crm
    from capture.terminal import as_json, say

    shown = (keeping.show if ":" in record else show_crm)(_settings(home), record, actor=actor)
    if json_out:
        as_json(shown)
    else:
        for key, value in shown.items():
            say(f"{key}: {value}")
