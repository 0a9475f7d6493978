"""Who may import whom (docs/how-it-flows.md). Reads the imports of every module, runs none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("addin", "capture", "pii_scan", "store", "cli", "manifests")
MAY_IMPORT = {
    "pii_scan": set(),
    "store": {"pii_scan.findings", "pii_scan.errors"},
    "capture": {"store", "pii_scan"},
    "addin": {"capture", "store", "pii_scan"},
    "manifests": set(),
}
ONE_DOOR = {
    "exchangelib": {"capture/mailbox/ews"},
    "msal": {"capture/mailbox/tokens.py", "capture/mailbox/graph_errors.py", "capture/crm/dataverse.py",
             "addin/auth.py"},
    "presidio_analyzer": {"pii_scan/engine.py", "pii_scan/recognizers/"},
    "spacy": {"pii_scan/engine.py", "pii_scan/recognizers/"},
    "dbos": {"capture/engine.py"},
}


def imports(source: str) -> set[str]:
    """Every module named in an import statement, at any depth."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def violations(path: str, source: str) -> list[str]:
    """What this module imports and may not."""
    package = path.split("/")[0]
    wrong: list[str] = []
    for name in imports(source):
        top = name.split(".")[0]
        if top in OURS and top != package:
            allowed = MAY_IMPORT.get(package, set(OURS))
            if not any(name == a or name.startswith(f"{a}.") for a in allowed):
                wrong.append(f"{path} imports {name}")
        doors = ONE_DOOR.get(top)
        if doors and package in MAY_IMPORT and not any(path.startswith(d) for d in doors):
            wrong.append(f"{path} imports {name}, which has its door in {', '.join(sorted(doors))}")
    return [w for w in wrong if not _parent_of_allowed(w)]


def _parent_of_allowed(violation: str) -> bool:
    """`from pii_scan.findings import X` names `pii_scan.findings` and `pii_scan.findings.X`; both are fine,
    but `from pii_scan import findings` also names the bare package, which holds nothing."""
    return violation.endswith("imports pii_scan")


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_point_down(package: str) -> None:
    wrong = [v for path in sorted((ROOT / package).rglob("*.py"))
             for v in violations(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))]
    assert wrong == []


@pytest.mark.parametrize(("path", "source"), [
    pytest.param("store/x.py", "from capture.ports import Crm", id="store reaches up"),
    pytest.param("pii_scan/x.py", "def f():\n    import store.tables", id="hidden inside a function"),
    pytest.param("store/x.py", "from pii_scan.engine import Scanner", id="store wants more than findings"),
    pytest.param("capture/pipeline.py", "from dbos import DBOS", id="a second door for dbos"),
    pytest.param("addin/x.py", "import cli", id="nothing imports cli"),
])
def test_a_planted_violation_is_caught(path: str, source: str) -> None:
    assert violations(path, source)
