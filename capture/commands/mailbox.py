"""`mailweir mailbox`: which mailboxes are watched, and how that goes."""

from __future__ import annotations

from typing import Annotated

import typer

from capture.commands.common import AsJson, Home, settings_of

app = typer.Typer(no_args_is_help=True, help="The mailboxes that are watched.")

Name = Annotated[str, typer.Argument(help="The mailbox: its address, or the folder of the `folder` backend.")]
LISTED = ("mailbox", "backend", "state", "code", "looked", "next_try", "folders", "oldest_cursor_seconds", "found",
          "missed", "untrack_requests")
SEEN = {"mailbox": "mailbox", "backend": "backend", "state": "state", "code": "code", "looked": "looked",
        "missed": "missed", "untrack_requests": "untrack"}
"""What fits a terminal of 80 columns, under which heading; a pipe and --json get everything."""
EXIT_FOUND = 1


@app.command()
def add(
    mailbox: Name,
    backend: Annotated[str, typer.Option("--backend", help="folder, ews (Exchange on premises) or graph (Exchange "
                                         "Online). [default: mailbox.kind of the settings]")] = "",
    division: Annotated[str, typer.Option("--division", help="Whose mailbox it is, for access.")] = "",
    home: Home = None,
) -> None:
    """Watch a mailbox from now on, or with another backend than before. Check it with `mailweir mailbox check`."""
    from capture import mailboxes
    from capture.terminal import say

    say(mailboxes.add(settings_of(home), mailbox, backend=backend, division=division))


@app.command()
def remove(mailbox: Name, home: Home = None) -> None:
    """Watch a mailbox no more. What was captured of it stays."""
    from capture import mailboxes
    from capture.terminal import say

    say(mailboxes.remove(settings_of(home), mailbox))


@app.command("list")
def list_mailboxes(
    everything: Annotated[bool, typer.Option("--all", help="Also those that were removed.")] = False,
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """List the mailboxes, and how their watching goes.

    State, last look, cursors' age, and what the last full look found that the cursors had missed.

    Exits 0, or 1 when a mailbox is parked or somebody asks to untrack something.
    """
    from capture import mailboxes
    from capture.terminal import as_json, is_person, short, table

    found = mailboxes.listed(settings_of(home), everything=everything)
    if json_out:
        as_json(found)
    else:
        columns = SEEN if is_person() else {name: name for name in LISTED}
        table("", [*columns.values()],
              [[short("at" if name == "looked" else name, row[name]) for name in columns] for row in found])
    raise typer.Exit(EXIT_FOUND if any(r["state"] == "parked" or r["untrack_requests"] for r in found) else 0)


@app.command()
def check(
    mailbox: Annotated[str, typer.Argument(help="One mailbox. [default: all]")] = "",
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """Say which permission or setting is missing.

    Asks the server for each right by itself.

    Exits 0 when nothing is missing, 1 when something is.
    """
    from capture import mailboxes
    from capture.terminal import as_json, say, table

    found = mailboxes.checked(settings_of(home), mailbox)
    if json_out:
        as_json(found)
    else:
        table("", ["mailbox", "check", "result", "detail"],
              [(row["mailbox"], row["check"], row["result"], row["detail"]) for row in found])
        for hint in dict.fromkeys(row["hint"] for row in found if row["result"] != "ok" and row["hint"]):
            say(f"  {hint}")
    raise typer.Exit(EXIT_FOUND if any(row["result"] != "ok" for row in found) else 0)


@app.command()
def folders(mailbox: Name, json_out: AsJson = False, home: Home = None) -> None:
    """List the folders of a mailbox, with their records.

    Names of folders may name people: the look is recorded in the audit.
    """
    from capture import mailboxes
    from capture.terminal import as_json, table

    found = mailboxes.folders(settings_of(home), mailbox)
    if json_out:
        as_json(found)
    else:
        columns = ("path", "kind", "record", "cursor")
        table("", columns, [[row[name] for name in columns] for row in found])


@app.command()
def watch(
    mailbox: Name,
    folder: Annotated[str, typer.Argument(help="Path of the folder, e.g. \"Inbox/Clients/Cedar\".")],
    record: Annotated[str, typer.Option("--record", help="contact:ID or organisation:ID. Empty = bound no more.")] = "",
    home: Home = None,
) -> None:
    """Bind a folder to a CRM record.

    Whatever lies in it, now and later, is tracked and linked to that record too.
    """
    from capture import mailboxes
    from capture.terminal import say

    say(mailboxes.bind(settings_of(home), mailbox, folder, record))


@app.command()
def untrack(
    capture: Annotated[str, typer.Argument(help="Close the request of this capture.")] = "",
    done: Annotated[bool, typer.Option("--done/--kept", help="It was untracked in the CRM, or it stays.")] = False,
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """List the open requests to untrack, or close one.

    A request is made when somebody takes `CRM: linked` off an item.

    Exits 0, or 1 when requests are open.
    """
    from capture import mailboxes
    from capture.terminal import as_json, say, table

    settings = settings_of(home)
    if capture:
        say(mailboxes.close_request(settings, capture, untracked=done))
        return
    found = mailboxes.requests(settings)
    if json_out:
        as_json(found)
    else:
        columns = ("capture", "mailbox", "activity", "at")
        table("", columns, [[row[name] for name in columns] for row in found])
    raise typer.Exit(EXIT_FOUND if found else 0)
