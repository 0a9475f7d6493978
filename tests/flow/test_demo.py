"""`mailweir demo`: what a newcomer sees first."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from capture import desk
from capture.demo.items import EXPECTED, UNTOUCHED
from capture.demo.show import run_demo
from capture.errors import BadInput
from capture.settings import load_settings


def test_the_demo_ends_with_0_and_everything_is_as_it_should_be(
        tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "demo"
    assert run_demo(home) == 0
    shown = capfd.readouterr().out
    linked = sum(outcome == "linked" for outcome in EXPECTED.values())
    assert f"{linked} linked, {len(EXPECTED) - linked} held" in shown
    assert "should be" not in shown
    assert "audit whole" in shown
    assert "Three things to try next" in shown
    settings = load_settings(home)
    cases = desk.list_cases(settings)
    notices = [json.loads(line) for line in (home / "notices.jsonl").read_text("utf-8").splitlines()]
    held = [notice for notice in notices if notice["subject"].startswith("Held for privacy review")]
    assert len(held) == sum(case["trackers"] for case in cases)
    often = [to for to, times in Counter(notice["to"] for notice in held).items() if times >= 3]
    assert sorted(notice["to"] for notice in notices if notice not in held) == sorted(often), "the course is asked for"
    for untouched in UNTOUCHED:
        assert b"CRM: " not in (settings.mailbox_root / untouched).read_bytes()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(BadInput):
        run_demo(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep me"
