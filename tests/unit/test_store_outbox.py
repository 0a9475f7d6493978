"""The outbox: written once, sent at least once, never by two senders at a time, without text of a mail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select
from stores import opened

from store import audit, outbox
from store.columns import now
from store.database import Database
from store.errors import BadState, NotFound
from store.tables import Notice, NoticeState


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    """A prepared store on a file."""
    with opened(store_url) as (database, _):
        yield database


def add(db: Database, key: str = "c1/held", **data: Any) -> str:
    with db.session() as session:
        return outbox.add(session, key=key, recipient="anna@example.com", template="held",
                          data=data or {"case": "MW-2026-000001", "kinds": {"health": 2}, "places": ["body"]}).id


def make_due(db: Database) -> None:
    with db.session() as session:
        for notice in session.scalars(select(Notice)):
            notice.due = now() - timedelta(seconds=1)


def test_a_notice_is_written_once_per_key(db: Database) -> None:
    assert add(db) == add(db)
    assert add(db, key="c2/held") != add(db)
    with db.reading() as session:
        assert outbox.waiting(session) == 2


def test_a_notice_falls_with_the_transaction_that_decided(db: Database) -> None:
    def fail_half_way() -> None:
        with db.session() as session:
            outbox.add(session, key="c1/held", recipient="anna@example.com", template="held", data={})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with db.reading() as session:
        assert outbox.waiting(session) == 0


def test_what_one_sender_took_no_other_takes_until_the_claim_runs_out(db: Database) -> None:
    ident = add(db)
    with db.session() as session:
        assert [(n.id, n.attempts) for n in outbox.take(session)] == [(ident, 1)]
    with db.session() as session:
        assert outbox.take(session) == ()
    make_due(db)
    with db.session() as session:
        assert [(n.id, n.attempts) for n in outbox.take(session)] == [(ident, 2)]


def test_a_sent_notice_is_done_and_audited_once(db: Database) -> None:
    ident = add(db)
    with db.session() as session:
        outbox.take(session)
        outbox.mark_sent(session, ident)
        outbox.mark_sent(session, ident)
    make_due(db)
    with db.session() as session:
        assert outbox.take(session) == ()
        assert outbox.waiting(session) == 0
        (row,) = audit.show(session, action="notice:")
    assert (row.action, row.subject, row.body) == ("notice:message:sent", ident, {"template": "held", "attempts": 1})


def test_failures_wait_longer_each_time_and_end(db: Database) -> None:
    ident = add(db)
    waits = []
    for _ in range(outbox.MAX_ATTEMPTS):
        make_due(db)
        with db.session() as session:
            outbox.take(session)
            notice = outbox.mark_failed(session, ident, code="try-later", retry=True)
            waits.append((notice.due - now()).total_seconds())
    assert waits[:-1] == sorted(waits[:-1])
    assert waits[0] == pytest.approx(30, abs=5)
    assert notice.state == NoticeState.FAILED
    make_due(db)
    with db.session() as session:
        assert outbox.take(session) == ()
        assert [r.body for r in audit.show(session, action="notice:message:failed")] == [
            {"attempts": outbox.MAX_ATTEMPTS, "code": "try-later"}]


def test_a_failure_without_retry_ends_at_once(db: Database) -> None:
    ident = add(db)
    with db.session() as session:
        outbox.take(session)
        assert outbox.mark_failed(session, ident, code="refused", retry=False).state == NoticeState.FAILED
    with pytest.raises(BadState), db.session() as session:
        outbox.mark_failed(session, ident, code="refused", retry=False)


def test_the_oldest_go_first_and_no_more_than_asked_for(db: Database) -> None:
    idents = [add(db, key=f"c{n}/held") for n in range(5)]
    with db.session() as session:
        assert [n.id for n in outbox.take(session, limit=2)] == idents[:2]


def test_an_unknown_notice_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound), db.session() as session:
        outbox.mark_sent(session, "nothing")


@pytest.mark.parametrize("data", [
    pytest.param({"note": "x" * 121}, id="too long"),
    pytest.param({"note": "two\nlines"}, id="line break"),
    pytest.param({"places": ["body", "x" * 121]}, id="in a list"),
    pytest.param({"kinds": {"x" * 121: 1}}, id="as a name"),
    pytest.param({"raw": b"bytes"}, id="bytes"),
])
def test_text_does_not_get_in_by_accident(db: Database, data: dict[str, Any]) -> None:
    with pytest.raises(BadState):
        add(db, **data)
