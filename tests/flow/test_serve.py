"""`mailweir serve` as a real process: web and worker together, stopped, killed, refused."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import httpx
import psutil
import pytest
import trustme
from canaries import CANARIES, CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from world import World, mail, make_world

ROOT = Path(__file__).parent.parent.parent
PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}.\n"
COMMAND = [sys.executable, "-m", "cli", "serve", "--port", "0"]


class Served:
    """A running `mailweir serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str, verify: ssl.SSLContext | bool) -> None:
        self.process, self.url = process, url
        self.client = httpx.Client(base_url=url, verify=verify, timeout=20, trust_env=False)
        self.errors: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        self.errors.extend(stream)

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/health/ready").json()
        return found

    def worker(self) -> psutil.Process | None:
        children = [p for p in psutil.Process(self.process.pid).children() if p.status() != psutil.STATUS_ZOMBIE]
        return children[0] if children else None

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=seconds)
        self._reader.join(timeout=10)
        return code


@contextlib.contextmanager
def serving(home: Path, *words: str, verify: ssl.SSLContext | bool = True, at: str = "") -> Iterator[Served]:
    process = subprocess.Popen([*COMMAND, "--home", str(home), *words], cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), process.stderr.read() if process.stderr else ""
        port = line.rsplit(":", 1)[1].strip()
        served = Served(process, f"{at}:{port}" if at else line.split()[-1], verify)
        until(lambda: served.client.get("/health/live").status_code == 200, 30)
        yield served
        served.client.close()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def until(question: Callable[[], Any], seconds: float) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if question():
                return
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)


def refused(home: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run([*COMMAND, "--home", str(home), *words], cwd=ROOT, capture_output=True, text=True,
                          timeout=180, check=False)
    return done.returncode, done.stderr.splitlines()[-2].split(":")[0] if done.stderr else ""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "home")


@pytest.mark.slow
def test_one_command_serves_and_works_and_stops_cleanly(world: World) -> None:
    world.put("dana.reid", "clean", mail("Course", "Could we start the course on Monday the 9th at 8:30?\n"))
    world.put("dana.reid", "personal", mail(f"About {CANARY_NAME}", PERSONAL))
    with serving(world.home) as served:
        until(lambda: len(world.rows("SELECT 1 FROM capture WHERE state='notified'")) == 2, 90)
        assert served.ready() == {"status": "ok", "database": "ok", "worker": "ok"}
        until(lambda: 'mailweir_step_seconds_count{step="examine"} 2.0' in served.client.get("/metrics").text, 20)
        text = served.client.get("/metrics").text
        assert "mailweir_workers 1.0" in text
        assert 'mailweir_extractor_children_total{ended="fine"}' in text
        served.client.get(f"/x?token={CANARY_NAME}")

        first = served.worker()
        assert first is not None
        first.kill()
        until(lambda: served.ready()["worker"] == "down", 10)
        assert served.client.get("/health/ready").status_code == 503
        until(lambda: served.ready()["worker"] == "ok", 30)
        world.put("dana.reid", "later", mail("Course", "The invoice for the course is attached to the portal.\n"))
        until(lambda: len(world.rows("SELECT 1 FROM capture WHERE state='notified'")) == 3, 90)
        worker = served.worker()
        assert worker is not None
        assert served.stop() == 0
        assert not worker.is_running()
        lines = [json.loads(line) for line in served.errors]
    events = [line["event"] for line in lines]
    assert "serve:worker:ended" in events
    assert events.count("web:request:done") >= 3
    assert all({"ts", "level", "event"} <= set(line) for line in lines)
    everything = "".join(served.errors)
    assert not any(canary in everything for canary in CANARIES)
    assert "token" not in everything


@pytest.mark.slow
def test_killed_without_warning_it_leaves_no_worker_behind(world: World) -> None:
    with serving(world.home) as served:
        worker = served.worker()
        assert worker is not None
        served.process.kill()
        served.process.wait()
        _, alive = psutil.wait_procs([worker], timeout=180)
        assert alive == []


def test_a_worker_that_cannot_start_is_an_error_and_pages_alone_are_not(world: World) -> None:
    world.settings.mailbox_root.rmdir()
    assert refused(world.home) == (2, "worker-failed")
    with serving(world.home, "--no-worker") as served:
        assert served.ready() == {"status": "ok", "database": "ok", "worker": "off"}
        assert served.stop(signal.SIGINT) == 0


def test_beyond_this_machine_only_with_tls(world: World, tmp_path: Path) -> None:
    assert refused(world.home, "--host", "0.0.0.0", "--no-worker") == (2, "unsafe-listen")  # noqa: S104 - refused
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    settings = world.home / "settings.toml"
    text = settings.read_text()
    settings.write_text(f'{text}\n[web]\ntls_cert = "{cert}"\ntls_key = "{key}"\n')
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with serving(world.home, "--host", "0.0.0.0", "--no-worker", verify=trust,  # noqa: S104 - with TLS
                 at="https://localhost") as served:
        answer = served.client.get("/health/live")
        assert (answer.status_code, answer.headers["strict-transport-security"]) == (200, "max-age=31536000")
        old = ssl.create_default_context()
        authority.configure_trust(old)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert httpx.get(f"{served.url}/health/live", verify=old, trust_env=False).status_code == 200
        served.client.close()  # it never reads, so it would never notice that the service says good-bye
        assert served.stop() == 0
    key.write_text("not a key")
    assert refused(world.home, "--no-worker") == (2, "bad-certificate")


def test_a_port_that_is_taken_is_said_so(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run([sys.executable, "-m", "cli", "serve", "--home", str(world.home), "--port",
                               str(taken.getsockname()[1])], cwd=ROOT, capture_output=True, text=True, timeout=180,
                              check=False)
    assert (done.returncode, done.stderr.split(":")[0], done.stdout) == (2, "port-taken", "")


def test_a_home_that_is_none_is_refused_before_anything_listens(tmp_path: Path) -> None:
    code, _ = refused(tmp_path / "nowhere")
    assert code == 2


def test_a_client_that_dawdles_does_not_keep_the_service_from_stopping(world: World) -> None:
    with serving(world.home, "--no-worker") as served:
        host, port = served.url.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port))) for _ in range(20)]
        for sock in slow:
            sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert served.client.get("/health/live").status_code == 200
        began = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - began < 10
        for sock in slow:
            sock.close()
