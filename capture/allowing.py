"""Allow rules at work: in the scanner's decision, in proposals, and in the back-test.

    scanner = with_rules(tools, division_of(tools, mailbox))       # the scanner with the rules in force
    candidates(tools, "MW-2026-000012")                            # what of a case a rule could be about
    propose(settings, ...); backtest(settings, "AL-00003")

A finding that a rule speaks for is kept, shown as exempted with the id of the rule, and not counted. Rules know values
by keyed hashes only; what they are compared with never leaves this module. The sentence model judges the message
without what was exempted; what the wording itself says still counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from capture import wire
from capture.acting import acting, person_of, required
from capture.errors import BadInput
from capture.matching import FREEMAIL, domain_of
from capture.notices import address
from capture.ports import Scanner
from capture.settings import Settings
from capture.wiring import Tools, assembled, opened, scan_with
from pii_scan.findings import Decision, Finding, Report
from pii_scan.text import Block, Extraction, Table
from store import allow, audit, cases, desk, people, quarantine
from store.access import Action, Scope, Thing, reach
from store.account_tables import AllowRule
from store.allow import Allowed, Wish
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.desk_tables import DeskCase
from store.errors import AllowRefused, ContentDestroyed
from store.tables import Case, CaseState

PAGE = 100


class AllowingScanner:
    """A scanner with allow rules: what they speak for is found all the same, and not counted."""

    def __init__(self, scanner: Scanner, keys: Keys, rules: Sequence[Allowed]) -> None:
        self._scanner, self._keys, self._rules = scanner, keys, tuple(rules)

    @property
    def ids(self) -> tuple[str, ...]:
        """Which rules these are."""
        return tuple(rule.id for rule in self._rules)

    def scan(self, extraction: Extraction) -> Report:
        """What the scanner finds, with the findings the rules speak for exempted."""
        return scan_with(self._scanner, extraction, lambda found: tuple(
            self._weighed(finding, extraction) for finding in found))

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        """What the scanner decides."""
        return self._scanner.decide(report, extraction)

    def _weighed(self, finding: Finding, extraction: Extraction) -> Finding:
        if finding.exempt:
            return finding
        rule = next((r for r in self._rules if speaks_for(self._keys, r, finding, extraction)), None)
        return replace(finding, exempt=allow.MARK + rule.id) if rule else finding


def with_rules(tools: Tools, division: str = "", scanner: Scanner | None = None) -> Scanner:
    """The scanner with the rules that hold for items of this division; the scanner itself when there are none."""
    chosen = scanner or tools.scanner
    with tools.database.reading() as session:
        rules = allow.in_force(session, division)
    return AllowingScanner(chosen, tools.keys, rules) if rules else chosen


def division_of(tools: Tools, mailbox: str) -> str:
    """The division of the one whose mailbox it is; "" when they belong to none or to several, or are not known."""
    with tools.database.reading() as session:
        return people.home_division(session, address(mailbox, tools.settings.mailbox.domain))


def used(decision: Decision) -> dict[str, int]:
    """Rule -> findings it exempted in this decision."""
    return allow.uses((f.exempt, f.count) for f in decision.findings)


def speaks_for(keys: Keys, rule: Allowed, finding: Finding, extraction: Extraction) -> bool:
    """Whether a rule is about this finding."""
    if (finding.rule, finding.category.value) != (rule.rule, rule.category):
        return False
    if rule.kind == "sender":
        sender = extraction.envelope.sender
        return sender is not None and domain_of(sender.email) == rule.domain
    if rule.kind == "template":
        return block_digest(keys, _block(finding, extraction)) in rule.digests
    value = _value(finding, extraction)
    if not value:
        return False
    if rule.kind == "pattern":
        return rule.shape is not None and _has_shape(rule, finding, extraction)
    return value_digest(keys, value) in rule.digests


def value_digest(keys: Keys, value: str) -> str:
    """The keyed hash of a value: letters and digits count, case and separators do not."""
    return keys.digest("allow", b"value", "".join(c for c in value.casefold() if c.isalnum() or c == "@").encode())


def block_digest(keys: Keys, block: Block | Table) -> str:
    """The keyed hash of a block of text: every word counts, blanks and case do not."""
    text = block.text if isinstance(block, Block) else "\n".join(block.lines())
    return keys.digest("allow", b"block", " ".join(text.casefold().split()).encode("utf-8", "replace"))


def _block(finding: Finding, extraction: Extraction) -> Block | Table:
    return extraction.parts[finding.part].blocks[finding.block]


def _value(finding: Finding, extraction: Extraction) -> str:
    """The one value a finding is about; "" when it stands for several."""
    if finding.count != 1:
        return ""
    block = _block(finding, extraction)
    if isinstance(block, Block):
        return block.text[finding.start:finding.end]
    row = block.rows[finding.start] if 0 <= finding.start < len(block.rows) else ()
    return row[finding.end] if 0 <= finding.end < len(row) else ""


def _has_shape(rule: Allowed, finding: Finding, extraction: Extraction) -> bool:
    """Whether a value of the rule's shape covers the whole finding; in a table it is the whole cell."""
    assert rule.shape is not None  # noqa: S101 - asked before
    block = _block(finding, extraction)
    if isinstance(block, Table):
        return rule.shape.fullmatch(_value(finding, extraction).strip()) is not None
    near = max(0, finding.start - 80)
    text = block.text[near:finding.end + 80]
    return any(near + m.start() <= finding.start and near + m.end() >= finding.end for m in rule.shape.finditer(text))


# ----------------------------------------------------------------------------------------------- proposals

@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding of a case that a rule could be about, without its value: where it stands and what finds it."""

    number: int
    rule: str
    category: str
    place: str
    kinds: tuple[str, ...]


def candidates(tools: Tools, number: str) -> tuple[Candidate, ...]:
    """What of a case a rule could be about. Raises `ContentDestroyed` when the content is gone."""
    extraction = content_of(tools, number)
    found = _findings(tools, extraction)
    return tuple(Candidate(n, f.rule, f.category.value, f.place, tuple(
        kind for kind in ("value", "pattern", "sender", "template")
        if not allow.objection(_trial(f, extraction, kind)))) for n, f in enumerate(found, 1))


def candidates_of(settings: Settings, number: str, *, actor: str = "") -> tuple[Candidate, ...]:
    """As `candidates`, for somebody at a terminal; the look is audited."""
    with assembled(settings) as tools:
        with tools.database.session() as session:
            person = person_of(session, actor)
            about = desk.thing(session, tools.keys, number, person) if person else Thing()
            who = acting(session, actor, Action.CASE_READ, about)
            audit.append(session, "quarantine:case:read", actor=who, subject=cases.get(session, number).number)
        return candidates(tools, number)


def wish_for(tools: Tools, number: str, finding: int, kind: str, *, pattern: str = "", division: str = "",
             reason: str = "false-positive", days: int = allow.DEFAULT_DAYS) -> Wish:
    """The rule for a finding of a case (counted from 1). Raises `AllowRefused` when the finding is not there, or the
    rule would not speak for it."""
    extraction = content_of(tools, number)
    found = _findings(tools, extraction)
    if not 1 <= finding <= len(found):
        raise AllowRefused("no such finding in this case")
    chosen = found[finding - 1]
    sender = extraction.envelope.sender
    domain = domain_of(sender.email) if sender else ""
    if kind == "sender" and (domain in FREEMAIL or domain in tools.settings.scan.own_domains):
        raise AllowRefused("anybody can have an address there, or it is our own")
    wish = Wish(kind, chosen.rule, chosen.category.value, number=number, division=division, reason=reason, days=days)
    if kind == "value":
        value = _value(chosen, extraction)
        wish = replace(wish, digest=value_digest(tools.keys, value) if value else "")
    elif kind == "template":
        wish = replace(wish, digest=block_digest(tools.keys, _block(chosen, extraction)))
    elif kind == "sender":
        wish = replace(wish, domain=domain)
    else:
        wish = replace(wish, pattern=" ".join(pattern.upper().split()))
    wrong = allow.objection(wish)
    if wrong:
        raise AllowRefused(wrong)
    rule = Allowed("", kind, wish.rule, wish.category, frozenset({wish.digest} - {""}),
                   allow.shape_of(wish.pattern) if wish.pattern else None, wish.domain)
    if not speaks_for(tools.keys, rule, chosen, extraction):
        raise AllowRefused("the rule would not speak for the finding it is made from")
    return wish


def _trial(finding: Finding, extraction: Extraction, kind: str) -> Wish:
    """A rule of this kind with something in every place, to see whether the kind is possible."""
    value = "0" * 64 if kind == "template" or (kind == "value" and _value(finding, extraction)) else ""
    sender = extraction.envelope.sender
    domain = domain_of(sender.email) if sender else ""
    return Wish(kind, finding.rule, finding.category.value, digest=value, pattern="AB###",
                domain="" if domain in FREEMAIL else domain)


def _findings(tools: Tools, extraction: Extraction) -> list[Finding]:
    """What counts, strongest first; the order is the same every time."""
    found = [f for f in tools.scanner.scan(extraction).findings if not f.exempt and f.rule != "sentence"]
    return sorted(found, key=lambda f: (-f.score, f.part, f.block, f.start, f.rule))


def content_of(tools: Tools, number: str) -> Extraction:
    """The text of a case for the scanner: what is held, else what was linked. Raises `ContentDestroyed`."""
    from capture.stored import read_stored

    with tools.database.reading() as session:
        case = cases.get(session, number)
        kept = quarantine.blobs(session, case_id=case.id, kind="extraction")
        mails = quarantine.blobs(session, case_id=case.id, kind="mail")
        if kept:
            return wire.from_bytes(quarantine.read(session, tools.keys, kept[-1].id))
        raw = quarantine.read(session, tools.keys, mails[-1].id) if mails else b""
        linked = next((c.activity for c in cases.trackers(session, case) if c.activity), "")
    if raw:
        return tools.extractor.extract(raw)
    if case.state != CaseState.RELEASED or not linked:
        raise ContentDestroyed(f"case {case.number}")
    item = tools.crm.read(linked)
    if item.stub:
        raise ContentDestroyed(f"case {case.number}")
    return read_stored(item, tools.extractor, tools.settings.extract)


def propose(settings: Settings, number: str, finding: int, kind: str, *, actor: str, pattern: str = "",
            division: str = "", reason: str = "false-positive", days: int = 0) -> dict[str, Any]:
    """Propose a rule for a finding of a released case, as a registered person."""
    with assembled(settings) as tools:
        with tools.database.reading() as session:
            about = case_thing(session, tools, number)
            person = required(session, actor, Action.RULE_PROPOSE, about)
            scope = scope_of(person, division, about)
        wish = wish_for(tools, number, finding, kind, pattern=pattern, division=scope, reason=reason,
                        days=days or settings.accountability.allow_days)
        with tools.database.session() as session:
            row = propose_for(session, wish, actor=person.id)
            return allow.as_row(row)


def propose_for(session: Any, wish: Wish, *, actor: str) -> AllowRule:
    """Propose a rule out of a case, which a reviewer released. Raises `AllowRefused` for another case."""
    case = cases.get(session, wish.number)
    if not released(session, case):
        raise AllowRefused("a rule is proposed from a case that a reviewer released as a false positive")
    return allow.propose(session, wish, actor=actor)


def released(session: Any, case: Case) -> bool:
    """Whether a reviewer released the case as it is, or decided to a moment ago."""
    return allow.ruled(session, case) == "release"


def propose_directory(settings: Settings, file: Path, *, rule: str, category: str, actor: str, reason: str,
                      days: int = 0) -> dict[str, Any]:
    """Propose a directory: a text file with one number, address or mailbox a line. The entries are not kept."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInput(f"{file}: {type(exc).__name__}") from None
    with opened(settings) as (database, keys), database.session() as session:
        person = required(session, actor, Action.RULE_PROPOSE, Thing())
        hashes = frozenset(value_digest(keys, line) for line in lines if line.strip())
        row = allow.propose(session, Wish(
            "directory", rule, category, entries=hashes, reason=reason,
            days=days or settings.accountability.allow_days), actor=person.id)
        return allow.as_row(row)


def approve(settings: Settings, rule_id: str, *, actor: str) -> dict[str, Any]:
    """Put a rule in force, as a registered person other than its author."""
    with opened(settings) as (database, _), database.session() as session:
        row = allow.get(session, rule_id)
        person = required(session, actor, Action.RULE_APPROVE, rule_thing(row))
        return allow.as_row(allow.approve(session, row.id, actor=person.id))


def withdraw(settings: Settings, rule_id: str, *, actor: str, reason: str) -> dict[str, Any]:
    """End a rule: its author's division's reviewers, and whoever approves rules, may."""
    with opened(settings) as (database, _), database.session() as session:
        row = allow.get(session, rule_id)
        person = required(session, actor, Action.RULE_PROPOSE, Thing(row.division))
        return allow.as_row(allow.withdraw(session, row.id, actor=person.id, reason=reason))


def listed(settings: Settings, *, everything: bool = False, actor: str = "") -> list[dict[str, Any]]:
    """Every rule in force or proposed; with `everything` also those that ended."""
    with opened(settings) as (database, _), database.session() as session:
        who = acting(session, actor, Action.POLICY_READ)
        rows = [allow.as_row(row) for row in allow.listed(session, everything=everything)]
        audit.append(session, "policy:allow:listed", actor=who, body={"rules": len(rows)})
        return rows


def rule_thing(row: AllowRule) -> Thing:
    """A rule as something to be approved: not by the one who proposed it."""
    return Thing(row.division, before=frozenset({row.proposed_by}))


def case_thing(session: Any, tools: Tools, number: str) -> Thing:
    """A case as something a rule is proposed from: it belongs to the division of the one who tracked it first."""
    case = cases.get(session, number)
    row = session.get(DeskCase, case.id)
    if row is not None and row.division:
        return Thing(row.division, row.tagger)
    first = next(iter(cases.trackers(session, case)), None)
    domain = tools.settings.mailbox.domain
    return Thing(people.home_division(session, address(first.mailbox, domain)) if first else "")


def scope_of(person: Any, division: str, about: Thing) -> str:
    """The scope of a proposal: a division of the person's, or the organisation (""), which needs reach over all."""
    everywhere = reach(person, Action.RULE_PROPOSE) is Scope.ALL
    if division == "organisation":
        if not everywhere:
            raise AllowRefused("a rule for the whole organisation is proposed by somebody who answers for all of it")
        return ""
    chosen = division or about.division
    if not chosen or (not everywhere and chosen not in person.divisions):
        raise AllowRefused("name the division the rule is for")
    return chosen


# ----------------------------------------------------------------------------------------------- back-test

def backtest(settings: Settings, rule_id: str, *, actor: str = "",
             advance: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """What a rule would have let pass of what is still stored of the past `allow_back_days` days.

    Looked at are the cases whose content is still there. `confirmed` counts those a reviewer confirmed, or escalated,
    and that would have passed: with one of them the rule is not approved. `gone` counts cases whose content is
    destroyed: nothing can be said about them.
    """
    with assembled(settings) as tools:
        with tools.database.reading() as session:
            who = acting(session, actor, Action.POLICY_READ)
        return tried(tools, rule_id, actor=who, advance=advance)


def tried(tools: Tools, rule_id: str, *, actor: str, advance: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """As `backtest`, with tools at hand."""
    days = tools.settings.accountability.allow_back_days
    with tools.database.reading() as session:
        row = allow.get(session, rule_id)
        rule, division = allow.applied(session, row), row.division
    passed: list[str] = []
    confirmed: list[str] = []
    looked = gone = 0
    for case in _cases(tools.database, days):
        if division and _division_of_case(tools, case) != division:
            continue
        try:
            extraction = content_of(tools, case.number)
        except ContentDestroyed:
            gone += 1
            continue
        looked += 1
        advance()
        if _lets_pass(tools, rule, division, extraction):
            passed.append(case.number)
            if is_confirmed(tools.database, case):
                confirmed.append(case.number)
    result = {"looked_at": looked, "gone": gone, "days": days, "would_pass": len(passed),
              "confirmed": len(confirmed), "cases": passed[:200], "confirmed_cases": confirmed[:200]}
    with tools.database.session() as session:
        allow.note_test(session, row.id, result, actor=actor)
    return {"rule": row.id, **result, "red": bool(confirmed)}


def _lets_pass(tools: Tools, rule: Allowed, division: str, extraction: Extraction) -> bool:
    """Whether an item is held by the rules of today and would pass with this one."""
    with tools.database.reading() as session:
        rules = tuple(r for r in allow.in_force(session, division) if r.id != rule.id)
    verdicts = [scanner.decide(scanner.scan(extraction), extraction).link for scanner in (
        AllowingScanner(tools.scanner, tools.keys, rules), AllowingScanner(tools.scanner, tools.keys, (*rules, rule)))]
    return verdicts == [False, True]


def _cases(database: Database, days: int) -> Iterator[Case]:
    """The cases of the last days whose content may still be there, page by page."""
    after = 0
    while True:
        with database.reading() as session:
            page = allow.cases_since(session, now() - timedelta(days=days), after=after, limit=PAGE)
        if not page:
            return
        yield from page
        after = page[-1].id or 0


def _division_of_case(tools: Tools, case: Case) -> str:
    with tools.database.reading() as session:
        return case_thing(session, tools, case.number).division


def is_confirmed(database: Database, case: Case) -> bool:
    """Whether a reviewer said that a case is personal information: confirmed, redacted or escalated."""
    with database.reading() as session:
        return allow.ruled(session, case) in ("delete", "escalate", "redact")
