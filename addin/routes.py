"""Every route there is, and what it needs. A route that is not here is not served; a test walks them all with every
role and fails for one whose answer nobody wrote down."""

from __future__ import annotations

from typing import Final

from addin import allow, api, case, crm, crm_acts, exports, health, hooks, mine, pages, picking, queue, week
from addin.casework import case_thing
from addin.door import Need, Route
from addin.outlook import routes as outlook
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
    Route("GET", "/static/icon.svg", "icon", pages.icon, Need.NOTHING, page=False),
    Route("GET", "/sign-in", "sign_in", pages.sign_in, Need.NOTHING),
    Route("GET", "/sign-in/again", "sign_in_again", pages.start_again, Action.SELF_READ),
    Route("POST", "/sign-out", "sign_out", pages.sign_out, Action.SELF_READ),
    Route("GET", "/", "home", pages.home, Action.SELF_READ),
    Route("GET", "/rules", "rules", pages.read_rules, Action.RULES_SIGN),
    Route("POST", "/rules", "sign_rules", pages.sign_rules, Action.RULES_SIGN),
)
"""There when somebody can sign in."""

_CASE: Final = "/desk/case/{number}"
DESK: Final = (
    Route("GET", "/desk", "queue", queue.listing, Action.QUEUE_LIST),
    Route("GET", _CASE, "case", case.look, Action.CASE_READ, about=case_thing),
    Route("POST", f"{_CASE}/claim", "claim", case.claim, Action.CASE_CLAIM, about=case_thing),
    Route("POST", f"{_CASE}/reveal", "reveal", case.reveal, Action.CASE_REVEAL, about=case_thing),
    Route("POST", f"{_CASE}/release", "release", case.ruled("release"), Action.CASE_RELEASE, about=case_thing),
    Route("POST", f"{_CASE}/delete", "delete", case.ruled("delete"), Action.CASE_DELETE, about=case_thing),
    Route("POST", f"{_CASE}/escalate", "escalate", case.ruled("escalate"), Action.CASE_ESCALATE, about=case_thing),
    Route("GET", f"{_CASE}/redact", "redaction", picking.picker, Action.CASE_REDACT, about=case_thing),
    Route("POST", f"{_CASE}/redact", "redact", picking.redact, Action.CASE_REDACT, about=case_thing, fields=5000),
    Route("POST", f"{_CASE}/undo", "undo", case.undo, Action.CASE_CLAIM, about=case_thing),
    Route("POST", f"{_CASE}/second", "second", case.second, Action.CASE_SECOND, about=case_thing),
    Route("GET", f"{_CASE}/family", "family", case.family, Action.CASE_READ, about=case_thing),
    Route("POST", f"{_CASE}/release-all", "release_all", case.ruled_all("release"), Action.CASE_RELEASE,
          about=case_thing, fields=100),
    Route("POST", f"{_CASE}/delete-all", "delete_all", case.ruled_all("delete"), Action.CASE_DELETE,
          about=case_thing, fields=100),
)
"""The reviewer's desk."""

ACCOUNT: Final = (*mine.ROUTES, *allow.ROUTES, *week.ROUTES, *exports.ROUTES)
"""Users' own items and reports, allow rules, the auditor's week, exports."""

CRM: Final = (*crm.ROUTES, *crm_acts.ROUTES)
"""The pages of the embedded CRM; with another backend they answer 404."""

_API: Final = "/api/cases/{number}"
API: Final = (
    Route("GET", "/api/openapi.json", "api_document", api.document, Action.SELF_READ, page=False),
    Route("GET", "/api/me", "api_me", api.me, Action.SELF_READ, page=False),
    Route("GET", "/api/reasons", "api_reasons", api.reasons, Action.SELF_READ, page=False),
    Route("GET", "/api/queue", "api_queue", api.queue, Action.QUEUE_LIST, page=False),
    Route("GET", _API, "api_case", api.case, Action.CASE_READ, page=False, about=case_thing),
    Route("POST", f"{_API}/claim", "api_claim", api.claim, Action.CASE_CLAIM, page=False, about=case_thing),
    Route("POST", f"{_API}/reveal", "api_reveal", api.reveal, Action.CASE_REVEAL, page=False, about=case_thing),
    Route("POST", f"{_API}/release", "api_release", api.ruled("release"), Action.CASE_RELEASE, page=False,
          about=case_thing),
    Route("POST", f"{_API}/delete", "api_delete", api.ruled("delete"), Action.CASE_DELETE, page=False,
          about=case_thing),
    Route("POST", f"{_API}/escalate", "api_escalate", api.escalate, Action.CASE_ESCALATE, page=False,
          about=case_thing),
    Route("POST", f"{_API}/redact", "api_redact", api.redact, Action.CASE_REDACT, page=False, about=case_thing),
    Route("POST", f"{_API}/undo", "api_undo", api.undo, Action.CASE_CLAIM, page=False, about=case_thing),
    Route("POST", f"{_API}/second", "api_second", api.second, Action.CASE_SECOND, page=False, about=case_thing),
    Route("POST", f"{_API}/release-all", "api_release_all", api.ruled_all("release"), Action.CASE_RELEASE, page=False,
          about=case_thing),
    Route("POST", f"{_API}/delete-all", "api_delete_all", api.ruled_all("delete"), Action.CASE_DELETE, page=False,
          about=case_thing),
)
"""The desk as JSON. What changes or reveals something is a POST with the session's token in X-Form-Token."""

ENTRA: Final = (
    Route("GET", "/sign-in/start", "sign_in_start", pages.start, Need.NOTHING),
    Route("POST", "/sign-in/back", "sign_in_back", pages.back, Need.NOTHING, from_elsewhere=True),
)
"""There with `sign_in.kind = "entra"`."""

DEMO: Final = (Route("POST", "/sign-in/demo", "sign_in_demo", pages.demo, Need.NOTHING),)
"""There with `sign_in.kind = "demo"`, in a demo home, on loopback."""

PANE, SIMULATOR = outlook.ROUTES, outlook.SIMULATOR
"""There with `pane.enabled`: the pane in Outlook and its API, which takes a bearer and no cookie."""

HOOKS: Final = (
    Route("POST", PATH, "graph_changed", hooks.notified, Need.NOTHING, page=False),
    Route("POST", LIFECYCLE_PATH, "graph_lifecycle", hooks.notified, Need.NOTHING, page=False),
)
"""There with `graph.webhook_url`: Microsoft calls, and proves itself by the secret in each notification."""


def routes_for(kind: str, *, pane: bool = False) -> tuple[Route, ...]:
    """The routes for a way to sign in: "off", "entra" or "demo"; with `pane` those of the pane in Outlook as well."""
    outlook = () if not pane else (*PANE, *SIMULATOR) if kind == "demo" else PANE
    if kind == "off":
        return (*MACHINES, *outlook)
    return (*MACHINES, *PEOPLE, *DESK, *ACCOUNT, *CRM, *API, *(ENTRA if kind == "entra" else DEMO), *outlook)
