"""`mailweir rescan`, and `mailweir policy diff`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from store.rescan import Progress

Home = Annotated[Path | None, typer.Option("--home", help="Home folder. [default: MAILWEIR_HOME or ~/.mailweir]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Since = Annotated[str, typer.Option("--since", help="Only what came into the CRM on this day or later (UTC).")]


def rescan(
    since: Since = "",
    until: Annotated[str, typer.Option("--until", help="Only what came into the CRM before this day (UTC).")] = "",
    division: Annotated[str, typer.Option("--division", help="Only items of this division.")] = "",
    kind: Annotated[list[str] | None, typer.Option(
        "--kind", help="mail, appointment, task, note, phonecall; what was typed into records: contact, organisation, "
                       "opportunity, project, event, issue; document; attachment = items with a file; held = what is "
                       "in quarantine. May be given several times. [default: everything]")] = None,
    policy: Annotated[str, typer.Option(
        "--policy", help="Use another policy pack: a name or a TOML file. [default: that of the settings]")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be pulled out; pull nothing.")] = False,
    max_holds: Annotated[str, typer.Option(
        "--max-holds", help="Pause before more than this is pulled out: a number, or a share of the items. 0 = no "
                            "limit. [default: rescan.max_holds of the settings]")] = "",
    run: Annotated[str, typer.Option("--resume", help="Go on with this run: RS-2026-000003.")] = "",
    list_runs: Annotated[bool, typer.Option("--list", help="List the newest runs and how far they are.")] = False,
    jsonl: Annotated[bool, typer.Option(
        "--jsonl", help="One JSON object for each item, then one with the report.")] = False,
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """Scan again what is in the CRM, by today's rules.

    What may not stay is a hit: it is taken out of the CRM (a marked note stays in its place), held encrypted with a
    case, its trackers are told, and the case lists who had seen it. What cannot be read is a hit too. Held items are
    scanned as well: the report names those that would pass now; they stay held. Try --dry-run first. Ctrl-C pauses.

    Exits 0 when nothing was found, 1 when something was, 2 when the run broke off, paused or could not look at
    everything.
    """
    from capture.rescanning import Asked, exit_code, report, resume, rows, runs, start
    from capture.settings import home_from, load_settings
    from capture.terminal import as_json, json_line, table

    settings = load_settings(home_from(home))
    if list_runs:
        found = runs(settings)
        if json_out:
            as_json(found)
        else:
            columns = ["run", "state", "why", "started", "policy", "dry_run", "looked_at", "total", "found", "errors"]
            table("", columns, [[row[name] for name in columns] for row in found])
        return
    with Shown() as shown:
        if run:
            number = resume(settings, run, shown.look, max_holds=max_holds)
        else:
            number = start(settings, Asked(since, until, division, tuple(kind or ()), policy, dry_run, max_holds),
                           shown.look)
    result = report(settings, number)
    if jsonl:
        for row in rows(settings, number):
            json_line(row)
        json_line({"report": result})
    elif json_out:
        as_json(result)
    else:
        _print(result)
    raise typer.Exit(exit_code(result))


def policy_diff(
    old: Annotated[str, typer.Argument(help="Name of a pack, or a TOML file.")],
    new: Annotated[str, typer.Argument(help="Name of a pack, or a TOML file.")],
    since: Since = "",
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """Compare two policy packs over what is stored.

    Says which verdicts would change, of what is in the CRM and of what is held. Changes nothing.

    Exits 0 when no verdict changes, 1 when some do, 2 on an error.
    """
    from capture.comparing import compared
    from capture.settings import home_from, load_settings
    from capture.terminal import as_json, progress, say, table

    settings = load_settings(home_from(home))
    with progress("comparing", None) as advance:
        found = compared(settings, old, new, since=since, advance=lambda _done, _total: advance()).as_json()
    if json_out:
        as_json(found)
    else:
        say(f"{found['old']} -> {found['new']}: {found['changed']} of {found['looked_at']} verdicts change")
        if found["items"]:
            table("", ["change", "items"], [*found["changes"].items()])
            table("", ["category", *found["changes"]],
                  [[name, *(by.get(change, 0) for change in found["changes"])]
                   for name, by in found["categories"].items()])
            table("", ["item", "kind", "was", "now", "rule was", "rule now"],
                  [[row[n] for n in ("item", "kind", "was", "now", "rule_was", "rule_now")] for row in found["items"]])
    raise typer.Exit(1 if found["items"] else 0)


class Shown:
    """How far a run is, on standard error: a bar where a person looks, else a line now and then."""

    EVERY_SECONDS = 10.0

    def __init__(self) -> None:
        from sys import stderr

        self._person = stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._said = 0.0
        self._number = ""

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def look(self, run: str, at: Progress, speed: float) -> None:
        """Show it."""
        from capture.rescanning import left

        first = not self._number
        self._number = run
        remaining = left(at, speed)
        if self._person:
            self._show(run, at, speed, remaining)
        elif first or at.state != "running" or time.monotonic() - self._said >= self.EVERY_SECONDS:
            self._said = time.monotonic()
            typer.echo(f"{run}: {at.looked} of {at.total} looked at, {at.hits} found, {at.errors} errors, "
                       f"{speed:.0f}/s{f', {remaining} left' if remaining else ''}", err=True)

    def _show(self, run: str, at: Progress, speed: float, remaining: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        if self._bar is None:
            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                                 TextColumn("{task.fields[found]} found  {task.fields[speed]}/s  {task.fields[left]}"),
                                 console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(run, total=at.total, found=0, speed=0, left="")
        self._bar.update(self._task, completed=at.looked, total=at.total, found=at.hits, speed=f"{speed:.0f}",
                         left=f"{remaining} left" if remaining else "")


PAUSED_WORDS = {
    "max-holds": "More than --max-holds allows would be pulled out of the CRM. Look at the cases first "
                 "(`mailweir queue list`); then resume with a higher --max-holds.",
    "interrupted": "Interrupted.",
    "stranded": "No worker works on it any more; `mailweir doctor` may say why.",
}


def _print(result: dict[str, Any]) -> None:
    """The report for people: counts, cases and codes."""
    from capture.terminal import say, table

    outcomes = result["outcomes"]
    say(f"{result['run']}  {result['state']}  {result['policy']}{'  dry run' if result['dry_run'] else ''}  "
        f"{result['looked_at']} of {result['total']} looked at, {result['attachments']} attachments")
    if not result["total"]:
        say("Nothing in the CRM or in quarantine is chosen by these filters, so nothing was looked at.")
        return
    words = [*outcomes]
    for name, key in (("kind", "by_kind"), ("division", "by_division")):
        table("", [name, *words], [[value or "(none)", *(by.get(word, 0) for word in words)]
                                   for value, by in result[key].items()])
    for title, key in (("found", "categories"), ("not read", "unread"), ("error", "errors")):
        if result[key]:
            table("", [title, "items"], [*result[key].items()])
    if result["cases"]:
        say(f"cases: {' '.join(result['cases'])}")
    if result["would_pass"]:
        say(f"held, and would pass now: {' '.join(result['would_pass'])}")
    if result["state"] == "paused":
        say(f"{PAUSED_WORDS.get(result['why'], result['why'])}\nGo on with: mailweir rescan --resume {result['run']}")
    elif result["errors"]:
        say(f"Not everything could be looked at. Try again with: mailweir rescan --resume {result['run']}")
