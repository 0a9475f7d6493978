"""Text inside the binary parts of Office files: macro source code and the values of form controls."""

from __future__ import annotations

import io
import re

import olefile

from capture.extract.reader import CannotRead, Sink
from pii_scan.text import Label

_SOURCE = b"\x00Attribut"
_RUN_8 = re.compile(rb"[\x20-\x7e\xa0-\xff\t\r\n]{6,}")
_WORD = re.compile(r"[A-Za-z]{4}|[A-Za-z]{2,} [A-Za-z]{2,}|\d{5}")
_PLAIN = re.compile(r"[A-Za-z0-9 .,:;/@()'\-\r\n\t]")
_RUN_16 = re.compile(rb"(?:[\x20-\x7e\xa0-\xff\t\r\n]\x00){4,}")


def read_macros(data: bytes, sink: Sink) -> None:
    """Hand over the source code of the modules in a vbaProject.bin as hidden text.

    A project that cannot be opened makes the part partial: macro code may hold names and numbers.
    """
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            for path in ole.listdir(streams=True, storages=False):
                give_module(ole.openstream(path).read(), sink)
    except OSError as error:
        raise CannotRead("corrupt") from error


def give_module(stream: bytes, sink: Sink) -> None:
    """Hand over the source code in a module stream; other streams hold none and give nothing."""
    at = stream.find(_SOURCE)
    if at < 3:
        return
    source = _decompress(stream[at - 3:])
    lines = [line for line in source.decode("cp1252", "replace").splitlines()
             if line and not line.startswith("Attribute ")]
    if lines:
        sink.text("\n".join(lines), Label.HIDDEN, "macro")


def read_control(data: bytes, sink: Sink) -> None:
    """Hand over the readable runs in the stored state of a form control."""
    found = strings_in(data)
    if found:
        sink.text("\n".join(found), Label.HIDDEN, "form control")


def strings_in(data: bytes) -> list[str]:
    """Runs of 6 or more 8-bit or 4 or more 16-bit Western characters, each once, in order."""
    runs = [(found.start(), found.group().decode("utf-16-le").strip()) for found in _RUN_16.finditer(data)]
    runs += [(found.start(), found.group().decode("cp1252", "replace").strip())
             for found in _RUN_8.finditer(data)]
    return list(dict.fromkeys(text for _, text in sorted(runs) if text))


def words_in(data: bytes) -> list[str]:
    """Runs as `strings_in` gives them, without those that look like machine data."""
    return [text for text in strings_in(data)
            if _WORD.search(text) and len(_PLAIN.findall(text)) >= 0.9 * len(text)]


def _decompress(data: bytes) -> bytes:
    """Undo the run-length compression of macro source (MS-OVBA 2.4.1); ends quietly at the first damage."""
    if not data or data[0] != 1:
        return b""
    out = bytearray()
    at = 1
    while at + 2 <= len(data):
        header = int.from_bytes(data[at:at + 2], "little")
        end = min(at + (header & 0xFFF) + 3, len(data))
        at += 2
        if not header & 0x8000:
            out += data[at:at + 4096]
            at += 4096
            continue
        start = len(out)
        while at < end:
            flags = data[at]
            at += 1
            for bit in range(8):
                if at >= end:
                    break
                if not flags >> bit & 1:
                    out.append(data[at])
                    at += 1
                    continue
                if at + 2 > end:
                    return bytes(out)
                token = int.from_bytes(data[at:at + 2], "little")
                at += 2
                bits = max((len(out) - start - 1).bit_length(), 4)
                offset = (token >> (16 - bits)) + 1
                if offset > len(out):
                    return bytes(out)
                for _ in range((token & (0xFFFF >> bits)) + 3):
                    out.append(out[-offset])
        at = end
    return bytes(out)
