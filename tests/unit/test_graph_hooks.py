"""Change notifications over real HTTP, both ways: they only wake, and none that is lost or forged does harm."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from graph_server import Graph, serving_graph
from graph_shapes import notification_json
from graph_world import DANA, PLAIN, StaticTokens
from stores import opened
from webclient import browsing
from world import make_world

from addin.hooks import router
from capture.mailbox.graph_hooks import LIFE, LIFECYCLE_PATH, MAX_BODY, PATH, Subscriptions, received
from capture.mailbox.graph_http import GraphHttp
from store import subscriptions, watch
from store.database import Database
from store.subscription_tables import Subscription

RESOURCES = ["messages", "events"]


@contextmanager
def web(database: Database) -> Iterator[str]:
    """The router in a real server on loopback; its address."""
    app = FastAPI()
    app.state.database = database
    app.include_router(router())
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


class Site:
    """The service, our endpoint, and the worker's side of it."""

    def __init__(self, graph: Graph, database: Database, public: str) -> None:
        self.graph, self.database, self.public = graph, database, public
        self.moment = datetime.now(UTC)
        self.http = GraphHttp(graph.url, StaticTokens(), timeout=5, patience=0.1)
        self.hooks = Subscriptions(self.http, database, public, now=lambda: self.moment)

    def rows(self) -> list[Subscription]:
        with self.database.reading() as session:
            return subscriptions.of_mailbox(session, DANA)

    def woken(self) -> list[str]:
        """The mailboxes that are woken now; they are looked at by this."""
        with self.database.session() as session:
            found = list(watch.woken(session))
            for name in found:
                watch.get(session, name).woken = None
            return found

    def woken_soon(self) -> list[str]:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if found := self.woken():
                return found
            time.sleep(0.02)
        return []

    def due_now(self) -> None:
        with self.database.session() as session:
            for row in subscriptions.of_mailbox(session, DANA):
                row.due = row.claimed = datetime.now(UTC) - timedelta(seconds=1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as (database, _), web(database) as public, serving_graph() as graph:
        graph.mailbox(DANA)
        with database.session() as session:
            watch.see(session, DANA)
        made = Site(graph, database, public)
        assert made.hooks.care([DANA], RESOURCES) == [DANA, DANA]
        yield made
        made.http.close()


def test_subscribing_passes_the_validation_and_names_the_lifecycle_address(site: Site) -> None:
    made = list(site.graph.subscriptions.values())
    assert sorted(s["resource"] for s in made) == [f"users/{DANA}/events", f"users/{DANA}/messages"]
    assert {s["notificationUrl"] for s in made} == {f"{site.public}/hooks/graph"}
    assert {s["lifecycleNotificationUrl"] for s in made} == {f"{site.public}/hooks/graph/lifecycle"}
    assert all(40 < len(s["clientState"]) <= 128 for s in made)
    assert "includeResourceData" not in made[0] or not made[0]["includeResourceData"]
    secrets = {s["clientState"] for s in made}
    assert not secrets & {row.secret for row in site.rows()}
    assert len(secrets) == 2


def test_a_change_wakes_the_mailbox_once_however_often_it_is_told(site: Site) -> None:
    site.graph.notify = "double"
    site.graph.mailbox(DANA).put_mail(PLAIN)
    assert site.woken_soon() == [DANA]


def test_nothing_told_is_no_harm_and_wakes_nobody(site: Site) -> None:
    site.graph.notify = "off"
    site.graph.mailbox(DANA).put_mail(PLAIN)
    time.sleep(0.1)
    assert site.woken() == []


def test_the_validation_token_comes_back_as_plain_text(site: Site) -> None:
    token = "<script>alert('x')</script> & ä+ /"
    answer = httpx.post(site.public + PATH, params={"validationToken": token}, trust_env=False)
    assert (answer.status_code, answer.text) == (200, token)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx.post(site.public + PATH, params={"validationToken": "x" * 3000}, trust_env=False).status_code == 400


def notify(site: Site, **changed: Any) -> int:
    [one, _] = site.graph.subscriptions.values()
    return site.graph.post(site.public + PATH, [notification_json(one) | changed])


@pytest.mark.parametrize("forged", [
    pytest.param({"clientState": "wrong"}, id="another secret"), pytest.param({"clientState": ""}, id="no secret"),
    pytest.param({"clientState": None}, id="null"), pytest.param({"subscriptionId": "f" * 32}, id="unknown"),
    pytest.param({"subscriptionId": 7}, id="no string")])
def test_a_forged_notification_wakes_nobody_and_learns_nothing(site: Site, forged: dict[str, Any]) -> None:
    assert notify(site, **forged) == 202
    assert site.woken() == []
    assert notify(site) == 202
    assert site.woken() == [DANA]


def test_the_secret_of_one_subscription_is_no_good_for_another(site: Site) -> None:
    [_, other] = site.graph.subscriptions.values()
    notify(site, clientState=other["clientState"])
    assert site.woken() == []


@pytest.mark.parametrize(("body", "status"), [
    (b"no JSON", 400), (b"[" * 100_000, 400), (b"{}", 202), (b"[]", 202), (b'{"value": "x"}', 202),
    (b'{"value": [1, null, {"subscriptionId": []}]}', 202), (b'"' + b"x" * (MAX_BODY + 1) + b'"', 413)],
    ids=["words", "deep", "empty", "list", "text", "odd entries", "too long"])
def test_odd_bodies_are_answered_and_wake_nobody(site: Site, body: bytes, status: int) -> None:
    assert httpx.post(site.public + PATH, content=body, trust_env=False).status_code == status
    assert site.woken() == []


def test_when_the_wake_up_is_not_on_disk_the_answer_is_not_202(tmp_path: Path) -> None:
    with opened(tmp_path) as (database, _), web(database) as public:
        with database.session() as session:
            session.connection().exec_driver_sql("DROP TABLE subscription")
        body = {"value": [{"subscriptionId": "x", "clientState": "y"}]}
        assert httpx.post(public + PATH, json=body, trust_env=False).status_code == 503


def test_the_answer_comes_within_three_seconds_under_load(site: Site) -> None:
    [one, _] = site.graph.subscriptions.values()
    began = time.monotonic()
    assert site.graph.post(site.public + PATH, [notification_json(one)] * 900) == 202
    assert time.monotonic() - began < 3


def test_nothing_of_a_body_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    notify(site, clientState="my-secret", resource="users/surname/messages/AAA")
    notify(site)
    assert "1 of 1 notifications" in caplog.text
    for word in ("my-secret", "surname", DANA, *(s["clientState"] for s in site.graph.subscriptions.values())):
        assert word not in caplog.text


def test_renewal_comes_at_half_of_the_life(site: Site) -> None:
    for row in site.rows():
        assert row.expires is not None
        assert abs((row.due - datetime.now(UTC)) - LIFE / 2) < timedelta(minutes=1)
    before = {s["id"]: s["expirationDateTime"] for s in site.graph.subscriptions.values()}
    assert site.hooks.care([DANA], RESOURCES) == []
    site.moment += LIFE / 2
    site.due_now()
    assert site.hooks.care([DANA], RESOURCES) == [DANA, DANA]
    after = {s["id"]: s["expirationDateTime"] for s in site.graph.subscriptions.values()}
    assert before.keys() == after.keys()
    assert all(after[key] > before[key] for key in before)
    assert notify(site) == 202
    assert site.woken() == [DANA]


def test_reauthorization_is_answered_with_a_renewal(site: Site) -> None:
    assert site.graph.lifecycle("reauthorizationRequired") == [202, 202]
    assert site.woken() == [DANA]
    site.moment += timedelta(hours=1)
    before = set(site.graph.subscriptions)
    assert site.hooks.care([DANA], RESOURCES) == [DANA, DANA]
    assert set(site.graph.subscriptions) == before


def test_a_removed_subscription_wakes_and_is_made_anew(site: Site) -> None:
    old = set(site.graph.subscriptions)
    assert site.graph.lifecycle("subscriptionRemoved") == [202, 202]
    assert site.woken() == [DANA]
    assert site.hooks.care([DANA], RESOURCES) == [DANA, DANA]
    assert len(site.graph.subscriptions) == 2
    assert not old & set(site.graph.subscriptions)


def test_missed_notifications_wake(site: Site) -> None:
    assert site.graph.lifecycle("missed") == [202, 202]
    assert site.woken() == [DANA]
    assert site.hooks.care([DANA], RESOURCES) == []


def test_a_subscription_the_server_forgot_is_made_anew(site: Site) -> None:
    site.graph.subscriptions.clear()
    site.due_now()
    site.hooks.care([DANA], RESOURCES)
    assert len(site.graph.subscriptions) == 2


@pytest.mark.parametrize("status", [403, 429, 500, 400])
def test_a_refused_subscription_is_tried_later_and_polling_goes_on(site: Site, status: int) -> None:
    site.graph.subscriptions.clear()
    with site.database.session() as session:
        for row in subscriptions.of_mailbox(session, DANA):
            subscriptions.failed(session, row, wait=0, lost=True)
    site.graph.fault("POST .*subscriptions", status=status, retry_after="1", times=9)
    assert site.hooks.care([DANA], RESOURCES) == []
    assert site.graph.subscriptions == {}
    assert all(row.due > datetime.now(UTC) + timedelta(seconds=30) for row in site.rows())


def test_mailboxes_no_longer_watched_are_let_go(site: Site) -> None:
    site.hooks.care([], RESOURCES)
    assert site.graph.subscriptions == {}
    assert site.rows() == []


def test_two_workers_make_one_subscription(tmp_path: Path) -> None:
    with opened(tmp_path) as (database, _), web(database) as public, serving_graph() as graph:
        graph.mailbox(DANA)
        sites = [Site(graph, database, public) for _ in range(2)]
        threads = [threading.Thread(target=s.hooks.care, args=([DANA], RESOURCES)) for s in sites]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(graph.subscriptions) == 2
        for one in sites:
            one.http.close()


def test_the_worker_looks_again_after_subscribing_and_stops_when_told(site: Site) -> None:
    stop = threading.Event()
    site.graph.lifecycle("subscriptionRemoved")
    found = []
    for name in site.hooks.wakeups(stop, lambda: [DANA], RESOURCES):
        found.append(name)
        stop.set()
    assert found == [DANA, DANA]


def test_without_a_request_from_outside_the_function_answers_alike(site: Site) -> None:
    assert received(site.database, b"x").status == 400
    assert received(site.database, b"{}").status == 202
    assert received(site.database, b"", validation_token="t").text == "t"


@pytest.mark.parametrize("public", ["https://mailweir.example.org", ""])
def test_the_web_service_has_the_addresses_when_notifications_are_on(tmp_path: Path, public: str) -> None:
    settings = make_world(tmp_path / "home", f'[graph]\nwebhook_url = "{public}"\n').settings
    with browsing(settings) as client:
        for path in (PATH, LIFECYCLE_PATH):
            token = client.post(path, params={"validationToken": "are you there?"})
            told = client.post(path, json={"value": [{"subscriptionId": "x", "clientState": "y"}]})
            form = client.post(path, data={"value": "x"})
            assert [a.status_code for a in (token, told, form)] == ([200, 202, 415] if public else [404, 404, 404])
            assert not public or token.text == "are you there?"
