"""`mailweir work` and `mailweir jobs`: a worker, and what there is to do."""

from __future__ import annotations

from typing import Annotated

import typer

from capture.commands.common import AsJson, Home, settings_of

app = typer.Typer(no_args_is_help=True, help="The work: what runs, waits, had trouble or is parked.")

COLUMNS = ("id", "job", "state", "attempts", "error", "age", "due", "worker")


def work(
    concurrency: Annotated[int, typer.Option("--concurrency", min=0, max=8, help="Items worked on at a time. "
                                             "[default: engine.concurrency]")] = 0,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Also take turns at watching the mailboxes; "
                                        "one worker at a time does.")] = True,
    home: Home = None,
) -> None:
    """Run a worker until it is told to stop. Any number may run on one database, on one machine or many.

    Kill it at any moment: the others, or the next, take up what it had in hand. On SIGTERM it finishes what runs,
    within engine.stop_seconds; a second SIGTERM ends it at once. Exits 0 after a stop, 2 when it cannot start.
    """
    import logging
    import os
    import sys
    import threading

    from capture.logs import restyle
    from capture.meter import published
    from capture.worker import run

    settings = settings_of(home)
    restyle(settings.log.style)
    logging.getLogger("mailweir").setLevel(logging.INFO)
    if concurrency:
        settings = settings.model_copy(
            update={"engine": settings.engine.model_copy(update={"concurrency": concurrency})})
    with published(settings.home):
        run(settings, watch=watch)
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)  # what was left in hand still runs in threads nobody waits for


@app.command("list")
def jobs_list(
    dead: Annotated[bool, typer.Option("--dead", help="Only what is parked: nothing but `jobs retry` starts it.")]
    = False,
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """List the work: trouble first, then what runs, then what waits. Ids, codes and counts, no content.

    Exits 0, or 1 when something is parked.
    """
    from capture.jobs import listed
    from capture.terminal import as_json, say, short, table

    found = listed(settings_of(home), dead=dead)
    if json_out:
        as_json(found)
    else:
        table("", COLUMNS, [[short(name, row[name]) for name in COLUMNS] for row in found["jobs"]])
        say("  ".join(f"{name} {count}" for name, count in found["counts"].items()))
    raise typer.Exit(1 if found["counts"]["parked"] else 0)


@app.command("show")
def jobs_show(
    job: Annotated[str, typer.Argument(help="Id from `jobs list`, or of a capture.")],
    json_out: AsJson = False,
    home: Home = None,
) -> None:
    """Show one piece of work: its tries and every run of it."""
    from capture.jobs import shown
    from capture.terminal import as_json, table

    found = shown(settings_of(home), job)
    if json_out:
        as_json(found)
        return
    table("tries", COLUMNS[:-1], [[row[name] for name in COLUMNS[:-1]] for row in found["tries"]])
    columns = ("id", "job", "state", "error", "queue", "worker", "created", "updated")
    table("runs", columns, [[row[name] for name in columns] for row in found["runs"]])


@app.command("retry")
def jobs_retry(
    job: Annotated[list[str] | None, typer.Argument(help="Ids from `jobs list --dead`.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is parked.")] = False,
    actor: Annotated[str, typer.Option("--actor", help="Who does it. [default: the signed-in user]")] = "",
    home: Home = None,
) -> None:
    """Try parked work again, with its counts at zero. A worker takes it up at once. Exits 0; 2 for an unknown id."""
    from capture.jobs import NoJobNamed, retry
    from capture.terminal import say

    if not job and not everything:
        raise NoJobNamed
    done = retry(settings_of(home), job or [], everything=everything, actor=actor)
    say(f"{len(done)} queued again")
