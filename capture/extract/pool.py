"""The parent's side of the children: start, feed, time and kill them. Safe to use from several threads.

Content goes through pipes only. Each child has a deadline that the caller may move with every event it
sees; at the deadline the child's whole process group is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from types import TracebackType
from typing import Any, Final

from capture.extract.server import receive, send

_BOOT: Final = ("import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
                "from capture.extract.server import main; main(int(sys.argv[2]))")
_START_SECONDS: Final = 120.0
_KEPT_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "TESSDATA_PREFIX", "LD_LIBRARY_PATH", "TZ")
_CHUNK: Final = 1 << 18


class ServerGone(Exception):
    """The server that forks children cannot be started or has ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: by our deadline, by a signal (number), or by itself with a status."""

    timed_out: bool = False
    signal: int = 0
    status: int = 0

    def code(self) -> str:
        """The reason code for the part the child was reading."""
        if self.timed_out or self.signal == signal.SIGXCPU:
            return "timeout"
        if self.signal == signal.SIGKILL or self.status == 3:
            return "memory"
        return "crashed"


@dataclass(frozen=True, slots=True)
class Task:
    """What a child is started for. `task`: "read", "execute" (with `argv`) or "probe"."""

    task: str
    memory_bytes: int
    cpu_seconds: int
    argv: tuple[str, ...] = ()
    files: int = 64


class Stop(Exception):
    """Raised by a listener: the child talks nonsense, end it."""


class Server:
    """One forking server and its children. Started on first use, and again should it ever end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.missing: tuple[str, ...] = ()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the running server, 0 when it is not running."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start the server now rather than with the first task. Raises `ServerGone`."""
        with self._lock:
            self._connected()

    def close(self) -> None:
        """End the server and every child."""
        with self._lock:
            self._drop()

    def converse(self, task: Task, payload: bytes, listen: Callable[[bytes], float], deadline: float) -> Ended:
        """Run `task` in a child: write `payload`, pass what it answers to `listen`, see it end.

        `listen` returns the deadline (`time.monotonic`) from then on, or raises `Stop`. Raises `ServerGone`.
        """
        (source, feed), (answers, target), (exits, status) = _pipe(), _pipe(), _pipe()
        pid, timed_out, stopped = 0, False, False
        try:
            with source, target, status:
                pid = self._spawn(task, [source.fileno(), target.fileno(), status.fileno()])
            timed_out = not _exchange(feed, answers, payload, listen, deadline)
        except Stop:
            stopped = True
        finally:
            feed.close()
            answers.close()
            with exits:
                ended = self._finish(pid, exits, 0.0 if timed_out or stopped else 0.5) if pid else Ended(status=1)
        return Ended(timed_out=True) if timed_out else Ended(status=1) if stopped else ended

    def _finish(self, pid: int, exits: FileIO, patience: float) -> Ended:
        """Kill what is left of the child after `patience` seconds and return how it ended."""
        if not _readable(exits, patience):
            self._kill(pid)
            _readable(exits, 5.0)
        os.set_blocking(exits.fileno(), False)
        with contextlib.suppress(BlockingIOError, ValueError):
            answer = json.loads(os.read(exits.fileno(), 200))["exit"]
            if os.WIFSIGNALED(answer):
                return Ended(signal=os.WTERMSIG(answer))
            return Ended(status=os.WEXITSTATUS(answer))
        return Ended(status=1)

    def _spawn(self, task: Task, descriptors: list[int]) -> int:
        message = {"task": task.task, "memory": task.memory_bytes, "cpu": task.cpu_seconds,
                   "argv": task.argv, "files": task.files}
        with self._lock:
            for attempt in (1, 2):
                try:
                    pid = int(self._ask(message, descriptors)["pid"])
                except (OSError, EOFError, ServerGone) as error:
                    self._drop()
                    if attempt == 2:
                        raise ServerGone from error
                else:
                    if pid == 0:
                        raise ServerGone
                    return pid
        raise ServerGone

    def _kill(self, pid: int) -> None:
        with self._lock:
            if self._control is None:
                return  # the server is gone and took its children along
            with contextlib.suppress(OSError, EOFError):
                self._ask({"task": "kill", "pid": pid}, [])

    def _ask(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        control = self._connected()
        send(control, message, descriptors)
        return receive(control)[0]

    def _connected(self) -> socket.socket:
        if self._control is not None:
            return self._control
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1",
                        "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-W", "ignore", "-c", _BOOT, json.dumps(sys.path), str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), env=environment, start_new_session=True)
            theirs.close()
            ours.settimeout(_START_SECONDS)
            self.missing = tuple(receive(ours)[0]["missing"])
        except (OSError, EOFError) as error:
            theirs.close()
            ours.close()
            self._drop()
            raise ServerGone from error
        ours.settimeout(30)
        self._control = ours
        return ours

    def _drop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1)  # it ends by itself when the socket closes
            if self._process.returncode is None:
                self._process.kill()
                self._process.wait()
            self._process = None


def _pipe() -> tuple[FileIO, FileIO]:
    """A pipe as two objects that can be closed twice; a bare number might be another thread's by then."""
    reading, writing = os.pipe()
    return FileIO(reading, "r"), FileIO(writing, "w")


def _readable(pipe: FileIO, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def _exchange(feed: FileIO, answers: FileIO, payload: bytes, listen: Callable[[bytes], float],
              deadline: float) -> bool:
    """Write and read until the child closes its end; false when the deadline came first."""
    os.set_blocking(feed.fileno(), False)
    os.set_blocking(answers.fileno(), False)
    waiting = memoryview(payload)
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        selector.register(feed, selectors.EVENT_WRITE)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in selector.select(left):
                if key.fileobj is answers:
                    data = os.read(answers.fileno(), _CHUNK)
                    if not data:
                        return True
                    deadline = listen(data)
                    continue
                try:
                    waiting = waiting[os.write(feed.fileno(), waiting[:_CHUNK]):]
                except BrokenPipeError:  # the child ended early: what it said is still to be read
                    waiting = waiting[:0]
                if not waiting:
                    selector.unregister(feed)
                    feed.close()
