"""The page of routes and roles is what the program does, route by route."""

from __future__ import annotations

import routes_page

from addin.routes import HOOKS, routes_for


def test_the_page_of_routes_is_what_the_tables_say() -> None:
    assert routes_page.FILE.read_text(encoding="utf-8") == routes_page.render(), "run tests/support/routes_page.py"


def test_every_route_of_every_way_to_sign_in_stands_on_it() -> None:
    page = routes_page.render()
    assert [route.path for kind in ("off", "entra", "demo") for route in (*routes_for(kind), *HOOKS)
            if f"| `{route.method} {route.path}` |" not in page] == []
    assert [key for key, reached in routes_page.matrix().items() if not any(reached.values())] == []
