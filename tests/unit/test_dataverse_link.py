"""Items in Dataverse: what is written, how, and that it is there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from pathlib import Path
from typing import Any

import pytest
from dataverse_schema import MIME, NOTES
from dataverse_server import Org
from dataverse_world import OWN, Dataverse, dataverse
from stores import opened

from capture.crm.dataverse_errors import CrmDuplicate
from capture.crm.dataverse_people import Caller
from capture.errors import CrmDenied, CrmIncomplete, CrmRefused, TryLater
from capture.mailbox.composed import Attached, Entry, Person, compose
from capture.ports import ItemKind, ItemRef, Linked, MailItem, StoredKind, Typed, Wanted
from pii_scan.text import Address, Block, Envelope, Extraction, Part
from store.database import Database

ANNA, WANDA = f"anna@{OWN}", "wanda@firehall.example.com"


@dataclass
class World:
    """An organisation with Anna and Bert in it, and Wanda among its contacts."""

    made: Dataverse
    db: Database
    wanda: str

    @property
    def org(self) -> Org:
        return self.made.org

    def link(self, key: str = "k1", tracker: str = "anna", *, files: tuple[tuple[str, bytes], ...] = (),
             subject: str = "Quote 17", text: str = "Please find our quote.", sender: str = WANDA,
             **fields: Any) -> Linked:
        """Link a mail from Wanda to Anna, cc Bert."""
        message = EmailMessage()
        message["From"], message["To"], message["Cc"] = sender, ANNA, f"bert@{OWN}"
        message["Subject"] = subject
        message.set_content(text)
        for name, content in files:
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        envelope = Envelope(message_id=f"<{key}>@example.com".replace("<", "").replace(">", ""), subject=subject,
                            sender=Address("Wanda", sender), sent="2026-01-02T03:04:05+00:00",
                            recipients=(Address("Anna", ANNA), Address("", f"bert@{OWN}")))
        return self.made.crm.link(key, tracker, MailItem(ItemRef("anna", "1"), message.as_bytes(), **fields),
                                  envelope, Extraction((Part("body", "text", (Block(text),)),)))

    def mail(self) -> dict[str, Any]:
        [row] = self.org.rows("emails")
        return row

    def parties(self, row: dict[str, Any]) -> set[tuple[int, str, str]]:
        return {(p["participationtypemask"], p.get("addressused") or "", p.get("_partyid_value_type") or "")
                for p in self.org.of("activityparties", "activityid", row["activityid"])}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path) as (db, _), dataverse(db, (ANNA, f"bert@{OWN}")) as made:
        yield World(made, db, made.org.add("contacts", fullname="Wanda Imaginary", emailaddress1=WANDA.upper()))


# --------------------------------------------------------------------------------------------- what is written

def test_a_received_mail_is_one_completed_activity_with_its_people(world: World) -> None:
    world.link()
    row = world.mail()
    assert (row["directioncode"], row["statecode"], row["statuscode"]) == (False, 1, 4)
    assert row["messageid"] == "<k1@example.com>"
    assert row["_regardingobjectid_value"] == world.wanda
    assert world.parties(row) == {(1, WANDA, "contact"), (2, ANNA, "systemuser"), (3, f"bert@{OWN}", "systemuser"),
                                  (8, "", "contact")}
    owner = next(u for u in world.org.rows("systemusers") if u.get("internalemailaddress") == ANNA)
    assert row["_ownerid_value"] == owner["systemuserid"]


def test_a_mail_of_our_own_is_one_that_was_sent(world: World) -> None:
    world.org.add("contacts", fullname="Otto", emailaddress1="otto@firehall.example.com")
    world.link(sender=ANNA)
    row = world.mail()
    assert (row["directioncode"], row["statecode"], row["statuscode"]) == (True, 1, 3)
    assert row["messageid"] is None, "the column is for received mail"


def test_the_key_is_a_hash_whatever_the_message_id_holds(world: World) -> None:
    first = world.link("a/b<c>*%&:\\?+'d")
    assert world.link("a/b<c>*%&:\\?+'d", "bert").activity == first.activity
    assert all(c in "0123456789abcdef" for c in world.mail()["mw_key"])
    assert len(world.org.rows("mw_trackers")) == 2


def test_an_address_with_two_rows_is_nobody(world: World) -> None:
    world.org.add("leads", fullname="Wanda I.", emailaddress1=WANDA)
    assert world.link().records == 0
    assert (1, WANDA, "") in world.parties(world.mail())
    assert world.org.rows("mw_trackers")[0]["mw_reason"] == "ambiguous"


def test_a_lead_is_matched_as_well(world: World) -> None:
    world.org.add("leads", fullname="Nina New", emailaddress1="nina@x.example")
    done = world.link(sender="nina@x.example")
    assert (done.matched, done.records) == ("lead", 1)
    assert (8, "", "lead") in world.parties(world.mail())


def test_an_inactive_contact_is_not_matched(world: World) -> None:
    world.org.tables["contacts"][world.wanda]["statecode"] = 1
    assert world.link().matched == "unmatched"


def test_what_was_chosen_comes_first_and_the_rest_is_related(world: World) -> None:
    deal = world.org.add("opportunities", name="Spring course")
    done = world.link(record=f"hand/opportunity:{deal}")
    assert (done.matched, done.records) == ("contact", 2)
    assert world.mail()["_regardingobjectid_value"] == deal
    assert (1, WANDA, "contact") in world.parties(world.mail())


def test_a_record_picked_for_what_is_typed_is_linked_however_it_is_named(world: World) -> None:
    for number, named in enumerate((f"hand/contact:{world.wanda}", f"contact:{world.wanda}")):
        typed = Typed(StoredKind.TASK, f"Call {number}", "", record=named)
        assert world.made.crm.write(f"typed{number}", "anna", typed).records == 1


def test_several_picks_are_kept_with_the_tracker_and_what_is_ambiguous_is_asked(world: World) -> None:
    deals = [world.org.add("opportunities", name=name) for name in ("Spring", "Summer")]
    done = world.link(record=" ".join(f"hand/opportunity:{deal}" for deal in deals))
    assert (done.records, done.asked) == (3, 0)
    world.org.add("contacts", fullname="Wanda the other", emailaddress1=WANDA)
    assert world.link("k2").asked == 1


def test_another_copy_with_other_words_or_files_is_kept_beside_the_first(world: World) -> None:
    first = world.link(files=(("a.bin", b"one"),))
    again = world.link(tracker="bert", files=(("a.bin", b"one"),))
    assert (again.activity, again.notes, len(world.org.rows("emails"))) == (first.activity, (), 1)
    other = world.link(tracker="bert", text="Please find our other quote.", files=(("a.bin", b"one"),))
    assert (other.activity, other.notes) == (first.activity, ("other-copy",))
    assert world.link(tracker="bert", text="Please find our other quote.", files=(("a.bin", b"one"),)).notes == (
        "other-copy",)
    assert world.link(tracker="bert", files=(("a.bin", b"two"),)).notes == ("other-copy",)
    rows = world.org.rows("emails")
    assert len(rows) == 3, "each copy once"
    kept = [row for row in rows if row["messageid"] is None]
    assert {row.get("_regardingobjectid_value") for row in kept} == {None}, "on nobody's timeline"
    assert all(row["statecode"] == 1 for row in rows)
    words = [world.made.crm.read(ref.id).content for ref in world.made.crm.stored(Wanted())]
    assert sum(b"other quote" in content for content in words) == 1, "a rescan reads it"


def test_records_of_a_later_copy_are_shown_too(world: World) -> None:
    deal = world.org.add("opportunities", name="Spring course")
    world.link()
    assert world.link(tracker="bert", record=f"hand/opportunity:{deal}").records == 2
    row = world.mail()
    assert (row["statecode"], row["statuscode"]) == (1, 4), "it was opened for that, and is completed again"
    assert (13, "", "opportunity") in world.parties(row)


@pytest.mark.parametrize(("entry", "kind", "expected"), [
    pytest.param(Entry(ItemKind.APPOINTMENT, "u1", "Course", "Bring the form.",
                       start=datetime(2026, 3, 4, 17, tzinfo=UTC), end=datetime(2026, 3, 4, 18, tzinfo=UTC),
                       place="Room 5",
                       organizer=Person(WANDA, "Wanda"), attendees=(Person(ANNA),)), ItemKind.APPOINTMENT,
                 {"scheduledstart": "2026-03-04T17:00:00Z", "scheduledend": "2026-03-04T18:00:00Z",
                  "location": "Room 5", "isalldayevent": False}, id="appointment"),
    pytest.param(Entry(ItemKind.APPOINTMENT, "u1", "Course", "x", start=datetime(2026, 3, 4, tzinfo=UTC).date(),
                       organizer=Person(WANDA), attendees=(Person(ANNA),)), ItemKind.APPOINTMENT,
                 {"scheduledstart": "2026-03-04T00:00:00Z", "isalldayevent": True}, id="all day"),
    pytest.param(Entry(ItemKind.TASK, "u1", "Call back", "About the form.", due=datetime(2026, 3, 9, tzinfo=UTC),
                       organizer=Person(ANNA)), ItemKind.TASK, {"scheduledend": "2026-03-09T00:00:00Z"}, id="task")])
def test_appointments_and_tasks_have_their_times(world: World, entry: Entry, kind: ItemKind,
                                                 expected: dict[str, Any]) -> None:
    raw = compose(replace(entry, attachments=(Attached("plan.pdf", "application/pdf", b"%PDF"),)))
    people = Envelope(subject=entry.subject, sender=Address("", entry.organizer.email if entry.organizer else ""),
                      recipients=tuple(Address("", a.email) for a in entry.attendees))
    done = world.made.crm.link("k1", "anna", MailItem(ItemRef("anna", "1", kind), raw), people,
                               Extraction((Part("body", "text", (Block(entry.text),)),)))
    [row] = world.org.rows("appointments" if kind is ItemKind.APPOINTMENT else "tasks")
    assert {name: row.get(name) for name in expected} == expected
    assert row["statecode"] == 0, "it is its owner's to complete"
    [file] = world.org.rows(MIME if kind is ItemKind.APPOINTMENT else NOTES)
    assert file["filename"] == "plan.pdf"
    if kind is ItemKind.APPOINTMENT:
        assert {(7, WANDA), (5, ANNA)} <= {(mask, address) for mask, address, _ in world.parties(row)}
    item = world.made.crm.read(done.activity)
    assert (item.ref.kind, item.edited, item.attachments) == (StoredKind(kind), False, 1)
    assert b"Room 5" not in item.raw or kind is ItemKind.APPOINTMENT


def test_an_appointment_without_a_time_is_refused(world: World) -> None:
    raw = compose(Entry(ItemKind.APPOINTMENT, "u1", "Course", "x", organizer=Person(WANDA)))
    with pytest.raises(CrmRefused):
        world.made.crm.link("k1", "anna", MailItem(ItemRef("anna", "1", ItemKind.APPOINTMENT), raw), Envelope(),
                            Extraction(()))


# --------------------------------------------------------------------------------------------- limits

def test_a_file_that_is_too_large_or_blocked_is_named_and_not_dropped_silently(world: World) -> None:
    world.org.organisation()["maxuploadfilesize"] = 1000
    done = world.link(files=(("small.pdf", b"x" * 1000), ("large.pdf", b"x" * 1001), ("run.EXE", b"x")))
    assert done.notes == ("file-too-large", "file-blocked")
    assert [f["filename"] for f in world.org.rows(MIME)] == ["small.pdf"]
    text = world.mail()["description"]
    assert "[attachment 2 of 3 (pdf): 1,001 bytes, larger than this CRM takes; it is in the mailbox]" in text
    assert "[attachment 3 of 3 (exe): this CRM does not take files of this kind; it is in the mailbox]" in text
    assert "large" not in text.replace("larger", ""), "a name is content"


def test_files_at_the_organisations_limit_go_in(world: World) -> None:
    world.link(files=(("a.bin", b"x" * 5_242_880),))
    assert world.org.rows(MIME)[0]["filesize"] == 5_242_880


@pytest.mark.parametrize(("setting", "left"), [
    pytest.param({"oversize": "hold", "max_file_bytes": 10}, None, id="wait for a reviewer"),
    pytest.param({"request_bytes": 300}, ["b.pdf"], id="too much for one request: the largest stay out")])
def test_what_does_not_fit_is_a_setting(tmp_path: Path, setting: dict[str, Any], left: list[str] | None) -> None:
    with opened(tmp_path) as (db, _), dataverse(db, (ANNA,), **setting) as made:
        world, files = World(made, db, ""), (("a.pdf", b"x" * 300), ("b.pdf", b"x" * 100))
        if left is None:
            with pytest.raises(CrmRefused):
                world.link(files=files)
            assert made.org.rows("emails") == made.org.rows("mw_trackers") == []
        else:
            world.link(files=files)
            assert [f["filename"] for f in made.org.rows(MIME)] == left


def test_what_is_too_long_goes_along_in_full(world: World) -> None:
    subject, text = "s" * 850, "\N{PILE OF POO}" * 1500  # two characters each, as Dataverse counts
    assert world.link(subject=subject).notes == ("subject-cut",)
    assert len(world.mail()["subject"]) <= 800
    assert subject in world.mail()["description"]
    done = world.made.crm.write("t1", "anna", Typed(StoredKind.TASK, "Call", text))
    assert done.notes == ("text-as-file",)
    [row] = world.org.rows("tasks")
    assert "full text.txt" in row["description"]
    read = message_from_bytes(world.made.crm.read(done.activity).raw, policy=default_policy)
    assert isinstance(read, EmailMessage)
    [file] = read.iter_attachments()
    assert bytes(file.get_payload(decode=True)).decode() == text  # type: ignore[arg-type]
    assert world.org.rows(NOTES)[0]["filesize"] == len(text.encode())


@pytest.mark.parametrize("knob", ["cut_bodies", "drop_files"])
def test_what_dataverse_did_not_keep_is_taken_out_again_and_held(world: World, knob: str) -> None:
    setattr(world.org, knob, 5)
    with pytest.raises(CrmIncomplete):
        world.link(files=(("a.pdf", b"x"),))
    assert world.org.rows("emails") == world.org.rows(MIME) == world.org.rows("mw_trackers") == []
    setattr(world.org, knob, 0)
    assert world.link(files=(("a.pdf", b"x"),)).records == 1


# --------------------------------------------------------------------------------------------- failures

@pytest.mark.parametrize("pattern", [r"BATCH POST /emails", r"BATCH POST /activitymimeattachments",
                                     r"BATCH PATCH /mw_trackers"])
@pytest.mark.parametrize("outer", [200, 400], ids=["inside a success", "inside a failure"])
def test_a_change_set_that_fails_in_the_middle_leaves_nothing(world: World, pattern: str, outer: int) -> None:
    world.org.batch_status = outer
    world.org.fault(pattern, status=500)
    with pytest.raises(TryLater):
        world.link(files=(("a.pdf", b"x"), ("b.pdf", b"y")))
    for path in ("emails", "activityparties", MIME, "mw_trackers"):
        assert world.org.rows(path) == []
    assert world.link(files=(("a.pdf", b"x"), ("b.pdf", b"y"))).records == 1
    assert len(world.org.rows(MIME)) == 2


@pytest.mark.parametrize("pattern", [r"POST /\$batch", r"GET /emails\(mw_key", r"PATCH /emails", r"GET /mw_trackers"])
@pytest.mark.parametrize("fault", [{"cut": True}, {"status": 503, "retry_after": "0.05"}, {"body": b"<html>"}],
                         ids=["cut", "busy", "a proxy's page"])
def test_a_call_that_is_cut_off_anywhere_is_repeated_to_one_whole_activity(
        world: World, pattern: str, fault: dict[str, Any]) -> None:
    planted = world.org.fault(pattern, **fault)
    for _ in range(3):
        try:
            done = world.link(files=(("a.pdf", b"x"),))
        except TryLater:
            continue
        break
    assert planted.times == 0, "the fault was met"
    row = world.mail()
    assert (done.records, row["statecode"], len(world.org.rows(MIME))) == (1, 1, 1)
    assert len(world.org.rows("mw_trackers")) == 1


def test_what_was_begun_and_not_completed_is_no_link_until_it_is(world: World) -> None:
    world.org.fault("PATCH /emails", status=500)
    with pytest.raises(TryLater):
        world.link(files=(("a.pdf", b"x"),))
    assert world.mail()["statecode"] == 0
    assert world.link(tracker="bert", files=(("a.pdf", b"x"),)).records == 1, "whoever comes next completes it"
    assert world.mail()["statecode"] == 1


def test_what_was_begun_and_is_not_whole_is_taken_out_by_whoever_comes_next(world: World) -> None:
    world.org.fault("PATCH /emails", status=500)
    with pytest.raises(TryLater):
        world.link(files=(("a.pdf", b"x"),))
    world.org.tables[MIME].clear()
    with pytest.raises(CrmIncomplete):
        world.link(tracker="bert", files=(("a.pdf", b"x"),))
    assert world.org.rows("emails") == []


def test_a_short_pause_is_waited_for_and_a_long_one_is_the_engines(world: World) -> None:
    world.org.fault("GET /contacts", status=429, retry_after="0.1", code="0x80072322")
    assert world.link().records == 1
    world.org.fault("GET /contacts", status=429, retry_after="240", code="0x80072322")
    with pytest.raises(TryLater) as error:
        world.link("k2")
    assert error.value.wait == 240
    sent = world.made.crm.http.requests
    with pytest.raises(TryLater) as error:
        world.link("k3")
    assert 230 < error.value.wait <= 240
    assert world.made.crm.http.requests == sent, "sending on would make the wait longer"


def test_a_token_that_is_refused_is_renewed_once_and_then_a_person_is_needed(world: World) -> None:
    world.made.tokens.valid = "newer"
    assert world.link().records == 1
    assert world.made.tokens.asked.count("good") == 1
    world.org.verify = lambda _token: False
    with pytest.raises(CrmDenied):
        world.link("k2")


def test_no_more_requests_than_the_setting_says_are_under_way(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with opened(tmp_path) as (db, _), dataverse(db, (ANNA,), parallel=3) as made:
        world = World(made, db, "")
        made.org.fault("", slow=0.02, times=1000)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: world.link(f"k{n % 4}"), range(8)))
        assert made.org.peak <= 3
        assert len(made.org.rows("emails")) == 4


# --------------------------------------------------------------------------------------------- already there

def test_a_mail_that_dynamics_tracked_by_itself_is_joined_and_not_doubled(world: World) -> None:
    there = world.org.add("emails", messageid="<k1@example.com>", subject="Quote 17", description="<p>Please</p>",
                          directioncode=False)
    world.org.tables["emails"][there] |= {"statecode": 1, "statuscode": 4}
    done = world.link()
    assert world.mail()["activityid"] == there
    assert world.made.crm.read(done.activity).trackers == ("anna",)
    assert world.made.crm.read(done.activity).edited, "we did not write its content"
    assert world.link(tracker="bert").activity == done.activity


def test_a_duplicate_that_is_refused_is_joined(world: World) -> None:
    def tracked_meanwhile() -> None:
        world.org.add("emails", messageid="<k1@example.com>", subject="Quote 17", description="x",
                      directioncode=False)

    world.org.fault(r"POST /\$batch", before=tracked_meanwhile)
    done = world.link()
    assert world.made.crm.read(done.activity).item_key == "k1"
    assert len(world.org.rows("emails")) == 1
    assert world.mail()["statecode"] == 0, "somebody else's draft stays one"


def test_what_a_person_opened_again_and_changed_is_left_to_them(world: World) -> None:
    done = world.link()
    world.mail().update({"statecode": 0, "statuscode": 1, "description": "changed by hand"})
    assert world.link(tracker="bert").activity == done.activity
    assert (world.mail()["description"], world.mail()["statecode"]) == ("changed by hand", 0)


def test_a_duplicate_that_is_hidden_from_us_holds_the_item(world: World) -> None:
    world.org.fault("BATCH POST /emails", status=412, code="0x80040333")
    with pytest.raises(CrmDuplicate):
        world.link()
    assert world.org.rows("mw_trackers") == []


# --------------------------------------------------------------------------------------------- rights

def test_a_record_the_tagger_may_not_see_is_neither_linked_nor_found(world: World) -> None:
    world.org.tables["contacts"][world.wanda]["_unit"] = "north"
    world.org.user(f"cleo@{OWN}", sees={"south"})
    assert world.link(tracker="cleo", record=f"contact:{world.wanda}").records == 0
    assert world.mail().get("_regardingobjectid_value") is None
    assert list(world.made.crm.find("wanda", who="cleo")) == []
    assert [r.id for r in world.made.crm.find("wanda", who="anna")] == [world.wanda]
    assert world.link(tracker="anna").records == 1, "Anna may see it"
    cleo = next(u for u in world.org.rows("systemusers") if u.get("internalemailaddress") == f"cleo@{OWN}")
    assert cleo["azureactivedirectoryobjectid"] in world.org.callers


def test_what_would_be_linked_is_told_with_names_and_a_pick_without_hyphens_is_linked(world: World) -> None:
    envelope = Envelope(message_id="s@example.com", subject="Quote", sender=Address("Wanda", WANDA),
                        sent="", recipients=(Address("Anna", ANNA),))
    item = MailItem(ItemRef("anna", "1"), b"Subject: Quote\n\nHello.\n")
    offers = world.made.crm.suggest("anna", item, envelope, who=ANNA)
    assert [(one.record.kind, one.record.id, one.record.name, one.reason, one.sure) for one in offers.found] == [
        ("contact", world.wanda, "Wanda Imaginary", "address", True)]
    assert world.org.rows("emails") == []
    world.org.tables["contacts"][world.wanda]["_unit"] = "north"
    world.org.user(f"dora@{OWN}", sees={"south"})
    blind = world.made.crm.suggest("anna", item, envelope, who=f"dora@{OWN}")
    assert (blind.found, blind.reason) == ((), "no-record")
    picked = world.link(sender="else@nowhere.example.com", record=f"hand/contact:{world.wanda.replace('-', '')}")
    assert (picked.records, picked.matched) == (1, "contact")


def test_somebody_dataverse_does_not_know_sees_nothing(world: World) -> None:
    assert world.link(tracker="stranger@elsewhere.example").records == 0
    assert list(world.made.crm.find("wanda", who="stranger@elsewhere.example")) == []
    assert list(world.made.crm.find("wanda")) == []


def test_without_acting_for_people_only_the_division_of_the_mailbox_is_looked_at(tmp_path: Path) -> None:
    from store import people

    with opened(tmp_path) as (db, _), dataverse(db, (ANNA,), act_for_tracker=False) as made:
        with db.session() as session:
            people.add_division(session, "north", actor="root")
            people.add(session, ANNA, actor="root", divisions=("north",))
        made.org.add("contacts", fullname="Wanda North", emailaddress1=WANDA, unit="North")
        made.org.add("contacts", fullname="Wanda South", emailaddress1=WANDA, unit="South")
        assert World(made, db, "").link().records == 1
        assert made.org.callers == []
        assert Caller(division="north").limit() == " and owningbusinessunit/name eq 'north'"


def test_errors_and_logs_hold_no_address(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    world.org.privileges.discard("prvReadContact")
    with pytest.raises(CrmDenied) as error:
        world.link()
    assert "example" not in str(error.value) + caplog.text
    assert "0x80040220" in str(error.value)
    assert "example" not in repr(world.made.crm) + repr(world.made.crm.http)


def test_stored_items_are_counted_beyond_the_servers_own_limit(world: World) -> None:
    for n in range(5100):
        world.org.add("tasks", subject=f"t{n}", description="x")
    assert world.made.crm.count(Wanted(kinds=(StoredKind.TASK,))) == 5100
