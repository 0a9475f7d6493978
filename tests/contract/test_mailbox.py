"""Every mailbox backend keeps the promises of `capture.ports.Mailbox`. One suite, all backends."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from threading import Event

import pytest
from mailboxes import OTHER, USER, WORLDS, MailWorld, open_world

from capture.errors import Changed, CursorLost, ItemGone, Parked, TryLater
from capture.mailbox import MAILBOXES, composed
from capture.ports import Folder, ItemKind, ItemRef, Sighting, Stamp

TAG = ("Track in CRM",)
STAMP = Stamp("0123456789abcdef" * 2, "linked", 1)


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MailWorld]:
    made = open_world(request.param, tmp_path)
    yield made
    made.close()


def needs(world: MailWorld, *things: str) -> None:
    """Leave the test out for a backend that does not have the thing."""
    if missing := world.lacks.intersection(things):
        pytest.skip(f"this backend has no {', '.join(sorted(missing))}")


def folder(world: MailWorld, path: str, user: str = USER) -> Folder:
    return next(f for f in world.mailbox.folders(user) if f.path == path)


def seen(world: MailWorld, where: Folder, cursor: bytes = b"") -> tuple[list[Sighting], bytes]:
    """Everything that changed in a folder, page by page, and the last cursor."""
    found: list[Sighting] = []
    for _ in range(200):
        page = world.mailbox.changes(where, cursor)
        found += page.sightings
        cursor = page.cursor
        if not page.more:
            return found, cursor
    raise AssertionError("the pages never end")


def one(world: MailWorld, path: str = "Inbox") -> Sighting:
    """The one item of a folder, as it is seen last."""
    found, _ = seen(world, folder(world, path))
    return next(s for s in reversed(found) if not s.removed)


def subject_of(world: MailWorld, ref: ItemRef) -> str:
    return str(message_from_bytes(world.mailbox.fetch(ref).raw)["Subject"])


def test_every_backend_is_under_test() -> None:
    assert set(WORLDS) == set(MAILBOXES)


# ------------------------------------------------------------------------------------------- watching

def test_the_usual_folders_are_watched_and_drafts_are_not(world: MailWorld) -> None:
    assert {USER, OTHER} <= set(world.mailbox.mailboxes())
    kinds = {f.path: f.kind for f in world.mailbox.folders(USER)}
    assert kinds["Inbox"] == "mail"
    assert "sent" in kinds.values()
    assert "calendar" in kinds.values()
    assert "Drafts" not in kinds


def test_a_full_pass_sees_every_item_and_who_is_tagged(world: MailWorld) -> None:
    for n in range(7):
        world.add(USER, "Inbox", subject=f"m{n}", message_id=f"m{n}@x.example", categories=TAG if n % 3 == 0 else ())
    found, _ = seen(world, folder(world, "Inbox"))
    assert sorted((subject_of(world, s.ref), s.tagged) for s in found) == [(f"m{n}", n % 3 == 0) for n in range(7)]
    assert all(s.ref.mailbox == USER for s in found)


def test_after_a_cursor_only_what_changed_is_seen(world: MailWorld) -> None:
    first = world.add(USER, "Inbox", subject="first", message_id="a@x.example")
    world.add(USER, "Inbox", subject="second", message_id="b@x.example")
    _, cursor = seen(world, folder(world, "Inbox"))
    assert [s for s in seen(world, folder(world, "Inbox"), cursor)[0] if not s.removed] == []
    world.set_categories(first, (*TAG, "Red"))
    found, _ = seen(world, folder(world, "Inbox"), cursor)
    assert [(subject_of(world, s.ref), s.tagged) for s in found] == [("first", True)]


def test_an_old_cursor_gives_the_same_changes_again(world: MailWorld) -> None:
    _, cursor = seen(world, folder(world, "Inbox"))
    world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    once = seen(world, folder(world, "Inbox"), cursor)[0]
    assert [s.ref for s in seen(world, folder(world, "Inbox"), cursor)[0]] == [s.ref for s in once]


def test_a_new_folder_at_any_depth_is_listed_and_watched(world: MailWorld) -> None:
    world.add(USER, "Inbox/Clients/Cedar", subject="m", message_id="a@x.example", categories=TAG)
    assert one(world, "Inbox/Clients/Cedar").tagged


def test_a_renamed_folder_keeps_its_key_and_its_cursor(world: MailWorld) -> None:
    world.add(USER, "Inbox/Clients", subject="m", message_id="a@x.example")
    before = folder(world, "Inbox/Clients")
    _, cursor = seen(world, before)
    world.rename_folder(USER, "Inbox/Clients", "Customers")
    after = folder(world, "Inbox/Customers")
    assert after.key == before.key
    assert [s for s in seen(world, after, cursor)[0] if s.tagged] == []


def test_tagged_lists_what_is_tagged_wherever_it_lies(world: MailWorld) -> None:
    world.add(USER, "Inbox", subject="one", message_id="a@x.example", categories=TAG)
    world.add(USER, "Inbox/Deep/er", subject="two", message_id="b@x.example", categories=("Red", *TAG))
    world.add(USER, "Inbox", subject="three", message_id="c@x.example", categories=("Red",))
    world.add(OTHER, "Inbox", subject="four", message_id="d@x.example", categories=TAG)
    assert sorted(subject_of(world, s.ref) for s in world.mailbox.tagged(USER)) == ["one", "two"]


def test_a_draft_is_seen_as_a_draft(world: MailWorld) -> None:
    needs(world, "drafts")
    world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG, draft=True)
    assert all(s.draft for s in seen(world, folder(world, "Inbox"))[0])


@pytest.mark.parametrize(("kind", "path"), [(ItemKind.APPOINTMENT, "Calendar"), (ItemKind.TASK, "Tasks")])
def test_appointments_and_tasks_are_seen_and_fetched_as_what_they_are(world: MailWorld, kind: ItemKind,
                                                                      path: str) -> None:
    needs(world, "tasks" if kind is ItemKind.TASK else "appointments")
    world.add(USER, path, subject="Review", text="Bring the plan.", kind=kind, categories=TAG)
    sighting = one(world, path)
    assert (sighting.tagged, sighting.ref.kind) == (True, kind)
    item = world.mailbox.fetch(sighting.ref)
    assert item.ref.kind is kind
    assert str(message_from_bytes(item.raw)["Subject"]) == "Review"
    names = {name for name, _, _ in composed.calendar_of(item.raw)}
    assert ("DUE" if kind is ItemKind.TASK else "DTSTART") in names


# --------------------------------------------------------------------------------------- fetch and mark

def test_fetching_twice_gives_the_same_bytes(world: MailWorld) -> None:
    world.add(USER, "Inbox", subject="m", text="Line one.", message_id="a@x.example", categories=TAG)
    ref = one(world).ref
    item = world.mailbox.fetch(ref)
    assert b"Line one." in item.raw
    assert world.mailbox.fetch(item.ref).raw == item.raw
    assert (item.unread, item.private) == ((), False)


def test_a_private_item_says_so(world: MailWorld) -> None:
    needs(world, "private")
    world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG, private=True)
    assert world.mailbox.fetch(one(world).ref).private


@pytest.mark.parametrize("state", ["pending", "linked", "held", "in review", "not tracked"])
def test_mark_shows_the_state_takes_the_tag_off_and_keeps_the_rest(world: MailWorld, state: str) -> None:
    handle = world.add(USER, "Inbox", subject="m", message_id="a@x.example",
                       categories=("Red category", *TAG, "CRM: pending", "CRM: mine"))
    stamp = Stamp(STAMP.capture, state, 3)
    world.mailbox.mark(one(world).ref, state, stamp)
    assert sorted(world.categories(handle)) == sorted(["Red category", "CRM: mine", f"CRM: {state}"])
    assert world.stamp(handle) == stamp
    sighting = one(world)
    assert (sighting.tagged, sighting.state, sighting.stamp) == (False, state, stamp)


@pytest.mark.parametrize(("kind", "path"), [(ItemKind.APPOINTMENT, "Calendar"), (ItemKind.TASK, "Tasks")])
def test_appointments_and_tasks_are_marked_too(world: MailWorld, kind: ItemKind, path: str) -> None:
    needs(world, "tasks" if kind is ItemKind.TASK else "appointments")
    handle = world.add(USER, path, subject="Review", kind=kind, categories=("Blue", *TAG))
    world.mailbox.mark(one(world, path).ref, "linked", STAMP)
    assert sorted(world.categories(handle)) == ["Blue", "CRM: linked"]
    assert world.stamp(handle) == STAMP


def test_mark_twice_is_mark_once_and_gives_a_reference_that_works(world: MailWorld) -> None:
    handle = world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    fresh = world.mailbox.mark(one(world).ref, "linked", STAMP)
    again = world.mailbox.mark(fresh, "linked", STAMP)
    assert world.categories(handle) == ["CRM: linked"]
    assert subject_of(world, again) == "m"


def test_an_empty_state_takes_ours_away(world: MailWorld) -> None:
    handle = world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=("Red", "CRM: linked"))
    world.mailbox.mark(one(world).ref, "")
    assert world.categories(handle) == ["Red"]


def test_our_own_write_comes_back_with_state_and_stamp(world: MailWorld) -> None:
    world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    found, cursor = seen(world, folder(world, "Inbox"))
    world.mailbox.mark(found[0].ref, "linked", STAMP)
    back = [s for s in seen(world, folder(world, "Inbox"), cursor)[0] if not s.removed]
    assert [(s.tagged, s.state, s.stamp) for s in back] == [(False, "linked", STAMP)]


def test_a_category_the_user_adds_meanwhile_stays(world: MailWorld) -> None:
    handle = world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    ref = one(world).ref
    world.set_categories(handle, (*TAG, "Urgent"))
    world.mailbox.mark(ref, "held", STAMP)
    assert sorted(world.categories(handle)) == ["CRM: held", "Urgent"]


# -------------------------------------------------------------------------------------- moved, deleted

def test_a_deleted_item_is_gone_and_nowhere(world: MailWorld) -> None:
    handle = world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    ref = one(world).ref
    world.delete(handle)
    with pytest.raises(ItemGone):
        world.mailbox.fetch(ref)
    with pytest.raises(ItemGone):
        world.mailbox.mark(ref, "linked", STAMP)
    assert world.mailbox.locate(ref, STAMP.capture, "a@x.example") is None


def test_a_moved_item_can_be_fetched_or_located(world: MailWorld) -> None:
    handle = world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    ref = one(world).ref
    world.move(handle, "Inbox/Later")
    try:
        assert subject_of(world, ref) == "m"
    except ItemGone:
        found = world.mailbox.locate(ref, message_id="a@x.example")
        assert found is not None
        assert subject_of(world, found) == "m"
        world.mailbox.mark(found, "linked", STAMP)
        assert world.categories(handle) == ["CRM: linked"]


def test_an_item_is_located_by_our_stamp_and_by_its_message_id(world: MailWorld) -> None:
    handle = world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    world.add(USER, "Inbox", subject="another", message_id="b@x.example")
    world.mailbox.mark(next(s.ref for s in seen(world, folder(world, "Inbox"))[0] if s.tagged), "linked", STAMP)
    world.move(handle, "Inbox/Later")
    for hints in ({"capture": STAMP.capture}, {"message_id": "<a@x.example>"}):
        found = world.mailbox.locate(ItemRef(USER, ""), **hints)
        assert found is not None
        assert subject_of(world, found) == "m"
    assert world.mailbox.locate(ItemRef(USER, "")) is None


@pytest.mark.parametrize(("kind", "path"), [(ItemKind.APPOINTMENT, "Calendar"), (ItemKind.TASK, "Tasks")])
def test_what_is_no_mail_is_located_by_our_stamp_alone_and_marked_anew(
        world: MailWorld, kind: ItemKind, path: str) -> None:
    needs(world, "tasks" if kind is ItemKind.TASK else "appointments")
    handle = world.add(USER, path, subject="m", kind=kind, categories=TAG)
    world.mailbox.mark(next(s.ref for s in seen(world, folder(world, path))[0] if s.tagged), "linked", STAMP)
    found = world.mailbox.locate(ItemRef(USER, "", kind), STAMP.capture)
    assert found is not None
    world.mailbox.mark(found, "not tracked", STAMP)
    assert world.categories(handle) == ["CRM: not tracked"]


# ------------------------------------------------------------------------------------------- faults

def test_a_refused_cursor_is_told_and_a_full_pass_works(world: MailWorld) -> None:
    needs(world, "fault:cursor")
    world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    where = folder(world, "Inbox")
    _, cursor = seen(world, where)
    world.fault("cursor")
    try:
        page = world.mailbox.changes(where, cursor)
    except CursorLost:
        page = world.mailbox.changes(where, b"")
    else:
        assert page.reset
    assert [s.tagged for s in page.sightings if not s.removed] == [True]


def test_a_busy_server_says_how_long_to_wait(world: MailWorld) -> None:
    needs(world, "fault:busy")
    world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=TAG)
    ref = one(world).ref
    world.fault("busy")
    with pytest.raises(TryLater) as caught:
        world.mailbox.fetch(ref)
    assert caught.value.wait == pytest.approx(7, abs=1)


def test_a_mailbox_that_refuses_us_is_parked(world: MailWorld) -> None:
    needs(world, "fault:denied")
    where = folder(world, "Inbox")
    world.fault("denied")
    with pytest.raises(Parked):
        world.mailbox.changes(where, b"")


def test_an_item_that_keeps_changing_is_never_overwritten(world: MailWorld) -> None:
    needs(world, "fault:changed")
    handle = world.add(USER, "Inbox", subject="m", message_id="a@x.example", categories=("Red", *TAG))
    ref = one(world).ref
    world.fault("changed", times=10)
    with pytest.raises(Changed):
        world.mailbox.mark(ref, "linked", STAMP)
    assert "Red" in world.categories(handle)
    assert "CRM: linked" not in world.categories(handle)


# --------------------------------------------------------------------------------------- the rest of it

def test_wakeups_end_when_they_are_told_to(world: MailWorld) -> None:
    stop = Event()
    stop.set()
    assert isinstance(list(world.mailbox.wakeups(stop)), list)


def test_check_says_what_works(world: MailWorld) -> None:
    checks = world.mailbox.check(USER)
    assert checks
    assert all(check.fine or check.hint for check in checks)
    assert USER not in " ".join(check.detail + check.hint for check in checks)


def test_the_repr_of_what_is_handed_out_holds_nothing(world: MailWorld) -> None:
    world.add(USER, "Inbox/Surname medical", subject="Secretword", message_id="surname@x.example", categories=TAG)
    where = folder(world, "Inbox/Surname medical")
    page = world.mailbox.changes(where, b"")
    shown = " ".join(map(repr, (where, page, page.sightings[0].ref, world.mailbox.fetch(page.sightings[0].ref))))
    for word in ("urname", "Secretword", "x.example"):
        assert word not in shown
