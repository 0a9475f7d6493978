"""A home with a mailbox, for flow tests: real folder, real SQLite, real readers, real scanner."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from capture.homes import create_home
from capture.settings import Settings, load_settings

SETTINGS = """\
[mailbox]
domain = "example.org"
[scan]
own_domains = ["example.org"]
[engine]
polling_seconds = 0.05
retry_seconds = 0.05
"""


@dataclass
class World:
    """A home and what can be asked of it from outside."""

    home: Path
    settings: Settings

    def put(self, user: str, name: str, raw: bytes, *, folder: str = "Track in CRM") -> Path:
        """Lay a mail into a folder of a user's mailbox."""
        path = self.settings.mailbox_root / user / folder / f"{name}.eml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return path

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Rows of the database, read by a connection of the test's own; `?` stands for a value."""
        if not self.settings.database_url.startswith("sqlite"):
            dsn = make_url(self.settings.database_url).set(drivername="postgresql")
            with psycopg.connect(dsn.render_as_string(hide_password=False)) as server:
                return server.execute(sql.replace("?", "%s").encode(), values or None).fetchall()
        connection = sqlite3.connect(self.home / "mailweir.db")
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def notices(self) -> list[dict[str, Any]]:
        """What the log notifier wrote."""
        path = self.home / "notices.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def stored_bytes(self) -> dict[str, bytes]:
        """Every file of the home but the mailboxes (those are the users' own)."""
        return {str(path.relative_to(self.home)): path.read_bytes() for path in sorted(self.home.rglob("*"))
                if path.is_file() and self.settings.mailbox_root not in path.parents}


def make_world(home: Path, settings: str = SETTINGS, *, database: str = "") -> World:
    """A new home; `database` is the URL of an empty or fresh PostgreSQL database, if not on SQLite."""
    create_home(home, settings_text=settings + (f'[store]\ndatabase = "{database}"\n' if database else ""))
    return World(home, load_settings(home))


def mail(subject: str, body: str, *, message_id: str | None = None,
         sender: str = "Rose Antoine <rose@client.example.com>", to: str = "dana.reid@example.org",
         attachments: tuple[tuple[str, str, bytes], ...] = ()) -> bytes:
    """A mail; attachments are (name, "main/sub", bytes)."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = "Tue, 03 Mar 2026 09:15:00 -0800"
    if message_id:
        message["Message-ID"] = f"<{message_id}>"
    message.set_content(body)
    for name, kind, data in attachments:
        main, _, sub = kind.partition("/")
        message.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()
