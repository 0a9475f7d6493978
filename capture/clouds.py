"""Microsoft's clouds: where one signs in and where Graph is, and whether we may go there.

Source: "National cloud deployments" in the Microsoft Graph documentation. The addresses of a sovereign cloud
are different hosts with their own accounts; nothing of one cloud is ever sent to another.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from capture.errors import BadSettings
from capture.settings import GraphSettings


@dataclass(frozen=True, slots=True)
class Cloud:
    """The sign-in address and the Graph address of one cloud, without a trailing slash."""

    login: str
    graph: str


CLOUDS: Final = {
    "public": Cloud("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "usgov": Cloud("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "usgov-dod": Cloud("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": Cloud("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
}


def cloud_of(settings: GraphSettings) -> Cloud:
    """The addresses these settings lead to.

    Raises `BadSettings` when one is not https (Graph may be http on loopback, for tests), or when its host is
    not on the residency list `graph.hosts`.
    """
    named = CLOUDS[settings.cloud]
    cloud = Cloud((settings.login_url or named.login).rstrip("/"), (settings.graph_url or named.graph).rstrip("/"))
    for name, url, plain in (("graph.login_url", cloud.login, False), ("graph.graph_url", cloud.graph, True)):
        if secure_host(name, url, plain_on_loopback=plain) not in settings.hosts:
            raise BadSettings(f"{name}: its host is not on the residency list graph.hosts")
    return cloud


def secure_host(name: str, url: str, *, plain_on_loopback: bool = False) -> str:
    """The host of the address in the setting `name`. Raises `BadSettings` when it is not https; http is taken on
    loopback only, if at all."""
    parts = urlsplit(url)
    host = (parts.hostname or "").casefold()
    if parts.scheme != "https" and not (plain_on_loopback and parts.scheme == "http" and is_loopback(host)):
        raise BadSettings(f"{name}: must be an https address")
    return host


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
