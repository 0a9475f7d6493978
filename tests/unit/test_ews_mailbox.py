"""The EWS backend against the fake Exchange server: watching, fetching, marking, finding again."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from ews_home import BOX, ews_mailbox
from ews_operations import Operations
from ews_server import EwsServer, serving
from ews_store import Attached, Item
from ews_xml import error
from world import mail

from capture.errors import Changed, CursorLost, ItemGone, ItemUnreadable, Parked, TryLater
from capture.mailbox.ews import EwsMailbox
from capture.ports import Folder, ItemKind, ItemRef, Sighting, Stamp
from pii_scan.text import Unread

TAG = "Track in CRM"
MEETING = {"item:Subject": "Course dates", "item:Body": "Room 4", "calendar:UID": "040000008200E0",
           "calendar:Start": "2026-03-05T17:00:00Z", "calendar:End": "2026-03-05T18:00:00Z",
           "calendar:Location": "Campus, room 4", "calendar:Organizer": "Dana Reid <dana.reid@example.org>",
           "calendar:RequiredAttendees": "Rose Antoine <rose@client.example.com>"}


@pytest.fixture
def server() -> Iterator[EwsServer]:
    with serving() as running:
        yield running
    assert running.problems == []
    assert running.faults.left() == [], "a fault that was to strike never did"


@pytest.fixture
def mailbox(server: EwsServer) -> Iterator[EwsMailbox]:
    made = ews_mailbox(server)
    yield made
    made.close()


def put(server: EwsServer, n: int = 1, *categories: str, folder: str = "inbox", **more: object) -> Item:
    return server.store.put(BOX, folder, mime=mail(f"Quote {n}", "Hello", message_id=f"q{n}@client.example.com"),
                            categories=categories, **more)  # type: ignore[arg-type]


def folder(mailbox: EwsMailbox, path: str = "Inbox") -> Folder:
    return next(one for one in mailbox.folders(BOX) if one.path == path)


def all_of(mailbox: EwsMailbox, path: str = "Inbox") -> tuple[Sighting, ...]:
    return mailbox.changes(folder(mailbox, path), b"").sightings


def tagged_ref(mailbox: EwsMailbox, path: str = "Inbox") -> ItemRef:
    [found] = [one.ref for one in all_of(mailbox, path) if one.tagged]
    return found


# ------------------------------------------------------------------------------------------------- watching

def test_folders_of_mail_appointments_and_tasks_are_watched_at_any_depth(server: EwsServer) -> None:
    mailbox = ews_mailbox(server, mailbox={"exclude": ["Private"]})
    for path in ("Inbox/Clients/2026", "Deleted Items/Old", "Inbox/Private/Deep", "Contacts/Team"):
        server.store.folder(BOX, path)
    found = {(one.path, one.kind, one.fast) for one in mailbox.folders(BOX)}
    assert found == {("Inbox", "mail", True), ("Inbox/Clients", "mail", False), ("Inbox/Clients/2026", "mail", False),
                     ("Sent Items", "sent", True), ("Calendar", "calendar", True), ("Tasks", "tasks", True)}
    mailbox.close()


def test_a_renamed_folder_keeps_its_key(server: EwsServer, mailbox: EwsMailbox) -> None:
    server.store.folder(BOX, "Inbox/Clients")
    before = folder(mailbox, "Inbox/Clients")
    server.store.rename(BOX, "Inbox/Clients", "Customers")
    assert folder(mailbox, "Inbox/Customers").key == before.key


def test_a_sync_tells_tag_state_and_stamp_and_then_only_what_is_new(server: EwsServer, mailbox: EwsMailbox) -> None:
    first, second = put(server, 1, "Red", TAG.upper()), put(server, 2, "CRM: held")
    second.extended["mailweir-stamp"] = "cap-7 2 held"
    page = mailbox.changes(folder(mailbox), b"")
    assert [(s.ref.key, s.tagged, s.state, s.stamp) for s in page.sightings] == [
        (first.key, True, "", None), (second.key, False, "held", Stamp("cap-7", "held", 2))]
    assert (page.reset, page.more) == (True, False)
    server.store.tag(BOX, second, TAG)
    again = mailbox.changes(folder(mailbox), page.cursor)
    assert [(s.ref.key, s.tagged) for s in again.sightings] == [(second.key, True)]
    assert not again.reset
    assert mailbox.changes(folder(mailbox), again.cursor).sightings == ()


def test_ids_that_differ_in_case_only_are_two_items(server: EwsServer, mailbox: EwsMailbox) -> None:
    items = [put(server, n, TAG) for n in range(2, 6)]
    folded = {item.key.casefold() for item in items}
    assert len(folded) < len(items), "the fake gives no twins"
    assert {one.ref.key for one in all_of(mailbox)} == {item.key for item in items}


def test_a_large_folder_comes_in_pages_of_512(server: EwsServer, mailbox: EwsMailbox) -> None:
    for n in range(600):
        put(server, n)
    page = mailbox.changes(folder(mailbox), b"")
    rest = mailbox.changes(folder(mailbox), page.cursor)
    assert (len(page.sightings), page.more, len(rest.sightings), rest.more) == (512, True, 88, False)
    assert len({one.ref.identity for one in page.sightings + rest.sightings}) == 600


def test_the_same_cursor_gives_the_same_changes(server: EwsServer, mailbox: EwsMailbox) -> None:
    """exchangelib would go on from a state of its own: the stored one is always passed."""
    put(server, 1, TAG)
    start = mailbox.changes(folder(mailbox), b"")
    put(server, 2, TAG)
    once, twice = (mailbox.changes(folder(mailbox), start.cursor) for _ in range(2))
    assert once.sightings == twice.sightings
    assert len(once.sightings) == 1
    assert len(all_of(mailbox)) == 2


def test_reading_is_no_change_and_deleting_is_told(server: EwsServer, mailbox: EwsMailbox) -> None:
    kept, gone = put(server, 1, TAG), put(server, 2, TAG)
    page = mailbox.changes(folder(mailbox), b"")
    server.store.read(BOX, kept)
    server.store.delete(BOX, gone)
    found = mailbox.changes(folder(mailbox), page.cursor).sightings
    assert [(one.ref.key, one.removed) for one in found] == [(gone.key, True)]


def test_drafts_are_told_apart_and_meeting_requests_are_no_mail(server: EwsServer, mailbox: EwsMailbox) -> None:
    put(server, 1, TAG, properties={"item:IsDraft": "true"})
    server.store.put(BOX, "inbox", "MeetingRequest", categories=(TAG,))
    server.store.put(BOX, "inbox", "Contact", categories=(TAG,))
    assert [one.draft for one in all_of(mailbox)] == [True]


@pytest.mark.parametrize("cursor", [b"ews1:AAAA", b"graph:somewhere"])
def test_a_cursor_the_server_does_not_know_is_lost(server: EwsServer, mailbox: EwsMailbox, cursor: bytes) -> None:
    with pytest.raises(CursorLost):
        mailbox.changes(folder(mailbox), cursor)


def test_a_server_that_forgets_or_ignores_the_cursor_is_looked_through_anew(server: EwsServer,
                                                                           mailbox: EwsMailbox) -> None:
    put(server, 1, TAG)
    page = mailbox.changes(folder(mailbox), b"")
    server.faults.add("refuse cursor", "SyncFolderItems")
    with pytest.raises(CursorLost):
        mailbox.changes(folder(mailbox), page.cursor)
    server.faults.add("ignore cursor", "SyncFolderItems")
    assert len(mailbox.changes(folder(mailbox), page.cursor).sightings) == 1


def test_an_error_without_a_sync_state_is_still_told(server: EwsServer, mailbox: EwsMailbox,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """exchangelib reads the state before it looks at the error, and not every server sends an empty one."""
    from ews_operations import Operations

    monkeypatch.setattr(Operations, "empty", staticmethod(lambda _: ""))
    with pytest.raises(CursorLost):
        mailbox.changes(folder(mailbox), b"ews1:AAAA")


def test_a_folder_that_is_gone_is_gone(server: EwsServer, mailbox: EwsMailbox) -> None:
    server.store.folder(BOX, "Inbox/Clients")
    place = folder(mailbox, "Inbox/Clients")
    del server.store.box(BOX).folders[place.key]
    with pytest.raises(ItemGone):
        mailbox.changes(place, b"")


@pytest.mark.parametrize("silent", [False, True], ids=["the length tells", "nothing tells"])
def test_a_half_read_sync_commits_nothing(server: EwsServer, mailbox: EwsMailbox, silent: bool) -> None:
    put(server, 1, TAG)
    place = folder(mailbox)
    server.faults.add("cut", "SyncFolderItems", silent=silent, at=0.9)
    with pytest.raises(TryLater):
        mailbox.changes(place, b"")
    assert len(mailbox.changes(place, b"").sightings) == 1


def test_a_tag_on_one_meeting_of_a_series_is_that_meeting(server: EwsServer, mailbox: EwsMailbox) -> None:
    series = server.store.put(BOX, "calendar", "CalendarItem",
                              properties=MEETING | {"calendar:CalendarItemType": "RecurringMaster"})
    page = mailbox.changes(folder(mailbox, "Calendar"), b"")
    assert [one.tagged for one in page.sightings] == [False]
    one = server.store.occurrence(BOX, series, "2026-03-12T17:00:00Z", categories=(TAG,))
    found = mailbox.changes(folder(mailbox, "Calendar"), page.cursor).sightings
    assert {(s.ref.key, s.tagged, s.ref.identity) for s in found} == {
        (series.key, False, "uid:040000008200E0"), (one.key, True, "uid:040000008200E0:2026-03-12T17:00:00Z")}
    [again] = mailbox.tagged(BOX)
    assert mailbox.mark(again.ref, "linked").key == one.key
    assert one.categories == ["CRM: linked"]


def test_a_changed_meeting_of_a_tagged_series_is_the_series(server: EwsServer, mailbox: EwsMailbox) -> None:
    series = server.store.put(BOX, "calendar", "CalendarItem", categories=(TAG,),
                              properties=MEETING | {"calendar:CalendarItemType": "RecurringMaster"})
    server.store.occurrence(BOX, series, "2026-03-12T17:00:00Z", categories=(TAG,))  # it shows the series' own
    assert [one.ref.key for one in all_of(mailbox, "Calendar") if one.tagged] == [series.key]
    assert [one.ref.key for one in mailbox.tagged(BOX)] == [series.key]


@pytest.mark.parametrize("code", ["ErrorItemCorrupt", "ErrorItemNotFound", "ErrorInvalidOperation"])
def test_a_meeting_that_cannot_be_looked_at_hides_no_other(server: EwsServer, mailbox: EwsMailbox, code: str) -> None:
    calendar = folder(mailbox, "Calendar")
    series = server.store.put(BOX, "calendar", "CalendarItem",
                              properties=MEETING | {"calendar:CalendarItemType": "RecurringMaster"})
    server.store.occurrence(BOX, series, "2026-03-12T17:00:00Z")
    tagged = server.store.occurrence(BOX, series, "2026-03-19T17:00:00Z", categories=(TAG,))
    asked = []

    def strike(operation: str, _: str) -> None:
        asked.append(operation)
        if asked.count("GetItem") in (2, 3) and operation == "GetItem":  # both together, then the first alone
            server.faults.add("error", "GetItem", code=code)

    server.before.append(strike)
    found = mailbox.changes(calendar, b"").sightings
    assert [one.ref.key for one in found if one.tagged] == [tagged.key]


def test_a_folder_that_is_damaged_hides_no_other(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = put(server, 1, TAG, folder="sentitems")
    server.faults.add("error", "FindItem", code="ErrorFolderCorrupt")  # the inbox, which comes first
    assert [one.ref.key for one in mailbox.tagged(BOX)] == [item.key]


@pytest.mark.parametrize("name", ["msgfolderroot", "deleteditems"])
def test_a_busy_server_does_not_say_that_there_is_no_folder(server: EwsServer, mailbox: EwsMailbox,
                                                            monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    show = Operations._folder

    def away(self: Operations, element: Any) -> Any:
        return None if element.get("Id") == name else show(self, element)

    monkeypatch.setattr(Operations, "_folder", away)
    monkeypatch.setattr("ews_xml.error", lambda operation, code, body="": error(
        operation, "ErrorInternalServerTransientError" if code == "ErrorFolderNotFound" else code, body))
    with pytest.raises(TryLater):
        mailbox.folders(BOX)


def test_an_item_that_is_too_large_is_not_read_to_its_end(server: EwsServer, mailbox: EwsMailbox,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    put(server, 1, TAG)
    ref = tagged_ref(mailbox)
    monkeypatch.setattr("capture.mailbox.ews_connection.LARGEST_REPLY", 100)
    for _ in range(5):  # and no session is lost
        with pytest.raises(ItemUnreadable):
            mailbox.fetch(ref)
    monkeypatch.undo()
    assert mailbox.fetch(ref).raw


def test_the_nightly_look_finds_every_tagged_item_oldest_first(server: EwsServer, mailbox: EwsMailbox,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capture.mailbox.ews_calls.PAGE", 50)
    items = [put(server, n, *((TAG,) if n % 40 == 0 else ())) for n in range(130)]
    server.store.put(BOX, "tasks", "Task", categories=(TAG,))
    found = [one.ref.key for one in mailbox.tagged(BOX)]
    assert found[:4] == [items[n].key for n in (0, 40, 80, 120)]
    assert len(found) == 5


def test_what_is_moved_away_during_the_nightly_look_hides_nothing(server: EwsServer, mailbox: EwsMailbox,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capture.mailbox.ews_calls.PAGE", 50)
    items = [put(server, n, TAG) for n in range(100)]
    pages = iter([(), items[:15]])

    def between_pages(operation: str, _: str) -> None:
        if operation == "FindItem":
            for item in next(pages, ()):
                server.store.delete(BOX, item)

    server.before.append(between_pages)
    assert {one.ref.key for one in mailbox.tagged(BOX)} == {item.key for item in items}


# ------------------------------------------------------------------------------------------------- fetching

def test_a_mail_comes_byte_for_byte(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = put(server, 1, TAG)
    fetched = mailbox.fetch(tagged_ref(mailbox))
    assert (fetched.raw, fetched.unread, fetched.private) == (item.mime, (), False)


@pytest.mark.parametrize("silent", [False, True], ids=["the length tells", "nothing tells"])
def test_a_mail_cut_off_in_the_middle_is_never_taken_for_a_whole_one(server: EwsServer, mailbox: EwsMailbox,
                                                                     silent: bool) -> None:
    put(server, 1, TAG)
    ref = tagged_ref(mailbox)
    server.faults.add("cut", "GetItem", silent=silent)
    with pytest.raises(TryLater):
        mailbox.fetch(ref)


def test_characters_xml_forbids_do_not_stop_a_reply(server: EwsServer, mailbox: EwsMailbox) -> None:
    server.store.put(BOX, "calendar", "CalendarItem", categories=(TAG,),
                     properties=MEETING | {"item:Subject": "Course&\x0b dates"})
    raw = mailbox.fetch(tagged_ref(mailbox, "Calendar")).raw
    assert b"Subject: Course& dates" in raw


def test_listed_attachments_without_a_mime_part_hold_the_item(server: EwsServer, mailbox: EwsMailbox) -> None:
    raw = mail("Files", "See attached.", message_id="f@x.example",
               attachments=(("plan.pdf", "application/pdf", b"%PDF"), ("a.csv", "text/csv", b"a,b")))
    server.store.put(BOX, "inbox", mime=raw, categories=(TAG,), attachments=(
        Attached("plan.pdf", b"%PDF"), Attached("lost.docx", b""), Attached("Cloud", b"", sort="reference"),
        Attached("a.csv", b"a,b")))
    assert mailbox.fetch(tagged_ref(mailbox)).unread == (
        Unread("attachment 2 of 4", "not_fetched"), Unread("attachment 3 of 4", "not_fetched"))


def test_attachments_that_were_renamed_on_conversion_are_there_all_the_same(server: EwsServer,
                                                                            mailbox: EwsMailbox) -> None:
    message = EmailMessage()
    message["Subject"], message["Message-ID"] = "Fwd", "<fwd@x.example>"
    message.set_content("see below")
    message.add_attachment(email.message_from_bytes(mail("inner", "x"), policy=email.policy.default))
    message.add_attachment(b"data", maintype="application", subtype="octet-stream", filename="plan_2026.bin")
    server.store.put(BOX, "inbox", mime=message.as_bytes(), categories=(TAG,), attachments=(
        Attached("RE: inner", b"", sort="item"), Attached("plan:2026.bin", b"data")))
    assert mailbox.fetch(tagged_ref(mailbox)).unread == ()


def test_a_footer_that_the_server_lists_as_an_attachment_is_there(server: EwsServer, mailbox: EwsMailbox) -> None:
    raw = (b"Message-ID: <l@x.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
           b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
           b"To leave the list, write to us.\r\n--b--\r\n")
    item = server.store.put(BOX, "inbox", mime=raw, categories=(TAG,), attachments=(
        Attached("ATT00001.txt", b"", content_type="text/plain"),))
    ref = tagged_ref(mailbox)
    assert mailbox.fetch(ref).unread == ()
    item.attachments[0].content_type = "application/pdf"
    assert mailbox.fetch(ref).unread == (Unread("attachment 1 of 1", "not_fetched"),), "a text is no PDF"


@pytest.mark.parametrize("wrong", [mail("Other", "Not it", message_id="other@x.example"), b""],
                         ids=["another mail", "none"])
def test_a_mime_that_is_not_this_mail_is_not_read(server: EwsServer, mailbox: EwsMailbox, wrong: bytes) -> None:
    item = put(server, 1, TAG, properties={"message:InternetMessageId": "<q1@client.example.com>"})
    ref = tagged_ref(mailbox)
    if wrong:
        server.faults.add("wrong mime", "GetItem", mime=wrong)
    else:
        item.kind, item.mime = "Message", b"\n"  # the server answers with an empty mail
        item.properties["message:InternetMessageId"] = "<q1@client.example.com>"
        server.faults.add("error", "GetItem", code="ErrorMimeContentConversionFailed")
    with pytest.raises(ItemUnreadable):
        mailbox.fetch(ref)


@pytest.mark.parametrize("sensitivity", ["Private", "Confidential"])
@pytest.mark.parametrize("kind", ["Message", "CalendarItem", "Task"])
def test_a_private_item_comes_without_its_content(server: EwsServer, mailbox: EwsMailbox, kind: str,
                                                  sensitivity: str) -> None:
    place = {"Message": "inbox", "CalendarItem": "calendar", "Task": "tasks"}[kind]
    server.store.put(BOX, place, kind, mime=mail("S", "secret"), categories=(TAG,),
                     properties={"item:Sensitivity": sensitivity, "item:Body": "secret"})
    [sighting] = mailbox.tagged(BOX)
    fetched = mailbox.fetch(sighting.ref)
    assert (fetched.private, fetched.raw) == (True, b"")


def test_an_appointment_comes_as_a_mail_with_everything_in_it(server: EwsServer, mailbox: EwsMailbox) -> None:
    server.store.put(BOX, "calendar", "CalendarItem", categories=(TAG,), properties=MEETING, attachments=(
        Attached("agenda.txt", b"one\ntwo", content_type="text/plain"), Attached("old", mail("Old", "old mail"),
                                                                                sort="item"),
        Attached("gone.txt", b"x", broken=True), Attached("link", b"", sort="reference")))
    fetched = mailbox.fetch(tagged_ref(mailbox, "Calendar"))
    parts = [part for part in email.message_from_bytes(fetched.raw, policy=email.policy.default).walk()
             if not part.is_multipart()]
    contents = b"".join(part.get_payload(decode=True) for part in parts)
    for wanted in (b"Room 4", b"Campus\\, room 4", b"DTSTART:20260305T170000Z", b"rose@client.example.com",
                   b"Rose Antoine", b"one\ntwo", b"old mail"):
        assert wanted in contents
    assert b"Subject: Course dates" in fetched.raw
    assert fetched.unread == (Unread("attachment 3 of 4", "not_fetched"), Unread("attachment 4 of 4", "not_fetched"))
    assert mailbox.fetch(tagged_ref(mailbox, "Calendar")).raw == fetched.raw, "the same item, the same bytes"


def test_a_task_comes_as_a_mail_with_everything_in_it(server: EwsServer, mailbox: EwsMailbox) -> None:
    server.store.put(BOX, "tasks", "Task", categories=(TAG,), properties={
        "item:Subject": "Call back", "item:Body": "<p>about the quote</p>", "body type": "HTML",
        "task:Mileage": "12 km", "task:Companies": "Acme Bolt", "task:DueDate": "2026-03-09T00:00:00Z"})
    fetched = mailbox.fetch(tagged_ref(mailbox, "Tasks"))
    message = email.message_from_bytes(fetched.raw, policy=email.policy.default)
    body = message.get_body(("html",))
    assert body is not None
    for wanted in ("about the quote", "12 km", "Acme", "Bolt"):
        assert wanted in body.get_content()
    assert message["Message-ID"].endswith("@task.invalid>")


def test_an_item_of_another_kind_than_was_thought_is_read_as_what_it_is(server: EwsServer,
                                                                       mailbox: EwsMailbox) -> None:
    item = server.store.put(BOX, "calendar", "CalendarItem", properties=MEETING)
    fetched = mailbox.fetch(ItemRef(BOX, item.key))
    assert (fetched.ref.kind, fetched.ref.identity) == (ItemKind.APPOINTMENT, "uid:040000008200E0")
    assert b"text/calendar" in fetched.raw
    contact = server.store.put(BOX, "contacts", "Contact")
    with pytest.raises(ItemUnreadable):
        mailbox.fetch(ItemRef(BOX, contact.key))


# -------------------------------------------------------------------------------------------------- marking

def test_a_mark_keeps_the_users_categories_and_stamps_in_one_write(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = put(server, 1, "Red", TAG, "Blue")
    ref = mailbox.mark(tagged_ref(mailbox), "pending", Stamp("cap-1", "pending", 3))
    assert item.categories == ["Red", "Blue", "CRM: pending"]
    assert item.extended == {"mailweir-stamp": "cap-1 3 pending"}
    assert server.asked["UpdateItem"] == 1
    mailbox.mark(ref, "pending", Stamp("cap-1", "pending", 3))
    assert server.asked["UpdateItem"] == 1, "it is marked already"
    mailbox.mark(ref, "")
    assert item.categories == ["Red", "Blue"]


def test_the_last_category_can_be_taken_off(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = put(server, 1, TAG)
    mailbox.mark(tagged_ref(mailbox), "")
    assert item.categories == []


def test_a_change_made_meanwhile_is_read_again_and_kept(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = put(server, 1, "Red", TAG)
    ref = tagged_ref(mailbox)
    server.faults.add("stale", "UpdateItem", times=2, user="Green")
    mailbox.mark(ref, "held")
    assert item.categories == ["Red", "Green", "Green", "CRM: held"]


def test_an_item_that_keeps_changing_is_given_up_after_three_tries(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = put(server, 1, TAG)
    ref = tagged_ref(mailbox)
    server.faults.add("stale", "UpdateItem", times=3)
    with pytest.raises(Changed):
        mailbox.mark(ref, "held")
    assert item.categories == [TAG]
    assert server.asked["UpdateItem"] == 3


def test_a_mailbox_that_may_only_be_read_is_parked(server: EwsServer, mailbox: EwsMailbox) -> None:
    put(server, 1, TAG)
    ref = tagged_ref(mailbox)
    server.store.box(BOX).read_only = True
    with pytest.raises(Parked):
        mailbox.mark(ref, "held")


# ------------------------------------------------------------------------------------------- finding again

@pytest.mark.parametrize(("place", "kind", "there"), [
    ("inbox", "Message", "Inbox/Clients"), ("calendar", "CalendarItem", "Calendar/Team"),
    ("tasks", "Task", "Tasks/Done")])
def test_a_moved_item_is_gone_at_its_old_id_and_found_by_its_identity(
        server: EwsServer, mailbox: EwsMailbox, place: str, kind: str, there: str) -> None:
    mime = mail("S", "x", message_id="Mixed.Case@Client.Example.com") if kind == "Message" else b""
    item = server.store.put(BOX, place, kind, mime=mime, categories=(TAG,), properties={"calendar:UID": "0400ABC"})
    server.store.put(BOX, place, kind, mime=mail("T", "y", message_id="o@x.example"), properties={"calendar:UID": "1"})
    [sighting] = mailbox.tagged(BOX)
    server.store.move(BOX, item, there)
    for ask in (mailbox.fetch, lambda ref: mailbox.mark(ref, "held")):
        with pytest.raises(ItemGone):
            ask(sighting.ref)
    found = mailbox.locate(sighting.ref)
    assert found is not None
    assert (found.key, found.identity) == (item.key, sighting.ref.identity)
    assert mailbox.mark(found, "held").key == item.key


def test_an_item_without_identity_is_found_by_our_stamp(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = server.store.put(BOX, "inbox", mime=b"Subject: no id\r\n\r\nx", categories=(TAG,))
    other = server.store.put(BOX, "inbox", mime=b"Subject: no id\r\n\r\ny")
    other.extended["mailweir-stamp"] = "cap-12 1 pending"
    ref = mailbox.mark(tagged_ref(mailbox), "pending", Stamp("cap-1", "pending", 1))
    assert ref.identity == ""
    server.store.move(BOX, item, "Inbox/Later")
    found = mailbox.locate(ref, capture="cap-1")
    assert found is not None
    assert found.key == item.key
    assert mailbox.locate(ref, capture="cap-9") is None


@pytest.mark.parametrize("form", ["<q1@client.example.com>", "q1@client.example.com", "q1@Client.Example.com"])
def test_a_message_id_from_the_pane_finds_the_mail(server: EwsServer, mailbox: EwsMailbox, form: str) -> None:
    item = put(server, 1)
    put(server, 2)
    found = mailbox.locate(ItemRef(BOX, "an id of another form"), message_id=form)
    if form.islower():
        assert found is not None
        assert found.key == item.key


def test_an_item_that_is_nowhere_is_not_found(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = put(server, 1, TAG)
    ref = tagged_ref(mailbox)
    server.store.delete(BOX, item)
    assert mailbox.locate(ref) is None
    assert mailbox.locate(ItemRef(BOX, "x", ItemKind.TASK, "key:none")) is None


def test_a_server_that_cannot_search_by_property_is_looked_through(server: EwsServer, mailbox: EwsMailbox) -> None:
    item = put(server, 1, TAG)
    ref = tagged_ref(mailbox)
    server.store.move(BOX, item, "Inbox/Later")
    server.faults.add("error", "FindItem", code="ErrorUnsupportedPathForQuery")
    found = mailbox.locate(ref)
    assert found is not None
    assert found.key == item.key


def test_nothing_of_an_item_stands_in_a_repr(server: EwsServer, mailbox: EwsMailbox) -> None:
    put(server, 1, TAG)
    [sighting] = all_of(mailbox)
    for shown in (repr(sighting), repr(mailbox), repr(mailbox.connection), repr(mailbox.fetch(sighting.ref))):
        assert "client.example.com" not in shown
        assert sighting.ref.key not in shown
