"""The terminal as other people script against it: names, forms, exit codes, and errors that help."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from world import mail, make_world

ROOT = Path(__file__).parent.parent.parent
PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}.\n"
BUSINESS = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30?\n"


def mailweir(*words: object, env: dict[str, str] | None = None,
             timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a person does."""
    return subprocess.run([sys.executable, "-m", "cli", *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                          timeout=timeout, env=os.environ | (env or {}), check=False)


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "clean.eml").write_bytes(mail("Course", BUSINESS))
    (folder / "personal.eml").write_bytes(mail("Registration", PERSONAL))
    (folder / "locked.eml").write_bytes(mail("Files", BUSINESS, attachments=(
        ("x.bin", "application/octet-stream", bytes(range(256)) * 20),)))
    return folder


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_scan_jsonl_has_the_published_form(mails: Path) -> None:
    done = mailweir("scan", mails, "--jsonl")
    assert done.returncode == 1
    rows = {row["id"]: row for row in lines(done.stdout)}
    assert {i: row["decision"] for i, row in rows.items()} == {"clean": "pass", "locked": "review", "personal": "block"}
    personal = rows["personal"]
    assert set(personal) == {"id", "decision", "categories", "findings", "unread", "policy"}
    assert {"government_id", "date_of_birth"} <= set(personal["categories"])
    assert set(personal["findings"][0]) == {"kind", "place", "count", "score"}
    assert personal["policy"].startswith("bc_foippa@")
    assert rows["locked"]["unread"] == [{"place": "attachment 1 of 1 (unknown)", "code": "unknown_type"}]


def test_scan_exits_0_when_all_pass_and_stores_nothing(mails: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = mailweir("scan", mails / "clean.eml")
    assert (done.returncode, done.stdout) == (0, "clean\tpass\t\t\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_scan_takes_an_mbox_message_by_message(mails: Path) -> None:
    box = mails / "all.mbox"
    box.write_bytes(b"From a@b Tue Mar  3 09:15:00 2026\n" + mail("Course", BUSINESS)
                    + b"\n\nFrom a@b Tue Mar  3 09:16:00 2026\n" + mail("Registration", PERSONAL))
    rows = lines(mailweir("scan", box, "--jsonl").stdout)
    assert [(r["id"], r["decision"]) for r in rows] == [("all#1", "pass"), ("all#2", "block")]


@pytest.mark.prints_content
def test_extract_json_has_the_published_form_and_says_that_it_prints_content(mails: Path) -> None:
    done = mailweir("extract", mails / "clean.eml", "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, result["status"]) == (0, "read")
    assert set(result["parts"][0]) == {"place", "type", "status", "code", "text"}
    assert "Thank you for the quote." in "".join(p["text"] for p in result["parts"])
    assert "prints the content" in done.stderr


def test_extract_refuses_to_run_in_the_service(mails: Path) -> None:
    done = mailweir("extract", mails / "personal.eml", env={"MAILWEIR_SERVICE": "1"})
    assert done.returncode == 2
    assert done.stderr.startswith("prints-content:")
    assert done.stdout == ""


def test_extract_refuses_when_its_output_goes_to_the_journal(mails: Path, tmp_path: Path) -> None:
    with (tmp_path / "journal").open("wb") as journal:
        status = os.fstat(journal.fileno())
        done = subprocess.run([sys.executable, "-m", "cli", "extract", str(mails / "personal.eml")], cwd=ROOT,
                              stdout=journal, stderr=subprocess.PIPE, text=True, check=False,
                              env=os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    assert done.returncode == 2
    assert (tmp_path / "journal").read_bytes() == b""


def test_a_home_from_init_to_delete(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert mailweir("init", "--home", home).returncode == 0
    assert (home / "master.key").stat().st_mode & 0o777 == 0o600
    assert (home / "mailweir.db").stat().st_mode & 0o777 == 0o600
    box = home / "mailboxes" / "dana.reid" / "Track in CRM"
    box.mkdir(parents=True)
    (box / "clean.eml").write_bytes(mail("Course", BUSINESS))
    (box / "personal.eml").write_bytes(mail("Registration", PERSONAL))
    contacts = tmp_path / "crm.csv"
    contacts.write_text("organisation,organisation_domain,first_name,last_name,email\n"
                        "Client,client.example.com,Rose,Antoine,rose@client.example.com\n")
    assert mailweir("crm", "import", contacts, "--home", home).returncode == 0

    assert json.loads(mailweir("capture", "run", "--once", "--json", "--home", home).stdout) == {
        "linked": 1, "held": 1, "gone": 0, "refused": 0, "cancelled": 0, "unfinished": 0}
    [case] = json.loads(mailweir("queue", "list", "--json", "--home", home).stdout)
    assert "government_id" in case["kinds"]
    shown = json.loads(mailweir("queue", "show", case["case"], "--json", "--home", home).stdout)
    assert shown["findings"]
    [activity] = json.loads(mailweir("crm", "list", "--json", "--home", home).stdout)
    assert activity["matched"] == "contact"
    assert json.loads(mailweir("crm", "show", activity["id"], "--json", "--home", home).stdout)["kind"] == "activity"
    assert mailweir("queue", "delete", case["case"], "--reason", "confirmed", "--home", home).returncode == 0
    assert mailweir("queue", "delete", case["case"], "--reason", "confirmed", "--home", home).returncode == 2
    assert json.loads(mailweir("queue", "list", "--json", "--home", home).stdout) == []
    verified = mailweir("audit", "verify", "--home", home)
    assert (verified.returncode, verified.stdout[:11]) == (0, "audit whole")
    shown = mailweir("audit", "show", "--json", "--last", "500", "--home", home).stdout
    events = {event["action"] for event in json.loads(shown)}
    assert {"quarantine:case:read", "quarantine:case:deleted", "crm:record:read", "capture:item:linked"} <= events
    doctor = mailweir("doctor", "--json", "--home", home)
    assert "fail" not in {c["result"] for c in json.loads(doctor.stdout)}, doctor.stdout


def test_init_again_changes_nothing_that_is_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    mailweir("init", "--home", home)
    (home / "settings.toml").write_text("[mailbox]\npoll_seconds = 9\n")
    key = (home / "master.key").read_bytes()
    assert mailweir("init", "--home", home).returncode == 0
    assert (home / "settings.toml").read_text() == "[mailbox]\npoll_seconds = 9\n"
    assert (home / "master.key").read_bytes() == key


def test_one_changed_byte_of_one_audit_row_is_named(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    mailweir("audit", "show", "--home", world.home)
    connection = sqlite3.connect(world.home / "mailweir.db")
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")  # what somebody who owns the file can do
    connection.execute("UPDATE audit_event SET actor = 'mailweiR' WHERE seq = 1")
    connection.commit()
    connection.close()
    done = mailweir("audit", "verify", "--home", world.home)
    assert done.returncode == 1
    assert done.stdout.startswith("audit-broken: row 1 does not fit (changed)")


def test_a_chain_rewritten_as_a_whole_is_found_by_an_anchor_kept_elsewhere(tmp_path: Path) -> None:
    world, other = make_world(tmp_path / "home"), make_world(tmp_path / "other")
    kept = json.loads(mailweir("audit", "verify", "--json", "--home", world.home).stdout)["anchor"]
    assert mailweir("audit", "verify", "--anchor", kept, "--home", world.home).returncode == 0
    assert mailweir("audit", "verify", "--anchor", kept, "--home", other.home).returncode == 1
    assert mailweir("audit", "verify", "--anchor", "yesterday", "--home", world.home).stderr.startswith("bad-anchor:")


# ------------------------------------------------------------------------------------------- bad input

def test_a_missing_home_says_what_to_do(tmp_path: Path) -> None:
    done = mailweir("queue", "list", "--home", tmp_path / "nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("no-home:")
    assert "mailweir init" in done.stderr


def test_the_wrong_master_key_is_told_at_once(tmp_path: Path) -> None:
    world, other = make_world(tmp_path / "home"), make_world(tmp_path / "other")
    (world.home / "master.key").write_bytes((other.home / "master.key").read_bytes())
    done = mailweir("capture", "run", "--once", "--home", world.home)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "key-wrong")


def test_a_lost_master_key_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    (world.home / "master.key").unlink()
    done = mailweir("init", "--home", world.home)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "key-missing")
    assert not (world.home / "master.key").exists()


def test_a_key_file_others_may_read_is_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    (world.home / "master.key").chmod(0o644)
    done = mailweir("queue", "list", "--home", world.home)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "key-unsafe")


@pytest.mark.parametrize(("text", "named"), [
    pytest.param("[mailbox]\npol_seconds = 9\n", "mailbox.pol_seconds", id="unknown setting"),
    pytest.param("[mailbox]\npoll_seconds = -1\n", "mailbox.poll_seconds", id="wrong value"),
    pytest.param("[mailbox\n", "not TOML", id="not TOML"),
    pytest.param("[mailbox]\nkind = 'imap'\n", "mailbox.kind", id="unknown backend"),
    pytest.param("[engine]\nconcurrency = 8\n[store]\npool_size = 20\n", "store.pool_size", id="pool rule"),
])
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    world = make_world(tmp_path / "home")
    (world.home / "settings.toml").write_text(text)
    done = mailweir("capture", "run", "--once", "--home", world.home)
    assert done.returncode == 2
    assert named in done.stderr


def test_a_locked_database_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home", "[store]\nbusy_seconds = 0.5\n")
    world.put("dana.reid", "m", mail("Course", BUSINESS))
    connection = sqlite3.connect(world.home / "mailweir.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    done = mailweir("queue", "list", "--home", world.home)
    connection.execute("ROLLBACK")
    connection.close()
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "database-locked")
    (world.home / "settings.toml").write_text("")
    assert json.loads(mailweir("capture", "run", "--once", "--json", "--home", world.home).stdout)["linked"] == 1


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    (world.home / "mailweir.db").write_bytes(b"this is not a database, it is a sentence of some length" * 100)
    for left in ("mailweir.db-wal", "mailweir.db-shm"):
        (world.home / left).unlink(missing_ok=True)
    done = mailweir("queue", "list", "--home", world.home)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "database-corrupt")


def test_a_missing_mailbox_folder_is_named(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    world.settings.mailbox_root.rmdir()
    done = mailweir("capture", "run", "--once", "--home", world.home)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "mailbox-unreachable")


@pytest.mark.parametrize(("name", "data", "outcome"), [
    pytest.param("empty", b"", "held", id="empty file"),
    pytest.param("junk", bytes(range(256)) * 400, "held", id="binary junk"),
    pytest.param("no-id", mail("Course", BUSINESS), "linked", id="without a Message-ID"),
    pytest.param("latin", mail("Course", BUSINESS).replace(b"Course", b"Caf\xe9"), "linked", id="not UTF-8"),
])
def test_strange_mail_ends_linked_or_held(tmp_path: Path, name: str, data: bytes, outcome: str) -> None:
    world = make_world(tmp_path / "home")
    world.put("dana.reid", name, data)
    done = mailweir("capture", "run", "--once", "--json", "--home", world.home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[outcome] == 1


def test_a_mail_of_50_megabytes_is_held_and_the_next_is_read(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    big = bytes(50_000_001)
    world.put("dana.reid", "big", mail("Course", BUSINESS, message_id="b@x.example", attachments=(
        ("big.bin", "application/octet-stream", big),)))
    world.put("dana.reid", "small", mail("Course", BUSINESS, message_id="s@x.example"))
    done = mailweir("capture", "run", "--once", "--json", "--home", world.home, timeout=300)
    assert json.loads(done.stdout) == {"linked": 1, "held": 1, "gone": 0, "refused": 0, "cancelled": 0, "unfinished": 0}


def test_a_folder_that_disappears_while_it_is_read_stops_nothing(tmp_path: Path) -> None:
    import shutil
    world = make_world(tmp_path / "home")
    for n in range(12):
        world.put("dana.reid", f"m{n}", mail(f"Course {n}", BUSINESS, message_id=f"{n}@x.example"))
        world.put("leaver", f"m{n}", mail(f"Other {n}", BUSINESS, message_id=f"o{n}@x.example"))

    def remove() -> None:
        while not world.rows("SELECT count(*) FROM capture")[0][0]:
            time.sleep(0.02)
        shutil.rmtree(world.settings.mailbox_root / "leaver")

    thread = threading.Thread(target=remove)
    thread.start()
    done = mailweir("capture", "run", "--once", "--json", "--home", world.home)
    thread.join()
    totals = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert totals["unfinished"] == totals["held"] == 0
    subjects = {row[0] for row in world.rows("SELECT subject FROM activity")}
    assert {f"Course {n}" for n in range(12)} <= subjects
    assert totals["linked"] + totals["gone"] >= 12


@pytest.mark.parametrize(("words", "code"), [
    (("scan", "nowhere.eml"), "bad-input"),
    (("scan", "--policy", "nowhere.toml", "README.md"), "bad-policy-pack"),
    (("extract", "nowhere.pdf"), "bad-input"),
    (("measure", "nowhere"), "bad-input"),
    (("measure", "docs"), "bad-corpus"),
    (("measure-extract", "docs"), "bad-input"),
])
def test_bad_words_get_a_code_and_exit_2(words: tuple[str, ...], code: str) -> None:
    done = mailweir(*words)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, code), done.stderr


def test_an_unforeseen_fault_does_not_print_its_message(tmp_path: Path) -> None:
    program = ("import capture.desk, cli, sys\n"
               "def broken(*a, **k): raise ValueError('130 692 544')\n"
               "capture.desk.list_cases = broken\n"
               f"sys.argv = ['mailweir', 'queue', 'list', '--home', {str(make_world(tmp_path / 'h').home)!r}]\n"
               "cli.main()\n")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("internal:")
    assert "ValueError" in done.stderr
    assert CANARY_SIN not in done.stderr


def test_help_loads_nothing_heavy() -> None:
    program = ("import sys, cli\n"
               "sys.argv = ['mailweir', '--help']\n"
               "try: cli.main()\n"
               "except SystemExit: pass\n"
               "heavy = {'spacy', 'presidio_analyzer', 'sqlmodel', 'sqlalchemy', 'dbos', 'numpy', 'lxml', 'rich'}\n"
               "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))\n")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Commands" in done.stdout
    assert done.stderr == ""


def test_scanning_an_empty_file_is_a_review_not_a_pass(tmp_path: Path) -> None:
    (tmp_path / "empty.eml").write_bytes(b"")
    done = mailweir("scan", tmp_path / "empty.eml", "--jsonl")
    assert done.returncode == 1
    assert lines(done.stdout)[0]["unread"] == [{"place": "item", "code": "no_text"}]


def test_a_list_keeps_hashes_only_and_holds_what_is_on_it(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    values = tmp_path / "students.txt"
    values.write_text("70413388\n70413399\n")
    assert mailweir("lists", "load", values, "--name", "students", "--category", "education_record",
                    "--home", world.home).returncode == 0
    kept = (world.home / "lists" / "students.json").read_text()
    assert "70413388" not in kept
    listed = json.loads(mailweir("lists", "list", "--json", "--home", world.home).stdout)
    assert listed == [{"name": "students", "kind": "number", "category": "education_record", "values": 2}]
    (tmp_path / "hit.eml").write_bytes(mail("Re: rooms", "See the note on 7041 3388 when you can.\n"))
    (tmp_path / "near.eml").write_bytes(mail("Re: rooms", "See the note on 7041 3389 when you can.\n"))
    found = mailweir("scan", tmp_path / "hit.eml", tmp_path / "near.eml", "--jsonl", "--home", world.home)
    assert [row["decision"] for row in lines(found.stdout)] == ["block", "pass"]
    assert mailweir("lists", "remove", "students", "--home", world.home).returncode == 0
    assert mailweir("lists", "remove", "students", "--home", world.home).returncode == 2


def test_a_registered_form_is_recognised_when_it_is_filled(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    labels = ("Applicant", "Intake number", "Preferred site", "Fitness statement", "Accommodation wanted")
    blank = tmp_path / "form.txt"
    blank.write_text("".join(f"{label}: ____\n" for label in labels))
    assert mailweir("forms", "register", blank, "--name", "intake", "--category", "health",
                    "--home", world.home).returncode == 0
    assert json.loads(mailweir("forms", "list", "--json", "--home", world.home).stdout)[0]["name"] == "intake"
    (tmp_path / "blank.eml").write_bytes(mail("Form", blank.read_text()))
    filled = "".join(f"{label}: north {n}\n" for n, label in enumerate(labels))
    (tmp_path / "filled.eml").write_bytes(mail("Form", filled))
    found = mailweir("scan", tmp_path / "blank.eml", tmp_path / "filled.eml", "--jsonl", "--home", world.home)
    assert [row["decision"] for row in lines(found.stdout)] == ["pass", "block"]


@pytest.mark.parametrize("words", [
    ("lists", "load", "README.md", "--name", "Bad Name", "--category", "health"),
    ("lists", "load", "README.md", "--name", "ok", "--category", "nonsense"),
])
def test_a_list_with_a_bad_name_or_category_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = mailweir(*words, "--home", make_world(tmp_path / "home").home)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "bad-name")
