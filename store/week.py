"""The auditor's week: what happened, flag by flag, out of the audit; comments; the signature.

    week.build(db, "2026-W47", rules)                 once, after the week is over; a second call gives the first pack
    week.comment(session, keys, "2026-W47", flag, text, actor=...)
    week.sign(session, "2026-W47", actor=auditor)     every flag has a comment by then
    week.overdue(session, rules)                      weeks that nobody signed in time

A pack holds counts, codes, ids of people, numbers of audit rows. It is made from the audit, so that anybody with the
audit can make it again (but for overdue cases and the chain as they were at that moment); the sample of 20 readings is
drawn by a hash that begins with the last row of the week, so nobody chooses it.
Who signs can be neither reviewer nor administrator: that is `store.access`, which the caller asks first.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, readings
from store.account_tables import WeekComment, WeekPack
from store.audit import Shown
from store.columns import now
from store.crm_tables import Activity
from store.crypto import Keys
from store.database import Database, begin_write, get_or_create
from store.desk_tables import DeskCase
from store.errors import BadState, NotFound
from store.people_tables import PersonDivision, PersonRow
from store.tables import AuditEvent, Case
from store.week_rules import FLAGS, WeekRules, bounds, week_before, week_of

SAMPLE: Final = 20
HISTORY: Final = 8
"""Weeks before that make a person's own norm."""
MOST_ROWS: Final = 50
"""Numbers of audit rows named with one flag; the rest are counted."""
MOST_MISSED: Final = 12
"""Weeks made up for after the worker was away."""
_CONFIGURATION: Final = (
    "store:", "people:role:", "people:rules:published", "people:person:changed", "people:delegation:",
    "watch:mailbox:added", "watch:mailbox:removed", "watch:folder:", "crm:file:imported", "settings:")
_SIGN_INS: Final = ("web:session:begun", "web:session:renewed")


@dataclass(slots=True)
class _Gathered:
    """Rows of one flag, by who it is about and what tells them apart."""

    rows: dict[tuple[str, str, str], list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, code: str, person: str, detail: str, seq: int) -> None:
        self.rows[code, person, detail].append(seq)


def build(db: Database, week: str, rules: WeekRules, *, at: datetime | None = None) -> WeekPack:
    """The pack of a week that is over, made once. Raises `NotFound` for a week there is not, `BadState` for one that
    is not over."""
    begins, ends = bounds(week, rules.zone)
    if ends > (at or now()):
        raise BadState("the week is not over yet")
    with db.reading() as session:
        known = session.get(WeekPack, week)
    if known is not None:
        return known
    pack = preview(db, week, rules)
    digest = hashlib.sha256(canonical(pack)).hexdigest()
    with db.session() as session:
        row, made = get_or_create(session, lambda: session.get(WeekPack, week), lambda: WeekPack(
            week=week, begins=begins, ends=ends, pack=pack, digest=digest))
        if made:
            audit.append(session, "week:pack:built", actor="mailweir", subject=week, body={
                "flags": len(pack["flags"]), "rows": pack["rows"], "digest": digest})
        return row


def preview(db: Database, week: str, rules: WeekRules) -> dict[str, Any]:
    """What the pack of a week is, or would be up to now; nothing is kept."""
    begins, ends = bounds(week, rules.zone)
    with db.snapshot() as session:
        chain = audit.verify(session)
    with db.reading() as session:
        return _gather(session, week, begins, ends, rules, chain)


def canonical(pack: dict[str, Any]) -> bytes:
    """The pack as the bytes whose hash is signed."""
    return json.dumps(pack, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _gather(session: Session, week: str, begins: datetime, ends: datetime, rules: WeekRules,
            chain: audit.VerifyResult) -> dict[str, Any]:
    people = _people(session)
    flags, looks = _Gathered(), []
    kinds: Counter[str] = Counter()
    count = verified = 0
    for row in readings.rows(session, begins, ends):
        count += 1
        verified += row.action == "audit:chain:verified"
        kinds[readings.how_of(row.action)] += 1
        _flag(flags, row, rules, people)
        if readings.how_of(row.action):
            looks.append(row)
    _across(session, flags, looks, people)
    _releases(session, flags, begins, ends)
    _norms(session, flags, begins, ends, rules)
    if not chain.ok:
        flags.add("chain-broken", "", chain.problem, chain.row or 0)
    elif not verified:
        flags.add("chain-unverified", "", "", 0)
    for band, late in _overdue(session, min(ends, now())).items():
        flags.rows["overdue", "", band] = [0] * late
    kinds.pop("", None)
    return {
        "week": week, "begins": begins.isoformat(), "ends": ends.isoformat(), "rows": count,
        "chain": {"whole": chain.ok, "rows": chain.rows, "verified": verified},
        "readings": dict(sorted(kinds.items())), "flags": list(_listed(flags)), "opt_outs": None,
        "sample": _sample(session, week, ends, looks)}


def _flag(flags: _Gathered, row: Shown, rules: WeekRules, people: dict[str, frozenset[str]]) -> None:
    """What one audit row says by itself."""
    action, actor = row.action, row.actor
    how = readings.how_of(action)
    if action in _SIGN_INS and rules.out_of_hours(row.at):
        flags.add("sign-in-out-of-hours", actor, "", row.seq)
    elif action == "web:access:refused":
        flags.add("failed-access", actor, f"{row.subject}:{row.body.get('code', '')}", row.seq)
    elif action == "web:session:refused":
        flags.add("failed-sign-in", "", str(row.body.get("code", "")), row.seq)
    elif action.startswith("policy:allow:") and not how:
        flags.add("allow-rules", actor, f"{row.subject}:{action.rpartition(':')[2]}", row.seq)
    elif action.startswith(_CONFIGURATION):
        flags.add("configuration", actor, action, row.seq)
    elif how == "reveal":
        flags.add("reveals", actor, str(row.body.get("reason", "")), row.seq)
    elif how == "export":
        flags.add("exports", actor, str(row.body.get("what", row.body.get("kind", ""))), row.seq)
    if how and actor not in people:
        flags.add("reads-unregistered", actor, "", row.seq)


def _across(session: Session, flags: _Gathered, looks: Iterable[Shown], people: dict[str, frozenset[str]]) -> None:
    """Readings of what belongs to a division that is not one of the reader's."""
    seen: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in looks:
        if row.actor in people:
            ids = row.body.get("ids")
            for subject in {row.subject, *(ids if isinstance(ids, list) else ())} - {""}:
                seen[subject].append((row.actor, row.seq))
    named = sorted(seen)
    for start in range(0, len(named), 400):
        chunk = named[start:start + 400]
        found = [*session.execute(select(Case.number, DeskCase.division).join(
                     DeskCase, col(DeskCase.case_id) == col(Case.id)).where(col(Case.number).in_(chunk))).all(),
                 *session.execute(select(Activity.id, Activity.division).where(col(Activity.id).in_(chunk))).all()]
        for subject, division in found:
            for actor, seq in seen[subject]:
                if division and division not in people[actor]:
                    flags.add("reads-across-divisions", actor, division, seq)


def _releases(session: Session, flags: _Gathered, begins: datetime, ends: datetime) -> None:
    """Items that were let pass by the one who tracked them, or by somebody of the same division."""
    home: dict[str, frozenset[str]] = {}
    rows = session.execute(
        select(AuditEvent.seq, AuditEvent.actor, DeskCase.tagger)
        .join(Case, col(Case.number) == col(AuditEvent.subject)).join(DeskCase, col(DeskCase.case_id) == col(Case.id))
        .where(AuditEvent.action == "quarantine:case:released", *readings.between(begins, ends))
        .order_by(col(AuditEvent.seq))).all()
    for seq, actor, tagger in rows:
        for one in (actor, tagger):
            home.setdefault(one, _divisions(session, one))
        if tagger and actor == tagger:
            flags.add("release-own", actor, "", seq)
        elif home[actor] & home[tagger]:
            flags.add("release-colleague", actor, "", seq)


def _norms(session: Session, flags: _Gathered, begins: datetime, ends: datetime, rules: WeekRules) -> None:
    """People who read far more than in their own usual week: the median of the weeks before with any reading."""
    now_read: Counter[str] = Counter()
    before: dict[str, Counter[int]] = defaultdict(Counter)
    for (actor, _), count in readings.per_day(session, begins, ends).items():
        now_read[actor] += count
    for number in range(1, HISTORY + 1):
        week = timedelta(days=7 * number)
        for (actor, _), count in readings.per_day(session, begins - week, ends - week).items():
            before[actor][number] += count
    for actor, count in now_read.items():
        usual = float(median(before[actor].values())) if before[actor] else 0.0
        if count > max(rules.least, rules.norm * usual):
            flags.rows["reads-above-norm", actor, f"usual:{usual:g}"] = [0] * count


def _overdue(session: Session, at: datetime) -> dict[str, int]:
    rows = session.execute(select(DeskCase.band, func.count()).where(
        DeskCase.tab != "", DeskCase.due < at).group_by(DeskCase.band)).all()
    return {band: count for band, count in sorted((band, count) for band, count in rows)}  # noqa: C416


def _listed(flags: _Gathered) -> Iterable[dict[str, Any]]:
    order = {code: n for n, code in enumerate(FLAGS)}
    found = sorted(flags.rows.items(), key=lambda item: (order[item[0][0]], -len(item[1]), item[0]))
    numbers: Counter[str] = Counter()
    for (code, person, detail), seqs in found:
        numbers[code] += 1
        yield {"id": f"{code}-{numbers[code]}", "flag": code, "person": person, "detail": detail, "count": len(seqs),
               "rows": [seq for seq in seqs if seq][:MOST_ROWS]}


def _sample(session: Session, week: str, ends: datetime, looks: Iterable[Shown]) -> dict[str, Any]:
    """Twenty readings: those whose SHA-256 over the seed and their number is smallest. The seed names the last audit
    row before the end of the week, so nobody chose it and anybody can draw again."""
    last = session.execute(select(AuditEvent.digest).where(*readings.between(None, ends))
                           .order_by(col(AuditEvent.seq).desc()).limit(1)).scalar()
    seed = f"{week}/{last or ''}"
    drawn = sorted(looks, key=lambda row: hashlib.sha256(f"{seed}/{row.seq}".encode()).digest())[:SAMPLE]
    return {"seed": seed, "readings": [
        {"seq": row.seq, "at": row.at.isoformat(timespec="seconds"), "person": row.actor,
         "how": readings.how_of(row.action), "action": row.action, "subject": row.subject}
        for row in sorted(drawn, key=lambda row: row.seq)]}


def _people(session: Session) -> dict[str, frozenset[str]]:
    """Everybody of the register -> their divisions."""
    found: dict[str, set[str]] = {ident: set() for ident in session.scalars(select(PersonRow.id))}
    for person, division in session.execute(select(PersonDivision.person_id, PersonDivision.division).where(
            col(PersonDivision.ended).is_(None))):
        found.setdefault(person, set()).add(division)
    return {ident: frozenset(divisions) for ident, divisions in found.items()}


def _divisions(session: Session, person: str) -> frozenset[str]:
    return frozenset(session.scalars(select(PersonDivision.division).where(
        PersonDivision.person_id == person, col(PersonDivision.ended).is_(None))))


# --------------------------------------------------------------------------------------- comment and sign

@dataclass(frozen=True, slots=True, repr=False)
class Comment:
    """What an auditor said about a flag."""

    flag: str
    text: str
    by: str
    made: datetime


def get(session: Session, week: str, *, lock: bool = False) -> WeekPack:
    """The pack of a week. Raises `NotFound` when there is none."""
    query = select(WeekPack).where(WeekPack.week == week)
    if lock:
        begin_write(session)
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("no pack of this week")
    return row


def listed(session: Session, *, last: int = 26) -> tuple[WeekPack, ...]:
    """The packs there are, the newest first."""
    return tuple(session.scalars(select(WeekPack).order_by(col(WeekPack.week).desc()).limit(last)))


def comment(session: Session, keys: Keys, week: str, flag: str, text: str, *, actor: str) -> WeekComment:
    """Say something about a flag. The words are sealed; whether they may be kept is for the caller to have scanned.

    Raises `BadState` for a signed week, an empty text, or a flag the week has not.
    """
    pack = get(session, week, lock=True)
    plain = " ".join(text.split())
    if pack.signed is not None or flag not in {f["id"] for f in pack.pack["flags"]}:
        raise BadState("the week is signed, or has no such flag")
    if not plain or len(plain) > 1000:
        raise BadState("a comment has 1 to 1000 characters")
    row = WeekComment(week=week, flag=flag, by=actor, text=b"")
    row.text = keys.seal("week-comment", row.id, plain.encode())
    session.add(row)
    session.flush()
    audit.append(session, "week:flag:commented", actor=actor, subject=week, body={"flag": flag})
    return row


def comments(session: Session, keys: Keys, week: str) -> tuple[Comment, ...]:
    """What was said about a week, oldest first."""
    rows = session.scalars(select(WeekComment).where(WeekComment.week == week)
                           .order_by(col(WeekComment.made), col(WeekComment.id))).all()
    return tuple(Comment(row.flag, keys.unseal("week-comment", row.id, row.text).decode(), row.by, row.made)
                 for row in rows)


def uncommented(session: Session, pack: WeekPack) -> tuple[str, ...]:
    """The flags nobody said anything about."""
    said = set(session.scalars(select(WeekComment.flag).where(WeekComment.week == pack.week)))
    return tuple(f["id"] for f in pack.pack["flags"] if f["id"] not in said)


def sign(session: Session, week: str, *, actor: str, digest: str = "", terminal: str = "") -> WeekPack:
    """Sign a week: every flag has a comment, and the pack is still what was built. `digest` is what the signer saw.

    `terminal` is the user of the operating system, when it is done at a terminal. Raises `BadState`.
    """
    pack = get(session, week, lock=True)
    if pack.signed is not None:
        raise BadState("the week is signed already")
    found = hashlib.sha256(canonical(pack.pack)).hexdigest()
    if found != pack.digest or (digest and digest != found):
        raise BadState("the pack is not what was built or shown")
    open_ones = uncommented(session, pack)
    if open_ones:
        raise BadState(f"{len(open_ones)} flags have no comment yet, the first is {open_ones[0]}")
    pack.signed_by, pack.signed = actor, now()
    audit.append(session, "week:pack:signed", actor=actor, subject=week, body={
        "digest": pack.digest, "flags": len(pack.pack["flags"]), "terminal": terminal})
    session.flush()
    return pack


def overdue(session: Session, rules: WeekRules, *, at: datetime | None = None) -> tuple[WeekPack, ...]:
    """The weeks that nobody signed in time, oldest first."""
    limit = (at or now()) - timedelta(days=rules.sign_days)
    return tuple(session.scalars(select(WeekPack).where(col(WeekPack.signed).is_(None), WeekPack.ends <= limit)
                                 .order_by(col(WeekPack.week))))


def reaches(session: Session, week: str, rules: WeekRules) -> bool:
    """Whether the week has a pack, or the audit goes back to it or to the one after it: of earlier ones nobody makes
    a pack."""
    if session.get(WeekPack, week) is not None:
        return True
    first = session.execute(select(func.min(col(AuditEvent.at)))).scalar()
    return not first or week >= week_before(week_of(datetime.fromisoformat(first), rules.zone), rules.zone)


def latest(session: Session, rules: WeekRules) -> str:
    """The last week that is over, if anything was audited in it or before; else the one that runs."""
    running = week_of(now(), rules.zone)
    over = week_before(running, rules.zone)
    first = session.execute(select(func.min(col(AuditEvent.at)))).scalar()
    return over if first and first < bounds(over, rules.zone)[1].isoformat() else running


def missing(session: Session, rules: WeekRules, *, at: datetime | None = None) -> tuple[str, ...]:
    """The weeks that are over and have no pack yet, oldest first: since the last pack, or since the audit began."""
    week = week_before(week_of(at or now(), rules.zone), rules.zone)
    found: list[str] = []
    first = session.execute(select(func.min(col(AuditEvent.at)))).scalar()
    while first and len(found) < MOST_MISSED and session.get(WeekPack, week) is None:
        if bounds(week, rules.zone)[1].isoformat() <= first:
            break
        found.append(week)
        week = week_before(week, rules.zone)
    return tuple(reversed(found))
