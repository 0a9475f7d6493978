"""`mailweir db`: bring the database up to date, and see whether it is as it should be."""

from __future__ import annotations

from typing import Annotated

import typer

from capture.commands.common import Home, settings_of

app = typer.Typer(no_args_is_help=True, help="The database: schema, roles, state.")



@app.command()
def upgrade(
    home: Home = None,
    roles: Annotated[bool, typer.Option("--roles", help="PostgreSQL: set the rights of store.service_role and "
                                        "store.reader_role too.")] = False,
    show_sql: Annotated[bool, typer.Option("--print", help="Print the statements for the rights only.")] = False,
) -> None:
    """Make or upgrade the tables; set the roles' rights.

    Ours and the engine's. On PostgreSQL this runs as the owner of the tables: name its URL in
    MAILWEIR_OWNER_DATABASE. There is no way down: make a backup first. Safe to run twice. Exits 0, or 2 on an error.
    """
    from capture.databases import role_statements, upgrade_database
    from capture.terminal import say

    settings = settings_of(home)
    if show_sql:
        for statement in role_statements(settings):
            say(f"{statement};")
        return
    for line in upgrade_database(settings, roles=roles):
        say(line)


@app.command()
def check(
    home: Home = None,
    json_out: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check the database, and say what is not right.

    Schema, tables, triggers of the audit, checkpoints, engine tables, roles and rights.

    Exits 0 when all is well, 1 with a warning, 2 when something is broken.
    """
    from capture.databases import check_database
    from capture.terminal import as_json, table

    checks = check_database(settings_of(home))
    if json_out:
        as_json([{"check": c.name, "result": c.result, "detail": c.detail} for c in checks])
    else:
        table("mailweir db check", ["check", "result", "detail"], [(c.name, c.result, c.detail) for c in checks])
    worst = {c.result for c in checks}
    raise typer.Exit(2 if "fail" in worst else 1 if "warn" in worst else 0)
