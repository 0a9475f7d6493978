"""What only a person decides: which record, tracked or not, destroyed or not. On both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from crm_world import DANA, MARCUS, VERA, fill, mail, track
from sqlalchemy.orm import Session
from sqlmodel import col, select
from stores import BLOCK, PASS, finish, opened, sight

from capture.mailbox.composed import from_calendar
from capture.ports import ItemKind
from store import audit, crm_choices, crm_never, crm_records, ledger, people
from store.access import Person
from store.crm_access import Who, trackers_of
from store.crm_choices import Left
from store.crm_tables import Activity, ActivityLink, ActivitySuggestion, PurgeReceipt
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, NotAllowed, NotFound
from store.tables import Capture, CaptureState, Case, CaseState

ROOT = Who("root")


@pytest.fixture
def store(store_url: str) -> Iterator[tuple[Database, Keys]]:
    with opened(store_url) as (db, keys):
        fill(db)
        yield db, keys


def who(db: Database, address: str) -> Who:
    """Somebody of the register who is in order: signed, affirmed, trained."""
    with db.reading() as session:
        row = people.by_address(session, address)
        assert row is not None
        loaded = people.load(session, row.id)
    person = Person(loaded.id, loaded.roles, loaded.divisions, loaded.addresses, bound=True, trained=True)
    return Who(person.id, person, frozenset({address}))


def desk(db: Database, tracker: str = DANA, key: str = "k1") -> str:
    """A mail from an address of two contacts; its activity."""
    done = track(db, mail(sender="info@hall.example.com", message_id=f"{key}@hall.example.com"), key, tracker)
    assert (done.matched, done.records) == ("unmatched", 0)
    return done.activity


def links(db: Database, activity: str) -> set[tuple[str, str, str]]:
    with db.reading() as session:
        return {(link.record, link.record_id, link.how) for link in session.scalars(select(ActivityLink).where(
            ActivityLink.activity_id == activity, col(ActivityLink.removed).is_(None)))}


def actions(db: Database, subject: str) -> list[str]:
    with db.session() as session:
        return [row.action for row in audit.show(session, action="crm:", last=500) if row.subject == subject]


# ------------------------------------------------------------------------------------------------- asked

def test_what_is_ambiguous_waits_for_its_tracker_and_is_answered_once(store: tuple[Database, Keys]) -> None:
    db, _ = store
    activity, dana = desk(db), who(db, DANA)
    with db.session() as session:
        [entry] = [e for e in crm_choices.waiting(session, dana) if e["activity"] == activity]
        asked = [[(line["id"], line["reason"], line["title"]) for line in lines] for lines in entry["questions"]]
        assert asked == [
            [("desk1", "ambiguous", "desk1 Invented"), ("desk2", "ambiguous", "desk2 Invented")]]
        crm_choices.confirm(session, dana, activity, "contact", "desk2")
        [entry] = [e for e in crm_choices.waiting(session, dana) if e["activity"] == activity]
        assert entry["questions"] == []
        assert [s["reason"] for s in entry["suggestions"]] == ["open-work"], "of the one that was chosen"
        assert session.get_one(Activity, activity).matched == "contact"
    assert links(db, activity) == {("contact", "desk2", "hand")}
    assert actions(db, activity) == ["crm:link:confirmed"]
    again = track(db, mail(sender="info@hall.example.com", message_id="k1@hall.example.com"), "k1", MARCUS)
    assert (again.activity, again.asked) == (activity, 0), "a question that was answered is not asked again"


def test_suggestions_are_confirmed_or_dismissed_one_by_one(store: tuple[Database, Keys]) -> None:
    db, _ = store
    activity, dana = track(db, mail(sender="wanda@hall.example.com"), "k1", DANA).activity, who(db, DANA)
    with db.session() as session:
        [entry] = [e for e in crm_choices.waiting(session, dana) if e["activity"] == activity]
        assert [line["id"] for line in entry["suggestions"]] == ["hall-opp", "quoted"]
        crm_choices.confirm(session, dana, activity, "opportunity", "quoted")
        crm_choices.dismiss(session, dana, activity, "opportunity", "hall-opp")
        with pytest.raises(NotFound):
            crm_choices.dismiss(session, dana, activity, "opportunity", "hall-opp")
    track(db, mail(sender="wanda@hall.example.com"), "k1", DANA)
    with db.session() as session:
        assert [e for e in crm_choices.waiting(session, dana) if e["activity"] == activity] == []
        role = session.get_one(ActivityLink, (activity, "opportunity", "quoted")).role
    assert (links(db, activity), role) == (
        {("contact", "wanda", "address"), ("opportunity", "quoted", "hand")}, "regarding")


def test_nobody_is_asked_about_what_another_division_has(store: tuple[Database, Keys]) -> None:
    db, _ = store
    activity = desk(db, MARCUS)
    with db.session() as session:
        assert [e for e in crm_choices.waiting(session, who(db, DANA)) if e["activity"] == activity] == []
        with pytest.raises(NotAllowed):
            crm_choices.confirm(session, who(db, DANA), activity, "contact", "desk1")
        with pytest.raises(NotFound):
            crm_choices.confirm(session, who(db, MARCUS), activity, "contact", "both-n")
        assert any(e["activity"] == activity for e in crm_choices.waiting(session, ROOT)), "the operator sees all"


def test_a_choice_by_hand_beats_every_rule_ever_after(store: tuple[Database, Keys]) -> None:
    db, _ = store
    dana, raw = who(db, DANA), mail(sender="wanda@hall.example.com")
    activity = track(db, raw, "k1", DANA).activity
    with db.session() as session:
        assert crm_choices.unlink(session, dana, activity, "contact", "wanda") == Left(1, 0)
        assert session.get_one(Activity, activity).matched == "unmatched"
    track(db, raw, "k1", MARCUS)
    assert links(db, activity) == set(), "a rule links what a person unlinked"
    with db.session() as session:
        crm_choices.confirm(session, dana, activity, "contact", "wanda", "party")
    assert links(db, activity) == {("contact", "wanda", "hand")}
    assert actions(db, activity) == ["crm:link:removed", "crm:link:confirmed"]


def test_records_picked_before_it_is_linked_are_checked_and_kept(store: tuple[Database, Keys]) -> None:
    db, keys = store
    capture, _ = sight(db, keys, DANA, "<p@example.com>", BLOCK)
    with db.session() as session:
        crm_choices.choose(session, capture, [("contact", "wanda"), ("project", "proj")], who(db, DANA))
        crm_choices.choose(session, capture, [("contact", "wanda")], who(db, DANA))
        assert set(crm_choices.chosen(session, capture)) == {("contact", "wanda"), ("project", "proj")}
        for record in (("contact", "both-s"), ("contact", "nobody"), ("document", "x")):
            with pytest.raises(NotFound):
                crm_choices.choose(session, capture, [record], who(db, DANA))
        with pytest.raises(BadState):
            crm_choices.choose(session, capture, [("contact", "wanda")] * 21, who(db, DANA))


# ------------------------------------------------------------------------------ untrack, unlink, purge differ

def test_untrack_takes_ones_own_tracker_and_says_what_stays(store: tuple[Database, Keys]) -> None:
    db, _ = store
    raw = mail(sender="wanda@hall.example.com")
    activity = track(db, raw, "k1", DANA).activity
    track(db, raw, "k1", MARCUS)
    with db.session() as session:
        with pytest.raises(NotAllowed):
            crm_choices.untrack(session, who(db, DANA), activity, MARCUS)
        assert crm_choices.untrack(session, who(db, DANA), activity, DANA) == Left(1, 1)
        assert trackers_of(session, activity) == (MARCUS,)
        with pytest.raises(NotFound):
            crm_choices.untrack(session, who(db, DANA), activity, DANA)
    assert links(db, activity) == {("contact", "wanda", "address")}, "the activity and its links stay"
    assert "crm:tracker:removed" in actions(db, activity)


def test_untracked_and_tagged_again_begins_anew_and_can_be_undone(store: tuple[Database, Keys]) -> None:
    db, keys = store
    activity = desk(db)
    capture, ruling = sight(db, keys, DANA, "<k1@hall.example.com>", PASS)
    with db.session() as session:
        ledger.linked(session, capture, activity=activity, matched="contact", records=1)
        ledger.marked(session, capture)
        ledger.finished(session, capture)
        assert ruling.link
        crm_choices.untrack(session, who(db, DANA), activity, DANA)
        assert ledger.linked_before(session, another_like(session, capture)) is None, "another tag captures it anew"
        assert crm_choices.track_again(session, who(db, DANA), activity, DANA).trackers == 1
        assert ledger.linked_before(session, another_like(session, capture)) is not None
        with pytest.raises(NotFound):
            crm_choices.track_again(session, who(db, MARCUS), activity, MARCUS)


def test_purge_leaves_a_receipt_and_nothing_else(store: tuple[Database, Keys]) -> None:
    db, _ = store
    raw = mail(sender="wanda@hall.example.com", message_id="p@hall.example.com", body="Planted words.\n")
    activity = track(db, raw, "k1", DANA).activity
    track(db, raw.replace(b"Planted words", b"Planted banner"), "k1", DANA)
    with db.session() as session:
        receipt = crm_choices.purge(session, who(db, DANA), activity, reason="not-business")
        assert (receipt.counts, receipt.reason) == (
            {"trackers": 1, "copies": 2, "links": 1, "files": 0}, "not-business")
    with db.reading() as session:
        for table in (Activity, ActivityLink, ActivitySuggestion):
            key = "id" if table is Activity else "activity_id"
            assert session.scalars(select(table).where(getattr(table, key) == activity)).all() == []
        assert session.scalars(select(Activity).where(Activity.variant_of == activity)).all() == []
        assert session.scalars(select(PurgeReceipt.record_id)).all() == [activity]
    assert actions(db, activity)[-1] == "crm:record:purged"
    if db.is_sqlite:
        db.scrub()
        assert db.path is not None
        assert b"Planted" not in db.path.read_bytes()


def test_the_owner_destroys_and_others_ask(store: tuple[Database, Keys]) -> None:
    db, _ = store
    raw = mail(sender="wanda@hall.example.com")
    activity = track(db, raw, "k1", DANA).activity
    with db.session() as session, pytest.raises(NotAllowed):
        crm_choices.purge(session, who(db, MARCUS), activity, reason="x")
    track(db, raw, "k1", MARCUS)
    with db.session() as session:
        with pytest.raises(NotAllowed, match="not-yours"):
            crm_choices.purge(session, who(db, DANA), activity, reason="x")
        crm_choices.purge(session, who(db, VERA), activity, reason="division-keeps-records")


def test_evidence_of_an_incident_is_not_purged(store: tuple[Database, Keys]) -> None:
    db, keys = store
    capture, ruling = sight(db, keys, DANA, "<e@example.com>", BLOCK)
    held = finish(db, capture, ruling)
    assert held is not None
    with db.session() as session:
        item_key = ledger.item_key(session, capture)
    activity = track(db, mail(sender="wanda@hall.example.com"), item_key, DANA).activity
    with db.session() as session:
        session.execute(sa.update(Case).values(state=CaseState.ESCALATED))
        with pytest.raises(BadState, match="evidence"):
            crm_choices.purge(session, ROOT, activity, reason="x")


# ---------------------------------------------------------------------------------------- another content

def test_another_mail_under_one_message_id_is_kept_beside_the_first(store: tuple[Database, Keys]) -> None:
    db, _ = store
    raw = mail(sender="wanda@hall.example.com", message_id="m@hall.example.com", body="As sent.\n")
    first = track(db, raw, "k1", DANA)
    banner = raw.replace(b"As sent.", b"[EXTERNAL] As sent.")
    assert track(db, banner, "k1", MARCUS).activity == first.activity, "one activity"
    for _ in range(2):
        track(db, banner, "k1", MARCUS)
    with db.reading() as session:
        shown = crm_records.shown(session, first.activity)
        assert shown["body"] == "As sent."
        assert shown["trackers"] == [DANA, MARCUS]
        [variant] = shown["variants"]
        assert crm_records.shown(session, variant)["body"] == "[EXTERNAL] As sent."
        assert variant not in {row["id"] for row in crm_records.listed(session, "activities")}
    assert actions(db, first.activity) == ["crm:activity:variant"], "noted once"


@pytest.mark.parametrize("changed", [
    pytest.param({"cc": "hidden@hall.example.com"}, id="who else got it"),
    pytest.param({"body": "As  sent.\n\n"}, id="blanks"),
    pytest.param({"Received": "from gateway"}, id="what servers add"),
])
def test_the_same_words_are_the_same_copy(store: tuple[Database, Keys], changed: dict[str, str]) -> None:
    db, _ = store
    plain = {"sender": "wanda@hall.example.com", "message_id": "m@hall.example.com", "body": "As sent.\n"}
    activity = track(db, mail(**plain), "k1", DANA).activity
    track(db, mail(**plain | changed), "k1", MARCUS)
    with db.reading() as session:
        assert crm_records.shown(session, activity)["variants"] == []


APPOINTMENT = """\
BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
UID:u1\r
SUMMARY:Course\r
DTSTART:20260303T170000Z\r
DTEND:20260303T180000Z\r
LOCATION:Room 1\r
ORGANIZER:mailto:wanda@hall.example.com\r
ATTENDEE:mailto:dana@training.example.org\r
END:VEVENT\r
END:VCALENDAR\r
"""


def appointment(**changed: str) -> bytes:
    text = APPOINTMENT
    for name, value in changed.items():
        text = "\r\n".join(f"{name}:{value}" if line.startswith(f"{name}:") else line for line in text.split("\r\n"))
    return from_calendar(text.encode())


def test_an_appointment_that_was_changed_and_tagged_again_updates_its_activity(store: tuple[Database, Keys]) -> None:
    db, _ = store
    activity = track(db, appointment(), "a1", DANA, kind=ItemKind.APPOINTMENT).activity
    moved = appointment(DTSTART="20260304T170000Z", DTEND="20260304T180000Z", LOCATION="Room 2")
    assert track(db, moved, "a1", DANA, kind=ItemKind.APPOINTMENT).activity == activity
    with db.reading() as session:
        shown = crm_records.shown(session, activity)
    assert shown["starts"] == "2026-03-04T17:00:00+00:00"
    assert shown["body"].startswith("Starts: 2026-03-04 17:00 UTC\nEnds: 2026-03-04 18:00 UTC\nPlace: Room 2")
    assert (shown["variants"], shown["type"]) == ([], "appointment")
    assert "crm:activity:updated" in actions(db, activity)


def test_another_persons_older_copy_and_what_was_edited_here_are_not_overwritten(
        store: tuple[Database, Keys]) -> None:
    db, _ = store
    activity = track(db, appointment(), "a1", DANA, kind=ItemKind.APPOINTMENT).activity
    track(db, appointment(LOCATION="Room 9"), "a1", MARCUS, kind=ItemKind.APPOINTMENT)
    with db.session() as session:
        assert "Room 1" in session.get_one(Activity, activity).body
        session.get_one(Activity, activity).body = "Edited here."
    track(db, appointment(LOCATION="Room 3"), "a1", DANA, kind=ItemKind.APPOINTMENT)
    with db.reading() as session:
        shown = crm_records.shown(session, activity)
    assert (shown["body"], len(shown["variants"])) == ("Edited here.", 2)


# --------------------------------------------------------------------------------------------- never-track lists

def test_lists_are_ones_own_or_everybodys(store: tuple[Database, Keys]) -> None:
    db, _ = store
    dana, vera = who(db, DANA), who(db, VERA)
    with db.session() as session:
        crm_never.add(session, dana, "Sister@Example.net", tracker=DANA)
        crm_never.add(session, vera, "lawyers.example.com")
        for wrong in ((dana, "x@y.example", MARCUS), (dana, "x@y.example", "")):
            with pytest.raises(NotAllowed):
                crm_never.add(session, wrong[0], wrong[1], tracker=wrong[2])
        with pytest.raises(BadState):
            crm_never.add(session, ROOT, "not an address")
        assert crm_never.patterns(session, DANA) == {"sister@example.net", "lawyers.example.com"}
        assert crm_never.patterns(session, MARCUS) == {"lawyers.example.com"}
        assert {row["pattern"] for row in crm_never.listed(session, who(db, MARCUS))} == {"lawyers.example.com"}
        crm_never.remove(session, dana, "sister@example.net", tracker=DANA)
        with pytest.raises(NotFound):
            crm_never.remove(session, dana, "sister@example.net", tracker=DANA)
        events = audit.show(session, action="crm:never", last=10)
    assert len(events) == 3
    assert not any("example" in str(row.body) for row in events), "addresses are not in the audit"


def another_like(session: Session, capture: str) -> Capture:
    """A later capture of the same content in the same mailbox."""
    row = session.get_one(Capture, capture)
    return Capture(id="other", source_key=row.source_key, mailbox=row.mailbox, item_id=row.item_id,
                   content_hash=row.content_hash, summary=row.summary, state=CaptureState.SCANNED)
