"""Digits spelled out as words, in English and French: "six seven six", "double eight", "oh four"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.recognizers.base import IndexedText

_VALUE = {
    "zero": "0", "oh": "0", "o": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9", "niner": "9", "un": "1", "deux": "2", "trois": "3", "quatre": "4",
    "cinq": "5", "sept": "7", "huit": "8", "neuf": "9",
}
WORDS = frozenset(_VALUE) - {"o", "oh", "one", "un"}
"""Words that begin a run; the frequent ones count inside it only."""

_TIMES = {"double": 2, "triple": 3}
_ONE = r"(?:(?:double|triple)[ ])?(?:" + "|".join(sorted(_VALUE, key=len, reverse=True)) + r"|\d)(?![a-z\d])"
_APART = r"[ ]?(?:[,.;/-]|\.\.\.|--)?[ ]{0,2}(?:\r?\n[ \t>|]{0,6})?(?:(?:then|and|et|puis)[ ])?"
_RUN = re.compile(rf"{_ONE}(?:{_APART}{_ONE}){{3,23}}")
_BEFORE = re.compile(r"\b(?:(?:double|triple|oh|one|un|o)[ ,.-]{1,2})+\Z")
_TOKEN = re.compile(r"[a-z]+|\d")


def spelled(doc: IndexedText) -> list[tuple[int, int, str]]:
    """(start, end, digits) of every run of four to some twenty digits said one by one, most as words.

    Found once for a text, however many recognizers ask.
    """
    if doc.spelled is None:
        doc.spelled = list(_runs(doc))
    return doc.spelled


def _runs(doc: IndexedText) -> Iterator[tuple[int, int, str]]:
    low, done = doc.low, -1
    for place in doc.spots(WORDS):
        if place < done:
            continue
        before = _BEFORE.search(low, max(0, place - 16), place)
        start = before.start() if before else place
        m = _RUN.match(low, start) or _RUN.match(low, place)
        if m is None:
            continue
        done = m.end()
        start = m.start()
        digits, times = "", 1
        for token in _TOKEN.findall(low, start, done):
            if token in _TIMES:
                times = _TIMES[token]
            elif (one := token if token.isdigit() else _VALUE.get(token, "")):
                digits += one * times
                times = 1
        yield start, done, digits
