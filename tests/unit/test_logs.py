"""Log lines: one JSON object each, ids and codes only, nothing of anybody else's message."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARIES, CANARY_NAME, CANARY_SIN

from capture import logs

PAGE = Path(__file__).parent.parent.parent / "docs" / "operators" / "monitoring.md"


class Lines:
    """What was logged through a formatter of ours."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    made = Lines()
    made.handler.setFormatter(logs.JsonFormatter())
    loggers = [logging.getLogger("mailweir.test"), logging.getLogger("somebody.else")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(made.handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    yield made
    for logger, (level, propagate) in zip(loggers, before, strict=True):
        logger.removeHandler(made.handler)
        logger.setLevel(level)
        logger.propagate = propagate


OURS = logging.getLogger("mailweir.test")
FOREIGN = logging.getLogger("somebody.else")


def test_a_line_has_time_level_event_and_the_fields_that_are_known(lines: Lines) -> None:
    with logs.bound(request="r1"):
        OURS.info("done", extra=logs.fields("capture:item:done", capture="c1", seconds=1.23456))
    (line,) = lines.json()
    assert line.pop("ts").endswith("Z")
    assert line == {"level": "info", "event": "capture:item:done", "request": "r1", "capture": "c1",
                    "seconds": 1.2346, "text": "done"}


def test_fields_bound_by_one_thread_do_not_show_in_another(lines: Lines) -> None:
    def work(number: int) -> None:
        with logs.bound(capture=f"c{number}"):
            barrier.wait(timeout=10)
            OURS.info("t%d", number)

    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {line["text"][1:]: line["capture"] for line in lines.json()} == {str(n): f"c{n}" for n in range(4)}


def test_what_others_say_is_not_repeated(lines: Lines) -> None:
    try:
        int(CANARY_SIN)
    except ValueError:
        FOREIGN.exception("mail of %s", CANARY_NAME)
        OURS.exception("step failed")
    first, second = lines.json()
    assert first["event"] == "foreign"
    assert first["at"].startswith("somebody test_logs.py:")
    assert "text" not in first
    assert first["error"].startswith("ValueError at test_logs.py:")
    assert second["error"] == first["error"]
    assert not any(canary in lines.stream.getvalue() for canary in CANARIES)


@pytest.mark.parametrize("value", [CANARY_NAME, CANARY_SIN, "two words", "x" * 200, ["list"], "a\nb", "naïve"])
def test_a_field_that_could_be_text_is_not_shown(lines: Lines, value: Any) -> None:
    with logs.bound(case=value):
        OURS.info("x", extra=logs.fields("e", code=value))
    (line,) = lines.json()
    assert (line["case"], line["code"]) == ("?", "?")


def test_a_field_nobody_listed_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        logs.fields("e", subject="x")


def test_a_line_stays_one_line(lines: Lines) -> None:
    OURS.warning("one\ntwo\r\x1b[31m\u2028three")
    text = lines.stream.getvalue()
    assert text.count("\n") == 1
    assert lines.json()[0]["text"] == "one two  [31m three"
    lines.handler.setFormatter(logs.TextFormatter())
    OURS.warning("one\ntwo")
    assert lines.stream.getvalue().count("\n") == 2


def test_for_a_person_the_same_facts_as_words(lines: Lines) -> None:
    lines.handler.setFormatter(logs.TextFormatter())
    OURS.info("done", extra=logs.fields("capture:item:done", capture="c1"))
    FOREIGN.warning("mail of %s", CANARY_NAME)
    ours, foreign = lines.stream.getvalue().splitlines()
    assert ours.endswith("Z info done capture=c1")
    assert " warning message of somebody at test_logs.py:" in foreign


def test_every_field_is_explained_for_operators() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in ("ts", "level", "event", "text", "at", "error", *logs.FIELDS)
            if f"| `{name}` |" not in page] == []


BEGUN = f"""
import io, logging, sys
from capture.logs import configure
standard, sys.stderr = sys.stderr, io.StringIO()
configure(style="text")
sys.stderr.close()
sys.stderr = standard
log = logging.getLogger("mailweir.test")
try:
    raise ValueError("{CANARY_SIN}")
except ValueError:
    log.error(*WORDS)
log.error("the next line")
"""


@pytest.mark.parametrize(("words", "count"), [
    pytest.param(("seen",), 2, id="standard error is another than when logging began"),
    pytest.param(("%s of %s", 1), 1, id="a line that cannot be made is left out"),
])
def test_what_cannot_be_logged_brings_no_traceback_with_it(words: tuple[str | int, ...], count: int) -> None:
    done = subprocess.run([sys.executable, "-c", BEGUN.replace("WORDS", repr(words))], capture_output=True, text=True,
                          timeout=60, check=True)
    assert CANARY_SIN not in done.stderr
    assert len(done.stderr.splitlines()) == count, done.stderr
    assert done.stderr.endswith("the next line\n")
