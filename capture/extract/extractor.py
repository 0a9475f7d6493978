"""`SandboxedExtractor`: bytes in, text and what could not be read out. What the flow uses.

Each item is read by a child of its own. When the child dies or hangs, the part in hand gets the reason
and a further child reads the rest, within the item's time. Nothing a file does ends as an exception
here, and nothing unread ends as read.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import Final

from capture.extract import READERS, frames
from capture.extract.assemble import Book
from capture.extract.limits import Limits
from capture.extract.ocr import LogoBook, Ocr, read_pictures
from capture.extract.pool import Ended, Server, ServerGone, Stop, Task
from capture.extract.worker import pack_job
from capture.meter import METER
from capture.ports import Extractor
from pii_scan.text import Extraction

_ATTEMPTS: Final = 5
_CPU_FOR_LIFE: Final = 120
KINDS: Final = frozenset(READERS) | frozenset((
    "empty", "ole", "rar", "heic", "media", "emf", "wmf", "exe", "pst", "p7s", "headers", "mail", "unknown"))
"""Every kind a part may have."""


class SandboxedExtractor:
    """Reads items in caged child processes. One object serves any number of threads.

    `ocr`: True needs OCR, False never uses it, None uses it when tesseract is installed. `logos` remembers
    pictures that come with every mail of a sender; without it they are remembered while this object lives.
    Use as a context manager, or call `close()`.
    """

    def __init__(self, limits: Limits | None = None, *, ocr: bool | None = None,
                 logos: LogoBook | None = None, languages: str = "eng") -> None:
        self.limits = limits or Limits()
        self._server = Server()
        self._ocr = Ocr(self._server, self.limits, wanted=ocr, languages=languages)
        self._logos = logos or LogoBook()
        self._protections: dict[str, bool] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> SandboxedExtractor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and its children. The next `extract` would start them again."""
        self._server.close()

    def extract(self, raw: bytes, *, name: str = "") -> Extraction:
        """Return everything that could be read, and what could not. Never raises for bad input."""
        with METER.timed("extract"):
            return self._extract(raw, name)

    def _extract(self, raw: bytes, name: str) -> Extraction:
        book = Book(self.limits, KINDS)
        end = time.monotonic() + self.limits.item_seconds
        truncated = len(raw) > self.limits.item_bytes
        item = raw[:self.limits.item_bytes] if truncated else raw
        for attempt in range(1, _ATTEMPTS + 1):
            code = self._attempt(book, item, name, end, truncated=truncated)
            if not code:
                break
            alive = book.fail(code)
            if not alive or attempt == _ATTEMPTS or time.monotonic() >= end or "0" in book.settled():
                book.fail_all(code)
                break
        read_pictures(book, self._ocr, self._logos, end + self.limits.ocr_seconds)
        return book.extraction()

    def protections(self) -> dict[str, bool]:
        """Which protections are on, by name, as found by locking a child: `process` (a child of its own
        for each item), `limits`, `user` (not root), `no_new_privs`, `seccomp`, `landlock`; and whether
        `ocr` is there."""
        with self._lock:
            if self._protections is None:
                self._protections = self._probe()
        return self._protections | {"ocr": self._ocr.ready}

    def missing_readers(self) -> tuple[str, ...]:
        """Reader modules that could not be loaded; what they would read is held as `unsupported`."""
        with contextlib.suppress(ServerGone):
            self._server.start()
        return self._server.missing

    def _probe(self) -> dict[str, bool]:
        answers: list[bytes] = []
        end = time.monotonic() + 30

        def listen(data: bytes) -> float:
            answers.append(data)
            return end

        found = dict.fromkeys(("process", "limits", "user", "no_new_privs", "seccomp", "landlock"), False)
        try:
            self._server.converse(Task("probe", self.limits.memory_bytes, 10), b"", listen, end)
            found |= {"process": True, **json.loads(b"".join(answers))}
        except (ServerGone, ValueError):
            return found
        return found

    def _attempt(self, book: Book, raw: bytes, name: str, end: float, *, truncated: bool) -> str:
        """Let one child read what is not settled yet; return "" or the code of what went wrong."""
        book.next_child()
        unpacker = frames.Unpacker()
        file_end = min(end, time.monotonic() + self.limits.file_seconds)

        def listen(data: bytes) -> float:
            nonlocal file_end
            unpacker.feed(data)
            try:
                for kind, payload in unpacker.frames():
                    if kind == frames.PICTURE:
                        book.picture(payload)
                    elif book.event(frames.unpack_json(payload)):
                        file_end = min(end, time.monotonic() + self.limits.file_seconds)
            except frames.BadFrame as error:
                raise Stop from error
            return file_end

        job = pack_job(self.limits, name=name, skip=book.settled(), ocr=self._ocr.ready, truncated=truncated)
        task = Task("read", self.limits.memory_bytes, _CPU_FOR_LIFE)
        try:
            ended: Ended = self._server.converse(task, job + raw, listen, file_end)
        except ServerGone:
            METER.count("child", "crashed")
            return "crashed"
        code = "" if book.done else ended.code()
        METER.count("child", code or "fine")
        return code


_: type[Extractor] = SandboxedExtractor
