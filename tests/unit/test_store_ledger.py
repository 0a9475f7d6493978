"""The ledger: every step once, in order, safe to repeat; one case and one verdict per message."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from stores import BLOCK, PASS, POLICY, finding, finish, opened, sight

from pii_scan.findings import Category, Decision, Verdict
from pii_scan.text import Unread
from store import allow, audit, cases, ledger, places, quarantine
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, NotFound
from store.places import Spot
from store.summary import MAX_FINDINGS, counts, summary
from store.tables import Capture, CaptureState, Item

Store = tuple[Database, Keys]
M1 = "<m1@example.com>"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A prepared store on a file."""
    with opened(store_url) as opened_store:
        yield opened_store


def run(store: Store, mailbox: str, decision: Decision, *, message: str = M1, content: bytes = b"content",
        source: str = "") -> tuple[str, ledger.Ruling, ledger.Held | None]:
    """One sighting through every step."""
    capture_id, ruling = sight(*store, mailbox, message, decision, content=content, source=source)
    return capture_id, ruling, finish(store[0], capture_id, ruling)


def capture_of(store: Store, capture_id: str) -> Capture:
    with store[0].reading() as session:
        return ledger.get(session, capture_id)


def item_of(store: Store) -> Item:
    with store[0].reading() as session:
        return session.scalars(select(Item)).one()


def test_an_item_goes_its_way_once(store: Store) -> None:
    capture_id, ruling, _ = run(store, "anna", PASS)
    capture = capture_of(store, capture_id)
    assert (ruling.outcome, ruling.why) == ("link", "decision")
    assert (capture.state, capture.attempts, capture.generation) == (CaptureState.NOTIFIED, 1, 1)
    assert capture.finished is not None
    assert item_of(store).state == "linked"
    with store[0].session() as session:
        actions = [row.action for row in audit.show(session, subject=capture_id)]
        assert audit.verify(session).ok
    assert actions == ["capture:item:registered", "capture:item:decided", "capture:item:linked",
                       "capture:item:marked", "capture:item:finished"]


@pytest.mark.parametrize("decision", [PASS, BLOCK], ids=["linked", "held"])
def test_repeating_every_step_changes_nothing(store: Store, decision: Decision) -> None:
    db, _ = store
    capture_id, ruling, held = run(store, "anna", decision)
    with db.reading() as session:
        before = (ledger.get(session, capture_id).model_dump(), ledger.counts(session), audit.head(session))
    with db.session() as session:
        item_key = session.scalars(select(Item.item_key)).one()
        ledger.scanned(session, capture_id, item_key=item_key, content_hash="other", decision=BLOCK)
        assert ledger.decide(session, capture_id) == ruling
        if ruling.link:
            ledger.linked(session, capture_id, activity="a2", matched="unmatched", records=0)
        else:
            assert ledger.hold(session, capture_id) == held
        ledger.marked(session, capture_id)
        ledger.finished(session, capture_id)
    with db.reading() as session:
        assert before == (ledger.get(session, capture_id).model_dump(), ledger.counts(session), audit.head(session))


def test_registering_twice_gives_the_same_capture_until_it_is_done(store: Store) -> None:
    db, _ = store
    with db.session() as session:
        first = ledger.register(session, "anna", "s" * 64)
        assert ledger.register(session, "anna", "s" * 64).id == first.id
        assert ledger.register(session, "bert", "s" * 64).id != first.id
        ledger.gone(session, first.id)
        again = ledger.register(session, "anna", "s" * 64)
    assert (again.generation, again.state) == (2, CaptureState.CLAIMED)


@pytest.mark.parametrize(("steps", "wrong"), [
    pytest.param([], "decide", id="decide before the scan"),
    pytest.param([], "link", id="link before the scan"),
    pytest.param(["scan"], "link", id="link before the decision"),
    pytest.param([], "mark", id="mark before an outcome"),
    pytest.param(["scan", "decide"], "finish", id="finish before an outcome"),
    pytest.param(["scan", "decide", "hold"], "link", id="link what is held"),
    pytest.param(["scan", "decide", "hold"], "gone", id="gone after held"),
    pytest.param(["scan", "decide"], "link", id="link what was ruled to be held"),
    pytest.param([], "hold", id="hold without a reason before the decision"),
    pytest.param(["gone"], "scan", id="scan what is gone"),
    pytest.param(["gone"], "decide", id="decide what is gone"),
    pytest.param(["gone"], "hold-error", id="hold what is gone"),
])
def test_steps_in_a_wrong_order_are_refused(store: Store, steps: list[str], wrong: str) -> None:
    db, _ = store

    def do(session: Any, step: str) -> None:
        {"scan": lambda: ledger.scanned(session, ident, item_key="k" * 64, content_hash="h", decision=BLOCK),
         "decide": lambda: ledger.decide(session, ident),
         "link": lambda: ledger.linked(session, ident, activity="a", matched="contact", records=1),
         "hold": lambda: ledger.hold(session, ident),
         "hold-error": lambda: ledger.hold(session, ident, reason="crashed"),
         "gone": lambda: ledger.gone(session, ident),
         "mark": lambda: ledger.marked(session, ident),
         "finish": lambda: ledger.finished(session, ident)}[step]()

    with db.session() as session:
        ident = ledger.register(session, "anna", "s" * 64).id
        for step in steps:
            do(session, step)
    with pytest.raises(BadState), db.session() as session:
        do(session, wrong)


def test_a_pass_is_not_held_without_a_reason_but_with_one(store: Store) -> None:
    db, keys = store
    capture_id, _ = sight(db, keys, "anna", M1, PASS)
    with pytest.raises(BadState), db.session() as session:
        ledger.hold(session, capture_id)
    with db.session() as session:
        held = ledger.hold(session, capture_id, reason="crm-failed")
        assert cases.get(session, held.number).reason == "crm-failed"


def test_an_error_before_anything_was_read_holds(store: Store) -> None:
    db, _ = store
    with db.session() as session:
        capture = ledger.register(session, "anna", "s" * 64)
        held = ledger.hold(session, capture.id, reason="fetch-failed")
        case = cases.get(session, held.number)
    assert (case.reason, case.verdict) == ("fetch-failed", "review")
    assert case.summary["unread"] == [{"place": "item", "code": "fetch-failed"}]


def test_unknown_captures_are_not_found(store: Store) -> None:
    with pytest.raises(NotFound), store[0].session() as session:
        ledger.begin(session, "nothing")


# --------------------------------------------------------------------------------------- one message

def test_the_second_tracker_joins_the_open_case(store: Store) -> None:
    _, _, first = run(store, "anna", BLOCK)
    second_id, _, second = run(store, "bert", BLOCK)
    _, _, third = run(store, "anna", BLOCK, source="elsewhere")
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.number == second.number == third.number
    assert [(h.joined, h.trackers) for h in (first, second, third)] == [(False, 1), (True, 2), (True, 2)]
    with store[0].session() as session:
        case = cases.get(session, first.number.lower())
        assert [c.mailbox for c in cases.trackers(session, case)] == ["anna", "bert", "anna"]
        assert len(cases.listed(session)) == 1
        assert [row.action for row in audit.show(session, subject=second_id)][2] == "capture:item:joined"


def test_many_people_at_the_same_moment_open_one_case(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        held = [h for _, _, h in pool.map(lambda n: run(store, f"user{n}", BLOCK), range(8)) if h]
    assert len({h.number for h in held}) == 1
    assert sorted(h.joined for h in held) == [False] + [True] * 7
    with store[0].session() as session:
        (case,) = cases.listed(session)
        assert case.trackers == 8
        assert len(quarantine.blobs(session, case_id=case.id)) == 1
        assert ledger.counts(session)["items"] == {"held": 1}
        assert audit.verify(session).ok


def test_one_place_registered_at_the_same_moment_is_one_capture(store: Store) -> None:
    def register(_: int) -> str:
        with store[0].session() as session:
            return ledger.register(session, "anna", "s" * 64).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(register, range(16)))) == 1


def test_case_numbers_count_up_within_the_year(store: Store) -> None:
    numbers = [held.number for n in range(3) if (held := run(store, "anna", BLOCK, message=f"<{n}@example.com>")[2])]
    year = numbers[0][3:7]
    assert numbers == [f"MW-{year}-00000{n}" for n in (1, 2, 3)]


def test_a_copy_that_passes_is_held_while_another_copy_is(store: Store) -> None:
    run(store, "anna", BLOCK, content=b"with the list")
    _, ruling, held = run(store, "bert", PASS, content=b"without the list")
    assert (ruling.outcome, ruling.why) == ("hold", "other-copy-held")
    assert held is not None
    assert not held.joined
    assert (item_of(store).state, item_of(store).verdict) == ("held", "block")


def test_ones_own_cleaned_copy_passes_although_the_first_is_held(store: Store) -> None:
    run(store, "anna", BLOCK, content=b"with the list")
    _, ruling, _ = run(store, "anna", PASS, content=b"without the list", source="elsewhere")
    assert ruling.link
    assert item_of(store).state == "held"


def test_a_copy_that_is_blocked_says_that_another_is_linked_already(store: Store) -> None:
    run(store, "anna", PASS, content=b"without the list")
    _, ruling, held = run(store, "bert", BLOCK, content=b"with the list")
    assert held is not None
    assert held.was_linked
    assert ruling.why == "decision"
    assert (item_of(store).state, item_of(store).verdict) == ("held", "block")


def test_what_was_released_passes_while_content_and_policy_are_the_same(store: Store) -> None:
    db, _ = store
    capture_id, _, held = run(store, "anna", BLOCK)
    assert held is not None
    with db.session() as session:
        released = cases.release(session, held.number, actor="rev", reason="false-positive")
        assert [c.id for c in released.captures] == [capture_id]
    with db.session() as session:
        ruling = ledger.decide(session, capture_id)
        assert (ruling.outcome, ruling.why) == ("link", "released")
    finish(db, capture_id, ruling)
    assert capture_of(store, capture_id).state == CaptureState.NOTIFIED
    assert item_of(store).state == "linked"

    assert run(store, "bert", BLOCK)[1].why == "released-before"
    newer = Decision(Verdict.BLOCK, "any-finding", "bc_foippa@newer", (finding(),))
    assert run(store, "cleo", newer)[1].outcome == "hold"
    assert run(store, "dora", BLOCK, content=b"other content")[1].outcome == "hold"


def test_every_tracker_of_a_released_case_is_linked_and_the_content_goes_with_the_last(store: Store) -> None:
    db, keys = store
    first, _, held = run(store, "anna", BLOCK)
    second, _, _ = run(store, "bert", BLOCK)
    assert held is not None
    with db.session() as session:
        released = cases.release(session, held.number, actor="rev", reason="false-positive")
    assert {c.id for c in released.captures} == {first, second}
    finish(db, first, ledger.Ruling("link", "released", ""))
    with db.reading() as session:
        assert quarantine.read_kind(session, keys, second, "mail") == b"content"
    finish(db, second, ledger.Ruling("link", "released", ""))
    with db.reading() as session:
        assert quarantine.read_kind(session, keys, second, "mail") is None
        assert ledger.unfinished(session) == ()


def test_content_follows_a_capture_that_cannot_be_linked_after_its_release(store: Store) -> None:
    db, keys = store
    first, _, held = run(store, "anna", BLOCK)
    second, _, _ = run(store, "bert", BLOCK)
    assert held is not None
    with db.session() as session:
        cases.release(session, held.number, actor="rev", reason="false-positive")
    with db.session() as session:
        again = ledger.hold(session, second, reason="crm-refused")
    finish(db, first, ledger.Ruling("link", "released", ""))
    with db.session() as session:
        case = cases.get(session, again.number)
        assert quarantine.reveal(session, keys, case, "mail", actor="rev", reason="review") == b"content"
        assert cases.delete(session, again.number, actor="rev", reason="confirmed") == 1
        assert quarantine.read_kind(session, keys, first, "mail") is None


@pytest.mark.parametrize("confirmed", [False, True])
def test_what_was_ruled_is_not_linked_when_a_copy_was_held_or_confirmed_meanwhile(
        store: Store, *, confirmed: bool) -> None:
    db, keys = store
    capture_id, ruling = sight(db, keys, "anna", M1, PASS)
    assert ruling.link
    with db.reading() as session:
        assert ledger.objection(session, capture_id) == ""
    _, _, held = run(store, "bert", BLOCK)
    assert held is not None
    if confirmed:
        with db.session() as session:
            cases.delete(session, held.number, actor="rev", reason="confirmed")
    with db.reading() as session:
        assert ledger.objection(session, capture_id) == ("confirmed-before" if confirmed else "other-copy-held")


@pytest.mark.parametrize("how", ["withdrawn", "expired"])
def test_what_passed_by_an_allow_rule_is_not_linked_once_the_rule_has_ended(store: Store, how: str) -> None:
    db, keys = store
    with db.session() as session:
        rule = allow.propose(session, allow.Wish("value", "sin", "government_id", digest="0" * 64), actor="vera").id
        allow.note_test(session, rule, {"looked_at": 1, "would_pass": 1, "confirmed": 0}, actor="vera")
        allow.approve(session, rule, actor="ines")
    others = tuple(finding(place=f"attachment {n} of 300", exempt="signature") for n in range(300))
    passed = Decision(Verdict.PASS, "none", POLICY, (*others, finding(exempt=f"allow:{rule}")))
    capture_id, ruling = sight(db, keys, "anna", M1, passed)
    assert ruling.link
    with db.reading() as session:
        assert ledger.objection(session, capture_id) == ""
    with db.session() as session:
        if how == "withdrawn":
            allow.withdraw(session, rule, actor="vera", reason="wrong")
        else:
            allow.get(session, rule).expires = now()
    with db.reading() as session:
        assert ledger.objection(session, capture_id) == "rule-ended"
    _, late, held = run(store, "bert", passed, message="<other@example.com>")
    assert (late.outcome, late.why) == ("hold", "rule-ended"), "it ended between the scan and the ruling"
    assert held is not None


def test_what_a_reviewer_confirmed_is_held_again_even_when_the_scan_passes(store: Store) -> None:
    db, _ = store
    _, _, held = run(store, "anna", BLOCK)
    assert held is not None
    with db.session() as session:
        cases.delete(session, held.number, actor="rev", reason="confirmed")
    assert item_of(store).state == "deleted"
    _, ruling, again = run(store, "bert", PASS)
    assert ruling.why == "confirmed-before"
    assert again is not None
    assert again.number != held.number


def test_one_of_two_open_cases_released_leaves_the_item_held(store: Store) -> None:
    db, _ = store
    _, _, first = run(store, "anna", BLOCK, content=b"one")
    run(store, "bert", BLOCK, content=b"two")
    assert first is not None
    with db.session() as session:
        cases.release(session, first.number, actor="rev", reason="false-positive")
    assert item_of(store).state == "held"


# ------------------------------------------------------------------------------------- what is kept

def test_the_place_of_an_item_is_kept_encrypted_until_it_is_done(store: Store, tmp_path: Path) -> None:
    db, keys = store
    planted = "Inbox/Imaginary, Wanda.eml"
    with db.session() as session:
        sealed = places.seal(keys, "anna", Spot(planted, "inode"))
        capture = ledger.register(session, "anna", "s" * 64, locator=sealed)
    assert places.spot_of(keys, capture_of(store, capture.id)) == Spot(planted, "inode")
    assert not any(planted.encode() in path.read_bytes() for path in tmp_path.iterdir())
    with db.session() as session:
        ledger.scanned(session, capture.id, item_key="k" * 64, content_hash="h", decision=PASS)
        ruling = ledger.decide(session, capture.id)
    finish(db, capture.id, ruling)
    assert places.spot_of(keys, capture_of(store, capture.id)) is None


def test_a_summary_holds_kinds_counts_and_places() -> None:
    decision = Decision(
        Verdict.BLOCK, "any-finding", POLICY,
        (finding(count=2), finding(), finding(Category.HEALTH, "attachment 1 of 1 (pdf)", exempt="signature"),
         finding(Category.HEALTH)),
        (Unread("attachment 1 of 1 (pdf)", "encrypted"),), persons=3)
    kept = summary(decision)
    assert kept["findings"] == [
        {"kind": "government_id", "place": "body", "rule": "test", "count": 3, "score": 0.9, "why": []},
        {"kind": "health", "place": "body", "rule": "test", "count": 1, "score": 0.9, "why": []}]
    assert kept["exempt"] == [
        {"kind": "health", "place": "attachment 1 of 1 (pdf)", "count": 1, "exempt": "signature"}]
    assert kept["unread"] == [{"place": "attachment 1 of 1 (pdf)", "code": "encrypted"}]
    assert counts(kept) == {"government_id": 3, "health": 1}
    assert kept["categories"] == ["government_id", "health"]


def test_a_summary_of_very_many_findings_is_cut_and_says_so() -> None:
    many = tuple(finding(place=f"attachment {n} of 300") for n in range(300))
    kept = summary(Decision(Verdict.BLOCK, "any-finding", POLICY, many))
    assert (len(kept["findings"]), kept["more"]) == (MAX_FINDINGS, 300 - MAX_FINDINGS)


def test_counts_tell_how_many_there_are_in_each_state(store: Store) -> None:
    run(store, "anna", BLOCK)
    run(store, "anna", PASS, message="<m2@example.com>")
    sight(*store, "anna", "<m3@example.com>", PASS)
    with store[0].reading() as session:
        assert ledger.counts(session) == {"captures": {"decided": 1, "notified": 2},
                                          "items": {"held": 1, "linked": 1, "open": 1}, "cases": {"held": 1}}
        assert [c.state for c in ledger.unfinished(session)] == [CaptureState.DECIDED]
