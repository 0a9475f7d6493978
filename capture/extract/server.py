"""The server that forks the children: every parser loaded once, no thread, no secret, no mail.

Started by pool.py as a fresh interpreter with an environment of its own, so neither the parent's memory
nor its environment variables (keys!) reach a child, and nothing of the parent's `__main__` runs twice.
Talks over one socket in length-prefixed JSON, with the child's pipes passed along:

    {"task": "read" | "execute" | "probe", "memory", "cpu", "files"[, "argv"]} + 3 descriptors -> {"pid"}
    {"task": "kill", "pid"}                                                                    -> {"pid"}

The third descriptor of a task receives `{"exit": wait status}` when its child has ended.
"""

from __future__ import annotations

import contextlib
import encodings
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import struct
import sys
from typing import Any, Final

from capture.extract import READERS
from capture.extract.protect import Bounds, Cage, prepare
from capture.extract.worker import work

LENGTH: Final = struct.Struct(">I")
MESSAGE_BYTES: Final = 65_536
_LATE: Final = ("_strptime", "bisect", "colorsys", "decimal", "difflib", "fractions", "heapq", "html.entities",
                "locale", "statistics", "stringprep", "uuid", "zoneinfo")
"""Parts of the standard library that functions load when first called: once here, not once per child."""
BROKEN: Final = 4
"""Exit status of a child that could not set its limits and therefore read nothing."""


def send(control: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """Send one message, with descriptors if given."""
    data = json.dumps(message).encode()
    packet = LENGTH.pack(len(data)) + data
    if descriptors:
        sent = socket.send_fds(control, [packet], descriptors)
        packet = packet[sent:]
    control.sendall(packet)


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive one message and its descriptors. Raises `EOFError` when the other side is gone."""
    data, descriptors, _, _ = socket.recv_fds(control, LENGTH.size, 3)
    while data and len(data) < LENGTH.size:
        data += control.recv(LENGTH.size - len(data))
    if not data:
        raise EOFError
    (length,) = LENGTH.unpack(data)
    if length > MESSAGE_BYTES:
        raise EOFError
    body = b""
    while len(body) < length:
        chunk = control.recv(length - len(body))
        if not chunk:
            raise EOFError
        body += chunk
    message: dict[str, Any] = json.loads(body)
    return message, list(descriptors)


def preload() -> list[str]:
    """Load every reader and every codec; return the modules that are missing.

    A module may define `preload()` for what it would otherwise import late.
    """
    missing: list[str] = []
    for module in _LATE:
        importlib.import_module(module)
    for module in sorted({target.partition(":")[0] for target in READERS.values()}):
        try:
            loaded = importlib.import_module(module)
        except Exception:  # noqa: BLE001 - a reader that cannot be loaded must not take the others along
            missing.append(module)
            continue
        late = getattr(loaded, "preload", None)
        if late is not None:
            late()
    for codec in pkgutil.iter_modules(encodings.__path__):
        with contextlib.suppress(ImportError):  # mbcs and oem exist on Windows only
            importlib.import_module(f"encodings.{codec.name}")
    return missing


def main(descriptor: int) -> None:
    """Serve until the parent closes its end of the socket, then take the children along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    missing = preload()
    cage = prepare()
    gc.collect()
    gc.freeze()
    send(control, {"missing": missing})
    children: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    wake.recv(4_096)
            _reap(children)
            if control in ready:
                try:
                    _serve(control, cage, children)
                except (EOFError, OSError):
                    break
    for pid in children:
        _kill(pid)


def _serve(control: socket.socket, cage: Cage, children: dict[int, int]) -> None:
    message, descriptors = receive(control)
    if message["task"] == "kill":
        if message["pid"] in children:
            _kill(message["pid"])
        send(control, {"pid": message["pid"]})
        return
    source, target, status = descriptors
    try:
        pid = os.fork()
    except OSError:
        for opened in descriptors:
            os.close(opened)
        send(control, {"pid": 0})
        return
    if pid == 0:
        _child(message, source, target, cage)
    os.close(source)
    os.close(target)
    children[pid] = status
    send(control, {"pid": pid})


def _child(message: dict[str, Any], source: int, target: int, cage: Cage) -> None:
    """Become the child: never returns."""
    code = BROKEN
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(source, 0)
        os.dup2(target, 1)
        executes = message["task"] == "execute"
        bounds = Bounds(message["memory"], message["cpu"], message["files"])
        protections = cage.lock(bounds, may_execute=executes)
        os.closerange(3, 4_096)
        if executes:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvp(message["argv"][0], message["argv"])  # noqa: S606 - the parent names the OCR program
        elif message["task"] == "probe":
            os.write(1, json.dumps(protections).encode())
            code = 0
        else:
            code = work(0, 1)
    finally:
        os._exit(code)


def _reap(children: dict[int, int]) -> None:
    while children:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        pipe = children.pop(pid, -1)
        if pipe >= 0:
            with contextlib.suppress(OSError):  # nobody may be listening any more
                os.write(pipe, json.dumps({"exit": status}).encode())
            os.close(pipe)


def _kill(pid: int) -> None:
    """End the child and everything in its session; it is ours and not yet reaped, so the id is its own."""
    for stop in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            stop(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
