"""Watching, end to end: what is tagged is captured exactly once, whatever moves, changes, fails or comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from mailboxes import calendar_file, plain_mail
from watching import DANA, TAG, Rig, rig

from capture import marking, pipeline
from capture.errors import Changed, ItemUnreadable, Parked, TryLater
from capture.mailbox import composed
from capture.mailbox.memory import MemoryMailbox
from capture.ports import Changes, Folder, ItemKind
from capture.requests import request
from capture.settings import Settings
from capture.wiring import build_extractor, build_scanner
from pii_scan.text import Unread
from store import leases, outbox, quarantine, watch
from store.crm_tables import Organisation
from store.errors import StaleCursor

PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}.\n"


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from world import make_world
    return build_scanner(make_world(tmp_path_factory.mktemp("scanner") / "home").settings)


@pytest.fixture(scope="module")
def extractor() -> Iterator[Any]:
    made = build_extractor(Settings())
    yield made
    made.close()


@pytest.fixture
def made(tmp_path: Path, extractor: Any, scanner: Any) -> Iterator[Rig]:
    with rig(tmp_path / "home", extractor, scanner) as ready:
        yield ready


# ---------------------------------------------------------------------------------------- exactly once

def test_three_of_ten_are_tagged_and_exactly_three_are_captured(made: Rig) -> None:
    items = [made.mail(f"m{n}", categories=TAG if n in (2, 5) else ("Red",)) for n in range(8)]
    for kind, folder in ((ItemKind.APPOINTMENT, "Calendar"), (ItemKind.TASK, "Tasks")):
        raw = composed.from_calendar(calendar_file(kind, f"Review {kind}", "Bring the plan.", f"{kind}@example.org"))
        items.append(made.mailbox.add(DANA, raw, folder=folder, kind=kind,
                                      categories=TAG if kind is ItemKind.TASK else ()))
    assert made.look() == 3
    assert made.work() == ["link", "link", "link"]
    assert sorted(made.rows("SELECT type FROM activity")) == [("email",), ("email",), ("task",)]
    assert [made.categories(i) for i in items].count(["CRM: linked"]) == 3
    assert [made.categories(i) for i in items].count(["Red"]) == 6
    assert made.look() == 0


def test_the_same_item_in_many_rounds_is_one_capture(made: Rig) -> None:
    item = made.mail("m")
    assert made.look() == 1
    for _ in range(3):
        made.mailbox.set_categories(item, (*TAG, "Red"))
        assert made.look() == 0
    assert made.work() == ["link"]
    assert made.look() == 0
    assert made.rows("SELECT count(*) FROM capture") == [(1,)]


def test_our_own_write_is_not_a_new_trigger(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.work()
    assert made.mailbox.items[item].stamp is not None
    for _ in range(2):
        assert made.look() == 0
    assert made.rows("SELECT count(*) FROM untrack_request") == [(0,)]


def test_the_first_start_takes_old_tags_oldest_first(made: Rig) -> None:
    for n in range(5):
        made.mail(f"m{n}", folder=f"Folder {n}")
    assert made.look() == 5
    assert made.rows("SELECT id FROM capture ORDER BY created") == [(i,) for i in made.queued]
    made.work()
    assert made.rows("SELECT subject FROM activity ORDER BY rowid") == [(f"m{n}",) for n in range(5)]


def test_a_folder_named_like_the_tag_is_a_trigger_at_any_depth(made: Rig) -> None:
    item = made.mail("m", folder="Projects/Track in CRM/Cedar", categories=())
    assert made.look() == 1
    assert made.work() == ["link"]
    assert made.categories(item) == ["CRM: linked"]
    assert made.rows('SELECT "trigger" FROM capture') == [("folder",)]


def test_what_lies_in_a_folder_bound_to_a_record_is_tracked(made: Rig) -> None:
    made.mail("m", folder="Clients/Cedar", categories=())
    assert made.look() == 0
    with made.tools.database.session() as session:
        [bound] = [w for w, _ in watch.folders(session, made.tools.keys, DANA) if w.place.path == "Clients/Cedar"]
        watch.bind(session, bound.id, "organisation:abc", actor="op")
    assert made.look() == 1
    assert made.rows('SELECT "trigger", record FROM capture') == [("folder", "organisation:abc")]


def test_mail_of_a_bound_folder_is_linked_to_its_record(made: Rig) -> None:
    with made.tools.database.session() as session:
        session.add(Organisation(id="o1", name="Cedar Ltd", name_key="cedar ltd"))
    made.mail("m", folder="Clients/Cedar", categories=())
    made.look()
    with made.tools.database.session() as session:
        [bound] = [w for w, _ in watch.folders(session, made.tools.keys, DANA) if w.place.path == "Clients/Cedar"]
        watch.bind(session, bound.id, "organisation:o1", actor="op")
    made.look()
    assert made.work() == ["link"]
    assert made.rows("SELECT record, record_id, how FROM activity_link") == [("organisation", "o1", "folder")]


def test_drafts_are_ignored_until_they_are_sent(made: Rig) -> None:
    item = made.mail("m", draft=True)
    assert made.look() == 0
    made.mailbox.items[item].draft = False
    made.mailbox.move(item, "Sent Items")
    assert made.look() == 1


# ------------------------------------------------------------------------------ generations, taken back

def test_a_tag_taken_off_before_pick_up_cancels(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.mailbox.set_categories(item, ("Red",))
    assert made.look() == 0
    assert made.work() == ["cancel"]
    assert made.rows("SELECT state FROM capture") == [("cancelled",)]
    assert made.rows("SELECT count(*) FROM audit_event WHERE action = 'capture:item:cancelled'") == [(1,)]
    made.mailbox.set_categories(item, TAG)
    assert made.look() == 1
    assert made.work() == ["link"]


def test_tagged_again_after_a_hold_is_a_new_generation(made: Rig) -> None:
    item = made.mail("m", text=PERSONAL)
    made.look()
    assert made.work() == ["hold"]
    assert made.categories(item) == ["CRM: held"]
    made.mailbox.set_categories(item, ("CRM: held", *TAG))
    assert made.look() == 1
    assert made.work() == ["hold"]
    assert made.rows("SELECT generation FROM capture ORDER BY generation") == [(1,), (2,)]
    assert made.rows("SELECT count(*) FROM quarantine_case") == [(1,)]


def test_a_linked_item_tagged_again_is_already_done(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.work()
    made.mailbox.set_categories(item, ("CRM: linked", *TAG))
    assert made.look() == 1
    before = made.rows("SELECT * FROM activity")
    assert made.work() == ["link"]
    assert made.rows("SELECT * FROM activity") == before
    assert "already-linked" in str(made.rows("SELECT summary FROM capture WHERE generation = 2"))
    assert made.categories(item) == ["CRM: linked"]


def test_tagged_again_while_it_is_worked_on_is_brought_when_that_is_done(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.mailbox.before("fetch", lambda: (made.mailbox.set_categories(item, ("CRM: pending", *TAG)), made.look()))
    assert made.work() == ["link"]
    assert made.look() == 1
    assert made.work() == ["link"]
    assert made.rows("SELECT count(*) FROM activity") == [(1,)]


def test_taking_the_linked_category_off_asks_to_untrack_once(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.work()
    made.mailbox.set_categories(item, ("Red",))
    assert made.look() == 0
    made.mailbox.set_categories(item, ("Red", "Blue"))
    made.look()
    with made.tools.database.reading() as session:
        [(asked, capture)] = watch.untrack_requested(session)
    assert (asked.mailbox, capture.activity) == (DANA, made.rows("SELECT id FROM activity")[0][0])


def test_an_item_shows_what_became_of_a_request_to_untrack(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.work()
    [(capture,)] = made.rows("SELECT id FROM capture")

    def ask_and_close(outcome: str) -> list[str]:
        made.mailbox.set_categories(item, ("Red",))
        assert made.look() == 0
        with made.tools.database.session() as session:
            assert [row.capture_id for row, _ in watch.untrack_requested(session)] == [capture]
            watch.close_untrack(session, capture, outcome=outcome, actor="root")
        assert made.look() == 0
        return made.categories(item)

    assert ask_and_close("kept") == ["Red", "CRM: linked"]
    assert ask_and_close("untracked") == ["Red", "CRM: not tracked"]  # asked once more: it counts once more
    made.mailbox.set_categories(item, ("Red",))
    assert made.look() == 0
    with made.tools.database.session() as session:
        assert watch.untrack_requested(session) == ()
    made.mailbox.set_categories(item, TAG)
    assert made.look() == 1, "tagged again it is tracked anew"
    assert made.work() == ["link"]
    assert "CRM: linked" in made.categories(item)


def test_the_stamp_of_a_copy_is_not_trusted(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.work()
    copied = made.mailbox.copy(item, "Archive")
    made.mailbox.set_categories(copied, ())
    made.look()
    assert made.rows("SELECT count(*) FROM untrack_request") == [(0,)]
    made.mailbox.set_categories(copied, TAG)
    assert made.look() == 1, "a copy that is tagged is an item of its own"


def test_a_private_item_is_refused_and_nothing_of_it_is_kept(made: Rig) -> None:
    item = made.mail("m", private=True)
    made.look()
    assert made.work() == ["refuse"]
    assert made.categories(item) == ["CRM: not tracked"]
    assert made.rows("SELECT count(*) FROM blob") == [(0,)]
    assert made.rows("SELECT state, outcome FROM capture") == [("notified", "refuse")]
    assert made.rows("SELECT template, state FROM notice") == [("refused", "sent")]


def test_what_the_server_did_not_hand_over_holds_the_item(made: Rig) -> None:
    item = made.mail("m")
    made.mailbox.items[item].unread = (Unread("attachment 1 of 1 (link)", "not_fetched"),)
    made.look()
    assert made.work() == ["hold"]
    assert made.rows("SELECT reason FROM quarantine_case") == [("unreadable",)]


# ------------------------------------------------------------------------------------ moved and deleted

def test_an_item_moved_while_it_is_worked_on_is_found_and_marked(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.mailbox.before("fetch", lambda: made.mailbox.move(item, "Later"))
    assert made.work() == ["link"]
    assert made.categories(item) == ["CRM: linked"]
    assert made.look() == 0


def test_an_item_deleted_while_it_is_worked_on_is_linked_and_the_audit_says_it_is_not_shown(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.mailbox.before("fetch", lambda: made.mailbox.before("mark", lambda: made.mailbox.delete(item)))
    assert made.work() == ["link"]
    assert made.rows("SELECT body FROM audit_event WHERE action = 'capture:item:marked'") == [('{"shown":false}',)]
    assert made.rows("SELECT count(*) FROM owed_mark") == [(0,)]


def test_an_item_deleted_after_it_was_fetched_is_kept_for_a_reviewer(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    capture = made.queued[0]
    extract = made.tools.extractor.extract

    def killed(raw: bytes, *, name: str = "") -> Any:
        raise KeyboardInterrupt

    made.tools.extractor.extract = killed
    with pytest.raises(KeyboardInterrupt):
        pipeline.capture_item(capture, made.tools)
    made.tools.extractor.extract = extract
    made.mailbox.delete(item)
    assert made.work() == ["hold"], "what was fetched cannot be lost any more"
    [(case, reason)] = made.rows("SELECT id, reason FROM quarantine_case")
    assert reason == "item-gone"
    with made.tools.database.reading() as session:
        assert quarantine.read_kind(session, made.tools.keys, capture, "mail")
        assert quarantine.blobs(session, case_id=case, kind="mail")


def test_an_item_that_was_gone_and_comes_back_as_pending_is_brought_again(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    kept = made.mailbox.items[item]
    made.mailbox.before("fetch", lambda: made.mailbox.items.pop(item))
    assert made.work() == ["gone"]
    made.mailbox.items[item] = kept
    made.mailbox.move(item, "Later")
    assert made.categories(item) == ["CRM: pending"], "our own write took the tag off"
    assert made.look() == 1
    assert made.work() == ["link"]
    assert made.categories(item) == ["CRM: linked"]


@pytest.mark.parametrize("folder", ["Inbox", "Sent Items"])
def test_a_copy_without_the_tag_does_not_cancel_what_waits(made: Rig, folder: str) -> None:
    made.mailbox.add_mailbox(DANA)
    made.look()
    item = made.mail("m")
    copied = made.mailbox.copy(item, folder)
    made.mailbox.items[copied].identity = item  # as on a server that knows copies by their Message-ID
    made.mailbox.set_categories(copied, ("Red",))
    assert made.look() == 1
    made.mailbox.set_categories(copied, ("Blue",))
    assert made.look() == 0
    assert made.work() == ["link"]
    assert made.categories(item) == ["CRM: linked"]


def test_a_renamed_folder_changes_nothing(made: Rig) -> None:
    made.mail("m", folder="Clients")
    made.look()
    made.work()
    made.mailbox.rename_folder(DANA, "Clients", "Customers")
    assert made.look() == 0


# --------------------------------------------------------------------------------------------- faults

def test_a_state_that_cannot_be_shown_is_owed_and_shown_later(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.mailbox.fail("mark", Changed(), times=2)
    assert made.work() == ["link"]
    assert made.categories(item) == list(TAG)
    assert made.look() == 0, "the tag that is still there is the old one"
    with made.tools.database.session() as session:
        for row in watch.owed(session):
            row.due = row.due - timedelta(days=1)
        session.connection().exec_driver_sql("UPDATE owed_mark SET due = '2020-01-01 00:00:00'")
    assert marking.pay(made.tools) == 1
    assert made.categories(item) == ["CRM: linked"]
    assert made.rows("SELECT count(*) FROM owed_mark") == [(0,)]
    assert made.rows("SELECT locator FROM capture") == [(None,)]


def test_an_owed_state_does_not_cover_that_of_a_newer_capture(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    made.mailbox.before("fetch", lambda: made.mailbox.fail("mark", Changed()))
    assert made.work() == ["link"]
    made.mailbox.items[item].raw = plain_mail("m", PERSONAL, "m@client.example.com")
    made.mailbox.set_categories(item, ("CRM: pending", *TAG))
    assert made.look() == 1
    assert made.work() == ["hold"]
    with made.tools.database.session() as session:
        session.connection().exec_driver_sql("UPDATE owed_mark SET due = '2020-01-01 00:00:00'")
    made.look()
    assert made.categories(item) == ["CRM: held"]
    assert made.rows("SELECT count(*) FROM owed_mark") == [(0,)]


def test_a_notice_that_another_sender_took_over_ends_no_worker(made: Rig) -> None:
    class Slow:
        def send(self, key: str, *_words: str) -> None:
            with made.tools.database.session() as session:
                outbox.mark_sent(session, key)  # by another worker, after this one's claim had run out
            raise TryLater("planned")

    with made.tools.database.session() as session:
        outbox.add(session, key="c1/held", recipient=DANA, template="gone", data={})
    assert pipeline.deliver(replace(made.tools, notifier=Slow())) == 0
    assert made.rows("SELECT state FROM notice") == [("sent",)]


def test_a_state_is_owed_as_long_as_the_server_is_away(made: Rig) -> None:
    made.mail("m")
    made.look()
    made.mailbox.before("fetch", lambda: made.mailbox.fail("mark", TryLater("planned"), times=99))
    assert made.work() == ["link"]
    for _ in range(watch.MARK_TRIES + 2):
        with made.tools.database.session() as session:
            session.connection().exec_driver_sql("UPDATE owed_mark SET due = '2020-01-01 00:00:00'")
        assert marking.pay(made.tools) == 0
    assert made.rows("SELECT given_up FROM owed_mark") == [(None,)]


def test_a_mailbox_that_refuses_us_is_parked_and_the_others_go_on(made: Rig) -> None:
    made.mailbox.add_mailbox("lee@example.org")
    made.mail("m")
    made.mail("n", user="lee@example.org")
    made.mailbox.fail("folders", Parked("rights"), mailbox=DANA)
    assert made.look() == 1
    assert made.rows("SELECT mailbox, code FROM watched_mailbox WHERE parked IS NOT NULL") == [
        (DANA, "mailbox-parked")]
    assert made.look() == 0, "it is left alone for an hour"
    with made.tools.database.session() as session:
        watch.get(session, DANA).next_try = leases.db_now(session) - timedelta(seconds=1)
    assert made.look() == 1
    assert made.rows("SELECT mailbox FROM watched_mailbox WHERE parked IS NOT NULL") == []
    events = [row[0] for row in made.rows("SELECT action FROM audit_event WHERE action LIKE 'watch:mailbox:%'")]
    assert events == ["watch:mailbox:parked", "watch:mailbox:resumed"]


def test_a_busy_mailbox_is_left_alone_as_long_as_it_asks(made: Rig) -> None:
    made.mail("m")
    made.mailbox.fail("changes", TryLater("planned", wait=30))
    made.watch.look(first=True)
    assert made.watch.trouble == 1
    calls = made.mailbox.calls["changes"]
    made.watch.look()
    assert made.mailbox.calls["changes"] == calls
    assert not made.watch.due()


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "ignored"])
def test_a_lost_cursor_means_a_full_pass_that_changes_nothing(tmp_path: Path, silent: bool) -> None:
    backend = MemoryMailbox(page=2000)
    with rig(tmp_path / "home", None, None, mailbox=backend) as made:
        raw = b"Subject: m\r\nMessage-ID: <m@x.example>\r\n\r\nHello.\r\n"
        for n in range(10_000):
            backend.add(DANA, raw, categories=TAG if n % 1000 == 0 else ())
        assert made.look() == 10
        calls = backend.calls["changes"]
        if silent:
            backend.ignore_cursors()
        else:
            backend.lose_cursors()
        assert made.look() == 0
        assert backend.calls["changes"] >= calls + 5, "the folder was not looked through in full"
        assert made.rows("SELECT count(*) FROM capture") == [(10,)]


def test_what_the_cursors_missed_is_found_by_the_nightly_look_and_counted(made: Rig) -> None:
    item = made.mail("m", categories=())
    made.look()
    made.mailbox.items[item].categories = list(TAG)  # the server never tells
    assert made.look() == 0
    with made.tools.database.session() as session:
        row = watch.get(session, DANA)
        assert row.started is not None
        row.started = row.started - timedelta(days=2)
    assert made.look() == 1
    assert made.rows("SELECT found, missed, missed_total FROM watched_mailbox") == [(1, 1, 1)]
    assert made.look() == 0


# ----------------------------------------------------------------------------------------- many of them

def test_one_watcher_at_a_time_holds_a_mailbox(made: Rig) -> None:
    made.mail("m")
    other = made.watcher("other")
    assert made.look() == 1
    made.mail("n")
    assert other.look(everywhere=True) == 0
    made.watch.close()
    assert other.look(everywhere=True) == 1
    other.close()
    assert len(made.queued) == len(set(made.queued)) == 2


def test_a_late_writer_with_an_old_cursor_is_refused(made: Rig) -> None:
    made.mailbox.add_mailbox(DANA)
    made.look()
    keys = made.tools.keys
    with made.tools.database.session() as session:
        inbox = watch.folders(session, keys, DANA)[0][0]
        before = watch.position(session, keys, inbox.id)
    with made.tools.database.session() as session:
        watch.commit(session, keys, before, b"0 7")
    with pytest.raises(StaleCursor), made.tools.database.session() as session:
        watch.commit(session, keys, before, b"0 5")
    with made.tools.database.reading() as session:
        assert watch.position(session, keys, inbox.id).cursor == b"0 7"


def test_a_full_mailbox_starves_no_other(tmp_path: Path) -> None:
    backend = MemoryMailbox(page=10)
    with rig(tmp_path / "home", None, None, mailbox=backend) as made:
        backend.add_mailbox("a@example.org")
        made.look()
        for n in range(500):
            backend.add("a@example.org", b"Subject: x\r\n\r\n", categories=TAG if n % 5 else ())
        for name in "bcde":
            backend.add(f"{name}@example.org", b"Subject: x\r\n\r\n", categories=TAG)
        made.look()
        looked = {row[0] for row in made.rows("SELECT DISTINCT mailbox FROM capture")}
        assert looked == {f"{name}@example.org" for name in "abcde"}
        assert 0 < len(made.queued) < 404, "one turn has a budget"
        while len(made.queued) < 404:
            assert made.look()
        assert made.rows("SELECT count(*) FROM capture") == [(404,)]


@pytest.mark.parametrize("damaged", ["Inbox", "Sent Items"])
def test_a_damaged_folder_hides_no_other_of_its_mailbox(made: Rig, monkeypatch: pytest.MonkeyPatch,
                                                        damaged: str) -> None:
    made.mailbox.add_mailbox(DANA)
    made.look()
    for folder in ("Inbox", "Clients", "Sent Items"):
        made.mail(folder.split()[0].lower(), folder=folder)
    changes = made.mailbox.changes

    def refused(folder: Folder, cursor: bytes) -> Changes:
        if folder.path == damaged:
            raise ItemUnreadable("planned")
        return changes(folder, cursor)

    monkeypatch.setattr(made.mailbox, "changes", refused)
    made.look()
    assert made.rows("SELECT count(*) FROM capture") == [(2,)]
    assert made.watch.trouble == 1, "it is told all the same"


def test_cursors_and_folder_names_are_sealed(made: Rig, tmp_path: Path) -> None:
    made.mail("m", folder="Imaginary, Wanda")
    made.look()
    data = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("mailweir.db*"))
    assert b"Imaginary" not in data
    assert made.rows("SELECT count(*) FROM watch_cursor")[0][0] >= 5


# ------------------------------------------------------------------------------------------- the pane

def ask(made: Rig, item_id: str, message_id: str) -> str:
    return request(made.tools, lambda _s, capture: made.queued.append(capture), DANA, item_id,
                   internet_message_id=message_id, requested_by="dana@example.org")


def test_an_item_asked_for_by_id_is_captured_and_the_asker_stands_in_the_audit(made: Rig) -> None:
    item = made.mail("m", categories=())
    ask(made, made.mailbox.items[item].id, "<m@client.example.com>")
    assert made.work() == ["link"]
    assert made.categories(item) == ["CRM: linked"]
    assert made.rows("SELECT actor FROM audit_event WHERE action = 'capture:item:registered'") == [
        ("dana@example.org",)]
    assert made.look() == 0


@pytest.mark.parametrize("wrong", ["other item", "no such id", "no id"])
def test_a_wrong_id_never_leads_to_another_item(made: Rig, wrong: str) -> None:
    item, other = made.mail("m", categories=()), made.mail("other", categories=())
    named = {"other item": made.mailbox.items[other].id, "no such id": "gone", "no id": ""}[wrong]
    ask(made, named, "m@client.example.com")
    assert made.work() == ["link"]
    assert (made.categories(item), made.categories(other)) == (["CRM: linked"], [])


def test_an_item_that_is_nowhere_ends_gone_and_the_asker_is_told(made: Rig) -> None:
    made.mailbox.add_mailbox(DANA)
    ask(made, "gone", "m@client.example.com")
    assert made.work() == ["gone"]
    assert made.rows("SELECT template FROM notice") == [("gone",)]


@pytest.mark.parametrize("wrong", [False, True])
def test_a_private_item_asked_for_by_id_is_refused_as_private(made: Rig, monkeypatch: pytest.MonkeyPatch,
                                                              wrong: bool) -> None:
    item, other = made.mail("m", categories=(), private=True), made.mail("other", categories=(), private=True)
    fetch = made.mailbox.fetch
    monkeypatch.setattr(made.mailbox, "fetch", lambda ref: replace(fetch(ref), raw=b""))  # as servers hand it over
    ask(made, made.mailbox.items[other if wrong else item].id, "m@client.example.com")
    assert made.work() == ["refuse"]
    assert (made.categories(item), made.categories(other)) == (["CRM: not tracked"], [])


def test_asked_for_and_tagged_is_one_activity(made: Rig) -> None:
    item = made.mail("m")
    made.look()
    ask(made, made.mailbox.items[item].id, "m@client.example.com")
    assert sorted(made.work()) == ["link", "link"] or made.rows("SELECT count(*) FROM activity") == [(1,)]
    assert made.rows("SELECT count(*) FROM activity") == [(1,)]
    assert made.categories(item) == ["CRM: linked"]
