"""Every error of httpx, msal, Entra and Graph is one of ours, and docs/operators/exchange-online.md says which."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import httpx
import msal
import pytest

from capture.errors import CaptureError, CursorLost, ItemGone, Parked, TryLater
from capture.mailbox.graph_errors import CODES, FAMILIES, SIGN_IN, STATUSES, graph_error, sign_in_error, translated

PAGE = Path(__file__).parent.parent.parent / "docs" / "operators" / "exchange-online.md"
GENERIC = (ValueError, RuntimeError)
INTERACTIVE = {"msal.__main__", "msal.broker"}
"""Modules of msal that ask a person when they are imported, or need Windows."""


def msal_errors() -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    for module in pkgutil.walk_packages(msal.__path__, "msal."):
        if module.name in INTERACTIVE:
            continue
        for one in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(one) and issubclass(one, BaseException) and one.__module__.startswith("msal"):
                found.add(one)
    return found


def httpx_errors() -> set[type[BaseException]]:
    return {one for one in vars(httpx).values() if inspect.isclass(one) and issubclass(one, BaseException)}


def family_of(error: type[BaseException]) -> type[BaseException] | None:
    return next((family for family, _ in FAMILIES if issubclass(error, family)), None)


def test_every_exception_of_httpx_and_msal_has_a_family_of_its_own() -> None:
    assert len(httpx_errors()) > 20
    assert len(msal_errors()) > 5
    unmapped = [e.__name__ for e in httpx_errors() | msal_errors() if family_of(e) in (None, *GENERIC)]
    assert unmapped == []


def test_a_new_exception_would_be_noticed() -> None:
    class Unheard(Exception):
        """A family httpx does not have yet."""

    assert family_of(Unheard) is None
    assert type(translated(Unheard("Surname"))) is CaptureError


def test_no_family_hides_a_narrower_one_behind_it() -> None:
    for index, (family, _) in enumerate(FAMILIES):
        assert not any(issubclass(family, earlier) for earlier, _ in FAMILIES[:index]), family


@pytest.mark.parametrize(("family", "ours"), [f for f in FAMILIES if f[0] is not json.JSONDecodeError],
                         ids=lambda v: v.__name__ if inspect.isclass(v) else "")
def test_an_exception_becomes_ours_and_quotes_nothing(family: type[BaseException], ours: type[CaptureError]) -> None:
    error = family.__new__(family)
    error.args = ("https://graph.example/users/surname",)
    found = translated(error)
    assert type(found) is ours
    assert "surname" not in str(found)
    assert family.__name__ in str(found)


@pytest.mark.parametrize(("code", "ours"), sorted(CODES.items()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_code_of_graph_outer_or_inner(code: str, ours: type[CaptureError]) -> None:
    outer = json.dumps({"error": {"code": code, "message": "surname"}}).encode()
    inner = json.dumps({"error": {"code": "Unheard", "innerError": {"code": code}}}).encode()
    assert type(graph_error(400, outer)) is type(graph_error(404, inner)) is ours
    assert "surname" not in str(graph_error(400, outer))


@pytest.mark.parametrize("status", [*STATUSES, 418, 451, 520, 599, 302])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 7}', b'{"error": {"code": 9}}', b"[" * 5000])
def test_a_status_without_a_code_we_know(status: int, body: bytes) -> None:
    expected = STATUSES.get(status, CaptureError if 400 <= status < 500 else TryLater)
    assert type(graph_error(status, body)) is expected


@pytest.mark.parametrize(("status", "code", "ours"), [
    (429, "ErrorItemNotFound", TryLater), (410, "generalException", CursorLost), (401, "ErrorItemNotFound", Parked)])
def test_some_statuses_are_believed_before_their_code(status: int, code: str, ours: type[CaptureError]) -> None:
    assert type(graph_error(status, json.dumps({"error": {"code": code}}).encode())) is ours


@pytest.mark.parametrize(("code", "ours"), [*SIGN_IN.items(), ("unheard_of", Parked), ("", Parked)])
def test_a_refused_sign_in(code: str, ours: type[CaptureError]) -> None:
    found = sign_in_error({"error": code, "error_codes": [7000215], "error_description": "for surname"})
    assert type(found) is ours
    assert "AADSTS7000215" in str(found)
    assert "surname" not in str(found)
    assert "unheard" not in str(found)


def rows() -> dict[str, str]:
    """The tables of the page: what is in the first column -> the code in the second."""
    found: dict[str, str] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) >= 2 and (ours := re.fullmatch(r"`([a-z-]+)`", cells[1])):
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", cells[0]), ours[1])
    return found


def test_the_page_says_what_the_program_does() -> None:
    expected = {name: ours.code for name, ours in CODES.items()}
    expected |= {str(status): ours.code for status, ours in STATUSES.items()}
    expected |= {f"{f.__module__.partition('.')[0]}.{f.__name__}" if f.__module__ != "builtins" else f.__name__: o.code
                 for f, o in FAMILIES}
    expected |= {f"{name} (sign-in)": ours.code for name, ours in SIGN_IN.items()}
    assert rows() == expected


def test_gone_and_parked_are_told_apart() -> None:
    gone = graph_error(404, b'{"error": {"code": "ErrorItemNotFound"}}')
    parked = graph_error(404, b'{"error": {"code": "ErrorInvalidUser"}}')
    assert (type(gone), type(parked)) == (ItemGone, Parked)
