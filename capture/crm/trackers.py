"""Who a tracker is: captures name the mailbox, the register and the CRM know addresses."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session

from store import people


def address_of_tracker(tracker: str, own_domains: Collection[str]) -> str:
    """The address of a tracker; a mailbox without one is taken to be at our domain, if there is exactly one."""
    if "@" in tracker:
        return tracker
    return f"{tracker}@{next(iter(own_domains))}" if tracker and len(own_domains) == 1 else ""


def division_of_tracker(session: Session, tracker: str, own_domains: Collection[str]) -> str:
    """The division of a tracker; "" when they belong to none or to several, or are not known."""
    for address in [tracker] if "@" in tracker else [f"{tracker}@{domain}" for domain in sorted(own_domains)]:
        person = people.by_address(session, address)
        if person is not None:
            theirs = people.divisions_of(session, person.id)
            return next(iter(theirs)) if len(theirs) == 1 else ""
    return ""
