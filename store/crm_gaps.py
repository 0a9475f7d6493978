"""How well issues are covered, region by region: who is there, who was reached, where nobody is (D2, D14, D23).

    rows = gaps(session, who)                   # regions where nobody is known for an open issue
    rows = gaps(session, who, everything=True)  # all regions, small counts too

Counts of contacts and organisations only. They are of all divisions: that another one knows somebody is shared.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col

from store import audit
from store.access import Action
from store.columns import now
from store.crm_access import Who, must
from store.crm_tables import Contact, Organisation
from store.crm_work_tables import Issue, Relation

REACHED: Final = timedelta(days=365)
"""Who was in contact since then counts as reached."""


def gaps(session: Session, who: Who, *, everything: bool = False) -> list[dict[str, Any]]:
    """One row for each open issue and region: `{"issue", "title", "region", "stakeholders", "about", "reached"}`.

    `stakeholders` are the contacts and organisations of the region, `about` those of them who have to do with the
    issue, `reached` those of the latter with a contact in the last year. Without `everything` only rows with nobody
    `about` or nobody `reached`, the regions with most stakeholders first. Audited. Raises `NotAllowed`.
    """
    must(who, Action.RECORD_SEARCH)
    names: dict[str, str] = {}
    there: dict[str, int] = defaultdict(int)
    about: dict[tuple[str, str], int] = defaultdict(int)
    reached: dict[tuple[str, str], int] = defaultdict(int)
    since = now() - REACHED
    for kind, table in (("contact", Contact), ("organisation", Organisation)):
        standing = (col(table.region) != "", col(table.merged_into) == "")
        for region, count in session.execute(
                columns(col(table.region), func.count()).where(*standing).group_by(col(table.region))):
            names.setdefault(region.casefold(), region)
            there[region.casefold()] += count
        of_issue = columns(col(table.region), col(Relation.to_id), func.count()).join(
            Relation, (col(Relation.from_kind) == kind) & (col(Relation.from_id) == col(table.id)) & (
                col(Relation.to_kind) == "issue")).group_by(col(table.region), col(Relation.to_id))
        for region, issue, count in session.execute(of_issue.where(*standing)):
            about[region.casefold(), issue] += count
        for region, issue, count in session.execute(of_issue.where(*standing, col(table.last_contact_at) >= since)):
            reached[region.casefold(), issue] += count
    rows = [{"issue": ident, "title": title, "region": names[region], "stakeholders": there[region],
             "about": about[region, ident], "reached": reached[region, ident]}
            for ident, title in session.execute(columns(col(Issue.id), col(Issue.title)).where(
                col(Issue.status) == "open").order_by(col(Issue.priority), col(Issue.title), col(Issue.id)))
            for region in sorted(there, key=lambda key: (-there[key], key))
            if everything or not about[region, ident] or not reached[region, ident]]
    audit.append(session, "crm:records:searched", actor=who.actor, body={"kind": "gaps", "count": len(rows), "ids": []})
    return rows
