"""What only the folder backend has to get right: bytes of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.errors import ItemGone
from capture.mailbox.filemarks import categories, with_state
from capture.mailbox.folder import FolderMailbox
from capture.ports import ItemRef


@pytest.mark.parametrize(("raw", "found"), [
    pytest.param(b"Keywords: A, Track in CRM\n\nx", ["A", "Track in CRM"], id="two"),
    pytest.param(b"KEYWORDS:Track in\r\n CRM\r\n\r\nx", ["Track in CRM"], id="folded line"),
    pytest.param(b"Keywords: =?utf-8?q?=C3=89t=C3=A9?=, B\n\n", ["Été", "B"], id="encoded word"),
    pytest.param(b"Keywords: A\nKeywords: B\n\n", ["A", "B"], id="two headers"),
    pytest.param(b"Subject: x\n\nKeywords: Track in CRM\n", [], id="in the body"),
    pytest.param(b"", [], id="empty file"),
    pytest.param(b"\n\nKeywords: Track in CRM\n", [], id="no header"),
    pytest.param(b"\x00\xff\xfe junk", [], id="binary"),
])
def test_categories(raw: bytes, found: list[str]) -> None:
    assert categories(raw) == found


@pytest.mark.parametrize(("raw", "marked"), [
    pytest.param(b"Subject: x\r\n\r\nbody", b"Keywords: CRM: held\r\nSubject: x\r\n\r\nbody", id="new header"),
    pytest.param(b"A: 1\nKeywords: Track in CRM\nB: 2\n\nbody", b"A: 1\nKeywords: CRM: held\nB: 2\n\nbody",
                 id="replaced in place"),
    pytest.param(b"Keywords: Track in CRM\nKeywords: Mine\n\nb", b"Keywords: Mine, CRM: held\n\nb", id="two merged"),
    pytest.param(b"Keywords: CRM: linked\n\nKeywords: Track in CRM", b"Keywords: CRM: held\n\nKeywords: Track in CRM",
                 id="body untouched"),
    pytest.param(b"", b"Keywords: CRM: held\n", id="empty file"),
])
def test_with_state_changes_only_our_categories(raw: bytes, marked: bytes) -> None:
    assert with_state(raw, "held") == marked
    assert with_state(marked, "held") == marked


def test_a_key_that_climbs_out_of_the_mailbox_is_gone(tmp_path: Path) -> None:
    (tmp_path / "mail" / "dana").mkdir(parents=True)
    (tmp_path / "secret.eml").write_bytes(b"x")
    with pytest.raises(ItemGone):
        FolderMailbox(tmp_path / "mail").fetch(ItemRef("dana", "../../secret.eml"))


def test_a_name_that_is_not_utf8_is_read_like_any_other(tmp_path: Path) -> None:
    folder = tmp_path / "dana" / "Inbox"
    folder.mkdir(parents=True)
    import os
    path = os.fsencode(folder) + b"/r\xe9sum\xe9.eml"
    with open(path, "wb") as file:  # noqa: PTH123 - a name pathlib would not make
        file.write(b"Keywords: Track in CRM\n\nx")
    mailbox = FolderMailbox(tmp_path)
    [ref] = [s.ref for s in mailbox.tagged("dana")]
    mailbox.mark(ref, "linked")
    assert mailbox.fetch(ref).raw == b"Keywords: CRM: linked\n\nx"


def test_a_folder_that_disappears_while_it_is_read_costs_nothing_else(tmp_path: Path) -> None:
    import shutil
    for user in ("dana", "lee"):
        (tmp_path / user / "Inbox").mkdir(parents=True)
        (tmp_path / user / "Inbox" / "a.eml").write_bytes(b"Keywords: Track in CRM\n\nx")
        (tmp_path / user / "Later").mkdir()
        (tmp_path / user / "Later" / "b.eml").write_bytes(b"Keywords: Track in CRM\n\nx")
    mailbox = FolderMailbox(tmp_path)
    folders = {f.path: f for f in mailbox.folders("dana")}
    shutil.rmtree(tmp_path / "dana" / "Inbox")
    with pytest.raises(ItemGone):
        mailbox.changes(folders["Inbox"], b"")
    assert len(mailbox.changes(folders["Later"], b"").sightings) == 1
    assert [s.ref.key for s in mailbox.tagged("dana")] == ["Later/b.eml"]


TAGGED = b"Keywords: Track in CRM\n\nx"


def mailbox_of(tmp_path: Path, *names: str) -> tuple[FolderMailbox, Path]:
    folder = tmp_path / "dana" / "Inbox"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(TAGGED)
    return FolderMailbox(tmp_path), folder


def test_a_damaged_category_does_not_hide_the_other_mails(tmp_path: Path) -> None:
    mailbox, folder = mailbox_of(tmp_path, "b.eml")
    (folder / "a.eml").write_bytes(b"Keywords: =?utf-8?b?abcde?=, Track in CRM\n\nx")
    assert sorted(s.ref.key for s in mailbox.tagged("dana")) == ["Inbox/a.eml", "Inbox/b.eml"]


def test_a_pipe_named_like_a_mail_is_no_item(tmp_path: Path) -> None:
    import os
    mailbox, folder = mailbox_of(tmp_path, "b.eml")
    os.mkfifo(folder / "a.eml")
    assert [s.ref.key for s in mailbox.tagged("dana")] == ["Inbox/b.eml"]


def test_the_longest_name_is_marked(tmp_path: Path) -> None:
    mailbox, _ = mailbox_of(tmp_path, "n" * 251 + ".eml")
    [ref] = [s.ref for s in mailbox.tagged("dana")]
    mailbox.mark(ref, "linked")
    assert mailbox.fetch(ref).raw == b"Keywords: CRM: linked\n\nx"


def test_a_mail_put_in_the_place_of_a_fetched_one_keeps_its_tag(tmp_path: Path) -> None:
    mailbox, folder = mailbox_of(tmp_path, "a.eml")
    [ref] = [s.ref for s in mailbox.tagged("dana")]
    mailbox.fetch(ref)
    (folder / "a.eml").write_bytes(b"Keywords: Track in CRM\n\nanother mail")
    with pytest.raises(ItemGone):
        mailbox.mark(ref, "linked")
    assert [s.ref.key for s in mailbox.tagged("dana")] == [ref.key]
    mailbox.fetch(ref)
    fresh = mailbox.mark(ref, "held")
    assert list(mailbox.tagged("dana")) == []
    mailbox.mark(fresh, "linked")
    assert categories(mailbox.fetch(fresh).raw) == ["CRM: linked"]


def test_a_file_put_in_the_place_of_another_is_not_taken_for_it(tmp_path: Path) -> None:
    mailbox, folder = mailbox_of(tmp_path, "a.eml", "b.eml")
    ref = next(s.ref for s in mailbox.tagged("dana") if s.ref.key.endswith("a.eml"))
    (folder / "b.eml").replace(folder / "a.eml")
    with pytest.raises(ItemGone):
        mailbox.mark(ref, "linked")


@pytest.mark.parametrize(("name", "before", "after"), [
    pytest.param("a.eml", b"Keywords: Track in CRM\nMessage-ID: <1@x>\n\nx",
                 b"Keywords: Track in CRM\nMessage-ID: <2@x>\n\nx", id="mail"),
    pytest.param("a.ics", b"BEGIN:VEVENT\nUID:1\nCATEGORIES:Track in CRM\nEND:VEVENT\n",
                 b"BEGIN:VEVENT\nUID:2\nCATEGORIES:Track in CRM\nEND:VEVENT\n", id="appointment")])
def test_a_new_item_in_the_inode_of_one_before_it_is_another_item(tmp_path: Path, name: str, before: bytes,
                                                                  after: bytes) -> None:
    """File systems give the inode of a replaced file to the next new one; the ledger knew that one already."""
    mailbox, folder = mailbox_of(tmp_path)
    (folder / name).write_bytes(before)
    [old] = [s.ref for s in mailbox.tagged("dana")]
    inode = (folder / name).stat().st_ino
    (folder / name).write_bytes(after)  # written over: the inode stays
    [new] = [s.ref for s in mailbox.tagged("dana")]
    assert (folder / name).stat().st_ino == inode
    assert new.identity != old.identity
    assert mailbox.locate(old) is None
    with pytest.raises(ItemGone):
        mailbox.mark(old, "linked")
    fresh = mailbox.mark(mailbox.fetch(new).ref, "linked")
    (folder / name).rename(folder / f"moved-{name}")
    assert mailbox.locate(fresh) is not None


def test_our_marks_do_not_make_another_item_of_one_with_an_endless_header(tmp_path: Path) -> None:
    mailbox, folder = mailbox_of(tmp_path)
    path = folder / "a.eml"
    path.write_bytes(b"Keywords: Track in CRM\n" + b"X-Trace: 0123456789\n" * 15_000 + b"\nx")
    [ref] = [s.ref for s in mailbox.tagged("dana")]
    inode, marked = path.stat().st_ino, with_state(path.read_bytes(), "pending")
    path.write_bytes(marked)
    assert path.stat().st_ino == inode
    assert mailbox.locate(ref) is not None


def test_names_that_differ_in_case_are_two_items_and_links_are_none(tmp_path: Path) -> None:
    mailbox, folder = mailbox_of(tmp_path, "a.eml", "A.EML")
    (folder / "l.eml").symlink_to(folder / "a.eml")
    assert len(list(mailbox.tagged("dana"))) == len({path.name for path in folder.iterdir()} - {"l.eml"})


def test_a_mailbox_whose_name_is_not_utf8_does_not_stop_the_others(tmp_path: Path,
                                                                  caplog: pytest.LogCaptureFixture) -> None:
    import os
    mailbox, _ = mailbox_of(tmp_path, "a.eml")
    os.makedirs(os.fsencode(tmp_path) + b"/r\xe9/Inbox")  # noqa: PTH103 - a name pathlib would not make
    assert list(mailbox.mailboxes()) == ["dana"]
    assert "not UTF-8" in caplog.text
