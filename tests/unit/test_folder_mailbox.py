"""What only the folder backend has to get right: bytes of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.errors import ItemGone
from capture.mailbox.folder import FolderMailbox, categories, with_state
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
    [ref] = mailbox.tagged()
    mailbox.mark(ref, "linked")
    assert mailbox.fetch(ref).raw == b"Keywords: CRM: linked\n\nx"


def test_a_folder_that_disappears_while_it_is_read_costs_nothing_else(tmp_path: Path) -> None:
    import shutil
    for user in ("dana", "lee"):
        (tmp_path / user / "Inbox").mkdir(parents=True)
        (tmp_path / user / "Inbox" / "a.eml").write_bytes(b"Keywords: Track in CRM\n\nx")
    found = []
    for ref in FolderMailbox(tmp_path).tagged():
        found.append(ref.mailbox)
        shutil.rmtree(tmp_path / "lee", ignore_errors=True)
    assert found == ["dana"]
