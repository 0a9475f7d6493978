"""Which records an item lands on, and why: one line a case, on a real CRM, from the mail as it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from crm_world import ANSWER_INDEX, DANA, MARCUS, NEWCOMER, OWN, VERA, fill, mail
from inprocess import read
from stores import opened

from capture.crm.lookup import matched, names_in, number_key, numbers_in, sight_of_tracker
from capture.matching import CONFIDENCE, REASONS, Match
from capture.ports import ItemKind, ItemRef, MailItem
from store import crm_never
from store.crm_access import Who
from store.database import Database

HALL = "wanda@hall.example.com"


@dataclass(frozen=True)
class Case:
    """A mail, who tagged it, and what is expected: links and suggestions as "kind:id reason"."""

    what: str
    raw: bytes
    reason: str
    links: tuple[str, ...] = ()
    suggested: tuple[str, ...] = ()
    asks: int = 0
    tracker: str = DANA
    record: str = ""
    private: bool = False
    kind: ItemKind = ItemKind.MAIL


WORK = ("opportunity:quoted open-work", "opportunity:hall-opp open-work")
WANDA = ("contact:wanda address",)
DESKS = ("contact:desk1 ambiguous", "contact:desk2 ambiguous")


def invitation(method: str = "REQUEST") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = HALL, DANA, "Invitation"
    message.set_content("Come.\n")
    message.add_alternative(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", maintype="text", subtype="calendar",
                            params={"method": method})
    return message.as_bytes()


def forwarded(sender: str) -> bytes:
    inner = EmailMessage()
    inner["From"], inner["To"], inner["Subject"] = HALL, "boss@training.example.org", "Inner"
    inner.set_content("Inner text.\n")
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = sender, DANA, "FW: Inner"
    outer.set_content("See below.\n")
    outer.add_attachment(inner)
    return outer.as_bytes()


CASES = (
    # step 1: a person or a folder said so
    Case("picked in the pane", mail(sender="x@unknown.example"), "hand", ("organisation:college hand",),
         record="hand/organisation:college"),
    Case("two records picked", mail(sender="x@unknown.example"), "hand",
         ("opportunity:quoted hand", "project:proj hand"), record="hand/opportunity:quoted hand/project:proj"),
    Case("a folder bound to a record", mail(sender="x@unknown.example"), "folder", ("organisation:hall folder",),
         record="organisation:hall"),
    Case("a folder, and mail among ourselves", mail(sender="boss@training.example.org"), "folder",
         ("organisation:hall folder",), record="organisation:hall"),
    Case("a folder bound to what another division has", mail(sender="x@unknown.example"), "no-record",
         record="opportunity:southern"),
    Case("picked is what another division has", mail(sender="x@unknown.example"), "no-record",
         record="hand/contact:both-s"),
    Case("picked is what was merged since", mail(sender="x@unknown.example"), "hand", ("contact:wanda hand",),
         record="hand/contact:merged"),
    Case("picked is nothing there is", mail(sender="x@unknown.example"), "no-record", record="hand/contact:nobody"),
    Case("picked and known by address", mail(sender=HALL), "address", ("opportunity:lost hand", *WANDA), WORK,
         record="hand/opportunity:lost"),
    # step 2: an answer
    Case("an answer", mail(sender="new@elsewhere.example", In_Reply_To="<first@hall.example.com>"), "suggested",
         suggested=("opportunity:quoted thread",)),
    Case("an answer by its references alone",
         mail(sender="new@elsewhere.example", References="<zero@x.example> <first@HALL.example.com>"), "suggested",
         suggested=("opportunity:quoted thread",)),
    Case("an answer to what is about nothing", mail(sender="x@elsewhere.example.com",
                                                   In_Reply_To="<plain@elsewhere.example.com>"), "no-record"),
    Case("an answer to what another division tracks", mail(sender="a@c.example", In_Reply_To="<south@b.example.com>"),
         "no-record"),
    Case("an answer only suggests, the sender links", mail(sender=HALL, In_Reply_To="<first@hall.example.com>"),
         "address", WANDA, ("opportunity:quoted thread", "opportunity:hall-opp open-work")),
    # step 3: the conversation
    Case("of the conversation, with the same outside party",
         mail(sender=f"colleague@hall.example.com, {HALL}", to=f"{DANA}, {HALL}", thread_index=ANSWER_INDEX), "address",
         WANDA, ("opportunity:quoted conversation", "organisation:hall domain", "opportunity:hall-opp open-work")),
    Case("of the conversation, with other people", mail(sender="n@elsewhere.example", thread_index=ANSWER_INDEX),
         "no-record"),
    # step 4: exactly one contact or lead
    Case("one contact, and its open work", mail(sender=HALL), "address", WANDA, WORK),
    Case("case does not count", mail(sender="WANDA@HALL.EXAMPLE.COM"), "address", WANDA, WORK),
    Case("as recipient", mail(sender=DANA, to=HALL), "address", WANDA, WORK),
    Case("in copy", mail(sender=DANA, to="x@unknown.example", cc=HALL), "address", WANDA, WORK),
    Case("by the private address", mail(sender="wanda.home@gmail.com"), "address", WANDA, WORK),
    Case("a contact with a freemail address", mail(sender="Otto@gmail.com"), "address", ("contact:otto address",)),
    Case("a lead", mail(sender="lena@NEWCO.example.com"), "lead", ("opportunity:lena lead",)),
    Case("a lead that was lost", mail(sender="gone@newco.example.com"), "no-record"),
    Case("a contact and a lead with one address", mail(sender="twin@newco.example.com"), "ambiguous",
         suggested=("contact:twin-c ambiguous", "opportunity:twin-l ambiguous"), asks=1),
    Case("a project is open work, a finished one is not", mail(sender="cora@college.example.net"), "address",
         ("contact:cora address",), ("project:proj open-work",)),
    Case("open work of another division", mail(sender=HALL), "address", WANDA,
         ("opportunity:southern open-work", *WORK),
         tracker=MARCUS),
    Case("several contacts", mail(sender=HALL, to=f"{DANA}, cora@college.example.net"), "address",
         ("contact:wanda address", "contact:cora address"), (*WORK, "project:proj open-work")),
    Case("a plus-address only suggests", mail(sender="wanda+quotes@hall.example.com"), "suggested",
         suggested=("contact:wanda plus-address",)),
    Case("a plus-address of several", mail(sender="info+x@hall.example.com"), "suggested",
         suggested=("contact:desk1 plus-address", "contact:desk2 plus-address"), asks=1),
    Case("a name is no address", mail(sender=f'"{HALL}" <x@unknown.example>'), "no-record"),
    Case("the address of a merged contact", mail(sender="old@hall.example.com"), "address", WANDA, WORK),
    # step 5: several
    Case("an address of several contacts", mail(sender="Info@Hall.example.com"), "ambiguous", suggested=DESKS, asks=1),
    Case("one clear, one not", mail(sender=HALL, cc="info@hall.example.com"), "address", WANDA, (*WORK, *DESKS),
         asks=1),
    Case("two divisions: the north sees its own", mail(sender="desk@both.example.com"), "address",
         ("contact:both-n address",)),
    Case("two divisions: the south sees its own", mail(sender="desk@both.example.com"), "address",
         ("contact:both-s address",), tracker=MARCUS),
    Case("two divisions: somebody of both is asked", mail(sender="desk@both.example.com"), "ambiguous",
         suggested=("contact:both-n ambiguous", "contact:both-s ambiguous"), asks=1, tracker=VERA),
    Case("another division's contact is not found", mail(sender="nina@both.example.com"), "no-record", tracker=MARCUS),
    Case("somebody unknown sees what is nobody's", mail(sender=HALL, cc="nina@both.example.com"), "address", WANDA,
         WORK, tracker=NEWCOMER),
    # step 6: the domain
    Case("the domain of one organisation", mail(sender="new@hall.example.com"), "suggested",
         suggested=("organisation:hall domain",)),
    Case("a domain of several organisations", mail(sender="x@shared.example.com"), "ambiguous",
         suggested=("organisation:one domain-shared", "organisation:two domain-shared"), asks=1),
    Case("freemail is nobody's domain", mail(sender="someone@gmail.com"), "freemail"),
    Case("a subdomain is another domain", mail(sender="x@mail.hall.example.com"), "no-record"),
    Case("the end of a name is not the name", mail(sender="x@nothall.example.com"), "no-record"),
    Case("another division's organisation", mail(sender="x@northern.example.com"), "no-record", tracker=MARCUS),
    # step 7: the subject
    Case("a quote's number", mail(sender="x@unknown.example", subject="Re: your quote Q-2041, please"), "suggested",
         suggested=("opportunity:quoted number",)),
    Case("a closed quote's number", mail(sender="x@unknown.example", subject="quote q 1999"), "suggested",
         suggested=("opportunity:lost number",)),
    Case("a project's number", mail(sender="x@unknown.example", subject="P/77-2: rooms"), "suggested",
         suggested=("project:proj number",)),
    Case("a number of another division", mail(sender="x@unknown.example", subject="Q-3000"), "no-record"),
    Case("a part of a number", mail(sender="x@unknown.example", subject="Q-20415"), "no-record"),
    Case("an organisation's name", mail(sender="x@unknown.example", subject="Visit of the made-up  COLLEGE."),
         "suggested", suggested=("organisation:college name",)),
    # never by itself
    Case("among ourselves only", mail(sender="boss@training.example.org"), "own-domains-only"),
    Case("our other domain", mail(sender="x@campus.training.example.org"), "own-domains-only"),
    Case("forwarded by a colleague", forwarded("boss@training.example.org"), "own-domains-only"),
    Case("forwarded by an outsider", forwarded("x@unknown.example"), "no-record"),
    Case("marked confidential", mail(sender=HALL, Sensitivity="Company-Confidential"), "private"),
    Case("a private item", mail(sender=HALL), "private", private=True),
    Case("private, and picked by hand", mail(sender=HALL, Sensitivity="private"), "hand", ("contact:wanda hand",),
         record="hand/contact:wanda"),
    Case("private, in a bound folder", mail(sender=HALL, Sensitivity="Private"), "private", record="organisation:hall"),
    Case("a party on everybody's list", mail(sender=HALL, cc="a@lawyers.example.com"), "never-track"),
    Case("a party below a listed domain", mail(sender=HALL, cc="a@uk.lawyers.example.com"), "never-track"),
    Case("a party on one's own list", mail(sender="cora@college.example.net"), "never-track", tracker=VERA),
    Case("a mailbox that is never linked", mail(sender=HALL), "mailbox-class", tracker="hr@training.example.org"),
    Case("an invitation", invitation(), "meeting-request"),
    Case("an answer to an invitation", invitation("REPLY"), "meeting-request"),
    Case("the appointment itself", invitation(), "address", WANDA, WORK, kind=ItemKind.APPOINTMENT),
    # who counts as a party
    Case("somebody writes for somebody: whose mail it is counts", mail(sender=HALL, Sender="desk@unknown.example"),
         "address", WANDA, WORK),
    Case("a mailing list: its author counts", mail(sender=HALL, to="list@lists.example.net", List_Id="<l.example.net>",
                                                  Precedence="list"), "address", WANDA, WORK),
    Case("the same party twice", mail(sender=HALL, to=f"{DANA}, Wanda@hall.example.com"), "address", WANDA, WORK),
    Case("we are not linked", mail(sender="boss@training.example.org", to=HALL), "address", WANDA, WORK),
    Case("nobody", mail(subject="no address at all", to=""), "no-address"),
    Case("undisclosed recipients", mail(sender="undisclosed", to="undisclosed-recipients:;"), "no-address"),
)


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with opened(tmp_path_factory.mktemp("crm")) as (db, _):
        prepare(db)
        yield db


def prepare(db: Database) -> None:
    fill(db)
    with db.session() as session:
        crm_never.add(session, Who("root"), "@Lawyers.example.com")
        crm_never.add(session, Who("root"), "cora@college.example.net", tracker=VERA)
        crm_never.add(session, Who("root"), "hr@training.example.org", kind="mailbox")


def found(db: Database, case: Case) -> Match:
    item = MailItem(ItemRef(case.tracker, "k", case.kind), case.raw, private=case.private, record=case.record)
    with db.reading() as session:
        return matched(session, case.tracker, item, read(case.raw).envelope,
                       sight_of_tracker(session, case.tracker, OWN), OWN)


def said(match: Match) -> tuple[str, tuple[str, ...], tuple[str, ...], int]:
    return (match.reason, tuple(f"{link.record}:{link.record_id} {link.how}" for link in match.links),
            tuple(f"{s.record}:{s.record_id} {s.reason}" for s in match.suggestions), match.asks)


def expected(case: Case) -> tuple[str, tuple[str, ...], tuple[str, ...], int]:
    return case.reason, case.links, case.suggested, case.asks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_the_expected_records_for_the_expected_reason(crm: Database, case: Case) -> None:
    match = found(crm, case)
    assert said(match) == expected(case)
    assert (match.matched == "unmatched") == (not case.links)


def test_postgresql_finds_the_same(pg_url: str) -> None:
    with opened(pg_url) as (db, _):
        prepare(db)
        assert [case.what for case in CASES if said(found(db, case)) != expected(case)] == []


def test_there_are_many_cases_and_every_reason_is_among_them() -> None:
    assert len(CASES) >= 40
    shown = {case.reason for case in CASES} | {text.partition(" ")[2] for case in CASES
                                               for text in (*case.links, *case.suggested)}
    assert shown == set(REASONS)
    assert set(CONFIDENCE) <= set(REASONS)


def test_numbers_and_names_are_taken_from_subject_lines_whole() -> None:
    assert {"q2041", "p772"} <= numbers_in("Re: Q-2041 / P/77-2")
    assert numbers_in("in 5 days") == frozenset()
    assert number_key("PO #12") == "po12"
    assert "made-up college" in names_in("About Made-up  College: rooms")
    assert all(len(name) >= 4 for name in names_in("a bc def ghij"))
    assert len(names_in("word " * 500)) < 20, "long subject lines are cut"


def test_everything_found_is_there_for_a_folder_of_cases(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _):
        assert said(found(db, CASES[16])) == ("no-record", (), (), 0), "an empty CRM knows nobody"
