"""What a parent makes of the events of a child it does not trust."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.extract import frames
from capture.extract.assemble import Book
from capture.extract.limits import Limits
from capture.extract.pool import Ended
from pii_scan.text import Block, Table

KINDS = frozenset({"eml", "text", "zip", "headers", "png"})


def opened(ident: str, what: str = "item", *, kind: str = "text", **other: Any) -> dict[str, Any]:
    return {"e": "open", "id": ident, "what": what, "name": "", "section": False, "kind": kind, "size": 1} | other


def said(ident: str, text: str, **other: Any) -> dict[str, Any]:
    return {"e": "text", "id": ident, "text": text, "label": "text", "where": "", "quoted": False,
            "more": False} | other


def rows(ident: str, *cells: list[str], **other: Any) -> dict[str, Any]:
    return {"e": "table", "id": ident, "rows": list(cells), "label": "text", "where": "sheet 1", "quoted": False,
            "first_row": 1, "more": False} | other


def shut(ident: str, code: str = "", *, read: bool = True) -> dict[str, Any]:
    return {"e": "shut", "id": ident, "code": code, "read": read, "millis": 1}


def book_of(*events: dict[str, Any], limits: Limits | None = None) -> Book:
    book = Book(limits or Limits(), KINDS)
    for event in events:
        book.event(event)
    return book


def test_pieces_of_a_text_and_of_a_sheet_become_one() -> None:
    book = book_of(opened("0"), said("0", "one "), said("0", "two", more=True), rows("0", ["a"], ["b"]),
                   rows("0", ["c"], first_row=3), rows("0", ["d"], first_row=9), shut("0"))
    blocks = book.extraction().parts[0].blocks
    assert [b.text for b in blocks if isinstance(b, Block)] == ["one two"]
    assert [b.rows for b in blocks if isinstance(b, Table)] == [(("a",), ("b",), ("c",)), (("d",),)]


def test_the_part_in_hand_gets_the_reason_and_keeps_its_text() -> None:
    book = book_of(opened("0", kind="eml"), opened("0.1", "attachment 1 of 2"), said("0.1", "page one"))
    assert book.fail("timeout")
    assert book.settled() == {"0.1"}
    book.event(opened("0", kind="eml"))
    book.event(opened("0.2", "attachment 2 of 2"))
    book.event(said("0.2", "the rest"))
    for ident in ("0.2", "0"):
        book.event(shut(ident))
    extraction = book.extraction()
    assert [(p.place, p.status, p.code) for p in extraction.parts] == [
        ("attachment 1 of 2 (text)", "partial", "timeout"), ("attachment 2 of 2 (text)", "read", "")]


def test_nothing_open_is_left_open() -> None:
    book = book_of(opened("0", kind="zip"), opened("0.1", "member 1"))
    book.fail_all("memory")
    assert [unread.code for unread in book.extraction().unread] == ["memory", "memory"]
    empty = Book(Limits(), KINDS)
    empty.fail_all("crashed")
    assert [(u.place, u.code) for u in empty.extraction().unread] == [("file (unknown)", "crashed")]


def test_a_picture_nobody_looked_at_is_unread() -> None:
    seen = {"e": "picture", "id": "0", "where": "", "small": False, "logo": "", "sent": False}
    assert book_of(opened("0", kind="png"), seen, shut("0")).extraction().status != "read"


@pytest.mark.parametrize("what", ["Zed Quill", "../x", "attachment\n1", "x" * 200, "naïve"])
def test_a_child_cannot_put_words_into_a_place(what: str) -> None:
    book = book_of(opened("0"), opened("0.1", what), said("0.1", "t", where=what), shut("0.1"), shut("0"))
    part = book.extraction().parts[1]
    assert part.place == "file (text), embedded file (text)"
    assert all(not isinstance(b, Block) or b.where == "" for b in part.blocks)


BAD = [
    pytest.param([{"e": "open"}], id="fields missing"),
    pytest.param([opened("1")], id="no such root"),
    pytest.param([opened("0.1")], id="child before its parent"),
    pytest.param([opened("0/../1")], id="strange id"),
    pytest.param([said("0", "x")], id="text of no part"),
    pytest.param([opened("0"), shut("0"), said("0", "x")], id="text after the end"),
    pytest.param([opened("0"), shut("0"), opened("0")], id="opened twice"),
    pytest.param([opened("0"), shut("0", "fine")], id="unknown reason"),
    pytest.param([opened("0"), said("0", "x", label="secret")], id="unknown label"),
    pytest.param([opened("0"), {**said("0", "x"), "text": 5}], id="text that is none"),
    pytest.param([opened("0"), rows("0", [1])], id="cells that are none"),  # type: ignore[list-item]
    pytest.param([opened("0"), said("0", "x" * 2_000_000)], id="more text than allowed"),
    pytest.param([opened("0"), {"e": "picture", "id": "0", "where": "", "small": False, "logo": "x", "sent": False}],
                 id="strange digest"),
    pytest.param([{"e": "unheard", "id": "0"}], id="unknown event"),
    pytest.param([opened("0", kind="a b")], id="strange kind"),
]


@pytest.mark.parametrize("events", BAD)
def test_nonsense_is_refused(events: list[dict[str, Any]]) -> None:
    with pytest.raises(frames.BadFrame):
        book_of(*events, limits=Limits(text_chars=1_000))


def test_more_parts_than_allowed_are_refused() -> None:
    with pytest.raises(frames.BadFrame):
        book_of(opened("0"), *(opened(f"0.{n}") for n in range(1, 200)), limits=Limits(part_records=20))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=6)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["e", "id", "text", "what", "name", "kind", "size", "code", "rows", "where",
                                        "logo"]),
                       JSON | st.sampled_from(["open", "text", "table", "shut", "0", "0.1", "envelope", "picture"])))
def test_any_event_is_taken_or_refused(event: dict[str, Any]) -> None:
    book = book_of(opened("0"))
    try:
        book.event(event)
    except frames.BadFrame:
        return
    book.extraction()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 40))
def test_frames_survive_any_cutting_and_noise_is_refused(payload: bytes, step: int) -> None:
    stream = frames.pack(frames.PICTURE, payload) + frames.pack_json({"a": "\ud800é"})
    unpacker, found = frames.Unpacker(), []
    for start in range(0, len(stream), step):
        unpacker.feed(stream[start:start + step])
        found += list(unpacker.frames())
    assert found[0] == (frames.PICTURE, payload)
    assert frames.unpack_json(found[1][1]) == {"a": "?é"}
    unpacker = frames.Unpacker(frame_bytes=100)
    unpacker.feed(b"X" + payload + b"\xff" * 5)
    with pytest.raises(frames.BadFrame):
        list(unpacker.frames())


@pytest.mark.parametrize(("ended", "code"), [
    pytest.param(Ended(timed_out=True), "timeout", id="our deadline"),
    pytest.param(Ended(signal=24), "timeout", id="CPU limit"),
    pytest.param(Ended(signal=9), "memory", id="killed by the system"),
    pytest.param(Ended(signal=11), "crashed", id="segmentation fault"),
    pytest.param(Ended(signal=6), "crashed", id="abort"),
    pytest.param(Ended(status=3), "memory", id="said so"),
    pytest.param(Ended(status=0), "crashed", id="ended without saying done"),
])
def test_how_a_child_ended_becomes_a_reason(ended: Ended, code: str) -> None:
    assert ended.code() == code
