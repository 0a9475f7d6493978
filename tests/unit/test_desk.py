"""The desk's store: the queue's order and cut, rulings, the second person, what the database itself refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import select
from stores import PASS, POLICY, behind_our_back, finding, finish, opened, sight

from capture.allowing import propose_for
from pii_scan.findings import Category, Decision, Verdict
from pii_scan.text import Unread
from store import allow, cases, desk, filing, ledger, people, quarantine, rulings
from store.access import Action, Person, Role, may
from store.crypto import Keys
from store.database import Database
from store.desk_tables import CaseParty, DeskCase, RulingRow
from store.errors import AllowRefused, BadState, DatabaseConflict, DatabaseLocked, NotAllowed
from store.migrations.scope import METADATA
from store.tables import Capture, Case, CaseState


def blocked(sensitivity: str = "L4", persons: int = 0, count: int = 1, *places: str) -> Decision:
    """A verdict of so many values in each of these places."""
    found = tuple(finding(Category.EDUCATION_RECORD, place, count=count) for place in places or ("body",))
    return Decision(Verdict.BLOCK, "any-finding", POLICY, found, persons=persons, sensitivity=sensitivity)


LOW = blocked("L2")
UNREAD = Decision(Verdict.REVIEW, "unread", POLICY, unread=(Unread("attachment 1 of 1 (zip)", "encrypted"),))


@dataclass
class Office:
    """A database with people of two divisions."""

    db: Database
    keys: Keys
    ids: dict[str, str]

    def person(self, name: str, *roles: Role, divisions: tuple[str, ...] = ("north",)) -> Person:
        """A reviewer of the north, if nothing else is said."""
        return Person(self.ids[name], frozenset(roles or {Role.REVIEWER}), frozenset(divisions),
                      frozenset({f"{name}@example.org"}))

    def held(self, name: str, decision: Decision = LOW, *, tagger: str = "tagger", sender: str = "rose@client.example",
             parties: tuple[str, ...] = ("rose@client.example",), content: bytes = b"") -> str:
        """One held item; returns the case's number."""
        mailbox = f"{tagger}@example.org"
        capture, _ = sight(self.db, self.keys, mailbox, f"<{name}@example.com>", decision,
                           content=content or name.encode())
        known = frozenset(desk.party(self.keys, a) for a in (*parties, mailbox))
        with self.db.session() as session:
            return ledger.hold(session, capture, filed=desk.Filing(
                known, desk.party(self.keys, sender), (mailbox,))).number

    def rule(self, number: str, who: Person, outcome: str = "delete", **more: object) -> desk.Ruling:
        """Rule on a case, in effect at once."""
        with self.db.session() as session:
            return desk.propose(session, self.keys, number, who, outcome, "checked", seconds=0, **more)  # type: ignore[arg-type]

    def effect(self) -> int:
        """Put into effect what is due."""
        with self.db.session() as session:
            return sum(rulings.take(session, ident) is not None for ident in rulings.due(session))


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    with opened(store_url) as (db, keys):
        ids: dict[str, str] = {}
        with db.session() as session:
            for division in ("north", "south"):
                people.add_division(session, division, actor="root")
            for name, division in (("tagger", "north"), ("anna", "north"), ("bert", "north"), ("cleo", "south"),
                                   ("both", "north"), ("pia", "south")):
                ids[name] = people.add(session, f"{name}@example.org", actor="root", divisions=(division,)).id
        yield Office(db, keys, ids)


def numbers(page: desk.QueuePage) -> list[str]:
    return [row.number for row in page.rows]


def test_the_worst_comes_first_then_the_most_overdue_then_the_oldest(office: Office) -> None:
    low, roster, other, one = (office.held(name, decision) for name, decision in (
        ("low", LOW), ("roster", blocked("L4", 31, 31, "body", "attachment 1 of 1 (xlsx)")), ("other", LOW),
        ("one", blocked("L5"))))
    with office.db.session() as session:
        early = session.get_one(DeskCase, cases.get(session, other).id)
        early.due -= timedelta(days=30)
    with office.db.reading() as session:
        page = desk.queue(session, office.person("anna"))
        assert numbers(page) == [roster, one, other, low]
        worst = page.rows[0]
        assert (worst.risk.band, worst.risk.weight, worst.persons, worst.elements, worst.risk.score) == (
            "critical", 6.0, 31, 62, 45.0)
        assert set(worst.places) == {"attachment 1 of 1 (xlsx)", "body"}
        assert (page.counts["queue"], page.overdue, page.rows[2].overdue) == (4, 1, True)
        assert numbers(desk.queue(session, office.person("anna"), overdue=True)) == [other]
        assert numbers(desk.queue(session, office.person("anna"), kind="education_record")) == numbers(page)
        assert numbers(desk.queue(session, office.person("anna"), kind="health")) == []


def test_pages_follow_one_another_without_a_gap(office: Office) -> None:
    made = {office.held(f"n{i}", LOW, tagger="tagger" if i % 2 else "cleo") for i in range(7)}
    who, seen, after = office.person("pia", Role.PRIVACY_OFFICER), [], ""
    with office.db.reading() as session:
        while True:
            page = desk.queue(session, who, after=after, limit=3)
            seen += numbers(page)
            after = page.next
            if not after:
                break
        assert len(seen) == 7
        assert set(seen) == made
        two = desk.queue(session, office.person("both", divisions=("north", "south")), limit=50)
        assert numbers(two) == seen, "two divisions are merged in the same order"
        with pytest.raises(BadState):
            desk.queue(session, who, after="1.2.3")


def test_a_reviewer_sees_the_division_of_the_tagger_only(office: Office) -> None:
    north, south = office.held("n"), office.held("s", tagger="cleo")
    unknown = office.held("u", tagger="nobody")
    with office.db.reading() as session:
        for who, seen in ((office.person("anna"), {north}), (office.person("cleo", divisions=("south",)), {south}),
                          (office.person("pia", Role.PRIVACY_OFFICER), {north, south, unknown}),
                          (office.person("anna", Role.STAFF), set()), (office.person("anna", Role.OPERATOR), set()),
                          (replace(office.person("anna"), active=False), set()),
                          (replace(office.person("anna"), bound=False), set())):
            page = desk.queue(session, who)
            assert set(numbers(page)) == seen
            assert page.counts["queue"] == len(seen)
        assert may(office.person("anna"), Action.CASE_READ, desk.thing(
            session, office.keys, south, office.person("anna"))).code == "other-division"


def test_what_cannot_be_read_has_its_own_tab(office: Office) -> None:
    unread, found = office.held("z", UNREAD), office.held("f")
    with office.db.reading() as session:
        assert numbers(desk.queue(session, office.person("anna"), tab="unreadable")) == [unread]
        page = desk.queue(session, office.person("anna"))
        assert numbers(page) == [found]
        assert (page.counts["unreadable"], desk.row(session, unread).risk.band) == (1, "medium")


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.PRIVACY_OFFICER])
@pytest.mark.parametrize("how", ["party", "tagger", "second tagger", "not known yet"])
def test_nobody_opens_or_decides_their_own_mail(office: Office, role: Role, how: str) -> None:
    who = office.person("anna", role)
    if how == "party":
        number = office.held("x", parties=("ANNA@example.org", "rose@client.example"))
    elif how == "tagger":
        number = office.held("x", tagger="anna")
    elif how == "second tagger":
        number = office.held("x")
        assert office.held("x", tagger="anna") == number
    else:
        capture, ruling = sight(office.db, office.keys, "tagger@example.org", "<x@example.com>", LOW)
        held = finish(office.db, capture, ruling)
        assert held is not None
        number = held.number
    with office.db.session() as session:
        thing = desk.thing(session, office.keys, number, who)
        for action in (Action.CASE_READ, Action.CASE_REVEAL, Action.CASE_CLAIM, Action.CASE_RELEASE):
            assert may(who, action, thing).code == "own-mail"
        with pytest.raises(NotAllowed) as refused:
            desk.propose(session, office.keys, number, who, "delete", "checked")
        assert refused.value.why == "own-mail"
        with pytest.raises(NotAllowed):
            desk.claim(session, office.keys, number, who)
        assert not session.scalars(select(RulingRow)).all()


def test_no_address_is_kept_of_a_party(office: Office) -> None:
    office.held("x", parties=("rose@client.example",))
    with office.db.reading() as session:
        rows = session.scalars(select(CaseParty)).all()
        assert len(rows) == 2
        assert all(len(row.digest) == 64 and "@" not in row.digest for row in rows)


def test_a_ruling_waits_may_be_undone_and_then_takes_effect_once(office: Office) -> None:
    number, anna = office.held("x"), office.person("anna")
    with office.db.session() as session:
        ruling = desk.propose(session, office.keys, number, anna, "delete", "confirmed")
        assert ruling.effective_at is not None
        assert timedelta(seconds=8) < ruling.effective_at - datetime.now(UTC) <= timedelta(seconds=10)
        assert desk.row(session, number).state == "deciding"
        with pytest.raises(BadState):
            desk.propose(session, office.keys, number, anna, "escalate", "breach")
    assert office.effect() == 0, "its window is open"
    with office.db.session() as session:
        with pytest.raises(NotAllowed):
            desk.undo(session, ruling.id, office.person("bert"))
        assert desk.undo(session, ruling.id, anna).state == "undone"
        assert desk.row(session, number).state == "claimed"
    ruling = office.rule(number, anna)
    assert (office.effect(), office.effect()) == (1, 0)
    with office.db.session() as session:
        assert cases.get(session, number).state == CaseState.DELETED
        assert not quarantine.blobs(session, case_id=cases.get(session, number).id)
        assert numbers(desk.queue(session, anna)) == []
        with pytest.raises(BadState):
            desk.undo(session, ruling.id, anna)
        left = rulings.finish(session, ruling.id, "deleted")
        assert (left.state, left.result) == ("done", "deleted")
        events = [event.what.partition(":")[2] for event in desk.history(session, number)]
    assert events == ["item:held", "case:ruled", "case:undone", "case:ruled", "case:deleted"]


@pytest.mark.parametrize(("decision", "why"), [
    pytest.param(blocked("L5"), "critical", id="critical"), pytest.param(blocked("L4"), "high", id="high"),
    pytest.param(blocked("L2", 10, 10), "persons", id="ten persons"),
    pytest.param(UNREAD, "unread", id="unread"), pytest.param(LOW, "", id="low")])
def test_a_release_needs_a_second_person_when_it_is_grave(office: Office, decision: Decision, why: str) -> None:
    number, anna = office.held("x", decision), office.person("anna")
    ruling = office.rule(number, anna, "release")
    assert (ruling.needs_second, ruling.why_second) == (bool(why), why)
    assert office.effect() == (0 if why else 1)
    if not why:
        return
    with office.db.session() as session:
        assert desk.row(session, number).awaiting_second
        assert numbers(desk.queue(session, anna, tab="second")) == [number]
        for who, code in ((anna, "same-person"), (office.person("tagger"), "own-mail"),
                          (office.person("cleo", divisions=("south",)), "other-division")):
            with pytest.raises(NotAllowed) as refused:
                desk.second(session, office.keys, number, who, True, "checked")
            assert refused.value.why == code
        agreed = desk.second(session, office.keys, number, office.person("bert"), True, "checked", seconds=0)
        assert (agreed.second_by, agreed.state) == (office.ids["bert"], "waiting")
    assert office.effect() == 1
    with office.db.reading() as session:
        assert cases.get(session, number).state == CaseState.RELEASED


def test_a_second_person_who_does_not_agree_puts_the_case_back(office: Office) -> None:
    number = office.held("x", blocked("L5"))
    office.rule(number, office.person("anna"), "release")
    with office.db.session() as session:
        refused = desk.second(session, office.keys, number, office.person("bert"), False, "not-sure")
        assert refused.state == "refused"
        row = desk.row(session, number)
        assert (row.state, row.claimed_by, row.awaiting_second) == ("held", "", False)
        with pytest.raises(BadState):
            desk.second(session, office.keys, number, office.person("bert"), True, "checked")
    office.rule(number, office.person("bert"))


def sql(office: Office, statement: str, **values: object) -> None:
    """A statement by somebody who goes around the program."""
    with office.db.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


@pytest.mark.parametrize("attempt", [
    pytest.param("UPDATE ruling SET second_by = made_by, state = 'waiting'", id="oneself"),
    pytest.param("UPDATE ruling SET state = 'waiting'", id="without a second"),
    pytest.param("UPDATE ruling SET state = 'taken'", id="straight into effect"),
    pytest.param("UPDATE ruling SET needs_second = false", id="none is needed after all"),
    pytest.param("UPDATE ruling SET made_by = 'somebody'", id="another made it"),
    pytest.param("UPDATE ruling SET second_by = tagger, state = 'waiting'", id="the tagger"),
    pytest.param("UPDATE ruling SET second_by = 'x', second_key = :party, state = 'waiting'", id="a party"),
    pytest.param("UPDATE ruling SET second_by = 'x', second_key = made_key, state = 'waiting'",
                 id="the same address by another id"),
    pytest.param("DELETE FROM ruling", id="away with it")])
def test_the_database_itself_refuses_self_approval(office: Office, attempt: str) -> None:
    number = office.held("x", blocked("L5"))
    office.rule(number, office.person("anna"), "release")
    values = {"party": desk.party(office.keys, "rose@client.example")} if ":party" in attempt else {}
    with pytest.raises(DBAPIError):
        sql(office, attempt, **values)
    assert office.effect() == 0
    with office.db.reading() as session:
        assert cases.get(session, number).state == CaseState.HELD


def test_the_database_refuses_a_ruling_by_a_party(office: Office) -> None:
    number = office.held("x")
    with office.db.reading() as session:
        ident = cases.get(session, number).id
    row = RulingRow(case_id=ident, outcome="release", reason="x", state="waiting", made_by="y",
                    made_key=desk.party(office.keys, "rose@client.example"))
    with pytest.raises(DBAPIError), office.db.engine.begin() as connection:
        connection.execute(sa.insert(RulingRow).values(row.model_dump()))


def test_whoever_tracks_a_copy_after_ruling_has_not_ruled(office: Office) -> None:
    number, anna = office.held("x"), office.person("anna")
    ruling = office.rule(number, anna, "release")
    assert office.held("x", tagger="anna") == number
    assert office.effect() == 0
    with office.db.session() as session:
        assert desk.row(session, number).state == "claimed"
        assert session.get_one(RulingRow, ruling.id).result == "own-mail"


def test_whoever_acts_at_once_a_case_has_one_outcome_and_no_copy_is_lost(office: Office) -> None:
    anna, bert, pia = office.person("anna"), office.person("bert"), office.person("pia", Role.PRIVACY_OFFICER)
    done = []
    for turn in range(3):
        number, barrier = office.held(f"at-once-{turn}"), Barrier(6)

        def ruled(who: Person, outcome: str) -> None:
            barrier.wait()  # noqa: B023 - all of a turn are over before the next
            office.rule(number, who, outcome)  # noqa: B023

        def taken_back() -> None:
            barrier.wait()  # noqa: B023
            with office.db.session() as session:
                waits = desk.pending(session, number)  # noqa: B023
                if waits is not None:
                    desk.undo(session, waits.id, anna)

        def in_effect() -> None:
            barrier.wait()  # noqa: B023
            office.effect()

        def joined(turn: int = turn) -> None:
            barrier.wait()  # noqa: B023
            office.held(f"at-once-{turn}", tagger="both")

        acts = [lambda: ruled(anna, "release"), lambda: ruled(bert, "delete"), lambda: ruled(pia, "escalate"),
                taken_back, in_effect, joined]
        with ThreadPoolExecutor(len(acts)) as pool:
            failed = [future.exception() for future in [pool.submit(act) for act in acts]]
        assert all(isinstance(one, BadState | NotAllowed | DatabaseLocked | DatabaseConflict | None)
                   for one in failed), failed
        while office.effect():
            pass
        with office.db.session() as session:
            case, rows = cases.get(session, number), session.scalars(select(RulingRow)).all()
            mine = [row for row in rows if row.case_id == case.id]
            took = [row.outcome for row in mine if row.state == "taken"]
            assert len(took) <= 1, took
            assert case.state == {"release": "released", "delete": "deleted", "escalate": "escalated"}[
                took[0]] if took else case.state == "held"
            assert desk.pending(session, number) is None
            for capture in session.scalars(select(Capture).where(Capture.item_id == case.item_id)):
                there = session.get(Case, capture.case_id) if capture.case_id else None
                assert capture.outcome == "link" or (there is not None and there.state != "released"), capture.state
            done += took
    assert done, "nothing came through: nothing was tried"


def test_a_claim_keeps_others_away_until_it_is_old_or_given_back(office: Office) -> None:
    number, anna, bert = office.held("x"), office.person("anna"), office.person("bert")
    with office.db.session() as session:
        assert desk.claim(session, office.keys, number, anna).claimed_by == anna.id
        assert numbers(desk.queue(session, anna, tab="mine")) == [number]
        with pytest.raises(BadState):
            desk.claim(session, office.keys, number, bert)
        with pytest.raises(BadState):
            desk.propose(session, office.keys, number, bert, "delete", "checked")
        with pytest.raises(NotAllowed):
            desk.unclaim(session, number, bert)
        assert desk.unclaim(session, number, office.person("pia", Role.PRIVACY_OFFICER)).claimed_by == ""
        desk.claim(session, office.keys, number, anna)
        session.get_one(DeskCase, cases.get(session, number).id).claimed = datetime.now(UTC) - timedelta(hours=9)
        session.flush()
        assert desk.claim(session, office.keys, number, bert).claimed_by == bert.id


def test_an_incident_keeps_its_evidence_until_the_privacy_officer_closes_it(office: Office) -> None:
    number, anna, pia = office.held("x"), office.person("anna"), office.person("pia", Role.PRIVACY_OFFICER)
    office.rule(number, anna, "escalate")
    assert office.effect() == 1
    assert office.held("x", tagger="both") == number, "a further copy joins it"
    with office.db.session() as session:
        [incident] = desk.incidents(session, pia)
        assert (incident.case, incident.kind, incident.evidence_hold) == (number, "checked", True)
        assert desk.incidents(session, anna) == ()
        assert quarantine.blobs(session, case_id=cases.get(session, number).id)
        for outcome in ("delete", "release"):
            with pytest.raises(BadState):
                desk.propose(session, office.keys, number, pia, outcome, "checked")
        for decide in (cases.delete, cases.release):
            with pytest.raises(BadState):
                decide(session, number, actor="rev", reason="confirmed")
        with pytest.raises(NotAllowed):
            desk.close_incident(session, incident.number, anna, "dealt-with")
        assert desk.close_incident(session, incident.number, pia, "dealt-with").state == "closed"
        assert desk.row(session, number).state == "held"
    office.rule(number, anna)
    assert office.effect() == 1


def test_an_incident_suspends_the_tracking_of_its_trackers_when_that_was_chosen(office: Office) -> None:
    number, anna, pia = office.held("x"), office.person("anna"), office.person("pia", Role.PRIVACY_OFFICER)
    with office.db.session() as session, pytest.raises(BadState, match="by an incident only"):
        desk.propose(session, office.keys, number, anna, "delete", "checked", suspend=True)
    before, ruling = sight(office.db, office.keys, "tagger@example.org", "<before@example.com>", PASS)
    assert ruling.link
    office.rule(number, anna, "escalate", suspend=True)
    assert (office.effect(), office.effect()) == (1, 0)
    late, held = sight(office.db, office.keys, "tagger@example.org", "<late@example.com>", PASS)
    assert (held.outcome, held.why) == ("hold", "tracking-suspended")
    _, other = sight(office.db, office.keys, "both@example.org", "<other@example.com>", PASS)
    assert other.link, "of nobody else"
    with office.db.session() as session:
        assert ledger.objection(session, before) == "tracking-suspended", "what waits for the CRM is held too"
        again = ledger.hold(session, late, filed=desk.Filing(frozenset(), "", ("tagger@example.org",))).number
    office.rule(again, anna, "release")
    assert office.effect() == 1
    with office.db.session() as session:
        assert ledger.objection(session, late) == "", "a reviewer may release it"
        [incident] = desk.incidents(session, pia)
        assert incident.suspends
        desk.close_incident(session, incident.number, pia, "dealt-with")
        assert ledger.objection(session, before) == ""


def test_a_family_is_ruled_on_together_and_shows_what_differs(office: Office) -> None:
    family = [office.held(f"f{i}", LOW if i else blocked("L2", 0, 3)) for i in range(12)]
    stranger, other = office.held("s", sender="else@client.example"), office.held("o", tagger="cleo")
    anna = office.person("anna")
    with office.db.session() as session:
        found = desk.family(session, family[1], anna)
        assert {member.row.number for member in found.members} == set(family)
        assert found.members[0].differs == ()
        assert [member.differs for member in found.members if member.row.number == family[0]] == [("elements",)]
        with pytest.raises(BadState):
            desk.propose_all(session, office.keys, [family[0], stranger], anna, "delete", "checked")
        with pytest.raises(BadState):
            desk.propose_all(session, office.keys, [f"MW-2026-{i:06d}" for i in range(51)], anna, "delete", "checked")
        few = desk.propose_all(session, office.keys, [*family[:3], other], anna, "delete", "checked", seconds=60)
        assert (len(few.rulings), dict(few.refused)) == (3, {other: "other-division"})
        assert not any(ruling.needs_second for ruling in few.rulings)
        desk.undo(session, few.rulings[1].id, anna)
        assert all(desk.pending(session, number) is None for number in family[:3]), "one undo for all"
    with office.db.session() as session:
        many = desk.propose_all(session, office.keys, family, anna, "delete", "checked", seconds=0)
        assert {ruling.why_second for ruling in many.rulings} == {"bulk"}
    assert office.effect() == 0
    with office.db.session() as session, pytest.raises(NotAllowed):
        desk.second_all(session, office.keys, many.batch, anna, True, "checked")
    with office.db.session() as session:
        desk.second_all(session, office.keys, many.batch, office.person("bert"), True, "checked", seconds=0)
    assert office.effect() == 12


def test_of_cases_that_are_not_ones_own_to_decide_nothing_is_told_not_even_the_kinship(office: Office) -> None:
    mine = office.held("m")
    kin, stranger = (office.held(who, tagger="cleo", sender=f"{who}@client.example") for who in ("rose", "else"))
    for asked in ([mine, kin, stranger], [stranger, mine, kin]):
        with office.db.session() as session:
            made = desk.propose_all(session, office.keys, asked, office.person("anna"), "delete", "checked", seconds=60)
            assert dict(made.refused) == {kin: "other-division", stranger: "other-division"}
            assert [ruling.case for ruling in made.rulings] == [mine]
            desk.undo(session, made.rulings[0].id, office.person("anna"))
    for asked in ([kin], [stranger], [kin, stranger]):
        with office.db.session() as session, pytest.raises(BadState, match="none of these"):
            desk.propose_all(session, office.keys, asked, office.person("anna"), "delete", "checked")


def test_a_rule_out_of_a_release_that_was_taken_back_is_never_in_force(office: Office) -> None:
    number, anna = office.held("m"), office.person("anna")
    with office.db.session() as session:
        ruling = desk.propose(session, office.keys, number, anna, "release", "false-positive", seconds=60)
        rule = propose_for(session, allow.Wish("value", "sin", "government_id", digest="0" * 64, division="north",
                                               number=number), actor=anna.id).id
        allow.note_test(session, rule, {"looked_at": 1, "would_pass": 1, "confirmed": 0, "cases": []}, actor=anna.id)
        desk.undo(session, ruling.id, anna)
    with office.db.session() as session, pytest.raises(AllowRefused, match="taken back"):
        allow.approve(session, rule, actor=office.ids["pia"])
    office.rule(number, anna, "release")
    office.effect()
    with office.db.session() as session:
        assert allow.approve(session, rule, actor=office.ids["pia"]).state == "in-force"


@pytest.mark.parametrize("reason", ["confirmed-before", "rule-ended"])
def test_a_release_of_what_only_looks_harmless_needs_a_second_person(office: Office, reason: str) -> None:
    number = office.held("m")
    with office.db.session() as session:
        cases.get(session, number).reason = reason
    assert office.rule(number, office.person("anna"), "release").why_second == reason


def test_the_queue_does_not_get_slower_with_closed_cases(office: Office) -> None:
    for i in range(20):
        office.held(f"n{i}")
    who, pia = office.person("anna"), office.person("pia", Role.PRIVACY_OFFICER)

    def best() -> float:
        with office.db.reading() as session:
            times = []
            for _ in range(15):
                began = time.perf_counter()
                assert len(desk.queue(session, who).rows) == len(desk.queue(session, pia).rows) == 20
                times.append(time.perf_counter() - began)
            return min(times)

    before = best()
    with behind_our_back(office.db) as connection:
        model = connection.execute(sa.select(Case.__table__)).mappings().first()  # type: ignore[attr-defined]
        wide = connection.execute(sa.select(DeskCase.__table__)).mappings().first()  # type: ignore[attr-defined]
        assert model is not None
        assert wide is not None
        connection.execute(sa.insert(Case), [dict(model) | {
            "id": 1000 + i, "number": f"MW-2020-{i:06d}", "state": "released", "open_key": None} for i in range(5000)])
        connection.execute(sa.insert(DeskCase), [dict(wide) | {
            "case_id": 1000 + i, "tab": filing.CLOSED, "rank": -9000} for i in range(5000)])
    if not office.db.is_sqlite:
        with office.db.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
    after = best()
    assert after < 3 * before + 0.02, f"{before:.4f} s without, {after:.4f} s with 5,000 closed cases"
    with office.db.engine.connect() as connection:
        table = METADATA.tables["desk_case"].columns
        query = sa.select(*table).where(table.tab == "queue", table.division == "north").order_by(
            table.rank, table.due, table.opened, table.case_id).limit(50)
        words = str(query.compile(office.db.engine, compile_kwargs={"literal_binds": True}))
        explain = "EXPLAIN QUERY PLAN" if office.db.is_sqlite else "EXPLAIN"
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {words}"))
    assert "ix_desk_case_" in plan
    assert "TEMP B-TREE" not in plan
