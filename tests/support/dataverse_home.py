"""A home whose CRM is the Dataverse stand-in: real sign-in at the Entra stand-in, real HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
from dataverse_server import Org, serving_dataverse
from entra_server import Entra
from world import SETTINGS, World, make_world

SECRET = "an invented secret"
CRM = """\
[crm]
kind = "dataverse"
[dataverse]
url = "{url}"
tenant = "{tenant}"
client_id = "{client}"
login_url = "{login}"
hosts = ["127.0.0.1"]
ca_file = "{ca_file}"
timeout_seconds = 10
"""


@dataclass
class Home:
    """The organisation and a home of mailweir."""

    org: Org
    world: World

    def mails(self) -> list[str]:
        """The subjects of completed mails, in the order in which they came."""
        return [row["subject"] for row in self.org.rows("emails") if row["statecode"] == 1]


@contextmanager
def dataverse_home(path: Path, entra: Entra, more: str = "", crm: str = "") -> Iterator[Home]:
    """A home in `path`; the environment holds the secret while it lasts. `crm` goes into `[dataverse]`."""
    client = entra.register(secret=SECRET)
    with serving_dataverse() as org:
        def good(token: str) -> bool:
            try:
                return bool(entra.claims(token, org.url)["appid"] == client.id)
            except jwt.PyJWTError:
                return False

        org.verify = good
        for name in ("dana.reid", "marcus.lee"):
            org.user(f"{name}@example.org")
        org.add("contacts", fullname="Rose Antoine", emailaddress1="rose@client.example.com")
        os.environ["MAILWEIR_DATAVERSE_SECRET"] = SECRET
        try:
            text = CRM.format(url=org.url, tenant=entra.tenant, client=client.id, login=entra.url,
                              ca_file=entra.ca_file)
            yield Home(org, make_world(path, SETTINGS + text + crm + more))
        finally:
            os.environ.pop("MAILWEIR_DATAVERSE_SECRET", None)
