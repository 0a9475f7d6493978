"""Organisations and contacts from a CSV file, an Outlook export or vCards.

    with db.session() as session:
        counts = import_csv(session, text, actor="anna", dry_run=False)

One line is an organisation, a contact, or a contact with the organisation it belongs to. The whole file
is checked first; if a line is wrong, `ImportRefused` names the lines and nothing is written. Importing the
same file again changes nothing.

Same organisation: the same name, case and blanks aside. Same contact: the same e-mail address and the same
first and last name; without an address, the same name in the same organisation. One address under several names
(info@...) gives several contacts; mail to it is then not matched by itself, and the count "shared addresses" says so.

Who asked not to be here is left out ("suppressed"), and so are fields there is no place for: home addresses, home
phones, birthdays. Free text (`TYPED`) is for the caller to scan first, with `read_lines`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import func
from sqlalchemy.orm import Session
from sqlmodel import select

from store import audit
from store.columns import now
from store.crm_matching import standing
from store.crm_tables import Contact, Organisation, OrganisationDomain
from store.crm_work_tables import RecordChange
from store.database import begin_write
from store.errors import ImportRefused

MAX_LINES = 200_000
MAX_NAMED = 20
"""Wrong lines named in one error; the rest are counted."""

_EMAIL = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@,;<>\"]+")
_DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)+")
_CHANGED_ON_SECOND_IMPORT = ("salutation", "known_as", "title", "address", "phone", "fax", "mobile", "private_email",
                             "category", "region", "interests", "notes")
TYPED = ("title", "category", "region", "organisation_category", "organisation_region", "interests", "notes")
"""Columns into which people write what they like, which are scanned before anything is written."""
Suppressed = Callable[[Session, str], bool]


class Line(BaseModel):
    """One checked line. Field names are the column names of the file; every other column is refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    organisation: str = Field(default="", max_length=200)
    organisation_domain: str = ""
    organisation_address: str = Field(default="", max_length=400)
    organisation_email: str = Field(default="", max_length=320)
    organisation_phone: str = Field(default="", max_length=64)
    organisation_fax: str = Field(default="", max_length=64)
    organisation_category: str = Field(default="", max_length=64)
    organisation_region: str = Field(default="", max_length=64)
    salutation: str = Field(default="", max_length=32)
    first_name: str = Field(default="", max_length=100)
    last_name: str = Field(default="", max_length=100)
    known_as: str = Field(default="", max_length=100)
    title: str = Field(default="", max_length=100)
    address: str = Field(default="", max_length=400)
    email: str = Field(default="", max_length=320)
    phone: str = Field(default="", max_length=64)
    fax: str = Field(default="", max_length=64)
    mobile: str = Field(default="", max_length=64)
    private_email: str = Field(default="", max_length=320)
    category: str = Field(default="", max_length=64)
    region: str = Field(default="", max_length=64)
    interests: str = Field(default="", max_length=400)
    notes: str = Field(default="", max_length=20_000)

    @field_validator("email", "organisation_email", "private_email")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not _EMAIL.fullmatch(value):
            raise ValueError("not an e-mail address")
        return value

    @field_validator("organisation_domain")
    @classmethod
    def _are_domains(cls, value: str) -> str:
        if any(not _DOMAIN.fullmatch(domain) or len(domain) > 255 for domain in _split(value)):
            raise ValueError("not a domain")
        return value

    @property
    def is_contact(self) -> bool:
        """A line with an address or a name is a contact."""
        return bool(self.email or self.private_email or self.first_name or self.last_name)

    def problem(self) -> str:
        """What is wrong with the line as a whole, as "column: what", or ""."""
        if not self.is_contact and not self.organisation:
            return "organisation or email: empty"
        if self.is_contact and not self.email and not (self.last_name and (
                self.organisation or self.phone or self.mobile or self.private_email)):
            return "email: empty, and no last name with an organisation or a phone"
        if not self.organisation and any(
                getattr(self, name) for name in type(self).model_fields if name.startswith("organisation_")):
            return "organisation: empty"
        return ""


COLUMNS = tuple(Line.model_fields)
"""The columns a file may have, in any order; `organisation` or `email` must be among them."""


def import_csv(session: Session, text: str, *, actor: str, dry_run: bool = False,
               may_identify: Callable[[str], bool] = bool, division: str = "", owner: str = "",
               suppressed: Suppressed | None = None) -> dict[str, int]:
    """Import the text of a file (CSV with comma, semicolon or tab; an Outlook export; vCards) and return what
    happened, as counts.

    `may_identify` says whether a domain may stand for an organisation (no freemail, none of our own). `division` and
    `owner` are whose the contacts are: new ones, and those that were nobody's. `suppressed` says whether whoever has
    an address asked not to be here.
    With `dry_run` the counts are the same and nothing is written. Raises `ImportRefused`.
    """
    return import_lines(session, read_lines(text), actor=actor, dry_run=dry_run, may_identify=may_identify,
                        division=division, owner=owner, suppressed=suppressed)


def import_lines(session: Session, lines: Sequence[Line], *, actor: str, dry_run: bool = False,
                 may_identify: Callable[[str], bool] = bool, division: str = "", owner: str = "",
                 suppressed: Suppressed | None = None) -> dict[str, int]:
    """As `import_csv`, for lines that were read before."""
    begin_write(session)
    with session.begin_nested() as attempt:
        counts = _write(session, lines, may_identify, (division, owner, actor), suppressed)
        if dry_run:
            attempt.rollback()
    if not dry_run:
        audit.append(session, "crm:file:imported", actor=actor,
                     body={name.replace(" ", "-"): number for name, number in counts.items()})
    return counts


def read_lines(text: str) -> list[Line]:
    """The checked lines of a file. Raises `ImportRefused` naming line numbers and columns, never values."""
    from store.crm_formats import from_outlook, from_vcards, is_vcard  # which knows the columns of this module

    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise ImportRefused("the file is empty")
    if is_vcard(text):
        return _checked_rows(from_vcards(text))
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        names = [(name or "").strip().casefold().replace(" ", "_") for name in reader.fieldnames or ()]
        if not set(names) <= set(COLUMNS) and (converted := from_outlook(names, reader)) is not None:
            return _checked_rows(converted)
        _check_header(names)
        reader.fieldnames = names
        return _check_lines(reader)
    except csv.Error as exc:
        raise ImportRefused("not a CSV file, or a quotation mark is missing") from exc


def _check_header(names: Sequence[str]) -> None:
    unknown = sum(name not in COLUMNS for name in names)
    if unknown:
        raise ImportRefused(f"line 1: {unknown} unknown columns; there are {', '.join(COLUMNS)}")
    if len(set(names)) != len(names):
        raise ImportRefused("line 1: a column stands there twice")
    if not {"organisation", "email"} & set(names):
        raise ImportRefused("line 1: neither `organisation` nor `email` is there")


def _check_lines(reader: csv.DictReader[str]) -> list[Line]:
    return _checked_rows((reader.line_num, row) for row in reader)


def _checked_rows(rows: Iterable[tuple[int, dict[Any, Any]]]) -> list[Line]:
    lines: list[Line] = []
    wrong: list[str] = []
    for number, row in rows:
        if number > MAX_LINES:
            raise ImportRefused(f"more than {MAX_LINES} lines; split the file")
        if None in row or any(value is None for value in row.values()):
            wrong.append(f"line {number}: other number of columns than line 1")
            continue
        try:
            line = Line.model_validate(row)
        except ValidationError as exc:
            wrong += [f"line {number}, {e['loc'][0] if e['loc'] else 'line'}: {_said(e)}" for e in exc.errors(
                include_input=False, include_url=False)]
            continue
        problem = line.problem()
        if problem:
            wrong.append(f"line {number}, {problem}")
        else:
            lines.append(line)
    if wrong:
        more = f"; and {len(wrong) - MAX_NAMED} more" if len(wrong) > MAX_NAMED else ""
        raise ImportRefused("; ".join(wrong[:MAX_NAMED]) + more)
    return lines


def _said(error: Any) -> str:
    if error["type"] == "string_too_long":
        return f"longer than {error['ctx']['max_length']} characters"
    return str(error["msg"]).removeprefix("Value error, ")


def _write(session: Session, lines: Sequence[Line], may_identify: Callable[[str], bool], whose: tuple[str, str, str],
           suppressed: Suppressed | None) -> dict[str, int]:
    """`whose`: the division and owner of new contacts, and who imports."""
    from store import crm_find  # which knows this module

    division, owner, actor = whose

    counts = dict.fromkeys(("organisations new", "organisations changed", "contacts new", "contacts changed",
                            "unchanged", "suppressed", "shared addresses"), 0)
    organisations = {o.name_key: o for o in session.scalars(select(Organisation))}
    contacts = sorted(session.scalars(select(Contact)), key=lambda c: c.merged_into == "")  # those that stand win
    known = _Known({_contact_key(c): c for c in contacts if not division or c.division in ("", division)},
                   division, owner, actor)
    domains = {(row.domain, row.organisation_id) for row in session.scalars(select(OrganisationDomain))}
    touched: dict[str, Organisation | Contact] = {}
    for line in lines:
        if suppressed is not None and any(suppressed(session, a) for a in (line.email, line.private_email) if a):
            counts["suppressed"] += 1
            continue
        changed = False
        organisation = organisations.get(name_key(line.organisation)) if line.organisation else None
        merged = organisation is not None and bool(organisation.merged_into)
        if organisation is not None and merged:
            organisation = session.get_one(Organisation, standing(session, "organisation", organisation.id)[1])
        if line.organisation:
            if organisation is not None and merged:
                pass  # whoever merged it chose what stands
            elif organisation is None:
                organisation = Organisation(name=line.organisation, name_key=name_key(line.organisation),
                                            source="import")
                organisations[organisation.name_key] = organisation
                session.add(organisation)
                _fill(organisation, line, "organisation_")
                counts["organisations new"] += 1
                changed = True
            elif _fill(organisation, line, "organisation_", known):
                counts["organisations changed"] += 1
                changed = True
            if changed:
                touched[organisation.id] = organisation
            changed |= _add_domains(known.later, organisation.id, line, domains, may_identify)
        if line.is_contact:
            contact, made, altered = _write_contact(line, organisation, known)
            counts["contacts new"] += made
            counts["contacts changed"] += altered and not made
            if altered:
                touched[contact.id] = contact
            changed |= altered
        counts["unchanged"] += not changed
    session.flush()
    session.add_all(known.later)
    session.flush()
    crm_find.index_many(session, touched.values())
    shared = select(Contact.email_key).where(Contact.email_key != "", Contact.merged_into == "").group_by(
        Contact.email_key).having(func.count() > 1)
    counts["shared addresses"] = len(session.scalars(shared).all())
    return counts


@dataclass(frozen=True, slots=True, repr=False)
class _Known:
    """The contacts there are, by what makes two of them the same; whose new ones are; rows that point at
    organisations, to be added when those are there."""

    contacts: dict[tuple[str, str, str, str], Contact]
    division: str
    owner: str
    by: str
    later: list[Contact | OrganisationDomain | RecordChange] = field(default_factory=list)


def _write_contact(line: Line, organisation: Organisation | None,
                   known: _Known) -> tuple[Contact, bool, bool]:
    """The contact of a line, whether it is new, whether anything changed."""
    employer = organisation.id if organisation else None
    email = line.email.casefold()
    key = (email, line.first_name.casefold(), line.last_name.casefold(), "" if email else employer or "")
    contact = known.contacts.get(key)
    if contact is None:
        contact = Contact(first_name=line.first_name, last_name=line.last_name, email=line.email, email_key=email,
                          division=known.division, owner=known.owner, source="import", organisation_id=employer)
        known.contacts[key] = contact
        _fill(contact, line)
        contact.private_key = contact.private_email.casefold()
        known.later.append(contact)
        return contact, True, True
    if contact.merged_into:  # whoever merged it chose what stands
        return contact, False, False
    changed = _fill(contact, line, known=known)
    contact.private_key = contact.private_email.casefold()
    if employer is not None and contact.organisation_id != employer:
        contact.organisation_id, contact.updated, changed = employer, now(), True
    if known.division and not contact.division:
        contact.division, contact.updated, changed = known.division, now(), True
    if changed and not contact.owner:
        contact.owner = known.owner
    return contact, False, changed


def _fill(row: Organisation | Contact, line: Line, prefix: str = "", known: _Known | None = None) -> bool:
    """Take over what the line says; an empty cell keeps what is there. True when something changed; what was there goes
    into the history (`known`)."""
    names = ("address", "email", "phone", "fax", "category", "region") if prefix else _CHANGED_ON_SECOND_IMPORT
    changed = False
    for name in names:
        if row.stub and prefix + name in TYPED:
            continue  # what was typed there is held for review, or was destroyed
        value = getattr(line, prefix + name)
        if value and (before := getattr(row, name)) != value:
            if known is not None:
                known.later.append(RecordChange(record="organisation" if prefix else "contact", record_id=row.id,
                                                field=name, before=before, after=value, by=known.by))
            setattr(row, name, value)
            changed = True
    if changed:
        row.updated = now()
    return changed


def _add_domains(later: list[Contact | OrganisationDomain | RecordChange], organisation_id: str, line: Line,
                 known: set[tuple[str, str]], may_identify: Callable[[str], bool]) -> bool:
    named = _split(line.organisation_domain)
    if not named and line.organisation_email:
        named = [line.organisation_email.rpartition("@")[2]]
    added = False
    for domain in dict.fromkeys(d.casefold().strip(".") for d in named):
        if may_identify(domain) and (domain, organisation_id) not in known:
            known.add((domain, organisation_id))
            later.append(OrganisationDomain(domain=domain, organisation_id=organisation_id))
            added = True
    return added


def name_key(name: str) -> str:
    """An organisation's name as it is compared."""
    return " ".join(name.split()).casefold()[:200]


def _contact_key(contact: Contact) -> tuple[str, str, str, str]:
    return (contact.email_key, contact.first_name.casefold(), contact.last_name.casefold(),
            "" if contact.email_key else contact.organisation_id or "")


def _split(text: str) -> Collection[str]:
    return [part for part in re.split(r"[\s;|,]+", text) if part]
