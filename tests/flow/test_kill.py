"""A process really killed at random moments loses nothing and doubles nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import run_and_kill


@pytest.mark.slow
def test_killed_again_and_again_every_item_is_there_exactly_once(tmp_path: Path) -> None:
    outcome = run_and_kill(tmp_path / "home", 40, kills=6, seed=7, longest=5.0)
    assert outcome.problems == []
    assert outcome.kills >= 3, "the runs ended before they could be killed"
