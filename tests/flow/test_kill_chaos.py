"""Workers killed, frozen and cut off from their database lose nothing and double nothing.

`python -m tests.benchmarks.chaos` does it with many mails.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos import Plan, prepared
from postgres import PostgresServer, Server


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_workers_killed_frozen_and_cut_off_finish_every_item_once(
        kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server: Server | None = request.getfixturevalue("pg_server") if kind == "postgres" else None
    own = server if isinstance(server, PostgresServer) else None
    if server is not None and own is None:
        pytest.skip("the given server cannot be restarted by a test")
    # few enough kills that even a slow machine gets further than the first item between two of them
    plan = Plan(items=30, workers=2, seed=3, kill_every=(3.0, 6.0), kills=8, lease=3.0, patience=240)
    with prepared(tmp_path / "home", plan, own) as chaos:
        outcome = chaos.run()
    assert outcome.problems == []
    assert outcome.kills >= 1, "everything was done before anything could be killed"
    assert outcome.held_by_error == 0
