"""A page that stands for Outlook, for `mailweir demo --pane`: the invented mailboxes, and the real pane beside them.

Only where everybody is invented: the routes are there with the demo's sign-in, which needs a demo home on loopback.
"""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import unescape
from pathlib import Path
from typing import Any, Final

from fastapi import HTTPException, Request, Response

from addin.outlook.files import built
from capture.mailbox.filemarks import categories
from capture.mailbox.states import PREFIX
from capture.notices import address
from capture.settings import Settings

MOST: Final = 200
_HEAD: Final = re.compile(r"<head\b.*?</head>", re.DOTALL | re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]*>")
_POLICY: Final = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                  "frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'")


def page() -> Response:
    """The page that stands for Outlook."""
    found = built().get("simulator.html")
    if found is None:
        raise HTTPException(404, "not-found")
    return Response(found, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})


def items(request: Request) -> list[dict[str, Any]]:
    """The mailboxes of the demo: what Outlook would show of them."""
    settings: Settings = request.app.state.settings
    root = settings.mailbox_root
    return [{"address": address(user.name, settings.mailbox.domain),
             "items": [_entry(user, path) for path in sorted(user.rglob("*.eml"))[:MOST]]}
            for user in sorted(root.iterdir()) if user.is_dir()]


def _entry(user: Path, path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - what this policy makes
    body = message.get_body(("plain", "html"))
    state = [c.removeprefix(PREFIX) for c in categories(raw) if c.startswith(PREFIX)]
    return {"id": path.relative_to(user).as_posix(), "message": str(message.get("Message-ID", "")), "kind": "mail",
            "subject": str(message.get("Subject", "")), "from": str(message.get("From", "")),
            "text": _text(body), "state": state[0] if state else ""}


def _text(body: Any) -> str:
    """The text of a mail for the eye; HTML without its tags, and never as HTML."""
    try:
        text = str(body.get_content()) if body is not None else ""
    except (LookupError, ValueError):
        return ""
    if body is not None and body.get_content_subtype() == "html":
        text = unescape(_TAG.sub(" ", _HEAD.sub("", text)))
        text = "\n".join(line for part in text.splitlines() if (line := " ".join(part.split())))
    return text[:4000]
