"""Exchange Online over real HTTP: what is seen, fetched and marked, and what each fault leads to.

Every fault knob of the stand-in has a test here that fails when its handling is taken out.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graph_world import DANA, PLAIN, TRACK, Tenant, tenant

from capture.errors import CaptureError, Changed, CursorLost, ItemGone, Parked, TryLater
from capture.extract import SandboxedExtractor
from capture.ports import ItemKind, ItemRef, Sighting, Stamp

STAMP = Stamp("a" * 32, "linked", 1)


@pytest.fixture
def world() -> Iterator[Tenant]:
    with tenant() as made:
        yield made


def mail(number: int) -> bytes:
    return PLAIN.replace(b"<q1@", f"<q{number}@".encode())


def one_tagged(world: Tenant, raw: bytes = PLAIN, **fields: Any) -> Sighting:
    world.graph.mailbox(DANA).put_mail(raw, categories=[TRACK], **fields)
    [found] = world.tagged(world.folder("Inbox"))
    return found


# ------------------------------------------------------------------------------------------------- watching

def test_the_folders_worth_watching(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    box.folder("Clients/North/2026")
    box.folder("Deleted Items/Old")
    found = {f.path: (f.kind, f.fast) for f in world.mailbox.folders(DANA)}
    assert found == {
        "Inbox": ("mail", True), "Sent Items": ("sent", True), "Archive": ("mail", False), "Clients": ("mail", False),
        "Clients/North": ("mail", False), "Clients/North/2026": ("mail", False), "Calendar": ("calendar", True),
        "Tasks": ("tasks", True)}


def test_a_renamed_folder_keeps_its_key(world: Tenant) -> None:
    world.graph.mailbox(DANA).folder("Clients")
    before = world.folder("Clients")
    world.graph.mailbox(DANA).rename("Clients", "Former clients")
    assert world.folder("Former clients").key == before.key


@pytest.mark.parametrize("fields", [{"calendar": False, "tasks": False}])
def test_what_is_switched_off_is_not_watched(fields: dict[str, bool]) -> None:
    with tenant(**fields) as world:
        assert {f.kind for f in world.mailbox.folders(DANA)} == {"mail", "sent"}


def test_three_of_ten_in_pages_and_nothing_twice(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    world.mailbox._watch._settings = world.mailbox._watch._settings.model_copy(update={"page_size": 3})
    items = [box.put_mail(mail(n)) for n in range(10)]
    for item in items[2:5]:
        box.tag(item)
    inbox = world.folder("Inbox")
    first = world.mailbox.changes(inbox, b"")
    assert first.more
    assert first.reset
    assert {s.ref.identity for s in world.tagged(inbox)} == {item.immutable for item in items[2:5]}
    assert world.see(inbox) == []
    box.tag(items[9])
    assert [s.ref.identity for s in world.tagged(inbox)] == [items[9].immutable]


def test_a_change_that_says_nothing_of_categories_says_nothing_of_tags(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=["CRM: linked"])
    inbox = world.folder("Inbox")
    assert [s.state for s in world.see(inbox)] == ["linked"]
    box.change(item, isRead=True)
    assert world.see(inbox) == []
    box.untag(item, "CRM: linked")
    assert [s.state for s in world.see(inbox)] == [""]


def test_an_item_named_several_times_in_any_order_is_one(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    for n in range(3):
        box.put_mail(mail(n), categories=[TRACK])
    world.graph.replay = True
    found = world.tagged(world.folder("Inbox"))
    assert len(found) == len({s.ref for s in found}) == 3


def test_a_moved_item_leaves_one_folder_and_shows_up_in_the_other_with_the_same_identity(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=[TRACK])
    inbox, archive = world.folder("Inbox"), world.folder("Archive")
    [before] = world.tagged(inbox)
    world.see(archive)
    box.move(item, "Archive")
    assert [s.removed for s in world.see(inbox)] == [True]
    [after] = world.tagged(archive)
    assert after.ref == before.ref
    assert world.mailbox.fetch(before.ref).raw == PLAIN


def test_without_immutable_ids_a_moved_item_is_found_by_stamp_and_by_message_id(world: Tenant) -> None:
    world.graph.immutable_ids = False
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=[TRACK])
    [seen] = world.tagged(world.folder("Inbox"))
    world.mailbox.mark(seen.ref, "linked", STAMP)
    box.move(item, "Archive")
    with pytest.raises(ItemGone):
        world.mailbox.fetch(seen.ref)
    by_stamp = world.mailbox.locate(seen.ref, capture=STAMP.capture)
    by_message_id = world.mailbox.locate(seen.ref, message_id="q1@client.example.com")
    assert by_stamp == by_message_id == ItemRef(DANA, item.regular, ItemKind.MAIL, item.regular)
    assert world.mailbox.locate(seen.ref) is None
    assert world.mailbox.locate(seen.ref, capture="f" * 32, message_id="other@example.com") is None


def test_outlooks_own_form_of_an_id_is_translated(world: Tenant) -> None:
    item = world.graph.mailbox(DANA).put_mail(PLAIN)
    box = world.graph.mailbox(DANA)
    box.by_id.pop(item.regular)
    item.regular = "AAMkAD-_x-" + item.regular
    box.by_id[item.regular] = item
    asked = ItemRef(DANA, item.regular.replace("-", "/").replace("_", "+"))
    assert world.mailbox.locate(asked) == ItemRef(DANA, item.immutable, ItemKind.MAIL, item.immutable)


def test_drafts_are_told(world: Tenant) -> None:
    world.graph.mailbox(DANA).put_mail(PLAIN, categories=[TRACK], draft=True)
    assert [s.draft for s in world.see(world.folder("Inbox"))] == [True]


def test_a_lost_cursor_is_said_and_a_full_pass_finds_everything_again(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    box.put_mail(PLAIN, categories=[TRACK])
    inbox = world.folder("Inbox")
    assert len(world.tagged(inbox)) == 1
    world.graph.forget_cursors()
    with pytest.raises(CursorLost):
        world.see(inbox)
    world.cursors.clear()
    assert len(world.tagged(inbox)) == 1


@pytest.mark.parametrize(("status", "code"), [(400, "syncStateNotFound"), (404, "ResyncRequired"), (410, "anything")])
def test_every_form_of_a_lost_cursor(world: Tenant, status: int, code: str) -> None:
    inbox = world.folder("Inbox")
    world.see(inbox)
    world.graph.fault("deltatoken", status=status, code=code)
    with pytest.raises(CursorLost):
        world.see(inbox)


def test_a_cursor_refused_in_unknown_words_is_lost_and_a_full_pass_refused_so_is_an_error(world: Tenant) -> None:
    inbox = world.folder("Inbox")
    world.see(inbox)
    world.graph.fault("deltatoken", status=400, code="BadRequest")
    with pytest.raises(CursorLost):
        world.see(inbox)
    world.graph.fault("delta", status=400, code="BadRequest")
    with pytest.raises(CaptureError) as raised:
        world.mailbox.changes(inbox, b"")
    assert not isinstance(raised.value, CursorLost)


def test_taking_our_state_off_an_appointment_or_a_task_shows_our_stamp(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    for item, path in ((box.put_event(categories=[TRACK]), "Calendar"), (box.put_task(categories=[TRACK]), "Tasks")):
        place = world.folder(path)
        [seen] = world.tagged(place)
        world.mailbox.mark(seen.ref, "linked", STAMP)
        assert [(s.state, s.tagged) for s in world.see(place)] == [("linked", False)]
        box.untag(item, "CRM: linked")
        [bare] = world.see(place)
        assert (bare.state, bare.tagged, bare.stamp) == ("", False, STAMP)


@pytest.mark.parametrize("cursor", [
    pytest.param(b"nonsense", id="no JSON"), pytest.param(b"[]", id="not ours"),
    pytest.param(json.dumps({"v": 0, "link": "", "full": False, "begun": "2026-01-01T00:00:00+00:00"}).encode(),
                 id="another version"),
    pytest.param(json.dumps({"v": 1, "link": "https://elsewhere.example/x", "full": False,
                             "begun": "2026-01-01T00:00:00+00:00"}).encode(), id="a link that leads elsewhere")])
def test_a_cursor_that_is_not_ours_is_lost_and_the_token_goes_nowhere(world: Tenant, cursor: bytes) -> None:
    with pytest.raises(CursorLost):
        world.mailbox.changes(world.folder("Inbox"), cursor)


def test_a_next_link_that_leads_elsewhere_is_not_followed(world: Tenant) -> None:
    body = json.dumps({"value": [], "@odata.nextLink": "https://elsewhere.example/x"}).encode()
    inbox = world.folder("Inbox")
    world.graph.fault("delta", body=body, mime="application/json")
    with pytest.raises(CursorLost):
        world.mailbox.changes(inbox, b"")


def test_the_nightly_list_is_oldest_first_and_leaves_deleted_items_alone(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    new = box.put_mail(mail(1).replace(b"03 Mar 2026", b"03 Apr 2026"), categories=[TRACK])
    old = box.put_mail(mail(2).replace(b"03 Mar 2026", b"03 Mar 2021"), folder="Archive", categories=[TRACK])
    box.put_mail(mail(3), folder="Deleted Items", categories=[TRACK])
    box.put_mail(mail(4))
    event = box.put_event(categories=[TRACK], start=datetime(2019, 5, 1, 9, tzinfo=UTC))
    task = box.put_task(categories=[TRACK])
    expected = [event.immutable, old.immutable, task.immutable, new.immutable]
    assert [s.ref.identity for s in world.mailbox.tagged(DANA)] == expected
    world.graph.can_filter = False
    assert [s.ref.identity for s in world.mailbox.tagged(DANA)] == expected


# ------------------------------------------------------------------------------------------------- calendar

def test_an_appointment_is_seen_fetched_and_marked(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    event = box.put_event("Site visit", body="Bring the plan", categories=["Blue", TRACK],
                          files=(("plan.txt", b"north wing"),))
    [seen] = world.tagged(world.folder("Calendar"))
    item = world.mailbox.fetch(seen.ref)
    with SandboxedExtractor() as extractor:
        text = "\n".join(part.text() for part in extractor.extract(item.raw).parts)
    for words in ("Site visit", "Bring the plan", "Room 4", "rose@client.example.com", "north wing"):
        assert words in text
    assert item.unread == ()
    world.mailbox.mark(seen.ref, "linked", STAMP)
    assert event.categories == ["Blue", "CRM: linked"]
    assert event.stamp == (STAMP.capture, "1 linked")
    assert world.mailbox.fetch(seen.ref).raw == item.raw  # our own mark does not change what it is


def test_a_series_is_one_and_an_occurrence_is_its_own(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    series = box.put_event("Weekly", series=4, categories=[TRACK])
    inherited = box.put_exception(series, weeks=1, categories=[TRACK])
    calendar = world.folder("Calendar")
    assert [s.ref.identity for s in world.tagged(calendar)] == [series.immutable]
    box.untag(inherited)
    world.mailbox.mark(next(iter(world.mailbox.tagged(DANA))).ref, "linked")
    world.see(calendar)
    box.tag(inherited)
    assert [s.ref.identity for s in world.tagged(calendar)] == [inherited.immutable]
    keys = {world.mailbox.fetch(ItemRef(DANA, f"event:{i.immutable}", ItemKind.APPOINTMENT)).raw.split(
        b"Message-ID:")[1].split(b"\r\nMIME")[0] for i in (series, inherited)}
    assert len(keys) == 2


def test_an_occurrence_whose_series_changed_in_an_earlier_round_is_still_the_series(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    series = box.put_event("Weekly", series=2, categories=[TRACK])
    calendar = world.folder("Calendar")
    world.see(calendar)
    box.put_exception(series, categories=[TRACK])
    assert world.tagged(calendar) == []


def test_the_window_of_the_calendar_is_rolled_every_week_with_a_full_pass(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    far = box.put_event(start=datetime.now(UTC) + timedelta(days=368), categories=[TRACK])
    calendar = world.folder("Calendar")
    assert world.tagged(calendar) == []
    start = datetime.now(UTC)
    world.mailbox._watch._now = lambda: start + timedelta(days=6)
    assert not world.mailbox.changes(calendar, world.cursors[calendar.key]).reset
    world.mailbox._watch._now = lambda: start + timedelta(days=8)
    page = world.mailbox.changes(calendar, world.cursors[calendar.key])
    assert page.reset
    assert [s.ref.identity for s in page.sightings if s.tagged] == [far.immutable]


def test_a_tagged_invitation_is_its_appointment_and_both_are_marked(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    event = box.put_event("Kick-off")
    invite = box.put_mail(PLAIN, invite="meetingRequest", event=event, categories=[TRACK])
    [seen] = world.tagged(world.folder("Inbox"))
    assert (seen.ref.kind, seen.ref.identity) == (ItemKind.APPOINTMENT, event.immutable)
    assert b"Subject: Kick-off" in world.mailbox.fetch(seen.ref).raw
    ref = world.mailbox.mark(seen.ref, "linked", STAMP)
    assert event.categories == invite.categories == ["CRM: linked"]
    box.delete(invite)
    moved = world.mailbox.mark(ref, "held")
    assert event.categories == ["CRM: held"]
    assert moved.identity == event.immutable


def test_a_meeting_message_without_an_appointment_is_held_not_linked_as_mail(world: Tenant) -> None:
    seen = one_tagged(world, invite="meetingCancelled")
    [unread] = world.mailbox.fetch(seen.ref).unread
    assert unread.code == "unsupported"


def test_an_invitation_whose_appointment_cannot_be_asked_for_stops_nothing(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    box.put_mail(PLAIN, invite="meetingRequest", event=box.put_event(), categories=[TRACK])
    box.put_mail(mail(2), categories=[TRACK])
    world.graph.fault("eventMessage", status=400, code="BadRequest")
    assert len(world.tagged(world.folder("Inbox"))) == 2


# ---------------------------------------------------------------------------------------------------- tasks

def test_a_task_is_seen_fetched_and_marked(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    task = box.put_task("Call Rose", body="about the quote", due=datetime(2026, 4, 1, tzinfo=UTC), list_name="Clients",
                        categories=[TRACK], files=(("notes.txt", b"her number"),), steps=("find the number",))
    [seen] = world.tagged(world.folder("Tasks/Clients"))
    item = world.mailbox.fetch(seen.ref)
    with SandboxedExtractor() as extractor:
        text = "\n".join(part.text() for part in extractor.extract(item.raw).parts)
    for words in ("Call Rose", "about the quote", "find the number", "her number"):
        assert words in text
    world.mailbox.mark(seen.ref, "pending", replace(STAMP, state="pending"))
    world.mailbox.mark(seen.ref, "in review", replace(STAMP, state="in review", generation=2))
    assert task.categories == ["CRM: in review"]
    assert task.stamp == (STAMP.capture, "2 in review")
    assert len(task.linked) == 1
    assert world.mailbox.fetch(seen.ref).raw == item.raw
    assert world.mailbox.locate(ItemRef(DANA, f"task:{box.list('Tasks')}:{task.immutable}", ItemKind.TASK)) == ItemRef(
        DANA, f"task:{box.list('Clients')}:{task.immutable}", ItemKind.TASK, task.immutable)


# -------------------------------------------------------------------------------------------------- fetching

def test_a_cloud_link_is_unread_so_the_item_is_held(world: Tenant) -> None:
    seen = one_tagged(world, links=1)
    [unread] = world.mailbox.fetch(seen.ref).unread
    assert (unread.place, unread.code) == ("attachment 1 of 1 (cloud link)", "not_fetched")


def test_an_attachment_that_mime_does_not_hold_is_unread(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=[TRACK])
    item.attachments += [{"@odata.type": "#microsoft.graph.fileAttachment", "id": "x" * 24, "name": "Surname.pdf",
                          "contentType": "application/pdf", "size": 10, "isInline": False}]
    [seen] = world.tagged(world.folder("Inbox"))
    [unread] = world.mailbox.fetch(seen.ref).unread
    assert (unread.place, unread.code) == ("attachment 1 of 1", "not_fetched")


def test_an_attachment_of_an_appointment_that_fails_is_unread(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    event = box.put_event(categories=[TRACK], files=(("a.txt", b"first"), ("b.txt", b"second")))
    event.contents.pop(event.attachments[1]["id"])
    [seen] = world.tagged(world.folder("Calendar"))
    item = world.mailbox.fetch(seen.ref)
    assert [(u.place, u.code) for u in item.unread] == [("attachment 2 of 2", "not_fetched")]


@pytest.mark.parametrize(("body", "mime"), [
    pytest.param(b'{"error": "later"}', "application/json", id="an error with status 200"),
    pytest.param(b"<html>Sign in</html>", "text/html", id="a page of something between"),
    pytest.param(b"", "text/plain", id="nothing")])
def test_a_body_that_is_no_mail_is_held(world: Tenant, body: bytes, mime: str) -> None:
    seen = one_tagged(world)
    world.graph.fault(r"\$value", body=body, mime=mime)
    assert [u.code for u in world.mailbox.fetch(seen.ref).unread] == ["corrupt"]


def test_a_mail_over_the_limit_is_held_with_its_header_only() -> None:
    with tenant(max_mime_bytes=2000) as world:
        seen = one_tagged(world, PLAIN + b"x" * 5000)
        item = world.mailbox.fetch(seen.ref)
        assert [u.code for u in item.unread] == ["too_large"]
        assert b"Subject: Quote" in item.raw
        assert b"xxx" not in item.raw


@pytest.mark.parametrize(("sensitivity", "private"), [(0, False), (1, False), (2, True), (3, True)])
def test_private_mail_is_not_even_fetched(world: Tenant, sensitivity: int, private: bool) -> None:
    seen = one_tagged(world, sensitivity=sensitivity)
    world.graph.record = []
    item = world.mailbox.fetch(seen.ref)
    assert item.private is private
    assert any("$value" in e.path for e in world.graph.record) is not private


@pytest.mark.parametrize("sensitivity", ["private", "confidential"])
def test_a_private_appointment_comes_without_content(world: Tenant, sensitivity: str) -> None:
    world.graph.mailbox(DANA).put_event("Doctor", sensitivity=sensitivity, categories=[TRACK])
    [seen] = world.tagged(world.folder("Calendar"))
    item = world.mailbox.fetch(seen.ref)
    assert item.private
    assert item.raw == b""


def test_a_deleted_item_is_gone(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=[TRACK])
    [seen] = world.tagged(world.folder("Inbox"))
    box.delete(item)
    with pytest.raises(ItemGone):
        world.mailbox.fetch(seen.ref)
    with pytest.raises(ItemGone):
        world.mailbox.mark(seen.ref, "linked")
    assert world.mailbox.locate(seen.ref) is None


# --------------------------------------------------------------------------------------------------- marking

def test_marking_is_one_write_and_twice_is_once(world: Tenant) -> None:
    seen = one_tagged(world)
    world.mailbox.mark(seen.ref, "pending")
    before = world.graph.counted["PATCH"]
    world.mailbox.mark(seen.ref, "linked", STAMP)
    world.mailbox.mark(seen.ref, "linked", STAMP)
    assert world.graph.counted["PATCH"] == before + 1
    [own] = world.see(world.folder("Inbox"))
    assert (own.tagged, own.state, own.stamp) == (False, "linked", STAMP)


def test_what_the_user_adds_during_the_write_stays(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=["Red", TRACK])
    [seen] = world.tagged(world.folder("Inbox"))
    world.graph.fault("PATCH", before=lambda: box.tag(item, "Urgent"))
    world.mailbox.mark(seen.ref, "linked", STAMP)
    assert item.categories == ["Red", "Urgent", "CRM: linked"]


def test_an_item_that_keeps_changing_is_given_up_for_now(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=[TRACK])
    [seen] = world.tagged(world.folder("Inbox"))
    counter = iter(range(100))
    world.graph.fault("PATCH", before=lambda: box.tag(item, f"Colour {next(counter)}"), times=9)
    with pytest.raises(Changed):
        world.mailbox.mark(seen.ref, "linked", STAMP)
    assert TRACK in item.categories
    assert next(counter) == 3


def test_no_state_takes_ours_away_and_nothing_else(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=["Red", TRACK])
    [seen] = world.tagged(world.folder("Inbox"))
    world.mailbox.mark(seen.ref, "held")
    world.mailbox.mark(seen.ref, "")
    assert item.categories == ["Red"]


def test_category_names_go_into_the_master_list_once(world: Tenant) -> None:
    seen = one_tagged(world)
    world.mailbox.mark(seen.ref, "pending")
    world.mailbox.mark(seen.ref, "linked")
    names = [c["displayName"] for c in world.graph.mailbox(DANA).master_categories]
    assert sorted(names) == sorted(["Red category", TRACK, "CRM: pending", "CRM: linked", "CRM: held",
                                    "CRM: in review", "CRM: not tracked"])


def test_without_the_right_to_the_master_list_items_are_marked_all_the_same(world: Tenant) -> None:
    seen = one_tagged(world)
    world.graph.grants.discard("MailboxSettings.ReadWrite")
    world.mailbox.mark(seen.ref, "linked")
    assert [s.state for s in world.see(world.folder("Inbox"))] == ["linked"]


# ------------------------------------------------------------------------------------------------ pace, faults

@pytest.mark.parametrize("status", [429, 503])
def test_a_short_pause_is_waited_for_and_a_long_one_is_handed_on(world: Tenant, status: int) -> None:
    seen = one_tagged(world)
    world.graph.fault(r"\$value", status=status, retry_after="0.1")
    assert world.mailbox.fetch(seen.ref).raw == PLAIN
    world.graph.fault(r"\$value", status=status, retry_after="120")
    with pytest.raises(TryLater) as error:
        world.mailbox.fetch(seen.ref)
    assert error.value.wait == pytest.approx(120, abs=1)


def test_a_date_is_a_pause_too_and_no_pause_is_for_ever(world: Tenant) -> None:
    from capture.pace import retry_after

    soon = (datetime.now(UTC) + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after(soon) == pytest.approx(90, abs=3)
    assert [retry_after(value) for value in ("", "soon", "-1", "1e9", "7")] == [None, None, None, None, 7.0]
    seen = one_tagged(world)
    world.graph.fault(r"\$value", status=429, retry_after="99999999")
    with pytest.raises(TryLater) as error:
        world.mailbox.fetch(seen.ref)
    assert error.value.wait == 3600


def test_while_a_mailbox_rests_nothing_is_sent_for_it_and_others_go_on(world: Tenant) -> None:
    world.graph.mailbox("lee@example.org")
    inbox = world.folder("Inbox")
    world.graph.fault("delta", status=429, retry_after="60")
    with pytest.raises(TryLater):
        world.see(inbox)
    sent = world.mailbox.http.requests
    with pytest.raises(TryLater) as error:
        world.see(inbox)
    assert world.mailbox.http.requests == sent
    assert 50 < error.value.wait <= 60
    assert world.mailbox.folders("lee@example.org")


def test_without_a_header_the_pause_is_random_and_grows_to_a_quarter_of_an_hour() -> None:
    from capture.pace import MAX_WAIT, jitter

    assert all(0 <= jitter(1) <= 2 for _ in range(50))
    assert max(jitter(30) for _ in range(400)) > 600
    assert all(jitter(30) <= MAX_WAIT == 900 for _ in range(50))


def test_at_most_four_requests_of_a_mailbox_at_a_time(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    refs = [ItemRef(DANA, box.put_mail(mail(n)).immutable) for n in range(12)]
    world.graph.fault(r"\$value", slow=0.05, times=12)
    threads = [threading.Thread(target=world.mailbox.fetch, args=(ref,)) for ref in refs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert 2 <= world.graph.peak[DANA] <= 4


def test_an_expired_token_is_renewed_once_in_the_middle_of_a_page(world: Tenant) -> None:
    inbox = world.folder("Inbox")
    world.tokens.valid = "next"
    world.graph.mailbox(DANA).put_mail(PLAIN, categories=[TRACK])
    assert len(world.tagged(inbox)) == 1
    assert [refused for refused in world.tokens.asked if refused] == ["good"]


def test_a_token_that_is_refused_twice_parks_the_mailbox(world: Tenant) -> None:
    world.graph.fault("", status=401, code="InvalidAuthenticationToken", times=9)
    with pytest.raises(Parked):
        world.mailbox.folders(DANA)
    assert world.graph.faults[0].times == 7


@pytest.mark.parametrize(("status", "code"), [
    (403, "ErrorAccessDenied"), (404, "ErrorInvalidUser"), (404, "MailboxNotEnabledForRESTAPI"),
    (403, "Authorization_RequestDenied"), (402, "anything"), (507, "ErrorQuotaExceeded")])
def test_what_needs_a_person_parks_the_mailbox(world: Tenant, status: int, code: str) -> None:
    world.graph.fault("", status=status, code=code, times=99)
    with pytest.raises(Parked):
        world.mailbox.folders(DANA)


@pytest.mark.parametrize("fault", [
    pytest.param({"cut": True}, id="cut in the middle"), pytest.param({"slow": 3.0}, id="slower than the limit"),
    pytest.param({"status": 500}, id="500"), pytest.param({"status": 502}, id="502"),
    pytest.param({"status": 504}, id="504"), pytest.param({"body": b"<html>", "mime": "text/html"}, id="a page"),
    pytest.param({"body": b"[]"}, id="no object"), pytest.param({"body": b'{"value": 7}'}, id="no list"),
    pytest.param({"body": b'{"value": [{}]}'}, id="an object without an id")])
def test_a_bad_reply_is_tried_later_and_nothing_is_lost(fault: dict[str, Any]) -> None:
    with tenant(timeout_seconds=1) as world:
        world.graph.mailbox(DANA).put_mail(PLAIN, categories=[TRACK])
        inbox = world.folder("Inbox")
        world.graph.fault("delta", **fault)
        with pytest.raises(TryLater):
            world.see(inbox)
        world.mailbox.http._gates.clear()
        assert len(world.tagged(inbox)) == 1


@pytest.mark.parametrize("what", [r"\$value", "attachments", "PATCH"])
def test_a_cut_reply_while_working_on_an_item_is_tried_later(world: Tenant, what: str) -> None:
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=[TRACK])
    [seen] = world.tagged(world.folder("Inbox"))
    world.graph.fault(what, cut=True)
    with pytest.raises(TryLater):
        world.mailbox.mark(seen.ref, "linked", STAMP) if what == "PATCH" else world.mailbox.fetch(seen.ref)
    assert world.mailbox.fetch(seen.ref).raw == PLAIN
    world.mailbox.mark(seen.ref, "linked", STAMP)
    assert item.categories == ["CRM: linked"]


def test_a_service_that_is_away_is_tried_later() -> None:
    with tenant(graph_url="http://127.0.0.1:9") as world, pytest.raises(TryLater):
        world.mailbox.folders(DANA)


def test_an_error_of_an_unknown_kind_is_ours_and_quotes_nothing(world: Tenant) -> None:
    seen = one_tagged(world)
    world.graph.fault(r"\$value", status=418, code="SurnameTeapot")
    with pytest.raises(CaptureError) as error:
        world.mailbox.fetch(seen.ref)
    assert "418" in str(error.value)
    assert "Surname" not in str(error.value)


def test_no_address_id_or_cursor_in_any_log_line(world: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    box = world.graph.mailbox(DANA)
    item = box.put_mail(PLAIN, categories=[TRACK])
    inbox = world.folder("Inbox")
    [seen] = world.tagged(inbox)
    world.mailbox.fetch(seen.ref)
    world.graph.grants.discard("MailboxSettings.ReadWrite")
    world.mailbox.mark(seen.ref, "linked", STAMP)
    world.graph.fault("delta", status=500, code="dana@example.org")
    with pytest.raises(TryLater) as error:
        world.see(inbox)
    said = caplog.text + str(error.value) + repr(seen) + repr(world.mailbox) + repr(world.mailbox.http)
    for secret in (DANA, item.immutable, item.regular, world.cursors[inbox.key].decode(), inbox.key, "q1@client"):
        assert secret not in said


# ---------------------------------------------------------------------------------------------------- check

def by_code(world: Tenant) -> dict[str, bool]:
    return {check.code: check.fine for check in world.mailbox.check(DANA)}


@pytest.mark.parametrize(("grant", "missing"), [
    ("Mail.ReadWrite", {"graph-mail-read", "graph-mail-write"}),
    ("Calendars.ReadWrite", {"graph-calendar-read", "graph-calendar-write"}),
    ("MailboxSettings.ReadWrite", {"graph-categories"}),
    ("Tasks.ReadWrite.All", {"graph-tasks-read", "graph-tasks-write"})])
def test_check_names_the_missing_permission(grant: str, missing: set[str]) -> None:
    with tenant(outside="boss@example.org") as world:
        world.graph.scope = {DANA}
        assert all(by_code(world).values())
        world.graph.grants.discard(grant)
        assert {code for code, fine in by_code(world).items() if not fine} == missing


def test_check_tells_reading_from_writing(world: Tenant) -> None:
    world.graph.grants = {"Mail.Read", "Calendars.Read", "MailboxSettings.ReadWrite", "Tasks.ReadWrite.All"}
    found = by_code(world)
    assert [found[c] for c in ("graph-mail-read", "graph-mail-write", "graph-calendar-read", "graph-calendar-write")
            ] == [True, False, True, False]


@pytest.mark.parametrize(("scope", "outside", "fine"), [
    pytest.param({DANA}, "boss@example.org", True, id="refused"),
    pytest.param(None, "boss@example.org", False, id="it can be read"),
    pytest.param({DANA}, "", False, id="no mailbox named")])
def test_check_proves_that_our_rights_end(scope: set[str] | None, outside: str, fine: bool) -> None:
    with tenant(outside=outside) as world:
        world.graph.mailbox("boss@example.org")
        world.graph.scope = scope
        assert by_code(world)["graph-scope"] is fine


def test_check_says_that_the_reach_of_tasks_cannot_be_limited(world: Tenant) -> None:
    [said] = [c.detail for c in world.mailbox.check(DANA) if c.code == "graph-tasks-reach"]
    assert "every mailbox of the tenant" in said
    with tenant(tasks=False) as other:
        assert not [c for c in other.mailbox.check(DANA) if "tasks" in c.code]


def test_check_leaves_nothing_behind(world: Tenant) -> None:
    box = world.graph.mailbox(DANA)
    before = box.seq, list(box.master_categories)
    world.mailbox.check(DANA)
    assert (box.seq, box.master_categories) == before
