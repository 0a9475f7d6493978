"""`mailweir policy allow` and `mailweir policy backtest`: what is not held again, and what that would have let pass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from capture.commands.common import AsJson, Home, Person, settings_of

app = typer.Typer(no_args_is_help=True, help="Allow rules: what is not to be held again.")

Case = Annotated[str, typer.Argument(help="Number of a case that was released as a false positive.")]
RuleId = Annotated[str, typer.Argument(help="Id of the rule, e.g. AL-00003.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, as a short code for the audit.")]
Days = Annotated[int, typer.Option("--days", help="It ends after so many days. [default: accountability.allow_days]")]


def _say(row: dict[str, Any], json_out: bool) -> None:
    from capture.terminal import as_json, say

    if json_out:
        as_json(row)
    else:
        say(f"{row['rule']} {row['state']}: {row['kind']} ({row['what']}) of {row['scanner_rule']}, {row['scope']}"
            + (f", until {row['expires'][:10]}" if row["expires"] else ""))


@app.command("list")
def allow_list(
    home: Home = None, json_out: AsJson = False, actor: Person = "",
    everything: Annotated[bool, typer.Option("--all", help="Rules that ended, too.")] = False,
) -> None:
    """List every rule in force or proposed: for what, for whom, until when, how often used. The look is audited."""
    from capture.allowing import listed
    from capture.terminal import as_json, table

    rows = listed(settings_of(home), everything=everything, actor=actor)
    if json_out:
        as_json(rows)
    else:
        table("", ["rule", "state", "kind", "what", "scanner rule", "scope", "expires", "used"],
              [(r["rule"], r["state"], r["kind"], r["what"], r["scanner_rule"], r["scope"], r["expires"][:10],
                r["used"]) for r in rows])


@app.command("candidates")
def allow_candidates(case: Case, home: Home = None, json_out: AsJson = False, actor: Person = "") -> None:
    """Show what of a case a rule could be about: numbers, rules, places. No values."""
    from dataclasses import asdict

    from capture.allowing import candidates_of
    from capture.terminal import as_json, table

    rows = candidates_of(settings_of(home), case, actor=actor)
    if json_out:
        as_json([asdict(row) for row in rows])
    else:
        table("", ["finding", "rule", "category", "place", "possible"],
              [(r.number, r.rule, r.category, r.place, ", ".join(r.kinds)) for r in rows])


@app.command("propose")
def allow_propose(
    case: Case,
    finding: Annotated[int, typer.Option("--finding", help="Number of the finding, as `candidates` shows it.")],
    kind: Annotated[str, typer.Option("--by", help="value, pattern, sender or template.")],
    actor: Person,
    pattern: Annotated[str, typer.Option("--pattern", help="With --by pattern: a shape like INV-#######.")] = "",
    division: Annotated[str, typer.Option("--for", help="Division, or `organisation`. [default: the case's]")] = "",
    reason: Reason = "false-positive", days: Days = 0, home: Home = None, json_out: AsJson = False,
) -> None:
    """Propose a rule for one finding of a released case. It is in force when another person approved it.

    A value and a block of text are kept as keyed hashes only. The sender's domain is taken from the mail, and goes
    with the finding's rule and kind: there is no rule for everything from a domain.
    """
    from capture.allowing import propose

    _say(propose(settings_of(home), case, finding, kind, actor=actor, pattern=pattern, division=division,
                 reason=reason, days=days), json_out)


@app.command("directory")
def allow_directory(
    file: Annotated[Path, typer.Argument(help="Text file, UTF-8: one number, address or mailbox a line.")],
    rule: Annotated[str, typer.Option("--rule", help="home_phone, home_address or private_mail.")],
    actor: Person, reason: Reason = "staff-directory", days: Days = 0, home: Home = None, json_out: AsJson = False,
) -> None:
    """Propose the entries of a public directory for the whole organisation. Kept as keyed hashes only."""
    from capture.allowing import propose_directory

    _say(propose_directory(settings_of(home), file, rule=rule, category="home_contact", actor=actor, reason=reason,
                           days=days), json_out)


@app.command("approve")
def allow_approve(rule: RuleId, actor: Person, home: Home = None, json_out: AsJson = False) -> None:
    """Put a proposed rule in force: another person than its author, after a back-test without a confirmed hit."""
    from capture.allowing import approve

    _say(approve(settings_of(home), rule, actor=actor), json_out)


@app.command("withdraw")
def allow_withdraw(
    rule: RuleId, actor: Person, reason: Reason, home: Home = None, json_out: AsJson = False,
) -> None:
    """End a rule at once, or turn a proposal down."""
    from capture.allowing import withdraw

    _say(withdraw(settings_of(home), rule, actor=actor, reason=reason), json_out)


def backtest(rule: RuleId, home: Home = None, json_out: AsJson = False, actor: Person = "") -> None:
    """Look up what an allow rule would have let pass.

    Over the held items whose content is still stored; the others are counted as gone, and nothing can be said about
    them. Exits 0 when nothing confirmed would have passed, 1 when a confirmed hit is among it: then nobody can
    approve the rule.
    """
    from capture.allowing import backtest as run
    from capture.terminal import as_json, progress, say

    settings = settings_of(home)
    with progress("looking", None) as advance:
        result = run(settings, rule, actor=actor, advance=advance)
    if json_out:
        as_json(result)
    else:
        say(f"{result['rule']}: {result['would_pass']} of {result['looked_at']} held items of the past "
            f"{result['days']} days would have passed; of {result['gone']} the content is gone")
        for number in result["cases"]:
            say(f"  {number}{'  CONFIRMED' if number in result['confirmed_cases'] else ''}")
        if result["red"]:
            say(f"RED: {result['confirmed']} confirmed hits would have passed; the rule cannot be approved")
    raise typer.Exit(1 if result["red"] else 0)
