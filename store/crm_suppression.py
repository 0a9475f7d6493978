"""Who does not want to be here: suppressed addresses, and requests to be forgotten.

    digest = digest_with(keys)                              # addresses are compared as keyed hashes only
    ask(session, who, contact, medium="call")               # by anybody, for any medium: the owner has to purge (D15)
    purge_contact(session, who, contact, digest, reason="asked")    # the owner does; receipt and suppression
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, cast, delete, false, func, or_, update
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, crm_find, crm_texts
from store.access import Action, Scope, Thing, reach
from store.columns import now
from store.crm_access import Who, must, stands
from store.crm_choices import destroy, is_evidence
from store.crm_matching import standing
from store.crm_records import add
from store.crm_tables import Activity, ActivityLink, ActivitySuggestion, Contact, PurgeReceipt
from store.crm_work_tables import Opportunity, OptOut, Project, RecordChange, RecordWord, Relation, Suppression
from store.crypto import Keys
from store.database import begin_write, get_or_create
from store.errors import BadState, NotFound

Digest = Callable[[str], str]
MEDIA: Final = ("call", "mail", "letter", "in-person", "web")
DAYS: Final = 5
"""Days the owner has (the person's right: at once)."""
MOST_LATE: Final = 500


def nobody(_address: str) -> str:
    """No address is suppressed: for callers that set none."""
    return ""


def digest_with(keys: Keys) -> Digest:
    """How an address is compared with those that are suppressed."""
    return lambda address: keys.digest("suppression", address.strip().casefold().encode()) if address.strip() else ""


def suppressed(session: Session, digest: Digest, address: str) -> bool:
    """Whether whoever has this address asked not to be here."""
    key = digest(address) if address else ""
    return bool(key) and session.get(Suppression, key) is not None


def suppress(session: Session, who: Who, address: str, digest: Digest, *, reason: str) -> None:
    """Keep an address out from now on."""
    begin_write(session)
    must(who, Action.RECORD_CHANGE, Thing(division=_any(who), owner=_id(who)))
    if key := digest(address):
        add(session, Suppression(digest=key, reason=reason, by=who.actor))
        audit.append(session, "crm:suppression:added", actor=who.actor, body={"reason": reason})


def ask(session: Session, who: Who, contact_id: str, *, medium: str) -> OptOut:
    """Somebody of ours was told that a contact wants to be forgotten, by whatever medium: the owner gets a task with a
    clock. Asked again it stays one. Anybody who sees the contact may."""
    begin_write(session)
    must(who, Action.RECORD_LIST)
    contact: Contact = stands(session, "contact", contact_id)
    contact_id = contact.id
    if medium not in MEDIA:
        raise BadState(f"a medium is one of {', '.join(MEDIA)}")
    row, made = get_or_create(
        session, lambda: session.scalars(select(OptOut).where(OptOut.open_key == contact_id)).one_or_none(),
        lambda: OptOut(contact_id=contact_id, open_key=contact_id, medium=medium, asked_by=who.actor,
                       owner=contact.owner, division=contact.division, due=now() + timedelta(days=DAYS)))
    if made:
        audit.append(session, "crm:opt-out:asked", actor=who.actor, subject=contact_id, body={"medium": medium})
    return row


def open_requests(session: Session, who: Who) -> list[dict[str, Any]]:
    """Open requests to be forgotten: of one's own divisions, of contacts one owns, and those one passed on; the oldest
    first, with their age in days (D36)."""
    must(who, Action.RECORD_LIST)
    rows = session.scalars(select(OptOut).where(OptOut.state == "open").order_by(col(OptOut.at)))
    return [{"id": r.id, "contact": r.contact_id, "medium": r.medium, "owner": r.owner, "division": r.division,
             "due": r.due.isoformat(timespec="seconds"), "days": (now() - r.at).days, "overdue": r.due < now()}
            for r in rows if who.sight.may_see(r.division) or who.actor in (r.owner, r.asked_by)]


def late(session: Session, before: datetime) -> list[OptOut]:
    """Open requests that were to be done before a moment, the oldest first."""
    return list(session.scalars(select(OptOut).where(OptOut.state == "open", col(OptOut.due) < before).order_by(
        col(OptOut.due), col(OptOut.id)).limit(MOST_LATE)))


def purge_contact(session: Session, who: Who, contact_id: str, digest: Digest, *, reason: str) -> PurgeReceipt:
    """Destroy a contact with its history, relations and place in every index, whatever was merged with it, and leads
    with its addresses; keep the addresses out (D15, D35).

    Activities that are linked to nobody else go too; the others name the person no more. What an incident needs as
    evidence stays as it is. The owner does this, or whoever keeps the records of the division. Raises `NotAllowed`,
    `NotFound`, `BadState` while an incident needs what was typed into it.
    """
    begin_write(session)
    stands_for_it = standing(session, "contact", contact_id)[1]
    linked = columns(col(ActivityLink.activity_id)).where(
        col(ActivityLink.record) == "contact", col(ActivityLink.record_id) == stands_for_it)
    session.execute(columns(col(Activity.id)).where(col(Activity.id).in_(linked)).order_by(col(Activity.id))
                    .with_for_update(key_share=True)).all()  # before the contact, as whoever links a mail to it does
    group = _merged_with(session, contact_id)
    for contact in group:
        must(who, Action.RECORD_DELETE, Thing(division=contact.division, owner=contact.owner))
        if crm_texts.is_evidence(session, "contact", contact.id):
            raise BadState("an incident needs it as evidence")
    idents = [contact.id for contact in group]
    addresses = {key for contact in group for key in (contact.email_key, contact.private_key) if key}
    for address in sorted(addresses):
        add(session, Suppression(digest=digest(address), reason=reason, by=who.actor))
    counts = _forget_party(session, who, idents, addresses)
    for table in (Opportunity, Project):
        session.execute(update(table).where(col(table.contact_id).in_(idents)).values(contact_id=None))
    for lead in session.scalars(select(Opportunity).where(col(Opportunity.lead_key).in_(sorted(addresses))).order_by(
            col(Opportunity.id)).with_for_update(key_share=True)).all():  # nobody writes a name there meanwhile
        lead.lead_name = lead.lead_email = lead.lead_key = lead.lead_phone = ""
        session.execute(delete(RecordChange).where(
            col(RecordChange.record_id) == lead.id, col(RecordChange.field).startswith("lead_", autoescape=True)))
        crm_find.index_record(session, "opportunity", lead)
    counts["relations"] = session.scalars(select(func.count()).select_from(Relation).where(_either(idents))).one()
    session.execute(delete(Relation).where(_either(idents)))
    for gone in (RecordChange, RecordWord, ActivityLink, ActivitySuggestion):
        session.execute(delete(gone).where(col(gone.record_id).in_(idents)))
    session.execute(delete(Contact).where(col(Contact.id).in_(idents)))
    receipt = PurgeReceipt(record="contact", record_id=contact_id, by=who.actor, reason=reason, counts=counts)
    session.add(receipt)
    session.flush()
    for request in session.scalars(select(OptOut).where(col(OptOut.contact_id).in_(idents), OptOut.state == "open")):
        request.state, request.open_key = "purged", None
        request.closed, request.closed_by, request.receipt = now(), who.actor, receipt.id
    session.flush()
    audit.append(session, "crm:record:purged", actor=who.actor, subject=contact_id, body={
        "receipt": receipt.id, "kind": "contact", "reason": reason, **counts})
    return receipt


def may_purge(who: Who, contact: Contact) -> bool:
    """Whether somebody would be let to purge this contact, for pages that offer it."""
    if who.person is None:
        return True
    within = reach(who.person, Action.RECORD_DELETE)
    return contact.owner == who.person.id or within is Scope.ALL or (
        within is Scope.DIVISION and contact.division in who.person.divisions)


def _merged_with(session: Session, contact_id: str) -> list[Contact]:
    """The contact that stands for this one, and all that were merged into it, locked. Raises `NotFound`."""
    def group() -> set[str]:
        found, wave = {contact_id}, {contact_id}
        while wave:
            both = [*session.scalars(columns(col(Contact.id)).where(col(Contact.merged_into).in_(wave))),
                    *session.scalars(columns(col(Contact.merged_into)).where(
                        col(Contact.id).in_(wave), col(Contact.merged_into) != ""))]
            wave = set(both) - found
            found |= wave
        return found

    locked: list[Contact] = []
    before: set[str] = set()
    while before != (now_there := group()):  # once more when somebody merged or purged meanwhile
        before = now_there
        locked = list(session.scalars(select(Contact).where(col(Contact.id).in_(before)).order_by(
            col(Contact.id)).with_for_update().execution_options(populate_existing=True)))
    if contact_id not in {contact.id for contact in locked}:
        raise NotFound("contact")
    return locked


def _forget_party(session: Session, who: Who, idents: Sequence[str], addresses: set[str]) -> dict[str, int]:
    """Destroy the activities that are linked to these contacts alone; take the person out of the parties of the others,
    and of every copy of them. Returns how many of each."""
    theirs = set(session.scalars(columns(col(ActivityLink.activity_id)).where(
        col(ActivityLink.record) == "contact", col(ActivityLink.record_id).in_(idents),
        col(ActivityLink.removed).is_(None))))
    counts = {"activities": 0, "left": 0}
    for row in session.scalars(select(Activity).where(or_(col(Activity.id).in_(theirs), _names(addresses))).order_by(
            col(Activity.id)).with_for_update(key_share=True)).all():
        if row.variant_of:  # goes with the first
            continue
        others = session.scalars(select(func.count()).select_from(ActivityLink).where(
            ActivityLink.activity_id == row.id, col(ActivityLink.removed).is_(None),
            col(ActivityLink.record_id).not_in(idents))).one()
        copies = [row.id, *session.scalars(select(Activity.id).where(Activity.variant_of == row.id))]
        needed = is_evidence(session, copies)  # the hold wins over a wish to be forgotten
        if row.id in theirs and not others and not needed:
            destroy(session, who, copies)
            counts["activities"] += 1
            continue
        counts["left"] += 1
        for copy in session.scalars(select(Activity).where(col(Activity.id).in_(copies))):
            copy.participants = copy.participants if needed else [
                p for p in copy.participants if str(p.get("email", "")).casefold() not in addresses]
        if row.id in theirs and not others:
            row.matched, row.reason = "unmatched", "purged"
    session.flush()
    return counts


def _names(addresses: set[str]) -> ColumnElement[bool]:
    """Whose parties name one of these addresses, linked or not."""
    parties = func.lower(cast(col(Activity.participants), Text))
    return or_(false(), *(parties.contains(json.dumps(address)[1:-1].lower(), autoescape=True)
                          for address in sorted(addresses)))


def _either(idents: Sequence[str]) -> Any:
    return or_(col(Relation.from_id).in_(idents), col(Relation.to_id).in_(idents))


def _id(who: Who) -> str:
    return who.person.id if who.person is not None else ""


def _any(who: Who) -> str:
    return next(iter(sorted(who.person.divisions)), "") if who.person is not None else ""
