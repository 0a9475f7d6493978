"""The pane's files: its page, its script and style, its icons. The page may be framed by Outlook and by nobody else."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from fastapi import HTTPException, Request, Response

from capture.settings import Settings

KINDS: Final = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "png": "image/png"}
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}(?:\.[A-Za-z0-9_-]{1,80}){0,2}\.(js|css|svg)")
_ICON: Final = re.compile(r"icon-(?:16|25|32|48|64|80|96|128|192)\.png|icon-outline-32\.png")


def page(request: Request) -> Response:
    """The pane."""
    return _page(request, "pane.html")


def commands(request: Request) -> Response:
    """The page behind the button that tracks at once."""
    return _page(request, "commands.html")


def static(name: str) -> Response:
    """A script or stylesheet of the pane. Names of built files change with their content, so they are kept."""
    if not _NAME.fullmatch(name) or name not in built():
        raise HTTPException(404, "not-found")
    return Response(built()[name], media_type=KINDS[name.rpartition(".")[2]],
                    headers={"Cache-Control": "max-age=31536000, immutable" if "-" in name else "max-age=600"})


def icon(name: str) -> Response:
    """An icon of the manifests."""
    if not _ICON.fullmatch(name):
        raise HTTPException(404, "not-found")
    return Response((files("manifests") / "icons" / name).read_bytes(), media_type="image/png", headers={
        "Cache-Control": "max-age=86400", "Cross-Origin-Resource-Policy": "cross-origin"})


@cache
def built() -> dict[str, bytes]:
    """The files of the pane that ship, by name."""
    folder = files("addin") / "pane" / "built"
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def policy(settings: Settings) -> str:
    """The content security policy of the pane's pages."""
    pane, sign = settings.pane, settings.sign_in
    scripts = " ".join(f"https://{host}" for host in pane.script_hosts)
    login = (pane.login_url or sign.login_url).rstrip("/")
    frames = " ".join(f"https://{host}" for host in pane.outlook_hosts)
    own = "'self' " if sign.kind == "demo" else ""  # the simulator's page
    return (f"default-src 'none'; script-src 'self' {scripts}; style-src 'self'; img-src 'self' data:; "
            f"font-src 'self'; connect-src 'self' {login}; form-action 'none'; base-uri 'none'; "
            f"frame-ancestors {own}{frames}")


def _page(request: Request, name: str) -> Response:
    settings: Settings = request.app.state.settings
    found = built().get(name)
    if found is None:
        raise HTTPException(404, "not-found")
    simulated = settings.sign_in.kind == "demo"  # nothing leaves the machine
    office = "/pane/static/simulator.office.js" if simulated else settings.pane.office_js
    text = found.decode().replace("{{office_js}}", escape(office, quote=True))
    return Response(text, media_type="text/html; charset=utf-8", headers={
        "Content-Security-Policy": policy(settings), "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "unsafe-none", "Cross-Origin-Resource-Policy": "cross-origin"})
