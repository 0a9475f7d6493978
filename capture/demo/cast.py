"""The invented people of the demo: one of each role at least, in two divisions, so that every page can be tried.

The owners of the three demo mailboxes are among them, so that held items lie with the reviewers of both divisions.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from capture.settings import Settings
from capture.wiring import opened
from store import people
from store.access import Role
from store.columns import now

CAST: Final = (
    ("dana.reid", "north", (Role.STAFF,)),
    ("priya.nair", "north", (Role.STAFF,)),
    ("marcus.lee", "south", (Role.STAFF,)),
    ("omar.quist", "south", (Role.STAFF,)),
    ("petra.lund", "north", (Role.OWNER,)),
    ("jules.amsel", "north", (Role.DIVISION_ADMIN,)),
    ("vera.stone", "north", (Role.REVIEWER,)),
    ("milan.faro", "south", (Role.REVIEWER,)),
    ("ines.bauer", "north", (Role.PRIVACY_OFFICER,)),
    ("hugo.marsh", "north", (Role.HEAD,)),
    ("aya.tamm", "north", (Role.AUDITOR,)),
    ("leo.brandt", "north", (Role.OPERATOR,)),
    ("nora.field", "north", (Role.ADMINISTRATOR,)),
)
"""Name, division, roles."""


def enter_people(settings: Settings) -> None:
    """Enter them into a new demo home and mark it as one. A second call changes nothing."""
    with opened(settings) as (database, _), database.session() as session:
        if people.is_demo(session):
            return
        people.mark_demo(session)
        for name, division, roles in CAST:
            people.add_division(session, division, actor="demo")
            row = people.add(session, f"{name}@{settings.mailbox.domain}", actor="demo", divisions=(division,))
            people.record_training(session, row.id, "privacy-basics", completed=now() - timedelta(days=30),
                                   expires=now() + timedelta(days=335), actor="demo")
            for role in roles:
                grant = people.ask_role(session, row.id, role, actor="demo")
                people.approve_role(session, grant.id, actor="demo")
                people.apply_role(session, grant.id, actor="demo-two")
