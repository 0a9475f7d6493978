"""`mailweir audit`: show it, verify it, and sign what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from capture.commands.common import AsJson, Home, settings_of

app = typer.Typer(no_args_is_help=True, help="The record of everything done and read.")



@app.command()
def verify(
    home: Home = None, json_out: AsJson = False,
    files: Annotated[list[Path] | None, typer.Option(
        "--checkpoints", help="A file of exported checkpoints; may be given several times. [default: the second place "
                              "of this home]")] = None,
    keys: Annotated[list[Path] | None, typer.Option(
        "--public-key", help="A public key that signed them, kept apart from this machine; may be given several "
                             "times. [default: the key of this home]")] = None,
    anchor: Annotated[str, typer.Option(
        "--anchor", help="The end of the chain as --json printed it earlier (ROWS:DIGEST), kept elsewhere.")] = "",
) -> None:
    """Verify the audit: its chain and its checkpoints.

    Names the first row that was changed, added or removed, and every checkpoint that does not fit: a tail cut off, a
    chain made anew, an older database put in place. Exits 0 when all fit, 1 when something does not.
    """
    from capture.auditing import verify as verify_audit
    from capture.terminal import as_json, say

    result = verify_audit(settings_of(home), anchor=anchor, files=files or (), keys=keys or ())
    if json_out:
        as_json(result)
    else:
        say(result["sentence"])
        for problem in result["problems"]:
            say(f"  {problem}")
    raise typer.Exit(0 if result["whole"] else 1)


@app.command()
def show(
    home: Home = None, json_out: AsJson = False,
    last: Annotated[int, typer.Option("--last", min=1, help="How many events, newest last.")] = 50,
    reads: Annotated[bool, typer.Option("--reads", help="Readings only: views, searches, reveals, exports.")] = False,
    person: Annotated[str, typer.Option("--person", help="Only what this person did: address, id or name.")] = "",
    case: Annotated[str, typer.Option("--case", help="Only what is about this case or record.")] = "",
    since: Annotated[str, typer.Option("--since", help="From this day or moment on, UTC, e.g. 2026-03-31.")] = "",
    until: Annotated[str, typer.Option("--until", help="Until before this day or moment.")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Who looks. [default: the signed-in user]")] = "",
) -> None:
    """Show audit events: when, who, what, about which id. The look is itself recorded.

    With --reads every reading of an item, record, case, list or file, by person, case and time.
    """
    from capture.auditing import show as show_audit
    from capture.terminal import as_json, short, table

    rows = show_audit(settings_of(home), last=last, reads=reads, person=person, subject=case, since=since, until=until,
                      actor=actor)
    if json_out:
        as_json(rows)
    else:
        table("", ["seq", "at", "actor", "action", "subject", "facts"],
              [(r["seq"], short("at", r["at"]), r["actor"], r["action"], r["subject"],
                " ".join(f"{k}={v}" for k, v in r["body"].items())) for r in rows])


@app.command()
def week(
    name: Annotated[str, typer.Option(
        "--week", help="Which week, e.g. 2026-W47. [default: the last that is over, or the first while it runs]")] = "",
    sign: Annotated[bool, typer.Option("--sign", help="Sign it, as the auditor --actor names.")] = False,
    comment: Annotated[list[str] | None, typer.Option(
        "--comment", help="With --sign: FLAG=TEXT, what you say about a flag; may be given several times.")] = None,
    rest: Annotated[str, typer.Option("--rest", help="With --sign: what you say about every other flag.")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Who does it: the address of a registered auditor.")] = "",
    home: Home = None, json_out: AsJson = False,
) -> None:
    """Show the auditor's week, or sign it.

    Who did what out of the ordinary, and 20 readings drawn by lot. With --sign every flag needs a comment. The
    auditor can be neither reviewer nor administrator. A week that is not over is shown as it stands and cannot be
    signed. Exits 0 when signed or nothing is flagged, 1 when it waits.
    """
    from capture.errors import BadInput
    from capture.terminal import as_json, say
    from capture.weekly import shown
    from capture.weekly import sign as sign_week

    settings = settings_of(home)
    if sign:
        pairs = [one.partition("=") for one in comment or ()]
        if not all(text for _, _, text in pairs):
            raise BadInput("--comment is FLAG=TEXT")
        done = sign_week(settings, name, actor=actor, comments={f: t for f, _, t in pairs}, rest=rest)
        if json_out:
            as_json(done)
        else:
            say(f"week {done['week']} signed: {done['flags']} flags, digest {done['digest']}")
        return
    found = shown(settings, name, actor=actor)
    if json_out:
        as_json(found)
    else:
        _say_week(found)
    raise typer.Exit(0 if found["signed"] or not found["flags"] else 1)


def _say_week(found: dict[str, Any]) -> None:
    from capture.terminal import say, table

    names = found["names"]
    state = f"signed by {names.get(found['signed_by'], found['signed_by'])}" if found["signed"] else (
        "not signed" if found["over"] else "not over yet")
    say(f"week {found['week']}: {found['rows']} audit rows, {sum(found['readings'].values())} readings, {state}")
    table("", ["flag", "what", "person", "detail", "count", "rows"],
          [(f["id"], found["titles"][f["flag"]], names.get(f["person"], f["person"]), f["detail"], f["count"],
            " ".join(map(str, f["rows"][:10]))) for f in found["flags"]])
    table("", ["sample", "at", "person", "how", "subject"],
          [(r["seq"], r["at"], names.get(r["person"], r["person"]), r["how"], r["subject"])
           for r in found["sample"]["readings"]])


@app.command()
def checkpoint(home: Home = None, json_out: AsJson = False) -> None:
    """Sign what the audit is now and add it to the second place. The worker does so every hour by itself.

    Exits 0 when one was made or no row was added since the last, 2 when the audit does not fit what was signed before
    or the second place cannot be written.
    """
    from dataclasses import asdict

    from capture.auditing import make
    from capture.terminal import as_json, say

    made = make(settings_of(home))
    if json_out:
        as_json(asdict(made) if made else None)
    else:
        say(f"checkpoint {made.number} over {made.count} rows, signed with key {made.key_id}" if made else
            "no row was added since the last checkpoint")


@app.command()
def key(
    home: Home = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the public key to this file.")] = None,
) -> None:
    """Print the public key that verifies checkpoints.

    Makes the key pair when there is none yet. Give the public key to whoever verifies, on another machine: what a
    checkpoint proves, it proves to them.
    """
    from capture.auditing import make_key, signer
    from capture.errors import BadInput
    from capture.terminal import say

    settings = settings_of(home)
    if make_key(settings):
        say("made a new signing key, readable by you only")
    public = signer(settings).public
    if out is None:
        typer.echo(public.text(), nl=False)
        return
    try:
        out.write_text(public.text(), encoding="ascii")
    except OSError as exc:
        raise BadInput(f"{out}: {type(exc).__name__}") from None
    say(f"wrote the public key {public.id}")
