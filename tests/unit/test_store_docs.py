"""docs/operators/store.md says what the program does: every table, setting, event, error and column."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from store import errors
from store.audit import EVENTS
from store.crm_import import COLUMNS
from store.database import VERSION_TABLE
from store.migrations.scope import KNOWN
from store.settings import StoreSettings

PAGE = (Path(__file__).parents[2] / "docs" / "operators" / "store.md").read_text(encoding="utf-8")
ERRORS = [e for e in vars(errors).values() if inspect.isclass(e) and issubclass(e, errors.StoreError)]


@pytest.mark.parametrize("name", sorted({*KNOWN, VERSION_TABLE, *StoreSettings.model_fields, *COLUMNS}))
def test_tables_settings_and_columns_are_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("action", EVENTS)
def test_every_event_is_on_the_page_as_it_is(action: str) -> None:
    assert f"| `{action}` | {EVENTS[action]} |" in PAGE


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.code)
def test_every_error_has_a_code_a_sentence_and_a_hint_on_the_page(error: type[errors.StoreError]) -> None:
    raised = error()
    assert f"| `{error.code}` | {raised.sentence} | {error.hint} |" in PAGE
    assert str(raised) == f"{error.code}: {raised.sentence}"


def test_codes_are_given_once() -> None:
    assert len({e.code for e in ERRORS}) == len(ERRORS)
