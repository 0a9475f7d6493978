"""Settings to tools: the only place where concrete classes meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from capture.errors import BadSettings
from capture.mailbox import MAILBOXES
from capture.notify import NOTIFIERS
from capture.ports import Crm, Extractor, Mailbox, Notifier, Scanner
from capture.settings import Settings
from store.crypto import Keys
from store.database import Database, open_database, require_current
from store.keys import provider
from store.vault import check_key


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
    keys = Keys(provider(settings.store.keys, settings.store.key_place(settings.home)).load())
    database = open_database(settings.database_url, pool_size=settings.store.pool_size,
                             busy_seconds=settings.store.busy_seconds)
    try:
        require_current(database)
        check_key(database, keys)
        yield database, keys
    finally:
        database.close()


def build_scanner(settings: Settings) -> Scanner:
    """The scanner with the policy pack of the settings; the language model is loaded when first needed."""
    from pii_scan.engine import Scanner as OurScanner
    from pii_scan.policy import load_pack

    return OurScanner(settings.scan, load_pack(settings.scan.pack))


def build_extractor(settings: Settings) -> Extractor:
    """The extractor with its child processes."""
    from capture.extract import SandboxedExtractor

    return SandboxedExtractor(settings.extract, workers=settings.engine.readers)


def build_mailbox(settings: Settings) -> Mailbox:
    """The mailbox backend of the settings."""
    made: Mailbox = load(MAILBOXES, settings.mailbox.kind, "mailbox.kind")(settings.mailbox_root)
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
