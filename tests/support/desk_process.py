"""A real `mailweir serve` over a home with held items, and clients of its people, each from an address of its own.

    with serving_desk(make_desk_world(folder / "home")) as desk:
        with desk.client("vera.stone") as vera:
            vera.get("/desk")
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from desk_served import Served
from world import World

from capture.wiring import opened
from store import sessions

ROOT = Path(__file__).parent.parent.parent
HTML = {"accept": "text/html,application/xhtml+xml"}


@dataclass
class Answered:
    """What the service said to one request: who asked, what, and every word that came back but the body's, which is
    kept apart."""

    who: str
    method: str
    path: str
    status: int
    head: str
    body: str


@dataclass
class DeskProcess(Served):
    """The service as a process, and everything it answered to the clients made here."""

    log: Path = Path()
    heard: list[Answered] = field(default_factory=list)
    made: int = 0
    pid: int = 0

    def cpu_seconds(self) -> float:
        """What the service has used of a core so far."""
        used = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def client(self, name: str = "", *, fresh: bool = True, token: str = "", **more: Any) -> Iterator[httpx.Client]:
        """A client with a session of somebody ("" = a stranger), seen by the service under an address of its own, so
        that it has its own share of requests."""
        token = token or (self.session_of(name, fresh=fresh) if name else "")
        self.made += 1
        transport = httpx.HTTPTransport(local_address=f"127.7.{self.made // 200}.{self.made % 200 + 1}")
        heads = {"x-form-token": sessions.form_token(token)} if token else {}
        with httpx.Client(base_url=self.address, cookies={"mailweir": token} if token else {}, headers=heads,
                          transport=transport, timeout=300, event_hooks={"response": [self._hear(name)]},
                          **more) as made:
            yield made

    def _hear(self, name: str) -> Any:
        def hear(response: httpx.Response) -> None:
            response.read()
            asked = response.request
            self.heard.append(Answered(
                name, asked.method, str(asked.url.raw_path, "ascii"), response.status_code,
                "\n".join(f"{key}: {value}" for key, value in response.headers.multi_items()), response.text))
        return hear


@contextmanager
def serving_desk(world: World, *words: str, browser: Any = None) -> Iterator[DeskProcess]:
    """The service over a home, without a worker, until the block ends; its log lies beside the home."""
    log = world.home.parent / "serve.log"
    with ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--no-worker", "--port", "0", "--home", str(world.home), *words],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=stack.enter_context(log.open("w")), text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("listening on "), line + log.read_text()
            database, _ = stack.enter_context(opened(world.settings))
            yield DeskProcess(line.split()[-1], world, database, browser, log, pid=process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=180)
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
