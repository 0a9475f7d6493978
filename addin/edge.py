"""The outer edge of the web service: what is true of every request and every answer, whatever the route.

In this order: an id for the request; who is really calling (a trusted proxy may speak for others); is that caller
and that host name answered at all; security headers on the way out, also on errors; one log line and one measured
duration at the end, by the route's template and never by the address asked for.

Plain ASGI, so that nothing is buffered and a client that goes away is noticed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from capture.logs import bound, fields, where
from capture.meter import METER
from capture.settings import WebSettings

log = logging.getLogger("mailweir.web")

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser sends "Origin: null" with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
"""On every answer, unless a route sets its own value of the same header (a page that may be framed, a stylesheet
that may be cached)."""
STRICT_TRANSPORT: Final = "max-age=31536000"
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::[0-9]{1,5})?")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


BODY_SECONDS: Final = 20.0
"""A client that sends nothing of the body for this long is answered 408."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from: the address, whether over TLS, and whether from this very machine without a
    proxy between."""

    address: str
    secure: bool
    local: bool


class Edge:
    """Wraps the whole application. `uploads` are the paths a file may be sent to."""

    def __init__(self, app: ASGIApp, settings: WebSettings, uploads: Collection[str] = ()) -> None:
        self._app, self._settings, self._uploads = app, settings, frozenset(uploads)
        self._proxies = frozenset(settings.trusted_proxy)
        self._names = LOCAL_NAMES | {name.lower() for name in settings.names}
        self._own_tls = bool(settings.tls_cert)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # nothing here speaks websocket
        request = uuid.uuid4().hex
        began, status = time.monotonic(), 500
        headers = Headers(scope=scope)
        caller = self.caller(scope, headers)
        scope.setdefault("state", {}).update(request=request, caller=caller)
        scope["scheme"] = "https" if caller.secure else "http"

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(MutableHeaders(raw=message["headers"]), request, caller)
            await send(message)

        with bound(request=request):
            try:
                refused = self.refusal(scope, headers, caller)
                if refused:
                    await answer(send_on, *refused, request)
                else:
                    await self._inner(scope, self._measured(receive, headers, scope["path"]), send_on, request)
            finally:
                self._note(scope, status, time.monotonic() - began)

    def caller(self, scope: Scope, headers: Headers) -> Caller:
        """Who calls. Only a trusted proxy's words about somebody else are believed."""
        peer = str((scope.get("client") or ("", 0))[0])
        forwarded = headers.get("x-forwarded-for", "")
        if peer in self._proxies:
            hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
            real = next((hop for hop in reversed(hops) if hop not in self._proxies), "")
            return Caller(real if _is_address(real) else peer, headers.get("x-forwarded-proto", "") == "https", False)
        spoken_for = bool(forwarded or headers.get("forwarded") or headers.get("x-real-ip"))
        return Caller(peer, scope.get("scheme") == "https", is_loopback(peer) and not spoken_for)

    def refusal(self, scope: Scope, headers: Headers, caller: Caller) -> tuple[int, str] | None:
        """Status and code for a request that no route should see; None when it may pass."""
        peer = str((scope.get("client") or ("", 0))[0])
        if not self._own_tls and not is_loopback(peer) and peer not in self._proxies:
            return 403, "not-the-proxy"
        if peer in self._proxies and not caller.secure and (headers.get("x-forwarded-for") or not is_loopback(peer)):
            return 400, "needs-https"
        if len(headers.getlist("host")) != 1 or _name(headers["host"]) not in self._names:
            return 421, "unknown-host"
        if scope["method"] not in _METHODS:
            return 405, "method-not-allowed"
        return None

    def _measured(self, receive: Receive, headers: Headers, path: str) -> Receive:
        """The body, up to its greatest length and within its time; else the route ends with 413 or 408."""
        most = self._settings.upload_bytes if path in self._uploads else self._settings.body_bytes
        seen, whole = 0, False
        declared = headers.get("content-length", "0")

        async def measured() -> Message:
            nonlocal seen, whole
            if declared.isdigit() and int(declared) > most:
                raise HTTPException(413, "too-large")
            try:
                message = await (receive() if whole else asyncio.wait_for(receive(), BODY_SECONDS))
            except TimeoutError:
                raise HTTPException(408, "too-slow") from None
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if seen > most:
                    raise HTTPException(413, "too-large")
            return message

        return measured

    async def _inner(self, scope: Scope, receive: Receive, send: Send, request: str) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the outer edge: the message may quote data, so nobody prints it
            log.error("a request failed: %s", where(error), extra=fields("web:request:failed"))  # noqa: TRY400
            if not begun:
                await answer(send, 500, "internal", request)

    def _dress(self, headers: MutableHeaders, request: str, caller: Caller) -> None:
        framed = "content-security-policy" in headers  # its own word on who may frame it; the older header knows less
        for name, value in SECURITY_HEADERS.items():
            if not (framed and name == "X-Frame-Options"):
                headers.setdefault(name, value)
        headers["X-Request-Id"] = request
        if caller.secure:
            headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)

    @staticmethod
    def _note(scope: Scope, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", "") or "none")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        METER.observe("request", seconds, f"{method} {route} {status // 100}xx")
        log.info("answered", extra=fields("web:request:done", method=method, route=route, status=status,
                                          seconds=seconds))


async def answer(send: Send, status: int, code: str, request: str) -> None:
    """A short answer that a program can read: the code and the request's id."""
    body = json.dumps({"code": code, "request": request}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


def is_loopback(address: str) -> bool:
    """True for an address of this very machine. A name is none, but for "localhost"."""
    if address == "localhost":
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """A Host header without its port; "" when it is none."""
    found = _HOST.fullmatch(host)
    return found[1].lower() if found else ""
