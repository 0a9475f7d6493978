"""The audit of a home: its signing key, its checkpoints, and what the commands say."""

from __future__ import annotations

import json
import logging
import sqlite3
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner
from world import World, make_world

from capture import auditing, desk
from capture.auditing import Checkpoints
from capture.wiring import opened
from cli import app
from store.checkpoints import read
from store.errors import AuditBroken


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "home")


def run(world: World, *words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*map(str, words), "--home", str(world.home)])
    return done.exit_code, done.output


def rewrite(world: World) -> None:
    """Make the chain anew as its owner can: fewer rows, everything fits in itself, checkpoints gone."""
    with sqlite3.connect(world.home / "mailweir.db") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM audit_checkpoint")
        connection.execute("DELETE FROM audit_event WHERE seq > 1")
        connection.execute("UPDATE audit_head SET count = 1, digest = (SELECT digest FROM audit_event)")
    connection.close()


def test_the_worker_signs_the_audit_and_the_second_place_gets_it(world: World) -> None:
    with opened(world.settings) as (database, _), Checkpoints(world.settings, database) as made:
        assert made.look() is None or made.look() is None
    [first] = read(world.home / "checkpoints.jsonl")
    assert (first.number, first.count) == (1, 2)
    assert run(world, "audit", "verify")[0] == 0


def test_a_key_is_made_by_init_and_only_its_owner_may_read_it(world: World) -> None:
    key = world.home / "checkpoint.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().startswith("mailweir-checkpoint-key 1\n")
    before = key.read_bytes()
    assert run(world, "init")[0] == 0
    assert key.read_bytes() == before


def test_verification_with_the_exported_file_and_public_key(world: World, tmp_path: Path) -> None:
    public, copy = tmp_path / "checkpoint.pub", tmp_path / "copy.jsonl"
    assert run(world, "audit", "key", "--out", public)[0] == 0
    code, said = run(world, "audit", "checkpoint", "--json")
    assert (code, json.loads(said)["number"]) == (0, 1)
    assert run(world, "audit", "checkpoint") == (0, "no row was added since the last checkpoint\n")
    copy.write_bytes((world.home / "checkpoints.jsonl").read_bytes())
    outside = ("audit", "verify", "--checkpoints", copy, "--public-key", public)
    assert run(world, *outside)[0] == 0

    rewrite(world)
    (world.home / "checkpoints.jsonl").unlink()
    code, said = run(world, "audit", "verify")
    assert code == 0, "inside the home nothing can tell any more"
    code, said = run(world, *outside)
    assert code == 1
    assert "rewritten" in said
    assert "not-in-database" in said
    code, said = run(world, *outside, "--json")
    assert code == 1
    assert not json.loads(said)["whole"]


def test_a_second_place_ahead_of_the_database_stops_the_signing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    assert auditing.make(world.settings) is not None
    rewrite(world)
    desk.verify_audit(world.settings)
    with pytest.raises(AuditBroken, match="second place"):
        auditing.make(world.settings)
    with opened(world.settings) as (database, _), caplog.at_level(logging.ERROR):
        looking = Checkpoints(world.settings, database)
        assert looking.look() is None
        assert looking.look() is None
    assert len([r for r in caplog.records if "second place" in r.getMessage()]) == 1, "said once"


def test_without_a_key_the_work_goes_on_unsigned(world: World, caplog: pytest.LogCaptureFixture) -> None:
    (world.home / "checkpoint.key").unlink()
    with opened(world.settings) as (database, _), caplog.at_level(logging.INFO):
        assert Checkpoints(world.settings, database).look() is None
    assert "no key to sign the audit" in caplog.text
    assert run(world, "audit", "verify")[0] == 0


@pytest.mark.parametrize("content", ["", "not a key\n", "mailweir-checkpoint-public-key 1\nAAAA\nid 0\n"])
def test_a_damaged_public_key_is_an_error(world: World, tmp_path: Path, content: str) -> None:
    public = tmp_path / "damaged.pub"
    public.write_text(content)
    done = CliRunner().invoke(app, ["audit", "verify", "--public-key", str(public), "--home", str(world.home)])
    assert getattr(done.exception, "code", "") == "checkpoints-unreadable"
