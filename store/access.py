"""Who may do what: one function that pages, API, commands, export, search and timeline all ask.

    answer = may(person, Action.CASE_REVEAL, thing)
    if not answer: ... answer.code says why, for the audit and for the page

It is a pure function of three values and the tables below: no database, no clock, no settings. What a role may do
is `GRANTS`, within which scope; what a role may never do, whatever other roles somebody has, is `NEVER`; which
roles nobody may hold together is `APART`. docs/operators/roles.md prints the whole of it, and a test compares.

Scopes: `OWN` is what the person tracked, asked for or is; `DIVISION` what belongs to a division of theirs; `ALL`
everything. A thing without a division belongs to nobody's division: only `ALL` reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody is for this program. A person may have several, but see `APART`."""

    STAFF = "staff"
    """tracks items, sees the records of their division"""
    OWNER = "owner"
    """answers for the program of a division: approves roles, reads its reports"""
    DIVISION_ADMIN = "division-admin"
    """keeps the users and records of a division"""
    REVIEWER = "reviewer"
    """decides held items of their division"""
    PRIVACY_OFFICER = "privacy-officer"
    """decides held items of all divisions, incidents and rules"""
    HEAD = "head"
    """the head of the public body: answers for notices of a breach"""
    DELEGATE = "delegate"
    """acts for the head for a time"""
    AUDITOR = "auditor"
    """reads the audit and signs the week; changes nothing"""
    OPERATOR = "operator"
    """runs the program; sees counts, never values"""
    ADMINISTRATOR = "administrator"
    """applies roles and settings, exports; never reveals held content"""


class Action(StrEnum):
    """Everything that can be asked for, as subject:verb."""

    # everybody, for themselves
    SELF_READ = "self:read"
    RULES_SIGN = "rules:sign"
    ITEM_TRACK = "item:track"
    ITEM_WITHDRAW = "item:withdraw"
    ITEM_STATUS = "item:status"
    CASE_REPORT = "case:report"
    # the CRM
    RECORD_LIST = "record:list"
    RECORD_READ = "record:read"
    RECORD_SEARCH = "record:search"
    RECORD_CHANGE = "record:change"
    RECORD_DELETE = "record:delete"
    RECORD_IMPORT = "record:import"
    RECORD_EXPORT = "record:export"
    # the desk
    QUEUE_LIST = "queue:list"
    CASE_READ = "case:read"
    CASE_CLAIM = "case:claim"
    CASE_REVEAL = "case:reveal"
    CASE_RELEASE = "case:release"
    CASE_REDACT = "case:redact"
    CASE_DELETE = "case:delete"
    CASE_ESCALATE = "case:escalate"
    CASE_SECOND = "case:second"
    # rules of the scanner
    POLICY_READ = "policy:read"
    RULE_PROPOSE = "rule:propose"
    RULE_APPROVE = "rule:approve"
    POLICY_LOAD = "policy:load"
    # incidents
    INCIDENT_READ = "incident:read"
    INCIDENT_OPEN = "incident:open"
    INCIDENT_NOTIFY = "incident:notify"
    # accountability
    AUDIT_READ = "audit:read"
    AUDIT_VERIFY = "audit:verify"
    AUDIT_SIGN = "audit:sign"
    AUDIT_EXPORT = "audit:export"
    REPORT_READ = "report:read"
    # people
    USER_LIST = "user:list"
    USER_REQUEST = "user:request"
    USER_APPROVE = "user:approve"
    USER_GRANT = "user:grant"
    USER_SUSPEND = "user:suspend"
    TRAINING_RECORD = "training:record"
    RULES_PUBLISH = "rules:publish"
    DELEGATION_MAKE = "delegation:make"
    # running it
    SYSTEM_READ = "system:read"
    JOB_RETRY = "job:retry"
    RESCAN_RUN = "rescan:run"
    SETTINGS_CHANGE = "settings:change"
    KEYS_ROTATE = "keys:rotate"
    MAILBOX_CHANGE = "mailbox:change"


class Scope(IntEnum):
    """How far a grant reaches; a wider one includes the narrower."""

    OWN = 1
    DIVISION = 2
    ALL = 3


OWN, DIVISION, ALL = Scope.OWN, Scope.DIVISION, Scope.ALL
A, R = Action, Role

EVERYBODY: Final[Mapping[Action, Scope]] = {A.SELF_READ: OWN, A.RULES_SIGN: OWN}
"""What every active person may, also without a role: see their own account and put it in order."""
_TRACKING: Final = {A.ITEM_TRACK: OWN, A.ITEM_WITHDRAW: OWN, A.ITEM_STATUS: OWN, A.CASE_REPORT: OWN}
_READING: Final = {A.RECORD_LIST: DIVISION, A.RECORD_READ: DIVISION, A.RECORD_SEARCH: DIVISION}
_DESK: Final = (A.QUEUE_LIST, A.CASE_READ, A.CASE_CLAIM, A.CASE_REVEAL, A.CASE_RELEASE, A.CASE_REDACT,
                A.CASE_DELETE, A.CASE_ESCALATE, A.CASE_SECOND)
_HEAD: Final = {A.INCIDENT_READ: ALL, A.INCIDENT_NOTIFY: ALL, A.REPORT_READ: ALL, A.POLICY_READ: ALL,
                A.USER_LIST: ALL}

GRANTS: Final[Mapping[Role, Mapping[Action, Scope]]] = {
    R.STAFF: {**EVERYBODY, **_TRACKING, **_READING, A.RECORD_CHANGE: DIVISION, A.RECORD_DELETE: OWN},
    R.OWNER: {**EVERYBODY, **_READING, A.REPORT_READ: DIVISION, A.USER_LIST: DIVISION, A.USER_APPROVE: DIVISION,
              A.POLICY_READ: ALL},
    R.DIVISION_ADMIN: {**EVERYBODY, **_READING, A.RECORD_CHANGE: DIVISION, A.RECORD_DELETE: DIVISION,
                       A.RECORD_IMPORT: DIVISION, A.USER_LIST: DIVISION, A.USER_REQUEST: DIVISION,
                       A.USER_SUSPEND: DIVISION, A.TRAINING_RECORD: DIVISION, A.REPORT_READ: DIVISION},
    R.REVIEWER: {**EVERYBODY, **dict.fromkeys(_DESK, DIVISION), A.POLICY_READ: ALL, A.RULE_PROPOSE: DIVISION,
                 A.INCIDENT_OPEN: DIVISION},
    R.PRIVACY_OFFICER: {**EVERYBODY, **dict.fromkeys(_DESK, ALL), A.POLICY_READ: ALL, A.RULE_PROPOSE: ALL,
                        A.RULE_APPROVE: ALL, A.POLICY_LOAD: ALL, A.INCIDENT_READ: ALL, A.INCIDENT_OPEN: ALL,
                        A.INCIDENT_NOTIFY: ALL, A.REPORT_READ: ALL, A.USER_LIST: ALL, A.RULES_PUBLISH: ALL,
                        A.RESCAN_RUN: ALL},
    R.HEAD: {**EVERYBODY, **_HEAD, A.DELEGATION_MAKE: OWN, A.USER_APPROVE: ALL},
    R.DELEGATE: {**EVERYBODY, **_HEAD},
    R.AUDITOR: {**EVERYBODY, A.AUDIT_READ: ALL, A.AUDIT_VERIFY: ALL, A.AUDIT_SIGN: ALL, A.REPORT_READ: ALL,
                A.POLICY_READ: ALL, A.USER_LIST: ALL, A.INCIDENT_READ: ALL},
    R.OPERATOR: {**EVERYBODY, A.SYSTEM_READ: ALL, A.JOB_RETRY: ALL, A.RESCAN_RUN: ALL, A.AUDIT_VERIFY: ALL,
                 A.MAILBOX_CHANGE: ALL, A.KEYS_ROTATE: ALL},
    R.ADMINISTRATOR: {**EVERYBODY, A.USER_LIST: ALL, A.USER_GRANT: ALL, A.USER_SUSPEND: ALL, A.SYSTEM_READ: ALL,
                      A.SETTINGS_CHANGE: ALL, A.MAILBOX_CHANGE: ALL, A.RECORD_EXPORT: ALL,
                      A.RECORD_IMPORT: ALL, A.AUDIT_EXPORT: ALL, A.TRAINING_RECORD: ALL},
}
"""Role -> what it may do -> within which scope. What is not here is refused."""

_NOT_FOR_AUDITORS: Final = frozenset(A) - {
    A.SELF_READ, A.RULES_SIGN, A.AUDIT_READ, A.AUDIT_VERIFY, A.AUDIT_SIGN, A.REPORT_READ, A.POLICY_READ,
    A.USER_LIST, A.INCIDENT_READ}
NEVER: Final[Mapping[Role, frozenset[Action]]] = {
    R.ADMINISTRATOR: frozenset(_DESK) | {A.RULE_APPROVE, A.POLICY_LOAD, A.USER_APPROVE, A.AUDIT_SIGN},
    R.OPERATOR: frozenset(_DESK) | {A.RECORD_READ, A.RECORD_SEARCH, A.RECORD_EXPORT, A.AUDIT_SIGN},
    R.AUDITOR: _NOT_FOR_AUDITORS,
    R.REVIEWER: frozenset({A.POLICY_LOAD, A.RULE_APPROVE, A.AUDIT_SIGN, A.RECORD_EXPORT}),
}
"""What a role takes away, whatever else a person is: separation of duties holds also when somebody was given two
roles by mistake."""

APART: Final[tuple[frozenset[Role], ...]] = (
    *(frozenset({R.AUDITOR, other}) for other in R if other is not R.AUDITOR),
    frozenset({R.ADMINISTRATOR, R.REVIEWER}), frozenset({R.ADMINISTRATOR, R.PRIVACY_OFFICER}),
    frozenset({R.ADMINISTRATOR, R.OWNER}), frozenset({R.ADMINISTRATOR, R.HEAD}),
    frozenset({R.ADMINISTRATOR, R.DELEGATE}),
    frozenset({R.OPERATOR, R.REVIEWER}), frozenset({R.OPERATOR, R.PRIVACY_OFFICER}),
)
"""Roles nobody may hold together; `store.people` refuses to grant the second."""

NOT_ONES_OWN: Final = frozenset({*_DESK, A.RULE_APPROVE}) - {A.QUEUE_LIST}
"""Nobody does these to mail they sent, received or tracked."""
ANOTHER_THAN: Final[frozenset[Action]] = frozenset({A.CASE_SECOND, A.RULE_APPROVE, A.USER_APPROVE, A.USER_GRANT})
"""Needs somebody else than the person who decided, proposed or asked first, or whom it is about."""
NAMED: Final = NOT_ONES_OWN | ANOTHER_THAN
"""Is always about one thing, or nobody could tell whose it is."""
LISTS: Final = frozenset({A.SELF_READ, A.RULES_SIGN, A.ITEM_STATUS, A.RECORD_LIST, A.RECORD_SEARCH, A.QUEUE_LIST,
                          A.REPORT_READ, A.USER_LIST})
"""May be asked about nothing in particular; the answer is a list cut to `reach`."""
FRESH: Final = frozenset({A.CASE_REVEAL, A.RECORD_EXPORT, A.AUDIT_EXPORT})
"""Needs a sign-in of the last minutes."""
BEFORE_RULES: Final = frozenset({A.SELF_READ, A.RULES_SIGN})
"""Allowed before the rules of behaviour are signed and affirmed."""
TRAINED: Final = frozenset({A.ITEM_TRACK})
"""Needs training that has not expired."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, as far as access goes. Made by `store.people`.

    `addresses` are casefolded. `active` is false for a suspended account, a contract that ended, an access not
    yet approved. `bound` says that the rules of behaviour in force are signed and were affirmed at this sign-in;
    `trained` that training has not expired; `fresh` that the sign-in is minutes old.
    """

    id: str
    roles: frozenset[Role] = frozenset()
    divisions: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    active: bool = True
    bound: bool = True
    trained: bool = True
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Thing:
    """What it is about. Everything is optional; what is left out counts against the one who asks.

    `division` is the one it belongs to; `owner` the person who tracked or asked for it, or is it; `parties` the
    casefolded addresses of sender and recipients; `before` the persons who decided, proposed or asked first.
    """

    division: str = ""
    owner: str = ""
    parties: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """True when allowed; else `code` says why not."""

    code: str = ""

    def __bool__(self) -> bool:
        return not self.code


ALLOWED: Final = Answer()
REFUSALS: Final[Mapping[str, str]] = {
    "account-inactive": "The account is not active: suspended, ended or not yet approved.",
    "role": "No role of this person allows it.",
    "separation": "A role of this person forbids it, whatever the others allow.",
    "rules-unsigned": "The rules of behaviour in force are not signed, or not affirmed at this sign-in.",
    "training-expired": "The training has expired.",
    "not-yours": "It belongs to somebody else.",
    "other-division": "It belongs to another division.",
    "own-mail": "It is the person's own mail: sent, received or tracked by them.",
    "same-person": "Another person is needed than the one who acted first, or whom it is about.",
    "nothing-named": "It has to be asked about one thing.",
    "sign-in-again": "A sign-in of the last minutes is needed.",
}
"""Every reason for a refusal."""


def may(person: Person, action: Action, thing: Thing | None = None) -> Answer:
    """Whether `person` may do `action` to `thing`, or the first reason why not.

    Without a thing only what is about nothing in particular is allowed: `LISTS`, which the caller cuts to `reach`,
    and what the person may do everywhere.
    """
    if not person.active:
        return Answer("account-inactive")
    scope = reach(person, action)
    if scope is None:
        forbidden = any(action in NEVER.get(role, ()) for role in person.roles)
        granted = any(action in GRANTS[role] for role in person.roles)
        return Answer("separation" if granted and forbidden else "role")
    if action not in BEFORE_RULES and not person.bound:
        return Answer("rules-unsigned")
    if action in TRAINED and not person.trained:
        return Answer("training-expired")
    if thing is None:
        refused = "" if action in LISTS or (scope is ALL and action not in NAMED) else "nothing-named"
    else:
        refused = _outside(person, scope, thing) or _conflict(person, action, thing)
    if refused:
        return Answer(refused)
    return Answer("sign-in-again") if action in FRESH and not person.fresh else ALLOWED


def reach(person: Person, action: Action) -> Scope | None:
    """How far a person's roles let them go: what a list has to be cut to. None when not at all."""
    if any(action in NEVER.get(role, ()) for role in person.roles):
        return None
    granted = [table[action] for table in (EVERYBODY, *(GRANTS[role] for role in person.roles)) if action in table]
    return max(granted, default=None)


def clash(roles: frozenset[Role]) -> frozenset[Role]:
    """Two of these roles that nobody may hold together; empty when there are none."""
    return next((pair for pair in APART if pair <= roles), frozenset())


def _outside(person: Person, scope: Scope, thing: Thing) -> str:
    if scope is ALL or (thing.owner and thing.owner == person.id):
        return ""
    if scope is OWN:
        return "not-yours"
    return "" if thing.division and thing.division in person.divisions else "other-division"


def _conflict(person: Person, action: Action, thing: Thing) -> str:
    if action in NOT_ONES_OWN and (thing.owner == person.id or thing.parties & person.addresses):
        return "own-mail"
    if action in ANOTHER_THAN and (person.id in thing.before or thing.owner == person.id):
        return "same-person"
    return ""


# ------------------------------------------------------------------------------------------------- fields

FIREWALLED: Final[Mapping[str, frozenset[str]]] = {
    "contact": frozenset({"email", "phone", "mobile", "private_email", "fax"}),
}
"""Kind of record -> fields of individuals that another division does not see. Names, titles, organisations, events
and interactions are shared; how to reach a person is not."""


def hidden(person: Person, kind: str, division: str) -> frozenset[str]:
    """The fields of a record of this kind and division that are not for this person."""
    if not person.active or not person.bound:
        return FIREWALLED.get(kind, frozenset())
    within = reach(person, Action.RECORD_READ)
    mine = within is ALL or bool(division and division in person.divisions and within is DIVISION)
    return frozenset() if mine else FIREWALLED.get(kind, frozenset())
