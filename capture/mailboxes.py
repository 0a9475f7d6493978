"""What operators do about mailboxes at the terminal: add, list, check, bind folders, see what is owed and asked."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from capture.desk import actor_name
from capture.errors import BadInput
from capture.mailbox import MAILBOXES
from capture.settings import Settings
from capture.wiring import build_mailbox, opened
from pii_scan.errors import MailweirError
from store import audit, crm_records, watch
from store.watch_tables import WatchedMailbox

_RECORD = re.compile(r"(?:contact|organisation|lead|opportunity):[0-9A-Za-z-]{1,64}")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f/]{1,320}")


class BadMailbox(BadInput):
    """A mailbox is named by its address, and its backend is one of those there are."""

    code = "bad-mailbox"
    hint = "For example: mailweir mailbox add dana@example.org --backend graph; backends: folder, ews, graph."


class BadRecord(BadInput):
    """A CRM record is named by its kind and id, and must be in the CRM."""

    code = "bad-record"
    hint = "For example: --record organisation:ID or --record contact:ID; `mailweir crm list` shows ids."


class NoFolder(BadInput):
    """The mailbox has no folder of this path that is watched."""

    code = "no-folder"
    hint = "Run `mailweir mailbox folders MAILBOX`; a new folder is known after the next look."


def add(settings: Settings, mailbox: str, *, backend: str = "", division: str = "") -> str:
    """Watch a mailbox from now on."""
    kind = backend or settings.mailbox.kind
    if not _NAME.fullmatch(mailbox) or kind not in MAILBOXES:
        raise BadMailbox
    with opened(settings) as (database, _), database.session() as session:
        watch.add(session, mailbox, backend=kind, division=division, actor=actor_name())
    return f"{mailbox} is watched through {kind}{f', division {division}' if division else ''}"


def remove(settings: Settings, mailbox: str) -> str:
    """Watch a mailbox no more; what was captured of it stays."""
    with opened(settings) as (database, _), database.session() as session:
        watch.remove(session, mailbox, actor=actor_name())
    return f"{mailbox} is watched no more"


def listed(settings: Settings, *, everything: bool = False) -> list[dict[str, Any]]:
    """Every mailbox and how its watching goes: one dict each, times ISO 8601 UTC, ages in seconds."""
    with opened(settings) as (database, keys):
        try:
            names = set(build_mailbox(settings, database).mailboxes())
        except MailweirError:  # not set up, or away: what is known of them is listed all the same
            names = set()
        with database.session() as session:
            known = {row.mailbox: row for row in watch.mailboxes(session)}
            for name in names - known.keys():
                known[name] = watch.see(session, name)
            moment = watch.moment(session)
            asked = [request.mailbox for request, _ in watch.untrack_requested(session)]
            return [_row(row, watch.folders(session, keys, row.mailbox), moment, settings.mailbox.kind,
                         asked.count(row.mailbox))
                    for row in sorted(known.values(), key=lambda row: row.mailbox)
                    if everything or row.removed is None]


def checked(settings: Settings, mailbox: str = "") -> list[dict[str, Any]]:
    """What each mailbox (or one) lets us do: one dict for each thing looked at."""
    found: list[dict[str, Any]] = []
    with opened(settings) as (database, _):
        mailboxes = build_mailbox(settings, database)
        try:
            for name in [mailbox] if mailbox else mailboxes.mailboxes():
                try:
                    checks = [(c.code, c.fine, c.detail, c.hint) for c in mailboxes.check(name)]
                except MailweirError as error:
                    checks = [(error.code, False, str(error), error.hint)]
                found += [{"mailbox": name, "check": code, "result": "ok" if fine else "fail", "detail": detail,
                           "hint": hint} for code, fine, detail, hint in checks]
        finally:
            mailboxes.close()
    return found


def folders(settings: Settings, mailbox: str) -> list[dict[str, Any]]:
    """The folders of a mailbox by path, as they are now. Paths may name people, so the look is recorded."""
    with opened(settings) as (database, keys):
        mailboxes = build_mailbox(settings, database)
        try:
            places = [watch.Place(f.key, f.path, f.kind, f.fast) for f in mailboxes.folders(mailbox)]
        finally:
            mailboxes.close()
        with database.session() as session:
            watch.see(session, mailbox)
            watch.sync(session, keys, mailbox, places)
            found = watch.folders(session, keys, mailbox)
            audit.append(session, "watch:folders:listed", actor=actor_name(), subject=watch.subject(mailbox),
                         body={"folders": len(found)})
            return [{"path": one.place.path or "/", "kind": one.place.kind, "fast": one.place.fast,
                     "record": one.record, "cursor": cursor.committed.isoformat(timespec="seconds") if cursor else ""}
                    for one, cursor in found]


def bind(settings: Settings, mailbox: str, path: str, record: str) -> str:
    """Bind a folder to a CRM record, or with "" unbind it: whatever lies in a bound folder is tracked."""
    if record:
        _want_record(settings, record)
    folders(settings, mailbox)
    with opened(settings) as (database, keys), database.session() as session:
        for one, _ in watch.folders(session, keys, mailbox):
            if one.place.path == path.strip("/"):
                watch.bind(session, one.id, record, actor=actor_name())
                watch.wake(session, mailbox)
                return f"folder bound to {record}; what lies in it is tracked" if record else "folder bound no more"
    raise NoFolder


def _want_record(settings: Settings, record: str) -> None:
    """Raise `BadRecord` unless this is "contact:ID" or "organisation:ID" of a record that is there."""
    if not _RECORD.fullmatch(record):
        raise BadRecord
    if settings.crm.kind != "embedded":  # another CRM says so when the first item is linked
        return
    kind, _, ident = record.partition(":")
    with opened(settings) as (database, _), database.reading() as session:
        if not crm_records.is_there(session, kind, ident):
            raise BadRecord(f"no {kind} of this id")


def requests(settings: Settings) -> list[dict[str, Any]]:
    """Open requests to untrack: who took `CRM: linked` off, in which mailbox, for which activity."""
    with opened(settings) as (database, _), database.reading() as session:
        return [{"capture": capture.id, "mailbox": row.mailbox, "activity": capture.activity,
                 "at": row.at.isoformat(timespec="seconds")} for row, capture in watch.untrack_requested(session)]


def close_request(settings: Settings, capture: str, *, untracked: bool) -> str:
    """Note what became of a request to untrack."""
    with opened(settings) as (database, _), database.session() as session:
        watch.close_untrack(session, capture, outcome="untracked" if untracked else "kept", actor=actor_name())
    return f"request {capture} closed as {'untracked' if untracked else 'kept'}"


def _row(row: WatchedMailbox, found: Any, moment: datetime, default: str, asked: int) -> dict[str, Any]:
    ages = [(moment - cursor.committed).total_seconds() for _, cursor in found if cursor is not None]
    state = "removed" if row.removed else "parked" if row.parked else "watched" if row.looked else "new"
    return {"mailbox": row.mailbox, "backend": row.backend or default, "division": row.division, "state": state,
            "code": row.code, "parked": _iso(row.parked), "next_try": _iso(row.next_try), "looked": _iso(row.looked),
            "folders": len(found), "bound": sum(1 for one, _ in found if one.record),
            "oldest_cursor_seconds": round(max(ages, default=0)), "reconciled": _iso(row.reconciled),
            "found": row.found, "missed": row.missed, "missed_total": row.missed_total, "untrack_requests": asked}


def _iso(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
