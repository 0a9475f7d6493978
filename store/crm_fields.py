"""The closed schema of the CRM: which fields of which kind of record people may set, how long, and what they hold.

Nothing else can be stored (D25): a field that is not here is refused. `TYPED` fields are free text, which is scanned
before it is kept (`capture/records.py`); the others are names, numbers and addresses of business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from store.columns import now
from store.crm_import import name_key
from store.crm_matching import KINDS
from store.crm_work_tables import Document
from store.errors import BadState

SOURCES: Final = ("card", "call", "mail", "web", "event", "import")
"""How a record came to us (D13); "web" needs the address of the page."""
_EMAIL: Final = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@,;<>\"]+")
STAGES: Final = ("lead", "qualified", "quoted", "won", "lost")
TABLES: Final[Mapping[str, Any]] = {**KINDS, "document": Document}

NOT_SHARED: Final = frozenset({"opportunity", "project", "document"})
"""Kinds of record that another division does not see; the others are shared, but for how to reach people (D31)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it holds ("line", "text", "email", "moment", "day", "money", "record", "people", "choice"), its
    longest length, whether a record must have it, whether it is free text to be scanned, what may stand in it, and
    another field that follows it (`key`: how it is looked up)."""

    holds: str = "line"
    most: int = 200
    needed: bool = False
    typed: bool = False
    among: tuple[Any, ...] = ()
    key: str = ""


def _line(most: int = 200, **more: Any) -> Field:
    return Field("line", most, **more)


_TEXT: Final = Field("text", 20_000, typed=True)
_PHONE: Final = _line(64)
_LABEL: Final = _line(64, typed=True)
_PARTIES: Final = {"organisation_id": Field("record", 32, among=("organisation",)),
                   "contact_id": Field("record", 32, among=("contact",))}
_QUOTED: Final = {"services": _TEXT, "quoted_cents": Field("money"), "currency": _line(3)}

FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    "organisation": {
        "name": _line(needed=True, key="name_key"), "address": _line(400), "email": Field("email", 320),
        "phone": _PHONE, "fax": _PHONE, "category": _LABEL, "region": _LABEL},
    "contact": {
        "salutation": _line(32), "first_name": _line(100), "last_name": _line(100, needed=True),
        "known_as": _line(100), "title": _line(100, typed=True), "address": _line(400),
        "email": Field("email", 320, key="email_key"), "phone": _PHONE, "fax": _PHONE, "mobile": _PHONE,
        "private_email": Field("email", 320, key="private_key"), "category": _LABEL, "region": _LABEL,
        "interests": Field("text", 400, typed=True), "notes": _TEXT,
        "organisation_id": Field("record", 32, among=("organisation",))},
    "opportunity": {
        "title": _line(needed=True, typed=True), "stage": _line(16, among=STAGES), **_PARTIES,
        "lead_name": _line(), "lead_organisation": _line(), "lead_email": Field("email", 320, key="lead_key"),
        "lead_phone": _PHONE, **_QUOTED, "quote_number": _line(64, key="number_key"), "quote_details": _TEXT,
        "internal_contacts": Field("people")},
    "project": {
        "title": _line(needed=True, typed=True), "status": _line(16, among=("open", "done", "cancelled")), **_PARTIES,
        "number": _line(64, key="number_key"), **_QUOTED, "delivery_locations": _TEXT, "instructors": _TEXT,
        "delivery_from": Field("day"), "delivery_until": Field("day"), "shipping_address": _line(400),
        "billing_address": _line(400), "notes": _TEXT},
    "event": {
        "name": _line(needed=True, typed=True), "starts": Field("moment", needed=True), "ends": Field("moment"),
        "place": _line(typed=True), "agenda": _TEXT},
    "issue": {
        "title": _line(needed=True, typed=True), "priority": Field("choice", among=(1, 2, 3, 4, 5)),
        "status": _line(16, among=("open", "closed")), "news": _TEXT, "talking_points": _TEXT},
    "document": {"name": _line(needed=True, typed=True)},
}
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "organisation": ("name", "region", "category"),
    "contact": ("first_name", "last_name", "known_as", "title", "region", "category"),
    "opportunity": ("title", "lead_name", "lead_organisation", "quote_number"), "project": ("title", "number"),
    "event": ("name", "place"), "issue": ("title",), "document": ("name",)}
"""The fields by whose words a record is found. How to reach a person is not among them: another division may not find
out by searching."""


def checked(kind: str, values: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
    """The columns to set for these values, look-up keys included. Raises `BadState` naming fields, never values."""
    fields = FIELDS.get(kind)
    if fields is None:
        raise BadState(f"kinds of record are {', '.join(sorted(FIELDS))}")
    unknown = sum(name not in fields for name in values)
    if unknown:
        raise BadState(f"{unknown} fields that a {kind} does not have; there are {', '.join(fields)}")
    columns: dict[str, Any] = {}
    for name, value in values.items():
        columns[name] = _value(f"{kind}.{name}", fields[name], value)
        if fields[name].key:
            columns[fields[name].key] = _key(fields[name].key, columns[name])
    missing = [name for name, field in fields.items() if field.needed and (
        columns.get(name, None if new else True) in ("", None))]
    if missing:
        raise BadState(f"a {kind} needs {', '.join(missing)}")
    return columns


def typed_of(kind: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The free text among values, by field."""
    fields = FIELDS.get(kind, {})
    return {name: str(value) for name, value in values.items() if name in fields and fields[name].typed and value}


def source_of(source: str, url: str) -> tuple[str, str]:
    """How a record came to us, checked. Raises `BadState`."""
    if source not in SOURCES:
        raise BadState(f"a source is one of {', '.join(SOURCES)}")
    if (source == "web") != bool(url) or len(url) > 400 or (url and not url.startswith(("https://", "http://"))):
        raise BadState("a record from the web has the address of its page, and no other has one")
    return source, url


def number_key(number: str) -> str:
    """A number of a project or quote as it is looked up: small letters and digits only."""
    plain = "".join(c for c in number.casefold() if c.isalnum())
    return plain[:64] if len(plain) > 2 and any(c.isdigit() for c in plain) else ""


def shown(value: Any) -> str:
    """A value as the history keeps it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def closing(kind: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The moment of closing that goes with a new state of an opportunity, project or issue."""
    state = columns.get("stage", columns.get("status"))
    if state is None or kind not in ("opportunity", "project", "issue"):
        return {}
    return {"closed": now() if state in ("won", "lost", "done", "cancelled", "closed") else None}


def _value(name: str, field: Field, value: Any) -> Any:
    if field.holds in ("line", "text", "email", "record"):
        return _string(name, field, value)
    fits: dict[str, bool] = {
        "money": value is None or (isinstance(value, int) and 0 <= value < 10**13),
        "choice": value in field.among,
        "people": isinstance(value, list) and len(value) <= 50 and all(
            isinstance(v, str) and len(v) <= 32 for v in value),
        "day": value is None or (isinstance(value, date) and not isinstance(value, datetime)),
        "moment": value is None or (isinstance(value, datetime) and value.tzinfo is not None)}
    if isinstance(value, bool) or not fits[field.holds]:
        raise BadState(f"{name}: not a {field.holds}")
    return value


def _string(name: str, field: Field, value: Any) -> str | None:
    if field.holds == "record" and not value:
        return None
    if not isinstance(value, str):
        raise BadState(f"{name}: not text")
    plain = value.replace("\x00", "").encode("utf-8", "replace").decode().strip()
    if field.holds != "text":
        plain = " ".join(plain.split())
    if len(plain) > field.most:
        raise BadState(f"{name}: longer than {field.most} characters")
    if field.holds == "email" and plain and not _EMAIL.fullmatch(plain):
        raise BadState(f"{name}: not an e-mail address")
    if field.among and field.holds == "line" and plain not in field.among:
        raise BadState(f"{name}: one of {', '.join(field.among)}")
    return plain


def _key(key: str, value: Any) -> str:
    if key == "name_key":
        return name_key(str(value))
    if key == "number_key":
        return number_key(str(value))
    return str(value or "").casefold()
