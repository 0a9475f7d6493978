"""`mailweir doctor`: every part looked at, each with what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from capture import auditing, jobs
from capture.crmchecking import looked
from capture.mailbox.router import Mailboxes
from capture.settings import Settings, load_settings
from capture.wiring import build_extractor, build_mailbox, build_scanner, opened
from pii_scan.errors import MailweirError, ScanError
from store import ledger, outbox, watch
from store.database import Database

Result = Literal["ok", "warn", "fail"]
LOW_DISK_BYTES = 1_000_000_000
BACKLOG_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `ok`, `warn` (works, but look) or `fail` (does not work)."""

    name: str
    result: Result
    detail: str


def examine(home: Path) -> list[Check]:
    """Look at everything; a part that fails does not hide the ones after it."""
    try:
        settings = load_settings(home)
    except MailweirError as error:
        return [_failed("settings", error), *_scanner(Settings(home=home)), *_readers(Settings(home=home))]
    return [Check("settings", "ok", str(home)), *_store(settings), *_scanner(settings), *_readers(settings),
            *_mailbox(settings), *_crm(settings), *_disk(settings)]


def _failed(name: str, error: MailweirError) -> Check:
    return Check(name, "fail", f"{error} {error.hint}")


def _store(settings: Settings) -> Iterator[Check]:
    try:
        with opened(settings) as (database, keys):
            yield Check("master key", "ok", f"{settings.store.keys}, key {keys.id}, the one of this database")
            yield Check("database", "ok", database.engine.dialect.name)
            yield from _contents(settings, database)
    except MailweirError as error:
        yield _failed("database and key", error)


def _contents(settings: Settings, database: Database) -> Iterator[Check]:
    verified = auditing.verified(settings, database)
    yield Check("audit", "ok" if verified["whole"] else "fail", verified["sentence"])
    with database.reading() as session:
        counts = ledger.counts(session)
        found = jobs.health(session, settings)
        waiting = outbox.waiting(session)
    held = counts["cases"].get("held", 0)
    yield Check("held for review", "ok", f"{held} open case{'' if held == 1 else 's'}")
    yield from _work(found)
    yield Check("notices", "warn" if waiting else "ok",
                f"{waiting} not sent yet; the next run tries again" if waiting else "all sent")


def _work(found: dict[str, float]) -> Iterator[Check]:
    workers, dead, parked = int(found["workers"]), int(found["dead"]), int(found["parked"])
    waiting, later, oldest = int(found["unfinished"]), int(found["later"]), found["oldest"]
    yield Check("workers", "warn" if dead or (waiting and not workers) else "ok",
                f"{workers} at work" + (f"; {dead} dead, their items are taken up by the next beat of another" if dead
                                        else "" if workers or not waiting else "; start one with `mailweir work`"))
    yield Check("unfinished items", "warn" if oldest > BACKLOG_SECONDS or (waiting and not workers) else "ok",
                f"{waiting}, the oldest for {duration(oldest)}; {later} had trouble and are tried again"
                if waiting else "none")
    yield Check("parked work", "fail" if parked else "ok",
                f"{parked}: not even holding worked; `mailweir jobs list --dead` and `jobs retry`" if parked
                else "none")


def duration(seconds: float) -> str:
    """A time span as a person says it."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"


def _scanner(settings: Settings) -> Iterator[Check]:
    try:
        build_scanner(settings)
    except ScanError as error:
        yield _failed("scanner", error)
    else:
        yield Check("scanner", "ok", f"language model and policy pack {settings.scan.pack} loaded")


def _readers(settings: Settings) -> Iterator[Check]:
    from capture.extract import SandboxedExtractor

    extractor = build_extractor(settings)
    if not isinstance(extractor, SandboxedExtractor):
        return
    try:
        found = extractor.protections()
        missing = extractor.missing_readers()
        sample = extractor.extract(b"Subject: test\n\nhello\n")
    finally:
        extractor.close()
    on = [name for name, value in found.items() if value and name != "ocr"]
    off = [name for name, value in found.items() if not value and name != "ocr"]
    needed = found.get("process") and found.get("limits") and sample.status == "read"
    words = {"user": "ordinary user", "process": "own process"}
    detail = f"on: {', '.join(words.get(n, n) for n in on) or 'none'}"
    detail += f"; off: {', '.join(words.get(n, n) for n in off)}" if off else ""
    detail += "; run mailweir as a user of its own, not as root" if "user" in off else ""
    yield Check("reading in child processes", "fail" if not needed else "warn" if off else "ok", detail)
    if missing:
        yield Check("readers", "warn", f"not loaded, their files are held: {', '.join(missing)}")
    yield Check("OCR", "ok" if found.get("ocr") else "warn",
                "tesseract found" if found.get("ocr") else "no tesseract: pictures and scans are held as needs_ocr")


def _mailbox(settings: Settings) -> Iterator[Check]:
    try:
        with opened(settings) as (database, _):
            mailboxes = build_mailbox(settings, database)
            try:
                names = mailboxes.mailboxes()
                failed = _not_served(mailboxes, names)
            finally:
                mailboxes.close()
            with database.reading() as session:
                rows = [row for row in watch.mailboxes(session) if row.removed is None]
                owed, given_up = watch.owed_counts(session)
                asked = len(watch.untrack_requested(session))
    except MailweirError as error:
        yield _failed("mailbox", error)
        return
    yield Check("mailbox", "ok" if names else "warn", f"{settings.mailbox.kind}, watched: {len(names)}"
                + ("" if names else "; make a folder for each below mailbox.root" if settings.mailbox.kind == "folder"
                   else "; add one with `mailweir mailbox add`"))
    yield from failed
    parked = [row for row in rows if row.parked]
    codes = ", ".join(sorted({row.code for row in parked}))
    yield Check("parked mailboxes", "fail" if parked else "ok",
                f"{len(parked)} refuse us ({codes}); `mailweir mailbox check` says why" if parked else "none")
    missed = sum(row.missed for row in rows)
    yield Check("full look", "warn" if missed else "ok",
                f"the last found {missed} tagged items that the cursors had missed" if missed else "nothing was missed")
    if owed or given_up:
        yield Check("states to show", "warn", f"{owed} not shown in Outlook yet, {given_up} given up")
    if asked:
        yield Check("requests to untrack", "warn", f"{asked} open; `mailweir mailbox untrack` lists them")


def _crm(settings: Settings) -> Iterator[Check]:
    """That the CRM lets us in, is in an allowed region, and that nothing is missing there."""
    try:
        with opened(settings) as (database, _):
            found = looked(settings, database)
    except MailweirError as error:
        yield _failed("CRM", error)
        return
    missing = [one for one in found if not one.fine]
    yield Check("CRM", "fail" if missing else "ok",
                f"{settings.crm.kind}: {missing[0].detail} {len(missing)} missing in all; `mailweir crm check` lists "
                "them" if missing else f"{settings.crm.kind}: {found[0].detail}" if found else settings.crm.kind)


def _not_served(mailboxes: Mailboxes, names: Sequence[str]) -> list[Check]:
    """One failed check for each way in which a backend cannot serve the mailboxes that were given to it."""
    failed: dict[str, list[MailweirError]] = {}
    for name in names:
        try:
            mailboxes.backend(name)
        except MailweirError as error:
            failed.setdefault(str(error), []).append(error)
    return [Check("mailboxes not served", "fail", f"{len(errors)}: {errors[0]} {errors[0].hint}")
            for errors in failed.values()]


def _disk(settings: Settings) -> Iterator[Check]:
    free = shutil.disk_usage(settings.home).free
    yield Check("disk", "ok" if free > LOW_DISK_BYTES else "warn", f"{free / 1e9:.1f} GB free")
