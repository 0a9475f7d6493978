"""An organisation for tests: the Dataverse stand-in, and the backend talking to it over real HTTP."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataverse_schema import ACTIVITIES, MIME, NOTES
from dataverse_server import Org, serving_dataverse
from graph_world import StaticTokens

from capture.crm.dataverse import DataverseCrm
from capture.crmsettings import DataverseSettings
from store.database import Database

OWN = "training.example.org"
MASKS = {1: "from", 2: "to", 3: "cc", 4: "bcc", 5: "required", 7: "organizer"}


@dataclass
class Dataverse:
    """The service and the backend."""

    org: Org
    crm: DataverseCrm
    tokens: StaticTokens


def settings_for(org: Org, **fields: Any) -> DataverseSettings:
    """Settings that lead to the stand-in."""
    return DataverseSettings.model_validate(
        {"url": org.url, "tenant": "t", "client_id": "c", "regions": ["CA"], "timeout_seconds": 10,
         "hosts": ["127.0.0.1", "login.microsoftonline.com"]} | fields)


@contextmanager
def dataverse(db: Database, users: tuple[str, ...] = (), **fields: Any) -> Iterator[Dataverse]:
    """An organisation that knows these users; `fields` go into `[dataverse]`."""
    tokens = StaticTokens()
    with serving_dataverse(lambda token: token == tokens.valid) as org:
        for user in users:
            org.user(user)
        crm = DataverseCrm(settings_for(org, **fields), tokens, db, (OWN,), patience=0.3)
        try:
            yield Dataverse(org, crm, tokens)
        finally:
            crm.close()


class DataverseWorld:
    """An organisation with the knobs of the contract suite (tests/contract/test_crm.py)."""

    def __init__(self, folder: Path, db: Database) -> None:
        self.folder, self.db = folder, db
        self._stack = ExitStack()
        names = ("anna", "bert", "cleo", "user0", "user1", "user2", "user3")
        made = self._stack.enter_context(dataverse(db, tuple(f"{name}@{OWN}" for name in names)))
        self.org, self.crm = made.org, made.crm
        self.org.add("accounts", name="Fictional Fire Hall", websiteurl="https://www.firehall.example.com/")
        for first, last, mail in (("Wanda", "Imaginary", "wanda@firehall.example.com"),
                                  ("Otto", "Invented", "otto@firehall.example.com"),
                                  ("One", "Desk", "info@firehall.example.com"),
                                  ("Two", "Desk", "INFO@firehall.example.com")):
            self.org.add("contacts", fullname=f"{first} {last}", emailaddress1=mail)

    def activities(self) -> list[dict[str, Any]]:
        rows = [row for path in ACTIVITIES for row in self.org.rows(path)]
        return [{"id": row["activityid"], "reason": next(
            (t["mw_reason"] for t in self.org.rows("mw_trackers") if t["mw_item"] == row.get("mw_item")), "")}
            for row in rows]

    def activity(self, ident: str) -> dict[str, Any]:
        """As the embedded CRM shows it."""
        row = next(r for path in ACTIVITIES for r in self.org.rows(path)
                   if r["activityid"].replace("-", "") == ident.rpartition("-")[2])
        path = next(path for path in ACTIVITIES if row["activityid"] in self.org.tables[path])
        kind = {"emails": "email", "appointments": "appointment", "phonecalls": "phonecall", "tasks": "task"}[path]
        body = row["description"]
        files = [*self.org.of(MIME, "objectid", row["activityid"]), *self.org.of(NOTES, "objectid", row["activityid"])]
        parties = [{"role": MASKS[p["participationtypemask"]], "email": p.get("addressused") or ""}
                   for p in self.org.of("activityparties", "activityid", row["activityid"])
                   if p["participationtypemask"] in MASKS]
        return {"type": kind, "subject": row["subject"],
                "sent": (row.get("actualend") or "").replace("Z", "+00:00"),
                "body": html.unescape(body.replace("<br>\n", "\n")) if kind == "email" else body,
                "participants": parties, "done": row["statecode"] == 1,
                "trackers": sorted(t["mw_name"] for t in self.org.rows("mw_trackers")
                                   if t["mw_item"] == row.get("mw_item")),
                "attachments": [{"number": n, "name": f.get("filename"), "size": f["filesize"]}
                                for n, f in enumerate(files, 1)]}

    def close(self) -> None:
        self._stack.close()
