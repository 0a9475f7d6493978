"""`mailweir serve`: the web service and, beside it, a worker, on one machine.

The worker is a process of its own, so that scanning never keeps a page waiting and a fault in one does not end
the other. When it ends without being asked it is started again, after a growing pause; when it cannot even start,
the service stops and says so. SIGTERM or SIGINT: the web answers what is running, the worker finishes its items,
both at once; then 0 is returned.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import uvicorn

from addin.app import build_app
from addin.edge import is_loopback
from addin.errors import BadCertificate, CannotListen, PortTaken, UnsafeListen, WebError, WorkerFailed
from addin.patience import Patience
from capture.logs import fields
from capture.settings import Settings, WebSettings
from capture.wiring import opened

log = logging.getLogger("mailweir.serve")

EXIT_STOPPED, EXIT_KILLED, EXIT_ERROR = 0, 1, 2
PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds before a worker that ended is started again: longer each time in a row."""
STEADY_SECONDS = 60.0
"""A worker that ran this long starts the row anew."""
_LOOK_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def serve(settings: Settings, *, worker: bool = True, listening: Callable[[str], None] = lambda _: None) -> int:
    """Serve until SIGTERM or SIGINT. `listening` is called once with the address.

    Returns 0 after a clean stop, 1 when the worker had to be killed (what it had in hand is taken up again).
    Raises `UnsafeListen`, `PortTaken`, `CannotListen`, `BadCertificate`, `WorkerFailed`, and the store's errors.
    """
    web = settings.web
    require_safe(web)
    tls = tls_context(web)
    with opened(settings):
        pass  # a home that cannot be used is an error before anything listens
    with bound_socket(web.host, web.port) as sock:
        beside = Beside(worker_command(settings.home), web.worker_stop_seconds) if worker else None
        app = build_app(settings, worker=beside.running if beside else None)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, date_header=True, proxy_headers=False,
            timeout_graceful_shutdown=web.stop_seconds, timeout_keep_alive=15, limit_concurrency=web.connections,
            h11_max_incomplete_event_size=32 * 1024, http=Patience, ws="none", lifespan="on",
            ssl_context_factory=(lambda *_: tls) if tls else None)
        if tls is not None:
            config.ssl_certfile, config.ssl_keyfile = web.tls_cert, web.tls_key
        listening(address_of(sock, secure=tls is not None))
        with quiet_signals():
            return asyncio.run(_together(uvicorn.Server(config), sock, beside))


def require_safe(web: WebSettings) -> None:
    """Raise `UnsafeListen` when another machine could reach us without TLS."""
    if not (is_loopback(web.host) or (web.tls_cert and web.tls_key) or web.trusted_proxy):
        raise UnsafeListen(f"web.host is {web.host}")
    if bool(web.tls_cert) != bool(web.tls_key):
        raise BadCertificate("only one of web.tls_cert and web.tls_key is set")


def tls_context(web: WebSettings) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with the certificate of the settings; None without one. Raises `BadCertificate`."""
    if not web.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(web.tls_cert, web.tls_key, password="")  # without one it would ask at a terminal
    except (OSError, ValueError) as exc:
        raise BadCertificate(type(exc).__name__) from None
    return context


@contextlib.contextmanager
def bound_socket(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket. Raises `PortTaken`, `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen(128)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise PortTaken(f"{host}, port {port}") from None
            raise CannotListen(f"{host}, port {port}: {errno.errorcode.get(exc.errno or 0, 'unknown')}") from None
        sock.set_inheritable(False)
        yield sock


def address_of(sock: socket.socket, *, secure: bool) -> str:
    """The address as a browser writes it."""
    host, port = sock.getsockname()[:2]
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def worker_command(home: Path) -> list[str]:
    """What is started beside the web service."""
    return [sys.executable, "-P", "-m", "cli", "work", "--home", str(home)]


class Beside:
    """The worker process beside the service: started, watched, started again, stopped."""

    def __init__(self, command: Sequence[str], stop_seconds: float) -> None:
        self._command, self._stop_seconds = list(command), stop_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def running(self) -> bool:
        """Whether it runs at this moment."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; should the service be killed, the system tells the worker to stop."""
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and command
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            preexec_fn=_end_with_parent)

    def ask_to_stop(self) -> None:
        """Let it finish what it has in hand."""
        self._stopping = True
        if self._process is not None and self.running():
            self._process.terminate()

    async def watch(self) -> None:
        """Keep it running until `ask_to_stop`. Raises `WorkerFailed` when it never gets to run."""
        row = 0
        while True:
            began = time.monotonic()
            code = await self._one_run()
            if self._stopped():
                return
            ran = time.monotonic() - began
            if code == EXIT_ERROR and row == 0 and ran < STEADY_SECONDS:
                raise WorkerFailed
            row = 1 if ran >= STEADY_SECONDS else row + 1
            pause = PAUSES[min(row, len(PAUSES)) - 1]
            log.error("the worker ended and is started again in %.0f s", pause,
                      extra=fields("serve:worker:ended", code=f"exit{code}", seconds=ran, attempt=row))
            until = time.monotonic() + pause
            while time.monotonic() < until:
                if self._stopped():
                    return
                await asyncio.sleep(_LOOK_SECONDS)

    async def _one_run(self) -> int:
        self.start()
        while self.running():
            await asyncio.sleep(_LOOK_SECONDS)
        return self._process.returncode if self._process else 0

    def _stopped(self) -> bool:
        return self._stopping

    async def stopped(self) -> bool:
        """Wait for its end; False when it had to be killed."""
        until = time.monotonic() + self._stop_seconds
        while self.running() and time.monotonic() < until:
            await asyncio.sleep(_LOOK_SECONDS / 4)
        if self._process is not None and self.running():
            self._process.kill()
            self._process.wait()
            log.error("the worker did not stop in time and was killed; its items are taken up again",
                      extra=fields("serve:worker:killed"))
            return False
        return True


async def _together(server: uvicorn.Server, sock: socket.socket, beside: Beside | None) -> int:
    """Run both until the web is told to stop or the worker cannot start."""
    web = asyncio.create_task(server.serve(sockets=[sock]))
    watching = asyncio.create_task(beside.watch()) if beside else None
    try:
        while not server.should_exit and not web.done():
            if watching is not None and watching.done():
                server.should_exit = True  # only `WorkerFailed` ends the watching by itself
            await asyncio.sleep(_LOOK_SECONDS / 4)
    finally:
        server.should_exit = True
        if beside is not None:
            beside.ask_to_stop()
    await web
    started = server.started
    clean = await beside.stopped() if beside else True
    if watching is not None:
        await watching
    if not started:
        raise WebError("it did not start")
    return EXIT_STOPPED if clean else EXIT_KILLED


@contextlib.contextmanager
def quiet_signals() -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT that reach us beside the server's own handlers end nothing: the
    server raises the signal again once it has stopped."""
    def ignore(_number: int, _frame: FrameType | None) -> None:
        return

    before = {number: signal.signal(number, ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with_parent() -> None:
    """In the child, before the program: SIGTERM when the parent is gone (Linux)."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)
