"""Records of the CRM: made, changed, found, connected, merged, forgotten, with the rights of whoever does it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from crm_world import DANA, MARCUS, VERA, mail, track
from sqlmodel import select
from stores import opened

from store import audit, crm_find, crm_merge, crm_records, crm_stored, crm_suppression, crm_work, people
from store.access import Person, Role
from store.crm_access import Who
from store.crm_fields import FIELDS, checked
from store.crm_tables import Activity, ActivityLink, Contact, PurgeReceipt
from store.crm_work import Entry
from store.crm_work_tables import RecordChange, RecordWord, Suppression
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, NotAllowed, NotFound

MONDAY = datetime(2026, 3, 2, 17, tzinfo=UTC)


@pytest.fixture
def store(store_url: str) -> Iterator[tuple[Database, Keys]]:
    with opened(store_url) as (db, keys):
        with db.session() as session:
            for key in ("north", "south"):
                people.add_division(session, key, actor="root")
            for address, role, divisions in ((DANA, Role.STAFF, ("north",)), (MARCUS, Role.STAFF, ("south",)),
                                             (VERA, Role.DIVISION_ADMIN, ("north",))):
                row = people.add(session, address, actor="root", divisions=divisions)
                grant = people.ask_role(session, row.id, role, actor="root")
                people.approve_role(session, grant.id, actor="owner")
                people.apply_role(session, grant.id, actor="admin")
        yield db, keys


def who(db: Database, address: str) -> Who:
    with db.reading() as session:
        row = people.by_address(session, address)
        assert row is not None
        loaded = people.load(session, row.id)
    person = Person(loaded.id, loaded.roles, loaded.divisions, loaded.addresses, bound=True, trained=True)
    return Who(person.id, person, frozenset({address}))


def make(db: Database, address: str, kind: str, source: str = "card", **values: Any) -> str:
    with db.session() as session:
        return crm_work.create(session, who(db, address), kind, values, source=source)


def found(db: Database, address: str, text: str = "", **more: Any) -> list[tuple[str, str]]:
    with db.session() as session:
        return [(row["kind"], row["title"]) for row in crm_find.search(session, who(db, address), text, **more)]


# ------------------------------------------------------------------------------------------------ the closed schema

@pytest.mark.parametrize(("kind", "values", "said"), [
    pytest.param("contact", {"last_name": "X", "birthday": "1.1."}, "1 fields that a contact does not", id="field"),
    pytest.param("contact", {"first_name": "X"}, "a contact needs last_name", id="needed"),
    pytest.param("person", {"name": "X"}, "kinds of record are", id="kind"),
    pytest.param("contact", {"last_name": "X", "email": "no address"}, "contact.email: not an e-mail", id="address"),
    pytest.param("contact", {"last_name": "X" * 101}, "contact.last_name: longer than 100", id="long"),
    pytest.param("issue", {"title": "X", "priority": 6}, "issue.priority: not a choice", id="priority"),
    pytest.param("opportunity", {"title": "X", "stage": "dream"}, "opportunity.stage: one of", id="stage"),
    pytest.param("opportunity", {"title": "X", "quoted_cents": -1}, "not a money", id="money"),
    pytest.param("event", {"name": "X", "starts": datetime(2026, 1, 1)}, "not a moment", id="no zone"),  # noqa: DTZ001
    pytest.param("project", {"title": "X", "delivery_from": MONDAY}, "not a day", id="a moment is no day"),
])
def test_only_what_the_schema_has_can_be_set(kind: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadState, match=said):
        checked(kind, values, new=True)


def test_no_field_is_for_a_home_a_birth_or_a_body() -> None:
    names = {name for fields in FIELDS.values() for name in fields}
    assert not any(word in name for name in names for word in ("home", "birth", "gender", "race", "health"))


def test_a_record_says_how_it_came_to_us(store: tuple[Database, Keys]) -> None:
    db, _ = store
    for source, url in (("", ""), ("rumour", ""), ("web", ""), ("card", "https://x.example")):
        with db.session() as session, pytest.raises(BadState):
            crm_work.create(session, who(db, DANA), "contact", {"last_name": "X"}, source=source, source_url=url)


# ----------------------------------------------------------------------------------------------- change, read, rights

def test_a_record_is_made_changed_and_keeps_its_history(store: tuple[Database, Keys]) -> None:
    db, _ = store
    ident = make(db, DANA, "contact", last_name="Imaginary", first_name="Wanda", email="Wanda@X.example", title="Chief")
    with db.session() as session:
        assert crm_work.change(session, who(db, DANA), "contact", ident, {
            "title": "Captain", "first_name": "Wanda"}) == ("title",)
        shown = crm_work.read(session, who(db, DANA), "contact", ident)
        assert (shown["title"], shown["email"], shown["division"], shown["source"]) == (
            "Captain", "Wanda@X.example", "north", "card")
        assert session.get_one(Contact, ident).email_key == "wanda@x.example"
        assert [(h["field"], h["before"], h["after"]) for h in crm_work.history(
            session, who(db, DANA), "contact", ident)] == [("title", "Chief", "Captain")]
        rows = [row for row in audit.show(session, action="crm:", last=20) if row.subject == ident]
    assert [row.action for row in rows] == [
        "crm:record:created", "crm:record:changed", "crm:record:read", "crm:record:read"]
    assert not any("Captain" in str(row.body) for row in rows)


def test_d31_another_division_sees_who_it_is_and_not_how_to_reach_them(store: tuple[Database, Keys]) -> None:
    db, _ = store
    ident = make(db, DANA, "contact", last_name="Imaginary", email="w@x.example", phone="1", mobile="2", fax="3",
                 private_email="p@x.example", notes="Likes mornings.", interests="Boats", title="Chief")
    with db.session() as session:
        crm_work.change(session, who(db, DANA), "contact", ident, {"mobile": "22", "title": "Captain"})
        shown = crm_work.read(session, who(db, MARCUS), "contact", ident)
        assert {name for name, value in shown.items() if value is None} >= {
            "email", "phone", "mobile", "fax", "private_email", "notes", "interests"}
        assert (shown["last_name"], shown["title"]) == ("Imaginary", "Captain")
        assert [(h["field"], h["after"]) for h in crm_work.history(session, who(db, MARCUS), "contact", ident)] == [
            ("title", "Captain"), ("mobile", None)]
        with pytest.raises(NotAllowed):
            crm_work.change(session, who(db, MARCUS), "contact", ident, {"title": "X"})
    assert found(db, MARCUS, "imaginary") == [("contact", "Imaginary")]
    assert found(db, MARCUS, "w@x.example") == [], "an address is not searchable"


def test_business_of_another_division_is_neither_found_nor_read(store: tuple[Database, Keys]) -> None:
    db, _ = store
    lead = make(db, DANA, "opportunity", title="Quorvane course", lead_email="lead@x.example", quoted_cents=100)
    issue = make(db, DANA, "issue", title="Quorvane water")
    with db.session() as session:
        paper = crm_work.create(session, who(db, DANA), "document", {"name": "Quorvane terms"}, source="mail")
        crm_work.relate(session, who(db, DANA), "about", ("opportunity", lead), ("issue", issue))
    assert {kind for kind, _ in found(db, DANA, "quorvane")} == {"opportunity", "issue", "document"}
    assert found(db, MARCUS, "quorvane") == [("issue", "Quorvane water")]
    with db.session() as session:
        assert crm_work.read(session, who(db, MARCUS), "issue", issue)["relations"] == []
        for kind, ident in (("opportunity", lead), ("document", paper)):
            with pytest.raises(NotAllowed, match="other-division"):
                crm_work.read(session, who(db, MARCUS), kind, ident)
            with pytest.raises(NotAllowed, match="other-division"):
                crm_work.history(session, who(db, MARCUS), kind, ident)
        with pytest.raises(NotAllowed):
            crm_work.log(session, who(db, MARCUS), Entry("note", "X", about=[("opportunity", lead)]))


def test_what_is_pointed_at_is_there_and_within_sight(store: tuple[Database, Keys]) -> None:
    db, _ = store
    hall = make(db, MARCUS, "organisation", name="South Hall")
    for ident in (hall, "nothing"):
        with pytest.raises(NotFound):
            make(db, DANA, "contact", last_name="X", organisation_id=ident)
    with pytest.raises(BadState):
        make(db, DANA, "organisation", name="south  HALL")


# ------------------------------------------------------------------------------------------------- business

def test_j4_j10_a_lead_becomes_an_opportunity_and_a_project(store: tuple[Database, Keys]) -> None:
    db, _ = store
    lead = make(db, DANA, "opportunity", title="First aid", lead_name="Luc", lead_email="luc@x.example",
                services="Two days", quoted_cents=250_000, quote_number="Q-77")
    with db.session() as session:
        dana = who(db, DANA)
        contact = crm_work.create(session, dana, "contact", {"last_name": "Moreau"}, source="call")
        crm_work.change(session, dana, "opportunity", lead, {"stage": "quoted", "contact_id": contact})
        project = crm_work.win(session, dana, lead)
        assert crm_work.win(session, dana, lead) == project
        crm_work.change(session, dana, "project", project, {
            "delivery_from": date(2026, 4, 1), "delivery_locations": "Room 1", "instructors": "A. Invented",
            "shipping_address": "1 Road", "billing_address": "2 Road", "notes": "Bring pens."})
        shown = crm_work.read(session, dana, "project", project)
        assert (shown["services"], shown["quoted_cents"], shown["contact_id"], shown["opportunity_id"]) == (
            "Two days", 250_000, contact, lead)
        assert crm_work.read(session, dana, "opportunity", lead)["closed"] is not None
        with pytest.raises(BadState):
            crm_work.create(session, dana, "project", {"title": "X"}, source="card")


def test_j11_d7_what_is_typed_stands_on_the_timeline_and_a_promise_is_a_task(store: tuple[Database, Keys]) -> None:
    db, _ = store
    org = make(db, DANA, "organisation", name="Hall")
    ident = make(db, DANA, "contact", last_name="Moreau", organisation_id=org)
    with db.session() as session:
        dana = who(db, DANA)
        for type_ in ("phonecall", "meeting", "note", "training"):
            crm_work.log(session, dana, Entry(type_, f"A {type_}", "Text", MONDAY, [("contact", ident)]))
        crm_work.log(session, dana, Entry("phonecall", "Asked for a quote", when=MONDAY, about=[("contact", ident)],
                                          outcome="quote promised", follow_up="Send the quote", due=MONDAY))
    track(db, mail(sender="x@unknown.example"), "m1", DANA, record=f"hand/contact:{ident}")
    with db.session() as session:
        types = [row["type"] for row in crm_find.timeline(session, who(db, DANA), "contact", ident)]
        assert sorted(types) == ["email", "meeting", "note", "phonecall", "phonecall", "task", "training"]
        assert crm_find.timeline(session, who(db, DANA), "organisation", org) == crm_find.timeline(
            session, who(db, DANA), "contact", ident)
        [talks] = [t for t in crm_find.who_talks(session, who(db, MARCUS), "organisation", org) if t["staff"]]
        assert (talks["division"], talks["times"]) == ("north", 5), "a promised task is no talk"
        assert session.get_one(Contact, ident).last_contact_at is not None
        task = session.scalars(select(Activity).where(Activity.type == "task")).one()
        assert (task.subject, task.due) == ("Send the quote", MONDAY)
        assert crm_work.edit(session, who(db, DANA), task.id, {"done": MONDAY}) == ("done",)
        with pytest.raises(NotAllowed):
            crm_work.edit(session, who(db, MARCUS), task.id, {"subject": "X"})


def test_d9_d10_issues_events_and_who_attends_are_relations(store: tuple[Database, Keys]) -> None:
    db, _ = store
    contact = make(db, DANA, "contact", last_name="Moreau")
    issue = make(db, DANA, "issue", title="Water", priority=2, talking_points="Clean.")
    event = make(db, DANA, "event", name="Forum", starts=MONDAY, agenda="Water")
    with db.session() as session:
        dana = who(db, DANA)
        crm_work.relate(session, dana, "attends", ("contact", contact), ("event", event))
        crm_work.relate(session, dana, "about", ("event", event), ("issue", issue))
        crm_work.relate(session, dana, "about", ("contact", contact), ("issue", issue))
        crm_work.relate(session, dana, "about", ("contact", contact), ("issue", issue))
        with pytest.raises(BadState):
            crm_work.relate(session, dana, "attends", ("issue", issue), ("event", event))
        related = crm_work.read(session, dana, "event", event)["relations"]
        assert [(r["role"], r["title"], r["way"]) for r in related] == [
            ("about", "Water", "to"), ("attends", "Moreau", "from")]
        crm_work.relate(session, dana, "attends", ("contact", contact), ("event", event), undo=True)
        assert len(crm_work.relations(session, dana, "event", event)) == 1


# ------------------------------------------------------------------------------------------------------- search

def test_d14_stakeholders_are_found_by_issue_and_region_by_another_office(store: tuple[Database, Keys]) -> None:
    db, _ = store
    issue = make(db, DANA, "issue", title="Water")
    covered = make(db, DANA, "contact", last_name="Covered", region="North Shore")
    make(db, DANA, "contact", last_name="Elsewhere", region="South Shore")
    with db.session() as session:
        crm_work.relate(session, who(db, DANA), "about", ("contact", covered), ("issue", issue))
        [row] = crm_find.search(session, who(db, MARCUS), "", issue=issue, region="north shore")
        assert (row["title"], row["division"], row["owner"]) == ("Covered", "north", who(db, DANA).actor)
        assert crm_find.search(session, who(db, MARCUS), "", issue=issue, region="South Shore") == []
        [event] = audit.show(session, action="crm:records:searched", last=1)
    assert event.body["count"] == 0
    assert found(db, MARCUS, "cover", region="North Shore", issue=issue) == [("contact", "Covered")]


@pytest.mark.parametrize(("text", "titles"), [
    pytest.param("moreau", ["Luc Moreau", "Course for Moreau"], id="a word"),
    pytest.param("MOR", ["Luc Moreau", "Course for Moreau"], id="its beginning"),
    pytest.param("luc moreau", ["Luc Moreau"], id="every word"),
    pytest.param("zoe", ["Zoë Field"], id="accents do not count"),
    pytest.param("oreau", [], id="not the middle of a word"),
    pytest.param("luc field", [], id="words of several records"),
    pytest.param("%", None, id="nothing to look for"),
])
def test_search_finds_whole_words_and_their_beginnings(store: tuple[Database, Keys], text: str,
                                                       titles: list[str] | None) -> None:
    db, _ = store
    make(db, DANA, "contact", first_name="Luc", last_name="Moreau")
    make(db, DANA, "contact", first_name="Zoë", last_name="Field")
    make(db, DANA, "opportunity", title="Course for Moreau")
    if titles is None:
        with pytest.raises(BadState):
            found(db, DANA, text)
    else:
        assert [title for _, title in found(db, DANA, text)] == titles


def test_a_subject_line_is_found_until_the_mail_is_pulled_out(store: tuple[Database, Keys]) -> None:
    db, _ = store
    activity = track(db, mail(sender="x@unknown.example", subject="Quorvane forms"), "m1", DANA).activity
    assert found(db, DANA, "quorvane") == [("activity", "Quorvane forms")]
    with db.session() as session:
        crm_stored.pull(session, activity, crm_stored.load(session, activity).version, "MW-1", ("Held", "Held"))
        assert session.scalars(select(RecordWord).where(RecordWord.record_id == activity)).all() == []
    assert found(db, DANA, "quorvane") == []


# ----------------------------------------------------------------------------------------------- merge and forget

def test_y4_two_that_are_one_are_merged_and_taken_apart_again(store: tuple[Database, Keys]) -> None:
    db, _ = store
    kept, gone = make(db, DANA, "contact", last_name="Kept"), make(db, DANA, "contact", last_name="Gone",
                                                                  email="gone@x.example")
    issue = make(db, DANA, "issue", title="Water")
    opportunity = make(db, DANA, "opportunity", title="Course", contact_id=gone)
    both = track(db, mail(sender="a@b.example"), "m1", DANA, record=f"hand/contact:{kept} hand/contact:{gone}").activity
    one = track(db, mail(sender="a@b.example"), "m2", DANA, record=f"hand/contact:{gone}").activity
    with db.session() as session:
        dana = who(db, DANA)
        crm_work.relate(session, dana, "about", ("contact", gone), ("issue", issue))
        before = state(session, kept, gone, opportunity)
        with pytest.raises(NotAllowed):
            crm_merge.merge(session, who(db, MARCUS), "contact", kept, gone)
        merge = crm_merge.merge(session, dana, "contact", kept, gone)
        assert state(session, kept, gone, opportunity) == (
            {(both, kept), (one, kept)}, [(kept, issue)], kept)
        assert session.get_one(Contact, gone).merged_into == kept
        with pytest.raises(BadState):
            crm_merge.merge(session, dana, "contact", kept, gone)
    assert found(db, DANA, "gone") == []
    with db.session() as session:
        crm_merge.unmerge(session, who(db, DANA), merge)
        assert state(session, kept, gone, opportunity) == before
        with pytest.raises(BadState):
            crm_merge.unmerge(session, who(db, DANA), merge)
    assert found(db, DANA, "gone") == [("contact", "Gone")]


def state(session: Any, kept: str, gone: str, opportunity: str) -> tuple[Any, Any, Any]:
    links = {(link.activity_id, link.record_id) for link in session.scalars(select(ActivityLink))
             if link.record_id in (kept, gone) and link.removed is None}
    relations = [(ident, r["id"]) for ident in (kept, gone) for r in crm_work.relations(
        session, Who("root"), "contact", ident)]
    return links, relations, crm_work.load(session, "opportunity", opportunity).contact_id


def test_d15_d35_asked_to_be_forgotten_the_owner_purges_and_the_address_stays_out(
        store: tuple[Database, Keys]) -> None:
    db, keys = store
    digest = crm_suppression.digest_with(keys)
    ident = make(db, DANA, "contact", last_name="Forgotten", email="Leave.Me@x.example", notes="Planted words")
    twin = make(db, DANA, "contact", last_name="Forgotten", email="other@x.example")
    lead = make(db, DANA, "opportunity", title="Course", lead_name="F", lead_email="other@x.example")
    make(db, DANA, "contact", last_name="Kept", email="kept@x.example")
    alone = track(db, mail(sender="leave.me@x.example", subject="Hello"), "m1", DANA).activity
    activity = track(db, mail(sender="leave.me@x.example", to="kept@x.example", subject="Hello"), "m2", DANA).activity
    with db.session() as session:
        crm_merge.merge(session, who(db, DANA), "contact", ident, twin)
    with db.session() as session:
        request = crm_suppression.ask(session, who(db, MARCUS), ident, medium="call")
        assert crm_suppression.ask(session, who(db, MARCUS), ident, medium="mail").id == request.id
        [waiting] = crm_suppression.open_requests(session, who(db, DANA))
        assert (waiting["contact"], waiting["owner"], waiting["overdue"]) == (ident, who(db, DANA).actor, False)
        with pytest.raises(NotAllowed):
            crm_suppression.purge_contact(session, who(db, MARCUS), ident, digest, reason="asked")
        receipt = crm_suppression.purge_contact(session, who(db, DANA), ident, digest, reason="asked")
        assert receipt.counts == {"activities": 1, "left": 1, "relations": 0}
        assert session.get(Activity, alone) is None
        assert session.get(Contact, twin) is None, "what was merged with it goes too"
        assert crm_work.load(session, "opportunity", lead).lead_key == ""
        assert crm_suppression.open_requests(session, who(db, DANA)) == []
        assert session.get(Contact, ident) is None
        assert crm_records.shown(session, activity)["participants"] == [
            {"role": "to", "name": "", "email": "kept@x.example"}]
        assert session.scalars(select(RecordChange)).all() == []
        assert session.scalars(select(PurgeReceipt.record_id)).all() == [ident]
        kept = session.scalars(select(Suppression.digest)).all()
        assert len(kept) == 2
        assert not any("leave" in digest_ or "@" in digest_ for digest_ in kept)
        for address in ("leave.me@X.example", "LEAVE.ME@x.example"):
            with pytest.raises(BadState, match="asked not to be"):
                crm_work.create(session, who(db, DANA), "contact", {"last_name": "F", "email": address}, source="card",
                                digest=digest)


def test_a_leavers_records_are_given_to_somebody_else(store: tuple[Database, Keys]) -> None:
    db, _ = store
    make(db, DANA, "contact", last_name="One")
    make(db, DANA, "issue", title="Two")
    dana, marcus = who(db, DANA), who(db, MARCUS)
    with db.session() as session:
        assert sum(crm_work.owned(session, dana.actor).values()) == 2
        with pytest.raises(NotAllowed):
            crm_work.reassign(session, marcus, dana.actor, marcus.actor)
        assert crm_work.reassign(session, Who("root"), dana.actor, marcus.actor) == 2
        assert sum(crm_work.owned(session, dana.actor).values()) == 0


def test_j8_categories_are_set_by_the_business(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        crm_work.category(session, who(db, VERA), "contact", "stakeholder")
        crm_work.category(session, who(db, VERA), "contact", "payee")
        crm_work.category(session, who(db, VERA), "contact", "payee", close=True)
        assert crm_work.categories(session, "contact") == ("stakeholder",)
        with pytest.raises(NotAllowed):
            crm_work.category(session, who(db, DANA), "contact", "x")
