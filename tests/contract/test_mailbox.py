"""Every mailbox backend keeps the promises of `capture.ports.Mailbox`. One suite, all backends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from capture.errors import ItemGone, Unreachable
from capture.mailbox import MAILBOXES
from capture.mailbox.folder import FolderMailbox
from capture.ports import ItemRef, Mailbox

PLAIN = b"From: a@example.com\r\nTo: b@example.org\r\nSubject: Quote\r\nMessage-ID: <q1@example.com>\r\n\r\nHello\r\n"


class FolderWorld:
    """A folder mailbox with the knobs the suite needs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.mailbox: Mailbox = FolderMailbox(root)

    def put(self, user: str, folder: str, name: str, raw: bytes) -> None:
        path = self.root / user / folder / f"{name}.eml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)

    def categories(self, ref: ItemRef) -> str:
        lines = self.mailbox.fetch(ref).raw.split(b"\r\n\r\n")[0].splitlines()
        return b"".join(line for line in lines if line.lower().startswith(b"keywords:")).decode()

    def remove(self, ref: ItemRef) -> None:
        (self.root / ref.mailbox / ref.key).unlink()

    def break_down(self) -> None:
        self.root.rename(self.root.with_name("moved-away"))


WORLDS: dict[str, Callable[[Path], FolderWorld]] = {"folder": FolderWorld}


@pytest.fixture(params=sorted(MAILBOXES))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> FolderWorld:
    return WORLDS[request.param](tmp_path / "mail")


def tagged(raw: bytes = PLAIN, category: bytes = b"Track in CRM") -> bytes:
    return b"Keywords: " + category + b"\r\n" + raw


def test_only_tagged_items_are_found(world: FolderWorld) -> None:
    world.put("dana", "Inbox", "one", tagged())
    world.put("dana", "Inbox", "two", PLAIN)
    world.put("lee", "Track in CRM", "three", PLAIN)
    assert {(r.mailbox, r.key) for r in world.mailbox.tagged()} == {
        ("dana", "Inbox/one.eml"), ("lee", "Track in CRM/three.eml")}


def test_fetch_returns_the_item_unchanged(world: FolderWorld) -> None:
    world.put("dana", "Inbox", "one", tagged())
    [ref] = world.mailbox.tagged()
    assert world.mailbox.fetch(ref).raw == tagged()


@pytest.mark.parametrize("folder", ["Inbox", "Track in CRM"])
def test_mark_shows_the_state_and_takes_the_item_off_the_list(world: FolderWorld, folder: str) -> None:
    world.put("dana", folder, "one", tagged(category=b"Red category, Track in CRM"))
    [ref] = world.mailbox.tagged()
    world.mailbox.mark(ref, "held")
    assert world.categories(ref) == "Keywords: Red category, CRM: held"
    assert list(world.mailbox.tagged()) == []


def test_mark_twice_is_mark_once(world: FolderWorld) -> None:
    world.put("dana", "Track in CRM", "one", PLAIN)
    [ref] = world.mailbox.tagged()
    world.mailbox.mark(ref, "linked")
    once = world.mailbox.fetch(ref).raw
    world.mailbox.mark(ref, "linked")
    assert world.mailbox.fetch(ref).raw == once


def test_tagging_again_after_a_state_is_seen(world: FolderWorld) -> None:
    world.put("dana", "Inbox", "one", tagged(category=b"CRM: held, Track in CRM"))
    assert len(list(world.mailbox.tagged())) == 1


def test_a_vanished_item_is_gone_and_marking_it_is_harmless(world: FolderWorld) -> None:
    world.put("dana", "Inbox", "one", tagged())
    [ref] = world.mailbox.tagged()
    world.remove(ref)
    with pytest.raises(ItemGone):
        world.mailbox.fetch(ref)
    world.mailbox.mark(ref, "linked")


def test_a_missing_store_is_an_error_not_an_empty_list(world: FolderWorld) -> None:
    world.break_down()
    with pytest.raises(Unreachable):
        list(world.mailbox.tagged())


def test_the_repr_of_a_reference_and_an_item_holds_nothing(world: FolderWorld) -> None:
    world.put("dana", "Inbox", "surname medical", tagged())
    [ref] = world.mailbox.tagged()
    assert "surname" not in repr(ref)
    assert "Quote" not in repr(world.mailbox.fetch(ref))
