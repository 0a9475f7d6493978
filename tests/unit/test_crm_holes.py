"""What could go wrong between people who use the CRM at once, across divisions, and over time; each was wrong once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from crm_world import DANA, MARCUS, VERA, fill, mail, track
from sqlmodel import col, select
from stores import opened

from capture.crm.embedded import EmbeddedCrm
from capture.errors import TryLater
from capture.ports import Linked
from store import (
    audit,
    crm_choices,
    crm_find,
    crm_import,
    crm_merge,
    crm_records,
    crm_stored,
    crm_suppression,
    crm_work,
    firewall,
    people,
)
from store.access import Person
from store.crm_access import Who
from store.crm_tables import Activity, ActivityLink, ActivitySuggestion, Contact, Organisation
from store.crm_work import Entry
from store.crm_work_tables import Opportunity, OptOut, RecordChange, Relation
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, DatabaseLocked, NotAllowed, NotFound

ROOT = Who("root")


@pytest.fixture
def store(store_url: str) -> Iterator[tuple[Database, Keys]]:
    with opened(store_url) as (db, keys):
        fill(db)
        yield db, keys


def who(db: Database, address: str) -> Who:
    with db.reading() as session:
        row = people.by_address(session, address)
        assert row is not None
        loaded = people.load(session, row.id)
    person = Person(loaded.id, loaded.roles, loaded.divisions, loaded.addresses, bound=True, trained=True)
    return Who(person.id, person, frozenset({address}))


def linked(db: Database, activity: str) -> set[tuple[str, str]]:
    with db.reading() as session:
        return {(link.record, link.record_id) for link in session.scalars(select(ActivityLink).where(
            ActivityLink.activity_id == activity, col(ActivityLink.removed).is_(None)))}


def merged(db: Database, kept: str, gone: str, kind: str = "contact") -> str:
    with db.session() as session:
        return crm_merge.merge(session, ROOT, kind, kept, gone)


def undone(db: Database, merge_id: str) -> None:
    with db.session() as session:
        crm_merge.unmerge(session, ROOT, merge_id)


# ------------------------------------------------------------------------------------------------------ divisions

@pytest.mark.parametrize("kind", ["opportunity", "contact"])
def test_the_timeline_of_another_divisions_business_is_not_read_by_its_id(store: tuple[Database, Keys],
                                                                          kind: str) -> None:
    db, _ = store
    with db.session() as session:
        for ask in (crm_find.timeline, crm_find.who_talks):
            with pytest.raises((NotAllowed, NotFound)):
                ask(session, who(db, DANA), kind, "southern")
        assert crm_find.timeline(session, who(db, MARCUS), "opportunity", "southern")


def test_d31_what_is_shown_at_the_terminal_keeps_notes_and_the_private_address_to_their_division(
        store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        nina = session.get_one(Contact, "nina")
        nina.notes, nina.interests, nina.private_email, nina.private_key = "Likes boats", "Boats", "P@x.example", \
            "p@x.example"
    with db.session() as session:
        record = crm_records.shown(session, "nina")
        theirs = firewall.shown(record, who(db, MARCUS).person)
        ours = firewall.shown(record, who(db, DANA).person)
    assert {theirs[name] for name in ("notes", "interests", "private_email", "email", "mobile")} == {None}
    assert "p@x.example" not in str(theirs)
    assert (ours["notes"], ours["private_email"]) == ("Likes boats", "P@x.example")


def test_a_search_is_written_before_anybody_can_pull_what_it_shows(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        with pytest.raises(BadState):
            crm_find.search(session, who(db, DANA), "course", kinds=("nothing",))
        assert crm_find.search(session, who(db, DANA), "course")
        [row] = list(audit.show(session, action="crm:records:searched", last=5))
        assert "course" not in str(row.body)


# --------------------------------------------------------------------------------------------------- nothing is lost

def test_a_timeline_is_read_page_by_page_to_its_end(store: tuple[Database, Keys]) -> None:
    db, _ = store
    at = datetime(2026, 3, 2, 17, tzinfo=UTC)
    with db.session() as session:
        made = {crm_work.log(session, who(db, DANA), Entry("note", f"n{n}", when=at + timedelta(days=n // 3),
                                                           about=[("contact", "otto")])) for n in range(10)}
        seen: list[str] = []
        before = ""
        while page := crm_find.timeline(session, who(db, DANA), "contact", "otto", before=before, limit=4):
            seen += [row["id"] for row in page]
            before = f"{page[-1]['at']}/{page[-1]['id']}"
    assert len(seen) == len(made) == 10
    assert set(seen) == made


def test_mail_to_the_address_of_a_merged_contact_finds_the_one_that_stands_for_it(store: tuple[Database, Keys]) -> None:
    db, _ = store
    merge_id = merged(db, "cora", "otto")
    there = track(db, mail(sender="otto@gmail.com", message_id="m1@x.example"), "m1", DANA)
    assert linked(db, there.activity) == {("contact", "cora")}
    undone(db, merge_id)
    again = track(db, mail(sender="otto@gmail.com", message_id="m2@x.example"), "m2", DANA)
    assert linked(db, again.activity) == {("contact", "otto")}


def test_what_a_merge_moves_goes_back_and_what_was_taken_off_stays_off(store: tuple[Database, Keys]) -> None:
    db, _ = store
    both = track(db, mail(sender="otto@gmail.com", to="cora@college.example.net"), "b", DANA).activity
    with db.session() as session:
        crm_choices.unlink(session, ROOT, both, "contact", "cora")
    assert linked(db, both) == {("contact", "otto")}
    merge_id = merged(db, "cora", "otto")
    assert linked(db, both) == {("contact", "cora")}, "it stands on the timeline of the one that stays"
    undone(db, merge_id)
    assert linked(db, both) == {("contact", "otto")}


def test_a_merge_is_undone_after_an_activity_and_a_person_were_purged(store: tuple[Database, Keys]) -> None:
    db, keys = store
    one = track(db, mail(sender="otto@gmail.com"), "one", DANA).activity
    with db.session() as session:
        crm_work.relate(session, ROOT, "works-with", ("contact", "otto"), ("contact", "nina"))
    merge_id = merged(db, "cora", "otto")
    with db.session() as session:
        crm_choices.purge(session, ROOT, one, reason="x")
        crm_suppression.purge_contact(session, ROOT, "nina", crm_suppression.digest_with(keys), reason="asked")
    undone(db, merge_id)
    with db.session() as session:
        assert session.get_one(Contact, "otto").merged_into == ""
        assert crm_work.relations(session, ROOT, "contact", "otto") == []


def test_a_question_survives_a_merge_and_its_undoing(store: tuple[Database, Keys]) -> None:
    db, _ = store
    activity = track(db, mail(sender="x@hall.example.com"), "q", DANA).activity
    merge_id = merged(db, "college", "hall", "organisation")

    def suggested() -> set[str]:
        with db.session() as session:
            return {row.record_id for row in session.scalars(select(ActivitySuggestion).where(
                ActivitySuggestion.activity_id == activity, ActivitySuggestion.state == "open"))}

    assert suggested() == {"college"}
    undone(db, merge_id)
    assert suggested() == {"hall"}


def test_a_file_that_is_imported_again_does_not_bring_back_what_was_merged(store: tuple[Database, Keys]) -> None:
    db, _ = store
    text = "organisation,first_name,last_name,email,title\nFictional Fire Hall,otto,Invented,otto@gmail.com,Boss\n"
    merged(db, "cora", "otto")
    merged(db, "college", "hall", "organisation")
    with db.session() as session:
        counts = crm_import.import_csv(session, text, actor="root")
        assert (counts["contacts new"], counts["contacts changed"], counts["organisations new"]) == (0, 0, 0)
        assert session.get_one(Contact, "cora").title == ""
        assert session.get_one(Organisation, "college").name == "Made-up College"


def test_what_stands_for_itself_no_more_is_not_changed_or_pointed_at(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        with pytest.raises(BadState, match="another record"):
            crm_work.change(session, ROOT, "contact", "merged", {"title": "X"})
        with pytest.raises(NotFound):
            crm_work.create(session, ROOT, "opportunity", {"title": "X", "contact_id": "merged"}, source="card")
    assert "merged" not in {row["id"] for row in listed(db)}


def listed(db: Database) -> list[dict[str, object]]:
    with db.reading() as session:
        return crm_records.listed(session, "contacts")


def test_after_an_answer_the_open_work_of_the_one_chosen_is_suggested(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        session.add(Opportunity(id="of-desk", title="Of the desk", stage="quoted", contact_id="desk1"))
    activity = track(db, mail(sender="info@hall.example.com"), "ask", DANA).activity
    with db.session() as session:
        crm_choices.confirm(session, who(db, DANA), activity, "contact", "desk1")
        [entry] = [e for e in crm_choices.waiting(session, who(db, DANA)) if e["activity"] == activity]
    assert {(s["record"], s["id"], s["reason"]) for s in entry["suggestions"]} == {
        ("opportunity", "of-desk", "open-work"), ("opportunity", "hall-opp", "open-work")}
    assert entry["questions"] == []


def test_d12_a_leavers_tasks_and_requests_go_to_whoever_gets_the_records(store: tuple[Database, Keys]) -> None:
    db, _ = store
    dana, marcus = who(db, DANA), who(db, MARCUS)
    with db.session() as session:
        ident = crm_work.create(session, dana, "contact", {"last_name": "X"}, source="card")
        task = crm_work.log(session, dana, Entry("task", "Call back", about=[("contact", ident)]))
        crm_suppression.ask(session, marcus, ident, medium="call")
        for to in ("nobody", dana.actor, ""):
            with pytest.raises(NotFound):
                crm_work.reassign(session, ROOT, dana.actor, to)
        with pytest.raises(NotFound):
            crm_work.reassign(session, ROOT, "", marcus.actor)
        assert crm_work.reassign(session, ROOT, dana.actor, marcus.actor) == 1
        assert session.scalars(select(OptOut.owner)).one() == marcus.actor
        assert session.scalars(select(Activity.staff).where(Activity.id == task)).one() == marcus.actor


def test_whoever_passed_a_wish_on_sees_that_it_is_open(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        crm_suppression.ask(session, who(db, MARCUS), "nina", medium="letter")
        assert [r["contact"] for r in crm_suppression.open_requests(session, who(db, MARCUS))] == ["nina"]


# ------------------------------------------------------------------------------------------------ what must not stay

def test_what_is_pulled_out_takes_its_outcome_and_its_history_along(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        ident = crm_work.log(session, who(db, DANA), Entry("note", "Old words", "b", outcome="Planted outcome"))
        crm_work.edit(session, who(db, DANA), ident, {"subject": "New words"})
    crm = EmbeddedCrm(db)
    stored = crm.read(ident)
    assert "Planted outcome" in message_from_bytes(stored.raw, policy=default).get_content(), "a rescan reads it"
    assert b"Planted outcome" in stored.content
    crm.pull(ident, stored.version, "MW-2026-000001")
    with db.session() as session:
        row = session.get_one(Activity, ident)
        assert (row.outcome, row.subject) == ("", "Held for privacy review")
        assert session.scalars(select(RecordChange).where(RecordChange.record_id == ident)).all() == []
        assert crm_stored.restore(session, ident, "MW-2026-000001", stored.content) == "restored"
        assert session.get_one(Activity, ident).outcome == "Planted outcome"


def test_d15_a_purge_takes_the_person_out_of_mail_that_was_never_linked_to_them(store: tuple[Database, Keys]) -> None:
    db, keys = store
    asked = track(db, mail(sender="INFO@hall.example.com"), "asked", DANA).activity
    off = track(db, mail(sender="otto@gmail.com", to=f"{DANA}, nina@both.example.com"), "off", DANA).activity
    with db.session() as session:
        crm_choices.unlink(session, ROOT, off)
        for ident in ("desk1", "nina"):
            crm_suppression.purge_contact(session, ROOT, ident, crm_suppression.digest_with(keys), reason="asked")
        for activity, gone in ((asked, "info@hall"), (off, "nina@both")):
            row = session.get(Activity, activity)
            assert row is not None, "it belongs to nobody by a person's word, so it is not destroyed with one of them"
            assert gone not in str(row.participants).casefold()


def test_d35_who_asked_not_to_be_here_is_no_lead_either(store: tuple[Database, Keys]) -> None:
    db, keys = store
    digest = crm_suppression.digest_with(keys)
    with db.session() as session:
        crm_suppression.suppress(session, ROOT, "Gone@x.example", digest, reason="asked")
        with pytest.raises(BadState, match="asked not to be"):
            crm_work.create(session, ROOT, "opportunity", {"title": "T", "lead_email": "gone@X.example"}, source="card",
                            digest=digest)
        ident = crm_work.create(session, ROOT, "opportunity", {"title": "T"}, source="card", digest=digest)
        with pytest.raises(BadState, match="asked not to be"):
            crm_work.change(session, ROOT, "opportunity", ident, {"lead_email": "gone@x.example"}, digest=digest)


@pytest.mark.parametrize("values", [
    {"subject": " "}, {"body": "x" * 50_001}, {"outcome": 7}, {"due": "tomorrow"}, {"done": datetime(2026, 1, 1)},  # noqa: DTZ001
])
def test_only_what_can_be_kept_is_typed_into_an_activity(store: tuple[Database, Keys],
                                                         values: dict[str, object]) -> None:
    db, _ = store
    with db.session() as session:
        ident = crm_work.log(session, who(db, DANA), Entry("note", "A"))
        with pytest.raises(BadState):
            crm_work.edit(session, who(db, DANA), ident, values)
        assert crm_work.edit(session, who(db, DANA), ident, {"body": "half\x00 \ud800"}) == ("body",)


# ---------------------------------------------------------------------------------------------------------- at once

def at_once(*acts: object) -> list[object]:
    """What each act gave or raised, all begun at the same moment."""
    results: list[object] = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = acts[place]()  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001  # compared by the test
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_two_merge_the_same_two_both_ways_and_one_of_them_wins(store: tuple[Database, Keys]) -> None:
    db, _ = store
    results = at_once(lambda: merged(db, "otto", "cora"), lambda: merged(db, "cora", "otto"))
    assert sorted(type(one).__name__ for one in results) == ["BadState", "str"]
    with db.reading() as session:
        assert sorted(bool(session.get_one(Contact, i).merged_into) for i in ("otto", "cora")) == [False, True]


def test_mails_that_arrive_while_their_contact_is_merged_are_on_the_one_that_stays(
        store: tuple[Database, Keys]) -> None:
    db, _ = store
    results = at_once(
        lambda: merged(db, "cora", "otto"),
        *(lambda n=n: track(db, mail(sender="otto@gmail.com", message_id=f"r{n}@x.example"), f"r{n}", DANA)
          for n in range(6)))
    assert not [one for one in results if isinstance(one, Exception)]
    with db.reading() as session:
        assert set(session.scalars(select(ActivityLink.record_id).where(
            ActivityLink.record == "contact", col(ActivityLink.record_id).in_(("otto", "cora"))))) == {"cora"}


def test_two_purge_the_same_person_and_one_receipt_is_made(store: tuple[Database, Keys]) -> None:
    db, keys = store
    digest = crm_suppression.digest_with(keys)
    merged(db, "cora", "otto")

    def purge(ident: str) -> str:
        with db.session() as session:
            return crm_suppression.purge_contact(session, ROOT, ident, digest, reason="asked").id

    results = at_once(lambda: purge("cora"), lambda: purge("otto"))
    assert sorted(type(one).__name__ for one in results) == ["NotFound", "str"]
    with db.reading() as session:
        assert session.get(Contact, "cora") is None
        assert session.get(Contact, "otto") is None


def test_a_contact_that_is_made_while_its_organisation_is_merged_is_of_the_one_that_stays_or_refused(
        store: tuple[Database, Keys]) -> None:
    db, _ = store

    def make() -> str:
        with db.session() as session:
            return crm_work.create(session, ROOT, "contact", {"last_name": "New", "organisation_id": "hall"},
                                   source="card")

    results = at_once(lambda: merged(db, "college", "hall", "organisation"), make)
    assert isinstance(results[0], str)
    if isinstance(results[1], str):
        with db.reading() as session:
            assert session.get_one(Contact, results[1]).organisation_id == "college"
    else:
        assert isinstance(results[1], NotFound)


def test_who_keeps_the_records_of_both_divisions_may_merge_across_them(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        with pytest.raises(NotAllowed):
            crm_merge.merge(session, who(db, DANA), "contact", "both-n", "both-s")
        crm_merge.merge(session, who(db, VERA), "contact", "both-n", "both-s")


def test_what_is_done_with_a_record_while_it_is_merged_is_on_the_one_that_stays(store: tuple[Database, Keys]) -> None:
    """A link by hand, a note, a relation, a wish to be forgotten: whoever is first, none is on the one that is gone."""
    db, _ = store
    activity = track(db, mail(sender="x@elsewhere.example.com", message_id="hand@x.example"), "hand", DANA).activity
    with db.session() as session:
        issue = crm_work.create(session, ROOT, "issue", {"title": "Fees"}, source="call")

    def confirm() -> None:
        with db.session() as session:
            crm_choices.confirm(session, ROOT, activity, "contact", "otto")

    def note() -> None:
        with db.session() as session:
            crm_work.log(session, ROOT, Entry("note", "A", about=[("contact", "otto")]))

    def about() -> None:
        with db.session() as session:
            crm_work.relate(session, ROOT, "about", ("contact", "otto"), ("issue", issue))

    def wish() -> None:
        with db.session() as session:
            crm_suppression.ask(session, ROOT, "otto", medium="call")

    results = at_once(lambda: merged(db, "cora", "otto"), confirm, note, about, wish)
    assert not [one for one in results if isinstance(one, Exception)]
    with db.reading() as session:
        assert set(session.scalars(select(ActivityLink.record_id).where(
            ActivityLink.record == "contact", col(ActivityLink.record_id).in_(("otto", "cora"))))) == {"cora"}
        assert session.scalars(select(Relation.from_id).where(Relation.to_id == issue)).all() == ["cora"]


def test_a_question_that_comes_while_one_of_its_answers_is_merged_names_the_one_that_stays(
        store: tuple[Database, Keys]) -> None:
    db, _ = store
    results = at_once(
        lambda: merged(db, "wanda", "desk2"),
        *(lambda n=n: track(db, mail(sender="info@hall.example.com", message_id=f"q{n}@x.example"), f"q{n}", DANA)
          for n in range(6)))
    assert not [one for one in results if isinstance(one, Exception)]
    with db.reading() as session:
        activities = set(session.scalars(select(Activity.id).where(col(Activity.item_key).like("q_"))))
        asked: dict[str, set[str]] = {activity: set() for activity in activities}
        for row in session.scalars(select(ActivitySuggestion).where(
                ActivitySuggestion.record == "contact", col(ActivitySuggestion.activity_id).in_(activities))):
            asked[row.activity_id].add(row.record_id)
    assert len(activities) == 6
    assert [*asked.values()] == [{"desk1", "wanda"}] * 6, "of the one that is gone nobody is asked"


def test_mails_that_arrive_while_their_contact_is_purged_are_kept_and_name_no_record(
        store: tuple[Database, Keys]) -> None:
    """The same mails for a second person, while the contact they are linked to is destroyed: each is there or went
    with the contact, none is linked to it, and whoever has to wait too long is told to try later."""
    db, keys = store
    mails = [mail(sender="otto@gmail.com", message_id=f"p{n}@x.example") for n in range(6)]
    for n, raw in enumerate(mails):
        track(db, raw, f"p{n}", DANA)

    def purge() -> object:
        with db.session() as session:
            return crm_suppression.purge_contact(session, ROOT, "otto", crm_suppression.digest_with(keys),
                                                 reason="asked").record_id

    results = at_once(purge, *(lambda n=n, raw=raw: track(db, raw, f"p{n}", MARCUS) for n, raw in enumerate(mails)))
    assert results[0] == "otto" or isinstance(results[0], DatabaseLocked)
    assert {type(one) for one in results[1:]} <= {Linked, TryLater}
    if results[0] != "otto":
        assert purge() == "otto"
    with db.reading() as session:
        assert session.get(Contact, "otto") is None
        assert session.scalars(select(ActivityLink).where(ActivityLink.record_id == "otto")).all() == []
        there = set(session.scalars(select(Activity.id)))
        assert {one.activity for one in results[1:] if isinstance(one, Linked) and not one.records} <= there
