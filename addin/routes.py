"""Every route there is, and what it needs. A route that is not here is not served; a test walks them all with every
role and fails for one whose answer nobody wrote down."""

from __future__ import annotations

from typing import Final

from addin import health, hooks, pages
from addin.door import Need, Route
from capture.mailbox.graph_hooks import LIFECYCLE_PATH, PATH
from store.access import Action

MACHINES: Final = (
    Route("GET", "/health/live", "live", health.live, Need.NOTHING, page=False),
    Route("GET", "/health/ready", "ready", health.ready, Need.NOTHING, page=False),
    Route("GET", "/metrics", "metrics", health.numbers, Need.MACHINE, page=False),
)
"""Always there."""

PEOPLE: Final = (
    Route("GET", "/static/desk.css", "stylesheet", pages.stylesheet, Need.NOTHING, page=False),
    Route("GET", "/static/desk.js", "script", pages.script, Need.NOTHING, page=False),
    Route("GET", "/sign-in", "sign_in", pages.sign_in, Need.NOTHING),
    Route("GET", "/sign-in/again", "sign_in_again", pages.start_again, Action.SELF_READ),
    Route("POST", "/sign-out", "sign_out", pages.sign_out, Action.SELF_READ),
    Route("GET", "/", "home", pages.home, Action.SELF_READ),
    Route("GET", "/rules", "rules", pages.read_rules, Action.RULES_SIGN),
    Route("POST", "/rules", "sign_rules", pages.sign_rules, Action.RULES_SIGN),
)
"""There when somebody can sign in."""

ENTRA: Final = (
    Route("GET", "/sign-in/start", "sign_in_start", pages.start, Need.NOTHING),
    Route("POST", "/sign-in/back", "sign_in_back", pages.back, Need.NOTHING, from_elsewhere=True),
)
"""There with `sign_in.kind = "entra"`."""

DEMO: Final = (Route("POST", "/sign-in/demo", "sign_in_demo", pages.demo, Need.NOTHING),)
"""There with `sign_in.kind = "demo"`, in a demo home, on loopback."""

HOOKS: Final = (
    Route("POST", PATH, "graph_changed", hooks.notified, Need.NOTHING, page=False),
    Route("POST", LIFECYCLE_PATH, "graph_lifecycle", hooks.notified, Need.NOTHING, page=False),
)
"""There with `graph.webhook_url`: Microsoft calls, and proves itself by the secret in each notification."""


def routes_for(kind: str) -> tuple[Route, ...]:
    """The routes for a way to sign in: "off", "entra" or "demo"."""
    if kind == "off":
        return MACHINES
    return (*MACHINES, *PEOPLE, *(ENTRA if kind == "entra" else DEMO))
