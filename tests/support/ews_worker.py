"""`capture run` against the fake Exchange server, in a process of its own that can be killed.

    with home(server, tmp_path) as world, working(world) as worker:
        wait(lambda: shown(server) == ...)

The children are forked from a server that has the scanner made, so each start takes about a second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ews_home import BOX
from ews_server import PASSWORD, USER, EwsServer
from ews_store import Item
from world import World, make_world

_CONTEXT = get_context("forkserver")
PRELOAD = ["capture.worker", "capture.crm.embedded", "capture.extract", "capture.mailbox.ews", "warmed"]
_CONTEXT.set_forkserver_preload(PRELOAD)

SETTINGS = """\
[mailbox]
kind = "ews"
poll_seconds = 0.5
slow_seconds = 0.5
domain = "example.org"
[ews]
endpoint = "{url}"
auth = "basic"
user = "{user}"
mailboxes = [{mailboxes}]
streaming = {streaming}
timeout_seconds = 3
[scan]
own_domains = ["example.org"]
[engine]
polling_seconds = 0.05
retry_seconds = 0.1
beat_seconds = {beat}
lease_seconds = {lease}
stop_seconds = 5
"""


def home(server: EwsServer, folder: Path, *mailboxes: str, streaming: bool = False, lease: float = 1.5) -> World:
    """A home whose mailboxes are on the server. A worker not heard of for `lease` seconds is taken for dead."""
    names = mailboxes or (BOX,)
    for name in names:
        if name not in server.store.mailboxes:
            server.store.add_mailbox(name)
    os.environ["MAILWEIR_EWS_PASSWORD"] = PASSWORD  # the environment of a test is restored after it
    return make_world(folder, SETTINGS.format(url=server.url, user=USER, streaming=str(streaming).lower(),
                                              lease=lease, beat=lease / 5,
                                              mailboxes=", ".join(f'"{name}"' for name in names)))


class Worker:
    """A process that runs `capture run`."""

    def __init__(self, folder: Path) -> None:
        self.process = _CONTEXT.Process(target=_child, args=(str(folder), PASSWORD))
        self.process.start()

    def kill(self) -> None:
        """SIGKILL, at once."""
        if self.process.pid and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)

    def stop(self) -> int | None:
        """SIGTERM, and the exit code; None when it had to be killed."""
        if self.process.is_alive():
            self.process.terminate()
        self.process.join(30)
        if self.process.exitcode is None:
            self.kill()
            self.process.join()
            return None
        return self.process.exitcode


@contextlib.contextmanager
def working(world: World) -> Iterator[Worker]:
    """A running worker, stopped at the end."""
    worker = Worker(world.home)
    try:
        yield worker
    finally:
        worker.stop()


def _child(folder: str, password: str) -> None:
    os.environ["MAILWEIR_EWS_PASSWORD"] = password
    import warm

    from capture import worker
    from capture.settings import load_settings

    warm.share()
    worker.run(load_settings(Path(folder)))


def wait(done: Callable[[], bool], seconds: float = 180) -> bool:
    """Wait until something is so; False when it never was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.05)
    return done()


def state(item: Item) -> str:
    """The state category on an item, "" without one."""
    return next((name for name in item.categories if name.startswith("CRM: ")), "")


def settled(items: list[Item], *states: str) -> Callable[[], bool]:
    """Whether each item shows one of the final states."""
    wanted = states or ("CRM: linked", "CRM: held", "CRM: not tracked")
    return lambda: all(state(item) in wanted for item in items)


def kill_at(server: EwsServer, worker: Any, operation: str, nth: int, *, after: bool) -> Callable[[], bool]:
    """Have the worker killed when its `nth` request of an operation arrives, before or after the server has done
    it. Returns whether that happened."""
    left, struck = [nth], []

    def hook(asked: str, _: str) -> None:
        if asked == operation:
            left[0] -= 1
            if left[0] == 0:
                worker.kill()
                struck.append(True)

    (server.after if after else server.before).append(hook)
    return lambda: bool(struck)
