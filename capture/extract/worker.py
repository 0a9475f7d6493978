"""The child: limits first, then parse, then end. One child reads one item.

Runs in a process forked by server.py. It gets its job and the bytes through a pipe and answers through
another; it can open no file for writing, no socket, and start no program.
"""

from __future__ import annotations

import os
from typing import Any, Final

from capture.extract import frames
from capture.extract.collect import Item, read_item
from capture.extract.limits import Limits

OUT_OF_MEMORY: Final = 3
"""Exit status of a child that ran out of memory outside any reader."""


class PipeWire:
    """Sends every event at once: what waits in a buffer is lost when the process is killed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, event: dict[str, Any]) -> None:
        """Send one event."""
        frames.write_all(self._descriptor, frames.pack_json(event))

    def send_picture(self, data: bytes) -> None:
        """Send the bytes of a picture."""
        frames.write_all(self._descriptor, frames.pack(frames.PICTURE, data))


def pack_job(limits: Limits, *, name: str, skip: frozenset[str], ocr: bool, truncated: bool) -> bytes:
    """Return the frame that goes before the bytes of the item."""
    return frames.pack_json({"limits": limits.model_dump(), "name": name, "skip": sorted(skip), "ocr": ocr,
                             "truncated": truncated})


def work(source: int, target: int) -> int:
    """Read the item waiting at `source`, answer at `target`; return the exit status."""
    try:
        job, raw = _receive(source)
        item = Item(PipeWire(target), Limits(**job["limits"]), frozenset(job["skip"]), ocr=job["ocr"])
        read_item(item, raw, job["name"], truncated=job["truncated"])
    except MemoryError:
        return OUT_OF_MEMORY
    except BrokenPipeError:  # the parent has given up on us
        return 1
    return 0


def _receive(source: int) -> tuple[dict[str, Any], bytes]:
    unpacker = frames.Unpacker()
    while chunk := os.read(source, 1 << 16):
        unpacker.feed(chunk)
        for _, payload in unpacker.frames():
            return frames.unpack_json(payload), unpacker.rest() + frames.read_all(source)
    raise frames.BadFrame
