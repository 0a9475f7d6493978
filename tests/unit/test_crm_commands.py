"""`mailweir crm waiting, confirm, unlink, untrack, purge, never` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from crm_world import fill, mail, track
from typer.testing import CliRunner
from world import make_world

from capture.wiring import opened
from cli import app, main

OWNER = "dana.reid"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    world = make_world(tmp_path / "home")
    with opened(world.settings) as (db, _):
        fill(db)
        track(db, mail(sender="info@hall.example.com", message_id="q@hall.example.com"), "q", OWNER)
    return world.home


def run(home: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["crm", *words, "--home", str(home)])
    assert done.exit_code == code, done.output
    return done.output


def test_a_question_is_seen_answered_and_undone(home: Path) -> None:
    rows = [row for row in json.loads(run(home, "waiting", "--json", code=1)) if row["question"]]
    assert [(row["record"], row["reason"]) for row in rows] == [
        ("contact:desk1", "ambiguous"), ("contact:desk2", "ambiguous")]
    assert rows[0]["why"].endswith("please choose.")
    activity = rows[0]["activity"]
    assert "linked to contact desk1" in run(home, "confirm", activity[:8], "contact:desk1")
    assert [row["reason"] for row in json.loads(run(home, "waiting", "--json", code=1))
            if row["activity"] == activity] == ["open-work"]
    assert "stays, with 0 records and 1 tracker" in run(home, "unlink", activity, "contact:desk1")
    assert "nobody tracks it" in run(home, "untrack", activity, "--mailbox", OWNER)
    assert "receipt" in run(home, "purge", activity, "--reason", "not-business")
    run(home, "show", activity, code=1)


def test_never_track_lists_are_kept_by_commands(home: Path) -> None:
    run(home, "never", "add", "Lawyers.example.com")
    run(home, "never", "add", "hr", "--mailbox")
    assert [(row["kind"], row["pattern"]) for row in json.loads(run(home, "never", "list", "--json"))] == [
        ("mailbox", "hr"), ("party", "lawyers.example.com")]
    run(home, "never", "remove", "hr", "--mailbox")
    assert "hr" not in run(home, "never", "list")


@pytest.mark.parametrize(("words", "code"), [
    pytest.param(("confirm", "abcdef", "contact:x"), "not-found", id="no such activity"),
    pytest.param(("confirm", "abcdef", "person:x"), "bad-input", id="no such kind"),
    pytest.param(("untrack", "abcdef"), "not-found", id="nothing there to untrack"),
    pytest.param(("purge", "abcdef", "--reason", "Why not?"), "bad-input", id="a reason in words"),
])
def test_what_cannot_be_done_is_said_by_its_code(home: Path, words: tuple[str, ...], code: str,
                                                 monkeypatch: pytest.MonkeyPatch,
                                                 capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["mailweir", "crm", *words, "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capfd.readouterr().err.startswith(f"{code}:")
