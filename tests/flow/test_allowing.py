"""From a released case to a rule in force: real scanner, real reader, real commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from register import enter
from typer.testing import CliRunner
from world import World, mail, make_world

from capture.desk import delete_now, release_now
from capture.wiring import opened
from capture.worker import run
from cli import app
from pii_scan.errors import MailweirError
from store.access import Role

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SIN = "130 692 544"
BODY = f"Our invoice number is SIN {SIN} and the order is ready."


def command(world: World, *words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--home", str(world.home), "--json"], catch_exceptions=True)
    if isinstance(result.exception, MailweirError):
        raise result.exception
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(tmp_path / "home")
    with opened(made.settings) as (db, _), db.session() as s:
        enter(s, "dana.reid", Role.STAFF)
        enter(s, "vera", Role.REVIEWER)
        enter(s, "milan", Role.REVIEWER, division="south")
        enter(s, "ines", Role.PRIVACY_OFFICER)
    return made


def track(world: World, name: str, body: str = BODY) -> str:
    """Tag a mail and work; returns the number of its case, "" when it was linked."""
    world.put("dana.reid", name, mail("About the file", body, message_id=f"{name}@client.example.com"))
    run(world.settings, once=True)
    rows = world.rows("SELECT number FROM quarantine_case WHERE state = 'held' ORDER BY number DESC")
    return str(rows[0][0]) if rows else ""


def test_a_false_positive_becomes_a_rule_and_the_next_mail_passes(world: World) -> None:
    wrong = track(world, "first")
    confirmed = track(world, "second", f"The SIN of my son is {SIN}, born 3 March 2012.")
    assert wrong
    assert confirmed > wrong
    release_now(world.settings, wrong, reason="false-positive", actor="")
    found = command(world, "policy", "allow", "candidates", wrong, "--actor", "vera@example.org")
    number = next(row["number"] for row in found if "value" in row["kinds"])
    assert SIN not in json.dumps(found)

    with pytest.raises(MailweirError, match="allow-refused"):  # the case is not released
        command(world, "policy", "allow", "propose", confirmed, "--finding", "1", "--by", "value",
                "--actor", "vera@example.org")
    with pytest.raises(MailweirError, match="not-allowed"):  # another division's
        command(world, "policy", "allow", "propose", wrong, "--finding", str(number), "--by", "value",
                "--actor", "milan@example.org")
    with pytest.raises(MailweirError, match="unknown-actor"):
        command(world, "policy", "allow", "propose", wrong, "--finding", str(number), "--by", "value",
                "--actor", "somebody")
    rule = command(world, "policy", "allow", "propose", wrong, "--finding", str(number), "--by", "value",
                   "--actor", "vera@example.org")
    assert (rule["rule"], rule["state"], rule["scope"], rule["case"]) == ("AL-00001", "proposed", "north", wrong)

    tried = command(world, "policy", "backtest", "AL-00001", "--actor", "vera@example.org")
    assert (tried["confirmed"], tried["red"]) == (0, False)
    with pytest.raises(MailweirError, match="not-allowed"):
        command(world, "policy", "allow", "approve", "AL-00001", "--actor", "vera@example.org")
    assert track(world, "third") != "", "a proposal changes nothing"
    held = command(world, "policy", "backtest", "AL-00001", "--actor", "ines@example.org")
    assert held["would_pass"] == 2, "the released one and the mail that waits would pass"
    approved = command(world, "policy", "allow", "approve", "AL-00001", "--actor", "ines@example.org")
    assert approved["state"] == "in-force"

    before = world.rows("SELECT COUNT(*) FROM quarantine_case")[0][0]
    world.put("dana.reid", "fourth", mail("About the file", BODY + " Thanks.", message_id="fourth@client.example.com"))
    assert run(world.settings, once=True)["linked"] >= 1
    assert world.rows("SELECT COUNT(*) FROM quarantine_case")[0][0] == before
    summaries = [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in world.rows(
        "SELECT summary FROM capture WHERE outcome = 'link' ORDER BY created")]
    assert any(line["exempt"] == "allow:AL-00001" for line in summaries[-1]["exempt"])
    assert command(world, "policy", "allow", "list")[0]["used"] == 1

    command(world, "policy", "allow", "withdraw", "AL-00001", "--actor", "vera@example.org", "--reason", "not-needed")
    assert command(world, "policy", "allow", "list") == []
    world.put("dana.reid", "fifth", mail("About the file", BODY + " Bye.", message_id="fifth@client.example.com"))
    run(world.settings, once=True)
    assert world.rows("SELECT COUNT(*) FROM quarantine_case")[0][0] == before + 1, "withdrawn, it is held again"
    delete_now(world.settings, confirmed, reason="confirmed", actor="")
    assert command(world, "policy", "backtest", "AL-00001")["gone"] >= 1
    for name, raw in world.stored_bytes().items():
        assert SIN.encode() not in raw or name.endswith(".db"), name
