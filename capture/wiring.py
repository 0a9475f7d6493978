"""Settings to tools: the only place where concrete classes meet."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from capture.crm import CRMS
from capture.errors import BadSettings
from capture.mailbox import MAILBOXES
from capture.mailbox.router import Mailboxes
from capture.meter import METER
from capture.notify import NOTIFIERS
from capture.ports import Crm, Extractor, Mailbox, Notifier, Scanner, Weigh, Weighing
from capture.settings import Settings
from pii_scan.errors import ScanError
from pii_scan.findings import Decision, Report
from pii_scan.text import Extraction
from store import vault
from store.crypto import Keys
from store.database import Database, open_database
from store.keys import provider

log = logging.getLogger("mailweir.wiring")


@dataclass(frozen=True, slots=True, repr=False)
class Tools:
    """Everything the flow works with."""

    settings: Settings
    database: Database
    keys: Keys
    mailbox: Mailbox
    extractor: Extractor
    scanner: Scanner
    crm: Crm
    notifier: Notifier


def load(registry: dict[str, str], kind: str, setting: str) -> Any:
    """The class a registry names. Raises `BadSettings` naming what there is."""
    if kind not in registry:
        raise BadSettings(f"{setting}: no {kind!r}; there are {', '.join(sorted(registry))}")
    module, _, name = registry[kind].partition(":")
    return getattr(import_module(module), name)


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Database, Keys]]:
    """The database and the keys of a home, checked: schema current, master key the right one."""
    keys = master_keys(settings)
    database = open_database(settings.database_url, pool_size=settings.store.pool_size,
                             busy_seconds=settings.store.busy_seconds)
    try:
        vault.check(database, keys)
        yield database, keys
    finally:
        database.close()


def build_scanner(settings: Settings) -> Scanner:
    """The scanner with the policy pack of the settings and the lists and forms of the home."""
    from pii_scan.engine import Scanner as OurScanner
    from pii_scan.policy import load_pack

    found, forms = list_files(settings), settings.home / "forms.json"
    scan = settings.scan.model_copy(update={
        "lists": found, "forms": settings.scan.forms or (forms if forms.is_file() else None)})
    return OurScanner(scan, load_pack(scan.pack), list_key=list_key(master_keys(settings)) if found else b"")


def master_keys(settings: Settings) -> Keys:
    """The keys of a home, from the provider its settings name."""
    return Keys(provider(settings.store.keys, settings.store.key_place(settings.home)).load())


def list_files(settings: Settings) -> tuple[Path, ...]:
    """The exact-match lists of the settings and of the home folder."""
    return (*settings.scan.lists, *sorted((settings.home / "lists").glob("*.json")))


def list_key(keys: Keys) -> bytes:
    """The key of exact-match lists."""
    return keys.derive("exact-match")


def build_extractor(settings: Settings) -> Extractor:
    """The extractor; it starts a child process for each item it reads."""
    from capture.extract import SandboxedExtractor

    return SandboxedExtractor(settings.extract)


class RefusingScanner:
    """Stands in for a scanner that cannot be built: every item is then held with the scanner's error."""

    def __init__(self, error: ScanError) -> None:
        self.error = error

    def scan(self, extraction: Extraction) -> Report:  # noqa: ARG002 - the protocol asks for it
        """Raise the error: no verdict, so the item is held."""
        raise self.error

    def decide(self, report: Report, extraction: Extraction) -> Decision:  # noqa: ARG002 - as above
        """Raise the error."""
        raise self.error


class MeteredScanner:
    """A scanner whose time is metered."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner

    def scan(self, extraction: Extraction) -> Report:
        """What the scanner finds."""
        with METER.timed("scan"):
            return self._scanner.scan(extraction)

    def scan_with(self, extraction: Extraction, weigh: Weigh) -> Report:
        """What the scanner finds, weighed before the semantic stage where the scanner can do that."""
        with METER.timed("scan"):
            return scan_with(self._scanner, extraction, weigh)

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        """What the scanner decides."""
        return self._scanner.decide(report, extraction)


def scan_with(scanner: Scanner, extraction: Extraction, weigh: Weigh) -> Report:
    """What a scanner finds, with `weigh` asked which findings are exempt; it drops none."""
    if isinstance(scanner, Weighing):
        return scanner.scan_with(extraction, weigh)
    report = scanner.scan(extraction)
    return replace(report, findings=weigh(report.findings))


def scanner_or_refusal(settings: Settings) -> Scanner:
    """The scanner, or, when the model or the pack is missing, one that holds everything."""
    try:
        return MeteredScanner(build_scanner(settings))
    except ScanError as error:
        log.error("%s; every item is held until this is mended: %s", error, error.hint)  # noqa: TRY400
        return RefusingScanner(error)


@contextmanager
def assembled(settings: Settings) -> Iterator[Tools]:
    """Everything the flow works with, for one home; closed again at the end."""
    with opened(settings) as (database, keys):
        crm = build_crm(settings, database)
        extractor, mailbox = build_extractor(settings), build_mailbox(settings, database)
        try:
            yield Tools(settings, database, keys, mailbox, extractor, scanner_or_refusal(settings), crm,
                        build_notifier(settings))
        finally:
            crm.close()
            mailbox.close()
            extractor.close()


def build_crm(settings: Settings, database: Database) -> Crm:
    """The CRM backend of the settings."""
    made: Crm = load(CRMS, settings.crm.kind, "crm.kind")(settings, database)
    return made


def build_mailbox(settings: Settings, database: Database) -> Mailboxes:
    """All mailboxes of a home, each with its backend; a backend is opened when it is first needed."""
    return Mailboxes(database, partial(open_backend, settings), settings.mailbox.kind)


def open_backend(settings: Settings, kind: str, added: Sequence[str] = ()) -> Mailbox:
    """One mailbox backend. `added`: mailboxes it serves beside those of its own settings."""
    section = getattr(settings, kind, None)
    if added and section is not None and hasattr(section, "mailboxes"):
        names = tuple(dict.fromkeys((*section.mailboxes, *added)))
        settings = settings.model_copy(update={kind: section.model_copy(update={"mailboxes": names})})
    made: Mailbox = load(MAILBOXES, kind, "mailbox.kind")(settings)
    return made


def build_notifier(settings: Settings) -> Notifier:
    """The notice backend of the settings."""
    chosen = settings.notify
    backend = load(NOTIFIERS, chosen.kind, "notify.kind")
    if chosen.kind == "log":
        made: Notifier = backend(settings.home / "notices.jsonl")
    else:
        made = backend(host=chosen.host, port=chosen.port, sender=chosen.sender, tls=chosen.tls, user=chosen.user,
                       password=settings.smtp_password.get_secret_value, timeout=chosen.timeout_seconds)
    return made
