"""OCR by tesseract, a program of its own in a cage of its own, and the rule for logos.

Picture bytes go in and text comes out through pipes (`tesseract stdin stdout`), so nothing touches a
disk. A picture that was not read with confidence is not read: the part stays held.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from capture.extract.assemble import Book, Record
from capture.extract.limits import Limits
from capture.extract.pool import Server, ServerGone, Stop, Task
from capture.extract.textual import normalise
from pii_scan.text import Block

_SURE: Final = 60.0
"""Mean confidence (0 to 100, weighted by word length) from which a page counts as read."""
_ANSWER_BYTES: Final = 16_000_000
_LOGOS_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True, repr=False)
class PageText:
    """What OCR made of a picture. `code` is empty, or why the picture does not count as read."""

    text: str
    code: str = ""


class LogoBook:
    """Counts in how many items a small inline picture was seen, by its SHA-256. Kept in memory only."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def sighted(self, digests: frozenset[str]) -> dict[str, int]:
        """Count one more item for each digest and return the counts."""
        with self._lock:
            for digest in digests:
                self._counts[digest] = self._counts.pop(digest, 0) + 1
            while len(self._counts) > _LOGOS_KEPT:
                self._counts.popitem(last=False)
            return {digest: self._counts.get(digest, 0) for digest in digests}


class Ocr:
    """Tesseract, if it is there. `ready` says whether pictures are read."""

    def __init__(self, server: Server, limits: Limits, *, wanted: bool | None, languages: str) -> None:
        self._server = server
        self._limits = limits
        self._program = shutil.which("tesseract") if wanted is not False else None
        self._languages = languages if self._program and _has(self._program, languages) else ""
        self.ready = bool(self._program and self._languages)

    def read(self, picture: bytes, end: float) -> PageText:
        """Return the text in `picture` (PNG, JPEG, TIFF, PNM ...), at the latest at `end` (monotonic)."""
        if self._program is None:
            return PageText("", "needs_ocr")
        answer = bytearray()

        def listen(data: bytes) -> float:
            answer.extend(data)
            if len(answer) > _ANSWER_BYTES:
                raise Stop
            return end

        argv = (self._program, "stdin", "stdout", "-l", self._languages, "tsv")
        task = Task("execute", self._limits.memory_bytes, int(self._limits.ocr_seconds), argv)
        try:
            ended = self._server.converse(task, picture, listen, end)
        except ServerGone:
            return PageText("", "crashed")
        if ended.timed_out or ended.signal:
            return PageText("", ended.code())
        if ended.status:
            return PageText("", "corrupt")
        try:
            return _page(answer.decode("utf-8", "replace"))
        except ValueError:  # no table of words: the program was led astray
            return PageText("", "corrupt")


def read_pictures(book: Book, ocr: Ocr, logos: LogoBook, end: float) -> None:
    """Read the pictures readers came across into their parts, or say why they were not read."""
    records = [record for record in book.records.values() if record.pictures]
    digests = frozenset(seen.logo for record in records for seen in record.pictures if seen.logo)
    counts = logos.sighted(digests)
    known = {digest for digest, count in counts.items() if count >= book.limits.logo_sightings}
    end = min(end, time.monotonic() + book.limits.ocr_seconds)
    for record in records:
        _read_record(record, ocr, known, end)


def _read_record(record: Record, ocr: Ocr, logos: set[str], end: float) -> None:
    for seen in record.pictures:
        harmless = seen.small or seen.logo in logos
        if not seen.data:
            seen.settled = harmless
            continue
        page = ocr.read(seen.data, end) if time.monotonic() < end else PageText("", "timeout")
        text = normalise(page.text)
        if text.strip():
            record.blocks.append(Block(text, where=seen.where))
        seen.settled = True
        if page.code and not harmless:
            record.flag(page.code)


def _has(program: str, languages: str) -> bool:
    try:
        listed = subprocess.run([program, "--list-langs"], capture_output=True, timeout=20,  # noqa: S603
                                check=True, text=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return False
    return set(languages.split("+")) <= set(listed)


def _page(table: str) -> PageText:
    """Make lines of tesseract's table of words; unsure words count against the page, none are dropped."""
    lines: dict[tuple[str, ...], list[str]] = {}
    weighed = letters = 0.0
    for row in table.splitlines()[1:]:
        fields = row.split("\t")
        if len(fields) != 12 or fields[0] != "5" or not fields[11].strip():
            continue
        lines.setdefault(tuple(fields[1:5]), []).append(fields[11])
        letters += len(fields[11])
        weighed += len(fields[11]) * max(float(fields[10]), 0.0)
    text = "\n".join(" ".join(words) for words in lines.values())
    if not text:
        return PageText("", "no_text")
    return PageText(text, "" if weighed / letters >= _SURE else "needs_ocr")
