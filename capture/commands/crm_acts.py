"""`mailweir crm ...`: what people decide about linked items, and whether the CRM works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from capture.settings import Settings

Home = Annotated[Path | None, typer.Option("--home", help="Home folder. [default: MAILWEIR_HOME or ~/.mailweir]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Actor = Annotated[str, typer.Option("--actor", help="Who does it. [default: the signed-in user]")]
Activity = Annotated[str, typer.Argument(help="Id of an activity, or the beginning of it.")]
Record = Annotated[str, typer.Argument(help="A record as KIND:ID, for example contact:4f1c...")]
never = typer.Typer(no_args_is_help=True, help="Lists of what is never linked by rule.")
EXIT_FOUND = 1


def add_to(app: typer.Typer) -> None:
    """Add these commands to `mailweir crm`."""
    for command in (check, waiting, confirm, dismiss, unlink, untrack, purge):
        app.command()(command)
    app.add_typer(never, name="never")


def _deciding(settings: Settings) -> Any:
    """Where what people are asked is kept: in our own tables, or in a CRM elsewhere."""
    from capture import answering, choosing

    return choosing if settings.crm.kind == "embedded" else answering


def check(home: Home = None, json_out: AsJson = False) -> None:
    """Say which table, privilege or setting is missing.

    For Dynamics 365, each is named as an administrator there knows it. Nothing is written.

    Exits 0 when nothing is missing, 1 when something is.
    """
    from capture import crmchecking
    from capture.settings import home_from, load_settings
    from capture.terminal import as_json, say, table

    found = crmchecking.checked(load_settings(home_from(home)))
    if json_out:
        as_json(found)
    else:
        table("", ["check", "result", "detail"], [(row["check"], row["result"], row["detail"]) for row in found])
        for hint in dict.fromkeys(row["hint"] for row in found if row["result"] != "ok" and row["hint"]):
            say(f"  {hint}")
    raise typer.Exit(EXIT_FOUND if any(row["result"] != "ok" for row in found) else 0)


def waiting(home: Home = None, json_out: AsJson = False, actor: Actor = "") -> None:
    """List what somebody is asked and suggested.

    Which record does an item belong to? Lines with the same activity and question are an either-or.

    Exits 0, or 1 when something waits.
    """
    from capture.settings import home_from, load_settings
    from capture.terminal import as_json, short, table

    settings = load_settings(home_from(home))
    rows = _deciding(settings).waiting(settings, actor=actor)
    if json_out:
        as_json(rows)
    else:
        columns = ("activity", "question", "record", "title", "reason")
        table("", columns, [[short("id" if c == "activity" and row[c].isalnum() else c, row[c]) for c in columns]
                            for row in rows])
    raise typer.Exit(EXIT_FOUND if rows else 0)


def confirm(
    activity: Activity, record: Record,
    role: Annotated[str, typer.Option("--role", help="party (sent, received, attended) or regarding (what it is "
                                                     "about). [default: as suggested, else regarding]")] = "",
    home: Home = None, actor: Actor = "",
) -> None:
    """Link an activity to a record by hand, suggested or not."""
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    settings = load_settings(home_from(home))
    say(_deciding(settings).confirm(settings, activity, record, role=role, actor=actor))


def dismiss(activity: Activity, record: Record, home: Home = None, actor: Actor = "") -> None:
    """Say that an activity does not belong to a record."""
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    settings = load_settings(home_from(home))
    say(_deciding(settings).dismiss(settings, activity, record, actor=actor))


def unlink(
    activity: Activity,
    record: Annotated[str, typer.Argument(help="A record as KIND:ID. [default: all it is linked to]")] = "",
    home: Home = None, actor: Actor = "",
) -> None:
    """Take a link off an activity; the activity stays.

    No rule links the two again; `mailweir crm confirm` does.
    """
    from capture import choosing
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(choosing.unlink(load_settings(home_from(home)), activity, record, actor=actor))


def untrack(
    activity: Activity,
    mailbox: Annotated[str, typer.Option("--mailbox", help="Whose tracking ends. [default: one's own]")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Track it again.")] = False,
    home: Home = None, actor: Actor = "",
) -> None:
    """Track an activity no more, and say what stays.

    What others track stays with its links. When nobody tracks it any more, unlink or purge it, or leave it.
    """
    from capture import choosing
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(choosing.untrack(load_settings(home_from(home)), activity, mailbox, undo=undo, actor=actor))


def purge(
    activity: Annotated[str, typer.Argument(metavar="RECORD", help="Id of an activity, or the beginning of it; a "
                                                                   "document as document:ID.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, as a short code.")],
    home: Home = None, actor: Actor = "",
) -> None:
    """Destroy an activity or a document; only a receipt stays.

    Its files, links and other copies go too. This cannot be undone. Evidence of an open incident is not purged.
    """
    from capture import choosing, keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    act = keeping.purge_document if activity.startswith("document:") else choosing.purge
    say(act(load_settings(home_from(home)), activity, reason=reason, actor=actor))


Own = Annotated[str, typer.Option("--own", help="The list of this mailbox's owner. [default: everybody's]")]
IsMailbox = Annotated[bool, typer.Option("--mailbox", help="It names a mailbox of ours (HR, legal, health).")]
Pattern = Annotated[str, typer.Argument(help="An address, a domain, or a mailbox.")]


@never.command("add")
def never_add(pattern: Pattern, own: Own = "", mailbox: IsMailbox = False, home: Home = None,
              actor: Actor = "") -> None:
    """Link nothing of it by rule from now on."""
    from capture import choosing
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(choosing.never_change(load_settings(home_from(home)), pattern, own=own, mailbox=mailbox, actor=actor))


@never.command("remove")
def never_remove(pattern: Pattern, own: Own = "", mailbox: IsMailbox = False, home: Home = None,
                 actor: Actor = "") -> None:
    """Take an entry off a list."""
    from capture import choosing
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(choosing.never_change(load_settings(home_from(home)), pattern, own=own, mailbox=mailbox, remove=True,
                              actor=actor))


@never.command("list")
def never_list(home: Home = None, json_out: AsJson = False, actor: Actor = "") -> None:
    """Show everybody's list, and one's own."""
    from capture import choosing
    from capture.settings import home_from, load_settings
    from capture.terminal import as_json, table

    rows = choosing.never_list(load_settings(home_from(home)), actor=actor)
    if json_out:
        as_json(rows)
    else:
        columns = ("list", "kind", "pattern", "by")
        table("", columns, [[row[c] for c in columns] for row in rows])
