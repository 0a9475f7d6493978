"""`capture run` on mailboxes in Exchange Online: real sign-in, real HTTP, real scanner; only the servers are ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from entra_server import Entra, serving_entra
from graph_home import Home, graph_home
from graph_world import DANA, LEE

from capture import desk, mailboxes, wiring
from capture.ports import ItemKind, Scanner
from capture.settings import Settings

PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}.\n"
NOTHING = {"linked": 0, "held": 0, "gone": 0, "refused": 0, "cancelled": 0, "unfinished": 0}


@pytest.fixture(scope="module")
def entra() -> Iterator[Entra]:
    with serving_entra() as made:
        yield made


@pytest.fixture
def home(tmp_path: Path, entra: Entra) -> Iterator[Home]:
    with graph_home(tmp_path / "home", entra) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def scanner() -> Iterator[None]:
    """The real scanner, loaded once for all runs of this file instead of once for each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "build_scanner", cached(wiring.build_scanner))
        yield


def cached(build: Callable[[Settings], Scanner]) -> Callable[[Settings], Scanner]:
    made: list[Scanner] = []

    def once(settings: Settings) -> Scanner:
        if not made:
            made.append(build(settings))
        return made[0]
    return once


def ended(**counts: int) -> dict[str, int]:
    return NOTHING | counts


def test_three_of_ten_an_appointment_and_a_task_and_every_state_is_shown(home: Home) -> None:
    mails: list[Any] = [home.put(n, tag=n in (2, 5), body="Thank you for the quote.\n") for n in range(9)]
    mails.append(home.put(9, PERSONAL))
    event = home.box.put_event("Site visit", body="Bring the plan.", categories=["Blue", "Track in CRM"])
    task = home.box.put_task("Send the offer", body="With the new prices.", categories=["Track in CRM"])
    assert home.run() == ended(linked=4, held=1)
    assert home.subjects() == ["Course 2", "Course 5", "Send the offer", "Site visit"]
    shown = {number: item.categories for number, item in enumerate(mails) if item.categories}
    assert shown == {2: ["CRM: linked"], 5: ["CRM: linked"], 9: ["CRM: held"]}
    assert event.categories == ["Blue", "CRM: linked"]
    assert task.categories == ["CRM: linked"]
    captures = {row[0] for row in home.world.rows("SELECT id FROM capture")}
    assert {item.stamp[0] for item in (mails[2], mails[5], mails[9], event, task)} == captures
    assert [kind for (kind,) in home.world.rows("SELECT kind FROM capture ORDER BY kind")] == sorted(
        [ItemKind.MAIL] * 3 + [ItemKind.APPOINTMENT, ItemKind.TASK])
    assert home.run() == ended(linked=4, held=1), "our own marks bring nothing back"
    home.box.tag(mails[9])
    assert home.run() == ended(linked=4, held=2), "tagged again is looked at again"
    assert desk.verify_audit(home.world.settings)["whole"]


def test_a_private_item_is_refused_and_what_was_not_handed_over_is_held(home: Home) -> None:
    private = home.box.put_event("Doctor", sensitivity="private", categories=["Track in CRM"])
    linked: Any = home.put(1, links=1)
    assert home.run() == ended(refused=1, held=1)
    assert private.categories == ["CRM: not tracked"]
    assert linked.categories == ["CRM: held"]
    [case] = desk.list_cases(home.world.settings)
    assert case["unread"] == ["not_fetched"]


def nth(number: int, do: Callable[[], None]) -> Callable[[], None]:
    """Do it at the `number`th call only."""
    left = [number]

    def call() -> None:
        left[0] -= 1
        if left[0] == 0:
            do()
    return call


def test_whatever_happens_on_the_way_each_item_is_in_the_crm_once(home: Home) -> None:
    """One round in which every item meets a trouble of its own, and all meet those of the service: doubled changes,
    a token that expires in the middle, slow replies, no filter, short pauses."""
    graph, box = home.graph, home.box
    items: dict[str, Any] = {name: home.put(number) for number, name in enumerate((
        "moved", "renamed", "deleted before its mark", "deleted before its fetch", "stale", "away", "cut mime",
        "cut list", "cut mark", "nothing"))}
    box.move(items["renamed"], "Clients")

    def meets(name: str, request: str, **fault: Any) -> None:
        graph.fault(rf"{request} .*{items[name].immutable}{fault.pop('rest', '')}", **fault)

    meets("moved", "GET", rest=r"/\$value", before=lambda: box.move(items["moved"], "Clients/North"))
    meets("renamed", "GET", rest=r"/\$value", before=lambda: box.rename("Clients", "Former clients"))
    meets("deleted before its mark", "PATCH", times=9,
          before=nth(2, lambda: box.delete(items["deleted before its mark"])))
    meets("deleted before its fetch", "PATCH", before=lambda: box.delete(items["deleted before its fetch"]))
    meets("stale", "PATCH", times=2, before=lambda: box.tag(items["stale"], "Urgent"))
    meets("away", "GET", rest=r"/\$value", status=500, times=2)
    meets("cut mime", "GET", rest=r"/\$value", cut=True)
    meets("cut list", "GET", rest="/attachments", cut=True)
    meets("cut mark", "PATCH", cut=True)
    graph.replay, graph.can_filter = True, False
    seen: set[str] = set()
    verify = graph.verify

    def verified(token: str) -> bool:
        seen.add(token)
        return verify(token)

    graph.verify = verified
    graph.fault("messages/delta", before=lambda: home.refused.update(seen))
    graph.fault("Sent", slow=0.2)
    graph.fault("calendarView", slow=0.5)
    graph.fault("messages/delta", status=429, retry_after="0.2")

    assert home.run() == ended(linked=9, gone=1)
    assert home.subjects() == [f"Course {n}" for n in range(10) if n != 3]
    assert home.refused, "no token was ever refused"
    shown = {name: item.categories for name, item in items.items()}
    assert shown.pop("deleted before its mark") == ["CRM: pending"]
    shown.pop("deleted before its fetch")
    assert shown.pop("stale") == ["Urgent", "CRM: linked"]
    assert all(categories == ["CRM: linked"] for categories in shown.values()), shown
    assert home.run() == ended(linked=9, gone=1)


def test_without_ids_that_last_a_moved_item_is_found_by_our_stamp(home: Home) -> None:
    home.graph.immutable_ids = False
    item: Any = home.put(1)
    home.graph.fault(r"\$value", before=lambda: home.box.move(item, "Clients/North"))
    assert home.run() == ended(linked=1)
    assert home.subjects() == ["Course 1"]
    assert item.categories == ["CRM: linked"]


def test_a_lost_cursor_finds_the_new_and_doubles_nothing(home: Home) -> None:
    for number in range(4):
        home.put(number)
    assert home.run() == ended(linked=4)
    home.graph.forget_cursors()
    later: Any = home.put(7)
    assert home.run() == ended(linked=5)
    assert later.categories == ["CRM: linked"]
    assert home.subjects() == ["Course 0", "Course 1", "Course 2", "Course 3", "Course 7"]


def test_a_mailbox_that_refuses_us_is_parked_while_the_other_goes_on(home: Home) -> None:
    mine: Any = home.put(1)
    theirs = home.graph.mailbox(LEE).put_mail(mine.raw.replace(b"<m1@", b"<m2@"), categories=["Track in CRM"])
    home.graph.scope = {LEE}
    assert home.run() == ended(linked=1)
    assert (mine.categories, theirs.categories) == (["Track in CRM"], ["CRM: linked"])
    assert home.world.rows("SELECT code FROM watched_mailbox WHERE mailbox = ? AND parked IS NOT NULL", DANA) == [
        ("mailbox-parked",)]
    home.graph.scope = None
    assert home.run() == ended(linked=2)


def test_mailbox_check_says_exactly_what_is_missing(home: Home) -> None:
    home.graph.grants.discard("Calendars.ReadWrite")
    found = {row["check"]: row["result"] for row in mailboxes.checked(home.world.settings, DANA)}
    missing = {check for check, result in found.items() if result != "ok"}
    assert missing == {"graph-calendar-read", "graph-calendar-write", "graph-scope"}


@pytest.mark.slow
def test_killed_at_every_kind_of_request_nothing_is_lost_or_doubled(home: Home) -> None:
    for number in range(4):
        home.put(number)
    home.put(9, PERSONAL)
    killed = [home.run_in_process_of_its_own(*point[:2], after=point[2]) for point in (
        ("messages/delta", 0, True), (r"\$value", 1, False), ("PATCH", 0, True), ("PATCH", 3, False),
        ("PATCH", 4, True))]
    assert killed.count(True) >= 4
    home.run()
    assert home.subjects() == ["Course 0", "Course 1", "Course 2", "Course 3"]
    assert home.world.rows("SELECT count(*) FROM quarantine_case WHERE state = 'held'") == [(1,)]
    states = sorted(item.categories for item in home.box.items)
    assert states == [["CRM: held"]] + [["CRM: linked"]] * 4
    assert home.world.rows("SELECT count(*) FROM capture WHERE state NOT IN ('notified', 'cancelled')") == [(0,)]
    assert desk.verify_audit(home.world.settings)["whole"]
