"""What a rescan asks of Dataverse: every activity once, whole, with what others wrote; pulled out and put back."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from pathlib import Path

import pytest
from dataverse_schema import MIME, NOTES
from dataverse_world import OWN, Dataverse, dataverse
from stores import BLOCK, finish, opened, sight

from capture.crm.dataverse_tables import ident_of
from capture.errors import RecordChanged, RecordGone
from capture.ports import StoredKind, StoredRef, Wanted
from store import cases
from store.crypto import Keys
from store.database import Database

CASE = "MW-2026-000001"
HTML = "<html><body><p>Dear <b>Wanda</b>,</p><p>the form of Otto is attached.</p></body></html>"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Database, Keys]]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def made(home: tuple[Database, Keys]) -> Iterator[Dataverse]:
    with dataverse(home[0], (f"anna@{OWN}",), page_size=3) as made:
        yield made


def planted(made: Dataverse, *, done: bool = True, file: bytes = b"seat list") -> str:
    """A mail somebody else put into Dataverse, with a party and a file; its id as we use it."""
    ident = made.org.add("emails", subject="Form", description=HTML, messageid="<f@x.example>", directioncode=False,
                         unit="North")
    if done:
        made.org.tables["emails"][ident] |= {"statecode": 1, "statuscode": 4}
    party = made.org.add("activityparties", participationtypemask=1, addressused="otto@x.example",
                         unresolvedpartyname="Otto Invented")
    made.org.tables["activityparties"][party]["_activityid_value"] = ident
    if file:
        row = made.org.add(MIME, filename="otto.csv", mimetype="text/csv", filesize=len(file), attachmentnumber=1,
                           body=base64.b64encode(file).decode())
        made.org.tables[MIME][row]["_objectid_value"] = ident
    [ref] = [ref for ref in made.crm.stored(Wanted()) if ident_of(ref.id).row == ident]
    return ref.id


def test_activities_of_one_second_come_exactly_once_over_all_tables(made: Dataverse) -> None:
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    for n in range(40):  # ten in each second; ids of rows come in the server's own order
        made.org.clock = lambda n=n: begin + timedelta(seconds=n // 10)  # type: ignore[misc]
        path = ("emails", "appointments", "phonecalls", "tasks")[n % 4]
        made.org.add(path, subject=f"s{n}", description="x")
    found: list[str] = []
    after = ""
    while page := made.crm.stored(Wanted(), after, limit=7):
        assert len(page) <= 7
        found += [ref.id for ref in page]
        after = page[-1].id
    assert found == sorted(found)
    assert len(found) == len(set(found)) == 40 == made.crm.count(Wanted())
    assert [ident_of(f).created for f in found] == sorted(ident_of(f).created for f in found)
    later = made.crm.stored(Wanted(since=begin + timedelta(seconds=2), until=begin + timedelta(seconds=3)), limit=99)
    assert len(later) == 10
    assert len(made.crm.stored(Wanted(kinds=(StoredKind.PHONE_CALL,)), limit=99)) == 10


def test_what_others_wrote_is_read_as_they_wrote_it(made: Dataverse) -> None:
    ident = planted(made)
    item = made.crm.read(ident)
    assert (item.ref, item.stub, item.edited, item.trackers) == (
        StoredRef(ident, StoredKind.MAIL, "north"), "", True, ())
    assert len(item.item_key) == 64
    read = message_from_bytes(item.raw, policy=default_policy)
    assert isinstance(read, EmailMessage)
    body = read.get_body()
    assert body is not None
    assert body.get_content_type() == "text/html"
    assert "the form of Otto" in body.get_content()
    assert "Otto Invented" in read["From"]
    assert "otto@x.example" in read["From"]
    [file] = read.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("otto.csv", "seat list")
    assert made.crm.stored(Wanted(division="North"))
    assert not made.crm.stored(Wanted(division="south"))
    assert [ref.id for ref in made.crm.stored(Wanted(attached=True))] == [ident]


def test_notes_of_a_task_are_read_with_it_and_go_with_it(made: Dataverse) -> None:
    task = made.org.add("tasks", subject="Call", description="About the form")
    note = made.org.add(NOTES, subject="From Otto", notetext="He said his number is 5.", isdocument=False, filesize=0)
    made.org.tables[NOTES][note]["_objectid_value"] = task
    [ref] = made.crm.stored(Wanted())
    item = made.crm.read(ref.id)
    assert (item.attachments, item.unread) == (1, ())
    made.crm.pull(ref.id, item.version, CASE)
    assert made.org.rows(NOTES) == []
    assert made.crm.restore(ref.id, CASE, item.content) == "restored"
    [row] = made.org.rows(NOTES)
    assert (row["subject"], row["notetext"]) == ("From Otto", "He said his number is 5.")


@pytest.mark.parametrize("path", ["emails", "appointments"])
def test_notes_on_mails_and_appointments_are_read_with_their_files_and_come_back_as_notes(
        made: Dataverse, path: str) -> None:
    row = made.org.add(path, subject="Form", description="About the form")
    words = made.org.add(NOTES, subject="From Otto", notetext="He said his number is 5.", isdocument=False, filesize=0)
    file = made.org.add(NOTES, subject="", notetext="", filename="otto.csv", mimetype="text/csv", isdocument=True,
                        filesize=9, documentbody=base64.b64encode(b"seat list").decode())
    for note in (words, file):
        made.org.tables[NOTES][note]["_objectid_value"] = row
    assert [ident_of(ref.id).row for ref in made.crm.stored(Wanted(attached=True))] == [row]
    [ref] = made.crm.stored(Wanted())
    item = made.crm.read(ref.id)
    assert (item.attachments, item.unread) == (2, ())
    read = message_from_bytes(item.raw, policy=default_policy)
    assert isinstance(read, EmailMessage)
    assert {str(part.get_content()).strip() for part in read.iter_attachments()} == {
        "seat list", "From Otto\nHe said his number is 5."}
    made.crm.pull(ref.id, item.version, CASE)
    assert made.org.rows(NOTES) == []
    assert made.crm.restore(ref.id, CASE, item.content) == "restored"
    assert made.crm.read(ref.id).version == item.version
    assert sorted((note["subject"], note["notetext"], note.get("filename")) for note in made.org.rows(NOTES)) == [
        ("", "", "otto.csv"), ("From Otto", "He said his number is 5.", None)]
    assert made.org.rows(MIME) == []


def test_a_file_dataverse_does_not_hand_over_is_unread_and_its_activity_is_not_pulled(made: Dataverse) -> None:
    ident = planted(made)
    made.org.rows(MIME)[0]["body"] = None
    item = made.crm.read(ident)
    assert [(u.place, u.code) for u in item.unread] == [("attachment 1 of 1", "not_fetched")]
    with pytest.raises(RecordChanged):
        made.crm.pull(ident, item.version, CASE)  # the copy in quarantine would not be whole


@pytest.mark.parametrize("done", [True, False], ids=["completed", "open"])
def test_pulled_content_is_gone_from_the_row_its_people_its_files_and_its_history(made: Dataverse, done: bool) -> None:
    ident = planted(made, done=done)
    item = made.crm.read(ident)
    for _ in range(2):
        made.crm.pull(ident, item.version, CASE)
    kept = repr([*made.org.tables.values(), made.org.history])
    for word in ("Otto", "otto", "seat", "f@x.example"):
        assert word not in kept
    [row] = made.org.rows("emails")
    assert (row["mw_stub"], row["statecode"]) == (CASE, 1 if done else 0)
    assert made.crm.read(ident).stub == CASE
    assert made.crm.restore(ident, CASE, item.content) == "restored"
    after = made.crm.read(ident)
    assert (after.raw, after.content, after.stub) == (item.raw, item.content, "")


def test_without_the_right_to_delete_history_content_is_pulled_all_the_same(
        made: Dataverse, caplog: pytest.LogCaptureFixture) -> None:
    ident = planted(made)
    made.org.privileges.discard("prvDeleteRecordChangeHistory")
    with caplog.at_level(logging.WARNING):
        made.crm.pull(ident, made.crm.read(ident).version, CASE)
    assert "history" in caplog.text
    assert made.crm.read(ident).stub == CASE


def test_a_change_between_reading_and_writing_stops_the_pull(made: Dataverse) -> None:
    ident = planted(made)
    version = made.crm.read(ident).version

    def changed() -> None:
        row = made.org.rows("emails")[0]
        row["description"], row["_version"] = "new words", row["_version"] + 1000

    made.org.fault(r"POST /\$batch", before=changed)
    with pytest.raises(RecordChanged):
        made.crm.pull(ident, version, CASE)
    row = made.org.rows("emails")[0]
    assert (row["description"], row.get("mw_stub"), row["statecode"]) == ("new words", None, 1)


def test_a_release_during_the_pull_loses_nothing(made: Dataverse, home: tuple[Database, Keys]) -> None:
    db, keys = home
    ident = planted(made)
    item = made.crm.read(ident)
    capture, ruling = sight(db, keys, "bert", "<m9@example.com>", BLOCK)
    held = finish(db, capture, ruling)
    assert held is not None

    def released() -> None:
        """Before the stub is written a reviewer releases the case, and the content is put back: it is there still."""
        with db.session() as session:
            cases.release(session, held.number, actor="rev", reason="false-positive")
        assert made.crm.restore(ident, held.number, item.content) == "already"

    made.org.fault(r"POST /\$batch", before=released)
    with pytest.raises(RecordChanged):
        made.crm.pull(ident, item.version, held.number)
    assert made.crm.read(ident).content == item.content
    with pytest.raises(RecordChanged):
        made.crm.pull(ident, made.crm.read(ident).version, held.number)


def test_content_comes_back_although_a_contact_is_gone(made: Dataverse) -> None:
    ident = planted(made)
    wanda = made.org.add("contacts", fullname="Wanda", emailaddress1="wanda@x.example")
    made.org.rows("activityparties")[0].update({"_partyid_value": wanda, "_partyid_value_type": "contact"})
    item = made.crm.read(ident)
    made.crm.pull(ident, item.version, CASE)
    del made.org.tables["contacts"][wanda]
    assert made.crm.restore(ident, CASE, item.content) == "restored"
    assert b"otto@x.example" in made.crm.read(ident).raw


def test_what_is_deleted_is_gone(made: Dataverse) -> None:
    ident = planted(made)
    item = made.crm.read(ident)
    made.org.tables["emails"].clear()
    with pytest.raises(RecordGone):
        made.crm.read(ident)
    with pytest.raises(RecordGone):
        made.crm.pull(ident, item.version, CASE)
    assert made.crm.restore(ident, CASE, item.content) == "gone"
    for text in ("", "a" * 32, "20269999T999999-e-" + "a" * 32, "20260101T000000-x-" + "a" * 32):
        with pytest.raises(RecordGone):
            made.crm.read(text)


def test_a_phone_calls_stub_has_both_ends_and_nobody(made: Dataverse) -> None:
    from capture.ports import Typed
    from pii_scan.text import Address

    done = made.crm.write("p1", "anna", Typed(StoredKind.PHONE_CALL, "Call", "text", Address("Anna", f"anna@{OWN}"),
                                              (Address("Otto", "otto@x.example"),), "604 555 0123"))
    made.crm.pull(done.activity, made.crm.read(done.activity).version, CASE)
    parties = made.org.rows("activityparties")
    assert sorted(p["participationtypemask"] for p in parties) == [1, 2]
    assert {p["_partyid_value"] for p in parties} == {made.org.service}
    assert made.org.rows("phonecalls")[0]["phonenumber"] is None
