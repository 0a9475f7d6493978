"""Runs of a rescan: what was asked for, which pieces are done, what became of every item.

    run = rescan.start(s, actor=..., wanted=..., policy=..., ...)   # "RS-2026-000003"
    rescan.add_chunk(s, run.id, ids, cursor)      # page by page, until
    rescan.listed(s, run.id)                      # all ids are in chunks
    rescan.take(s, run.id, number)                # the ids of a chunk that have no result yet
    rescan.note(s, results)                       # one row per run and item, however often
    rescan.chunk_done(s, run.id, number, seconds) # the last one ends the run
    rescan.may_hold(s, run.id)                    # one more hit: False = paused, too many would be pulled out
    rescan.report(s, run.id)                      # counts per kind, division, category

All functions run in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, update
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.columns import now
from store.database import begin_write, get_or_create
from store.errors import BadState, NotFound
from store.rescan_tables import Outcome, RescanChunk, RescanResult, RescanRun, RunState
from store.tables import Capture, CaptureState, Counter

HITS = (Outcome.HOLD, Outcome.WOULD_HOLD)
"""Outcomes that say something was found."""
_IN = 400


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item; see `RescanResult`."""

    item: str
    outcome: Outcome
    kind: str = ""
    division: str = ""
    verdict: str = ""
    kinds: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    attachments: int = 0
    case: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: items looked at, of how many, hits so far, errors so far."""

    state: RunState
    why: str
    looked: int
    total: int
    hits: int
    errors: int
    listed: bool
    waiting: int


def start(session: Session, *, actor: str, wanted: Mapping[str, Any], policy: str, policy_text: str, label: str,
          dry_run: bool, max_holds: int, total: int) -> RescanRun:
    """A new run, with a number of its own."""
    begin_write(session)
    year = now().year
    run = RescanRun(id=f"RS-{year}-{_next(session, f'rescan:{year}'):06d}", actor=actor, wanted=dict(wanted),
                    policy=policy, policy_text=policy_text, label=label, dry_run=dry_run, max_holds=max_holds,
                    total=total)
    session.add(run)
    session.flush()
    audit.append(session, "rescan:run:started", actor=actor, subject=run.id, body={
        "policy": label, "dry_run": dry_run, "max_holds": max_holds,
        "since": str(wanted.get("since") or ""), "until": str(wanted.get("until") or ""),
        "one_division": bool(wanted.get("division")),
        "kinds": [str(kind) for kind in wanted.get("kinds", ())]})
    return run


def get(session: Session, run_id: str, *, lock: bool = False) -> RescanRun:
    """One run, upper or lower case; with `lock`, for a change. Raises `NotFound`."""
    query = select(RescanRun).where(RescanRun.id == run_id.strip().upper())
    if lock:
        begin_write(session)
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    run = session.scalars(query).one_or_none()
    if run is None:
        raise NotFound("no rescan with this number")
    return run


def runs(session: Session, limit: int = 50) -> tuple[RescanRun, ...]:
    """The newest runs, newest first."""
    return tuple(session.scalars(select(RescanRun).order_by(
        col(RescanRun.created).desc(), col(RescanRun.id).desc()).limit(limit)))


def resume(session: Session, run_id: str, *, actor: str, max_holds: int | None = None) -> RescanRun:
    """Go on with a run that was paused, killed, or ended with errors; those are looked at again.

    `tries` counts, so that its jobs get new ids. Raises `BadState` when it ended and nothing is left to do.
    """
    run = get(session, run_id, lock=True)
    failed = session.execute(columns(col(RescanResult.item)).where(
        col(RescanResult.run_id) == run.id, col(RescanResult.outcome) == Outcome.ERROR)).scalars().all()
    if run.state == RunState.DONE and not failed:
        raise BadState(f"{run.id} is done")
    if failed:
        again = set(failed)
        session.execute(delete(RescanResult).where(
            col(RescanResult.run_id) == run.id, col(RescanResult.outcome) == Outcome.ERROR))
        for chunk in session.scalars(select(RescanChunk).where(
                col(RescanChunk.run_id) == run.id, col(RescanChunk.done)).with_for_update(key_share=True)):
            if again.intersection(chunk.ids):
                chunk.done = False
    if max_holds is not None:
        run.max_holds = max_holds
    run.state, run.why, run.finished, run.tries = RunState.RUNNING, "", None, run.tries + 1
    session.flush()
    audit.append(session, "rescan:run:resumed", actor=actor, subject=run.id, body={"max_holds": run.max_holds})
    return run


def pause(session: Session, run_id: str, *, why: str, actor: str = "mailweir") -> None:
    """Stop a running run: jobs that are underway end at their next item."""
    run = get(session, run_id, lock=True)
    if run.state != RunState.RUNNING:
        return
    run.state, run.why = RunState.PAUSED, why
    session.flush()
    audit.append(session, "rescan:run:paused", actor=actor, subject=run.id, body={"reason": why, "holds": run.holds})


def add_chunk(session: Session, run_id: str, ids: Sequence[str], cursor: str, *, after: str) -> int | None:
    """One more chunk of a run that is being listed, the ids behind `after`; its number, or None when the run is not
    running or another worker listed these ids."""
    run = get(session, run_id, lock=True)
    if run.listed or run.state != RunState.RUNNING or run.cursor != after:
        return None
    number = session.scalars(select(func.count()).select_from(RescanChunk).where(
        RescanChunk.run_id == run.id)).one()
    session.add(RescanChunk(run_id=run.id, number=number, ids=[*ids]))
    run.cursor = cursor
    session.flush()
    return int(number)


def listed(session: Session, run_id: str) -> None:
    """All ids are in chunks now; the run ends when the last of those is done."""
    run = get(session, run_id, lock=True)
    if run.state != RunState.RUNNING:
        return
    if not run.listed:
        run.listed = True
        run.total = sum(len(ids) for ids in session.scalars(
            select(RescanChunk.ids).where(RescanChunk.run_id == run.id)))
    _end_if_done(session, run)


def waiting(session: Session, run_id: str) -> list[int]:
    """The numbers of the chunks that are not done."""
    return [*session.scalars(select(RescanChunk.number).where(
        RescanChunk.run_id == run_id, col(RescanChunk.done).is_(False)).order_by(col(RescanChunk.number)))]


def take(session: Session, run_id: str, number: int) -> list[str]:
    """The ids of a chunk that have no result yet; none when the run is not running or the chunk is done."""
    run = get(session, run_id)
    chunk = session.get(RescanChunk, (run.id, number))
    if chunk is None or chunk.done or run.state != RunState.RUNNING:
        return []
    known = looked_at(session, run.id, chunk.ids)
    return [ident for ident in chunk.ids if ident not in known]


def looked_at(session: Session, run_id: str, ids: Sequence[str]) -> set[str]:
    """Which of these have a result."""
    found: set[str] = set()
    for begin in range(0, len(ids), _IN):
        found |= set(session.scalars(select(RescanResult.item).where(
            RescanResult.run_id == run_id, col(RescanResult.item).in_(ids[begin:begin + _IN]))))
    return found


def note(session: Session, run_id: str, results: Iterable[Result]) -> None:
    """Write results; an item that has one keeps it."""
    rows = {result.item: result for result in results}
    if not rows:
        return
    begin_write(session)
    get(session, run_id, lock=True)  # two workers on one chunk take turns
    known = looked_at(session, run_id, [*rows])
    session.add_all(RescanResult(
        run_id=run_id, item=r.item, kind=r.kind, division=r.division, outcome=r.outcome, verdict=r.verdict,
        kinds=[*r.kinds], unread=[*r.unread], attachments=r.attachments, case=r.case, code=r.code)
        for r in rows.values() if r.item not in known)
    session.flush()


def chunk_done(session: Session, run_id: str, number: int, seconds: float) -> bool:
    """A chunk is worked through, unless an item of it has no result (the run was paused); True when done."""
    run = get(session, run_id, lock=True)
    chunk = session.get_one(RescanChunk, (run.id, number))
    chunk.seconds += seconds
    if not chunk.done and len(looked_at(session, run.id, chunk.ids)) == len(chunk.ids):
        chunk.done = True
    session.flush()
    if run.state == RunState.RUNNING:
        _end_if_done(session, run)
    return chunk.done


def spent(session: Session, run_id: str, number: int, seconds: float) -> None:
    """Count the time that was spent on a chunk."""
    session.execute(update(RescanChunk).where(col(RescanChunk.run_id) == run_id, col(RescanChunk.number) == number)
                    .values(seconds=col(RescanChunk.seconds) + seconds).execution_options(synchronize_session=False))


def live_work(session: Session, moment: datetime, fresh_seconds: float) -> bool:
    """Whether a tagged item is being worked on: unfinished, and moved on lately (one that is stuck holds nobody up)."""
    since = moment - timedelta(seconds=fresh_seconds)
    return session.scalars(select(Capture.id).where(
        col(Capture.state).in_((CaptureState.CLAIMED, CaptureState.SCANNED, CaptureState.DECIDED)),
        Capture.updated >= since).limit(1)).first() is not None


def may_hold(session: Session, run_id: str, *, again: bool = False) -> bool:
    """Whether one more item may be pulled out. False when the run is not running; False, and the run pauses, when
    that is more than allowed. `again`: it was counted before."""
    run = get(session, run_id, lock=True)
    if run.state != RunState.RUNNING:
        return False
    if run.max_holds and run.holds >= run.max_holds and not again:
        pause(session, run.id, why="max-holds")
        return False
    return True


def count_hold(session: Session, run_id: str) -> None:
    """An item was taken: one hold of this run. In the transaction that opened its case."""
    session.execute(update(RescanRun).where(col(RescanRun.id) == run_id).values(holds=col(RescanRun.holds) + 1)
                    .execution_options(synchronize_session=False))


def progress(session: Session, run_id: str) -> Progress:
    """How far a run is."""
    run = get(session, run_id)
    by = _counted(session, run.id, col(RescanResult.outcome))
    open_chunks = session.scalars(select(func.count()).select_from(RescanChunk).where(
        RescanChunk.run_id == run.id, col(RescanChunk.done).is_(False))).one()
    return Progress(RunState(run.state), run.why, sum(by.values()), run.total, sum(by.get(o, 0) for o in HITS),
                    by.get(Outcome.ERROR, 0), run.listed, open_chunks)


def results(session: Session, run_id: str, outcomes: Sequence[Outcome] = ()) -> Iterable[RescanResult]:
    """The results of a run in the order of items; of these outcomes only, when some are named."""
    query = select(RescanResult).where(RescanResult.run_id == run_id).order_by(col(RescanResult.item))
    if outcomes:
        query = query.where(col(RescanResult.outcome).in_(outcomes))
    return session.scalars(query.execution_options(yield_per=500))


def report(session: Session, run_id: str) -> dict[str, Any]:
    """What a run came to. A published form: other people script against it.

        {"run", "state", "why", "policy", "dry_run", "total", "looked_at", "outcomes": {outcome: n},
         "by_kind": {kind: {outcome: n}}, "by_division": {division: {outcome: n}}, "categories": {category: items},
         "unread": {code: items}, "attachments": n, "cases": [...], "would_pass": [case, ...], "errors": {code: n},
         "seconds": worker seconds}
    """
    run = get(session, run_id)
    outcomes = _counted(session, run.id, col(RescanResult.outcome))
    categories: dict[str, int] = {}
    unread: dict[str, int] = {}
    errors: dict[str, int] = {}
    cases, passing = [], []
    for row in results(session, run.id, [*HITS, Outcome.ERROR, Outcome.WOULD_PASS]):
        if row.outcome == Outcome.ERROR:
            errors[row.code] = errors.get(row.code, 0) + 1
        elif row.outcome == Outcome.WOULD_PASS:
            passing.append(row.case)
        else:
            for kind in row.kinds:
                categories[kind] = categories.get(kind, 0) + 1
            for code in row.unread:
                unread[code] = unread.get(code, 0) + 1
            if row.case:
                cases.append(row.case)
    files = session.execute(columns(func.sum(col(RescanResult.attachments))).where(
        col(RescanResult.run_id) == run.id)).scalar_one()
    seconds = session.execute(columns(func.sum(col(RescanChunk.seconds))).where(
        col(RescanChunk.run_id) == run.id)).scalar_one()
    return {
        "run": run.id, "state": run.state, "why": run.why, "policy": run.label, "dry_run": run.dry_run,
        "total": run.total, "looked_at": sum(outcomes.values()), "outcomes": outcomes,
        "by_kind": _table(session, run.id, col(RescanResult.kind)),
        "by_division": _table(session, run.id, col(RescanResult.division)),
        "categories": dict(sorted(categories.items())), "unread": dict(sorted(unread.items())),
        "attachments": int(files or 0), "cases": sorted(set(cases)), "would_pass": sorted(passing),
        "errors": dict(sorted(errors.items())), "seconds": round(float(seconds or 0), 1)}


def _counted(session: Session, run_id: str, column: Any) -> dict[str, int]:
    rows = session.execute(columns(column, func.count()).where(col(RescanResult.run_id) == run_id).group_by(column))
    return dict(sorted((str(value), int(count)) for value, count in rows))


def _table(session: Session, run_id: str, column: Any) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    outcome = col(RescanResult.outcome)
    for value, what, count in session.execute(
            columns(column, outcome, func.count()).where(col(RescanResult.run_id) == run_id).group_by(column, outcome)
            .order_by(column, outcome)):
        found.setdefault(str(value), {})[str(what)] = int(count)
    return found


def _end_if_done(session: Session, run: RescanRun) -> None:
    """The run ends with its last chunk."""
    if not run.listed or waiting(session, run.id):
        session.flush()
        return
    run.state, run.finished = RunState.DONE, now()
    session.flush()
    audit.append(session, "rescan:run:finished", actor="mailweir", subject=run.id,
                 body={"outcomes": _counted(session, run.id, col(RescanResult.outcome)), "total": run.total})


def _next(session: Session, name: str) -> int:
    def find() -> Counter | None:
        return session.scalars(select(Counter).where(Counter.name == name).with_for_update(key_share=True)
                               .execution_options(populate_existing=True)).one_or_none()

    counter, _ = get_or_create(session, find, lambda: Counter(name=name))
    counter.value += 1
    session.flush()
    return counter.value
