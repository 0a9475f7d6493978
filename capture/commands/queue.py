"""`mailweir queue`: items held for privacy review, at the terminal. Never a value, never a word of a mail."""

from __future__ import annotations

from typing import Annotated

import typer

from capture.commands.common import Actor, AsJson, Home, Person, settings_of

app = typer.Typer(no_args_is_help=True, help="Items held for privacy review.")

Reason = Annotated[str, typer.Option("--reason", help="Why, as a short code for the audit: e.g. false-positive.")]
Case = Annotated[str, typer.Argument(help="Case number, e.g. MW-2026-000012.")]


@app.command("list")
def queue_list(
    home: Home = None, json_out: AsJson = False,
    all_cases: Annotated[bool, typer.Option("--all", help="Closed cases too.")] = False, actor: Actor = "",
) -> None:
    """List held items, the worst first: risk, kinds, age.

    No subject lines, no values. The order is that of the desk: risk, then overdue, then age.
    """
    from capture.desk import list_cases
    from capture.terminal import as_json, short, table

    rows = list_cases(settings_of(home), all_cases=all_cases, actor=actor)
    if json_out:
        as_json(rows)
    else:
        table("", ["case", "stands", "risk", "kinds", "not read", "trackers", "opened", "due"],
              [(r["case"], r["stands"], f"{r['risk']} {r['band']}", ", ".join(r["kinds"]), ", ".join(r["unread"]),
                r["trackers"], short("opened", r["opened"]),
                "OVERDUE" if r["overdue"] else short("due", r["due"])) for r in rows])


@app.command("show")
def queue_show(case: Case, home: Home = None, json_out: AsJson = False, actor: Actor = "") -> None:
    """Show why an item is held and how it stands. No content.

    Finding by finding: kind, place, rule, score, and who had seen the record. The look is audited.
    """
    from capture.desk import show_case
    from capture.terminal import as_json, say, table

    shown = show_case(settings_of(home), case, actor=actor)
    if json_out:
        as_json(shown)
        return
    say(f"{shown['case']}  {shown['state']}  {shown['verdict']} by {shown['rule']}  {shown['policy']}")
    say(f"risk {shown['risk']} ({shown['band']})  due {shown['due'][:16]}{'  OVERDUE' if shown['overdue'] else ''}  "
        f"division {shown['division'] or 'not known'}  {shown['stands']}")
    table("", ["kind", "place", "count", "score", "rule", "why"],
          [(f["kind"], f["place"], f["count"], f["score"], f["rule"], " ".join(f.get("why", ())))
           for f in shown["findings"]])
    for passed in shown["exempt"]:
        say(f"not counted: {passed['kind']} ({passed['count']}) in {passed['place']}: {passed['exempt']}")
    for unread in shown["unread"]:
        say(f"not read: {unread['place']} ({unread['code']})")
    for reader in shown["readers"]:
        say(f"seen in the CRM: {reader['how']} by {reader['actor']}, {reader['times']} x, last {reader['last']}")
    for event in shown["history"]:
        say(f"{event['at'][:16]}  {event['what']}  {event['code']}".rstrip())


@app.command("claim")
def queue_claim(case: Case, actor: Person, home: Home = None) -> None:
    """Take a case on. Its item shows `CRM: in review`."""
    from capture.desk import claim_case
    from capture.terminal import say

    say(claim_case(settings_of(home), case, actor=actor))


@app.command("release")
def queue_release(case: Case, reason: Reason, home: Home = None, actor: Actor = "") -> None:
    """Let a held item pass: it is linked to the CRM as it is. Audited with the reason.

    A registered reviewer rules as at the desk: it takes effect after the undo window, in grave cases after a second
    person agreed. Once somebody reviews, nobody else can.
    """
    from capture.desk import release_case
    from capture.terminal import say

    say(release_case(settings_of(home), case, reason=reason, actor=actor))


@app.command("delete")
def queue_delete(case: Case, reason: Reason, home: Home = None, actor: Actor = "") -> None:
    """Destroy the content of a held item for good.

    Its key is destroyed: nobody can read it again. Audited with the reason. Registered reviewers rule as at the desk.
    """
    from capture.desk import delete_case
    from capture.terminal import say

    say(delete_case(settings_of(home), case, reason=reason, actor=actor))


@app.command("escalate")
def queue_escalate(
    case: Case, actor: Person,
    kind: Annotated[str, typer.Option("--reason", help="Kind of incident, as a short code: e.g. sent-outside.")],
    suspend: Annotated[bool, typer.Option(
        "--suspend", help="Hold everything its trackers track, until the incident is closed.")] = False,
    home: Home = None,
) -> None:
    """Make a held item an incident.

    Its content is kept as evidence until the incident is closed.
    """
    from capture.desk import escalate_case
    from capture.terminal import say

    say(escalate_case(settings_of(home), case, reason=kind, actor=actor, suspend=suspend))


@app.command("close")
def queue_close(
    incident: Annotated[str, typer.Argument(help="Number of the incident, e.g. IN-2026-000001.")],
    reason: Reason, actor: Person, home: Home = None,
) -> None:
    """Close an incident. For the privacy officer.

    Its case waits for a decision again.
    """
    from capture.desk import close_incident
    from capture.terminal import say

    say(close_incident(settings_of(home), incident, reason=reason, actor=actor))


@app.command("undo")
def queue_undo(case: Case, actor: Person, home: Home = None) -> None:
    """Take a ruling back before it takes effect. For whoever made it or agreed to it."""
    from capture.desk import undo_ruling
    from capture.terminal import say

    say(undo_ruling(settings_of(home), case, actor=actor))
