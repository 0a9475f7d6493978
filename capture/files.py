"""Scanning of files named on a command line: nothing is stored, one result a message."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capture.errors import BadInput
from capture.ports import Extractor, Scanner
from pii_scan.findings import Decision
from pii_scan.text import Extraction

MAIL_SUFFIXES = frozenset({".eml", ".msg", ".mbox"})


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One message of a file: `id` is the file's stem, with `#n` for the n-th of an mbox."""

    id: str
    raw: bytes
    name: str = ""


def find_messages(paths: Iterable[Path]) -> list[Path]:
    """The mail files among the paths, folders searched through, sorted within a folder.

    A file named outright is taken whatever its ending. Raises `BadInput` when a path does not exist or
    a folder holds no mail file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in MAIL_SUFFIXES and p.is_file())
            if not inside:
                raise BadInput(f"{path}: no .eml, .msg or .mbox file in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise BadInput(f"{path}: no such file or folder")
    return found


def read_messages(path: Path) -> Iterator[Message]:
    """The messages of one file. Raises `BadInput` when it cannot be read."""
    try:
        if path.suffix.lower() == ".mbox":
            yield from (Message(f"{path.stem}#{n}", raw) for n, raw in enumerate(_split_mbox(path), 1))
        else:
            yield Message(path.stem, path.read_bytes(), path.name)
    except OSError as exc:
        raise BadInput(f"{path}: {type(exc).__name__}") from None


def _split_mbox(path: Path) -> Iterator[bytes]:
    lines: list[bytes] = []
    blank = True
    with path.open("rb") as file:
        for line in file:
            if blank and line.startswith(b"From "):
                if lines:
                    yield b"".join(lines)
                lines = []
            else:
                lines.append(line[1:] if line.startswith(b">From ") else line)
            blank = line in (b"\n", b"\r\n")
    if lines:
        yield b"".join(lines)


def scan_messages(messages: Iterable[Message], extractor: Extractor, scanner: Scanner,
                  *, readers: int = 2) -> Iterator[tuple[str, Decision]]:
    """Scan messages in order. Reading runs ahead in child processes while the scanner works."""
    with ThreadPoolExecutor(readers, thread_name_prefix="read") as pool:
        ahead: deque[tuple[str, Future[Any]]] = deque()
        for message in messages:
            ahead.append((message.id, pool.submit(extractor.extract, message.raw, name=message.name)))
            if len(ahead) > 2 * readers:
                yield _judge(*ahead.popleft(), scanner)
        while ahead:
            yield _judge(*ahead.popleft(), scanner)


def _judge(message_id: str, reading: Future[Any], scanner: Scanner) -> tuple[str, Decision]:
    extraction = reading.result()
    return message_id, scanner.decide(scanner.scan(extraction), extraction)


def as_row(message_id: str, decision: Decision) -> dict[str, Any]:
    """One line of `mailweir scan --jsonl`. A published form: other people script against it."""
    counts: Counter[tuple[str, str]] = Counter()
    scores: dict[tuple[str, str], float] = {}
    for f in decision.findings:
        if not f.exempt:
            key = (f.category.value, f.place)
            counts[key] += f.count
            scores[key] = max(scores.get(key, 0.0), f.score)
    return {
        "id": message_id,
        "decision": decision.verdict.value,
        "categories": list(decision.categories),
        "findings": [{"kind": kind, "place": place, "count": count, "score": round(scores[kind, place], 3)}
                     for (kind, place), count in counts.items()],
        "unread": [{"place": u.place, "code": u.code} for u in decision.unread],
        "policy": decision.policy,
    }


def as_parts(extraction: Extraction) -> dict[str, Any]:
    """What `mailweir extract --json` prints. Holds content. A published form."""
    return {
        "parts": [{"place": p.place, "type": p.kind, "status": p.status, "code": p.code, "text": p.text()}
                  for p in extraction.parts],
        "status": extraction.status,
    }


def refuse_in_service() -> None:
    """Raise `NotInService` when this process runs as part of the service (MAILWEIR_SERVICE, set by our unit
    files) or its output goes to the system journal, where content would stay."""
    if os.environ.get("MAILWEIR_SERVICE") or _writes_to_journal():
        raise NotInService


def _writes_to_journal() -> bool:
    """JOURNAL_STREAM names the device and inode of the journal's stream (systemd.exec); compare, because
    terminals inherit the variable from the desktop's own service."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    for descriptor in (1, 2):
        try:
            status = os.fstat(descriptor)
        except OSError:
            continue
        if stream == f"{status.st_dev}:{status.st_ino}":
            return True
    return False


class NotInService(BadInput):
    """This command prints content and so does not run as part of the service."""

    code = "prints-content"
    hint = "Run it in a terminal of your own."
