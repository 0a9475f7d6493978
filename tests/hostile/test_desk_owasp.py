"""What attackers of web services try, on a real service with held items. `python -m tests.benchmarks.owasp` prints the
list with its outcome."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attacks import MORE_MAILS
from attacks_crm import ALL
from canaries import CANARIES
from desk_process import DeskProcess, serving_desk
from desk_world import HOSTILE, make_desk_world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    with serving_desk(make_desk_world(tmp_path_factory.mktemp("owasp") / "home", **MORE_MAILS)) as made:
        yield made


@pytest.mark.parametrize("name", ALL)
def test_an_attack_is_met(desk: DeskProcess, name: str) -> None:
    asked = len(desk.heard)
    outcome = ALL[name](desk)
    print(f"{name}: {outcome}")
    assert len(desk.heard) > asked
    assert [(a.method, a.path, a.status) for a in desk.heard[asked:] if a.status >= 500] == []
    log = desk.log.read_text()
    assert "web:request:failed" not in log
    assert not any(word in log for word in (*CANARIES, HOSTILE, "X-Injected", "evil.example"))
