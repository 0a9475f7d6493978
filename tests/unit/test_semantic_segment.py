"""Sentences: where they begin and end, and what is left out."""

from __future__ import annotations

import time

import pytest

from pii_scan.semantic.segment import MAX_WORDS, PLAIN_ROWS, rows, sentences, units
from pii_scan.text import Block, Extraction, Label, Part, Table


def cut(text: str) -> list[str]:
    return [sentence for _, _, sentence in sentences(text)]


@pytest.mark.parametrize(("text", "expected"), [
    pytest.param("She is away. Back Monday.", ["She is away.", "Back Monday."], id="two sentences"),
    pytest.param("Our instructor told me yesterday that his daughter was\nborn early and that he stays home.",
                 ["Our instructor told me yesterday that his daughter was born early and that he stays home."],
                 id="a hard-wrapped line goes on"),
    pytest.param("> We had to\n> cancel it.", ["We had to cancel it."], id="quote marks are dropped"),
    pytest.param("Dr. Achterberg called at 9 a.m. today.", ["Dr. Achterberg called at 9 a.m. today."],
                 id="abbreviations"),
    pytest.param("Agenda:\n- budget\n- rooms", ["Agenda:", "- budget", "- rooms"], id="list items stand alone"),
    pytest.param("From: A <a@x.example.org>\nTo: B\nSubject: Lunch\n\nHello there.", ["Lunch", "Hello there."],
                 id="headers are left out, the subject stays"),
    pytest.param("This message is intended only for the addressee and is privileged.\n\nSee you.", ["See you."],
                 id="disclaimers are left out"),
    pytest.param("La séance est remise. Le congé débute lundi.", ["La séance est remise.", "Le congé débute lundi."],
                 id="French"),
    pytest.param("\n \n\t\n", [], id="nothing but blanks"),
])
def test_text_is_cut_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_offsets_lead_to_the_sentence_in_the_original() -> None:
    text = "> Hello,\n> her surgery went well and she will be\n> back in June. Thanks!\n"
    found = [(text[a:b], s) for a, b, s in sentences(text)]
    for original, sentence in found:
        assert " ".join(original.replace(">", " ").split()) == sentence
    assert any(s.startswith("her surgery") and s.endswith("June.") for _, s in found)


def test_a_long_sentence_is_cut_into_units_of_at_most_45_words() -> None:
    pieces = cut(" ".join(f"word{i}" for i in range(100)))
    assert [len(p.split()) for p in pieces] == [MAX_WORDS, MAX_WORDS, 100 - 2 * MAX_WORDS]


def test_units_know_their_place_and_repeat_nothing() -> None:
    item = Extraction((
        Part("subject", "subject", (Block("Roster", Label.SUBJECT),)),
        Part("body", "text/plain", (Block("See the list."), Block("See the list.", quoted=True),
                                    Block("a@x.example.org", Label.ADDRESSES), Block("Keep out.", Label.DISCLAIMER))),
        Part("attachment 1 of 1 (csv)", "csv", (Table((("Name", "Note"), ("A. Doe", "has a knee brace since May"))),)),
    ))
    found = units(item)
    assert [(u.part, u.block, u.start, u.kind, u.first) for u in found] == [
        (0, 0, 0, "subject", True), (1, 0, 0, "text", True), (2, 0, 0, "row", False), (2, 0, 1, "row", False)]
    assert "knee" not in repr(found[-1])


def test_of_a_long_table_only_prose_goes_beyond_the_first_rows() -> None:
    plain = tuple((str(i), "x") for i in range(PLAIN_ROWS + 50))
    table = Table((*plain, ("17", "was sent home with a fever")))
    assert [i for i, _ in rows(table)] == [*range(PLAIN_ROWS), PLAIN_ROWS + 50]


@pytest.mark.parametrize("piece", [
    pytest.param("She said that it was fine. ", id="prose"),
    pytest.param("> > > ", id="quote marks"),
    pytest.param("a.b.c.", id="dots"),
    pytest.param("From: ", id="headers"),
    pytest.param("----- ", id="rules"),
    pytest.param("(\"'", id="brackets"),
    pytest.param("line\n", id="short lines"),
])
def test_time_grows_with_the_length_only(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        start = time.perf_counter()
        for _ in sentences(text):
            pass
        return time.perf_counter() - start

    seconds(10_000)
    small = min(seconds(50_000) for _ in range(3))
    large = min(seconds(400_000) for _ in range(2))
    assert large < 8 * small * 4 + 0.05
