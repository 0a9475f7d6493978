"""Log lines without content: one JSON object a line, or a plain line on a terminal.

Our own loggers (`mailweir.*`) write sentences made of ids, kinds, counts and places. What any other
library logs may quote data, so only its level, file and line are printed, and of an exception only its type
and where it was raised.

    log.info("capture done", extra=fields("capture:item:done", capture=capture.id, seconds=1.2))
    with bound(capture=capture.id):      # every line of this block carries the id
        ...

A line has `ts`, `level` and `event`, then what is known of `FIELDS`, then `text`. docs/operators/monitoring.md
lists them. A field's value is an id, a code or a number; anything with a blank in it is replaced by "?".
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

OURS = "mailweir"

FIELDS: Final[Mapping[str, str]] = {
    "request": "id of the web request; the answer carries it as X-Request-Id",
    "case": "case number",
    "capture": "id of a capture",
    "run": "id of a rescan",
    "worker": "id of a worker process",
    "method": "method of a web request",
    "route": "template of the route that answered, never the address that was asked for",
    "status": "status of the answer",
    "seconds": "how long it took",
    "count": "how many",
    "attempt": "which try",
    "step": "step of the flow",
    "code": "code of an error, see the reference",
}
"""Fields a line may carry besides `ts`, `level`, `event`, `text`, `at`, `error`."""

Style = Literal["auto", "json", "text"]
_ID = re.compile(r"[\w.:@+/=,#{}()-]{0,128}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAX_TEXT = 1000
_bound: ContextVar[Mapping[str, Any]] = ContextVar("mailweir_log_fields", default={})  # noqa: B039 - never changed


def fields(event: str, /, **known: str | float | None) -> dict[str, Any]:
    """What `extra=` of a log call takes: the event's name and some of `FIELDS`.

    Raises `KeyError` for a field that is not in `FIELDS`: a mistake in the program.
    """
    for name in known:
        FIELDS[name]
    return {"mailweir": {"event": event} | known}


@contextlib.contextmanager
def bound(**known: str | float | None) -> Iterator[None]:
    """Every line logged inside the block, by this thread or task, carries these fields."""
    fields("", **known)
    token = _bound.set({**_bound.get(), **known})
    try:
        yield
    finally:
        _bound.reset(token)


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """What a log record may show, in the order it is shown."""
    ours = record.name.split(".")[0] == OURS
    given: Mapping[str, Any] = getattr(record, "mailweir", {}) if ours else {}
    known = {**_bound.get(), **{name: value for name, value in given.items() if name in FIELDS}}
    event = str(given.get("event") or (record.name.removeprefix(f"{OURS}.") if ours else "foreign"))
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown: dict[str, Any] = {"ts": at, "level": record.levelname.lower(), "event": _safe(event)}
    shown |= {name: _safe(known[name]) for name in FIELDS if known.get(name) is not None}
    if ours:
        shown["text"] = _CONTROL.sub(" ", record.getMessage())[:_MAX_TEXT]
    else:
        shown["at"] = f"{record.name.split('.')[0]} {record.filename}:{record.lineno}"
    error = record.exc_info[1] if record.exc_info else None
    return shown | ({"error": where(error)} if error else {})


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(facts(record), ensure_ascii=True, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """The same facts as a line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        shown = facts(record)
        head = f"{shown.pop('ts')} {shown.pop('level')}"
        event, text, at = shown.pop("event"), shown.pop("text", ""), shown.pop("at", "")
        error = shown.pop("error", "")
        rest = " ".join(f"{name}={value}" for name, value in shown.items())
        said = text or (f"message of {at.replace(' ', ' at ')}" if at else event)
        return " ".join(part for part in (head, said, rest, f"[{error}]" if error else "") if part)


def where(error: BaseException) -> str:
    """The type of an exception and the file and line that raised it; never its message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


class StandardError(logging.Handler):
    """Writes to what standard error is at that moment, not to what it was when logging began."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - whatever it is, the program goes on without this line
            self.handleError(record)


def configure(level: int = logging.WARNING, style: Style = "auto") -> None:
    """Send every log line of the process to standard error.

    `style`: "json" is one object a line, "text" a line for a person, "auto" text on a terminal and JSON elsewhere.
    A line that cannot be made or written is left out: what Python prints in its place has a traceback, which may
    quote a mail.
    """
    logging.raiseExceptions = False
    logging.getLogger().handlers[:] = [StandardError()]
    restyle(style)
    logging.getLogger().setLevel(logging.ERROR)
    logging.getLogger(OURS).setLevel(level)
    logging.captureWarnings(capture=True)


def restyle(style: Style) -> None:
    """Change how the lines look once the settings are known; levels stay."""
    as_text = style == "text" or (style == "auto" and sys.stderr.isatty())
    for handler in logging.getLogger().handlers:
        handler.setFormatter(TextFormatter() if as_text else JsonFormatter())


def _safe(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, (bool, int)):
        return value
    return value if isinstance(value, str) and _ID.fullmatch(value) else "?"
