"""No kind of look is forgotten among the readings, and they are found by person, case and time on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from stores import opened

from store import audit, readings
from store.audit import EVENTS
from store.columns import now
from store.database import Database

LOOKS = re.compile(r"(looked at|listed|searched|opened a file|read |decrypted|exported|A copy of)")
NOT_READINGS = {"watch:mailbox:resumed"}
"""Its sentence sounds like a look of somebody's, and is none."""


def test_every_event_that_sounds_like_a_look_is_a_reading() -> None:
    sounds = {action for action, sentence in EVENTS.items() if LOOKS.search(sentence)}
    assert sounds - set(readings.ACTIONS) - NOT_READINGS == set()
    assert set(readings.READINGS) <= set(EVENTS)


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    with opened(store_url) as (database, _):
        yield database


def test_readings_are_found_by_person_case_and_time(db: Database) -> None:
    with db.session() as s:
        audit.append(s, "quarantine:case:read", actor="vera", subject="MW-2026-000001")
        audit.append(s, "quarantine:content:read", actor="vera", subject="MW-2026-000001",
                     body={"kind": "masked", "reason": "check"})
        audit.append(s, "quarantine:case:read", actor="ines", subject="MW-2026-000002")
        audit.append(s, "quarantine:case:released", actor="vera", subject="MW-2026-000001", body={"reason": "x"})
    hour = timedelta(hours=1)
    with db.reading() as s:
        assert [r.how for r in readings.found(s)] == ["view", "reveal", "view"]
        assert [r.how for r in readings.found(s, person="vera")] == ["view", "reveal"]
        assert [r.actor for r in readings.found(s, subject="MW-2026-000002")] == ["ines"]
        assert [r.how for r in readings.found(s, last=1)] == ["view"]
        assert len(readings.found(s, since=now() - hour, until=now() + hour)) == 3
        assert readings.found(s, since=now() + hour) == readings.found(s, until=now() - hour) == ()
