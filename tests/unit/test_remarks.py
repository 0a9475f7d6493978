"""What somebody wrote beside a reason: encrypted with the case, gone with its content."""

from __future__ import annotations

import pytest
from canaries import CANARY_NAME
from stores import BLOCK, finish, opened, sight

from store import cases, quarantine, remarks
from store.errors import BadState
from store.tables import Blob


def test_a_remark_is_kept_encrypted_and_goes_with_the_content_of_the_case(store_url: str) -> None:
    with opened(store_url) as (db, keys):
        held = finish(db, *sight(db, keys, "dana@example.org", "m1@example.com", BLOCK))
        assert held is not None
        with db.session() as session:
            case = cases.get(session, held.number)
            assert remarks.keep(session, keys, case, "   ") == ""
            first = remarks.keep(session, keys, case, f" about {CANARY_NAME} ")
            second = remarks.keep(session, keys, case, "again")
        with db.session() as session:
            case = cases.get(session, held.number)
            assert remarks.of_case(session, keys, case) == {first: f"about {CANARY_NAME}", second: "again"}
            row = session.get(Blob, first)
            assert row is not None
            assert CANARY_NAME.encode() not in (row.content or b"")
            mail = quarantine.blobs(session, case_id=case.id, kind="mail")
            assert quarantine.read(session, keys, mail[-1].id) == b"content"
            cases.delete(session, held.number, actor="root", reason="confirmed")
        with db.session() as session:
            case = cases.get(session, held.number)
            assert remarks.of_case(session, keys, case) == {}
            with pytest.raises(BadState):
                remarks.keep(session, keys, case, "too late")
