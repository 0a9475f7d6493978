"""Every CRM backend keeps the promises of `capture.ports.Crm`. One suite, all backends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import pytest
from dataverse_world import DataverseWorld
from inprocess import read as read_here
from sqlmodel import select
from stores import BLOCK, finish, opened, sight

from capture.crm import CRMS
from capture.crm.asmail import BOUNDARY, StoredFile, as_mail
from capture.crm.embedded import EmbeddedCrm, attachments, body_text
from capture.errors import CrmRefused, RecordChanged, RecordGone, TryLater
from capture.ports import Crm, ItemRef, Linked, MailItem, StoredKind, Typed, Wanted
from pii_scan.text import Address, Block, Envelope, Extraction, Label, Part, Table
from store import cases, crm_records, people
from store.crm_import import import_csv
from store.crm_tables import Activity, ActivityLink, ActivityTracker, Attachment
from store.database import Database

CONTACTS = """\
organisation,organisation_domain,first_name,last_name,email
Fictional Fire Hall,firehall.example.com,Wanda,Imaginary,wanda@firehall.example.com
Fictional Fire Hall,firehall.example.com,Otto,Invented,otto@firehall.example.com
Fictional Fire Hall,firehall.example.com,One,Desk,info@firehall.example.com
Fictional Fire Hall,firehall.example.com,Two,Desk,info@firehall.example.com
"""
OWN = "training.example.org"
US = Address("Us", f"us@{OWN}")


class CrmWorld(Protocol):
    """A CRM with the knobs the suite needs."""

    crm: Crm
    db: Database

    def activities(self) -> list[dict[str, Any]]: ...
    def activity(self, ident: str) -> dict[str, Any]: ...
    def close(self) -> None: ...


class EmbeddedWorld:
    """The embedded CRM."""

    def __init__(self, folder: Path, db: Database) -> None:
        self.folder, self.db = folder, db
        self.crm: Crm = EmbeddedCrm(db, (OWN,))
        with db.session() as session:
            import_csv(session, CONTACTS, actor="test")

    def activities(self) -> list[dict[str, Any]]:
        with self.db.reading() as session:
            return crm_records.listed(session, "activities")

    def activity(self, ident: str) -> dict[str, Any]:
        with self.db.reading() as session:
            return crm_records.shown(session, ident)

    def close(self) -> None:
        self.crm.close()


WORLDS: dict[str, Callable[[Path, Database], CrmWorld]] = {"dataverse": DataverseWorld, "embedded": EmbeddedWorld}


def test_every_registered_backend_is_in_the_suite_and_can_be_loaded() -> None:
    assert set(WORLDS) == set(CRMS)
    for value in CRMS.values():
        module, _, name = value.partition(":")
        assert callable(getattr(import_module(module), name))


@pytest.fixture(params=sorted(CRMS))
def world(request: pytest.FixtureRequest, tmp_path: Path, store_url: str) -> Iterator[CrmWorld]:
    """A CRM with a few contacts, on each kind of database."""
    with opened(store_url) as (db, _):
        made = WORLDS[request.param](tmp_path, db)
        try:
            yield made
        finally:
            made.close()


def mail(*, files: int = 0) -> MailItem:
    message = EmailMessage()
    message["Subject"] = "Quote 17"
    message["From"] = "wanda@firehall.example.com"
    message.set_content("Please find our quote.\n")
    for number in range(files):
        message.add_attachment(bytes([number]) * 10, maintype="application", subtype="pdf",
                               filename=f"quote {number}.pdf")
    return MailItem(ItemRef("anna", "1"), message.as_bytes())


def envelope(sender: str = "wanda@firehall.example.com", *to: str) -> Envelope:
    return Envelope(message_id="m1@example.com", subject="Quote 17", sender=Address("Wanda", sender),
                    recipients=(US, *(Address("", email) for email in to)), sent="2026-01-02T03:04:05+00:00")


BODY = Extraction((
    Part("headers", "headers", (Block("Quote 17", Label.SUBJECT),)),
    Part("body", "text", (Block("Please find our quote."), Block("Wanda, Chief", Label.SIGNATURE),
                          Block("hidden words", Label.HIDDEN), Table((("a", "1"), ("b", "2"))))),
    Part("attachment 1 of 1 (pdf)", "pdf", (Block("Text of the file"),))))


def link(world: CrmWorld, key: str = "k1", tracker: str = "anna", sender: str = "wanda@firehall.example.com",
         *to: str, files: int = 0) -> Linked:
    told = replace(envelope(sender, *to), message_id=f"m{key[1:]}@example.com")  # another item has another one
    return world.crm.link(key, tracker, mail(files=files), told, BODY)


def test_a_mail_becomes_an_activity_of_its_contact(world: CrmWorld) -> None:
    done = link(world, files=2)
    assert (done.matched, done.records) == ("contact", 1)
    shown = world.activity(done.activity)
    assert (shown["subject"], shown["type"], shown["sent"]) == ("Quote 17", "email", "2026-01-02T03:04:05+00:00")
    assert shown["body"] == "Please find our quote.\nWanda, Chief\na\t1\nb\t2"
    assert [(p["role"], p["email"]) for p in shown["participants"]] == [
        ("from", "wanda@firehall.example.com"), ("to", f"us@{OWN}")]
    assert [(a["number"], a["name"], a["size"]) for a in shown["attachments"]] == [
        (1, "quote 0.pdf", 10), (2, "quote 1.pdf", 10)]
    assert shown["trackers"] == ["anna"]


def test_repeating_the_call_changes_nothing(world: CrmWorld) -> None:
    first = link(world, files=1)
    assert link(world, files=1) == first
    assert len(world.activities()) == 1
    assert len(world.activity(first.activity)["attachments"]) == 1


def test_a_second_tracker_joins_the_activity(world: CrmWorld) -> None:
    first = link(world)
    assert link(world, tracker="bert") == first
    assert world.activity(first.activity)["trackers"] == ["anna", "bert"]
    assert len(world.activities()) == 1


def test_links_of_both_trackers_are_united(world: CrmWorld) -> None:
    first = link(world)
    done = link(world, "k1", "bert", "wanda@firehall.example.com", "otto@firehall.example.com")
    assert done.activity == first.activity
    assert (done.matched, done.records) == ("contact", 2)


@pytest.mark.parametrize(("sender", "matched", "reason"), [
    pytest.param("new@firehall.example.com", "unmatched", "suggested", id="domain"),
    pytest.param("info@firehall.example.com", "unmatched", "ambiguous", id="ambiguous"),
    pytest.param("x@unknown.example", "unmatched", "no-record", id="unknown"),
    pytest.param(f"boss@{OWN}", "unmatched", "own-domains-only", id="own mail"),
])
def test_what_is_not_sure_is_linked_as_unmatched(world: CrmWorld, sender: str, matched: str,
                                                 reason: str) -> None:
    done = link(world, sender=sender)
    assert (done.matched, world.activities()[0]["reason"]) == (matched, reason)
    assert done.records == 0


def test_what_is_known_later_replaces_unmatched_and_nothing_else(world: CrmWorld) -> None:
    assert link(world, sender="x@unknown.example").matched == "unmatched"
    assert link(world, tracker="bert").matched == "contact"
    assert link(world, tracker="cleo", sender="x@unknown.example").matched == "contact"


def test_people_tracking_one_mail_at_the_same_moment_make_one_activity(world: CrmWorld) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: link(world, tracker=f"user{n % 4}", files=1), range(24)))
    assert len({d.activity for d in done}) == 1
    assert len(world.activities()) == 1
    shown = world.activity(done[0].activity)
    assert shown["trackers"] == ["user0", "user1", "user2", "user3"]
    assert len(shown["attachments"]) == 1


def typed(kind: StoredKind = StoredKind.PHONE_CALL, text: str = "They take the spring course.") -> Typed:
    return Typed(kind, "Call about quote 17", text, caller=US, called=(Address("Wanda", "wanda@firehall.example.com"),),
                 number="604 555 0123", minutes=7, when=datetime(2026, 3, 4, 17, tzinfo=UTC))


@pytest.mark.parametrize("kind", [StoredKind.PHONE_CALL, StoredKind.TASK])
def test_what_a_person_typed_becomes_one_activity_however_often_it_is_written(
        world: CrmWorld, kind: StoredKind) -> None:
    first = world.crm.write("t1", "anna", typed(kind))
    assert world.crm.write("t1", "anna", typed(kind)).activity == first.activity
    assert len(world.activities()) == 1
    item = world.crm.read(first.activity)
    assert (item.ref.kind, item.item_key, item.trackers, item.edited) == (kind, "t1", ("anna",), False)
    read = message_from_bytes(item.raw, policy=default_policy)
    assert isinstance(read, EmailMessage)
    body = read.get_body()
    assert body is not None
    assert read["Subject"] == "Call about quote 17"
    assert "They take the spring course." in body.get_content()
    if kind is StoredKind.PHONE_CALL:
        assert "wanda@firehall.example.com" in read["To"]
        assert "604 555 0123" in body.get_content(), "a number is content: it is scanned, and pulled with the rest"


def test_a_long_note_of_a_phone_call_is_kept_in_full(world: CrmWorld) -> None:
    text = "".join(f"Line {n} of what was said.\n" for n in range(200))
    item = world.crm.read(world.crm.write("t1", "anna", typed(text=text)).activity)
    extraction = read_here(item.raw)
    shown = "\n".join(part.text() for part in extraction.parts)
    assert all(f"Line {n} of what was said." in shown for n in range(200))


def test_kinds_that_are_not_typed_are_refused(world: CrmWorld) -> None:
    with pytest.raises(CrmRefused):
        world.crm.write("t1", "anna", typed(StoredKind.MAIL))
    assert world.activities() == []


def test_records_are_found_by_name_and_by_address(world: CrmWorld) -> None:
    assert [(r.kind, r.name) for r in world.crm.find("imagi", who="anna")] == [("contact", "Wanda Imaginary")]
    assert [r.name for r in world.crm.find("OTTO@firehall.example.com", who="anna")] == ["Otto Invented"]
    assert [r.kind for r in world.crm.find("fire hall", who="anna")] == ["organisation"]
    assert [r.name for r in world.crm.find("desk", who="anna", kinds=("contact",), limit=1)] == ["One Desk"]
    assert list(world.crm.find("desk", who="anna", kinds=("organisation",))) == []
    assert list(world.crm.find("  ", who="anna")) == list(world.crm.find("%' or 1 eq 1", who="anna")) == []


def test_a_record_that_was_chosen_is_linked_and_one_that_is_not_there_is_not(world: CrmWorld) -> None:
    [hall] = world.crm.find("fire hall", who="anna")
    chosen = replace(mail(), record=f"organisation:{hall.id}")
    done = world.crm.link("k1", "anna", chosen, envelope("x@unknown.example"), BODY)
    assert (done.matched, done.records) == ("organisation", 1)
    lost = replace(mail(), record=f"contact:{hall.id}")
    assert world.crm.link("k2", "anna", lost, replace(envelope("x@unknown.example"), message_id="m2@example.com"),
                          BODY).records == 0


def test_all_is_fine_with_a_crm_that_works(world: CrmWorld) -> None:
    checks = world.crm.check()
    assert checks
    assert [c.detail for c in checks if not c.fine] == []


# ------------------------------------------------------------------------------------- the embedded backend

def test_processes_tracking_one_mail_make_one_activity(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stores import opened\n"
        "from capture.crm.embedded import EmbeddedCrm\n"
        "from capture.ports import ItemRef, MailItem\n"
        "from pii_scan.text import Address, Envelope, Extraction\n"
        "with opened(Path(sys.argv[1])) as (db, _):\n"
        "    for n in range(20):\n"
        "        EmbeddedCrm(db).link(f'k{n}', sys.argv[2], MailItem(ItemRef('a', '1'), b'Subject: x\\n\\nbody'),\n"
        "            Envelope(sender=Address('', 'a@x.example')), Extraction(()))\n")
    both = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), user],
                             env={"PYTHONPATH": ":".join(sys.path)}) for user in ("anna", "bert")]
    assert [process.wait(120) for process in both] == [0, 0]
    with opened(tmp_path) as (db, _), db.reading() as session:
        assert len(session.scalars(select(Activity)).all()) == 20
        assert len(session.scalars(select(ActivityTracker)).all()) == 40


def test_a_busy_database_is_tried_later(tmp_path: Path) -> None:
    with opened(tmp_path, busy_seconds=0.2) as (db, _), db.session(), pytest.raises(TryLater):
        EmbeddedCrm(db).link("k1", "anna", mail(), envelope(), BODY)


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise ZeroDivisionError

    with opened(tmp_path) as (db, _):
        world = EmbeddedWorld(tmp_path, db)
        monkeypatch.setattr(crm_records, "_link", fail)
        with pytest.raises(ZeroDivisionError):
            link(world, files=1)
        with db.reading() as session:
            for table in (Activity, ActivityTracker, ActivityLink, Attachment):
                assert session.scalars(select(table)).all() == []


def test_odd_characters_are_stored_and_not_lost(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _):
        odd = Envelope(subject="a\x00b \udcff é 漢", sender=Address("x\udc80", "a@x.example"), sent="not a date")
        done = EmbeddedCrm(db).link("k1", "anna", MailItem(ItemRef("anna", "1"), b""), odd, Extraction(()))
        with db.reading() as session:
            shown = crm_records.shown(session, done.activity)
    assert shown["subject"] == "ab ? é 漢"
    assert shown["participants"][0]["name"] == "x?"
    assert shown["sent"] == ""


def test_the_body_is_what_a_reader_of_the_mail_sees() -> None:
    assert body_text(BODY).startswith("Please find")
    assert "Text of the file" not in body_text(BODY)
    unnamed = Extraction((Part("part 1", "text", (Block("words"),)), Part("attachment 1 of 1 (txt)", "text", (
        Block("file"),))))
    assert body_text(unnamed) == "words"
    assert body_text(Extraction(())) == ""


def test_attachments_are_the_files_of_the_mail_and_no_body() -> None:
    outer = EmailMessage()
    outer.set_content("text")
    outer.add_alternative("<p>text</p>", subtype="html")
    outer.add_attachment("a,b\n", subtype="csv", filename="list.csv")
    outer.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="logo.png", disposition="inline")
    inner = EmailMessage()
    inner["Subject"] = "forwarded"
    inner.set_content("inner text")
    inner.add_attachment(b"deep", maintype="application", subtype="pdf", filename="deep.pdf")
    outer.add_attachment(inner)
    found = list(attachments(outer.as_bytes()))
    assert [(a.number, a.name, a.content_type) for a in found] == [
        (1, "list.csv", "text/csv"), (2, "logo.png", "image/png"), (3, "", "message/rfc822")]
    assert found[0].content == b"a,b\n"
    assert b"inner text" in found[2].content


@pytest.mark.parametrize("raw", [
    b"", b"\n\n", bytes(range(256)) * 20, b"Content-Type: multipart/mixed\n\nno boundary",
    b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822\n\n",
    b"Content-Type: application/pdf; name*=unknown-charset''%FF%FE\nContent-Transfer-Encoding: base64\n\n!!!!",
    b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKYm9keQo=",
])
def test_broken_mail_has_attachments_or_none_but_never_fails(raw: bytes) -> None:
    for found in attachments(raw):
        assert isinstance(found.content, bytes)
        crm_records.storable(found.name)


# ---------------------------------------------------------------- stored items: what a rescan asks of every backend


def stored_mail(world: CrmWorld, key: str = "k1", tracker: str = "anna", files: int = 0) -> str:
    return link(world, key, tracker, files=files).activity


def test_every_stored_item_comes_exactly_once_page_by_page(world: CrmWorld) -> None:
    made = {stored_mail(world, f"k{n}") for n in range(7)}
    pages: list[list[str]] = []
    after = ""
    while page := world.crm.stored(Wanted(), after, limit=3):
        pages.append([ref.id for ref in page])
        after = page[-1].id
    assert [len(page) for page in pages] == [3, 3, 1]
    flat = [ident for page in pages for ident in page]
    assert flat == sorted(made)
    assert world.crm.count(Wanted()) == 7


def test_filters_choose_by_time_kind_division_and_files(world: CrmWorld) -> None:
    plain, filed = stored_mail(world, "k1"), stored_mail(world, "k2", files=1)
    moment = world.crm.read(plain).stored

    def found(wanted: Wanted) -> list[str]:
        refs = world.crm.stored(wanted)
        assert world.crm.count(wanted) == len(refs)
        return [ref.id for ref in refs]

    assert found(Wanted(kinds=(StoredKind.MAIL,))) == sorted([plain, filed])
    assert found(Wanted(kinds=(StoredKind.NOTE, StoredKind.TASK))) == []
    assert found(Wanted(attached=True)) == [filed]
    assert found(Wanted(division="north")) == []
    assert found(Wanted(since=moment + timedelta(hours=1))) == []
    assert found(Wanted(until=moment)) == []
    assert found(Wanted(since=moment, until=moment + timedelta(hours=1))) == sorted([plain, filed])


def test_a_stored_item_is_read_as_the_mail_it_was(world: CrmWorld) -> None:
    item = world.crm.read(stored_mail(world, files=2))
    assert (item.ref.kind, item.item_key, item.stub, item.attachments) == (StoredKind.MAIL, "k1", "", 2)
    assert item.trackers == ("anna",)
    assert item.edited is False
    assert item.shown_with, "its contact's timeline shows the subject line"
    read = message_from_bytes(item.raw, policy=default_policy)
    assert isinstance(read, EmailMessage)
    assert read["Subject"] == "Quote 17"
    assert "wanda@firehall.example.com" in read["From"]
    body = read.get_body()
    assert body is not None
    assert body.get_content().startswith("Please find our quote.")
    assert [(part.get_filename(), part.get_content()) for part in read.iter_attachments()] == [
        ("quote 0.pdf", bytes([0]) * 10), ("quote 1.pdf", bytes([1]) * 10)]
    assert "Quote" not in repr(item)


def test_a_pulled_item_is_a_marked_stub_without_a_word_of_it(world: CrmWorld) -> None:
    ident = stored_mail(world, files=2)
    item = world.crm.read(ident)
    for _ in range(2):
        world.crm.pull(ident, item.version, "MW-2026-000001")
    stub = world.crm.read(ident)
    assert stub.stub == "MW-2026-000001"
    assert stub.attachments == 0
    assert stub.trackers == ("anna",), "who tracked it stays known"
    for word in (b"Quote 17", b"wanda", b"quote 0.pdf", b"m1@example.com"):
        assert word not in stub.raw + stub.content
    assert "MW-2026-000001" in world.activity(ident)["body"]


def test_what_was_changed_or_deleted_meanwhile_is_not_pulled(world: CrmWorld) -> None:
    ident = stored_mail(world)
    with pytest.raises(RecordChanged):
        world.crm.pull(ident, "0" * 64, "MW-2026-000001")
    version = world.crm.read(ident).version
    world.crm.pull(ident, version, "MW-2026-000001")
    with pytest.raises(RecordChanged):
        world.crm.pull(ident, version, "MW-2026-000002")
    with pytest.raises(RecordGone):
        world.crm.pull("nothing", version, "MW-2026-000001")
    with pytest.raises(RecordGone):
        world.crm.read("nothing")


def test_what_was_released_meanwhile_is_not_pulled(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, keys):
        world = EmbeddedWorld(tmp_path, db)
        ident = stored_mail(world)
        version = world.crm.read(ident).version
        capture_id, ruling = sight(db, keys, "bert", "<m9@example.com>", BLOCK)
        held = finish(db, capture_id, ruling)
        assert held is not None
        with db.session() as session:
            cases.release(session, held.number, actor="rev", reason="false-positive")
        with pytest.raises(RecordChanged):  # its copy in quarantine may be destroyed
            world.crm.pull(ident, version, held.number)
        assert world.crm.read(ident).version == version


def test_what_is_restored_is_what_it_was(world: CrmWorld) -> None:
    ident = stored_mail(world, files=2)
    before, shown = world.crm.read(ident), world.activity(ident)
    world.crm.pull(ident, before.version, "MW-2026-000001")
    assert world.crm.restore(ident, "MW-2026-000002", before.content) == "already", "another case's content"
    assert world.crm.restore(ident, "MW-2026-000001", before.content) == "restored"
    assert world.crm.restore(ident, "MW-2026-000001", b"{}") == "already"
    after = world.crm.read(ident)
    assert (after.raw, after.content, after.version, after.stub, after.edited) == (
        before.raw, before.content, before.version, "", False)
    assert world.activity(ident) == shown
    assert world.crm.restore("nothing", "MW-2026-000001", before.content) == "gone"


def test_a_new_copy_fills_a_stub_whose_case_is_closed(world: CrmWorld) -> None:
    ident = stored_mail(world)
    world.crm.pull(ident, world.crm.read(ident).version, "MW-2026-000009")  # no open case has this number
    assert link(world, tracker="bert").activity == ident
    item = world.crm.read(ident)
    assert (item.stub, item.trackers) == ("", ("anna", "bert"))
    assert b"Quote 17" in item.raw


def test_a_stub_with_an_open_case_is_not_filled(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, keys):
        world = EmbeddedWorld(tmp_path, db)
        ident = stored_mail(world)
        capture, ruling = sight(db, keys, "cleo", "other@example.com", BLOCK)
        held = finish(db, capture, ruling)
        assert held is not None
        world.crm.pull(ident, world.crm.read(ident).version, held.number)
        link(world, tracker="bert")
        assert world.crm.read(ident).stub == held.number


def test_an_item_belongs_to_the_division_of_whoever_tracked_it_first(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _):
        world = EmbeddedWorld(tmp_path, db)
        with db.session() as session:
            for key in ("north", "south"):
                people.add_division(session, key, actor="root")
            people.add(session, f"anna@{OWN}", actor="root", divisions=("north",))
            people.add(session, f"bert@{OWN}", actor="root", divisions=("north", "south"))
        first = link(world, "k1", "anna").activity
        assert link(world, "k1", f"bert@{OWN}").activity == first
        both, unknown = link(world, "k2", f"bert@{OWN}").activity, link(world, "k3", "cleo").activity
        assert [world.crm.read(ident).ref.division for ident in (first, both, unknown)] == ["north", "", ""]
        assert [ref.id for ref in world.crm.stored(Wanted(division="north"))] == [first]


def test_somebody_elses_change_shows(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _):
        world = EmbeddedWorld(tmp_path, db)
        ident = stored_mail(world)
        version = world.crm.read(ident).version
        with db.session() as session:
            session.get_one(Activity, ident).body = "another text"
        assert world.crm.read(ident).edited
        assert world.crm.read(ident).version != version


@pytest.mark.parametrize(("subject", "name", "email"), [
    pytest.param("a\r\nBcc: x@y.example", "a\r\nTo: b", "x@y.example", id="line breaks"),
    pytest.param("=?utf-8?q?no?= (word)", 'Quote "d", and comma', "x@y.example", id="looks encoded"),
    pytest.param("漢字 é", "Zoë", "not an address", id="not ASCII"),
    pytest.param("", "", "", id="empty"),
])
def test_nothing_stored_can_break_out_of_its_header(subject: str, name: str, email: str) -> None:
    raw = as_mail(subject=subject, body="--" + BOUNDARY + "\r\nX: y\r\n\r\ntext", sent=None, message_id="a b\r\nX: y",
                  participants=[{"role": "from", "name": name, "email": email}],
                  files=[StoredFile('a"\r\nb.txt', "text/plain\r\nX: y", b"--" + BOUNDARY.encode())])
    read = message_from_bytes(raw, policy=default_policy)
    assert isinstance(read, EmailMessage)
    assert {key for key in read if key not in ("From", "To", "Subject", "X-Message-ID")} == {
        "MIME-Version", "Content-Type"}
    assert len(list(read.walk())) == 3
    extraction = read_here(raw)
    shown = "".join("".join(part.text() for part in extraction.parts).split())
    for word in (subject, name, email):
        assert "".join(word.split()) in shown, "what is stored is read"
