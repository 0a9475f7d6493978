"""Organisations and contacts from CSV: all or nothing, and the same file twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlmodel import col, select
from stores import opened

from store import audit, crm_find, crm_records
from store.crm_access import Who
from store.crm_import import COLUMNS, import_csv, read_lines
from store.crm_tables import Contact, Organisation, OrganisationDomain
from store.database import Database
from store.errors import ImportRefused, NotFound

FILE = """\
organisation,organisation_domain,organisation_category,first_name,last_name,title,email,phone
Fictional Fire Hall,firehall.example.com,public,Wanda,Imaginary,Chief,Wanda@FireHall.example.com,250-555-0101
Fictional  fire hall,firehall.example.com,public,Otto,Invented,Captain,otto@firehall.example.com,250-555-0102
Made-up College,college.example.org;campus.example.org,public,,,,,
,,,Nils,Nobody,,nils@example.net,
"""


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    """A prepared store on a file."""
    with opened(store_url) as (database, _):
        yield database


def run(db: Database, text: str = FILE, *, dry_run: bool = False) -> dict[str, int]:
    with db.session() as session:
        return import_csv(session, text, actor="anna", dry_run=dry_run,
                          may_identify=lambda domain: domain != "freemail.example")


def test_a_file_becomes_organisations_contacts_and_domains(db: Database) -> None:
    assert run(db) == {"organisations new": 2, "organisations changed": 0, "contacts new": 3, "contacts changed": 0,
                       "unchanged": 0, "suppressed": 0, "shared addresses": 0}
    with db.session() as session:
        hall = session.scalars(select(Organisation).where(col(Organisation.name).startswith("Fictional"))).one()
        wanda = session.scalars(select(Contact).where(Contact.first_name == "Wanda")).one()
        assert (wanda.email, wanda.email_key, wanda.organisation_id) == (
            "Wanda@FireHall.example.com", "wanda@firehall.example.com", hall.id)
        assert set(session.scalars(select(OrganisationDomain.domain))) == {
            "firehall.example.com", "college.example.org", "campus.example.org"}
        assert crm_records.contacts_by_address(session, ["wanda@firehall.example.com"]) == {
            "wanda@firehall.example.com": [wanda.id]}
        assert crm_records.organisations_by_domain(session, ["firehall.example.com", "none.example"]) == {
            "firehall.example.com": [hall.id]}
        (row,) = audit.show(session, action="crm:")
    assert row.body["contacts-new"] == 3


def test_the_same_file_again_changes_nothing(db: Database) -> None:
    run(db)
    assert run(db) == {"organisations new": 0, "organisations changed": 0, "contacts new": 0, "contacts changed": 0,
                       "unchanged": 4, "suppressed": 0, "shared addresses": 0}


def test_a_dry_run_counts_and_writes_nothing(db: Database) -> None:
    assert run(db, dry_run=True)["contacts new"] == 3
    with db.reading() as session:
        assert session.scalars(select(Contact)).all() == []
        assert audit.show(session, action="crm:") == ()


def test_a_later_file_updates_and_an_empty_cell_keeps_what_is_there(db: Database) -> None:
    run(db)
    counts = run(db, "email,first_name,last_name,phone,title\nWANDA@firehall.example.com,wanda,IMAGINARY,,Director\n")
    assert (counts["contacts changed"], counts["contacts new"]) == (1, 0)
    with db.reading() as session:
        wanda = session.scalars(select(Contact).where(Contact.first_name == "Wanda")).one()
    assert (wanda.title, wanda.phone) == ("Director", "250-555-0101")


def test_one_address_under_two_names_is_two_contacts_and_said(db: Database) -> None:
    counts = run(db, "email,last_name\ninfo@example.net,One\nINFO@example.net,Two\n")
    assert (counts["contacts new"], counts["shared addresses"]) == (2, 1)


def test_the_domain_of_the_organisations_address_serves_unless_it_is_freemail(db: Database) -> None:
    run(db, "organisation,organisation_email\nA,office@a.example.com\nB,office@freemail.example\n")
    with db.reading() as session:
        assert session.scalars(select(OrganisationDomain.domain)).all() == ["a.example.com"]


@pytest.mark.parametrize("text", [
    pytest.param("organisation;email\nA;a@example.com\n", id="semicolons"),
    pytest.param("organisation\temail\nA\ta@example.com\n", id="tabs"),
    pytest.param("\ufeffOrganisation, Email\r\nA, a@example.com\r\n", id="byte order mark, capitals, blanks"),
    pytest.param('"organisation","email"\n"A","a@example.com"\n\n', id="quoted, empty line at the end"),
])
def test_files_of_common_programs_are_read(text: str) -> None:
    (line,) = read_lines(text)
    assert (line.organisation, line.email) == ("A", "a@example.com")


@pytest.mark.parametrize(("text", "told"), [
    pytest.param("", "empty", id="empty file"),
    pytest.param("name,email\nA,a@example.com\n", "unknown columns", id="unknown column"),
    pytest.param("email,home_phone\na@example.com,604\n", "unknown columns", id="no home fields"),
    pytest.param("email,email\na@example.com,b\n", "twice", id="column twice"),
    pytest.param("first_name,last_name\nWanda,Imaginary\n", "neither", id="nothing to go by"),
    pytest.param("email\nnot an address\n", "line 2, email: not an e-mail address", id="no address"),
    pytest.param("email,phone\na@example.com\n", "line 2: other number of columns", id="too few cells"),
    pytest.param("email\na@example.com,more\n", "line 2: other number of columns", id="too many cells"),
    pytest.param("email,phone\n,604\n", "line 2, organisation or email: empty", id="nothing in the line"),
    pytest.param("email,last_name\n,Imaginary\n", "line 2, email: empty", id="contact without address"),
    pytest.param("email,organisation_phone\na@example.com,604\n", "line 2, organisation: empty",
                 id="organisation's phone without organisation"),
    pytest.param("email,phone\na@example.com," + "6" * 65 + "\n", "line 2, phone: longer than 64", id="too long"),
    pytest.param("organisation,organisation_domain\nA,no domain\n", "line 2, organisation_domain: not a domain",
                 id="no domain"),
    pytest.param('email\n"a@example.com\n', "not a CSV file", id="open quotation mark"),
])
def test_a_wrong_file_is_refused_with_the_line_and_without_the_value(db: Database, text: str, told: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        run(db, "".join(text))
    assert told in str(refused.value)
    assert "Imaginary" not in str(refused.value)
    assert "not an address" not in str(refused.value)


def test_one_wrong_line_keeps_the_whole_file_out_and_many_are_counted(db: Database) -> None:
    bad = "".join(f"wrong {n}\n" for n in range(30))
    with pytest.raises(ImportRefused, match="and 10 more"):
        run(db, f"email\ngood@example.com\n{bad}")
    with db.reading() as session:
        assert session.scalars(select(Contact)).all() == []


def test_records_have_the_business_fields_and_no_others() -> None:
    technical = {"id", "created", "updated", "name_key", "email_key", "private_key", "organisation_id", "division",
                 "owner", "source", "source_url", "last_contact_at", "merged_into", "stub"}
    assert set(Organisation.model_fields) - technical == {  # J6, and the region of D14
        "name", "address", "email", "phone", "fax", "category", "region"}
    assert set(Contact.model_fields) - technical == {  # J7 and D5
        "first_name", "last_name", "known_as", "title", "address", "email", "phone", "fax", "category", "region",
        "salutation", "mobile", "private_email", "interests", "notes"}
    assert not any(word in column for column in COLUMNS for word in ("home", "birth"))


def test_lists_and_shows_say_what_there_is(db: Database) -> None:
    run(db)
    with db.reading() as session:
        organisations = crm_records.listed(session, "organisations")
        contacts = crm_records.listed(session, "contacts")
        assert [(o["name"], o["contacts"]) for o in organisations] == [
            ("Fictional Fire Hall", 2), ("Made-up College", 0)]
        assert [(c["last_name"], c["organisation"]) for c in contacts] == [
            ("Imaginary", "Fictional Fire Hall"), ("Invented", "Fictional Fire Hall"), ("Nobody", "")]
        shown = crm_records.shown(session, organisations[0]["id"])
        assert [c["name"] for c in shown["contacts"]] == ["Wanda Imaginary", "Otto Invented"]
        assert shown["domains"] == ["firehall.example.com"]
        assert crm_records.shown(session, contacts[0]["id"][:12])["organisation"] == "Fictional Fire Hall"
        assert crm_records.listed(session, "activities") == crm_records.listed(session, "unmatched") == []
        for wrong in ("", "zzzz", "f" * 32):
            with pytest.raises(NotFound):
                crm_records.shown(session, wrong)
        with pytest.raises(NotFound, match="activities"):
            crm_records.listed(session, "invoices")


VCARDS = """\
BEGIN:VCARD
VERSION:3.0
N:Imaginary;Wanda;;Dr;
FN:Dr Wanda Imaginary
ORG:Fictional Fire Hall;Training
TITLE:Chief
EMAIL;TYPE=WORK,INTERNET:wanda@firehall.example.com
EMAIL;TYPE=HOME:wanda@home.example.net
TEL;TYPE=CELL:250-555-0111
TEL;TYPE=HOME:250-555-0112
TEL;TYPE=WORK,FAX:250-555-0113
ADR;TYPE=WORK:;;1 Hall Road;Towns
 ville;BC;V1V 1V1;Canada
ADR;TYPE=HOME:;;9 Secret Lane;Hometown;;;
BDAY:1980-01-01
NOTE:Likes mornings\\, and pens.
CATEGORIES:stakeholder,other
END:VCARD
BEGIN:VCARD
VERSION:2.1
FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Zo=C3=AB Inven=
ted
TEL;WORK:250-555-0199
END:VCARD
"""
OUTLOOK = """\
"Title","First Name","Last Name","Company","Job Title","Business Street","Business City","Home Street","Birthday",\
"Business Phone","Home Phone","Mobile Phone","E-mail Address","Categories","Notes"
"Ms","Wanda","Imaginary","Fictional Fire Hall","Chief","1 Hall Road","Townsville","9 Secret Lane","1/1/1980",\
"250-555-0101","250-555-0112","250-555-0111","wanda@firehall.example.com","stakeholder;x","Likes mornings"
"""


@pytest.mark.parametrize("text", [VCARDS, OUTLOOK], ids=["vcard", "outlook"])
def test_what_other_programs_write_is_taken_and_what_has_no_place_is_not(db: Database, text: str) -> None:
    counts = run(db, text)
    assert counts["contacts new"] == (2 if "VCARD" in text else 1)
    assert run(db, text)["unchanged"] == counts["contacts new"], "the same file again changes nothing"
    with db.session() as session:
        wanda = session.scalars(select(Contact).where(Contact.first_name == "Wanda")).one()
        assert (wanda.last_name, wanda.email, wanda.mobile, wanda.title, wanda.category, wanda.source) == (
            "Imaginary", "wanda@firehall.example.com", "250-555-0111", "Chief", "stakeholder", "import")
        assert wanda.address.startswith("1 Hall Road, Townsville")
        assert wanda.organisation_id is not None
        everything = " ".join(str(value) for c in session.scalars(select(Contact)) for value in c.model_dump().values())
    assert not any(word in everything for word in ("Secret", "1980", "0112"))
    if "VCARD" in text:
        assert wanda.private_key == "wanda@home.example.net"
        assert wanda.notes == "Likes mornings, and pens."
        assert "Zoë" in everything


def test_d35_who_asked_not_to_be_here_is_left_out(db: Database) -> None:
    with db.session() as session:
        counts = import_csv(session, FILE, actor="anna",
                            suppressed=lambda _session, address: address.casefold() == "wanda@firehall.example.com")
        assert (counts["suppressed"], counts["contacts new"]) == (1, 2)
        assert session.scalars(select(Contact).where(Contact.first_name == "Wanda")).all() == []


def test_another_divisions_contact_is_not_changed_by_an_import(db: Database) -> None:
    line = "first_name,last_name,email,title\nWanda,Imaginary,w@x.example,{}\n"
    with db.session() as session:
        import_csv(session, line.format("Chief"), actor="anna", division="north", owner="p1")
        counts = import_csv(session, line.format("Captain"), actor="bert", division="south", owner="p2")
        assert (counts["contacts new"], counts["shared addresses"]) == (1, 1)
        assert {(c.division, c.title, c.owner) for c in session.scalars(select(Contact))} == {
            ("north", "Chief", "p1"), ("south", "Captain", "p2")}


def test_what_was_imported_is_found_by_its_words(db: Database) -> None:
    run(db)
    with db.session() as session:
        found = crm_find.search(session, Who("root"), "imagin")
        assert [(row["kind"], row["title"]) for row in found] == [("contact", "Wanda Imaginary")]
        assert [row["kind"] for row in crm_find.search(session, Who("root"), "fictional fire")] == ["organisation"]
