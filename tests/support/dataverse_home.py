"""A home whose CRM is the Dataverse stand-in: real sign-in at the Entra stand-in, real HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import jwt
from dataverse_server import Org, serving_dataverse
from entra_server import Entra
from world import SETTINGS, World, make_world

from capture import worker
from capture.settings import load_settings

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

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["capture.worker", "capture.crm.dataverse", "capture.extract", "pii_scan.engine",
                                 "spacy", "alembic"])


@dataclass
class Home:
    """The organisation and a home of mailweir."""

    org: Org
    world: World

    def run_in_process_of_its_own(self, pattern: str, *, after: bool = False) -> bool:
        """`capture run --once`, killed by SIGKILL at the request that matches; `after`: once Dataverse has done what
        was asked, before the reply. True when it was killed."""
        process = _CONTEXT.Process(target=_child, args=(str(self.world.home),))

        def kill() -> None:
            process.kill()
            process.join(10)

        fault = self.org.fault(pattern, times=10_000, **({"then": kill} if after else {"before": kill}))
        process.start()
        process.join(120)
        fault.times = 0
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError("capture run took more than 120 s")
        return process.exitcode != 0

    def mails(self) -> list[str]:
        """The subjects of completed mails, in the order in which they came."""
        return [row["subject"] for row in self.org.rows("emails") if row["statecode"] == 1]


def _child(home: str) -> None:
    os.environ["MAILWEIR_DATAVERSE_SECRET"] = SECRET
    worker.run(load_settings(Path(home)), once=True)


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
