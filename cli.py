"""The `mailweir` command. Help texts are the manual; exit codes are an interface.

Imports of anything heavy stand inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from capture.commands import allow as allow_commands
from capture.commands import audit as audit_commands
from capture.commands import crm as crm_commands
from capture.commands import crm_acts, crm_keep
from capture.commands import db as db_commands
from capture.commands import export as export_commands
from capture.commands import jobs as jobs_commands
from capture.commands import lists as lists_commands
from capture.commands import mailbox as mailbox_commands
from capture.commands import queue as queue_commands
from capture.commands import rescan as rescan_commands
from capture.commands import user as user_commands
from capture.commands.common import AsJson, Home, settings_of
from manifests import commands as manifest_commands

EXIT_HELD = 1
EXIT_ERROR = 2

app = typer.Typer(
    name="mailweir", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Holds back personal information in mail on its way from Exchange to a CRM.")
capture_app = typer.Typer(no_args_is_help=True, help="Work through tagged items.")
policy_app = typer.Typer(no_args_is_help=True, help="The rules that decide, with their sources.")
for name, sub in (("capture", capture_app), ("queue", queue_commands.app), ("crm", crm_commands.app),
                  ("audit", audit_commands.app), ("policy", policy_app), ("lists", lists_commands.lists_app),
                  ("forms", lists_commands.forms_app)):
    app.add_typer(sub, name=name)
crm_acts.add_to(crm_commands.app)
crm_keep.add_to(crm_commands.app)
app.command()(jobs_commands.work)
app.add_typer(jobs_commands.app, name="jobs")
app.add_typer(db_commands.app, name="db")
app.add_typer(mailbox_commands.app, name="mailbox")
app.add_typer(user_commands.app, name="user")
app.add_typer(manifest_commands.app, name="manifest")
app.command()(rescan_commands.rescan)
app.command()(export_commands.export)
policy_app.command("diff")(rescan_commands.policy_diff)
policy_app.command("backtest")(allow_commands.backtest)
policy_app.add_typer(allow_commands.app, name="allow")



def main() -> None:
    """Run the command; print our errors as `code: sentence (facts)` with what to do now; exit 2."""
    from capture.logs import configure, where
    from pii_scan.errors import MailweirError

    configure()
    try:
        app()
    except MailweirError as error:
        typer.echo(f"{error}\n  {error.hint}", err=True)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(EXIT_ERROR)
    except Exception as error:  # noqa: BLE001 - the outermost edge: the message may quote data, so it is not printed
        typer.echo(f"internal: Something unforeseen went wrong; nothing was linked by it. ({where(error)})\n"
                   "  Run `mailweir doctor`, and report the line above.", err=True)
        sys.exit(EXIT_ERROR)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Holds back personal information in mail on its way from Exchange to a CRM."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"mailweir {installed('mailweir')}")
        raise typer.Exit


# ------------------------------------------------------------------------------------------------- set-up

@app.command()
def init(home: Home = None) -> None:
    """Create a home: folder, settings, key and database.

    The key file is readable by you only: keep a copy elsewhere. Run again, it upgrades the
    database and leaves everything else as it is.
    """
    from capture.homes import create_home
    from capture.settings import home_from
    from capture.terminal import say

    for line in create_home(home_from(home)):
        say(line)


@app.command()
def demo(
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the demo home in this new folder.")] = None,
    pane: Annotated[bool, typer.Option("--pane", help="Try the Outlook pane in a browser, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option("--port", help="With --pane: port to listen on; 0 = any free one.")] = 8025,
) -> None:
    """Work through an invented mailbox, and say why.

    What was linked, what was held and why. Needs no Exchange and no network; leaves nothing behind without --keep.
    With --pane nothing is tagged yet: a page stands for Outlook, and you press "Track" yourself.
    """
    from capture.demo.show import run_demo

    if pane:
        from addin.outlook.demo import run_simulator

        raise typer.Exit(run_simulator(keep, port=port))
    raise typer.Exit(run_demo(keep))


@app.command()
def doctor(home: Home = None, json_out: AsJson = False) -> None:
    """Check this installation, and say what to do.

    Home, key, database, audit, model, readers, mailboxes, waiting work, disk.

    Exits 0 when all is well, 1 with a warning, 2 when something is broken.
    """
    from capture.doctor import examine
    from capture.settings import home_from
    from capture.terminal import as_json, table

    checks = examine(home_from(home))
    if json_out:
        as_json([{"check": c.name, "result": c.result, "detail": c.detail} for c in checks])
    else:
        table("mailweir doctor", ["check", "result", "detail"], [(c.name, c.result, c.detail) for c in checks])
    worst = {c.result for c in checks}
    raise typer.Exit(EXIT_ERROR if "fail" in worst else EXIT_HELD if "warn" in worst else 0)


# --------------------------------------------------------------------------------------------- scan, read

@app.command()
def scan(
    paths: Annotated[list[Path], typer.Argument(help=".eml, .msg or .mbox files, or folders of them.")],
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a message.")] = False,
    pack: Annotated[str, typer.Option("--policy", help="Policy pack: a name or a TOML file.")] = "",
    home: Home = None,
) -> None:
    """Scan mail files: pass, block or review. Stores nothing.

    Block: personal information was found. Review: something is unreadable or unclear.
    Exits 0 when all pass, 1 when something is held, 2 on an error.
    """
    from capture.files import as_row, find_messages, read_messages, scan_messages
    from capture.terminal import is_person, json_line, progress, table
    from capture.wiring import build_extractor, build_scanner

    settings = settings_of(home, optional=True)
    if pack:
        settings = settings.model_copy(update={"scan": settings.scan.model_copy(update={"pack": pack})})
    files = find_messages(paths)
    scanner, extractor = build_scanner(settings), build_extractor(settings)
    held, shown = 0, []
    messages = (message for file in files for message in read_messages(file))
    try:
        with progress("scanning", len(files)) as advance:
            for message_id, decision in scan_messages(messages, extractor, scanner, readers=settings.engine.readers):
                row = as_row(message_id, decision)
                held += not decision.link
                if jsonl:
                    json_line(row)
                elif is_person():
                    shown.append(row)
                else:
                    typer.echo("\t".join(_row_cells(row)))
                advance()
    finally:
        extractor.close()
    if shown:
        table("", ["message", "decision", "what", "not read"], [_row_cells(row) for row in shown])
    raise typer.Exit(EXIT_HELD if held else 0)


def _row_cells(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return (row["id"], row["decision"],
            "; ".join(f"{f['kind']} ({f['count']}) in {f['place']}" for f in row["findings"]),
            "; ".join(f"{u['place']}: {u['code']}" for u in row["unread"]))


@app.command()
def extract(
    file: Annotated[Path, typer.Argument(help="Any file: a mail, a document, an archive.")],
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """Print what can be read of a file. PRINTS CONTENT.

    Part by part, and what cannot be read. For a terminal of yours only: refuses to run under a service
    manager. Exits 0 when everything was read, 1 when not, 2 on an error.
    """
    from capture.errors import BadInput
    from capture.files import as_parts, refuse_in_service
    from capture.terminal import as_json, say
    from capture.wiring import build_extractor

    refuse_in_service()
    settings = settings_of(home, optional=True)
    try:
        raw = file.read_bytes()
    except OSError as exc:
        raise BadInput(f"{file}: {type(exc).__name__}") from None
    typer.echo("This prints the content of the file; mind who can see your screen.", err=True)
    extractor = build_extractor(settings)
    try:
        result = as_parts(extractor.extract(raw, name=file.name))
    finally:
        extractor.close()
    if json_out:
        as_json(result)
    else:
        for part in result["parts"]:
            say(f"--- {part['place']} ({part['type']}): {part['status']}{' ' + part['code'] if part['code'] else ''}")
            say(part["text"])
        say(f"--- {result['status']}")
    raise typer.Exit(0 if result["status"] == "read" else EXIT_HELD)


# ---------------------------------------------------------------------------------------- measure, train

Folders = Annotated[list[Path], typer.Argument(help="Folders with labels.jsonl and messages/, or composed messages.")]


@app.command()
def measure(
    folders: Folders,
    folds: Annotated[int, typer.Option("--cv", min=0, max=20, help="Cross-validate: retrain without the measured mail, "
                                       "in this many folds. 0 = measure the scanner as it is.")] = 0,
    extra: Annotated[list[Path] | None, typer.Option("--extra", help="With --cv: data to learn from besides the "
                                                     "mail that ships.")] = None,
    base_rate: Annotated[float, typer.Option("--base-rate", min=0.001, max=0.999,
                                             help="Share of personal mail among all, for the cost.")] = 0.04,
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """Measure the verdict on labelled mail.

    Recall and false holds, with counts and 95 % intervals. Prints no text of a mail.

    Exits 0 when measured, 2 on an error.
    """
    from capture.measuring import as_figures, cross_validated, measured
    from capture.terminal import as_json, say

    settings = settings_of(home, optional=True)
    result = cross_validated(settings, folders, extra or [], folds) if folds else measured(settings, folders)
    if json_out:
        as_json(as_figures(result))
    else:
        say(result.render(base_rate))


@app.command("measure-extract")
def measure_extract(
    folder: Annotated[Path, typer.Argument(help="A folder with files/ and expected.json.")],
    ocr: Annotated[bool, typer.Option("--ocr/--no-ocr", help="Read pictures with tesseract.")] = False,
    home: Home = None,
) -> None:
    """Measure reading on sample files.

    What must be held, and what must be found. Exits 0 when every file is as expected, 1 when one is not, 2 on an error.
    """
    from capture.measuring import measured_reading
    from capture.terminal import say

    score = measured_reading(settings_of(home, optional=True), folder, ocr=ocr)
    for line in score.lines():
        say(line)
    raise typer.Exit(0 if all(file.as_expected for file in score.files) else EXIT_HELD)


@app.command()
def train(
    data: Annotated[list[Path], typer.Option("--data", help="Folder to learn from; may be given several times.")],
    out: Annotated[Path, typer.Option("--out", help="File for the weights.")],
    home: Home = None,
) -> None:
    """Train the sentence model from labelled mail.

    The same data gives the same bytes. Needs the extra `train`.
    """
    from capture.measuring import trained
    from capture.terminal import say

    say(trained(settings_of(home, optional=True), data, out))


@app.command()
def calibrate(home: Home = None, json_out: AsJson = False) -> None:
    """Propose thresholds from what reviewers decided.

    Learns from the cases of this installation that were released or confirmed. Changes nothing.
    """
    from dataclasses import asdict

    from capture.measuring import calibrated
    from capture.terminal import as_json, say

    proposal = calibrated(settings_of(home))
    if json_out:
        as_json(asdict(proposal))
    else:
        say(proposal.render())


@policy_app.command("list")
def policy_list(json_out: AsJson = False) -> None:
    """List the policy packs that ship with mailweir."""
    from capture.terminal import as_json, table
    from pii_scan.policy import builtin_packs, load_pack

    packs = [load_pack(name) for name in builtin_packs()]
    if json_out:
        as_json([{"name": p.name, "version": p.version, "title": p.title} for p in packs])
    else:
        table("", ["pack", "title"], [(p.label, p.title) for p in packs])


@policy_app.command("show")
def policy_show(
    pack: Annotated[str, typer.Argument(help="Name of a pack, or a TOML file.")] = "bc_foippa",
    cite: Annotated[bool, typer.Option("--cite", help="With each rule's source and how sure we are of it.")] = False,
    json_out: AsJson = False,
) -> None:
    """Show a policy pack: thresholds, recognizers, rules."""
    from dataclasses import asdict

    from capture.terminal import as_json, say, table
    from pii_scan.policy import load_pack

    loaded = load_pack(pack)
    if json_out:
        as_json({"pack": loaded.label, "title": loaded.title, "thresholds": asdict(loaded.thresholds),
                 "recognizers": list(loaded.recognizers), "entries": [asdict(e) for e in loaded.entries.values()]})
        return
    say(f"{loaded.label}  {loaded.title}")
    say("thresholds  " + "  ".join(f"{name} {value:g}" for name, value in asdict(loaded.thresholds).items()))
    say(f"recognizers {', '.join(loaded.recognizers)}\n")
    columns = ["key", "value", "in force", *(["source", "basis"] if cite else [])]
    table("", columns, [(e.key, e.value, "yes" if e.in_force else "not confirmed", *([e.cite, e.basis] if cite else []))
                        for e in loaded.entries.values()])


@policy_app.command("check")
def policy_check(pack: Annotated[str, typer.Argument(help="Name of a pack, or a TOML file.")]) -> None:
    """Check a policy pack. Exits 0 when it can be used, 1 with the list of what is wrong."""
    from capture.terminal import say
    from pii_scan.policy import check_pack

    problems = check_pack(pack)
    for problem in problems:
        say(problem)
    if not problems:
        say("fit for use")
    raise typer.Exit(EXIT_HELD if problems else 0)


# ------------------------------------------------------------------------------------------------ capture

@capture_app.command("run")
def capture_run(
    once: Annotated[bool, typer.Option("--once", help="Stop when every tagged item is decided.")] = False,
    home: Home = None,
    json_out: AsJson = False,
) -> None:
    """Find tagged items and work them through: link, or hold and tell.

    Safe to kill at any moment and to start again. Exits 0; 2 when the mailboxes cannot be opened.
    """
    from capture.meter import published
    from capture.terminal import as_json, say
    from capture.worker import run

    logging.getLogger("mailweir").setLevel(logging.WARNING if once else logging.INFO)
    settings = settings_of(home)
    with published(settings.home):
        totals = run(settings, once=once)
    if json_out:
        as_json(totals)
    else:
        say("  ".join(f"{name} {count}" for name, count in totals.items()))


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on. [default: web.host]")] = "",
    port: Annotated[int, typer.Option("--port", min=-1, max=65535,
                                      help="Port to listen on; 0 = any free one. [default: web.port]")] = -1,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Also run a worker on this machine.")] = True,
    home: Home = None,
) -> None:
    """Run the web service, and a worker beside it.

    All that one machine needs. Stop with SIGTERM. Listens on this machine only, unless there is TLS or a trusted
    proxy (settings [web]).

    Exits 0 after a clean stop, 1 when the worker had to be killed, 2 on an error.
    """
    from addin.serve import serve as serve_until_stopped
    from capture.terminal import say

    logging.getLogger("mailweir").setLevel(logging.INFO)
    settings = settings_of(home)
    changed = ({"host": host} if host else {}) | ({"port": port} if port >= 0 else {})
    settings = settings.model_copy(update={"web": settings.web.model_copy(update=changed)})
    raise typer.Exit(serve_until_stopped(
        settings, worker=worker, listening=lambda address: say(f"listening on {address}")))


if __name__ == "__main__":
    main()
