"""Traps of exchangelib and of streaming that cost others their nights: each has a test here."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from ews_home import BOX, ews_mailbox
from ews_server import EwsServer, serving
from world import mail

from capture.mailbox.ews import EwsMailbox

TAG = "Track in CRM"


@pytest.fixture
def server() -> Iterator[EwsServer]:
    with serving() as running:
        yield running
    assert running.problems == []


class Listening:
    """The wake-ups of a backend, taken by a thread."""

    def __init__(self, mailbox: EwsMailbox) -> None:
        self.stop = threading.Event()
        self.names: queue.Queue[tuple[str, float]] = queue.Queue()
        self._thread = threading.Thread(target=self._take, args=(mailbox,), daemon=True)
        self._thread.start()

    def _take(self, mailbox: EwsMailbox) -> None:
        for name in mailbox.wakeups(self.stop):
            self.names.put((name, time.monotonic()))

    def next(self, seconds: float = 8.0) -> str:
        """The next name. Raises `queue.Empty` when none comes."""
        return self.names.get(timeout=seconds)[0]

    def quiet(self, seconds: float) -> bool:
        """Whether nothing comes for a while."""
        try:
            self.names.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def end(self) -> None:
        """Stop, and wait for the thread."""
        self.stop.set()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


@pytest.fixture
def listening(server: EwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[EwsMailbox, Listening]]:
    monkeypatch.setattr("capture.mailbox.ews_stream.QUIET_SECONDS", 0.1)
    mailbox = ews_mailbox(server, streaming=True)
    heard = Listening(mailbox)
    assert heard.next() == BOX, "the first connection wakes: what was before is not told"
    yield mailbox, heard
    heard.end()
    mailbox.close()


def put(server: EwsServer, n: int) -> None:
    server.store.put(BOX, "inbox", mime=mail("S", "x", message_id=f"s{n}@x.example"), categories=(TAG,))


def test_an_item_is_fetched_while_the_stream_is_open(server: EwsServer,
                                                     listening: tuple[EwsMailbox, Listening]) -> None:
    """exchangelib's pool is one session by default: a fetch then waits for the stream, and the stream for the fetch."""
    mailbox, heard = listening
    put(server, 1)
    assert heard.next() == BOX
    assert server.streaming == 1
    began = time.monotonic()
    [sighting] = mailbox.tagged(BOX)
    assert mailbox.fetch(sighting.ref).raw
    assert time.monotonic() - began < 5
    assert server.streaming == 1, "the stream went on"


def test_double_events_wake_once_and_a_missing_one_not_at_all(server: EwsServer,
                                                              listening: tuple[EwsMailbox, Listening]) -> None:
    _, heard = listening
    server.faults.add("double", "GetStreamingEvents", times=3)
    for n in range(3):
        put(server, n)
    assert heard.next() == BOX
    assert heard.quiet(1.0)
    server.faults.add("missing", "GetStreamingEvents")
    put(server, 9)
    assert heard.quiet(1.0)
    server.faults.add("late", "GetStreamingEvents", seconds=1.0)
    put(server, 10)
    assert heard.next() == BOX


def test_a_dropped_stream_wakes_and_is_opened_again(server: EwsServer,
                                                    listening: tuple[EwsMailbox, Listening]) -> None:
    """What happened while nobody listened is not told: the end of a stream is a reason to look."""
    _, heard = listening
    server.faults.add("drop stream", "GetStreamingEvents")
    assert heard.next() == BOX
    put(server, 1)
    assert heard.next(15) == BOX
    end = time.monotonic() + 10
    while server.asked["GetStreamingEvents"] < 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert server.asked["GetStreamingEvents"] >= 2


def test_a_subscription_the_server_forgot_is_made_anew(server: EwsServer,
                                                       listening: tuple[EwsMailbox, Listening]) -> None:
    _, heard = listening
    with server.store.lock:
        server.store.listeners.clear()
    server.faults.add("drop stream", "GetStreamingEvents")
    end = time.monotonic() + 20
    while server.asked["Subscribe"] < 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert server.asked["Subscribe"] == 2
    while not heard.quiet(1.5):
        pass
    put(server, 1)
    assert heard.next() == BOX


def test_a_stream_that_ends_after_its_time_is_opened_again(server: EwsServer,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capture.mailbox.ews_stream.SHORT_SECONDS", 0.1)
    server.minute = 0.01  # 29 of them
    mailbox = ews_mailbox(server, streaming=True)
    heard = Listening(mailbox)
    end = time.monotonic() + 10
    while server.asked["GetStreamingEvents"] < 4 and time.monotonic() < end:
        time.sleep(0.05)
    heard.end()
    assert server.asked["GetStreamingEvents"] >= 4
    assert server.asked["Subscribe"] == 1, "the subscription outlives its connection"
    mailbox.close()


def test_a_server_without_streaming_is_not_asked_without_end(server: EwsServer) -> None:
    server.faults.add("fault", "Subscribe", times=1000, code="ErrorInvalidRequest")
    mailbox = ews_mailbox(server, streaming=True)
    heard = Listening(mailbox)
    time.sleep(3)
    heard.end()
    assert server.asked["Subscribe"] < 60
    assert mailbox.folders(BOX)
    mailbox.close()


def test_without_streaming_nothing_wakes_and_nothing_waits(server: EwsServer) -> None:
    mailbox = ews_mailbox(server, streaming=False)
    assert list(mailbox.wakeups(threading.Event())) == []
    mailbox.close()


def test_each_backend_has_the_pool_its_settings_name(server: EwsServer) -> None:
    """exchangelib caches one protocol per address and account; a second would silently get the first one's pool."""
    first, second = ews_mailbox(server, connections=1), ews_mailbox(server, connections=5)
    pools = [one.connection.account(BOX).protocol for one in (first, second)]
    assert [pool.max_connections for pool in pools] == [1, 5]
    assert pools[0] is not pools[1]
    assert first.connection.account("lee@example.org").protocol is pools[0], "one pool for all mailboxes of a backend"
    for one in (first, second):
        one.close()


def test_never_more_than_three_requests_at_a_time_for_a_mailbox(server: EwsServer) -> None:
    mailbox = ews_mailbox(server, connections=8)
    server.faults.add("slow", "GetFolder", times=12, seconds=0.2)
    threads = [threading.Thread(target=mailbox.folders, args=(BOX,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert server.most_at_a_time == 3
    mailbox.close()


def test_a_burst_of_refusals_does_not_stop_the_pool(server: EwsServer) -> None:
    """exchangelib shrinks its pool when the server is busy and can wait for itself while doing so."""
    mailbox = ews_mailbox(server, connections=2)
    server.faults.add("busy", "GetFolder", times=20, wait=0)
    server.faults.add("fault", "GetFolder", times=20, code="ErrorExceededConnectionCount")

    def ask() -> None:
        for _ in range(6):
            with pytest.raises(Exception, match="try-later"):
                mailbox.folders(BOX)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    while server.faults.left():
        with pytest.raises(Exception, match="try-later"):
            mailbox.folders(BOX)
    assert mailbox.folders(BOX)
    mailbox.close()


def test_a_large_mail_is_not_read_byte_by_byte(server: EwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """exchangelib reads a reply in pieces of one byte: a mail of 15 MB takes it half a minute."""
    pieces: list[int] = []
    whole = requests.Response.iter_content

    def noted(self: requests.Response, chunk_size: int = 1, decode_unicode: bool = False) -> Iterator[bytes]:
        pieces.append(chunk_size)
        return whole(self, chunk_size, decode_unicode)

    monkeypatch.setattr(requests.Response, "iter_content", noted)
    mailbox = ews_mailbox(server)
    raw = mail("Big", "x", message_id="big@x.example",
               attachments=(("a.bin", "application/octet-stream", b"\0" * 1_000_000),))
    server.store.put(BOX, "inbox", mime=raw, categories=(TAG,))
    [sighting] = mailbox.tagged(BOX)
    assert mailbox.fetch(sighting.ref).raw == raw
    assert pieces
    assert min(pieces) >= 1024
    mailbox.close()
