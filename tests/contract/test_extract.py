"""The promises of an extractor: never an exception, never "read" for what was not, and a cage that holds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bombs
import pytest
from canaries import CANARIES
from pictures import inline_mail, noise_picture, written_picture

from capture.extract import READERS, SandboxedExtractor
from capture.extract.limits import Limits
from capture.extract.pool import Server, Task
from pii_scan.text import REASON_CODES, Extraction

PLACE = re.compile(r"[a-z0-9 ,()/-]*")


@pytest.fixture(scope="module")
def extractor() -> Iterator[SandboxedExtractor]:
    with SandboxedExtractor(Limits(cpu_seconds=4, file_seconds=6, item_seconds=20), ocr=False) as extractor:
        yield extractor


def text(extraction: Extraction) -> str:
    return "\n".join(part.text() for part in extraction.parts)


# the result


ITEMS = [
    pytest.param(bombs.mail(), "read", id="mail"),
    pytest.param(bombs.mail(b"x\r\n", ("a.zip", bombs.zipped({"b.docx": bombs.docx_of("deep words")}))), "read",
                 id="document in an archive in a mail"),
    pytest.param(bombs.mail(b"x\r\n", ("a.zip", bombs.encrypted_zip())), "held", id="encrypted archive"),
    pytest.param(bombs.random_bytes(5_000), "held", id="noise"),
    pytest.param(b"", "held", id="nothing"),
    pytest.param(b"\r\n\r\n", "held", id="only line ends"),
]


@pytest.mark.parametrize(("raw", "outcome"), ITEMS)
def test_every_part_says_what_became_of_it(raw: bytes, outcome: str, extractor: SandboxedExtractor) -> None:
    extraction = extractor.extract(raw)
    assert (extraction.status == "read") == (outcome == "read")
    for part in extraction.parts:
        assert PLACE.fullmatch(part.place), part.place
        assert part.kind in READERS or part.kind in ("unknown", "empty", "headers", "ole", "p7s")
        assert (part.code in REASON_CODES) == (part.status != "read")
        assert part.millis >= 0
    assert [unread.place for unread in extraction.unread] == [p.place for p in extraction.parts if p.status != "read"]


@pytest.mark.parametrize("kind", ["doc", "docx", "msg", "odp", "ods", "odt", "pdf", "ppt", "pptx", "rtf", "xls",
                                  "xlsx"])
@pytest.mark.parametrize("damage", ["noise after the magic", "cut short"])
def test_damaged_files_of_every_format_are_unread(kind: str, damage: str, extractor: SandboxedExtractor) -> None:
    magic = {"pdf": b"%PDF-1.7\n", "rtf": b"{\\rtf1 \\bin99999999 "}.get(
        kind, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" if kind in ("doc", "xls", "ppt", "msg") else b"PK\x03\x04")
    raw = magic + (bombs.random_bytes(4_000) if damage == "noise after the magic" else b"")
    extraction = extractor.extract(bombs.mail(b"body words\r\n", (f"a.{kind}", raw)))
    assert extraction.status != "read"
    assert "body words" in text(extraction)
    assert [unread.place.partition(" (")[0] for unread in extraction.unread] == ["attachment 1 of 1"]


def test_content_is_in_no_repr_place_or_log(extractor: SandboxedExtractor, caplog: pytest.LogCaptureFixture) -> None:
    canary = CANARIES[0]
    raw = bombs.mail(canary.encode() + b"\r\n", (f"{canary}.txt", canary.encode()),
                     (f"{canary}.bin", bombs.random_bytes(500)), subject=canary)
    extraction = extractor.extract(raw)
    assert canary in text(extraction)
    said = repr(extraction.parts) + repr(extraction) + repr(extraction.unread) + caplog.text
    assert canary not in said


def test_a_directory_cannot_name_a_place(extractor: SandboxedExtractor) -> None:
    archive = bombs.zipped({"Zed Quill/../medical.txt": b"words"})
    extraction = extractor.extract(archive)
    assert extraction.parts[1].place == "file (zip), member 1 (text)"
    assert "Zed Quill" in extraction.parts[1].path


# the cage


def test_all_protections_of_this_machine_are_on(extractor: SandboxedExtractor) -> None:
    protections = extractor.protections()
    assert set(protections) == {"process", "limits", "user", "no_new_privs", "seccomp", "landlock", "ocr"}
    assert protections["process"]
    assert protections["limits"]
    if sys.platform == "linux":
        assert protections["no_new_privs"]


def caged(code: str) -> str:
    """Run `code` in a caged process that had a server's preparations; return what it printed."""
    program = (
        "import os, sys, json\n"
        "from capture.extract.protect import Bounds, prepare\n"
        "import socket, subprocess, pathlib\n"
        "cage = prepare()\n"
        "on = cage.lock(Bounds(1_000_000_000, 20))\n"
        "def tried(action):\n"
        "    try:\n"
        "        action()\n"
        "    except (OSError, MemoryError) as error:\n"
        "        return type(error).__name__\n"
        "    return 'done'\n" + code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="the cage is Linux's")
@pytest.mark.parametrize(("action", "needs"), [
    pytest.param("lambda: socket.socket()", "seccomp", id="socket"),
    pytest.param("lambda: os.execv('/bin/true', ['true'])", "seccomp", id="execute"),
    pytest.param("lambda: os.fork()", "seccomp", id="fork"),
    pytest.param("lambda: os.kill(os.getppid(), 0)", "seccomp", id="signal another process"),
    pytest.param("lambda: open('/etc/passwd').read()", "landlock", id="read a file"),
    pytest.param("lambda: os.listdir('/')", "landlock", id="list a folder"),
    pytest.param("lambda: open('written-by-a-test', 'w')", "seccomp", id="write a file"),
    pytest.param("lambda: os.mkdir('made-by-a-test')", "seccomp", id="make a folder"),
    pytest.param("lambda: bytearray(2_000_000_000)", "limits", id="two gigabytes"),
])
def test_a_child_can_do_nothing_outside(action: str, needs: str) -> None:
    answer = caged(f"result = tried({action})\nprint(on[{needs!r}], result)")
    on, result = answer.split()
    assert result != "done" or on == "False", f"{needs} is on, but the action went through"
    if on == "False":
        pytest.skip(f"{needs} is not available here")


def test_the_server_knows_no_secret_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWEIR_SECRET_KEY", "planted")
    with Server() as server:
        server.start()
        environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    assert b"planted" not in environment


def test_nothing_is_left_behind(extractor: SandboxedExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with SandboxedExtractor(ocr=False) as fresh:
        fresh.extract(bombs.mail(b"x\r\n", ("a.docx", bombs.docx_of("words")), ("a.pdf", bombs.pdf([b""])),
                                 ("a.zip", bombs.zipped({"a": b"x"}))))
    assert list(tmp_path.rglob("*")) == []


def test_closing_ends_every_process() -> None:
    extractor = SandboxedExtractor(ocr=False)
    extractor.extract(bombs.mail())
    pid = extractor._server.pid
    assert pid
    extractor.close()
    assert not Path(f"/proc/{pid}").exists() or "zombie" in Path(f"/proc/{pid}/status").read_text()
    assert extractor.extract(bombs.mail()).status == "read", "it starts again when asked again"
    extractor.close()


def test_it_survives_the_end_of_its_server() -> None:
    with SandboxedExtractor(ocr=False) as extractor:
        assert extractor.extract(bombs.mail()).status == "read"
        os.kill(extractor._server.pid, 9)
        time.sleep(0.2)
        assert extractor.extract(bombs.mail()).status == "read"


def test_a_server_that_cannot_start_holds_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with SandboxedExtractor(ocr=False) as extractor:
        extraction = extractor.extract(bombs.mail())
        assert extraction.status == "unreadable"
        assert [unread.code for unread in extraction.unread] == ["crashed"]
        assert not extractor.protections()["process"]


def test_memory_is_bounded_and_named() -> None:
    limits = Limits(memory_bytes=450_000_000, cpu_seconds=10)
    with SandboxedExtractor(limits, ocr=False) as extractor:
        item = bombs.mail(b"body words\r\n", ("a.html", bombs.wide_html(18)), ("b.txt", b"after"))
        extraction = extractor.extract(item)
        assert {unread.code for unread in extraction.unread} & {"memory", "timeout", "crashed"}
        assert "body words" in text(extraction)
        assert "after" in text(extraction)


def test_a_child_that_talks_nonsense_is_ended() -> None:
    with Server() as server:
        heard: list[bytes] = []

        def listen(data: bytes) -> float:
            heard.append(data)
            return time.monotonic() + 5

        ended = server.converse(Task("read", 500_000_000, 5), b"no job at all", listen, time.monotonic() + 5)
        assert ended.code() == "crashed"
        assert heard == []


def test_a_child_that_does_not_end_is_killed_with_its_group() -> None:
    with Server() as server:
        start = time.monotonic()
        task = Task("execute", 500_000_000, 5, ("sleep", "60"))
        ended = server.converse(task, b"", lambda _: start + 60, start + 1)
        assert ended.timed_out
        assert ended.code() == "timeout"
        assert time.monotonic() - start < 5


# use


def test_several_threads_at_once(extractor: SandboxedExtractor) -> None:
    def one(number: int) -> str:
        return text(extractor.extract(bombs.mail(b"mail number %d\r\n" % number,
                                                 ("a.docx", bombs.docx_of(f"document {number}")))))

    with ThreadPoolExecutor(6) as pool:
        for number, found in enumerate(pool.map(one, range(30))):
            assert f"mail number {number}" in found
            assert f"document {number}" in found


def test_a_hanging_item_holds_up_no_other(extractor: SandboxedExtractor) -> None:
    hanging = threading.Thread(target=extractor.extract, args=(bombs.double_deflated_pdf(300),))
    hanging.start()
    start = time.monotonic()
    assert extractor.extract(bombs.mail()).status == "read"
    assert time.monotonic() - start < 5
    hanging.join()


PROGRAM = """
import sys
from capture.extract import SandboxedExtractor
print("started", __name__)
with SandboxedExtractor(ocr=False) as extractor:
    print(extractor.extract(b"Subject: s\\n\\nwords\\n").status)
"""


def test_a_program_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    for command in ([sys.executable, str(script)], [sys.executable, "-c", PROGRAM]):
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path)
        assert done.stdout.split("\n") == ["started __main__", "read", ""]


def test_no_scanner_is_loaded_with_the_readers() -> None:
    code = ("import sys, json; from capture.extract.server import preload; preload(); "
            "print(json.dumps([m for m in ('spacy', 'presidio_analyzer', 'numpy', 'dbos') if m in sys.modules]))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == []


# logos and OCR


def test_a_logo_is_known_after_some_items_but_a_form_never_is() -> None:
    logo, form = noise_picture(300, 150), noise_picture(1_000, 1_400)
    with SandboxedExtractor(Limits(logo_sightings=3), ocr=False) as extractor:
        held = [extractor.extract(inline_mail(logo)).status != "read" for _ in range(4)]
        assert held == [True, True, False, False]
        assert all(extractor.extract(inline_mail(form)).status != "read" for _ in range(4))


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_ocr_reads_pictures_and_doubts_noise() -> None:
    with SandboxedExtractor() as extractor:
        assert extractor.protections()["ocr"]
        found = extractor.extract(inline_mail(written_picture("Permission form for Zed Quill")))
        assert found.status == "read"
        assert "Zed Quill" in text(found)
        assert extractor.extract(inline_mail(noise_picture(600, 600))).status != "read"


def test_ocr_that_is_asked_for_and_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with SandboxedExtractor(ocr=None) as extractor:
        assert not extractor.protections()["ocr"]
