"""When and where: what an appointment or a task says of itself beside its text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from capture.mailbox.composed import calendar_of, moment_of, unescaped
from capture.ports import ItemKind, MailItem


@dataclass(frozen=True, slots=True, repr=False)
class Times:
    """Moments in UTC, and the same with the place as lines a person reads; nothing for a mail."""

    starts: datetime | None = None
    ends: datetime | None = None
    due: datetime | None = None
    words: str = ""


def times_of(item: MailItem) -> Times:
    """The times and the place of an appointment or a task, from its calendar part."""
    if item.ref.kind is ItemKind.MAIL:
        return Times()
    values = {name: value for name, _, value in reversed(calendar_of(item.raw))}
    starts, ends, due = (_moment(values.get(name, "")) for name in ("DTSTART", "DTEND", "DUE"))
    place = " ".join(unescaped(values.get("LOCATION", "")).split())
    status = values.get("STATUS", "").strip().casefold()
    lines = [f"{label}: {moment:%Y-%m-%d %H:%M} UTC" for label, moment in (
        ("Starts", starts), ("Ends", ends), ("Due", due)) if moment is not None]
    lines += [f"Place: {place}"] if place else []
    lines += [f"Status: {status}"] if item.ref.kind is ItemKind.TASK and status else []
    return Times(starts, ends, due, "\n".join(lines))


def _moment(value: str) -> datetime | None:
    found = moment_of(value)
    if isinstance(found, date) and not isinstance(found, datetime):
        return datetime.combine(found, time(), UTC)
    return found
