"""Allow rules: what a reviewer found to be no personal information, so that it is not held again.

    rule = allow.propose(session, Wish("value", "sin", "government_id", digest=...), actor=reviewer)
    allow.note_test(session, rule.id, result, actor=...)          # what would have passed (`policy backtest`)
    allow.approve(session, rule.id, actor=privacy_officer)        # another person; the database insists too
    allow.in_force(session, division)                             # what the scanner asks for every item

Every rule is about one rule of the scanner and one kind of information, for a division or for all, and ends by itself.
"Allow everything from this domain" does not exist. A rule whose back-test has a confirmed hit among what would have
passed is never approved. Whether the one who acts may is for `store.access.may`, which the caller asks first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.orm import Session
from sqlmodel import col, select

from pii_scan.findings import Category
from store import audit
from store.account_tables import AllowEntry, AllowRule, AllowState
from store.columns import now
from store.database import begin_write, get_or_create
from store.desk_tables import RulingRow
from store.errors import AllowRefused, NotFound
from store.tables import Case, Counter

KINDS: Final[Mapping[str, str]] = {
    "value": "one exact value, kept as a keyed hash",
    "pattern": "values of one shape, such as INV-#######",
    "sender": "one rule's findings in mail from one domain",
    "template": "one block of text that comes again, kept as a keyed hash",
    "directory": "the entries of a directory, kept as keyed hashes",
}
MARK: Final = "allow:"
"""Before the id of a rule, in the reason a finding is exempted for."""
DEFAULT_DAYS: Final = 180
MOST_DAYS: Final = 366
MOST_ENTRIES: Final = 100_000
TEST_HOLDS: Final = timedelta(days=1)
"""How old a back-test may be at the approval: cases are decided meanwhile."""
CONTACT_RULES: Final = frozenset({"home_phone", "home_address", "private_mail"})
"""The scanner's rules a directory can speak for: numbers, addresses, mailboxes."""
_WHOLE: Final = ("roster_", "filled_form", "exact_list")
"""Beginnings of the scanner's rules that look at a whole table, form or list; only a template can speak for them."""
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DOMAIN: Final = re.compile(r"(?=.{4,255}\Z)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_SHAPE: Final = re.compile(r"[A-Z0-9#@./ -]{4,64}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule as it is asked for. `number` is the case it comes from, `entries` are a directory's keyed hashes."""

    kind: str
    rule: str
    category: str
    digest: str = ""
    pattern: str = ""
    domain: str = ""
    division: str = ""
    number: str = ""
    reason: str = "false-positive"
    days: int = DEFAULT_DAYS
    entries: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, repr=False)
class Allowed:
    """A rule as the scanner applies it. `shape` finds values of a pattern rule; `digests` are the keyed hashes."""

    id: str
    kind: str
    rule: str
    category: str
    digests: frozenset[str] = frozenset()
    shape: re.Pattern[str] | None = None
    domain: str = ""


def propose(session: Session, wish: Wish, *, actor: str) -> AllowRule:
    """Ask for a rule. Raises `AllowRefused` with what is wrong with it."""
    wrong = objection(wish)
    if wrong:
        raise AllowRefused(wrong)
    begin_write(session)
    row = AllowRule(
        id=_next(session), kind=wish.kind, rule=wish.rule, category=wish.category, division=wish.division,
        digest=wish.digest, pattern=wish.pattern, domain=wish.domain, entries=len(wish.entries), number=wish.number,
        reason=wish.reason, days=wish.days, proposed_by=actor)
    session.add(row)
    session.flush()
    session.add_all(AllowEntry(rule_id=row.id, digest=digest) for digest in sorted(wish.entries))
    session.flush()
    audit.append(session, "policy:allow:proposed", actor=actor, subject=row.id, body={
        "kind": row.kind, "rule": row.rule, "category": row.category, "division": row.division, "case": row.number,
        "days": row.days, "entries": row.entries})
    return row


def objection(wish: Wish) -> str:
    """What is wrong with a rule as it is asked for; "" when it can be proposed."""
    if wish.kind not in KINDS:
        return f"there are {', '.join(KINDS)}"
    if wish.kind == "sender" and not (wish.rule and wish.category):
        return "a domain is allowed for one rule and one kind only, never for everything"
    if not _CODE.fullmatch(wish.rule) or wish.category not in {c.value for c in Category}:
        return "it names one rule of the scanner and one kind of information"
    if not _CODE.fullmatch(wish.reason) or (wish.division and not _CODE.fullmatch(wish.division)):
        return "reason and division are short codes"
    if not 1 <= wish.days <= MOST_DAYS:
        return f"it ends after 1 to {MOST_DAYS} days"
    if wish.rule == "sentence" or (wish.rule.startswith(_WHOLE) and wish.kind != "template"):
        return "for findings about a whole table, form or list only a template can be allowed; for sentences nothing"
    return _of_kind(wish)


def _of_kind(wish: Wish) -> str:
    if wish.kind in ("value", "template"):
        return "" if _HASH.fullmatch(wish.digest) else "it is made from a finding of a case"
    if wish.kind == "sender":
        return "" if _DOMAIN.fullmatch(wish.domain) else "a sender is allowed by a whole domain, such as example.org"
    if wish.kind == "directory":
        fits = wish.rule in CONTACT_RULES and 1 <= len(wish.entries) <= MOST_ENTRIES
        return "" if fits and all(map(_HASH.fullmatch, wish.entries)) else (
            f"a directory has 1 to {MOST_ENTRIES} entries and is about {', '.join(sorted(CONTACT_RULES))}")
    letters, digits, holes = (sum(c in some for c in wish.pattern)
                              for some in ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "#@"))
    if not _SHAPE.fullmatch(wish.pattern) or letters < 2 or digits > 4 or holes < 3:
        return ("a pattern has capital letters, # for a digit and @ for a letter: two letters at least, that every "
                "value begins or ends with, three places at least, four digits at most")
    return ""


def approve(session: Session, rule_id: str, *, actor: str) -> AllowRule:
    """Put a rule in force until it expires. Raises `AllowRefused` for its own author, without a back-test of the last
    day, when a confirmed hit would have passed, and when the case it comes from is not released after all."""
    row = get(session, rule_id, lock=True)
    if row.state != AllowState.PROPOSED:
        raise AllowRefused(f"{row.id} is {row.state}")
    if actor == row.proposed_by:
        raise AllowRefused("another person approves it than the one who proposed it")
    if not row.tested or datetime.fromisoformat(row.tested["at"]) < now() - TEST_HOLDS:
        raise AllowRefused(f"run the back-test of {row.id} first; one holds for a day")
    if row.tested.get("confirmed"):
        raise AllowRefused("a confirmed hit would have passed")
    if row.number and ruled(session, session.scalars(select(Case).where(Case.number == row.number)).one()) != "release":
        raise AllowRefused(f"{row.number} is not released: it was taken back")
    row.state, row.approved_by, row.approved = AllowState.IN_FORCE, actor, now()
    row.expires = now() + timedelta(days=row.days)
    audit.append(session, "policy:allow:approved", actor=actor, subject=row.id,
                 body={"division": row.division, "days": row.days, "would_pass": int(row.tested.get("would_pass", 0))})
    session.flush()
    return row


def withdraw(session: Session, rule_id: str, *, actor: str, reason: str) -> AllowRule:
    """End a rule, or turn a proposal down. `reason` is a code."""
    if not _CODE.fullmatch(reason):
        raise AllowRefused("the reason is a short code")
    row = get(session, rule_id, lock=True)
    if row.state == AllowState.WITHDRAWN:
        raise AllowRefused(f"{row.id} is {row.state}")
    row.state, row.ended_by, row.ended = AllowState.WITHDRAWN, actor, now()
    audit.append(session, "policy:allow:withdrawn", actor=actor, subject=row.id, body={"reason": reason})
    session.flush()
    return row


def note_test(session: Session, rule_id: str, result: Mapping[str, Any], *, actor: str) -> AllowRule:
    """Keep what a back-test came to: `looked_at`, `would_pass`, `confirmed` (counts), `cases` (numbers)."""
    row = get(session, rule_id, lock=True)
    row.tested = {**result, "at": now().isoformat(timespec="seconds")}
    audit.append(session, "policy:allow:tested", actor=actor, subject=row.id, body={
        name: int(result[name]) for name in ("looked_at", "would_pass", "confirmed")})
    session.flush()
    return row


def get(session: Session, rule_id: str, *, lock: bool = False) -> AllowRule:
    """One rule. Raises `NotFound`."""
    query = select(AllowRule).where(AllowRule.id == rule_id.strip().upper())
    if lock:
        begin_write(session)
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("no such allow rule")
    return row


def listed(session: Session, *, everything: bool = False, at: datetime | None = None) -> tuple[AllowRule, ...]:
    """The rules in force and those that wait for approval; with `everything` also those that ended."""
    query = select(AllowRule).order_by(col(AllowRule.id))
    if not everything:
        query = query.where(col(AllowRule.state) != AllowState.WITHDRAWN)
    rows = session.scalars(query).all()
    return tuple(row for row in rows if everything or not expired(row, at))


def expired(row: AllowRule, at: datetime | None = None) -> bool:
    """Whether a rule's time is over."""
    return row.expires is not None and row.expires <= (at or now())


def in_force(session: Session, division: str = "", *, at: datetime | None = None) -> tuple[Allowed, ...]:
    """The rules that hold for items of this division: those of the organisation and its own."""
    moment = at or now()
    rows = session.scalars(select(AllowRule).where(
        AllowRule.state == AllowState.IN_FORCE, col(AllowRule.expires) > moment,
        col(AllowRule.division).in_({"", division})).order_by(col(AllowRule.id))).all()
    return tuple(applied(session, row) for row in rows)


def applied(session: Session, row: AllowRule) -> Allowed:
    """A rule as the scanner applies it, in force or not."""
    digests = {row.digest} if row.digest else set()
    if row.kind == "directory":
        digests = set(session.scalars(select(AllowEntry.digest).where(AllowEntry.rule_id == row.id)))
    return Allowed(row.id, row.kind, row.rule, row.category, frozenset(digests),
                   shape_of(row.pattern) if row.pattern else None, row.domain)


def shape_of(pattern: str) -> re.Pattern[str]:
    """The pattern as an expression: # is a digit, @ a letter, anything else itself, in either case; never inside a
    longer word or number."""
    parts = {"#": "[0-9]", "@": "[A-Za-z]", " ": "[ ]"}
    inner = "".join(parts.get(c) or re.escape(c) for c in pattern)
    return re.compile(rf"(?<![A-Za-z0-9]){inner}(?![A-Za-z0-9])", re.IGNORECASE | re.ASCII)


def note_use(session: Session, counts: Mapping[str, int]) -> None:
    """Count exempted findings, by rule."""
    for rule_id in sorted(counts):
        begin_write(session)
        row = session.scalars(select(AllowRule).where(AllowRule.id == rule_id).with_for_update(key_share=True)
                              .execution_options(populate_existing=True)).one_or_none()
        if row is not None:
            row.used, row.last_used = row.used + counts[rule_id], now()
    session.flush()


def uses(exempt: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Rule -> findings it exempted, of (reason, count) pairs; other reasons are left out."""
    totals: dict[str, int] = {}
    for reason, count in exempt:
        if reason.startswith(MARK):
            rule_id = reason.removeprefix(MARK)
            totals[rule_id] = totals.get(rule_id, 0) + count
    return totals


def as_row(row: AllowRule, at: datetime | None = None) -> dict[str, Any]:
    """What the page and the command show. A published form: names are only added."""
    state = "expired" if row.state == AllowState.IN_FORCE and expired(row, at) else str(row.state)
    what = {"pattern": row.pattern, "sender": row.domain, "directory": f"{row.entries} entries",
            "template": "a block of text", "value": "one value"}[row.kind]
    return {"rule": row.id, "state": state, "kind": row.kind, "what": what, "scanner_rule": row.rule,
            "category": row.category, "scope": row.division or "organisation", "case": row.number,
            "reason": row.reason, "days": row.days,
            "expires": row.expires.isoformat(timespec="seconds") if row.expires else "",
            "proposed_by": row.proposed_by, "approved_by": row.approved_by, "used": row.used, "tested": row.tested}


def cases_since(session: Session, since: datetime, *, after: int = 0, limit: int = 100) -> tuple[Case, ...]:
    """One page of the cases opened since a moment, by their id."""
    return tuple(session.scalars(select(Case).where(Case.opened >= since, col(Case.id) > after)
                                 .order_by(col(Case.id)).limit(limit)))


def ruled(session: Session, case: Case) -> str:
    """What a reviewer made of a case: release, redact, delete, escalate; "" while nobody decided."""
    ruling = {"released": "release", "redacted": "redact", "deleted": "delete", "escalated": "escalate"}.get(case.state)
    if ruling:
        return ruling
    return session.scalars(select(RulingRow.outcome).where(
        RulingRow.case_id == case.id, col(RulingRow.state).in_(("waiting", "taken")))
        .order_by(col(RulingRow.made).desc(), col(RulingRow.id)).limit(1)).first() or ""


def waiting(session: Session) -> int:
    """How many proposals wait for approval."""
    return session.scalars(select(func.count()).select_from(AllowRule).where(
        AllowRule.state == AllowState.PROPOSED)).one()


def ended(session: Session, exempt: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of the rules that exempted something (lines of `store.summary`) is not in force any more."""
    used = {line["exempt"].removeprefix(MARK) for line in exempt if line["exempt"].startswith(MARK)}
    if not used:
        return False
    return session.scalars(select(func.count()).select_from(AllowRule).where(
        col(AllowRule.id).in_(used), AllowRule.state == AllowState.IN_FORCE,
        col(AllowRule.expires) > now())).one() < len(used)


def _next(session: Session) -> str:
    def find() -> Counter | None:
        return session.scalars(select(Counter).where(Counter.name == "allow").with_for_update(key_share=True)
                               .execution_options(populate_existing=True)).one_or_none()

    counter, _ = get_or_create(session, find, lambda: Counter(name="allow"))
    counter.value += 1
    session.flush()
    return f"AL-{counter.value:05d}"
