"""What people type into the CRM: business is kept, what somebody is or has is refused, with the real scanner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from stores import opened
from trackers import HereExtractor
from world import make_world

from capture import desk, records, typed_text
from capture.ports import Scanner
from capture.settings import Settings
from capture.typed_text import TypedRefused
from store import audit
from store.crm_access import Who
from store.crm_work import Entry
from store.crm_work_tables import Document
from store.crypto import Keys
from store.database import Database
from store.errors import ImportRefused

ROOT = Who("root")


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return warm.scanner(Settings())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Database, Keys]]:
    with opened(tmp_path) as (db, keys):
        yield db, keys


@pytest.mark.parametrize("text", [
    "Prefers mornings; asked for twelve seats in the forklift course.",
    "Met at the First Nations health authority in June.",
    "Teaches at the Catholic school board; budget is set in April.",
    "Runs the Indigenous awareness course for their staff.",
    "Needs the Punjabi language handouts.",
    "Invoice goes to the Black Box company.",
])
def test_business_is_kept(scanner: Scanner, text: str) -> None:
    assert typed_text.personal(scanner, text) == ()


@pytest.mark.parametrize("text", [
    "Is Catholic, so no meetings on Good Friday.",
    "First Nations woman, very direct.",
    "A Sikh; vegetarian at lunches.",
    "Hispanic, speaks three languages.",
    "Religion: not said",
    "Ethnicity: mixed",
])
def test_d6_a_note_never_says_what_somebody_is(scanner: Scanner, text: str) -> None:
    assert typed_text.SPECIAL in typed_text.personal(scanner, text)


def test_j12_a_note_with_personal_information_is_refused_and_nothing_kept(
        store: tuple[Database, Keys], scanner: Scanner) -> None:
    db, keys = store
    bad = f"{CANARY_NAME}, born {CANARY_BIRTH}, SIN {CANARY_SIN}"
    with pytest.raises(TypedRefused) as refused:
        records.create(db, keys, scanner, ROOT, "contact", {"last_name": "Imaginary", "notes": bad}, source="card")
    assert "government_id" in str(refused.value)
    assert CANARY_SIN not in str(refused.value)
    with pytest.raises(TypedRefused):
        records.log(db, scanner, ROOT, Entry("phonecall", "Called", bad))
    ident = records.create(db, keys, scanner, ROOT, "contact", {"last_name": "Imaginary", "notes": "Likes mornings."},
                           source="card")
    with pytest.raises(TypedRefused):
        records.change(db, keys, scanner, ROOT, "contact", ident, {"interests": bad})
    activity = records.log(db, scanner, ROOT, Entry("note", "Course", "Twelve seats.", about=[("contact", ident)]))
    with pytest.raises(TypedRefused):
        records.edit(db, scanner, ROOT, activity, {"outcome": bad})
    assert records.edit(db, scanner, ROOT, activity, {"outcome": "Quote promised."}) == ("outcome",)
    with db.session() as session:
        rows = audit.show(session, action="crm:text:refused", last=10)
    assert [row.body["fields"] for row in rows] == [["notes"], ["body"], ["interests"], ["outcome"]]
    assert db.path is not None
    db.scrub()
    assert CANARY_SIN.encode() not in db.path.read_bytes()


def test_j13_a_contract_is_kept_and_a_roster_is_not(store: tuple[Database, Keys], scanner: Scanner) -> None:
    db, _ = store
    contract = b"Contract for the delivery of two courses. Price and terms are in schedule A.\n"
    ident = records.upload(db, scanner, HereExtractor(), ROOT, "contract.txt", contract, content_type="text/plain")
    roster = f"name,sin,birth\n{CANARY_NAME},{CANARY_SIN},{CANARY_BIRTH}\n".encode()
    for content in (roster, b"PK\x03\x04" + b"\x00" * 400):
        with pytest.raises(TypedRefused):
            records.upload(db, scanner, HereExtractor(), ROOT, "list.csv", content)
    with db.reading() as session:
        kept = session.get_one(Document, ident)
        assert (kept.content, kept.size, bool(kept.policy)) == (contract, len(contract), True)
        assert len(kept.digest) == 64


def test_free_text_of_an_import_is_scanned_before_anything_is_written(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    file = tmp_path / "contacts.csv"
    head = "last_name,email,notes\nKept,kept@x.example,Likes mornings.\n"
    more = f"Refused,no@x.example,SIN {CANARY_SIN}\nAlso,also@x.example,Is Catholic.\n"
    file.write_text(head + more, encoding="utf-8")
    with pytest.raises(ImportRefused, match="record 2, notes: government_id") as refused:
        desk.import_crm(world.settings, file)
    assert "record 3, notes: race_religion_politics" in str(refused.value)
    assert CANARY_SIN not in str(refused.value)
    assert world.rows("SELECT count(*) FROM contact") == [(0,)]
    file.write_text(head, encoding="utf-8")
    assert desk.import_crm(world.settings, file, dry_run=True)["contacts new"] == 1
    assert world.rows("SELECT count(*) FROM contact") == [(0,)]
    assert desk.import_crm(world.settings, file)["contacts new"] == 1
