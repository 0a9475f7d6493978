"""What processes count about themselves, and how the figures of several come together."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capture.errors import StepFailed, TryLater
from capture.meter import BUCKETS, FOLDER, METER, Figures, Meter, merged, published
from capture.steps import directly


def test_a_duration_lands_in_its_bucket_and_an_unknown_label_in_other() -> None:
    meter = Meter()
    for seconds in (0.005, 0.0051, 500.0):
        meter.observe("step", seconds, "examine")
    meter.observe("step", 1, "a subject line")
    meter.count("child", "a file name")
    figures = meter.figures()
    assert {label for _, label in figures.durations} == {"examine", "other"}
    assert figures.counts == {("child", "other"): 1}
    spread = figures.durations["step", "examine"]
    assert (spread.buckets[0], spread.buckets[1], spread.buckets[-1]) == (1, 1, 1)
    assert len(spread.buckets) == len(BUCKETS) + 1


def test_steps_are_metered_also_when_they_fail() -> None:
    def later() -> None:
        raise TryLater("x")

    before = METER.figures().counts.get(("step_failed", "link"), 0)
    with pytest.raises(StepFailed):
        directly("link", later)
    after = METER.figures()
    assert after.counts["step_failed", "link"] == before + 1
    assert sum(after.durations["step", "link"].buckets) >= 1


def test_figures_survive_a_round_trip() -> None:
    meter = Meter()
    meter.observe("scan", 0.3)
    meter.count("child", "timeout")
    again = Figures.from_json(meter.figures().to_json())
    assert (again.durations, again.counts) == (meter.figures().durations, meter.figures().counts)


CHILD = """
import sys, time
from pathlib import Path
from capture.meter import Meter, published
meter = Meter()
meter.observe("scan", 0.3)
with published(Path(sys.argv[1]), meter, every=0.05):
    print("up", flush=True)
    sys.stdin.readline()
"""


def test_figures_of_another_process_are_added_until_it_ends_or_is_killed(tmp_path: Path) -> None:
    mine = Meter()
    mine.observe("scan", 0.1)

    def start() -> subprocess.Popen[str]:
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        until = time.monotonic() + 10
        while not list((tmp_path / FOLDER).glob("*.json")) and time.monotonic() < until:
            time.sleep(0.02)
        return child

    with start() as child:
        figures, others = merged(tmp_path, mine)
        assert (sum(figures.durations["scan", ""].buckets), others) == (2, 1)
        child.communicate("end\n", timeout=10)
    assert merged(tmp_path, mine)[1] == 0
    with start() as child:
        child.kill()
        child.communicate(timeout=10)
    assert list((tmp_path / FOLDER).glob("*.json"))
    assert merged(tmp_path, mine)[1] == 0
    assert list((tmp_path / FOLDER).glob("*.json")) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"durations": [["nonsense", "", 1, []]], "counts": []}'])
def test_a_file_of_another_version_is_passed_over(tmp_path: Path, text: str) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / f"meter-{os.getppid()}.json").write_text(text)
    assert merged(tmp_path, Meter()) == (Figures(), 0)


def test_a_home_that_cannot_be_written_costs_the_figures_only(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in the way")
    with published(tmp_path, Meter(), every=0.01):
        time.sleep(0.05)
    assert merged(tmp_path, Meter()) == (Figures(), 0)
