"""`[pane]`: the task pane in Outlook, who may call it and which pages may frame it; see docs/operators/outlook.md."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator

_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?")


class PaneSettings(BaseModel):
    """`[pane]`: the task pane in Outlook; see docs/operators/outlook.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    enabled: bool = Field(default=False, description="Serve the task pane under /pane.")
    tenant: str = Field(default="", description="Exchange Online: directory (tenant) id. [default: sign_in.tenant]")
    client_id: str = Field(default="", description="Exchange Online: application id whose API the pane asks a token "
                                                   "for. [default: sign_in.client_id]")
    scope: str = Field(default="Capture.Track", pattern=r"^[A-Za-z0-9.]{1,64}$",
                       description="Exchange Online: the scope of that API a token must carry.")
    login_url: str = Field(default="", description="Sign-in address; https. [default: sign_in.login_url]")
    ca_file: str = Field(default="", description="PEM file of certificate authorities for the sign-in address and for "
                                                 "`exchange_hosts`, instead of the usual ones.")
    exchange_hosts: tuple[str, ...] = Field(
        default=(), description="On premises: hosts whose Exchange identity tokens are believed, with the port when it "
                                "is not 443. Empty = none.")
    outlook_hosts: tuple[str, ...] = Field(
        default=("outlook.office.com", "outlook.office365.com", "outlook.cloud.microsoft", "outlook.live.com",
                 "*.outlook.office.com"),
        description="Hosts whose pages may frame the pane and call its API: Outlook on the web, and your own.")
    script_hosts: tuple[str, ...] = Field(
        default=("appsforoffice.microsoft.com", "ajax.aspnetcdn.com"),
        description="Hosts Microsoft's office.js comes from.")
    office_js: str = Field(default="https://appsforoffice.microsoft.com/lib/1/hosted/office.js",
                           description="Address of office.js; https.")
    delegates: dict[str, tuple[str, ...]] = Field(
        default={}, description="Mailbox -> addresses of the people who may track items of it besides its owner.")
    bearer_minutes: PositiveFloat = Field(default=10, le=60, description="A sign-in of the pane holds this long; it "
                                                                         "renews itself.")
    notice_url: str = Field(default="", description="Address of the privacy notice, linked in the pane; https.")

    @field_validator("exchange_hosts", "outlook_hosts", "script_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Host names only: they go into a header."""
        if not all(_HOST.fullmatch(host) for host in hosts):
            raise ValueError("host names, without https:// and without a path")
        return tuple(host.lower() for host in hosts)

    @field_validator("office_js", "notice_url", "login_url")
    @classmethod
    def _https(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme != "https" or not parts.hostname or re.search(r"[\s'\";]", url)):
            raise ValueError("an https address")
        return url

    @field_validator("delegates")
    @classmethod
    def _folded(cls, found: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {box.strip().casefold(): tuple(who.strip().casefold() for who in people) for box, people in
                found.items()}
