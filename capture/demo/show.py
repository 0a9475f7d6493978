"""`mailweir demo`: a home, the invented mailboxes, one run, and a report of what happened and why."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table
from sqlmodel import Session

from capture import desk, worker
from capture.demo.cast import enter_people
from capture.demo.items import CRM_FILE, ITEMS, build_mailboxes
from capture.errors import BadInput
from capture.homes import create_home
from capture.mailbox.filemarks import categories, stamp_of
from capture.mailbox.states import PREFIX, TRIGGER
from capture.settings import Settings, load_settings
from capture.terminal import STATE_STYLE, console
from capture.wiring import opened
from store import crm_choices, ledger
from store.crm_tables import Activity
from store.tables import Capture

SUGGESTED = {"domain": "by domain", "thread": "it answers a mail about it", "open-work": "their open business",
             "number": "its number is in the subject", "name": "its name is in the subject"}
"""Why something is suggested, in a few words."""
NOT_LINKED = {"meeting-request": "by no rule: a meeting request",
              "own-domains-only": "by no rule: mail among ourselves",
              "never-track": "by no rule: on a never-track list", "private": "by no rule: marked private"}
"""Why nothing is linked or suggested by rule."""
SETTINGS = """\
# The home of `mailweir demo`. Everybody in it is invented.
[mailbox]
domain = "example.org"

[scan]
own_domains = ["example.org"]

[sign_in]
kind = "demo"
"""


def run_demo(keep: Path | None = None) -> int:
    """Run the demo and return the exit code: 0, or 1 when an item ended otherwise than it should."""
    with demo_home(keep) as home:
        return _show(home, kept=keep is not None)


@contextmanager
def demo_home(keep: Path | None = None) -> Iterator[Path]:
    """A folder for a demo home, taken away at the end unless it is to be kept. Raises `BadInput`."""
    if keep is not None:
        try:
            keep.mkdir(mode=0o700, parents=True, exist_ok=True)
            empty = not any(keep.iterdir())
        except OSError as exc:
            raise BadInput(f"{keep}: {type(exc).__name__}") from None
        if not empty:
            raise BadInput(f"{keep}: not empty; name a new folder")
    home = keep.resolve() if keep else Path(tempfile.mkdtemp(prefix="mailweir-demo-"))
    try:
        yield home
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)


def make_home(home: Path) -> Settings:
    """The home of a demo with its people and mailboxes; nothing is worked through yet."""
    home.mkdir(exist_ok=True)
    create_home(home, settings_text=SETTINGS)
    settings = load_settings(home)
    enter_people(settings)
    build_mailboxes(settings.mailbox_root)
    return settings


def _show(home: Path, *, kept: bool) -> int:
    out = console()
    settings = make_home(home)
    tagged = sum(item.outcome != "untouched" for item in ITEMS)
    out.print(f"[bold]mailweir demo[/]: {len(ITEMS)} invented mails in 3 mailboxes, {tagged} of them tagged "
              f"\"{TRIGGER}\". Nothing leaves this machine.\n")
    counts = desk.import_crm(settings, CRM_FILE)
    out.print("CRM import: " + ", ".join(f"{n} {name}" for name, n in counts.items() if n))
    out.print("Working through the mailboxes: fetch, read, scan, decide, link or hold ...\n")
    began = time.perf_counter()
    totals = worker.run(settings, once=True)
    seconds = time.perf_counter() - began

    wrong = _table(settings)
    out.print(f"\n[bold]{totals['linked']} linked, {totals['held']} held[/], {len(ITEMS) - tagged} untouched, "
              f"in {seconds:.0f} s.")
    if wrong:
        out.print(f"[red]{wrong} items did not end as they should.[/]")
    _notices(home)
    verified = desk.verify_audit(settings)
    out.print(f"\n[bold]Checked:[/] {verified['sentence']}.")
    _next(home, kept=kept)
    return 1 if wrong or not verified["whole"] or totals["unfinished"] else 0


def _table(settings: Settings) -> int:
    """Print what became of every item, and why; returns how many ended otherwise than they should."""
    reasons = _reasons(settings)
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("mailbox", "item", "state", "why"):
        grid.add_column(column, overflow="fold", no_wrap=column in ("mailbox", "state"))
    wrong = 0
    for item in ITEMS:
        user, _, rest = item.file.partition("/")
        shown = [c.removeprefix(PREFIX) for c in categories((settings.mailbox_root / item.file).read_bytes())
                 if c.startswith(PREFIX)]
        state = shown[0] if shown else "untouched"
        wrong += state != item.outcome
        flag = "" if state == item.outcome else f" (should be {item.outcome})"
        style = STATE_STYLE.get(state, "dim")
        grid.add_row(user, escape(item.story), f"[{style}]{state}[/]{flag}", escape(reasons.get((user, rest), "")))
    console().print(grid)
    return wrong


def _reasons(settings: Settings) -> dict[tuple[str, str], str]:
    """Why each tracked item ended as it did, by mailbox and file."""
    found: dict[tuple[str, str], str] = {}
    with opened(settings) as (database, _), database.reading() as session:
        for item in ITEMS:
            stamp = stamp_of((settings.mailbox_root / item.file).read_bytes())
            if stamp is not None:
                row = ledger.get(session, stamp.capture)
                user, _, rest = item.file.partition("/")
                found[user, rest] = _why(row.summary) if row.outcome == "hold" else _matched(session, row)
    return found


def _why(summary: dict[str, Any]) -> str:
    """The two weightiest reasons, in a few words each."""
    counts: dict[tuple[str, str], int] = {}
    for finding in summary.get("findings", []):
        key = (finding["kind"].replace("_", " "), finding["place"])
        counts[key] = max(counts.get(key, 0), finding["count"])
    reasons = [f"{u['place']}: {u['code'].replace('_', ' ')}" for u in summary.get("unread", [])]
    reasons += [f"{kind}{f' x{count}' if count > 1 else ''} in {place}" for (kind, place), count in counts.items()]
    return "; ".join(reasons[:2]) or "the wording as a whole"


def _matched(session: Session, row: Capture) -> str:
    """To what an item was linked, or what is suggested, or why nothing is."""
    offered = crm_choices.offered(session, row.activity, row.mailbox)
    said = {"contact": "to a contact, by address", "organisation": "to an organisation",
            "lead": "to a lead, by address"}.get(row.summary.get("matched", ""), "")
    if offered:
        record, ident, reason = offered[0]
        more = f" and {len(offered) - 1} more" if len(offered) > 1 else ""
        name = f"{record} {crm_choices.title(session, record, ident)}"
        return "; ".join(filter(None, (said, f"suggested: {name}, {SUGGESTED.get(reason, reason)}{more}")))
    activity = session.get(Activity, row.activity)
    return said or NOT_LINKED.get(activity.reason if activity else "", "nobody known: on the unmatched list")


def _notices(home: Path) -> None:
    path = home / "notices.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    out = console()
    out.print(f"\n[bold]{len(rows)} notices[/] went out; the first of them, as its reader gets it:")
    for row in rows[:1]:
        out.print(f"\n  To: {row['to']}\n  Subject: {row['subject']}\n", markup=False)
        for line in row["text"].splitlines():
            out.print(f"  {line}", markup=False)


def _next(home: Path, *, kept: bool) -> None:
    out = console()
    out.print("\n[bold]Three things to try next[/]")
    if kept:
        case = f"MW-{time.strftime('%Y')}-000001"
        lines = [f"mailweir serve --home {home}      the desk: open the address it prints, and choose who you are",
                 f"mailweir queue show {case} --home {home}", f"mailweir audit show --home {home}"]
    else:
        lines = ["mailweir demo --keep demo-home        keeps what you just saw, so that you can look around",
                 "mailweir scan SOME-MAIL.eml           scans a mail of yours; stores nothing",
                 "mailweir init                         makes a home of your own"]
    for line in lines:
        out.print(f"  {line}", markup=False)
