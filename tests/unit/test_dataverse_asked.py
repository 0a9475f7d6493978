"""What only a person can answer about an item in Dataverse: asked, answered, and not asked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from dataverse_server import Org
from dataverse_world import OWN, Dataverse, dataverse
from stores import opened

from capture.crm.dataverse_trackers import HAND, NO, OPEN, Choice, merged, read, written
from capture.errors import RecordGone, TryLater
from capture.ports import Asked, ItemKind, ItemRef, Linked, MailItem, Wanted
from pii_scan.text import Address, Block, Envelope, Extraction, Part
from store.errors import BadState, NotFound

ANNA, WANDA = f"anna@{OWN}", "wanda@firehall.example.com"


@dataclass
class World:
    """An organisation with two contacts that share an address."""

    made: Dataverse
    one: str
    two: str

    @property
    def org(self) -> Org:
        return self.made.org

    def link(self, key: str = "k1", tracker: str = "anna", *, sender: str = WANDA, kind: ItemKind = ItemKind.MAIL,
             record: str = "") -> Linked:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, ANNA, "Quote 17"
        message.set_content("Please find our quote.")
        envelope = Envelope(message_id=f"{key}@example.com", subject="Quote 17", sender=Address("Wanda", sender),
                            sent="2026-01-02T03:04:05+00:00", recipients=(Address("Anna", ANNA),))
        item = MailItem(ItemRef(tracker, "1", kind), message.as_bytes(), record=record)
        return self.made.crm.link(key, tracker, item, envelope,
                                  Extraction((Part("body", "text", (Block("Please find our quote."),)),)))

    def asked(self, *trackers: str) -> list[Asked]:
        return list(self.made.crm.asked(trackers or None))

    def answer(self, ident: str, *, link: bool = True, kind: str = "contact", who: str = "anna") -> None:
        [activity] = {one.activity for one in self.asked()} or {self.made.crm.stored(Wanted())[0].id}
        self.made.crm.answer(activity, "anna", (kind, ident), link=link, who=who)

    def mail(self) -> dict[str, Any]:
        [row] = self.org.rows("emails")
        return row

    def parties(self) -> set[tuple[int, str, str]]:
        return {(p["participationtypemask"], p.get("addressused") or "", p.get("_partyid_value") or "")
                for p in self.org.of("activityparties", "activityid", self.mail()["activityid"])}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path) as (db, _), dataverse(db, (ANNA, f"bert@{OWN}", f"cleo@{OWN}")) as made:
        both = [made.org.add("contacts", fullname=name, emailaddress1=WANDA, unit="north") for name in ("One", "Two")]
        yield World(made, *both)


def test_an_ambiguous_address_is_asked_with_names_and_nothing_is_linked(world: World) -> None:
    assert world.link().asked == 1
    world.link("k2", sender="new@unknown.example")
    [activity] = {one.activity for one in world.asked()}
    assert [(one.question, one.kind, one.reason) for one in world.asked("ANNA")] == [
        ("1", "contact", "ambiguous")] * 2
    assert {one.ident for one in world.asked()} == {world.one, world.two}
    assert world.asked("bert") == []
    said = world.made.crm.in_words(world.asked())
    assert sorted((q.asked.activity, q.subject, q.sent, q.record.name) for q in said) == [
        (activity, "Quote 17", "2026-01-02T03:04:05Z", name) for name in ("One", "Two")]


def test_the_answer_links_binds_the_sender_and_is_not_asked_again(world: World) -> None:
    world.link()
    world.answer(world.one)
    row = world.mail()
    assert (row["_regardingobjectid_value"], row["statecode"], row["statuscode"]) == (world.one, 1, 4)
    assert (1, WANDA, world.one) in world.parties()
    assert world.asked() == []
    [tracker] = world.org.rows("mw_trackers")
    assert (tracker["mw_matched"], tracker["mw_reason"], tracker["mw_links"]) == (
        "contact", "hand", f"contact:{world.one}")
    item = world.made.crm.read(world.made.crm.stored(Wanted())[0].id)
    assert not item.edited, "a choice is no change of the content"
    assert world.one in item.shown_with
    assert world.two not in item.shown_with
    again = world.link()
    assert (again.asked, again.records, again.matched) == (0, 1, "contact")
    three = world.org.add("contacts", fullname="Three", emailaddress1=WANDA)
    again = world.link()
    assert (again.asked, world.asked()) == (0, []), "what was answered is not asked again because one more has it"
    assert three not in world.org.rows("mw_trackers")[0]["mw_links"]


def test_a_choice_beats_the_rule_of_a_later_sync(world: World) -> None:
    world.link()
    world.answer(world.one, link=False)
    assert [one.ident for one in world.asked()] == [world.two]
    assert world.asked()[0].question == "", "one answer left is no either-or"
    world.org.tables["contacts"][world.two]["statecode"] = 1  # now a rule would be sure of the one that was dismissed
    done = world.link()
    assert (done.records, done.matched, world.mail().get("_regardingobjectid_value")) == (0, "unmatched", None)
    done = world.link(record=f"hand/contact:{world.one}")
    assert (done.records, world.mail()["_regardingobjectid_value"]) == (1, world.one), "a pick by hand beats it"


def test_each_person_is_asked_and_answers_alone_and_a_second_record_is_related(world: World) -> None:
    for tracker in ("anna", "bert"):
        world.link(tracker=tracker)
    world.answer(world.one)
    assert {one.tracker for one in world.asked()} == {"bert"}
    world.made.crm.answer(world.asked()[0].activity, "bert", ("contact", world.two), link=True, who="bert")
    assert world.mail()["_regardingobjectid_value"] == world.one
    assert (13, "", world.two) in world.parties()
    assert world.link(tracker="cleo").records == 2


@pytest.mark.parametrize("kind", [ItemKind.APPOINTMENT, ItemKind.TASK])
def test_appointments_and_tasks_are_answered_too(world: World, kind: ItemKind) -> None:
    world.link(kind=kind)
    world.answer(world.two)
    [row] = world.org.rows("appointments" if kind is ItemKind.APPOINTMENT else "tasks")
    assert (row["_regardingobjectid_value"], row["statecode"]) == (world.two, 0)


def test_a_record_nobody_suggested_can_be_linked_and_only_a_suggested_one_dismissed(world: World) -> None:
    world.link(sender="new@unknown.example")
    deal = world.org.add("opportunities", name="Spring course", unit="north")
    with pytest.raises(NotFound):
        world.answer(deal, kind="opportunity", link=False)
    with pytest.raises(NotFound):
        world.answer(deal, kind="contact")
    with pytest.raises(NotFound):
        world.answer(deal, kind="project")
    world.answer(deal.replace("-", ""), kind="opportunity")
    assert world.mail()["_regardingobjectid_value"] == deal
    assert world.link(sender="new@unknown.example").records == 1


def test_a_suggestion_without_the_tag_of_an_address_is_offered(world: World) -> None:
    world.org.add("contacts", fullname="Otto", emailaddress1="otto@hall.example.com")
    world.link(sender="otto+news@hall.example.com")
    assert [(one.reason, one.question) for one in world.asked()] == [("plus-address", "")]


def test_a_record_out_of_sight_is_neither_named_nor_linked(world: World) -> None:
    world.link()
    user = next(u for u in world.org.rows("systemusers") if u.get("internalemailaddress") == ANNA)
    world.org.sees[user["systemuserid"]] = {"south"}
    assert world.made.crm.in_words(world.asked()) == []
    with pytest.raises(NotFound):
        world.answer(world.one)
    with pytest.raises(NotFound):
        world.answer(world.one, who="nobody@elsewhere.example")
    assert world.mail().get("_regardingobjectid_value") is None


def test_what_is_held_is_not_shown_and_not_linked(world: World) -> None:
    world.link()
    [ref] = world.made.crm.stored(Wanted())
    world.made.crm.pull(ref.id, world.made.crm.read(ref.id).version, "MW-2026-000001")
    assert world.made.crm.in_words(world.asked()) == []
    with pytest.raises(BadState):
        world.answer(world.one)


@pytest.mark.parametrize("path", ["emails", "mw_trackers"])
def test_a_change_that_comes_between_is_read_again_and_nothing_is_half_done(world: World, path: str) -> None:
    world.link()

    def touched() -> None:
        for row in world.org.tables[path].values():
            world.org.version += 1
            row["_version"] = world.org.version

    world.org.fault(r"POST /\$batch", before=touched)
    world.answer(world.one)
    assert world.mail()["_regardingobjectid_value"] == world.one
    assert world.asked() == []
    world.org.fault(r"POST /\$batch", before=touched, times=99)
    with pytest.raises(TryLater):
        world.made.crm.answer(world.made.crm.stored(Wanted())[0].id, "anna", ("contact", world.two), link=True,
                              who="anna")
    assert (13, "", world.two) not in world.parties()


def test_an_answer_that_fails_in_the_middle_leaves_the_question(world: World) -> None:
    world.link()
    world.org.fault("BATCH PATCH /mw_trackers", status=500)
    with pytest.raises(TryLater):
        world.answer(world.one)
    assert world.mail().get("_regardingobjectid_value") is None
    assert len(world.asked()) == 2


def test_an_activity_of_others_belongs_to_nobody_here(world: World) -> None:
    world.org.add("emails", subject="Form", description="x")
    [ref] = world.made.crm.stored(Wanted())
    with pytest.raises(RecordGone):
        world.made.crm.whose(ref.id)
    with pytest.raises(RecordGone):
        world.made.crm.answer(ref.id, "anna", ("contact", world.one), link=True, who="anna")


def test_choices_are_read_as_written_and_what_others_wrote_there_is_left_out() -> None:
    ident = "6c0a3a52-7d5e-4f0a-9d5c-000000000001"
    made = [Choice(OPEN, "1", ("contact", ident), "party", "ambiguous"),
            Choice(HAND, "", ("account", ident), "regarding", "open-work"),
            Choice(NO, "", ("lead", ident), "party", "x")]
    assert set(read(written(made))) == set(made)
    assert read(f"open.1.project.{ident}.party.ambiguous open x <b> no..contact.1.party.hand") == ()
    many = [Choice(OPEN, "1", ("contact", ident[:-3] + f"{n:03}"), "party", "ambiguous") for n in range(200)]
    assert len(written([*many, made[1]])) <= 4000
    assert read(written([*many, made[1]]))[0] == made[1], "what was decided is kept first"
    assert merged([], many[:1])[0].question == ""
