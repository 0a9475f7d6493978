"""What a browser has to be told before a page of Outlook's may call the pane's API: CORS, for its hosts only.

No credentials: the API takes no cookie. Plain ASGI, around the application, so that refusals carry the headers too.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from addin.door import outlooks
from capture.settings import Settings


class Pane:
    """Adds CORS headers to answers under /pane/api/ for pages of `pane.outlook_hosts`."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        origin = Headers(scope=scope).get("origin", "") if scope["type"] == "http" else ""
        if not (scope["type"] == "http" and scope["path"].startswith("/pane/api/") and outlooks(
                origin, self._settings)):
            await self._app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Allow-Methods"] = "GET, POST"
                headers["Access-Control-Allow-Headers"] = "authorization, content-type"
                headers["Access-Control-Max-Age"] = "600"
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
                headers.add_vary_header("Origin")
            await send(message)

        await self._app(scope, receive, send_on)
