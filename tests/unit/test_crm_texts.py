"""What was typed into records, and documents, as a rescan handles it: paged, read, pulled out, put back, on both
databases; who may write or destroy it meanwhile; and whoever changed a record first wins."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from crm_world import DANA, MARCUS, VERA, fill
from sqlmodel import col, select
from stores import opened

from capture.crm.embedded import STUB_SUBJECT, EmbeddedCrm
from capture.errors import RecordChanged, RecordGone
from capture.ports import StoredKind, Wanted
from capture.stored import together
from store import (
    crm_find,
    crm_import,
    crm_merge,
    crm_pages,
    crm_purge,
    crm_stored,
    crm_suppression,
    crm_texts,
    crm_work,
    people,
)
from store.access import Person
from store.columns import now
from store.crm_access import Who
from store.crm_stored import Filter
from store.crm_tables import Contact, PurgeReceipt
from store.crm_work_tables import Document, Opportunity, RecordChange, RecordWord, Relation
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, ChangedMeanwhile, NotAllowed, NotFound
from store.tables import Case, CaseState, Item

ROOT = Who("root")
CASE = "MW-2026-000007"


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


def make(db: Database, kind: str, by: Who = ROOT, *, content: bytes = b"", **values: Any) -> str:
    with db.session() as session:
        ident = crm_work.create(session, by, kind, values, source="card", content=content,
                                extra={"size": len(content)} if content else None)
    return crm_texts.name_of(kind, ident)


def ident_of(name: str) -> str:
    return name.rpartition(":")[2]


def case_of(db: Database, name: str, state: CaseState = CaseState.HELD) -> str:
    """A case about this record, in a state, with its number."""
    with db.session() as session:
        item = session.scalars(select(Item).where(Item.item_key == name)).one_or_none() or Item(item_key=name)
        session.add(item)
        session.flush()
        session.add(Case(number=CASE, item_id=item.id, state=state, reason="personal-information", verdict="block"))
    return CASE


def settle(db: Database, state: CaseState) -> None:
    with db.session() as session:
        session.scalars(select(Case).where(Case.number == CASE)).one().state = state


def every_kind(db: Database) -> dict[str, str]:
    """One record of every kind with a text, by kind."""
    soon = datetime(2026, 9, 1, tzinfo=UTC)
    made = {
        "contact": make(db, "contact", last_name="Typed", notes="Likes long notes.", interests="Forklifts",
                        title="Manager"),
        "organisation": make(db, "organisation", name="Typed Hall", category="customer"),
        "opportunity": make(db, "opportunity", title="Typed course", services="Two days.", quote_details="Net 30."),
        "event": make(db, "event", name="Typed day", starts=soon, agenda="Doors at nine.", place="Large room"),
        "issue": make(db, "issue", title="Typed fees", news="They rise.", talking_points="By two dollars."),
        "document": make(db, "document", name="outline.txt", content=b"Day one: lifting.")}
    with db.session() as session:
        won = crm_work.create(session, ROOT, "opportunity", {"title": "Won course"}, source="card")
        made["project"] = crm_texts.name_of("project", crm_work.win(session, ROOT, won))
        crm_work.change(session, ROOT, "project", ident_of(made["project"]), {"notes": "Bring manuals."})
    return made


# ------------------------------------------------------------------------------------------------ paging, reading

def test_every_record_with_a_text_comes_once_after_the_activities(store: tuple[Database, Keys]) -> None:
    db, _ = store
    crm, made = EmbeddedCrm(db), every_kind(db)
    make(db, "contact", last_name="Nothing typed")
    pages, after = [], ""
    while page := crm.stored(Wanted(), after, limit=3):
        pages += [ref.id for ref in page]
        after = page[-1].id
    assert len(pages) == len(set(pages)) == crm.count(Wanted())
    records = [name for name in pages if name.startswith(crm_texts.PREFIX)]
    assert pages == [*sorted(set(pages) - set(records)), *sorted(records)], "activities first, each in order"
    assert set(made.values()) <= set(records)
    with db.reading() as session:
        assert not [name for name in records if name.startswith("record:contact:")
                    and session.get_one(Contact, ident_of(name)).last_name == "Nothing typed"]


def test_filters_choose_kinds_files_division_and_time(store: tuple[Database, Keys]) -> None:
    db, _ = store
    crm, made = EmbeddedCrm(db), every_kind(db)
    northern = make(db, "issue", who(db, DANA), title="Of the north")

    def found(**wanted: Any) -> set[str]:
        chosen = Wanted(**wanted)
        refs = crm.stored(chosen)
        assert crm.count(chosen) == len(refs)
        return {ref.id for ref in refs}

    for kind, name in made.items():
        only = found(kinds=(StoredKind(kind),))
        assert name in only
        assert {one.split(":")[1] for one in only} == {kind}
    assert not [one for one in found(kinds=(StoredKind.MAIL,)) if one.startswith(crm_texts.PREFIX)]
    assert found(attached=True) == {made["document"]}
    assert {one for one in found(division="north") if one.startswith(crm_texts.PREFIX)} >= {northern}
    assert made["issue"] not in found(division="north")
    assert found(kinds=(StoredKind.ISSUE,), since=now() + timedelta(hours=1)) == set()


def test_a_record_is_read_field_by_field_with_what_its_history_says(store: tuple[Database, Keys]) -> None:
    db, _ = store
    dana = who(db, DANA)
    name = make(db, "contact", dana, last_name="Typed", first_name="Nora", notes="First note.", title="Chef")
    with db.session() as session:
        crm_work.change(session, dana, "contact", ident_of(name), {"notes": "Second note.", "phone": "250 555 0100"})
    item = EmbeddedCrm(db).read(name)
    assert item.fields == (("title", "Chef"), ("notes", "Second note."), ("history", "First note."))
    assert (item.ref.kind, item.ref.division, item.stub, item.attachments) == (StoredKind.CONTACT, "north", "", 0)
    assert item.trackers == (DANA,), "its owner is told"
    assert item.typed == "Second note.\nFirst note.", "a title is a word or two, and says nothing of a person"
    whole = together(item)
    assert whole is not None
    assert whole.parts[0].text() == "Chef\nSecond note.\nFirst note."
    for text in (item.raw, item.content):
        assert b"Nora" not in text
        assert b"0100" not in text
    assert "note" not in repr(item)


def test_a_document_is_read_as_a_mail_with_its_file(store: tuple[Database, Keys]) -> None:
    db, _ = store
    item = EmbeddedCrm(db).read(make(db, "document", name="outline.txt", content=b"Day one: lifting."))
    read = message_from_bytes(item.raw, policy=default)
    [part] = read.iter_attachments()  # type: ignore[attr-defined]
    assert (read["Subject"], part.get_filename(), part.get_content()) == (
        "outline.txt", "outline.txt", b"Day one: lifting.")
    assert (item.attachments, item.fields, item.typed) == (1, (), "outline.txt")


def test_whoever_keeps_the_records_is_told_when_nobody_owns_it(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        ident = crm_work.create(session, ROOT, "issue", {"title": "Nobody's"}, source="card", division="north")
    assert EmbeddedCrm(db).read(crm_texts.name_of("issue", ident)).trackers == (VERA,)


# ------------------------------------------------------------------------------------------------ out and back

@pytest.mark.parametrize("kind", crm_texts.KINDS)
def test_what_is_pulled_out_leaves_no_word_and_comes_back_as_it_was(store: tuple[Database, Keys], kind: str) -> None:
    db, _ = store
    crm, name = EmbeddedCrm(db), every_kind(db)[kind]
    label = crm_texts.TYPED[kind][0]
    with db.session() as session:
        crm_work.change(session, ROOT, kind, ident_of(name), {label: "Another word"})
    before = crm.read(name)
    for _ in range(2):
        crm.pull(name, before.version, CASE)
    stub = crm.read(name)
    assert (stub.stub, stub.fields, stub.attachments, stub.typed) == (CASE, (), 0, "")
    for words in (b"Another word", b"Typed", b"lifting", b"Two days", b"Bring manuals"):
        if kind != "organisation":  # its name is business, and stays
            assert words not in stub.raw + stub.content
    with db.reading() as session:
        row = session.get_one(crm_texts.TABLES[kind], ident_of(name))
        assert row.stub == CASE
        assert all(getattr(row, field) in ("", STUB_SUBJECT) or CASE in getattr(row, field)
                   for field in crm_texts.TYPED[kind])
        assert session.scalars(select(RecordChange).where(col(RecordChange.record_id) == row.id, col(
            RecordChange.field).in_(crm_texts.TYPED[kind]))).all() == []
        words = set(session.scalars(select(RecordWord.word).where(RecordWord.record_id == row.id)))
        assert not words & {"another", "word", "held", "privacy"}
    assert crm.restore(name, "MW-2026-000008", before.content) == "already", "another case's"
    assert crm.restore(name, CASE, before.content) == "restored"
    assert crm.restore(name, CASE, b"{}") == "already"
    after = crm.read(name)
    assert (after.raw, after.content, after.version, after.stub, after.fields) == (
        before.raw, before.content, before.version, "", before.fields)
    if label in crm_find.WORDS[kind]:
        with db.session() as session:
            assert ident_of(name) in {row["id"] for row in crm_find.search(session, ROOT, "another word")}


def test_what_was_changed_released_or_destroyed_meanwhile_is_not_pulled(store: tuple[Database, Keys]) -> None:
    db, _ = store
    crm, name = EmbeddedCrm(db), make(db, "issue", title="Fees", news="They rise.")
    version = crm.read(name).version
    with db.session() as session:
        crm_work.change(session, ROOT, "issue", ident_of(name), {"news": "They fall."})
    with pytest.raises(RecordChanged):
        crm.pull(name, version, CASE)
    case_of(db, name, CaseState.RELEASED)
    with pytest.raises(RecordChanged):  # its copy may be destroyed by now
        crm.pull(name, crm.read(name).version, CASE)
    for call in (lambda: crm.pull("record:issue:nothing", version, CASE), lambda: crm.read("record:issue:nothing"),
                 lambda: crm.read("record:letter:x"), lambda: crm.read("record:")):
        with pytest.raises(RecordGone):
            call()
    assert crm.restore("record:issue:nothing", CASE, b"{}") == "gone"


def test_nobody_writes_over_what_is_held_and_anybody_may_once_it_was_destroyed(store: tuple[Database, Keys]) -> None:
    db, _ = store
    crm, name = EmbeddedCrm(db), make(db, "opportunity", title="Course", services="Two days.")
    ident, before = ident_of(name), crm.read(name)
    case_of(db, name)
    crm.pull(name, before.version, CASE)
    for state in (CaseState.HELD, CaseState.ESCALATED, CaseState.RELEASED):  # released: its text is on its way back
        settle(db, state)
        with db.session() as session, pytest.raises(BadState, match="held for privacy review"):
            crm_work.change(session, ROOT, "opportunity", ident, {"services": "Three days."})
        with db.session() as session, pytest.raises(BadState, match="held for privacy review"):
            crm_work.win(session, ROOT, ident)
    with db.session() as session:
        assert crm_work.change(session, ROOT, "opportunity", ident, {"quote_number": "Q-77"}) == ("quote_number",)
        assert crm_work.read(session, ROOT, "opportunity", ident)["stub"] == CASE
    settle(db, CaseState.DELETED)
    with db.session() as session:
        crm_work.change(session, ROOT, "opportunity", ident, {"title": "Course again", "services": "Three days."})
        assert session.get_one(Opportunity, ident).stub == ""
    assert crm.restore(name, CASE, before.content) == "already", "the new text stays"
    assert ("services", "Three days.") in crm.read(name).fields


def test_a_file_does_not_bring_back_what_is_held(store: tuple[Database, Keys]) -> None:
    db, _ = store
    line = "email,last_name,notes,phone\nnew@client.example.com,Typed,They pay late.,250 555 0100\n"
    with db.session() as session:
        crm_import.import_csv(session, line, actor="root")
        name = crm_texts.name_of("contact", session.scalars(select(Contact.id).where(
            Contact.email == "new@client.example.com")).one())
    crm = EmbeddedCrm(db)
    before = crm.read(name)
    crm.pull(name, before.version, CASE)
    with db.session() as session:
        crm_import.import_csv(session, line.replace("0100", "0101"), actor="root")
        row = session.get_one(Contact, ident_of(name))
        assert (row.phone, "late" in row.notes, row.stub) == ("250 555 0101", False, CASE)
    assert crm.restore(name, CASE, before.content) == "restored"


def test_a_record_that_is_held_is_merged_and_its_text_comes_back_to_it(store: tuple[Database, Keys]) -> None:
    db, _ = store
    crm = EmbeddedCrm(db)
    kept, gone = (make(db, "contact", last_name=name, notes=f"About {name}.") for name in ("Ada", "Bea"))
    before = crm.read(gone)
    crm.pull(gone, before.version, CASE)
    with db.session() as session:
        merge = crm_merge.merge(session, ROOT, "contact", ident_of(kept), ident_of(gone))
    assert gone in {ref.id for ref in crm.stored(Wanted(kinds=(StoredKind.CONTACT,)))}, "what was merged is looked at"
    assert crm.restore(gone, CASE, before.content) == "restored"
    with db.session() as session:
        crm_merge.unmerge(session, ROOT, merge)
        assert session.get_one(Contact, ident_of(gone)).notes == "About Bea."


def test_the_former_text_of_an_activity_is_read_too(store: tuple[Database, Keys]) -> None:
    db, _ = store
    with db.session() as session:
        ident = crm_work.log(session, who(db, DANA), crm_work.Entry("note", "Call", "What was said first."))
        crm_work.edit(session, who(db, DANA), ident, {"body": "What was meant."})
    item = EmbeddedCrm(db).read(ident)
    assert item.typed == "Call\nWhat was meant.\nWhat was said first."
    assert item.trackers == (DANA,), "whoever wrote it is told"
    with db.reading() as session:
        assert crm_stored.load(session, ident).former == ("What was said first.",)


# ------------------------------------------------------------------------------------------------ destroying

def test_j13_a_document_is_destroyed_and_a_receipt_stays(store: tuple[Database, Keys]) -> None:
    db, _ = store
    dana = who(db, DANA)
    name = make(db, "document", dana, name="outline.txt", content=b"Day one: lifting.")
    ident, issue = ident_of(name), ident_of(make(db, "issue", dana, title="Fees"))
    with db.session() as session:
        crm_work.relate(session, dana, "file", ("document", ident), ("issue", issue))
        crm_work.change(session, dana, "document", ident, {"name": "agenda.txt"})
        with pytest.raises(NotAllowed):
            crm_purge.purge_document(session, who(db, MARCUS), ident, reason="not-business")
        receipt = crm_purge.purge_document(session, dana, ident, reason="not-business")
        assert (receipt.record, receipt.record_id, receipt.counts) == ("document", ident, {"bytes": 17, "relations": 1})
    with db.reading() as session:
        assert session.get(Document, ident) is None
        for table, column in ((RecordChange, RecordChange.record_id), (RecordWord, RecordWord.record_id),
                              (Relation, Relation.from_id)):
            assert session.scalars(select(table).where(col(column) == ident)).all() == []
        assert session.get(PurgeReceipt, receipt.id) is not None
    with db.session() as session, pytest.raises(NotFound):
        crm_purge.purge_document(session, dana, ident, reason="not-business")


def test_what_an_open_incident_needs_is_not_destroyed(store: tuple[Database, Keys]) -> None:
    db, keys = store
    crm = EmbeddedCrm(db)
    for name in (make(db, "document", name="roster.txt", content=b"x"), make(db, "contact", last_name="A", notes="x")):
        crm.pull(name, crm.read(name).version, CASE)
        case_of(db, name, CaseState.ESCALATED)

        def destroy(name: str = name) -> PurgeReceipt:
            with db.session() as session:
                if ":document:" in name:
                    with pytest.raises(BadState, match="taken out"):
                        crm_pages.document(session, ROOT, ident_of(name))
                    return crm_purge.purge_document(session, ROOT, ident_of(name), reason="asked")
                return crm_suppression.purge_contact(session, ROOT, ident_of(name), crm_suppression.digest_with(keys),
                                                     reason="asked")

        with pytest.raises(BadState, match="evidence"):
            destroy()
        settle(db, CaseState.DELETED)
        assert destroy().record_id == ident_of(name)
        assert crm.restore(name, CASE, b"{}") == "gone"
        with db.session() as session:
            session.delete(session.scalars(select(Case).where(Case.number == CASE)).one())


# ------------------------------------------------------------------------------------------------ at once

def test_whoever_changed_a_record_first_wins(store: tuple[Database, Keys]) -> None:
    db, _ = store
    ident = ident_of(make(db, "issue", title="Fees", news="They rise."))
    with db.session() as session:
        seen = crm_work.read(session, ROOT, "issue", ident)["updated"]
    results: list[object] = [None] * 8
    start = threading.Barrier(8)

    def run(place: int) -> None:
        start.wait()
        try:
            with db.session() as session:
                results[place] = crm_work.change(session, ROOT, "issue", ident, {"news": f"Version {place}."},
                                                 as_of=seen)
        except Exception as error:  # noqa: BLE001  # compared below
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    [first] = [place for place, result in enumerate(results) if result == ("news",)]
    assert [type(r) for place, r in enumerate(results) if place != first] == [ChangedMeanwhile] * 7
    with db.session() as session:
        stands = crm_work.read(session, ROOT, "issue", ident)
        assert stands["news"] == f"Version {first}."
        assert len(session.scalars(select(RecordChange).where(RecordChange.record_id == ident)).all()) == 1
        assert crm_work.change(session, ROOT, "issue", ident, {"news": "Again."}, as_of=stands["updated"]) == ("news",)
        with pytest.raises(ChangedMeanwhile):
            crm_work.change(session, ROOT, "issue", ident, {"news": "Late."}, as_of=stands["updated"])


def test_an_edit_and_a_pull_at_once_lose_nothing(store: tuple[Database, Keys]) -> None:
    db, _ = store
    crm, outcomes = EmbeddedCrm(db), set()
    for n in range(6):
        name = make(db, "issue", title=f"Fees {n}", news="They rise.")
        before, start = crm.read(name), threading.Barrier(2)
        results: dict[str, object] = {}

        def edit(name: str = name, start: threading.Barrier = start, results: dict[str, object] = results) -> None:
            start.wait()
            try:
                with db.session() as session:
                    results["edit"] = crm_work.change(session, ROOT, "issue", ident_of(name), {"news": "They fall."})
            except BadState as error:
                results["edit"] = error

        case_of(db, name)
        thread = threading.Thread(target=edit)
        thread.start()
        start.wait()
        try:
            crm.pull(name, before.version, CASE)
            results["pull"] = "pulled"
        except RecordChanged as error:
            results["pull"] = error
        thread.join(60)
        item = crm.read(name)
        if results["pull"] == "pulled":
            assert isinstance(results["edit"], BadState), "held, so nothing is written over it"
            assert item.stub == CASE
        else:
            assert results["edit"] == ("news",)
            assert ("news", "They fall.") in item.fields
        outcomes.add(results["pull"] == "pulled")
        with db.session() as session:
            session.delete(session.scalars(select(Case).where(Case.number == CASE)).one())
    assert outcomes, "one of the two orders, each whole"


def test_pages_of_a_filter_of_the_store_agree_with_its_count(store: tuple[Database, Keys]) -> None:
    db, _ = store
    every_kind(db)
    with db.reading() as session:
        for wanted in (Filter(), Filter(types=("issue", "contact")), Filter(attached=True), Filter(division="south")):
            assert len(crm_texts.page(session, wanted, limit=500)) == crm_texts.count(session, wanted)
