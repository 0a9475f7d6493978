"""A small CRM with everything matching can stumble over: shared addresses and domains, leads, closed business, two
divisions, people with and without rights. Everybody in it is invented."""

from __future__ import annotations

import base64
from email.message import EmailMessage

from inprocess import read

from capture.crm.embedded import EmbeddedCrm
from capture.ports import ItemKind, ItemRef, Linked, MailItem
from store import people
from store.access import Role
from store.crm_tables import Contact, Organisation, OrganisationDomain
from store.crm_work_tables import Opportunity, Project
from store.database import Database

OWN = ("training.example.org", "campus.training.example.org")
DANA, MARCUS, VERA, NEWCOMER = (f"{name}@training.example.org" for name in ("dana", "marcus", "vera", "newcomer"))
INDEX = base64.b64encode(bytes(range(22))).decode()
"""The conversation index of a first mail; answers append to it."""
ANSWER_INDEX = base64.b64encode(bytes(range(22)) + b"12345").decode()


def organisation(ident: str, name: str, *domains: str, division: str = "") -> list[object]:
    return [Organisation(id=ident, name=name, name_key=name.casefold(), division=division),
            *(OrganisationDomain(domain=domain, organisation_id=ident) for domain in domains)]


def contact(ident: str, email: str, *, org: str | None = None, division: str = "", private: str = "") -> Contact:
    return Contact(id=ident, first_name=ident, last_name="Invented", email=email, email_key=email.casefold(),
                   private_email=private, private_key=private.casefold(), organisation_id=org, division=division)


def fill(db: Database) -> None:
    """Write the records, the people and their roles."""
    with db.session() as session:
        for key in ("north", "south"):
            people.add_division(session, key, actor="root")
        for address, role, divisions in ((DANA, Role.STAFF, ("north",)), (MARCUS, Role.STAFF, ("south",)),
                                         (VERA, Role.DIVISION_ADMIN, ("north", "south"))):
            row = people.add(session, address, actor="root", divisions=divisions)
            grant = people.ask_role(session, row.id, role, actor="root")
            people.approve_role(session, grant.id, actor="owner")
            people.apply_role(session, grant.id, actor="admin")
        session.add_all([
            *organisation("hall", "Fictional Fire Hall", "hall.example.com"),
            *organisation("one", "Shared One", "shared.example.com"),
            *organisation("two", "Shared Two", "shared.example.com"),
            *organisation("college", "Made-up College", "college.example.net", "gmail.com"),
            *organisation("northern", "Northern Works", "northern.example.com", division="north")])
        session.flush()
        session.add_all([
            contact("wanda", "Wanda@Hall.example.com", org="hall", private="wanda.home@gmail.com"),
            contact("desk1", "info@hall.example.com", org="hall"),
            contact("desk2", "INFO@hall.example.com", org="hall"),
            contact("otto", "otto@gmail.com"),
            contact("nina", "nina@both.example.com", division="north"),
            contact("both-n", "desk@both.example.com", division="north"),
            contact("both-s", "desk@both.example.com", division="south"),
            contact("twin-c", "twin@newco.example.com"), contact("cora", "cora@college.example.net", org="college"),
            contact("ourselves", "boss@training.example.org"),
            Contact(id="merged", email="old@hall.example.com", email_key="old@hall.example.com", merged_into="wanda")])
        session.flush()
        session.add_all([
            Opportunity(id="lena", title="Lena's lead", lead_email="Lena@newco.example.com",
                        lead_key="lena@newco.example.com"),
            Opportunity(id="twin-l", title="A lead with a contact's address", lead_key="twin@newco.example.com"),
            Opportunity(id="gone", title="A lost lead", stage="lost", lead_key="gone@newco.example.com"),
            Opportunity(id="quoted", title="Open", stage="quoted", contact_id="wanda", quote_number="Q-2041",
                        number_key="q2041"),
            Opportunity(id="hall-opp", title="Of the hall", stage="qualified", organisation_id="hall"),
            Opportunity(id="lost", title="Closed", stage="lost", contact_id="wanda", quote_number="Q-1999",
                        number_key="q1999"),
            Opportunity(id="southern", title="South's", stage="quoted", contact_id="wanda", division="south",
                        number_key="q3000"),
            Opportunity(id="won", title="Won", stage="won", contact_id="cora"),
            Opportunity(id="won2", title="Won and done", stage="won", contact_id="cora")])
        session.flush()
        session.add_all([
            Project(id="proj", title="Open project", opportunity_id="won", contact_id="cora", number="P/77-2",
                    number_key="p772"),
            Project(id="done", title="Done", status="done", opportunity_id="won2", contact_id="cora",
                    number="P/70-1", number_key="p701")])
    first = mail(sender="wanda@hall.example.com", message_id="first@hall.example.com", subject="The course",
                 thread_index=INDEX)
    track(db, first, "first", DANA, record="hand/opportunity:quoted")
    track(db, mail(sender="x@elsewhere.example.com", message_id="plain@elsewhere.example.com"), "plain", DANA)
    track(db, mail(sender="a@b.example.com", message_id="south@b.example.com"), "south", MARCUS,
          record="hand/opportunity:southern")


def mail(*, sender: str = "", to: str = DANA, cc: str = "", subject: str = "Hello", body: str = "Good day.\n",
         message_id: str = "", thread_index: str = "", **headers: str) -> bytes:
    """A mail; further headers by their names, with underscores for hyphens."""
    message = EmailMessage()
    for name, value in (("From", sender), ("To", to), ("Cc", cc), ("Subject", subject), ("Thread-Index", thread_index),
                        ("Message-ID", f"<{message_id}>" if message_id else "")):
        if value:
            message[name] = value
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message.as_bytes()


def track(db: Database, raw: bytes, key: str, tracker: str, *, record: str = "",
          kind: ItemKind = ItemKind.MAIL) -> Linked:
    """Link an item for somebody."""
    extraction = read(raw)
    return EmbeddedCrm(db, OWN).link(key, tracker, MailItem(ItemRef(tracker, key, kind), raw, record=record),
                                     extraction.envelope, extraction)
