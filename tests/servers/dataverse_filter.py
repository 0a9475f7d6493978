"""The part of OData's filter language the Dataverse stand-in speaks, with Dataverse's own limits.

Text is compared without regard to case. Ids of rows can be compared for being the same and for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)|(?P<number>\d+)|(?P<any>\w+/any\(f:f/\w+ ne null\))"
    r"|(?P<word>[\w/]+)|(?P<sign>[(),]))")
IDS = re.compile(r".*id$")


class BadFilter(Exception):
    """It is not understood, or asks for what Dataverse does not do."""


Row = dict[str, Any]
Test = Callable[[Row], bool]


class Filter:
    """`Filter("subject eq 'x' and createdon ge 2026-01-01T00:00:00Z", look)(row)`; `look` reads a column, also of a
    linked row ("owningbusinessunit/name"), and says whether a collection has rows."""

    def __init__(self, text: str, look: Callable[[Row, str], Any]) -> None:
        self._look = look
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text.rstrip()):
            found = TOKEN.match(text, place)
            if not found or found.lastgroup is None:
                raise BadFilter(text[place:place + 20])
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()
        self._at = 0
        self._test = self._either()
        if self._at != len(self._tokens):
            raise BadFilter("something is left over")

    def __call__(self, row: Row) -> bool:
        return self._test(row)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, wanted: str = "") -> tuple[str, str]:
        token = self._peek()
        if wanted and token[1] != wanted:
            raise BadFilter(f"{wanted} expected")
        self._at += 1
        return token

    def _either(self) -> Test:
        tests = [self._both()]
        while self._peek() == ("word", "or"):
            self._take()
            tests.append(self._both())
        return lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._peek() == ("word", "and"):
            self._take()
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        kind, token = self._take()
        if (kind, token) == ("word", "not"):
            inner = self._one()
            return lambda row: not inner(row)
        if token == "(":
            inner = self._either()
            self._take(")")
            return inner
        if kind == "any":
            name = token.partition("/")[0]
            return lambda row: bool(self._look(row, name))
        if token in ("contains", "startswith", "endswith") and self._peek()[1] == "(":
            return self._function(token)
        if kind != "word":
            raise BadFilter(token)
        return self._compared(token)

    def _function(self, name: str) -> Test:
        self._take("(")
        column = self._take()[1]
        self._take(",")
        wanted = _literal(*self._take())
        self._take(")")

        def test(row: Row) -> bool:
            value = str(self._look(row, column) or "").casefold()
            return {"contains": wanted in value, "startswith": value.startswith(wanted),
                    "endswith": value.endswith(wanted)}[name]

        return test

    def _compared(self, column: str) -> Test:
        how = self._take()[1]
        kind, token = self._take()
        if kind == "guid" and how not in ("eq", "ne"):
            raise BadFilter("ids of rows are not ordered")
        if IDS.match(column) and how not in ("eq", "ne"):
            raise BadFilter("ids of rows are not ordered")
        wanted = _literal(kind, token)

        def test(row: Row) -> bool:
            value = self._look(row, column)
            if isinstance(value, str):
                value = datetime.fromisoformat(value.replace("Z", "+00:00")) if kind == "time" else value.casefold()
            if how in ("eq", "ne"):
                return bool((value == wanted) is (how == "eq"))
            if value is None:
                return False
            return bool({"gt": value > wanted, "ge": value >= wanted, "lt": value < wanted, "le": value <= wanted}[how])

        return test


def _literal(kind: str, token: str) -> Any:
    if kind == "text":
        return token[1:-1].replace("''", "'").casefold()
    if kind == "guid":
        return token.casefold()
    if kind == "time":
        return datetime.fromisoformat(token.replace("Z", "+00:00"))
    if kind == "number":
        return int(token)
    if token in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[token]
    raise BadFilter(token)
