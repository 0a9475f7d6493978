"""The forms of the CRM's records: which field is shown how, and the values a form sends, as the store takes them.

A text the scanner refuses is not shown again: `shown_again` leaves it out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from fastapi import HTTPException, Request
from sqlalchemy.orm import Session

from addin.words import kind as kind_word
from capture.typed_text import TypedRefused
from store import crm_find, people
from store.crm_access import Who
from store.crm_fields import FIELDS, SOURCES, Field
from store.errors import BadState

MOST: Final = 50_000
LABELS: Final[Mapping[str, str]] = {
    "known_as": "Known as", "private_email": "Private e-mail", "email": "E-mail", "organisation_id": "Organisation",
    "contact_id": "Contact", "lead_name": "Lead: name", "lead_organisation": "Lead: organisation",
    "lead_email": "Lead: e-mail", "lead_phone": "Lead: phone", "quoted_cents": "Quoted costs",
    "internal_contacts": "Our people", "news": "Policy updates and news", "delivery_from": "Delivery from",
    "delivery_until": "Delivery until", "source_url": "Address of the page", "follow_up": "Promised follow-up",
    "services": "Proposed services", "last_contact_at": "Last contact"}
"""Names of fields; of others the code in words."""
HINTS: Final[Mapping[str, str]] = {
    "notes": "Business only; it is scanned. Never race, ethnicity, religion, or what somebody is or suffers.",
    "interests": "Business interests only; it is scanned.",
    "mobile": "Other divisions do not see it.", "private_email": "Other divisions do not see it.",
    "organisation_id": "Its name, as it is in the CRM.", "contact_id": "Their name, as it is in the CRM.",
    "internal_contacts": "Addresses of colleagues, with commas between.", "quoted_cents": "Such as 1250.00",
    "priority": "1 is the highest.", "currency": "Such as CAD"}
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "organisation": ("Organisation", "Organisations"), "contact": ("Contact", "Contacts"),
    "opportunity": ("Opportunity", "Opportunities"), "project": ("Project", "Projects"), "event": ("Event", "Events"),
    "issue": ("Issue", "Issues"), "document": ("Document", "Documents"), "activity": ("Activity", "Activities")}
"""Kind of record -> one, several."""
MADE: Final = ("organisation", "contact", "opportunity", "event", "issue")
"""Kinds that are made with a form. A project is made from a won opportunity."""
SOURCE_WORDS: Final[Mapping[str, str]] = {
    "card": "Business card", "call": "Phone call", "mail": "Mail", "web": "Public web page", "event": "Event",
    "import": "Import"}


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a form: how it is called and shown, and what stands in it."""

    name: str
    label: str
    way: str
    """"text", "area", "number", "date", "datetime-local", "select" """
    value: str
    hint: str = ""
    most: int = 200
    needed: bool = False
    choices: tuple[tuple[str, str], ...] = ()


class Several(BadState):
    """More than one record fits what was written, so one has to be chosen."""

    def __init__(self, field: str, found: list[dict[str, Any]]) -> None:
        super().__init__(f"{label(field)}: several fit, choose one" if found else f"{label(field)}: none is found")
        self.field, self.found = field, found


def label(name: str) -> str:
    """What a field is called."""
    return LABELS.get(name) or name.replace("_", " ").capitalize()


async def sent(request: Request) -> dict[str, str]:
    """The fields of a form, text only. 422 for one that is too long."""
    form = await request.form()
    found = {name: value for name, value in form.items() if isinstance(value, str)}
    if any(len(value) > MOST for value in found.values()):
        raise HTTPException(422, "bad-request")
    return found


def inputs(kind: str, values: Mapping[str, str], *, categories: Collection[str] = (),
           several: Several | None = None) -> list[Input]:
    """The fields of a kind of record, with these values."""
    return [_input(name, field, values.get(name, ""), categories, several) for name, field in FIELDS[kind].items()]


def source_inputs(values: Mapping[str, str]) -> list[Input]:
    """How a new record came to us (D13)."""
    choices = tuple((code, SOURCE_WORDS[code]) for code in SOURCES if code != "import")
    return [Input("source", "How it came to us", "select", values.get("source", ""), needed=True, choices=choices),
            Input("source_url", label("source_url"), "text", values.get("source_url", ""), most=400,
                  hint="For a public web page only.")]


def as_text(record: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, str]:
    """A record that was read, as a form shows it. `titles`: field -> what the record it points at is called."""
    shown: dict[str, str] = {}
    for name, field in FIELDS[record["kind"]].items():
        value = record[name]
        if name in titles:
            shown[name] = titles[name]
        elif field.holds == "money":
            shown[name] = f"{Decimal(value) / 100:.2f}" if value is not None else ""
        elif field.holds == "moment":
            shown[name] = datetime.fromisoformat(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if value else ""
        else:
            shown[name] = "" if value is None else str(value)
    return shown


def values_of(session: Session, who: Who, kind: str, form: Mapping[str, str], before: Mapping[str, str] | None = None,
              domain: str = "") -> dict[str, Any]:
    """What a form says, as `store.crm_work` takes it; without what is empty, or the same as `before`. A record is
    named by its name (looked up, audited as a search) or its id.

    Raises `BadState` naming the field, `Several` when more than one fits.
    """
    values: dict[str, Any] = {}
    for name, field in FIELDS[kind].items():
        if name not in form:
            continue
        text = form[name].replace("\r\n", "\n").strip()
        if text == (before.get(name, "").replace("\r\n", "\n").strip() if before is not None else ""):
            continue
        values[name] = _value(session, who, name, field, text, domain)
    return values


def refused_words(refused: TypedRefused) -> str:
    """A refusal in words: fields and kinds, never what was written."""
    found = "; ".join(f"{label(name)} holds {', '.join(_kind(code) for code in kinds)}"
                      for name, kinds in refused.kinds.items())
    return (f"Nothing was saved: {found}. Say what was agreed in business, without what somebody is, has or suffers. "
            "What you wrote there is not shown again.")


def state_words(refused: BadState) -> str:
    """What the store said, with the names of fields as the form has them."""
    subject, colon, rest = refused.facts.partition(":")
    kind, dot, name = subject.partition(".")
    if colon and dot and name in FIELDS.get(kind, {}):
        return f"Nothing was saved: {label(name)}:{rest}."
    return f"Nothing was saved: {refused.facts}."


def shown_again(form: Mapping[str, str], refused: TypedRefused, before: Mapping[str, str] | None = None
                ) -> dict[str, str]:
    """What a form sent, to be shown again, with what was refused replaced by what was there before; of texts that may
    not stand together, all of them."""
    typed = {name for fields in FIELDS.values() for name, field in fields.items() if field.typed}
    gone = set(refused.kinds) if set(refused.kinds) <= typed else typed
    return {name: (before or {}).get(name, "") if name in gone else value for name, value in form.items()}


def moment(text: str, name: str) -> datetime | None:
    """A moment of a form, in UTC; None for none. Raises `BadState`."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text.strip() else None
    except ValueError:
        raise BadState(f"{label(name)}: not a date and time") from None


def _input(name: str, field: Field, value: str, categories: Collection[str], several: Several | None) -> Input:
    way = {"text": "area", "choice": "select", "day": "date", "moment": "datetime-local"}.get(field.holds, "text")
    choices = tuple((str(one), str(one).capitalize()) for one in field.among) if field.holds != "record" else ()
    if name == "category" and categories:
        choices = tuple((one, one) for one in sorted({*categories, value} - {""}))
    if several is not None and several.field == name and several.found:
        choices = tuple((row["id"], ", ".join(filter(None, (row["title"], row["detail"])))) for row in several.found)
    hint = HINTS.get(name, "In UTC." if field.holds == "moment" else "")
    most = 200 if field.holds == "record" else 400 if field.holds == "people" else max(field.most, 20)
    return Input(name, label(name), "select" if choices else way, value, hint, most, field.needed, choices)


def _value(session: Session, who: Who, name: str, field: Field, text: str, domain: str) -> Any:
    try:
        if field.holds == "money":
            return int((Decimal(text) * 100).to_integral_exact()) if text else None
        if field.holds == "day":
            return date.fromisoformat(text) if text else None
        if field.holds == "choice":
            return int(text)
    except (ValueError, InvalidOperation, OverflowError):
        raise BadState(f"{label(name)}: not a {field.holds}") from None
    if field.holds == "moment":
        return moment(text, name)
    if field.holds == "people":
        return _people(session, text, domain)
    if field.holds == "record":
        return _record(session, who, name, field.among[0], text)
    return text


def _record(session: Session, who: Who, name: str, kind: str, text: str) -> str | None:
    """The id of the one record that is called so; an id is taken as it is."""
    if not text:
        return None
    if len(text) == 32 and set(text) <= set("0123456789abcdef"):
        return text
    found = crm_find.search(session, who, text, kinds=[kind], limit=20) if crm_find.words_of(text) else []
    same = [row for row in found if row["title"].casefold() == " ".join(text.split()).casefold()]
    if len(same) == 1:
        return str(same[0]["id"])
    raise Several(name, same or found)


def _people(session: Session, text: str, domain: str) -> list[str]:
    found: list[str] = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        row = people.by_address(session, one if "@" in one or not domain else f"{one}@{domain}")
        if row is None:
            raise BadState(f"{label('internal_contacts')}: one of them is not registered")
        found.append(row.id)
    return found


def _kind(code: str) -> str:
    return "wording that leaves doubt" if code == "unclear" else kind_word(code)
