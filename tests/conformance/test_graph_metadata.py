"""What we send to Graph and what its stand-in answers, held to Microsoft's metadata: `graph/outlook.csdl.xml` below
the folder's `exchange`. Every address, selection, request body, reply and notification of one long session."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import graph_server
import pytest
from csdl import Metadata
from graph_server import Exchanged
from graph_shapes import notification_json
from graph_world import DANA, PLAIN, TRACK, StaticTokens, tenant
from stores import opened

from capture.errors import CaptureError
from capture.mailbox.graph_hooks import Subscriptions
from capture.mailbox.graph_http import GraphHttp
from capture.ports import ItemKind, ItemRef, Stamp

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def metadata() -> Metadata:
    data = os.environ.get("MAILWEIR_CONFORMANCE_DATA")
    assert data, "MAILWEIR_CONFORMANCE_DATA names no folder"
    path = Path(data) / "exchange" / "graph" / "outlook.csdl.xml"
    assert path.is_file(), "the folder has no exchange/graph/outlook.csdl.xml"
    return Metadata(path)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Exchanged]]:
    """Everything the backend asks of Graph, at least once each."""
    with tenant(outside="boss@example.org") as world:
        graph, mailbox, box = world.graph, world.mailbox, world.graph.mailbox(DANA)
        graph.record = []
        nested = PLAIN.replace(b"\r\n\r\nHello", b"\r\nContent-Type: message/rfc822\r\n\r\n" + PLAIN)
        for raw in (PLAIN, nested):
            box.put_mail(raw, categories=[TRACK], links=1, sensitivity=1)
        event = box.put_event(categories=[TRACK], files=(("a.txt", b"a"),), series=3)
        box.put_exception(event, weeks=1)
        old = box.put_exception(event, weeks=2, categories=[TRACK])
        box.put_mail(PLAIN, invite="meetingRequest", event=event, categories=[TRACK])
        box.put_task(categories=[TRACK], files=(("b.txt", b"b"),), steps=("one",))
        for folder in mailbox.folders(DANA):
            for sighting in world.see(folder):
                if sighting.tagged:
                    mailbox.fetch(sighting.ref)
                    for number, state in enumerate(("pending", "linked"), 1):
                        mailbox.mark(sighting.ref, state, Stamp("c" * 32, state, number))
            world.see(folder)
        box.tag(old)
        box.change(event, subject="Later")
        world.see(world.folder("Calendar"))
        list(mailbox.tagged(DANA))
        graph.can_filter = False
        list(mailbox.tagged(DANA))
        graph.can_filter = True
        mailbox.locate(ItemRef(DANA, "AAMk/nothing+here="), capture="d" * 32, message_id="x@example.com")
        mailbox.locate(ItemRef(DANA, "event:nothing", ItemKind.APPOINTMENT), capture="d" * 32)
        mailbox.locate(ItemRef(DANA, "task:none:none", ItemKind.TASK), capture="d" * 32)
        mailbox.check(DANA)
        with opened(tmp_path_factory.mktemp("db")) as (database, _):
            http = GraphHttp(graph.url, StaticTokens(), timeout=5)
            original, graph_server.httpx.post = graph_server.httpx.post, _echo  # type: ignore[assignment]
            try:
                hooks = Subscriptions(http, database, "https://mailweir.example.org")
                hooks.care([DANA], ["messages", "events"])
                graph.record += [Exchanged("NOTIFY", "", None, 0, {"value": [notification_json(s, e) for e in (
                    "", "missed", "subscriptionRemoved", "reauthorizationRequired")]})
                    for s in graph.subscriptions.values()]
                hooks.care([], ["messages", "events"])
            finally:
                graph_server.httpx.post = original  # type: ignore[assignment]
                http.close()
        yield graph.record


def _echo(_url: str, *, params: dict[str, str], **_: Any) -> Any:
    """A client that validates every address: the endpoint itself has its own tests."""
    return graph_server.httpx.Response(200, text=params["validationToken"])


def asked_paths(session: list[Exchanged]) -> list[tuple[Exchanged, str, dict[str, str]]]:
    found = []
    for one in session:
        if one.method != "NOTIFY":
            parts = urlsplit(one.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            found.append((one, parts.path.removeprefix("/v1.0"), query))
    return found


def test_the_session_covers_what_the_backend_can_do(session: list[Exchanged]) -> None:
    shapes = {(one.method, re.sub(r"/[^/]{20,}|/none|/inbox|/mailweir-probe|/[a-z]+items|/drafts|/outbox", "/*", path))
              for one, path, _ in asked_paths(session)}
    assert len(shapes) >= 30, sorted(shapes)
    assert {method for method, _ in shapes} == {"GET", "PATCH", "POST", "DELETE"}


def test_every_address_exists(session: list[Exchanged], metadata: Metadata) -> None:
    for _, path, _ in asked_paths(session):
        metadata.walk(path)


def test_an_address_that_does_not_exist_would_be_noticed(metadata: Metadata) -> None:
    with pytest.raises(LookupError):
        metadata.walk("/users/x/mailFolders/y/taggedMessages")


def test_every_selection_names_properties(session: list[Exchanged], metadata: Metadata) -> None:
    checked = 0
    for _, path, query in asked_paths(session):
        if "$select" not in query and "$expand" not in query:
            continue
        kind = metadata.walk(path).removeprefix("Collection(").removesuffix(")")
        names = set(query.get("$select", "").split(",")) - {""}
        assert names <= set(metadata.members(kind)) | {"id"}, path
        expand = re.sub(r"\(.*?\)(?=,|$)", "", query.get("$expand", ""))
        for name in filter(None, expand.split(",")):
            cast, _, last = name.rpartition("/")
            assert last in metadata.members(cast.rpartition(".")[2] or kind, "NavigationProperty"), name
        checked += 1
    assert checked > 20


def test_every_request_body_fits(session: list[Exchanged], metadata: Metadata) -> None:
    checked = 0
    for one, path, _ in asked_paths(session):
        if one.asked is None:
            continue
        checked += 1
        if path.endswith("/translateExchangeIds"):
            known = metadata.parameters("translateExchangeIds")
            for name, value in one.asked.items():
                assert list(metadata.problems(value, known[name.casefold()])) == []
            continue
        kind = metadata.walk(path).removeprefix("Collection(").removesuffix(")")
        assert list(metadata.problems(one.asked, kind)) == [], (one.method, path)
    assert checked > 15


def test_every_reply_fits(session: list[Exchanged], metadata: Metadata) -> None:
    checked = 0
    for one, path, _ in asked_paths(session):
        if one.status >= 300 or not isinstance(one.answered, dict):
            continue
        body = json.loads(json.dumps(one.answered))
        kind = metadata.walk(path)
        many = kind.startswith("Collection(") and "value" in body
        single = kind.removeprefix("Collection(").removesuffix(")")
        for value in body["value"] if many else [body]:
            assert list(metadata.problems(value, single)) == [], (one.method, path)
            checked += 1
    assert checked > 100


def test_every_notification_fits(session: list[Exchanged], metadata: Metadata) -> None:
    found = [one.answered for one in session if one.method == "NOTIFY"]
    assert found
    for body in found:
        assert list(metadata.problems(body, "changeNotificationCollection")) == []


def test_the_checker_sees_a_wrong_name_type_and_member(metadata: Metadata) -> None:
    wrong = {"categorys": [], "categories": "x", "isRead": "yes", "importance": "High",
             "receivedDateTime": "2026-03-03"}
    assert len(list(metadata.problems(wrong, "message"))) == 5


def test_errors_of_the_stand_in_come_out_as_ours() -> None:
    with tenant() as world:
        world.graph.fault("", status=500, times=9)
        with pytest.raises(CaptureError):
            world.mailbox.folders(DANA)
