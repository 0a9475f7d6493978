"""`make test` needs no outside data: the stand-in for Graph says when it was last held to Microsoft's metadata."""

from __future__ import annotations

import hashlib
from pathlib import Path

SERVERS = Path(__file__).parent.parent / "servers"


def test_the_shapes_are_those_the_conformance_suite_has_seen() -> None:
    found = hashlib.sha256((SERVERS / "graph_shapes.py").read_bytes()).hexdigest()
    assert (SERVERS / "graph_shapes.stamp").read_text(encoding="ascii").strip() == found, (
        "the replies of the stand-in changed: run `make conformance DATA=...`, and when tests/conformance/"
        f"test_graph_metadata.py passes write {found} into tests/servers/graph_shapes.stamp")


def test_the_stand_in_and_the_backend_do_not_know_each_other() -> None:
    for path in [*SERVERS.glob("graph_*.py"), SERVERS / "entra_server.py"]:
        text = path.read_text(encoding="utf-8")
        assert "import capture" not in text
        assert "from capture" not in text
