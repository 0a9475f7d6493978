"""What is true of every answer of the web service: headers, host names, proxies, errors; health and metrics."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARY_NAME
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from stores import BLOCK, PASS, finish, opened, sight
from webclient import browsing, with_web
from world import World, make_world

from addin import edge
from addin.edge import SECURITY_HEADERS
from addin.errors import BadCertificate, UnsafeListen
from addin.limits import Buckets
from addin.metrics import METRICS, exposition, registry_of
from addin.serve import require_safe
from capture.settings import Settings, WebSettings

PAGE = Path(__file__).parent.parent.parent / "docs" / "operators" / "monitoring.md"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("web") / "home")


@pytest.fixture(scope="module")
def settings(world: World) -> Settings:
    return world.settings


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/nothing", "/docs", "/openapi.json"])
def test_every_answer_carries_the_security_headers(settings: Settings, path: str) -> None:
    with browsing(settings) as client:
        answer = client.get(path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert "server" not in answer.headers
    assert answer.status_code == (404 if path[1:] in ("nothing", "docs", "openapi.json") else 200)


def test_an_error_says_a_code_and_the_request_and_repeats_nothing(settings: Settings) -> None:
    with browsing(settings) as client:
        for answer in (client.get(f"/{CANARY_NAME}?q={CANARY_NAME}"), client.post("/metrics"),
                       client.request("TRACE", "/metrics")):
            assert answer.json() == {"code": answer.json()["code"], "request": answer.headers["x-request-id"]}
            assert re.fullmatch(r"[a-z-]+", answer.json()["code"])
            assert answer.status_code in (404, 405)


@pytest.mark.parametrize(("host", "status"), [
    pytest.param("localhost:8025", 200, id="localhost"),
    pytest.param("[::1]:8025", 200, id="six"),
    pytest.param("weir.example.org", 200, id="named in the settings"),
    pytest.param("WEIR.example.org:443", 200, id="upper case"),
    pytest.param("evil.example", 421, id="a name that leads here by DNS"),
    pytest.param("localhost:80:evil.example", 421, id="something behind the port"),
    pytest.param("", 421, id="empty"),
])
def test_only_known_host_names_are_answered(settings: Settings, host: str, status: int) -> None:
    with browsing(with_web(settings, names=("weir.example.org",))) as client:
        assert client.get("/health/live", headers={"host": host}).status_code == status


PROXY = "10.0.0.9"


@pytest.mark.parametrize(("peer", "headers", "status"), [
    pytest.param("203.0.113.5", {}, 403, id="past the proxy"),
    pytest.param("203.0.113.5", {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}, 403,
                 id="pretending to be the proxy"),
    pytest.param(PROXY, {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "http"}, 400, id="not by https"),
    pytest.param(PROXY, {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"}, 200, id="as it should be"),
    pytest.param("127.0.0.1", {}, 200, id="a check on the machine itself"),
])
def test_without_tls_only_the_trusted_proxy_and_the_machine_itself_are_answered(
        settings: Settings, peer: str, headers: dict[str, str], status: int) -> None:
    with browsing(with_web(settings, trusted_proxy=(PROXY,)), peer=peer) as client:
        answer = client.get("/health/live", headers=headers)
    assert answer.status_code == status
    assert ("strict-transport-security" in answer.headers) == (headers.get("x-forwarded-proto") == "https"
                                                               and peer == PROXY)


@pytest.mark.parametrize(("peer", "proxies", "headers", "status"), [
    pytest.param("127.0.0.1", (), {}, 200, id="on the machine"),
    pytest.param("::ffff:127.0.0.1", (), {}, 200, id="on the machine, written otherwise"),
    pytest.param("127.0.0.1", (), {"x-forwarded-for": "198.51.100.7"}, 403, id="a proxy nobody declared"),
    pytest.param("127.0.0.1", (), {"forwarded": "for=198.51.100.7"}, 403, id="the same, newer header"),
    pytest.param("127.0.0.1", ("127.0.0.1",), {}, 403, id="a declared proxy on the machine"),
    pytest.param(PROXY, (PROXY,), {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}, 403,
                 id="through the proxy, claiming loopback"),
    pytest.param(PROXY, (PROXY,), {"x-forwarded-proto": "https", "authorization": "Bearer t0ken"}, 200, id="token"),
    pytest.param(PROXY, (PROXY,), {"x-forwarded-proto": "https", "authorization": "Bearer other"}, 403, id="wrong"),
    pytest.param(PROXY, (PROXY,), {"x-forwarded-proto": "https", "authorization": "Bearer "}, 403, id="empty token"),
])
def test_metrics_are_for_the_machine_itself_or_for_the_token(
        settings: Settings, peer: str, proxies: tuple[str, ...], headers: dict[str, str], status: int) -> None:
    chosen = with_web(settings, trusted_proxy=proxies).model_copy(update={"metrics_token": SecretStr("t0ken")})
    with browsing(chosen, peer=peer) as client:
        assert client.get("/metrics", headers=headers).status_code == status


def test_without_a_token_none_fits(settings: Settings) -> None:
    with browsing(with_web(settings, trusted_proxy=(PROXY,)), peer=PROXY) as client:
        headers = {"x-forwarded-proto": "https", "authorization": "Bearer "}
        assert client.get("/metrics", headers=headers).status_code == 403


def test_readiness_names_what_is_wrong(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    with browsing(world.settings) as client:
        assert client.get("/health/ready").json() == {"status": "ok", "database": "ok", "worker": "off"}
        connection = sqlite3.connect(world.home / "mailweir.db")
        connection.execute("UPDATE mailweir_schema SET version_num = '9999'")
        connection.commit()
        connection.close()
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not-ready", "database": "database-outdated", "worker": "off"}
        assert client.get("/health/live").status_code == 200


def families(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Metric -> label values -> value, as Prometheus reads it."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels[k] for k in sorted(sample.labels))] = sample.value
    return found


def test_metrics_count_what_the_database_holds_and_name_nobody(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    folder = tmp_path / "other"
    folder.mkdir()
    with opened(folder) as (db, keys):
        for number in range(3):
            finish(db, *sight(db, keys, f"person{number}@example.org", f"<p{number}@x>", PASS))
        finish(db, *sight(db, keys, "person9@example.org", "<b@x>", BLOCK))
        sight(db, keys, "person8@example.org", "<waiting@x>", PASS)
        text = exposition(registry_of(db, world.home)).decode()
    found = families(text)
    assert found["mailweir_captures"]["link", "notified"] == 3
    assert found["mailweir_captures"]["hold", "notified"] == 1
    assert found["mailweir_cases_open"] == {("under_4h",): 1, ("under_1d",): 0, ("under_3d",): 0, ("under_5d",): 0,
                                            ("over_5d",): 0}
    assert found["mailweir_queue_backlog"][()] == 1
    assert 0 <= found["mailweir_queue_oldest_seconds"][()] < 60
    assert found["mailweir_audit_rows_total"][()] > 10
    assert "person9" not in text
    assert "example" not in text


def test_every_metric_is_there_and_explained_for_operators(settings: Settings) -> None:
    with browsing(settings) as client:
        client.get("/health/live")
        text = client.get("/metrics").text
    shown = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert shown == set(METRICS)
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in METRICS if f"| `{name}` |" not in page] == []
    told = set(re.findall(r"mailweir_[a-z_]+", page))
    assert {name for name in told if not any(name.startswith(known) for known in METRICS)} == set()


def test_what_strangers_ask_for_makes_no_new_metric(settings: Settings) -> None:
    with browsing(settings) as client:
        client.get("/metrics")
        before = set(families(client.get("/metrics").text)["mailweir_request_seconds_count"])
        for number in range(20):
            client.get(f"/{CANARY_NAME}/{number}")
            client.request(f"X{number}", "/metrics")
        new = set(families(client.get("/metrics").text)["mailweir_request_seconds_count"]) - before
    assert {route for _, route, _ in new} <= {"none", "/metrics"}
    assert {method for method, _, _ in new} <= {"GET", "OTHER"}
    assert len(new) <= 4


def test_a_database_that_is_gone_shows_as_down_not_as_an_error(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    with browsing(world.settings) as client:
        connection = sqlite3.connect(world.home / "mailweir.db")
        connection.execute("DROP TABLE notice")
        connection.commit()
        connection.close()
        found = families(client.get("/metrics").text)
    assert found["mailweir_up"][()] == 0
    assert "mailweir_captures" not in found


@pytest.mark.parametrize("web", [
    WebSettings(), WebSettings(host="::1"), WebSettings(host="localhost"), WebSettings(host="127.8.8.8"),
    WebSettings(host="0.0.0.0", tls_cert="c", tls_key="k"),  # noqa: S104 - with TLS
    WebSettings(host="10.1.2.3", trusted_proxy=("10.1.2.4",)),
], ids=repr)
def test_safe_ways_to_listen(web: WebSettings) -> None:
    require_safe(web)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "example.org", "", "127.0.0.1.example.org"])  # noqa: S104
def test_listening_in_the_open_is_refused(host: str) -> None:
    with pytest.raises(UnsafeListen):
        require_safe(WebSettings(host=host))


def test_half_a_certificate_is_refused() -> None:
    with pytest.raises(BadCertificate):
        require_safe(WebSettings(tls_cert="c"))


def test_a_body_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.05)

    async def read(request: Request) -> Response:
        return Response(await request.body())

    async def never() -> Any:
        await asyncio.sleep(60)

    async def ask() -> int:
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost")],
                 "client": ("127.0.0.1", 1), "scheme": "http", "query_string": b"", "root_path": ""}
        said: list[Any] = []

        async def hear(message: Any) -> None:
            said.append(message)

        app = Starlette(routes=[Route("/", read, methods=["POST"])])
        await edge.Edge(app, WebSettings())(scope, never, hear)
        return int(said[0]["status"])

    assert asyncio.run(ask()) == 408


def test_buckets_fill_up_again_and_forget_the_oldest() -> None:
    clock = [0.0]
    buckets = Buckets(3, 60, clock=lambda: clock[0])
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0]
    assert 0 < buckets.take("a") <= 1
    assert buckets.take("b") == 0
    clock[0] = 1.0
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0
    for number in range(20_000):
        buckets.take(f"flood{number}")
    assert len(buckets._left) == 10_000
