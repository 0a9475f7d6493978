"""Schemathesis over the served OpenAPI document, as a reviewer, as staff, as an auditor: whatever is sent, no error of
the service comes back, and every answer is one the document describes.

Half the requests are about cases there are, half about numbers there are not; half follow the document, half break it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from desk_process import DeskProcess, serving_desk
from desk_world import make_desk_world
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from world import World

from capture.settings import load_settings
from store import people, sessions

load_all_checks()
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
          response_headers_conformance]
EXAMPLES = 12
PEOPLE = ("vera.stone", "dana.reid", "aya.tamm")
QUICKLY = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
                   phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    world = make_desk_world(tmp_path_factory.mktemp("fuzz") / "home")
    with (world.home / "settings.toml").open("a", encoding="utf-8") as settings_file:
        settings_file.write("[pane]\nenabled = true\n")
    with serving_desk(World(world.home, load_settings(world.home))) as made:
        yield made


def send_whatever(desk: DeskProcess, client: httpx.Client, operation: Any, kinds: list[Any],
                  seen: Counter[str]) -> None:
    """Requests that follow the document and that break it, and `kinds` of them; every answer is compared."""
    every = [*kinds, *(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)]

    @QUICKLY
    @given(case=st.one_of(every))
    def whatever(case: Case) -> None:
        sent = case.as_transport_kwargs(base_url=desk.address)
        answer = client.request(
            sent["method"], sent["url"], params=sent.get("params"), json=sent.get("json"), content=sent.get("data"),
            headers=dict(client.headers) | {key: value for key, value in dict(sent.get("headers") or {}).items()
                                            if key.lower() not in ("user-agent", "content-length")})
        seen[str(answer.status_code)] += 1
        case.validate_response(answer, checks=CHECKS)

    whatever()


def test_whatever_a_pane_sends_every_answer_is_in_the_document(desk: DeskProcess) -> None:
    """With the bearer of a pane; about items there are and that are not."""
    began, seen = time.monotonic(), Counter[str]()
    desk.session_of("dana.reid")  # the rules are signed
    with desk.database.session() as session:
        person = people.by_address(session, "dana.reid@example.org")
        assert person is not None
        token = sessions.begin(session, person.id, hours=1, kind=sessions.PANE)
        row = sessions.find(session, token)
        assert row is not None
        sessions.affirm(session, row)
    captures = [str(ident) for (ident,) in desk.world.rows("SELECT id FROM capture")]
    assert len(captures) > 5
    with desk.client("dana.reid") as reader, desk.client() as client:
        schema = schemathesis.openapi.from_dict(reader.get("/api/openapi.json").json())
        client.headers["authorization"] = f"Bearer {token}"
        operations = [one for one in (found.ok() for found in schema.get_all_operations())
                      if one.path.startswith("/pane/api/") and not one.path.endswith("/sign-out")]
        for operation in operations:
            kinds = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters={"capture": ident})
                     for ident in captures] if "{capture}" in operation.path else []
            send_whatever(desk, client, operation, kinds, seen)
        assert client.get("/pane/api/me").status_code == 200, "the session stands"
    print(f"the pane: {len(operations)} operations, {sum(seen.values())} requests, answers "
          f"{dict(sorted(seen.items()))}, {time.monotonic() - began:.0f} s")
    assert len(operations) > 12
    assert {"200", "422"} <= set(seen)
    assert "web:request:failed" not in desk.log.read_text()


@pytest.mark.parametrize("name", PEOPLE)
def test_whatever_is_sent_every_answer_is_in_the_document(desk: DeskProcess, name: str) -> None:
    began, seen = time.monotonic(), Counter[str]()
    with desk.client(name) as client:
        schema = schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())
        numbers = desk.cases("1 = 1")
        assert len(numbers) > 5
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in operations:
            kinds = [operation.as_strategy(generation_mode=mode, **({"path_parameters": {"number": number}}))
                     for mode in GenerationMode for number in numbers] if "{number}" in operation.path else []
            send_whatever(desk, client, operation, kinds, seen)
    took = time.monotonic() - began
    print(f"{name}: {len(operations)} operations, {sum(seen.values())} requests, answers {dict(sorted(seen.items()))}, "
          f"{took:.0f} s")
    assert sum(seen.values()) > len(operations)
    assert "200" in seen
    assert ("403" in seen) or name == "vera.stone"
    assert "web:request:failed" not in desk.log.read_text()
