"""The parts of watching: what a sighting asks for, marks in files, composed items, which backend serves a mailbox."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from mailboxes import calendar_file
from stores import opened

from capture.errors import BadSettings, Unreachable
from capture.mailbox import composed, filemarks, states
from capture.mailbox.folder import FolderMailbox
from capture.mailbox.memory import MemoryMailbox
from capture.mailbox.router import Mailboxes
from capture.ports import Folder, ItemKind, ItemRef, Sighting, Stamp
from capture.triggers import Act, is_trigger, judge
from store import watch
from store.tables import Capture, CaptureState

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
REF = ItemRef("dana", "k")


def capture(state: CaptureState, outcome: str = "", *, shown: str = "", attempts: int = 1,
            trigger: str = "category") -> Capture:
    return Capture(id="c" * 32, mailbox="dana", source_key="s", state=state, outcome=outcome, shown=shown,
                   shown_at=NOON if shown else None, attempts=attempts, trigger=trigger, created=NOON, updated=NOON,
                   finished=NOON if state == CaptureState.NOTIFIED else None)


def stamp(state: str, owner: str = "c") -> Stamp:
    return Stamp(owner * 32, state, 1)


CLAIMED, NOTIFIED = CaptureState.CLAIMED, CaptureState.NOTIFIED
LINKED = capture(NOTIFIED, "link", shown="linked")
HELD = capture(NOTIFIED, "hold", shown="held")


@pytest.mark.parametrize(("seen", "known", "in_trigger", "act"), [
    pytest.param(Sighting(REF, tagged=True), None, False, Act.BRING, id="new tag"),
    pytest.param(Sighting(REF), None, True, Act.BRING, id="in a trigger folder"),
    pytest.param(Sighting(REF, state="linked"), None, True, Act.NOTHING, id="in a trigger folder with a state"),
    pytest.param(Sighting(REF), None, False, Act.NOTHING, id="nobody asked"),
    pytest.param(Sighting(REF, tagged=True, draft=True), None, False, Act.NOTHING, id="draft"),
    pytest.param(Sighting(REF, tagged=True, removed=True), None, False, Act.NOTHING, id="removed"),
    pytest.param(Sighting(REF, stamp=stamp("linked")), None, False, Act.NOTHING, id="unknown item with a stamp"),
    pytest.param(Sighting(REF, tagged=True), capture(CLAIMED, attempts=0), False, Act.NOTHING, id="still waiting"),
    pytest.param(Sighting(REF), capture(CLAIMED, attempts=0), False, Act.CANCEL, id="tag off before pick-up"),
    pytest.param(Sighting(REF), capture(CLAIMED, attempts=0, trigger="request"), False, Act.NOTHING,
                 id="asked for in person needs no tag"),
    pytest.param(Sighting(REF), capture(CLAIMED, attempts=1), False, Act.NOTHING, id="picked up already"),
    pytest.param(Sighting(REF, tagged=True, state="pending"), capture(CLAIMED, shown="pending"), False, Act.AGAIN,
                 id="tagged again while underway"),
    pytest.param(Sighting(REF, tagged=True, state="held"), HELD, False, Act.BRING, id="again after a hold"),
    pytest.param(Sighting(REF, tagged=True), capture(NOTIFIED, "hold"), False, Act.NOTHING,
                 id="never shown: the old tag"),
    pytest.param(Sighting(REF, state="linked", stamp=stamp("linked")), LINKED, False, Act.NOTHING, id="our own write"),
    pytest.param(Sighting(REF, stamp=stamp("linked")), LINKED, False, Act.UNTRACK, id="linked taken off"),
    pytest.param(Sighting(REF, stamp=stamp("linked")), LINKED, True, Act.UNTRACK, id="taken off in a trigger folder"),
    pytest.param(Sighting(REF), LINKED, False, Act.NOTHING, id="no stamp, no untracking"),
    pytest.param(Sighting(REF, stamp=stamp("linked", "d")), LINKED, False, Act.NOTHING, id="the stamp of another"),
    pytest.param(Sighting(REF, tagged=True, stamp=stamp("pending")), LINKED, False, Act.NOTHING,
                 id="a page from before our last write"),
    pytest.param(Sighting(REF, stamp=stamp("held")), HELD, False, Act.NOTHING, id="held taken off"),
    pytest.param(Sighting(REF, tagged=True), capture(CaptureState.GONE, "gone"), False, Act.BRING, id="gone, found"),
])
def test_what_a_sighting_asks_for(seen: Sighting, known: Capture | None, in_trigger: bool, act: Act) -> None:
    assert judge(seen, known, in_trigger=in_trigger, asked=NOON + timedelta(seconds=1)) is act


def test_a_page_asked_for_before_the_ledgers_last_word_says_nothing() -> None:
    for known in (HELD, capture(CLAIMED, attempts=0)):
        seen = Sighting(REF, tagged=known is HELD)
        assert judge(seen, known, in_trigger=False, asked=NOON) is Act.NOTHING


@pytest.mark.parametrize(("path", "record", "expected"), [
    ("Inbox", "", False), ("Track in CRM", "", True), ("Inbox/track in crm/Cedar", "", True),
    ("Inbox/Track in CRM too", "", False), ("Inbox/Cedar", "contact:1", True)])
def test_which_folders_are_triggers(path: str, record: str, expected: bool) -> None:
    assert is_trigger(Folder("dana", "k", path=path), record, "Track in CRM") is expected


def test_of_several_states_the_later_one_counts_and_only_ours_are_touched() -> None:
    assert states.state_of(["crm: LINKED", "CRM: pending", "CRM: mine"]) == "linked"
    assert states.merged(["CRM: mine", "track in CRM", "crm: held"], "") == ["CRM: mine"]
    assert states.is_tagged([" TRACK in crm "])


def test_marks_of_a_calendar_file_change_nothing_else() -> None:
    raw = calendar_file(ItemKind.TASK, "Review", "Line", "u1")
    marked = filemarks.ics_with_state(raw, "linked", stamp("linked"))
    assert (filemarks.ics_categories(marked), filemarks.ics_stamp(marked)) == (["CRM: linked"], stamp("linked"))
    assert filemarks.ics_plain(marked) == raw
    many = ", ".join(f"Caf\u00e9 {n}" for n in range(30))
    long = raw.replace(b"UID:", f"CATEGORIES:{many}\r\nUID:".encode())
    folded = filemarks.ics_with_state(long, "held")
    assert max(map(len, folded.splitlines())) <= 75
    assert filemarks.ics_categories(folded) == [*(f"Caf\u00e9 {n}" for n in range(30)), "CRM: held"]


def test_a_composed_item_is_the_same_every_time_and_no_header_can_be_put_in() -> None:
    entry = composed.Entry(
        ItemKind.APPOINTMENT, "040000@x", "Plan\r\nBcc: eve@example.com", text="Hello", place="Room, 5",
        start=datetime(2026, 3, 9, 16, 30, tzinfo=UTC), end=date(2026, 3, 9),
        occurrence=datetime(2026, 3, 9, 16, 30, tzinfo=UTC), organizer=composed.Person("ann@example.org", "Ann \u00d6"),
        attendees=(composed.Person("\u00e9@example.org"),),
        attachments=(composed.Attached("a.pdf", "application/pdf", b"x"),))
    raw = composed.compose(entry)
    assert raw == composed.compose(entry)
    assert b"\nBcc:" not in raw
    assert composed.message_id_of(raw) == "040000.20260309T163000Z@x"
    found = {name: value for name, _, value in composed.calendar_of(raw)}
    assert composed.moment_of(found["DTSTART"]) == entry.start
    assert composed.moment_of(found["DTEND"]) == entry.end
    assert composed.unescaped(found["LOCATION"]) == "Room, 5"


def test_a_calendar_file_gives_its_description_as_the_body_and_stays_whole_beside_it() -> None:
    raw = calendar_file(ItemKind.TASK, "Review", "Bring the plan\\, please.", "u1")
    item = composed.from_calendar(raw)
    assert item == composed.from_calendar(raw)
    body, calendar = message_from_bytes(item).get_payload()
    assert body.get_payload().strip() == "Bring the plan, please."
    assert calendar.get_payload(decode=True) == raw


def test_a_file_over_the_limit_is_not_read_and_is_unread(tmp_path: Path) -> None:
    (tmp_path / "dana" / "Inbox").mkdir(parents=True)
    path = tmp_path / "dana" / "Inbox" / "big.eml"
    path.write_bytes(b"Subject: m\r\nKeywords: Track in CRM\r\n\r\n" + b"x" * 5000)
    mailbox = FolderMailbox(tmp_path, max_bytes=1000)
    [sighting] = mailbox.tagged("dana")
    item = mailbox.fetch(sighting.ref)
    assert [(u.place, u.code) for u in item.unread] == [("item", "too_large")]
    assert b"xxx" not in item.raw
    assert b"Subject: m" in item.raw


def test_each_mailbox_is_served_by_its_own_backend(tmp_path: Path) -> None:
    backends = {"folder": MemoryMailbox(), "graph": MemoryMailbox(), "ews": MemoryMailbox()}
    backends["folder"].add_mailbox("ann")
    told: dict[str, Sequence[str]] = {}

    def open_backend(kind: str, added: Sequence[str]) -> MemoryMailbox:
        told[kind] = added
        return backends[kind]

    with opened(tmp_path) as (db, _):
        with db.session() as session:
            watch.add(session, "bob@example.org", backend="graph", actor="op")
            watch.add(session, "cy@example.org", backend="graph", actor="op")
            watch.remove(session, "cy@example.org", actor="op")
        mailboxes = Mailboxes(db, open_backend, "folder")
        assert mailboxes.mailboxes() == ["ann", "bob@example.org"]
        assert mailboxes.backend("ann") is backends["folder"]
        assert mailboxes.backend("bob@example.org") is backends["graph"]
        assert told == {"folder": [], "graph": ["bob@example.org"]}
        backends["folder"].fail("mailboxes", Unreachable("planned"))
        assert mailboxes.mailboxes() == ["bob@example.org"], "one backend that is away does not stop the others"
        mailboxes.close()


def test_a_backend_that_cannot_be_opened_takes_no_wakeups_from_the_others(tmp_path: Path) -> None:
    class Waking(MemoryMailbox):
        def wakeups(self, stop: threading.Event) -> Iterator[str]:
            yield "ann"

    def open_backend(kind: str, added: Sequence[str]) -> MemoryMailbox:
        if kind == "ews":
            raise BadSettings("planned")
        return Waking()

    with opened(tmp_path) as (db, _):
        with db.session() as session:
            watch.add(session, "bob@example.org", backend="ews", actor="op")
        mailboxes = Mailboxes(db, open_backend, "folder")
        assert mailboxes.mailboxes() == ["bob@example.org"], "the rows are read"
        assert list(mailboxes.wakeups(threading.Event())) == ["ann"]
        mailboxes.close()
