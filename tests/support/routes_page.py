"""Every route and every role: written out of `addin/routes.py` and `store/access.py` to docs/operators/routes.md.

    python tests/support/routes_page.py            prints it and writes the page

A test compares; that the service answers so is another test's matter, which asks it (tests/unit/test_web_sign_in.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent.parent.parent / "docs" / "operators" / "routes.md"
SHORT: Final = {1: "own", 2: "division", 3: "all"}
HEAD: Final = """\
# Routes: what each needs, and who may

Written out of `addin/routes.py` and `store/access.py`; a test fails when they differ. What is not here is not served.

`own`, `division`, `all`: how far the role reaches, as in [roles.md](roles.md). Empty: 403. `*`: about one thing, and
asked about that very thing, so that one's own mail is refused and, where a second person is needed, the first one.
`fresh`: needs a sign-in of the last minutes. What stands under `/pane/` is there with `pane.enabled`; its API takes the
bearer of a pane and no cookie.
"""


def matrix() -> dict[tuple[str, str], dict[str, str]]:
    """(method, path) -> role -> how far it reaches, "" for a refusal; without the routes that need no session."""
    from addin.door import Need
    from addin.routes import routes_for
    from store.access import Person, Role, reach

    found: dict[tuple[str, str], dict[str, str]] = {}
    for route in (*routes_for("demo", pane=True), *routes_for("entra")):
        if not isinstance(route.needs, Need):
            reached = {role: reach(Person("p", frozenset({role})), route.needs) for role in Role}
            found[route.method, route.path] = {role: SHORT[far] if far else "" for role, far in reached.items()}
    return found


def render() -> str:
    """The whole page."""
    from addin.door import Need
    from addin.routes import HOOKS, routes_for
    from store.access import FRESH, Role

    served = {(route.method, route.path): route for route in (
        *routes_for("demo", pane=True), *routes_for("entra"), *HOOKS)}
    lines = [HEAD, "| Route | Needs | " + " | ".join(Role) + " |", "|---" * (len(Role) + 2) + "|"]
    for key, reached in matrix().items():
        route = served[key]
        needs = f"`{route.needs}`" + ("*" if route.about else "") + (" fresh" if route.needs in FRESH else "")
        lines.append(f"| `{route.method} {route.path}` | {needs} | " + " | ".join(reached.values()) + " |")
    lines += ["", "## Without a session", "", "| Route | Needs |", "|---|---|"]
    lines += [f"| `{route.method} {route.path}` | {route.needs} |" for route in served.values()
              if isinstance(route.needs, Need)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(FILE.parent.parent.parent))
    text = render()
    FILE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
