"""The parts of a rescan's work: faults of one item, a scanner that cannot work, reading without a child, priority."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from stores import opened

from capture.crm.asmail import StoredFile, as_mail
from capture.errors import StepFailed, TryLater
from capture.extract import SandboxedExtractor
from capture.extract.limits import Limits
from capture.ports import Extractor, Scanner, StoredItem, StoredKind, StoredRef
from capture.pulling import Paused, reason_of
from capture.rescan import Way, judged, one
from capture.rescanning import Asked, BadFilter, Speed, exit_code, left
from capture.rescanning import _limit as limit
from capture.rescanning import _wanted as wanted
from capture.stored import plain, read_stored
from capture.wiring import RefusingScanner, Tools
from pii_scan.errors import ModelMissing, ScanError
from pii_scan.findings import Decision, Report, Verdict
from pii_scan.text import Block, Extraction, Part, Unread
from store import ledger, rescan
from store.columns import now
from store.rescan import Progress, Result
from store.rescan_tables import Outcome, RunState

HARMLESS = Extraction((Part("body", "text", (Block("We start on Monday."),)),))


class Faulty:
    """A scanner that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def scan(self, extraction: Extraction) -> Report:
        raise self.error

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        raise AssertionError


def item(body: str, *files: StoredFile, unread: tuple[Unread, ...] = ()) -> StoredItem:
    raw = as_mail(subject="Course", body=body, sent=None, message_id="", files=files,
                  participants=[{"role": "from", "name": "Rose", "email": "rose@client.example.com"}])
    return StoredItem(StoredRef("r1", StoredKind.NOTE), "k1", raw, b"{}", "v", now(), attachments=len(files),
                      unread=unread)


@pytest.mark.parametrize(("error", "code"), [
    pytest.param(ScanError(), "scan-failed", id="ours"),
    pytest.param(ZeroDivisionError("130 692 544"), "internal", id="anything, and its words are dropped"),
])
def test_an_item_that_cannot_be_scanned_is_unread_and_unread_is_not_clean(error: Exception, code: str) -> None:
    decision = judged(cast(Scanner, Faulty(error)), HARMLESS, "bc_foippa@1")
    assert (decision.link, decision.verdict, decision.unread) == (False, Verdict.REVIEW, (Unread("whole item", code),))
    assert reason_of(decision) == "unreadable"


def test_a_scanner_that_cannot_work_judges_nothing() -> None:
    with pytest.raises(StepFailed, match="model-missing"):
        judged(RefusingScanner(ModelMissing()), HARMLESS, "")
    with pytest.raises(StepFailed, match="model-missing"):
        one("r1", lambda: cast(Any, judged(RefusingScanner(ModelMissing()), HARMLESS, "")))


def test_a_fault_of_one_item_is_its_error_and_what_may_work_later_is_tried_again() -> None:
    def fail(error: Exception) -> Result:
        raise error

    assert one("r1", lambda: fail(KeyError("x"))) == Result("r1", Outcome.ERROR, code="internal")
    with pytest.raises(StepFailed) as away:
        one("r1", lambda: fail(TryLater()))
    assert away.value.retry
    with pytest.raises(Paused):
        one("r1", lambda: fail(Paused()))


class Child:
    """An extractor that says that it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def extract(self, raw: bytes, *, name: str = "") -> Extraction:
        self.asked += 1
        return HARMLESS

    def close(self) -> None:
        raise AssertionError


@pytest.mark.parametrize(("stored", "direct"), [
    pytest.param(item("We start on Monday.\n> when?\n"), True, id="text"),
    pytest.param(item(""), True, id="nothing"),
    pytest.param(item("We start.", StoredFile("a.csv", "text/csv", b"a,b\n")), False, id="a file"),
    pytest.param(item("See: " + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w"), False, id="base64"),
    pytest.param(item("begin 644 a.txt\n#0V%T\n`\nend\n"), False, id="uuencode"),
    pytest.param(item("Soft =C3=A9 text"), False, id="quoted-printable"),
    pytest.param(item("-----BEGIN PGP MESSAGE-----\nx\n"), False, id="sealed"),
    pytest.param(item("long " * 60_000), False, id="very long"),
])
def test_only_plain_text_is_read_without_a_child(stored: StoredItem, *, direct: bool) -> None:
    child = Child()
    read_stored(stored, cast(Extractor, child), Limits())
    assert (child.asked == 0, plain(stored)) == (direct, direct)


def test_text_is_read_the_same_with_and_without_a_child() -> None:
    stored = item("Hello,\nwe start on Monday.\n\n-- \nRose Antoine\nChief\n\n> On Friday you wrote:\n> when?\n")
    with SandboxedExtractor() as child:
        there, here = child.extract(stored.raw), read_stored(stored, child, Limits())
    assert [(p.place, p.kind, p.status, p.blocks) for p in here.parts] == [
        (p.place, p.kind, p.status, p.blocks) for p in there.parts]
    assert here.envelope == there.envelope


def test_what_the_crm_did_not_hand_over_is_unread() -> None:
    read = read_stored(item("Hello", unread=(Unread("attachment 1 of 1", "not_fetched"),)),
                       cast(Extractor, Child()), Limits())
    assert read.unread == (Unread("attachment 1 of 1", "not_fetched"),)
    assert read.status == "unreadable"


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Any]:
    with opened(tmp_path) as (db, _):
        yield SimpleNamespace(database=db, settings=SimpleNamespace(rescan=SimpleNamespace(way_seconds=0.3)))


def test_an_item_waits_while_tagged_mail_is_worked_on_and_not_for_ever(tools: Any) -> None:
    def waited() -> float:
        began = time.monotonic()
        Way(cast(Tools, tools)).give()
        return time.monotonic() - began

    assert waited() < 0.2
    with tools.database.session() as session:
        capture = ledger.register(session, "anna", "s" * 64)
    assert 0.3 <= waited() < 5
    with tools.database.session() as session:
        assert rescan.live_work(session, now(), 30)
        assert not rescan.live_work(session, now() + timedelta(minutes=1), 30), "a stuck one holds nobody up"
        ledger.hold(session, capture.id, reason="fetch-failed")
        assert not rescan.live_work(session, now(), 30)


@pytest.mark.parametrize(("text", "total", "most"), [
    ("2%", 100_000, 2000), ("2%", 100, 20), ("0", 100, 0), ("7", 100, 7), ("100%", 50, 50)])
def test_a_limit_is_a_number_or_a_share(text: str, total: int, most: int) -> None:
    assert limit(text, total) == most


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "2%%", "1.5%"])
def test_any_other_limit_is_refused(text: str) -> None:
    with pytest.raises(BadFilter):
        limit(text, 100)


def test_held_items_are_looked_at_unless_a_filter_is_about_stored_ones() -> None:
    def held(**asked: Any) -> tuple[bool, bool]:
        found = wanted(Asked(**asked))
        return found["stored"], found["held"]

    assert held() == (True, True)
    assert held(since="2026-01-01") == (True, True)
    assert held(division="north") == (True, False)
    assert held(kinds=("note",)) == (True, False)
    assert held(kinds=("held",)) == (False, True)
    assert held(kinds=("note", "held")) == (True, True)
    assert wanted(Asked(since="2026-01-31"))["since"] == "2026-01-31T00:00:00+00:00"
    assert wanted(Asked(until="2026-01-31T10:00:00-08:00"))["until"] == "2026-01-31T18:00:00+00:00"
    with pytest.raises(BadFilter):
        wanted(Asked(kinds=("attachment", "note")))


@pytest.mark.parametrize(("state", "outcomes", "code"), [
    ("done", {"pass": 3, "stub": 1, "would-pass": 1}, 0), ("done", {"pass": 3, "hold": 1}, 1),
    ("done", {"would-hold": 1}, 1), ("done", {"hold": 1, "error": 1}, 2), ("paused", {"hold": 3}, 2),
    ("running", {}, 2)])
def test_exit_codes(state: str, outcomes: dict[str, int], code: int) -> None:
    assert exit_code({"state": state, "outcomes": outcomes}) == code


def test_speed_and_time_left() -> None:
    speed = Speed()
    assert speed.of(0) == 0.0
    at = Progress(RunState.RUNNING, "", 50, 200, 0, 0, listed=True, waiting=1)
    assert left(at, 0.0) == ""
    assert left(at, 2.5) == "0:01:00"
