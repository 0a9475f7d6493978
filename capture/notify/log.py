"""Notices as lines of `notices.jsonl` in the home folder: for the demo, for tests, and for installations
whose own mail system picks them up."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from capture.errors import TryLater
from capture.ports import Notifier


class LogNotifier:
    """Appends one JSON object a notice: key, at, to, subject, text."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, key: str, to: str, subject: str, text: str) -> None:
        """Append the notice; the line is on disk when this returns."""
        row = {"key": key, "at": datetime.now(UTC).isoformat(timespec="seconds"), "to": to,
               "subject": subject, "text": text}
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
        try:
            # one write of one line: several processes may append without mixing their lines
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as exc:
            raise TryLater(f"notice log, {type(exc).__name__}") from None


_: type[Notifier] = LogNotifier
