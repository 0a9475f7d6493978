"""Making a home folder: settings, master key, database. What is there already stays as it is."""

from __future__ import annotations

from pathlib import Path

from capture import auditing
from capture.errors import BadSettings
from capture.settings import SETTINGS_FILE, TEMPLATE, load_settings
from store import vault
from store.crypto import Keys
from store.database import open_database
from store.keys import provider
from store.keys.file import FileKey


def create_home(home: Path, *, settings_text: str = TEMPLATE) -> list[str]:
    """Create or upgrade a home; returns one sentence for each thing done.

    Raises `BadSettings` when the folder cannot be made or written, and the store's errors (`key-wrong`,
    `key-missing`, `database-...`) before anything is changed in an existing database.
    """
    done: list[str] = []
    try:
        if not home.is_dir():
            home.mkdir(mode=0o700, parents=True)
            done.append(f"created {home}, readable by you only")
        if not (home / SETTINGS_FILE).exists():
            (home / SETTINGS_FILE).write_text(settings_text, encoding="utf-8")
            done.append(f"wrote {SETTINGS_FILE}; look at [mailbox] and [scan] first")
    except OSError as exc:
        raise BadSettings(f"{home}: cannot be made or written, {type(exc).__name__}") from None
    settings = load_settings(home)
    if settings.mailbox.kind == "folder" and not settings.mailbox_root.exists():
        settings.mailbox_root.mkdir(parents=True)
        done.append("made an empty mailbox folder")
    database = open_database(settings.owner_url, pool_size=settings.store.pool_size,
                             busy_seconds=settings.store.busy_seconds, create=True)
    try:
        place = settings.store.key_place(home)
        if settings.store.keys == "file" and not Path(place).exists() and not vault.is_bound(database):
            FileKey(place).create()
            done.append("made master.key, readable by you only: keep a copy elsewhere, without it held mail is lost")
        version = vault.prepare(database, Keys(provider(settings.store.keys, place).load()))
        done.append(f"database ready (schema {version})")
        if auditing.make_key(settings):
            done.append("made checkpoint.key, which signs the audit; `mailweir audit key` prints its public half")
    finally:
        database.close()
    return done
