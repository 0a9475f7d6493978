"""Microsoft's own sample replies through our parsing: `graph/mocks.json` and its index below the folder's `exchange`.
Pairs that do not fit the metadata (a placeholder, another spelling) are not used; the index says which."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from capture.errors import TryLater
from capture.mailbox import composed, graph_compose
from capture.mailbox import graph_parse as parse
from capture.ports import Stamp

pytestmark = pytest.mark.conformance


def folder() -> Path | None:
    data = os.environ.get("MAILWEIR_CONFORMANCE_DATA")
    return Path(data) / "exchange" / "graph" if data else None


def samples() -> list[tuple[str, str, Any]]:
    """(method and path, type, object) of every sample that fits the metadata."""
    place = folder()
    if place is None or not (place / "mocks.json").is_file() or not (place / "mocks-index.jsonl").is_file():
        return []
    mocks = json.loads((place / "mocks.json").read_text(encoding="utf-8"))["mocks"]
    found = []
    for line in (place / "mocks-index.jsonl").read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        if pair["type"] and not pair["problems"]:
            body = mocks[pair["n"]]["response"]["body"]
            objects = body["value"] if isinstance(body.get("value"), list) else [body]
            found += [(f"{pair['method']} {pair['path']}", pair["type"], one) for one in objects]
    return found


def item(value: Any) -> None:
    found = parse.seen(value)
    assert found.id == value["id"]
    assert found.categories == tuple(value.get("categories", ()))
    assert not found.private
    assert found.stamp is None
    assert found.draft is value.get("isDraft", False)


def event(value: Any) -> None:
    item(value)
    raw = graph_compose.appointment(value)
    mail = message_from_bytes(raw)
    assert mail["Message-ID"]
    if value.get("subject"):
        assert {name for name, _, _ in composed.calendar_of(raw)} >= {"UID", "SUMMARY"}
    if value.get("start"):
        assert parse.moment(value["start"]) is not None
    assert graph_compose.appointment(value) == raw


def task(value: Any) -> None:
    item(value)
    raw = graph_compose.task(value, "dana@example.org")
    assert message_from_bytes(raw)["Message-ID"].endswith("@task.invalid>")
    if value.get("dueDateTime"):
        assert "DUE" in {name for name, _, _ in composed.calendar_of(raw)}


def mail_folder(value: Any) -> None:
    found = parse.mail_folder(value)
    assert (found.id, found.name) == (value["id"], value.get("displayName", ""))
    assert found.hidden is value.get("isHidden", False)


def attachment(value: Any) -> None:
    found = parse.attached(value)
    assert found.name == value["name"]
    assert found.kind in ("file", "item", "reference", "other")


def linked(value: Any) -> None:
    owner = {"id": "x", "linkedResources": [value | {"applicationName": parse.APPLICATION, "displayName": "1 linked"}]}
    assert parse.stamp_of(owner) == Stamp(value["externalId"], "linked", 1)
    assert parse.stamp_of({"linkedResources": [value]}) is None


def named(value: Any) -> None:
    assert parse.identifier(value)


PARSERS: dict[str, Callable[[Any], None]] = {
    "message": item, "event": event, "todoTask": task, "mailFolder": mail_folder, "attachment": attachment,
    "taskFileAttachment": attachment, "linkedResource": linked, "todoTaskList": named, "calendar": named,
    "outlookCategory": named,
}
"""Of each type we read. The others (rules, settings, checklist items, groups) we never ask for by themselves."""


def test_the_samples_are_there() -> None:
    assert folder() is not None, "MAILWEIR_CONFORMANCE_DATA names no folder"
    counted = Counter(kind for _, kind, _ in samples())
    assert {"message", "event", "todoTask", "mailFolder", "attachment"} <= set(counted), counted


@pytest.mark.parametrize(("where", "kind", "value"), [
    pytest.param(*one, id=f"{n} {one[0]}") for n, one in enumerate(samples()) if one[1] in PARSERS])
def test_a_sample_is_understood(where: str, kind: str, value: Any) -> None:
    if "id" not in value:  # the documentation left it out; without one nothing is taken for an item
        with pytest.raises(TryLater):
            PARSERS[kind](value)
        value = {"id": "added"} | value
    PARSERS[kind](value)
