"""Two people tag the same mails at once, four workers of each take them: one activity each, two trackers each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trackers import fits, run

MAILS = 25


def test_the_same_mails_tracked_by_two_at_once_are_one_activity_each(
        tmp_path: Path, pg_url: str, record_property: Callable[[str, object], None]) -> None:
    found = run(tmp_path / "home", pg_url, mails=MAILS)
    record_property("figures", found.line())
    assert fits(found, MAILS), found.line()
