"""The audit: who did or read what, in a chain that shows every change.

`append` writes one row in the caller's transaction, so an act and its row stand or fall together. Each
row's digest covers the digest before it:

    digest = SHA-256(seq | at | actor | action | subject | body | previous digest)      fields framed by length

`verify` walks the chain from the first row and names the first that does not fit: changed, missing, put
in, or in another order. A tail cut off is found against `audit_head`, which a trigger lets move forward
only. Somebody who owns the database file and this source can rewrite chain and head together; against
that help signed checkpoints kept elsewhere (`store/checkpoints.py`), or the head written down by hand (`head`
gives it, `verify(..., anchor=...)` compares it).

A body holds ids, counts and codes: no blanks, so no sentences. That is checked, not hoped for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select as columns
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store.columns import now
from store.database import begin_write, undecodable
from store.errors import AuditBroken, BadAuditBody
from store.tables import AuditEvent, AuditHead

Problem = Literal["", "changed", "missing", "order", "cut", "added", "anchor"]
Fact = str | int | bool | None | Sequence[str] | Mapping[str, int]

EVENTS: dict[str, str] = {
    "store:database:created": "The database was made; body: schema version.",
    "store:database:upgraded": "The schema was brought to a newer version; body: from, to.",
    "store:key:bound": "The master key was tied to this database; subject: key id.",
    "capture:item:registered": "A tagged item was taken on; subject: capture; body: generation, kind, trigger, record.",
    "capture:item:cancelled": "A capture ended before it was picked up; body: why.",
    "capture:item:refused": "An item was refused and nothing of it kept; body: reason.",
    "capture:untrack:requested": "Somebody took the category of a linked item off; subject: capture; body: activity.",
    "capture:item:trimmed": "Its user had attachments of an item left out; subject: capture; body: attachments.",
    "capture:untrack:closed": "A request to untrack was dealt with; subject: capture; body: outcome.",
    "watch:mailbox:added": "A mailbox is watched from now on; subject: mailbox; body: backend, division.",
    "watch:mailbox:removed": "A mailbox is watched no more; subject: mailbox.",
    "watch:mailbox:parked": "A mailbox refuses us and is only tried now and then; subject: mailbox; body: code.",
    "watch:mailbox:resumed": "A parked mailbox can be looked at again; subject: mailbox.",
    "watch:mailbox:reconciled": "A mailbox was looked through in full; body: found, missed by the cursors.",
    "watch:folders:listed": "Somebody listed the folders of a mailbox by name; subject: mailbox; body: count.",
    "watch:folder:bound": "A folder was bound to a CRM record; subject: folder; body: record.",
    "watch:folder:unbound": "A folder is bound to a CRM record no more; subject: folder.",
    "capture:item:decided": "An item was read, scanned and decided; body: outcome, why, verdict, kinds, policy.",
    "capture:item:linked": ("An item was linked; body: activity, how it was matched, number of records; notes: what "
                            "the CRM did not take as it was."),
    "capture:item:held": "A case was opened; body: case, reason.",
    "capture:item:joined": "A further tracker joined an open case; body: case, trackers.",
    "capture:item:gone": "An item had left the mailbox before it could be fetched.",
    "capture:item:marked": "The state was shown in the mailbox, or could not be; body: shown.",
    "capture:item:finished": "Nothing is left to do for this capture; body: outcome, attempts.",
    "engine:job:retried": "Somebody had parked work tried again; subject: its id; body: number of the run.",
    "quarantine:queue:listed": "Somebody listed the queue; body: number of cases.",
    "quarantine:case:read": "Somebody looked at a case, not at its content; subject: case.",
    "quarantine:content:read": "Held content was decrypted for somebody; subject: case; body: kind, reason.",
    "quarantine:case:released": "A reviewer let an item pass; subject: case; body: reason.",
    "quarantine:case:deleted": "A reviewer confirmed a case; its content was destroyed; body: reason, blobs.",
    "quarantine:case:redacted": "A reviewer let a redacted copy pass; subject: case; body: reason.",
    "quarantine:case:escalated": "A case became an incident; subject: case; body: incident, reason.",
    "quarantine:case:claimed": "A reviewer took a case on; subject: case.",
    "quarantine:case:unclaimed": "A reviewer's claim on a case was given back; subject: case.",
    "quarantine:case:ruled":
        "A reviewer ruled on a case; subject: case; body: ruling, outcome, reason, second, batch, suspends.",
    "quarantine:case:undone": "A ruling was taken back before it took effect; subject: case; body: ruling.",
    "quarantine:case:agreed": "A second person agreed with a ruling; subject: case; body: ruling, reason.",
    "quarantine:case:disagreed": "A second person did not agree with a ruling; subject: case; body: ruling, reason.",
    "quarantine:case:overdue": "Those in charge were told that a case is overdue; subject: case; body: told.",
    "incident:case:closed": "An incident was closed, its evidence hold ended; subject: case; body: incident, reason.",
    "quarantine:content:destroyed": "Content that is no longer needed was destroyed; body: blobs.",
    "notice:message:sent": "A notice was delivered; subject: notice; body: template.",
    "notice:message:failed": "A notice could not be delivered and is tried no more; body: attempts, code.",
    "crm:file:imported": "Organisations and contacts were imported; body: counts.",
    "crm:activity:updated": "An appointment or task was tagged again and its activity has the new content; subject: "
                            "activity; body: files.",
    "crm:activity:variant": "Another copy of a mail, with other content, was kept beside the first; subject: activity; "
                            "body: variant.",
    "crm:link:confirmed": "Somebody linked an activity to a record by hand; subject: activity; body: record, role.",
    "crm:link:dismissed": "Somebody said that an activity does not belong to a suggested record; subject: activity; "
                          "body: record.",
    "crm:link:removed": "Somebody unlinked an activity from a record; subject: activity; body: record.",
    "crm:tracker:removed": "Somebody tracks an activity no more; subject: activity; body: trackers left.",
    "crm:record:purged": "A record and everything of it was destroyed; subject: record; body: receipt, kind, reason, "
                         "counts.",
    "crm:tracker:restored": "Somebody tracks an activity again; subject: activity; body: trackers.",
    "crm:record:created": "A record was made in the CRM; subject: record; body: kind, fields, source.",
    "crm:record:changed": "A record of the CRM was changed; subject: record; body: kind, fields.",
    "crm:record:related": "Two records were said to have to do with one another; subject: record; body: role, to.",
    "crm:record:unrelated": "Two records were said to have nothing to do with one another any more; body: role, to.",
    "crm:records:merged": "Two records were one and the same; subject: the one that stays; body: merge, kind, gone.",
    "crm:records:unmerged": "A merge was undone; subject: the record that stood for both; body: merge.",
    "crm:records:reassigned": "Somebody's records were given to somebody else; subject: person; body: records, to.",
    "crm:category:changed": "A category is offered, or is not any more; body: kind, closed.",
    "crm:activity:typed": "Somebody wrote down a call, meeting, note, task or training request; subject: activity; "
                          "body: type, records, follow-up.",
    "crm:text:refused": "What somebody typed or uploaded held personal information and was not kept; body: fields, "
                        "kinds.",
    "crm:suppression:added": "Somebody is kept out of the CRM from now on; body: reason.",
    "crm:opt-out:asked": "A contact asked to be forgotten; subject: contact; body: medium.",
    "crm:opt-out:overdue": "Those who have to purge a contact that asked to be forgotten were told again, or the "
                           "privacy officers were; subject: contact; body: told.",
    "crm:never:added": "A never-track list got an entry; body: kind, own.",
    "crm:never:removed": "An entry of a never-track list was taken off; body: kind, own.",
    "crm:records:listed": "Somebody listed CRM records; body: kind, count, ids when they are few.",
    "crm:records:searched": "Somebody searched CRM records; body: kind, count, ids when they are few.",
    "crm:records:exported": "CRM records were exported; body: kind, count, ids.",
    "crm:record:read": "Somebody looked at a CRM record; subject: record; body: kind.",
    "crm:record:sent": "A copy of a CRM record went to somebody; subject: record; body: to.",
    "crm:attachment:read": "Somebody opened a file of a CRM record; subject: record; body: number.",
    "rescan:run:started": "A rescan was started; subject: run; body: policy, dry-run, filters, most holds.",
    "rescan:run:paused": "A rescan was paused; subject: run; body: reason, holds.",
    "rescan:run:resumed": "A rescan was resumed; subject: run; body: most holds.",
    "rescan:run:finished": "A rescan came to its end; subject: run; body: outcomes and how many of each.",
    "rescan:item:held": "A rescan opened a case for a CRM record, or joined one; subject: record; body: run, "
                        "case, kinds.",
    "rescan:item:pulled": "The content of a record left the CRM; subject: record; body: case, readings, people.",
    "rescan:item:restored": "A reviewer let a record pass and its content is back; subject: record; body: result.",
    "policy:packs:compared": "Two policy packs were compared over what is stored; body: packs, items, changes.",
    "people:division:added": "A division was made; subject: division.",
    "people:division:joined": "A person belongs to a division from now on; subject: person; body: division.",
    "people:division:left": "A person belongs to a division no more; subject: person; body: division.",
    "people:person:added": "A person was entered; subject: person; body: state, kind.",
    "people:person:changed": "An account was activated, suspended or ended; subject: person; body: state.",
    "people:person:bound":
        "A person signed in for the first time and is known to the directory from now on; subject: person.",
    "people:register:read": "Somebody listed the users; body: rows.",
    "people:role:asked": "A role was asked for; subject: person; body: role, grant.",
    "people:role:approved": "A role was approved; subject: person; body: role, grant.",
    "people:role:granted": "A role is in force from now on; subject: person; body: role, grant.",
    "people:role:ended": "A role was taken away or turned down; subject: person; body: role, grant.",
    "people:delegation:made": "The head lets somebody act for them for a time; subject: person; body: delegation, "
                              "document.",
    "people:delegation:ended": "A delegation was taken back; subject: person; body: delegation.",
    "people:rules:published": "A version of the rules of behaviour is in force from now on; subject: version.",
    "people:rules:signed": "A person signed the rules; subject: version.",
    "people:rules:affirmed": "A person affirmed the rules at a sign-in; subject: session; body: version.",
    "people:training:recorded": "A completed course was recorded; subject: person; body: course.",
    "web:session:begun": "Somebody signed in; subject: session.",
    "web:session:renewed": "Somebody proved again who they are; subject: session.",
    "web:session:ended": "A session ended; subject: session; body: why.",
    "web:session:refused": "A sign-in was refused; body: code.",
    "web:access:refused": "Somebody was refused something; subject: action; body: code, route.",
    "policy:allow:proposed": "An allow rule was proposed; subject: rule; body: kind, rule, category, division, case, "
                             "days, entries.",
    "policy:allow:tested": "What an allow rule would have let pass was looked up; subject: rule; body: counts.",
    "policy:allow:approved": "An allow rule is in force from now on; subject: rule; body: division, days, would_pass.",
    "policy:allow:withdrawn": "An allow rule was ended or turned down; subject: rule; body: reason.",
    "policy:allow:listed": "Somebody listed the allow rules; body: rules.",
    "week:pack:built": "The pack of a week was built for the auditor; subject: week; body: flags, rows, digest.",
    "week:pack:read": "Somebody looked at the pack of a week; subject: week.",
    "week:flag:commented": "The auditor said something about a flag; subject: week; body: flag.",
    "week:pack:signed": "The auditor signed a week; subject: week; body: digest, flags, comments, terminal.",
    "week:pack:overdue": "A week was not signed in time and the auditors were told; subject: week; body: told.",
    "audit:readings:read": "Somebody listed readings; body: rows.",
    "export:file:made": "Data was exported; subject: export; body: what, form, rows, reason, recipient, digest.",
    "pane:item:asked": "Somebody asked in Outlook how an item stands; subject: capture; body: state.",
    "pane:item:checked": "An item was scanned on request and nothing kept; body: verdict, kinds, policy.",
    "pane:item:previewed": "Somebody asked what of an item would be stored; body: parts.",
    "case:report:made": "A user said that a hold is wrong; subject: case; body: report, code.",
    "case:report:refused": "A user's report held personal information and was not kept; subject: case; body: kinds.",
    "case:report:read": "Somebody read the reports on a case; subject: case; body: reports.",
    "case:report:answered": "A reviewer answered a user's report; subject: case; body: report, code.",
    "case:mine:listed": "Somebody listed their own items and cases; body: items.",
    "people:follow-up:opened": "A held item led to a tip or a course; subject: person; body: step, case, course.",
    "people:follow-up:counted": "Somebody looked at the counts of follow-ups; body: divisions.",
    "audit:chain:verified": "The chain was verified; body: rows, result.",
    "audit:log:read": "Somebody read the audit; body: rows.",
}
"""Every event there is, named source:subject:action. `append` refuses any other."""

_TOKEN = re.compile(r"[\w.:@+/=,#()-]{0,128}", re.ASCII)
_ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f]{1,320}")
_START = ""
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Anchor:
    """The state of the chain at one moment: how many rows, and the digest of the last."""

    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What verification found. `row` is the number of the first row that does not fit.

    `problem` is one of "" (all fits), "changed" (the row is not what was written), "missing" (there is a
    gap at `row`), "order" (the row does not follow the one before), "cut" (rows after `row - 1` were
    removed), "added" (the row is not accounted for), "anchor" (the chain was rewritten since the anchor).
    """

    rows: int
    row: int | None = None
    problem: Problem = ""

    @property
    def ok(self) -> bool:
        """True when every row fits."""
        return not self.problem

    def __str__(self) -> str:
        return f"{self.rows} rows, all fit" if self.ok else f"row {self.row}: {self.problem}"

    def require(self) -> None:
        """Raise `AuditBroken` unless every row fits."""
        if not self.ok:
            raise AuditBroken(str(self))


def append(session: Session, action: str, *, actor: str, subject: str = "",
           body: Mapping[str, Fact] | None = None) -> AuditEvent:
    """Add one row in the caller's transaction.

    `actor` is the user or service that acted, `subject` the id acted on. Raises `BadAuditBody` for an
    action that is not in `EVENTS` and for anything that could be free text.
    """
    text = _checked(action, actor, subject, body or {})
    last = lock(session)
    if last is None:
        raise AuditBroken("the head of the chain is missing")
    seq, at = last.count + 1, now().isoformat(timespec="microseconds")
    digest = _digest(seq, at, actor, action, subject, text, last.digest)
    event = AuditEvent(seq=seq, at=at, action=action, actor=actor, subject=subject, body=text,
                       previous=last.digest, digest=digest)
    last.count, last.digest = seq, digest
    session.add(event)
    session.flush()
    return event


def head(session: Session) -> Anchor:
    """The chain's present end. Write it down elsewhere, and give it to `verify` later."""
    row = session.scalars(select(AuditHead).where(AuditHead.id == 1)).one_or_none()
    return Anchor(row.count, row.digest) if row else Anchor(0, _START)


def verify(session: Session, anchor: Anchor | None = None, *,
           each: Callable[[int, str], None] | None = None) -> VerifyResult:
    """Walk the whole chain; memory stays flat. `each(number, digest)` is called for every row that fits.

    In `Database.snapshot()` writers go on meanwhile; in any other session they wait until its end.
    """
    if not session.info.get("snapshot"):
        lock(session)
    end = head(session)
    count, previous, anchored = 0, _START, anchor is None or anchor.count == 0
    for seq, digest, problem in walk(session):
        if problem:
            return VerifyResult(count, seq, problem)
        count, previous = seq, digest
        if each is not None:
            each(seq, digest)
        if anchor is not None and anchor.count == seq:
            if anchor.digest != digest:
                return VerifyResult(count, seq, "anchor")
            anchored = True
    if count < end.count:
        return VerifyResult(count, count + 1, "cut")
    if previous != end.digest:
        return VerifyResult(count, count, "changed")
    if not anchored:
        return VerifyResult(count, count + 1, "cut")
    return VerifyResult(count)


def walk(session: Session, after: Anchor | None = None) -> Iterator[tuple[int, str, Problem]]:
    """Every row (after `after`, which is believed) as (number, digest, problem); ends at the first with a problem."""
    start = after or Anchor(0, _START)
    count, previous, end = start.count, start.digest, head(session).count
    for seq, at, actor, action, subject, body, before, digest in _rows(session, after.count if after else None):
        problem: Problem = ""
        if seq > count + 1:
            seq, problem = count + 1, "missing"
        elif seq < count + 1 or seq > end:
            problem = "added"
        elif digest is None or _digest(seq, at, actor, action, subject, body, before) != digest:
            problem = "changed"
        elif before != previous:
            problem = "order"
        yield seq, digest, problem
        if problem:
            return
        count, previous = seq, digest


@dataclass(frozen=True, slots=True)
class Shown:
    """One audit row for people and for `--json`."""

    seq: int
    at: datetime
    action: str
    actor: str
    subject: str
    body: dict[str, Fact]


def show(session: Session, *, last: int = 50, action: str = "", actor: str = "", subject: str = "",
         since: datetime | None = None, until: datetime | None = None) -> tuple[Shown, ...]:
    """The last rows that fit, oldest first. `action` may be a beginning ("quarantine:")."""
    query = select(AuditEvent).order_by(col(AuditEvent.seq).desc()).limit(last)
    if action:
        query = query.where(col(AuditEvent.action).startswith(action, autoescape=True))
    if actor:
        query = query.where(AuditEvent.actor == actor)
    if subject:
        query = query.where(AuditEvent.subject == subject)
    if since is not None:
        query = query.where(col(AuditEvent.at) >= since.astimezone(UTC).isoformat(timespec="microseconds"))
    if until is not None:
        query = query.where(col(AuditEvent.at) < until.astimezone(UTC).isoformat(timespec="microseconds"))
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    return tuple(_shown(row) for row in reversed(rows))


def _rows(session: Session, last: int | None = None) -> Iterator[Sequence[Any]]:
    """Every row (after number `last`) in order, page by page. One whose text cannot even be decoded comes with empty
    fields."""
    number = col(AuditEvent.seq)
    query = columns(number, col(AuditEvent.at), col(AuditEvent.actor), col(AuditEvent.action),
                    col(AuditEvent.subject), col(AuditEvent.body), col(AuditEvent.previous),
                    col(AuditEvent.digest)).order_by(number)
    after, size = columns(number).order_by(number), _PAGE
    while True:
        rest = query if last is None else query.where(number > last)
        try:
            page: Sequence[Sequence[Any]] = session.execute(rest.limit(size)).all()
        except OperationalError as exc:
            if not undecodable(exc):
                raise
            if size > 1:
                size = 1  # find out which row of the page it is
                continue
            left = after if last is None else after.where(number > last)
            page = [(session.execute(left.limit(1)).scalar_one(), *[None] * 7)]
        if not page:
            return
        yield from page
        last = page[-1][0]


def lock(session: Session) -> AuditHead | None:
    """The head, with the lock that keeps other writers of the chain waiting until the commit."""
    begin_write(session)
    return session.scalars(select(AuditHead).where(AuditHead.id == 1).with_for_update(key_share=True)
                           .execution_options(populate_existing=True)).one_or_none()


def _shown(row: AuditEvent) -> Shown:
    try:
        at, body = datetime.fromisoformat(row.at).astimezone(UTC), json.loads(row.body)
    except (ValueError, TypeError) as exc:
        raise AuditBroken(f"row {row.seq}: changed") from exc
    return Shown(row.seq, at, row.action, row.actor, row.subject, body)


def _digest(seq: int, at: str, actor: str, action: str, subject: str, body: str, previous: str) -> str:
    sha = hashlib.sha256()
    for value in (seq, at, actor, action, subject, body, previous):
        data = str(value).encode()  # a tampered column may hold a value of any type
        sha.update(len(data).to_bytes(8, "big"))
        sha.update(data)
    return sha.hexdigest()


def _checked(action: str, actor: str, subject: str, body: Mapping[str, Fact]) -> str:
    """The body as canonical JSON, once everything was looked at."""
    if action not in EVENTS:
        raise BadAuditBody("an action that is not in store.audit.EVENTS")
    if not _ADDRESS.fullmatch(actor):
        raise BadAuditBody(f"{action}: the actor is empty, too long or holds blanks")
    for word in (subject, *body, *_words(body)):
        if not _TOKEN.fullmatch(word):
            raise BadAuditBody(f"{action}: a fact is not an id, a count or a code")
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _words(body: Mapping[str, Fact]) -> Iterator[str]:
    """Every string in the body; " " (refused) for a value of a type that has no place there."""
    for fact in body.values():
        if isinstance(fact, str):
            yield fact
        elif isinstance(fact, Mapping):
            yield from fact
            yield from (" " for value in fact.values() if not isinstance(value, int))
        elif isinstance(fact, (list, tuple)):
            yield from (value if isinstance(value, str) else " " for value in fact)
        elif fact is not None and not isinstance(fact, int):
            yield " "
