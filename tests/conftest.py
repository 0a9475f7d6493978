"""Shared fixtures: a clean environment for every test, and canaries that may turn up nowhere."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "servers"))
sys.path.insert(0, str(Path(__file__).parent / "support"))

from canaries import CANARIES
from postgres import NoPostgres, Server
from postgres import serving as serving_postgres
from smtp_server import Inbox, serving


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine reaches a test, and no test reaches the user's home."""
    for name in list(os.environ):
        if name.startswith("MAILWEIR_") and name != "MAILWEIR_CONFORMANCE_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("MAILWEIR_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def no_canary_in_words(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
                       request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose log or output holds a planted canary (marker `prints_content` excepts it)."""
    yield
    if request.node.get_closest_marker("prints_content"):
        return
    out, err = capfd.readouterr()
    for canary in CANARIES:
        assert canary not in out, "a canary was printed"
        assert canary not in err, "a canary was printed to standard error"
        assert canary not in caplog.text, "a canary was logged"


@pytest.fixture
def smtp_inbox() -> Iterator[Inbox]:
    """A real SMTP server on loopback."""
    with serving() as inbox:
        yield inbox


@pytest.fixture(scope="session")
def pg_server() -> Iterator[Server]:
    """A real PostgreSQL server for the whole run. Missing, it is a failure where CI is set, else a skipped test."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(serving_postgres())
        except NoPostgres as why:
            if os.environ.get("CI"):
                pytest.fail(str(why))
            pytest.skip(str(why))
        yield server


@pytest.fixture
def pg_url(pg_server: Server) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database with our schema, dropped after the test."""
    with pg_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database for one test, which runs on both kinds: a SQLite file in `tmp_path`, PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'mailweir.db'}"
    url: str = request.getfixturevalue("pg_url")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """As `store_url`, without our schema: no file yet, or an empty PostgreSQL database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'mailweir.db'}"
        return
    server: Server = request.getfixturevalue("pg_server")
    with server.database(empty=True) as url:
        yield url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded as `figures`, also those that ran in another process."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "figures" and getattr(report, "when", "") == "call":
                    terminalreporter.write_line(f"\n{text}")
