"""The firewalls between divisions, down to fields: what of CRM records somebody may see in lists and on pages.

    rows = firewall.listed("contacts", crm_records.listed(session, "contacts"), viewer)
    shown = firewall.shown(crm_records.shown(session, ident), viewer)

Names, titles, organisations, events and interactions are shared between divisions; how to reach a person is not
(`store.access.FIREWALLED`). A hidden field is None: there, and without its value. `viewer` is None for the operator of
the machine, who belongs to no division and sees no contact that belongs to one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from store.access import FIREWALLED, Person, hidden

CONTACT = "contact"
PERSONAL: Final = frozenset({"notes", "interests"})
"""What of a contact another division does not see either, beside how to reach the person."""


def closed(viewer: Person | None, division: str) -> frozenset[str]:
    """The fields of a contact of this division that are not for this viewer."""
    if viewer is None:
        return FIREWALLED[CONTACT] if division else frozenset()
    return hidden(viewer, CONTACT, division)


def listed(kind: str, rows: Iterable[dict[str, Any]], viewer: Person | None) -> list[dict[str, Any]]:
    """The rows of a list as this viewer may see them."""
    return [_cut(row, closed(viewer, str(row.get("division", "")))) if kind == "contacts" else row for row in rows]


def shown(record: dict[str, Any], viewer: Person | None) -> dict[str, Any]:
    """One record as this viewer may see it: a contact, the contacts of an organisation, the people of an activity."""
    kind, division = record["kind"], str(record.get("division", ""))
    if kind == CONTACT:
        shut = closed(viewer, division)
        return _cut(record, shut | PERSONAL if shut else shut)
    if kind == "organisation":
        return record | {"contacts": listed("contacts", record["contacts"], viewer)}
    shut = closed(viewer, division)
    return record | {"participants": [_cut(one, shut) for one in record.get("participants", ())]}


def _cut(row: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    return {name: None if name in fields else value for name, value in row.items()}
