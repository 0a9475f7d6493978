"""Random and mutated input for the readers written here: no hang, no stray error, no "read" for garbage."""

from __future__ import annotations

import contextlib
import random
import struct

import documents as make
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inprocess import read, text

from capture.extract import READERS, biff, metafile, officeart, powerpoint, worddoc
from capture.extract.collect import Item, PartSink, load_reader
from capture.extract.limits import Limits
from capture.extract.reader import CannotRead
from pii_scan.text import REASON_CODES

FUZZ = settings(max_examples=300, deadline=3_000, suppress_health_check=[HealthCheck.too_slow])


class Nowhere:
    """A wire that keeps nothing."""

    def send(self, event: dict) -> None:
        """Forget an event."""

    def send_picture(self, data: bytes) -> None:
        """Forget a picture."""


def sink(kind: str) -> PartSink:
    return PartSink(Item(Nowhere(), Limits(), guard_cpu=False), "0", kind=kind, size=1_000)


def tolerated(kind: str, data: bytes) -> None:
    """Read with a reader; the worker takes these errors for `corrupt`, anything else is a fault."""
    codes = set[str]()
    try:
        load_reader(kind)(data, sink(kind))
    except CannotRead as stop:
        codes.add(stop.code)
    except (struct.error, ValueError, IndexError, KeyError, OverflowError):
        codes.add("corrupt")
    assert codes <= REASON_CODES


def mutated(data: bytes, seed: int) -> bytes:
    """A few bytes changed, removed or doubled."""
    rng = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    out = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(out))
        action = rng.randrange(4)
        if action == 0:
            out[at] = rng.randrange(256)
        elif action == 1:
            del out[at : at + rng.randint(1, 40)]
        elif action == 2:
            out[at:at] = out[at : at + rng.randint(1, 200)]
        else:
            out[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 1 << 30)))
        if not out:
            return b"\0"
    return bytes(out)


SEEDS = {
    "rtf": (
        rb"{\rtf1\ansi{\fonttbl{\f0\fcharset204 A;}}\trowd\intbl a\cell\row\pard{\header h\par}{\*\unknown u}"
        rb"{\object{\*\objdata 01050000020000000800000050616b6167650000}}\u8364?{\pict\pngblip 89504e47}\bin3 abc x}"
    ),
    "msg": make.outlook(
        {0x37: "subject", 0x1000: b"body", 0x1013: b"<p>html</p>", 0x1009: b"\x10\0\0\0\x05\0\0\0MELA\0\0\0\0words"},
        recipients=[{0x3001: "Ben"}],
        attachments=[{0x3701: b"data", 0x3707: "n.txt"}],
        nested=[b"inner"],
    ),
    "tnef": make.winmail("subject", "body", ("n.txt", b"data"), properties={0x3A09: "604"}),
    "doc": make.word_97("words \x13FIELD\x14result\x15\rName\x07DOB\x07\x07\r", notes="note\r"),
    "ppt": make.powerpoint_97("first", "second"),
    "xls": make.workbook_97(("a", 1.0), ("b", 2.0), formats=("0.00",)),
    "emf": make.emf("first", "second"),
    "wmf": make.wmf("first", "second"),
    "pdf": make.pdf("words on a page"),
}


@pytest.mark.parametrize("kind", sorted(SEEDS))
def test_a_seed_is_readable(kind: str) -> None:
    assert kind in READERS
    if kind not in ("rtf", "msg"):
        assert read(SEEDS[kind]).status == "read"
    assert text(read(SEEDS[kind]))


@pytest.mark.parametrize("kind", sorted(SEEDS))
def test_mutated_files_end_in_order(kind: str) -> None:
    for seed in range(60 if kind == "pdf" else 150):
        tolerated(kind, mutated(SEEDS[kind], seed))


@FUZZ
@given(st.binary(max_size=600))
def test_any_bytes_behind_the_start_of_an_rtf_end_in_order(data: bytes) -> None:
    tolerated("rtf", b"{\\rtf1 " + data)


@FUZZ
@given(
    st.lists(
        st.sampled_from(
            [
                b"{",
                b"}",
                b"\\",
                b"\\'",
                b"\\'8",
                b"\\u",
                b"\\u-1 ",
                b"\\u99999?",
                b"\\uc9",
                b"\\bin",
                b"\\bin99 ",
                b"\\bin-1 ",
                b"\\*",
                b"{\\*\\x ",
                b"\\cell",
                b"\\row",
                b"\\nestrow",
                b"\\trowd",
                b"\\intbl",
                b"\\pard",
                b"\\par",
                b"\\fonttbl",
                b"\\f7",
                b"\\fcharset128",
                b"\\htmltag",
                b"\\fromhtml1",
                b"\\htmlrtf",
                b"\\htmlrtf0",
                b"\\objdata ",
                b"\\pict ",
                b"0102",
                b"\\v",
                b"\\v0",
                b"\\footnote",
                b"\\header",
                b"\\fldinst",
                b"text",
                b"\xe9",
                b" ",
                b"\n",
                b"\\ansicpg932",
                b"\\ansicpg99999",
                b"\\deleted",
                b"\\plain",
                b"\\~",
                b"\\_",
                b"{\\rtf1",
            ]
        ),
        max_size=60,
    )
)
def test_any_sequence_of_rtf_words_ends_in_order(words: list[bytes]) -> None:
    tolerated("rtf", b"{\\rtf1" + b"".join(words))


@FUZZ
@given(st.binary(min_size=40, max_size=600))
def test_noise_is_never_a_read_rtf(data: bytes) -> None:
    noise = bytes(byte % 9 if byte % 2 else 0x81 for byte in data)
    assert read(b"{\\rtf1 " + noise + b"}").status != "read"


@FUZZ
@given(st.binary(max_size=400))
def test_any_bytes_behind_a_tnef_signature_end_in_order(data: bytes) -> None:
    tolerated("tnef", struct.pack("<IH", 0x223E9F78, 1) + data)


@FUZZ
@given(
    st.dictionaries(st.integers(0, 0xFFFF), st.one_of(st.text(max_size=40), st.binary(max_size=40)), max_size=12),
    st.dictionaries(
        st.sampled_from([0x3705, 0x3FFD, 0x3FDE, 0x3FF1, 0x0C15, 0x0036]), st.integers(-(2**31), 2**31 - 1), max_size=4
    ),
)
def test_any_properties_of_a_message_end_in_order(strings: dict, numbers: dict) -> None:
    tolerated("msg", make.outlook(strings, attachments=[dict(list(strings.items())[:3])], numbers=numbers))


@FUZZ
@given(st.binary(max_size=500))
def test_any_records_end_in_order(data: bytes) -> None:
    for scan in (
        biff.scan,
        biff.pivot_strings,
        officeart.drawing_texts,
        lambda raw: powerpoint.read_deck(raw, sink("ppt")),
        lambda raw: worddoc.read_word(SEEDS["doc"][512:1536] + raw, {"1Table": raw}, sink("doc")),
        lambda raw: metafile.read_metafile(raw, sink("wmf")),
    ):
        with contextlib.suppress(CannotRead, struct.error, IndexError):
            scan(data)
