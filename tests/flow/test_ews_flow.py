"""`capture run` against an Exchange server: what is tagged is captured once, whatever goes wrong on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from canaries import CANARIES, CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from ews_home import BOX
from ews_server import EwsServer, serving
from ews_store import Attached, Item
from ews_worker import Worker, home, kill_at, settled, state, wait, working
from world import World, mail

from capture import desk, worker

TAG = "Track in CRM"
BUSINESS = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30 in the usual room?\n"
PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}.\n"
MEETING = {"item:Subject": "Course dates", "item:Body": BUSINESS, "calendar:UID": "040000008200E0",
           "calendar:Start": "2026-03-05T17:00:00Z", "calendar:End": "2026-03-05T18:00:00Z",
           "calendar:Organizer": "Dana Reid <dana.reid@example.org>",
           "calendar:RequiredAttendees": "Rose Antoine <rose@client.example.com>"}


@pytest.fixture
def server() -> Iterator[EwsServer]:
    with serving() as running:
        yield running
    assert running.problems == []


@pytest.fixture
def world(server: EwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("capture.wiring.scanner_or_refusal", warm.scanner)
    monkeypatch.setenv("MAILWEIR_EWS_PASSWORD", "")
    return home(server, tmp_path / "home")


def put(server: EwsServer, n: int, *categories: str, text: str = BUSINESS, folder: str = "inbox",
        **more: object) -> Item:
    return server.store.put(BOX, folder, mime=mail(f"Course {n}", text, message_id=f"m{n}@client.example.com"),
                            categories=categories, **more)  # type: ignore[arg-type]


def whole(world: World, linked: int) -> None:
    """Each item is once in the CRM, nothing is left half done, the audit verifies."""
    subjects = [row[0] for row in world.rows("SELECT subject FROM activity")]
    assert len(subjects) == len(set(subjects)) == linked
    assert world.rows("SELECT count(*) FROM capture WHERE state NOT IN ('notified', 'gone', 'cancelled')") == [(0,)]
    assert world.rows("SELECT count(*) FROM blob WHERE role = 'staged'") == [(0,)]
    assert desk.verify_audit(world.settings)["whole"]


def test_three_of_ten_messages_an_appointment_and_a_task(server: EwsServer, world: World) -> None:
    mails = [put(server, n, *(("Red", TAG) if n in (2, 5) else ("Blue",) if n == 3 else ())) for n in range(9)]
    held = put(server, 9, TAG, text=PERSONAL)
    meeting = server.store.put(BOX, "calendar", "CalendarItem", categories=(TAG,), properties=MEETING)
    task = server.store.put(BOX, "tasks", "Task", categories=(TAG,),
                            properties={"item:Subject": "Send the invoice", "item:Body": BUSINESS})
    private = put(server, 20, TAG, properties={"item:Sensitivity": "Private"})
    cloud = put(server, 21, TAG, attachments=(Attached("plan", b"", sort="reference"),))

    assert worker.run(world.settings, once=True) == {
        "linked": 4, "held": 2, "gone": 0, "refused": 1, "cancelled": 0, "unfinished": 0}

    assert [one.categories for one in mails] == [
        [], [], ["Red", "CRM: linked"], ["Blue"], [], ["Red", "CRM: linked"], [], [], []]
    assert [state(one) for one in (held, meeting, task, private, cloud)] == [
        "CRM: held", "CRM: linked", "CRM: linked", "CRM: not tracked", "CRM: held"]
    assert {row[0] for row in world.rows("SELECT subject FROM activity")} == {
        "Course 2", "Course 5", "Course dates", "Send the invoice"}
    whole(world, 4)
    for name, data in world.stored_bytes().items():
        assert not any(canary.encode() in data for canary in CANARIES), f"a canary lies in {name}"


def test_a_second_run_does_nothing_twice(server: EwsServer, world: World) -> None:
    put(server, 1, TAG)
    worker.run(world.settings, once=True)
    before = server.asked["UpdateItem"]
    assert worker.run(world.settings, once=True)["linked"] == 1
    assert server.asked["UpdateItem"] == before, "our own write was taken for a new tag"
    whole(world, 1)


def test_tagged_again_after_a_hold_is_worked_on_again(server: EwsServer, world: World) -> None:
    item = put(server, 1, TAG, text=PERSONAL)
    worker.run(world.settings, once=True)
    assert item.categories == ["CRM: held"]
    item.mime = mail("Course 1", BUSINESS, message_id="m1@client.example.com")
    server.store.tag(BOX, item, "CRM: held", TAG)
    assert worker.run(world.settings, once=True)["linked"] == 1
    assert item.categories == ["CRM: linked"]


@pytest.mark.parametrize("how", ["moved before the fetch", "moved before the mark", "deleted before the fetch",
                                 "deleted before the mark", "folder renamed"])
def test_an_item_that_is_moved_or_deleted_meanwhile(server: EwsServer, world: World, how: str) -> None:
    item = put(server, 1, TAG, folder="Inbox/Clients")
    step = {"fetch": ("GetItem", 2), "mark": ("UpdateItem", 2)}.get(how.rpartition(" ")[2], ("GetItem", 1))
    left = [step[1]]

    def hook(operation: str, _: str) -> None:
        if operation == step[0]:
            left[0] -= 1
            if left[0] == 0 and "moved" in how:
                server.store.move(BOX, item, "Inbox/Done")
            elif left[0] == 0 and "deleted" in how:
                server.store.delete(BOX, item)
            elif left[0] == 0:
                server.store.rename(BOX, "Inbox/Clients", "Customers")

    server.before.append(hook)
    ended = worker.run(world.settings, once=True)
    assert left[0] <= 0
    if how == "deleted before the fetch":
        assert (ended["gone"], ended["linked"]) == (1, 0)
        whole(world, 0)
        return
    assert (ended["linked"], ended["held"], ended["unfinished"]) == (1, 0, 0)
    if "deleted" not in how:
        assert item.categories == ["CRM: linked"]
    whole(world, 1)


FAULTS = {
    "cursors": [("refuse cursor", "SyncFolderItems", {"times": 3}), ("ignore cursor", "SyncFolderItems", {"times": 6})],
    "busy": [("busy", "GetItem", {"times": 2, "wait": 0.6}), ("busy", "SyncFolderItems", {"wait": 0.4}),
             ("busy", "UpdateItem", {})],
    "refusals": [("http", "GetItem", {"status": 401}), ("stale", "UpdateItem", {"times": 2, "user": "Green"}),
                 ("http", "GetItem", {"status": 503, "headers": {"Retry-After": "1"}}),
                 ("fault", "UpdateItem", {"code": "ErrorInternalServerTransientError"})],
    "cut and slow": [("cut", "GetItem", {"silent": True}), ("cut", "UpdateItem", {}), ("cut", "SyncFolderItems", {}),
                     ("slow", "GetItem", {"seconds": 4}), ("slow", "SyncFolderItems", {"seconds": 1})],
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_delays_and_neither_loses_nor_doubles(server: EwsServer, world: World, fault: str) -> None:
    items = [put(server, n, "Red", TAG) for n in range(3)]
    for kind, operation, values in FAULTS[fault]:
        server.faults.add(kind, operation, **values)
    with working(world):
        assert wait(settled(items)), [one.categories for one in items]
        later = put(server, 7, TAG)
        assert wait(settled([later]))
    assert {state(one) for one in (*items, later)} == {"CRM: linked"}
    assert all("Red" in one.categories for one in items)
    whole(world, 4)


@pytest.mark.slow
def test_streaming_wakes_and_its_faults_lose_nothing(server: EwsServer, world: World, tmp_path: Path) -> None:
    world = home(server, tmp_path / "streaming", streaming=True)
    for kind, values in (("double", {"times": 2}), ("missing", {}), ("late", {"seconds": 0.5}), ("drop stream", {})):
        server.faults.add(kind, "GetStreamingEvents", **values)
    with working(world):
        assert wait(lambda: server.streaming == 1)
        items = []
        for n in range(4):
            items.append(put(server, n, TAG))
            time.sleep(0.3)
        assert wait(settled(items))
    assert server.asked["GetStreamingEvents"] >= 2
    whole(world, 4)


@pytest.mark.slow
@pytest.mark.parametrize(("operation", "nth", "after"), [
    pytest.param("SyncFolderItems", 2, True, id="between page and commit"),
    pytest.param("UpdateItem", 1, True, id="pending written, not known"),
    pytest.param("GetItem", 2, True, id="fetched, not kept"),
    pytest.param("UpdateItem", 2, False, id="in the CRM, not marked"),
    pytest.param("UpdateItem", 2, True, id="marked, not known"),
])
def test_killed_at_a_step_the_item_is_there_exactly_once(server: EwsServer, world: World, operation: str, nth: int,
                                                         after: bool) -> None:
    items = [put(server, 1, "Red", TAG)]
    first = Worker(world.home)
    struck = kill_at(server, first, operation, nth, after=after)
    assert wait(struck), "the step never came"
    first.process.join(10)
    server.before.clear()
    server.after.clear()
    items.append(put(server, 2, TAG))
    with working(world):
        assert wait(settled(items, "CRM: linked")), [one.categories for one in items]
        assert wait(lambda: world.rows("SELECT count(*) FROM capture WHERE state = 'notified'") == [(2,)])
    assert items[0].categories == ["Red", "CRM: linked"]
    whole(world, 2)


@pytest.mark.slow
def test_a_parked_mailbox_holds_up_no_other_and_is_said(server: EwsServer, tmp_path: Path) -> None:
    world = home(server, tmp_path / "two", BOX, "lee@example.org")
    server.allowed = {BOX}
    item = put(server, 1, TAG)
    with working(world):
        assert wait(settled([item]))
        assert wait(lambda: world.rows("SELECT count(*) FROM watched_mailbox WHERE parked IS NOT NULL") == [(1,)])
    whole(world, 1)
