"""The whole road with real parts: a tagged mail ends linked or held, and nothing personal stays in words."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from canaries import CANARIES, CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from mailboxes import calendar_file
from smtp_server import Inbox
from world import World, mail, make_world

from capture import desk, jobs, pipeline, watch, worker
from capture.errors import StepFailed, TryLater
from capture.mailbox.filemarks import categories, ics_categories
from capture.ports import ItemKind
from capture.wiring import assembled
from store import ledger

PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}.\n"
BUSINESS = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30 in the usual room?\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "home")


def run(world: World) -> dict[str, int]:
    return worker.run(world.settings, once=True)


def test_business_mail_is_linked_and_personal_mail_is_held(world: World) -> None:
    clean = world.put("dana.reid", "clean", mail("Course dates", BUSINESS, message_id="c1@client.example.com"))
    personal = world.put("dana.reid", "personal", mail("Registration", PERSONAL, message_id="p1@client.example.com"))
    untagged = world.put("dana.reid", "other", mail("Lunch", "See you at noon.\n"), folder="Inbox")

    assert run(world) == {"linked": 1, "held": 1, "gone": 0, "refused": 0, "cancelled": 0, "unfinished": 0}

    assert categories(clean.read_bytes()) == ["CRM: linked"]
    assert categories(personal.read_bytes()) == ["CRM: held"]
    assert categories(untagged.read_bytes()) == []
    assert [r[0] for r in world.rows("SELECT subject FROM activity")] == ["Course dates"]
    [notice] = world.notices()
    assert notice["to"] == "dana.reid@example.org"
    assert "government or health number" in notice["text"]
    assert "Registration" not in notice["text"] + notice["subject"], "a subject line is content"
    assert desk.verify_audit(world.settings)["whole"]


def test_no_canary_is_left_in_any_file_of_the_home(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    roster = "\n".join(["Name,Date of birth,SIN", *(f"{CANARY_NAME},{CANARY_BIRTH},{CANARY_SIN}" for _ in range(5))])
    world.put("dana.reid", "body", mail(f"About {CANARY_NAME}", PERSONAL, message_id="p1@client.example.com"))
    world.put("dana.reid", f"{CANARY_NAME} roster", mail(
        "Roster", "See attached.\n", message_id=f"{CANARY_SIN}@x.example",
        attachments=((f"{CANARY_NAME}.csv", "text/csv", roster.encode()),)))
    assert run(world)["held"] == 2
    files = world.stored_bytes()
    assert {"mailweir.db", "notices.jsonl", "settings.toml", "master.key"} <= set(files)
    for name, data in files.items():
        for canary in CANARIES:
            for form in (canary, canary.replace(" ", ""), canary.replace(" ", "-")):
                assert form.encode() not in data, f"a canary lies in {name}"


@pytest.mark.parametrize(("name", "kind", "data", "code"), [
    pytest.param("notes.bin", "application/octet-stream", bytes(range(256)) * 40, "unknown_type", id="unknown binary"),
    pytest.param("broken.docx", "application/octet-stream", b"PK\x03\x04" + b"\x00" * 400, "corrupt", id="broken docx"),
])
def test_what_cannot_be_read_is_held_with_its_reason(world: World, name: str, kind: str, data: bytes,
                                                     code: str) -> None:
    world.put("dana.reid", "m", mail("Files", BUSINESS, attachments=((name, kind, data),)))
    assert run(world)["held"] == 1
    [case] = desk.list_cases(world.settings)
    assert (case["verdict"], case["unread"]) == ("review", [code])
    assert code in world.notices()[0]["text"]


def test_personal_data_deep_inside_a_zip_is_found(world: World) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner.eml", mail("fwd", PERSONAL))
    attached = ("files.zip", "application/zip", packed.getvalue())
    world.put("dana.reid", "m", mail("Files", BUSINESS, attachments=(attached,)))
    assert run(world)["held"] == 1
    shown = desk.show_case(world.settings, desk.list_cases(world.settings)[0]["case"])
    assert any(f["kind"] == "government_id" and f["place"].startswith("attachment 1 of 1 (zip), member 1")
               for f in shown["findings"])


def test_one_activity_however_many_people_track_the_mail(world: World) -> None:
    raw = mail("Course dates", BUSINESS, message_id="c1@client.example.com")
    for user in ("dana.reid", "marcus.lee", "priya.nair"):
        world.put(user, "same", b"Received: by " + user.encode() + b"\r\n" + raw)
    assert run(world)["linked"] == 3
    assert world.rows("SELECT count(*) FROM activity") == [(1,)]
    assert sorted(r[0] for r in world.rows("SELECT tracker FROM activity_tracker")) == [
        "dana.reid", "marcus.lee", "priya.nair"]


def test_a_second_tracker_of_held_mail_joins_the_case(world: World) -> None:
    raw = mail("Registration", PERSONAL, message_id="p1@client.example.com")
    for user in ("dana.reid", "marcus.lee"):
        world.put(user, "same", raw)
    assert run(world)["held"] == 2
    [case] = desk.list_cases(world.settings)
    assert case["trackers"] == 2
    assert sorted(n["to"] for n in world.notices()) == ["dana.reid@example.org", "marcus.lee@example.org"]


def test_taking_the_personal_part_out_and_tagging_again_links(world: World) -> None:
    raw = mail("Registration", PERSONAL, message_id="p1@client.example.com")
    path = world.put("dana.reid", "m", raw, folder="Inbox")
    path.write_bytes(b"Keywords: Track in CRM\r\n" + path.read_bytes())
    assert run(world)["held"] == 1
    path.write_bytes(b"Keywords: Track in CRM\r\n" + mail("Registration", BUSINESS, message_id="p1@client.example.com"))
    assert run(world) == {"linked": 1, "held": 1, "gone": 0, "refused": 0, "cancelled": 0, "unfinished": 0}
    assert categories(path.read_bytes()) == ["CRM: linked"]


def test_mail_without_a_message_id_is_one_item_all_the_same(world: World) -> None:
    raw = mail("Course dates", BUSINESS)
    world.put("dana.reid", "a", raw)
    world.put("marcus.lee", "b", raw)
    assert run(world)["linked"] == 2
    assert world.rows("SELECT count(*) FROM activity") == [(1,)]


def test_release_links_and_delete_destroys(world: World) -> None:
    for n in (1, 2):
        world.put("dana.reid", f"m{n}", mail(f"R{n}", PERSONAL + f"Call {n}", message_id=f"p{n}@client.example.com"))
    run(world)
    first, second = (c["case"] for c in desk.list_cases(world.settings))
    assert "released and linked for 1 tracker" in desk.release_case(world.settings, first, reason="false-positive")
    assert "deleted" in desk.delete_case(world.settings, second, reason="confirmed")
    assert world.rows("SELECT count(*) FROM activity") == [(1,)]
    assert world.rows("SELECT count(*) FROM blob WHERE content IS NOT NULL") == [(0,)]
    assert desk.list_cases(world.settings) == []
    assert desk.verify_audit(world.settings)["whole"]


def test_a_reason_that_could_be_content_is_refused(world: World) -> None:
    with pytest.raises(desk.BadReason):
        desk.release_case(world.settings, "MW-2026-000001", reason="he is not ill")


def test_a_held_item_is_told_by_mail_through_a_real_server(tmp_path: Path, smtp_inbox: Inbox) -> None:
    world = make_world(tmp_path / "home", f"""
[mailbox]
domain = "example.org"
[notify]
kind = "smtp"
host = "127.0.0.1"
port = {smtp_inbox.port}
tls = "none"
sender = "mailweir@example.org"
""")
    world.put("dana.reid", "m", mail("Registration", PERSONAL))
    assert run(world)["held"] == 1
    [told] = smtp_inbox.mails
    assert told.rcpt_tos == ["dana.reid@example.org"]
    assert isinstance(told.content, bytes)
    assert b"Held for privacy review: case MW-" in told.content
    for canary in CANARIES:
        assert canary.encode() not in told.content


def test_appointments_and_tasks_of_the_folder_mailbox_are_captured_as_what_they_are(world: World) -> None:
    for kind, folder in ((ItemKind.APPOINTMENT, "Calendar"), (ItemKind.TASK, "Tasks")):
        raw = calendar_file(kind, "Plan review", "Bring the plan.", f"{kind}@example.org")
        path = world.settings.mailbox_root / "dana.reid" / folder / "x.ics"
        path.parent.mkdir(parents=True)
        path.write_bytes(raw.replace(b"UID:", b"CATEGORIES:Track in CRM\r\nUID:"))
    assert run(world)["linked"] == 2
    assert sorted(world.rows("SELECT type, subject, body FROM activity")) == [
        ("appointment", "Plan review",
         "Starts: 2026-03-09 16:30 UTC\nEnds: 2026-03-09 17:30 UTC\nBring the plan."),  # moved, it has other content
        ("task", "Plan review", "Due: 2026-03-20 00:00 UTC\nBring the plan.")]
    for path in world.settings.mailbox_root.rglob("*.ics"):
        assert ics_categories(path.read_bytes()) == ["CRM: linked"]


def test_the_worker_watches_until_it_is_told_to_stop(world: World) -> None:
    """A mail that arrives while the worker runs is taken without a restart; SIGTERM ends it cleanly."""
    process = subprocess.Popen([sys.executable, "-m", "cli", "capture", "run", "--json", "--home", str(world.home)],
                               cwd=Path(__file__).parent.parent.parent, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        path = world.put("dana.reid", "late", mail("Course", BUSINESS))
        end = time.monotonic() + 60
        while categories(path.read_bytes()) != ["CRM: linked"] and time.monotonic() < end:
            time.sleep(0.1)
        process.terminate()
        out, _ = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 0
    assert json.loads(out)["linked"] == 1


class Recorder:
    """A step runner that notes the order and then does the step."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name, function):  # type: ignore[no-untyped-def]
        self.names.append(name)
        return function()


def captured(world: World, tools: object) -> str:
    """Register the one tagged item and return the capture's id."""
    watch.Watch(tools, lambda _session, _capture: None).look()  # type: ignore[arg-type]
    with tools.database.reading() as session:  # type: ignore[attr-defined]
        return ledger.unfinished(session)[0].id


@pytest.mark.parametrize(("body", "order"), [
    (BUSINESS, ["track", "examine", "decide", "link", "mark", "notify"]),
    (PERSONAL, ["track", "examine", "decide", "mark", "notify"]),
])
def test_the_order_of_steps(world: World, body: str, order: list[str]) -> None:
    world.put("dana.reid", "m", mail("S", body))
    with assembled(world.settings) as tools:
        recorder = Recorder()
        pipeline.capture_item(captured(world, tools), tools, recorder)
    assert recorder.names == order


def test_every_step_may_be_repeated(world: World) -> None:
    world.put("dana.reid", "m", mail("S", BUSINESS))

    def twice(name, function):  # type: ignore[no-untyped-def]
        function()
        return function()

    with assembled(world.settings) as tools:
        assert pipeline.capture_item(captured(world, tools), tools, twice) == "link"
    assert world.rows("SELECT count(*) FROM activity") == [(1,)]
    assert world.rows("SELECT state FROM capture") == [("notified",)]


@pytest.mark.parametrize("where", ["examine", "decide", "link"])
def test_a_step_that_gives_up_holds_the_item(world: World, where: str) -> None:
    world.put("dana.reid", "m", mail("S", BUSINESS))

    def failing(name, function):  # type: ignore[no-untyped-def]
        if name == where:
            raise StepFailed("planted-fault")
        return function()

    with assembled(world.settings) as tools:
        assert pipeline.capture_item(captured(world, tools), tools, failing) == "hold"
    assert world.rows("SELECT count(*) FROM activity") == [(0,)]
    assert world.rows("SELECT reason FROM quarantine_case") == [("planted-fault",)]


def test_a_mailbox_that_cannot_be_marked_does_not_change_the_outcome(world: World) -> None:
    world.put("dana.reid", "m", mail("S", PERSONAL))
    with assembled(world.settings) as tools:
        def refuse(*_: object) -> None:
            raise TryLater
        object.__setattr__(tools.mailbox, "mark", refuse)
        assert pipeline.capture_item(captured(world, tools), tools) == "hold"
    assert world.rows("SELECT state, outcome FROM capture") == [("notified", "hold")]


def test_an_item_that_moved_before_it_was_fetched_is_found_where_it_is(world: World) -> None:
    path = world.put("dana.reid", "m", mail("S", BUSINESS))
    with assembled(world.settings) as tools:
        capture = captured(world, tools)
        moved = path.parent / "Later" / "m.eml"
        moved.parent.mkdir()
        path.rename(moved)
        assert pipeline.capture_item(capture, tools) == "link"
    assert categories(moved.read_bytes()) == ["CRM: linked"]
    assert run(world) == {"linked": 1, "held": 0, "gone": 0, "refused": 0, "cancelled": 0, "unfinished": 0}


def test_an_item_that_was_deleted_before_it_was_fetched_is_gone(world: World) -> None:
    path = world.put("dana.reid", "m", mail("S", BUSINESS))
    with assembled(world.settings) as tools:
        capture = captured(world, tools)
        path.unlink()
        assert pipeline.capture_item(capture, tools) == "gone"


def test_a_notice_that_cannot_be_sent_waits_and_goes_out_later(world: World) -> None:
    world.put("dana.reid", "m", mail("S", PERSONAL))
    log = world.home / "notices.jsonl"
    log.mkdir()  # writing the notice fails
    assert run(world)["held"] == 1
    assert world.rows("SELECT state FROM notice") == [("pending",)]
    log.rmdir()
    world_connection_update(world)
    run(world)
    assert len(world.notices()) == 1


def world_connection_update(world: World) -> None:
    """Make the waiting notice due now."""
    import sqlite3
    connection = sqlite3.connect(world.home / "mailweir.db")
    connection.execute("UPDATE notice SET due = '2020-01-01 00:00:00.000000'")
    connection.commit()
    connection.close()


def test_the_model_missing_holds_everything_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from capture import wiring
    from pii_scan.errors import ModelMissing

    def missing(_: object) -> None:
        raise ModelMissing

    monkeypatch.setattr(wiring, "build_scanner", missing)
    world.put("dana.reid", "m", mail("S", BUSINESS))
    assert run(world)["held"] == 1
    assert world.rows("SELECT reason FROM quarantine_case") == [("model-missing",)]


def test_a_capture_that_cannot_even_be_held_is_parked_until_somebody_says_so(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("planted")

    world.put("dana.reid", "m", mail("S", BUSINESS))
    with monkeypatch.context() as broken_for_now:
        broken_for_now.setattr(pipeline, "examine", broken)
        broken_for_now.setattr(pipeline, "hold", broken)
        assert run(world)["unfinished"] == 1
    parked = jobs.listed(world.settings, dead=True)
    assert [(job["state"], job["error"], job["attempts"]) for job in parked["jobs"]] == [("parked", "internal", 5)]
    assert run(world)["unfinished"] == 1
    assert jobs.retry(world.settings, [parked["jobs"][0]["id"][:20]], actor="op") == [parked["jobs"][0]["id"]]
    assert (run(world)["linked"], jobs.listed(world.settings)["jobs"]) == (1, [])
