"""A home whose mailboxes are in the Graph stand-in, signed in to by the Entra stand-in: for flow tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import jwt
from entra_server import Entra
from graph_server import Graph, serving_graph
from graph_state import BoxState
from graph_world import DANA, LEE
from world import World, mail, make_world

from capture import worker
from capture.settings import load_settings

SECRET = "an invented secret"
BUSINESS = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30 in the usual room?\n"

SETTINGS = """\
[mailbox]
kind = "graph"
domain = "example.org"
parked_seconds = 0.2
[graph]
tenant = "{tenant}"
client_id = "{client}"
login_url = "{login}"
graph_url = "{graph}"
hosts = ["127.0.0.1"]
ca_file = "{ca_file}"
mailboxes = ["{dana}", "{lee}"]
tasks = true
timeout_seconds = 10
[scan]
own_domains = ["example.org"]
[engine]
polling_seconds = 0.05
retry_seconds = 0.05
"""

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["capture.worker", "capture.mailbox.graph", "capture.extract", "pii_scan.engine",
                                 "spacy", "alembic"])


@dataclass
class Home:
    """The service, a home of mailweir, and Dana's mailbox."""

    graph: Graph
    world: World
    box: BoxState
    refused: set[str] = field(default_factory=set)

    def run(self) -> dict[str, int]:
        """`capture run --once` in this process."""
        return worker.run(self.world.settings, once=True)

    def run_in_process_of_its_own(self, pattern: str, skip: int = 0, *, after: bool = False) -> bool:
        """`capture run --once`, killed by SIGKILL at the request that matches (`skip` of them pass before); `after`:
        once the server has done what was asked, before the reply. True when it was killed."""
        process = _CONTEXT.Process(target=_child, args=(str(self.world.home),))
        left = [skip]

        def kill() -> None:
            left[0] -= 1
            if left[0] < 0:
                process.kill()
                process.join(10)

        fault = self.graph.fault(pattern, times=10_000, **({"then": kill} if after else {"before": kill}))
        process.start()
        process.join(120)
        fault.times = 0
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError("capture run took more than 120 s")
        return process.exitcode != 0

    def subjects(self) -> list[str]:
        """The subjects of the activities in the CRM."""
        return sorted(row[0] for row in self.world.rows("SELECT subject FROM activity"))

    def put(self, number: int, body: str = BUSINESS, *, tag: bool = True, **fields: object) -> object:
        """A mail in Dana's inbox."""
        raw = mail(f"Course {number}", body, message_id=f"m{number}@client.example.com")
        return self.box.put_mail(raw, categories=["Track in CRM"] if tag else [], **fields)  # type: ignore[arg-type]


def _child(home: str) -> None:
    os.environ["MAILWEIR_GRAPH_SECRET"] = SECRET
    worker.run(load_settings(Path(home)), once=True)


@contextmanager
def graph_home(path: Path, entra: Entra, more: str = "") -> Iterator[Home]:
    """A home in `path`; the environment holds the secret while it lasts."""
    client = entra.register(secret=SECRET)
    refused: set[str] = set()
    with serving_graph() as graph:
        def good(token: str) -> bool:
            try:
                return token not in refused and entra.claims(token, graph.url)["appid"] == client.id
            except jwt.PyJWTError:
                return False

        graph.verify = good
        for user in (DANA, LEE):
            graph.mailbox(user)
        os.environ["MAILWEIR_GRAPH_SECRET"] = SECRET
        try:
            world = make_world(path, SETTINGS.format(
                tenant=entra.tenant, client=client.id, login=entra.url, graph=graph.url, ca_file=entra.ca_file,
                dana=DANA, lee=LEE) + more)
            yield Home(graph, world, graph.mailbox(DANA), refused)
        finally:
            os.environ.pop("MAILWEIR_GRAPH_SECRET", None)
