"""`mailweir crm ...`: what people do with records: merge, forget, ask the owner, reassign, look for gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[Path | None, typer.Option("--home", help="Home folder. [default: MAILWEIR_HOME or ~/.mailweir]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Actor = Annotated[str, typer.Option("--actor", help="Who does it. [default: the signed-in user]")]
Reason = Annotated[str, typer.Option("--reason", help="Why, as a short code.")]
Contact = Annotated[str, typer.Argument(help="Id of a contact, or the beginning of it.")]
EXIT_FOUND = 1


def add_to(app: typer.Typer) -> None:
    """Add these commands to `mailweir crm`."""
    for name, command in (("merge", merge), ("unmerge", unmerge), ("ask", ask), ("opt-out", opt_out),
                          ("requests", requests), ("forget", forget), ("suppress", suppress),
                          ("reassign", reassign), ("gaps", gaps), ("propose", propose)):
        app.command(name)(command)


def merge(
    kept: Annotated[str, typer.Argument(help="The record that stays, as KIND:ID.")],
    gone: Annotated[str, typer.Argument(help="The record it stands for as well, as KIND:ID.")],
    home: Home = None, actor: Actor = "",
) -> None:
    """Let one contact or organisation stand for two that are the same.

    Activities, relations, business and people move to the one that stays. The line it prints says how to undo it.
    """
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(keeping.merge(load_settings(home_from(home)), kept, gone, actor=actor))


def unmerge(
    merge_id: Annotated[str, typer.Argument(metavar="MERGE", help="The id that `mailweir crm merge` printed.")],
    home: Home = None, actor: Actor = "",
) -> None:
    """Take two merged records apart again; what was moved goes back."""
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(keeping.unmerge(load_settings(home_from(home)), merge_id, actor=actor))


def ask(
    record: Annotated[str, typer.Argument(help="A record as KIND:ID.")],
    question: Annotated[str, typer.Argument(help="What you want to know; scanned before it is kept.")],
    actor: Annotated[str, typer.Option("--actor", help="Who asks: the address of a registered person.")],
    home: Home = None,
) -> None:
    """Ask the owner of a record before you talk to the same people.

    The question is a task on the timeline of the record; its owner gets a notice.
    """
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(keeping.ask_owner(load_settings(home_from(home)), record, question, actor=actor))


def opt_out(
    contact: Contact,
    medium: Annotated[str, typer.Option("--medium", help="How they said it: call, mail, letter, in-person or web.")],
    home: Home = None, actor: Actor = "",
) -> None:
    """Write down that a person asked to be forgotten.

    Anybody may, for any medium. The owner of the contact is told and has five days to purge it.
    """
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(keeping.ask_to_forget(load_settings(home_from(home)), contact, medium, actor=actor))


def requests(home: Home = None, json_out: AsJson = False, actor: Actor = "") -> None:
    """List open requests to be forgotten, with their age in days.

    Exits 0, or 1 when one is open.
    """
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import as_json, short, table

    rows = keeping.requests(load_settings(home_from(home)), actor=actor)
    if json_out:
        as_json(rows)
    else:
        columns = ("contact", "medium", "owner", "division", "due", "days", "overdue")
        table("", columns, [[short("id" if c in ("contact", "owner") else c, row[c]) for c in columns] for row in rows])
    raise typer.Exit(EXIT_FOUND if rows else 0)


def forget(contact: Contact, reason: Reason, home: Home = None, actor: Actor = "") -> None:
    """Destroy a contact; a receipt and hashes of its addresses stay.

    Its activities go too when they belong to nobody else. What an open incident needs stays. This cannot be undone.
    """
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(keeping.forget(load_settings(home_from(home)), contact, reason=reason, actor=actor))


def suppress(
    address: Annotated[str, typer.Argument(help="An e-mail address.")],
    reason: Reason, home: Home = None, actor: Actor = "",
) -> None:
    """Keep an address out of the CRM from now on, as a keyed hash."""
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(keeping.suppress(load_settings(home_from(home)), address, reason=reason, actor=actor))


def reassign(
    leaver: Annotated[str, typer.Argument(help="Whose records, as an address or an id of the register.")],
    to: Annotated[str, typer.Argument(help="Who gets them; an active person.")],
    home: Home = None, actor: Actor = "",
) -> None:
    """Give all records of somebody who leaves to somebody else.

    Their open tasks and the requests to be forgotten they had to answer go along.
    """
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import say

    say(keeping.reassign(load_settings(home_from(home)), leaver, to, actor=actor))


def propose(
    activity: Annotated[str, typer.Argument(help="Id of an activity, or the beginning of it.")],
    home: Home = None, json_out: AsJson = False, actor: Actor = "",
) -> None:
    """Show the contact that the signature of a mail would make.

    Business fields only; nothing is written. The look is audited.
    """
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import as_json, say

    found = keeping.propose(load_settings(home_from(home)), activity, actor=actor)
    if json_out:
        as_json(found)
    for key, value in ({} if json_out else found).items():
        say(f"{key}: {value}")


def gaps(
    everything: Annotated[bool, typer.Option("--all", help="Every region and issue, not only the gaps.")] = False,
    home: Home = None, json_out: AsJson = False, actor: Actor = "",
) -> None:
    """Show where nobody is known or was reached for an open issue.

    Counts of contacts and organisations; reached means a contact within the last year.

    Exits 0, or 1 when there is a gap.
    """
    from capture import keeping
    from capture.settings import home_from, load_settings
    from capture.terminal import as_json, short, table

    rows = keeping.gaps(load_settings(home_from(home)), everything=everything, actor=actor)
    if json_out:
        as_json(rows)
    else:
        columns = ("issue", "title", "region", "stakeholders", "about", "reached")
        table("", columns, [[short("id" if c == "issue" else c, row[c]) for c in columns] for row in rows])
    raise typer.Exit(EXIT_FOUND if any(not row["about"] or not row["reached"] for row in rows) else 0)
