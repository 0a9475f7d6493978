"""The same mails in the mailboxes of two people, tagged by both at once, taken by several workers of each at once.

Workers are threads of one process with connections of their own: what is looked at is the database, where processes
and threads are the same. Mailboxes are in memory and the scanner costs nothing; ledger, quarantine and CRM are real.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inprocess import read
from quick_worker import QuickScanner
from watching import Rig, rig

from capture import pipeline
from capture.errors import StepFailed
from pii_scan.text import Extraction
from store import audit
from store.crm_import import import_csv

USERS = ("dana@example.org", "marcus@example.org")
CONTACTS = """\
organisation,organisation_domain,first_name,last_name,email
Client Ltd,client.example.com,Rose,Antoine,rose@client.example.com
"""
SETTINGS = """\
[store]
database = "{url}"
pool_size = 40
"""


class HereExtractor:
    """Reads in this process: no child processes."""

    def extract(self, raw: bytes, *, name: str = "") -> Extraction:
        """What the readers make of it."""
        return read(raw, name)

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass
class Found:
    """What there was at the end."""

    seconds: float
    outcomes: dict[str, int]
    activities: int
    trackers: int
    links: int
    audit: str
    again: int = 0
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Figures for a person."""
        captures = sum(self.outcomes.values())
        return (f"{captures} captures in {self.seconds:.1f} s = {captures / self.seconds:.1f}/s {self.outcomes}: "
                f"{self.activities} activities, {self.trackers} trackers, {self.links} links; {self.again} steps "
                f"tried again; audit: {self.audit}")


def run(home: Path, url: str, *, mails: int, workers: int = 4) -> Found:
    """Work through `mails` mails that two people tagged, with so many workers for each; what is in the CRM then."""
    with rig(home, HereExtractor(), QuickScanner(), settings=SETTINGS.format(url=url)) as made:
        with made.tools.database.session() as session:
            import_csv(session, CONTACTS, actor="test")
        for number in range(mails):
            for user in USERS:
                made.mail(f"Course {number}", message_id=f"many-{number}@client.example.com", user=user)
        made.look()
        began = time.monotonic()
        outcomes, again = _work(made, workers)
        return _found(made, time.monotonic() - began, outcomes, again)


def _work(made: Rig, workers: int) -> tuple[dict[str, int], int]:
    """Each person's captures in the same order, dealt to that person's workers, all at once."""
    queues: list[list[str]] = []
    for user in USERS:
        theirs = [str(row[0]) for row in made.rows(
            f"SELECT c.id FROM capture c WHERE c.mailbox = '{user}' ORDER BY c.created, c.id")]  # noqa: S608 - ours
        queues += [theirs[n::workers] for n in range(workers)]
    with ThreadPoolExecutor(len(queues)) as pool:
        done = list(pool.map(lambda queue: _one_by_one(made, queue), queues))
    outcomes: dict[str, int] = {}
    for codes, _ in done:
        for code in codes:
            outcomes[code] = outcomes.get(code, 0) + 1
    return outcomes, sum(again for _, again in done)


def _one_by_one(made: Rig, queue: Sequence[str]) -> tuple[list[str], int]:
    """Work captures; what may work later is tried again, as the engine does."""
    codes, again = [], 0
    for capture in queue:
        for _ in range(20):
            try:
                codes.append(pipeline.capture_item(capture, made.tools, patient=True))
                break
            except StepFailed as failure:
                if not failure.retry:
                    raise
                again += 1
        else:
            codes.append("given up")
    return codes, again


def _found(made: Rig, seconds: float, outcomes: dict[str, int], again: int) -> Found:
    def count(what: str) -> int:
        return int(made.rows(f"SELECT count(*) FROM {what}")[0][0])  # noqa: S608 - table names of this module

    with made.tools.database.snapshot() as session:
        verified = str(audit.verify(session))
    return Found(seconds, outcomes, count("activity"), count("activity_tracker"), count("activity_link"), verified,
                 again)


def fits(found: Found, mails: int) -> bool:
    """One activity for each mail, two trackers, one link, nothing held or lost."""
    counted: Any = (found.outcomes, found.activities, found.trackers, found.links)
    return counted == ({"link": 2 * mails}, mails, 2 * mails, mails) and found.audit.endswith("all fit")
