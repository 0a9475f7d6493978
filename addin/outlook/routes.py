"""The routes of the pane; there with `pane.enabled`. Those under /pane/api/ take a bearer, the others are files."""

from __future__ import annotations

from typing import Final

from addin.door import Need, Route
from addin.outlook import api, files, simulator
from store.access import Action

_API: Final = "/pane/api"
_ITEM: Final = "/pane/api/items/{capture}"
FILES: Final = (
    Route("GET", "/pane/", "pane", files.page, Need.NOTHING, page=False),
    Route("GET", "/pane/commands", "pane_commands", files.commands, Need.NOTHING, page=False),
    Route("GET", "/pane/static/{name}", "pane_static", files.static, Need.NOTHING, page=False),
    Route("GET", "/pane/icons/{name}", "pane_icon", files.icon, Need.NOTHING, page=False),
)
PANE_API: Final = (
    Route("OPTIONS", _API + "/{rest:path}", "pane_preflight", api.preflight, Need.NOTHING, page=False, bearer=True),
    Route("GET", f"{_API}/config", "pane_config", api.config, Need.NOTHING, page=False, bearer=True),
    Route("POST", f"{_API}/sign-in", "pane_sign_in", api.sign_in, Need.NOTHING, page=False, bearer=True),
    Route("POST", f"{_API}/sign-out", "pane_sign_out", api.sign_out, Action.SELF_READ, page=False, bearer=True),
    Route("GET", f"{_API}/me", "pane_me", api.me, Action.SELF_READ, page=False, bearer=True),
    Route("GET", f"{_API}/rules", "pane_rules", api.read_rules, Action.RULES_SIGN, page=False, bearer=True),
    Route("POST", f"{_API}/rules", "pane_affirm", api.affirm, Action.RULES_SIGN, page=False, bearer=True),
    Route("GET", f"{_API}/codes", "pane_codes", api.codes, Action.SELF_READ, page=False, bearer=True),
    Route("POST", f"{_API}/status", "pane_status", api.status, Action.ITEM_STATUS, page=False, bearer=True,
          about=api.named_thing),
    Route("POST", f"{_API}/track", "pane_track", api.track, Action.ITEM_TRACK, page=False, bearer=True,
          about=api.named_thing),
    Route("POST", f"{_API}/check", "pane_check", api.check, Action.ITEM_TRACK, page=False, bearer=True,
          about=api.named_thing),
    Route("POST", f"{_API}/preview", "pane_preview", api.preview, Action.ITEM_TRACK, page=False, bearer=True,
          about=api.named_thing),
    Route("POST", f"{_API}/suggestions", "pane_suggestions", api.suggestions, Action.ITEM_TRACK, page=False,
          bearer=True, about=api.named_thing),
    Route("POST", f"{_API}/search", "pane_search", api.search, Action.RECORD_SEARCH, page=False, bearer=True),
    Route("GET", _ITEM, "pane_follow", api.follow, Action.ITEM_STATUS, page=False, bearer=True,
          about=api.capture_thing),
    Route("GET", f"{_ITEM}/records", "pane_questions", api.questions, Action.RECORD_LIST, page=False, bearer=True,
          about=api.capture_thing),
    Route("POST", f"{_ITEM}/records", "pane_decide", api.decide, Action.RECORD_CHANGE, page=False, bearer=True,
          about=api.capture_thing),
    Route("POST", f"{_ITEM}/report", "pane_report", api.report, Action.CASE_REPORT, page=False, bearer=True,
          about=api.capture_thing),
    Route("POST", f"{_ITEM}/untrack", "pane_untrack", api.untrack, Action.ITEM_WITHDRAW, page=False, bearer=True,
          about=api.capture_thing),
)
ROUTES: Final = (*FILES, *PANE_API)
"""Everything of the pane."""
SIMULATOR: Final = (
    Route("GET", "/pane/demo", "pane_demo", simulator.page, Need.NOTHING, page=False),
    Route("GET", "/pane/demo/items", "pane_demo_items", simulator.items, Need.NOTHING, page=False),
)
"""A page that stands for Outlook; there with `sign_in.kind = "demo"` only: a demo home, on loopback."""
