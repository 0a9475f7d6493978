"""Runs, results, pulls and readings as rows: every call may be repeated, and nothing counts twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import select
from stores import BLOCK, MASTER, opened

from store import audit, cases, pulls, quarantine, reads, rescan
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, NotFound
from store.pulls import Found
from store.reads import How
from store.rescan import Result
from store.rescan_tables import CrmPull, Outcome, PullState
from store.summary import summary
from store.tables import Capture, Case, Item

KEYS = Keys(MASTER)


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    with opened(store_url) as (database, _):
        yield database


def started(db: Database, *, max_holds: int = 0) -> str:
    with db.session() as session:
        return rescan.start(session, actor="root", wanted={"kinds": ["note"], "division": "two words"}, policy="",
                            policy_text="", label="bc_foippa@1", dry_run=False, max_holds=max_holds, total=4).id


def listed(db: Database, run: str, *chunks: list[str]) -> None:
    after = ""
    for ids in chunks:
        with db.session() as session:
            assert rescan.add_chunk(session, run, ids, ids[-1], after=after) is not None
        after = ids[-1]
    with db.session() as session:
        rescan.listed(session, run)


def found(run: str, record: str = "r1", content: str = "c" * 64) -> Found:
    return Found(run=run, record=record, item_key="i" * 64, content_hash=content, summary=summary(BLOCK),
                 reason="personal-information", stored=now() - timedelta(days=1), trackers=("anna", "bert"),
                 blobs={"mail": b"mail", pulls.RECORD: b"record"})


# ------------------------------------------------------------------------------------------------- runs

def test_a_run_ends_with_its_last_chunk_however_often_a_chunk_is_worked(db: Database) -> None:
    run = started(db)
    assert run.startswith("RS-20")
    listed(db, run, ["a", "b"], ["c"])
    for number, ids in ((1, ["c"]), (0, ["a", "b"]), (0, [])):
        with db.session() as session:
            assert rescan.take(session, run, number) == ids
            rescan.note(session, run, [Result(i, Outcome.PASS, "mail") for i in ids])
            assert rescan.chunk_done(session, run, number, 0.5)
    with db.session() as session:
        rescan.note(session, run, [Result("a", Outcome.HOLD)])  # a late double: the first result stays
        report = rescan.report(session, run)
        assert len(audit.show(session, action="rescan:run:finished")) == 1
    assert (report["state"], report["total"], report["outcomes"], report["seconds"]) == ("done", 3, {"pass": 3}, 1.5)


def test_ids_are_listed_once_by_whoever_lists(db: Database) -> None:
    run = started(db)
    with db.session() as session:
        assert rescan.add_chunk(session, run, ["a"], "a", after="") == 0
        assert rescan.add_chunk(session, run, ["a"], "a", after="") is None, "another worker's page"
        assert rescan.add_chunk(session, run, ["b"], "b", after="a") == 1
        rescan.listed(session, run)
        assert rescan.add_chunk(session, run, ["c"], "c", after="b") is None
        assert rescan.waiting(session, run) == [0, 1]


def test_a_chunk_with_items_left_is_not_done(db: Database) -> None:
    run = started(db)
    listed(db, run, ["a", "b"])
    with db.session() as session:
        rescan.note(session, run, [Result("a", Outcome.PASS)])
        assert not rescan.chunk_done(session, run, 0, 1.0)
        assert rescan.progress(session, run).state == "running"
        assert rescan.take(session, run, 0) == ["b"]


def test_a_paused_run_hands_out_nothing_and_is_resumed(db: Database) -> None:
    run = started(db)
    listed(db, run, ["a"])
    with db.session() as session:
        rescan.pause(session, run, why="interrupted", actor="root")
        rescan.pause(session, run, why="again")
        assert rescan.take(session, run, 0) == []
        assert not rescan.may_hold(session, run)
        again = rescan.resume(session, run.lower(), actor="root", max_holds=7)
        assert (again.tries, again.max_holds, again.why) == (1, 7, "")
        assert rescan.take(session, run, 0) == ["a"]
        assert len(audit.show(session, action="rescan:run:paused")) == 1


def test_more_holds_than_allowed_pause_the_run_before_the_next(db: Database) -> None:
    run = started(db, max_holds=1)
    with db.session() as session:
        assert rescan.may_hold(session, run)
        rescan.count_hold(session, run)
    with db.session() as session:
        assert rescan.may_hold(session, run, again=True), "one that was counted before a kill"
        assert not rescan.may_hold(session, run)
        assert rescan.progress(session, run).why == "max-holds"


def test_errors_are_looked_at_again_when_a_run_is_resumed_and_nothing_else_is(db: Database) -> None:
    run = started(db)
    listed(db, run, ["a", "b"], ["c"])
    with db.session() as session:
        rescan.note(session, run, [Result("a", Outcome.ERROR, code="try-later"), Result("b", Outcome.PASS),
                                   Result("c", Outcome.PASS)])
        for number in (0, 1):
            rescan.chunk_done(session, run, number, 0.0)
        assert rescan.report(session, run)["errors"] == {"try-later": 1}
        rescan.resume(session, run, actor="root")
        assert rescan.waiting(session, run) == [0]
        assert rescan.take(session, run, 0) == ["a"]
        rescan.note(session, run, [Result("a", Outcome.PASS)])
        rescan.chunk_done(session, run, 0, 0.0)
        assert rescan.progress(session, run).state == "done"
    with db.session() as session, pytest.raises(BadState):
        rescan.resume(session, run, actor="root")
    with db.session() as session, pytest.raises(NotFound):
        rescan.get(session, "RS-1999-000001")


# ------------------------------------------------------------------------------------------------ pulls

def test_a_pull_is_one_however_often_it_is_begun_and_finished(db: Database) -> None:
    run = started(db)
    with db.session() as session:
        first = pulls.begin(session, KEYS, found(run))
    with db.session() as session:
        assert pulls.begun(session, found(run))
        second = pulls.begin(session, KEYS, found(run))
    assert (second.id, second.case, first.made, second.made) == (first.id, first.case, True, False)
    with db.session() as session:
        seen = pulls.finish(session, first.id, PullState.PULLED)
        assert seen == pulls.Seen(0, 0, exported=False)
        assert pulls.finish(session, first.id, PullState.PULLED) is None
        assert not pulls.begun(session, found(run))
        [case] = session.scalars(select(Case)).all()
        assert (case.trackers, case.state, case.summary["exposure"], case.summary["origin"]) == (2, "held", 2, "rescan")
        assert session.scalars(select(Item)).one().state == "held"
        assert len(quarantine.blobs(session, case_id=case.id)) == 2
        assert pulls.case_trackers(session, case.id) == ["anna", "bert"]
        assert audit.verify(session).ok


def test_another_record_of_the_same_content_joins_the_case(db: Database) -> None:
    run = started(db)
    with db.session() as session:
        one, two = (pulls.begin(session, KEYS, found(run, record)) for record in ("r1", "r2"))
        assert one.case == two.case
        assert session.scalars(select(Case)).one().trackers == 4
        other = pulls.begin(session, KEYS, found(run, "r1", "d" * 64))
        assert other.case != one.case


def test_what_was_released_passes_under_the_same_policy_until_one_is_confirmed(db: Database) -> None:
    run = started(db)
    with db.session() as session:
        pull = pulls.begin(session, KEYS, found(run))
        assert not pulls.released_before(session, "i" * 64, "c" * 64, BLOCK.policy)
    with db.session() as session:
        released = cases.release(session, pull.case, actor="eve", reason="false-positive")
    assert [c.id for c in released.captures] == [pull.capture]
    with db.session() as session:
        assert pulls.released_before(session, "i" * 64, "c" * 64, BLOCK.policy)
        assert not pulls.released_before(session, "i" * 64, "c" * 64, "another@1")
        assert not pulls.released_before(session, "i" * 64, "d" * 64, BLOCK.policy)
        again = pulls.begin(session, KEYS, found(run))
    with db.session() as session:
        cases.delete(session, again.case, actor="eve", reason="confirmed")
    with db.session() as session:
        assert not pulls.released_before(session, "i" * 64, "c" * 64, BLOCK.policy)
        assert {p.state for p in session.scalars(select(CrmPull))} == {"open"}


def test_a_record_nobody_edited_has_the_hash_of_its_mail(db: Database) -> None:
    with db.session() as session:
        session.add(Capture(mailbox="anna", source_key="s", activity="r1", content_hash="m" * 64))
        session.flush()
        assert pulls.content_hash(session, KEYS, "r1", "v1", edited=False) == "m" * 64
        own = pulls.content_hash(session, KEYS, "r1", "v1", edited=True)
        assert own != "m" * 64
        assert pulls.content_hash(session, KEYS, "r2", "v1", edited=False) == own, "the version alone tells"
        assert pulls.content_hash(session, KEYS, "r2", "v2", edited=False) != own


# ------------------------------------------------------------------------------------------------ reads

def test_readings_are_those_since_the_record_was_stored_and_of_what_shows_it(db: Database) -> None:
    with db.session() as session:
        audit.append(session, "crm:record:read", actor="early", subject="r1", body={"kind": "activity"})
    since = now()
    with db.session() as session:
        audit.append(session, "crm:record:read", actor="contact", subject="k1", body={"kind": "contact"})
        audit.append(session, "crm:record:read", actor="other", subject="k2", body={"kind": "contact"})
        audit.append(session, "crm:attachment:read", actor="far", subject="k1", body={"number": 1})
        reads.listed(session, actor="few", kind="activities", ids=["r0", "r1"])
        reads.listed(session, actor="none", kind="activities", ids=["r0"])
        reads.listed(session, actor="many", kind="activities", ids=[f"r{n + 5}" for n in range(reads.MOST_IDS + 1)])
        reads.listed(session, actor="people", kind="contacts", ids=["k"] * (reads.MOST_IDS + 1))
        reads.listed(session, actor="out", kind="activities", ids=["r1"], action="crm:records:exported")
    with db.reading() as session:
        seen = [(r.actor, r.how) for r in reads.of_record(session, "r1", since, ["k1"])]
    assert seen == [("contact", How.TIMELINE), ("few", How.LISTED), ("many", How.LISTED), ("out", How.EXPORTED)]


def test_every_event_of_reading_is_one_of_the_audit() -> None:
    assert {*reads.ONE, *reads.MANY} <= set(audit.EVENTS)
