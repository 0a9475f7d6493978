"""What operators read at the terminal: first lines of help, and errors that name what to do."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner
from world import make_world

from capture import desk, doctor, jobs, mailboxes
from capture.demo.items import CRM_FILE
from capture.demo.show import run_demo
from capture.errors import BadInput
from cli import app
from pii_scan.errors import MailweirError

ROOT = Path(__file__).parent.parent.parent
GROUPS = ["", *sorted(name for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
                      if isinstance(command, click.Group) or hasattr(command, "commands"))]


@pytest.mark.parametrize("group", GROUPS)
def test_no_first_line_of_a_help_is_cut_at_80_columns(group: str) -> None:
    said = CliRunner().invoke(app, [*group.split(), "--help"], env={"COLUMNS": "80"}, terminal_width=80).output
    assert "Commands:" in said
    assert [line for line in said.partition("Commands:")[2].splitlines() if line.endswith("...")] == []


def test_every_page_an_error_or_a_setting_points_to_is_there() -> None:
    sources = [path for room in ("capture", "store", "addin", "pii_scan") for path in (ROOT / room).rglob("*.py")]
    named = {page for path in [*sources, ROOT / "cli.py"]
             for page in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))}
    assert len(named) > 3
    assert sorted(page for page in named if not (ROOT / page).exists()) == []


def test_a_folder_is_bound_only_to_a_record_that_is_there(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    (world.settings.mailbox_root / "dana.reid" / "Inbox").mkdir(parents=True, exist_ok=True)
    with pytest.raises(mailboxes.BadRecord, match="no organisation of this id"):
        mailboxes.bind(world.settings, "dana.reid", "Inbox", "organisation:nobody")
    desk.import_crm(world.settings, CRM_FILE)
    known = desk.list_crm(world.settings, "organisations")[0]["id"]
    assert "tracked" in mailboxes.bind(world.settings, "dana.reid", "Inbox", f"organisation:{known}")


def test_doctor_names_mailboxes_whose_backend_is_not_set_up(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    mailboxes.add(world.settings, "vera@example.org", backend="graph")
    found = {check.name: check for check in doctor.examine(world.settings.home)}
    assert found["mailboxes not served"].result == "fail"
    assert "graph.tenant" in found["mailboxes not served"].detail
    assert "vera" not in found["mailboxes not served"].detail


def test_retrying_nothing_is_an_error(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    caught = CliRunner().invoke(app, ["jobs", "retry", "--home", str(world.settings.home)]).exception
    assert isinstance(caught, jobs.NoJobNamed)
    assert isinstance(caught, MailweirError)


def test_a_demo_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="NotADirectoryError"):
        run_demo(tmp_path / "file" / "demo")
