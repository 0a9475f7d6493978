"""The auditor's week at work: built every Monday, reminded of when nobody signs, shown and signed at the terminal.

    with Weekly(tools): ...          while the worker runs
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from capture.acting import acting, required
from capture.auditing import actor_name
from capture.errors import BadInput, BadSettings
from capture.logs import where
from capture.settings import Settings
from capture.wiring import build_scanner, opened
from capture.wording import checked
from pii_scan.errors import MailweirError
from store import audit, outbox, people, week
from store.access import Action, Role
from store.account_tables import WeekPack
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, DatabaseLocked, NotFound
from store.week_rules import FLAGS, WeekRules, bounds, week_before, week_of

log = logging.getLogger("mailweir.week")

LOOK_SECONDS = 300.0


def rules_of(settings: Settings) -> WeekRules:
    """The rules of the settings. Raises `BadSettings` for a time zone there is not."""
    chosen = settings.accountability
    try:
        zone = ZoneInfo(chosen.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadSettings("accountability.timezone: there is no such time zone") from None
    return WeekRules(zone=zone, begins=chosen.office_begins, ends=chosen.office_ends,
                     days=frozenset(chosen.office_days), norm=chosen.reads_norm, least=chosen.reads_least,
                     sign_days=chosen.sign_days)


def build_missing(database: Database, rules: WeekRules, *, at: datetime | None = None) -> list[str]:
    """Build the packs of the weeks that are over and have none; returns which."""
    with database.reading() as session:
        weeks = week.missing(session, rules, at=at)
    for one in weeks:
        week.build(database, one, rules, at=at)
    return list(weeks)


def remind(database: Database, rules: WeekRules, *, at: datetime | None = None) -> int:
    """Tell every auditor, once, of the weeks that were not signed in time; returns how many notices that made."""
    told = 0
    with database.session() as session:
        for pack in week.overdue(session, rules, at=at):
            if pack.reminded is not None:
                continue
            auditors = [row.address for row in people.listed(session)
                        if row.state == "active" and Role.AUDITOR in people.roles_of(session, row.id, at or now())]
            for address in auditors:
                outbox.add(session, key=f"week/{pack.week}/{address}"[:128], recipient=address,
                           template="week-unsigned", data={"week": pack.week, "flags": len(pack.pack["flags"])})
            pack.reminded = at or now()
            audit.append(session, "week:pack:overdue", actor="mailweir", subject=pack.week,
                         body={"told": len(auditors)})
            told += len(auditors)
    return told


class Weekly:
    """The worker's part: a thread that looks every few minutes whether a week is over, or unsigned for too long. Use
    as a context manager. It never stops the work; what is wrong is logged, once."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weekly", daemon=True)
        self._said = ""

    def __enter__(self) -> Weekly:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def look(self) -> None:
        """Build and remind when that is due."""
        try:
            rules = rules_of(self._settings)
            for one in build_missing(self._database, rules):
                log.info("the pack of week %s is ready for the auditor", one)
            remind(self._database, rules)
        except DatabaseLocked:
            return  # the next look will do
        except MailweirError as error:
            self._say(f"{error}; the auditor's week waits: {error.hint}")
        except Exception as error:  # noqa: BLE001 - the thread must live on, and a traceback may quote data
            self._say(f"the auditor's week waits: {where(error)}")
        else:
            self._said = ""

    def _run(self) -> None:
        wait = 1.0  # a worker that ends at once leaves it to the next
        while not self._stop.wait(wait):
            self.look()
            wait = LOOK_SECONDS

    def _say(self, words: str) -> None:
        if words != self._said:
            log.error("%s", words)
        self._said = words


# --------------------------------------------------------------------------------------------- at a terminal

def shown(settings: Settings, name: str = "", *, actor: str = "") -> dict[str, Any]:
    """The pack of a week that is over, or what it would be up to now. When none is named: the last that is over, or the
    one that runs while there was no audit before it."""
    rules = rules_of(settings)
    with opened(settings) as (database, keys):
        with database.session() as session:
            who = acting(session, actor, Action.AUDIT_READ)
            chosen = name or week.latest(session, rules)
        return look(database, keys, rules, chosen, actor=who)


def look(database: Database, keys: Keys, rules: WeekRules, chosen: str, *, actor: str) -> dict[str, Any]:
    """As `shown`, for an open database and somebody who was let in; the look is audited before it is given."""
    over = bounds(chosen, rules.zone)[1] <= now()
    with database.reading() as session:
        if not week.reaches(session, chosen, rules):
            raise NotFound("the audit had not begun")
    pack = week.build(database, chosen, rules) if over else None
    if pack is None and bounds(chosen, rules.zone)[0] > now():
        raise BadState("the week has not begun")
    facts = pack.pack if pack is not None else week.preview(database, chosen, rules)
    with database.session() as session:
        audit.append(session, "week:pack:read", actor=actor, subject=chosen)
        said = [{"flag": c.flag, "text": c.text, "by": c.by, "made": c.made.isoformat(timespec="seconds")}
                for c in week.comments(session, keys, chosen)] if pack is not None else []
        known = {row.id: row.address for row in people.listed(session)}
    return {**facts, "over": over, "digest": pack.digest if pack else "", "comments": said,
            "signed_by": pack.signed_by if pack else "",
            "signed": pack.signed.isoformat(timespec="seconds") if pack and pack.signed else "",
            "titles": FLAGS, "names": {one: known[one] for one in _named(facts, said, pack) if one in known}}


def _named(facts: dict[str, Any], said: list[dict[str, Any]], pack: WeekPack | None) -> set[str]:
    return {f["person"] for f in facts["flags"]} | {r["person"] for r in facts["sample"]["readings"]} | {
        c["by"] for c in said} | ({pack.signed_by} if pack else set())


def sign(settings: Settings, name: str, *, actor: str, comments: dict[str, str], rest: str = "") -> dict[str, Any]:
    """Comment and sign a week as a registered auditor. `comments` maps flags to texts; `rest` goes to every other flag
    that has none. Texts are scanned first. Raises `NotAllowed`, `UnknownActor`, `WordsRefused`, `BadState`."""
    rules = rules_of(settings)
    chosen = name or week_before(week_of(now(), rules.zone), rules.zone)
    with opened(settings) as (database, keys):
        with database.reading() as session:
            person = required(session, actor, Action.AUDIT_SIGN)
        pack = week.build(database, chosen, rules)
        scanner = build_scanner(settings) if comments or rest else None
        texts = {flag: checked(scanner, text) for flag, text in comments.items()} if scanner else {}
        other = checked(scanner, rest) if scanner and rest else ""
        with database.session() as session:
            known = {f["id"] for f in pack.pack["flags"]}
            if texts.keys() - known:
                raise BadInput(f"no such flag; there are {', '.join(sorted(known))}")
            for flag, text in texts.items():
                week.comment(session, keys, chosen, flag, text, actor=person.id)
            for flag in week.uncommented(session, pack) if other else ():
                week.comment(session, keys, chosen, flag, other, actor=person.id)
            signed = week.sign(session, chosen, actor=person.id, digest=pack.digest, terminal=actor_name())
            return {"week": chosen, "digest": signed.digest, "signed_by": person.id,
                    "flags": len(known), "comments": len(texts)}
