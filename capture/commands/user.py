"""`mailweir user`: who may use this program, and what they may do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capture.commands.common import Actor, AsJson, Home, settings_of

app = typer.Typer(no_args_is_help=True, help="The users: entering them, roles, training, rules.")

Address = Annotated[str, typer.Argument(help="Address of the person, as the directory has it.")]
RoleName = Annotated[str, typer.Option("--role", help="One of the roles in docs/operators/roles.md.")]


@app.command("list")
def user_list(
    as_of: Annotated[str, typer.Option("--as-of", help="As it was on this day, e.g. 2026-03-31.")] = "",
    home: Home = None, json_out: AsJson = False,
) -> None:
    """List the register of users: address, state, roles, divisions. The look is audited."""
    from capture.register import listed
    from capture.terminal import as_json, table

    rows = listed(settings_of(home), as_of)
    if json_out:
        as_json(rows)
    else:
        table("", ["address", "state", "kind", "roles", "divisions"],
              [(r["address"], r["state"], r["kind"], ", ".join(r["roles"]), ", ".join(r["divisions"])) for r in rows])


@app.command("add")
def user_add(
    address: Address,
    division: Annotated[str, typer.Option("--division", help="Short name of their division.")] = "",
    contractor: Annotated[bool, typer.Option("--contractor", help="Not an employee: needs the next two.")] = False,
    justification: Annotated[str, typer.Option("--justification", help="Why a contractor, as a short code.")] = "",
    ends: Annotated[str, typer.Option("--ends", help="A contractor's last day, e.g. 2026-12-31.")] = "",
    home: Home = None, actor: Actor = "",
) -> None:
    """Enter a person. They can sign in, see their own account, and nothing else until they have a role."""
    from capture.register import enter
    from capture.terminal import say

    say(enter(settings_of(home), address, division=division, kind="contractor" if contractor else "employee",
              justification=justification, ends=ends, actor=actor))


@app.command("ask")
def user_ask(address: Address, role: RoleName, home: Home = None, actor: Actor = "") -> None:
    """Ask for a role for somebody. It is approved and applied by two other people before it is in force."""
    from capture.register import change_role
    from capture.terminal import say

    say(change_role(settings_of(home), address, role, what="ask", actor=actor))


@app.command("approve")
def user_approve(address: Address, role: RoleName, home: Home = None, actor: Actor = "") -> None:
    """Approve a role that was asked for. Never one's own."""
    from capture.register import change_role
    from capture.terminal import say

    say(change_role(settings_of(home), address, role, what="approve", actor=actor))


@app.command("grant")
def user_grant(address: Address, role: RoleName, home: Home = None, actor: Actor = "") -> None:
    """Put an approved role in force. Another person does this than the one who approved it."""
    from capture.register import change_role
    from capture.terminal import say

    say(change_role(settings_of(home), address, role, what="apply", actor=actor))


@app.command("revoke")
def user_revoke(address: Address, role: RoleName, home: Home = None, actor: Actor = "") -> None:
    """Take a role away, or turn a request down."""
    from capture.register import change_role
    from capture.terminal import say

    say(change_role(settings_of(home), address, role, what="end", actor=actor))


@app.command("state")
def user_state(
    address: Address,
    state: Annotated[str, typer.Argument(help="active, suspended or ended.")],
    home: Home = None, actor: Actor = "",
) -> None:
    """Activate, suspend or end an account. Whoever is suspended or ended is signed out at once."""
    from capture.register import change_state
    from capture.terminal import say

    say(change_state(settings_of(home), address, state, actor=actor))


@app.command("train")
def user_train(
    address: Address,
    course: Annotated[str, typer.Argument(help="Course, as a short code.")],
    completed: Annotated[str, typer.Option("--completed", help="Day, e.g. 2026-03-31.")],
    expires: Annotated[str, typer.Option("--expires", help="Day, e.g. 2027-03-31.")],
    home: Home = None, actor: Actor = "",
) -> None:
    """Record a completed course. Without one that has not expired nobody can track."""
    from capture.register import train
    from capture.terminal import say

    say(train(settings_of(home), address, course, completed=completed, expires=expires, actor=actor))


@app.command("delegate")
def user_delegate(
    address: Address,
    begins: Annotated[str, typer.Option("--from", help="First day (UTC), e.g. 2026-07-01.")],
    until: Annotated[str, typer.Option("--until", help="Last day (UTC), e.g. 2026-07-31.")],
    document: Annotated[str, typer.Option("--document", help="Reference of the written delegation, as a short code.")],
    actor: Annotated[str, typer.Option("--actor", help="The head: the address of a registered person.")],
    home: Home = None,
) -> None:
    """Let somebody act for the head of the public body for a time. Only the head does this; it ends with their role."""
    from capture.register import delegate
    from capture.terminal import say

    say(delegate(settings_of(home), address, begins=begins, until=until, document=document, actor=actor))


@app.command("undelegate")
def user_undelegate(
    address: Address,
    actor: Annotated[str, typer.Option("--actor", help="The head: the address of a registered person.")],
    home: Home = None,
) -> None:
    """Take back, before its time, what the head delegated to somebody."""
    from capture.register import take_back
    from capture.terminal import say

    say(take_back(settings_of(home), address, actor=actor))


@app.command("rules")
def user_rules(
    file: Annotated[Path, typer.Argument(help="Text file, UTF-8.")],
    home: Home = None, actor: Actor = "",
) -> None:
    """Put a new text of the rules of behaviour in force. Everybody signs it before anything else opens."""
    from capture.register import publish
    from capture.terminal import say

    say(publish(settings_of(home), file, actor=actor))
