"""The desk as JSON, for programs of ours and for the script of the pages: the same functions, the same door.

Every request that changes or reveals something carries the header X-Form-Token: the session's token, which
`GET /api/me` gives. The document of it all is at /api/openapi.json, for people who are signed in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from addin import casework, words
from addin.case import MOST_REMARK
from addin.casework import REVEAL_SECONDS, Shown, at_desk
from capture.masked import BlockView, Masked, Run, TableView, Why
from capture.redaction import NotClean
from store.desk import BULK_MOST, Bulk, Outcome, QueueRow, RulingState, Tab
from store.desk import Ruling as StoredRuling
from store.tables import OPEN_CASE

CODE: Final = r"^[A-Za-z0-9_.:@=/+-]*$"
NUMBER: Final = r"^[Mm][Ww]-[0-9]{4}-[0-9]{6,9}$"
Code = Annotated[str, Query(max_length=128, pattern=CODE)]
Cursor = Annotated[str, Query(max_length=600, pattern=CODE)]
Number = Annotated[str, Path(pattern=NUMBER, max_length=20, description="Number of a case.")]
Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
Reason = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64, description="A code of /api/reasons.")]


class Body(BaseModel):
    """What is sent: unknown names are refused, so that nobody sets what is not theirs to set."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Me(BaseModel):
    """Who is signed in. `fresh`: the sign-in is minutes old, so revealing is possible."""

    id: str
    roles: list[str]
    divisions: list[str]
    fresh: bool
    form_token: str


class Risk(BaseModel):
    """score = weight x log2(1 + persons) x (1 + 0.5 x (elements per person - 1)) x exposure."""

    score: float
    band: str
    weight: float
    persons: int
    elements: int
    per_person: float
    exposure: int


class CaseLine(BaseModel):
    """One case as the queue shows it."""

    number: str
    state: str
    tab: str
    risk: Risk
    kinds: list[str]
    persons: int
    elements: int
    minors: int
    places: list[str]
    division: str
    opened: datetime
    due: datetime
    overdue: bool
    trackers: int
    claimed_by: str
    unreadable: bool
    awaiting_second: bool
    reason: str
    policy: str


class QueueAnswer(BaseModel):
    """A page of the queue. `next` goes into `after`; "" at the end."""

    cases: list[CaseLine]
    next: str
    counts: dict[str, int]
    overdue: int


class WhyLine(BaseModel):
    """Why something is hidden, in words and codes."""

    category: str
    rule: str
    sentence: str
    score: float
    count: int
    exempt: str
    exempt_sentence: str


class RunLine(BaseModel):
    """Words that may be shown, or, with a `ref`, something hidden and what it looks like."""

    text: str
    ref: str = ""
    counts: bool = False
    exempt: str = ""
    why: list[WhyLine] = []


class RowLine(BaseModel):
    """A row of a table."""

    number: int
    ref: str
    cells: list[list[RunLine]]


class BlockLine(BaseModel):
    """A paragraph (`runs`) or a table (`rows`)."""

    ref: str
    label: str
    where: str
    quoted: bool
    runs: list[RunLine] = []
    columns: list[str] = []
    rows: list[RowLine] = []


class PartLine(BaseModel):
    """A body, the headers or an attachment."""

    place: str
    kind: str
    ref: str
    status: str
    code: str
    size: int
    name: RunLine | None
    blocks: list[BlockLine]
    found: dict[str, int]
    exempted: dict[str, int]


class RulingLine(BaseModel):
    """What was decided. `effective_at` is null while a second person is needed."""

    id: str
    case: str
    outcome: Outcome
    reason: str
    state: RulingState
    by: str
    effective_at: datetime | None
    needs_second: bool
    why_second: str


class EventLine(BaseModel):
    """One line of the history."""

    at: datetime
    actor: str
    what: str
    code: str


class CaseAnswer(BaseModel):
    """A case with its masked text, from piece `offset` on. `next` is the offset of the next page."""

    case: CaseLine
    closed: bool
    ruling: RulingLine | None
    parts: list[PartLine]
    offset: int
    pieces: int
    next: int | None
    history: list[EventLine]


class Claim(Body):
    """Take a case on, or give it back."""

    claim: bool = True


class Decision(Body):
    """The reason for an outcome; for an escalation the kind of incident."""

    reason: Reason


class Escalating(Decision):
    """`suspend`: what those track who tracked this item is held, whatever is found, until the incident is closed."""

    suspend: bool = False


class Redacting(Decision):
    """What is removed: with `found` everything that was found, and the refs of the masked view in `remove`; one of
    them has to be given. An empty `remove` stands for nothing, never for everything."""

    found: bool = Field(default=False, description="Remove everything that was found.")
    remove: list[Ref] = Field(default=[], max_length=5000, description="Remove these refs of the masked view.")

    @model_validator(mode="after")
    def _something(self) -> Redacting:
        if not self.found and not self.remove:
            raise ValueError("nothing to remove: set found, or name refs in remove")
        return self


class SecondAnswer(Decision):
    """Whether the second person agrees. `batch`: the answer is for every case decided together with it."""

    agree: bool
    batch: bool = False


class Together(Decision):
    """Several cases of one family."""

    cases: list[Annotated[str, Field(pattern=NUMBER)]] = Field(min_length=1, max_length=BULK_MOST)


class BulkAnswer(BaseModel):
    """What became of each: rulings, and the cases left out with the code."""

    rulings: list[RulingLine]
    refused: dict[str, str]


class Revealing(Body):
    """What is to be shown, and why: a code of the list, and a few words, which are kept encrypted."""

    ref: Ref
    reason: Reason
    remark: str = Field(min_length=1, max_length=MOST_REMARK)


class Revealed(BaseModel):
    """What was hidden. Show it for `seconds`, and keep it nowhere."""

    ref: str
    value: str
    seconds: int


def document(request: Request) -> dict[str, Any]:
    """This API as an OpenAPI document."""
    made: dict[str, Any] = request.app.openapi()
    return made


def me(request: Request) -> Me:
    """Who you are, and the token that changes need."""
    visitor = request.state.visitor
    return Me(id=visitor.person.id, roles=sorted(visitor.person.roles), divisions=sorted(visitor.person.divisions),
              fresh=visitor.person.fresh, form_token=visitor.form_token)


def reasons() -> dict[str, dict[str, str]]:
    """The reasons to choose from: act -> code -> words."""
    return {act: dict(table) for act, table in words.REASONS.items()}


def queue(request: Request, tab: Tab = Tab.QUEUE, division: Code = "", kind: Code = "", reason: Code = "",
          policy: Code = "", tagger: Code = "", overdue: bool = False, after: Cursor = "",
          limit: Annotated[int, Query(ge=1, le=100)] = 50) -> QueueAnswer:
    """Open cases within your reach: the worst first, then the most overdue, then the oldest."""
    found = casework.queue(at_desk(request), tab=tab, division=division, kind=kind, reason=reason, policy=policy,
                           tagger=tagger, overdue=overdue, after=after, limit=limit).page
    return QueueAnswer(cases=[_line(row) for row in found.rows], next=found.next, counts=dict(found.counts),
                       overdue=found.overdue)


def case(request: Request, number: Number, offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0) -> CaseAnswer:
    """One case, masked."""
    return _case(casework.look(at_desk(request), number.upper(), offset=offset))


def claim(request: Request, number: Number, body: Claim) -> CaseLine:
    """Take a case on, or give it back."""
    return _line(casework.claim(at_desk(request), number.upper(), give_back=not body.claim))


def ruled(outcome: str) -> Callable[..., RulingLine]:
    """The endpoint that rules so."""
    def answer(request: Request, number: Number, body: Decision) -> RulingLine:
        return _ruling(casework.rule(at_desk(request), number.upper(), outcome, _reason(outcome, body.reason)))

    answer.__doc__ = f"{words.OUTCOMES[outcome]}. In effect after the undo window, or once a second person agreed."
    return answer


def escalate(request: Request, number: Number, body: Escalating) -> RulingLine:
    """Escalate. In effect after the undo window."""
    return _ruling(casework.rule(at_desk(request), number.upper(), "escalate", _reason("escalate", body.reason),
                                 suspend=body.suspend))


def redact(request: Request, number: Number, body: Redacting) -> RulingLine:
    """Release a redacted copy without what the body names. It has to be clean: 409 `not-clean` when it is not."""
    at, reason = at_desk(request), _reason("redact", body.reason)
    found = casework.picks(at, number.upper())[0] if body.found else frozenset()
    remove = found | frozenset(body.remove)
    try:
        return _ruling(casework.rule(at, number.upper(), "redact", reason, remove=remove))
    except NotClean:
        raise HTTPException(409, "not-clean") from None


def undo(request: Request, number: Number) -> RulingLine:
    """Take the ruling back that is not in effect yet."""
    return _ruling(casework.undo(at_desk(request), number.upper()))


def second(request: Request, number: Number, body: SecondAnswer) -> RulingLine:
    """The second person's answer."""
    reason = _reason("agree" if body.agree else "refuse", body.reason)
    return _ruling(casework.second(at_desk(request), number.upper(), body.agree, reason, batch=body.batch))


def ruled_all(outcome: str) -> Callable[..., BulkAnswer]:
    """The endpoint that rules so on several cases."""
    def answer(request: Request, number: Number, body: Together) -> BulkAnswer:  # noqa: ARG001 - the family's lead
        made: Bulk = casework.rule_all(at_desk(request), [n.upper() for n in body.cases], outcome,
                                       _reason(outcome, body.reason))
        return BulkAnswer(rulings=[_ruling(one) for one in made.rulings], refused=dict(made.refused))

    answer.__doc__ = f"{words.OUTCOMES[outcome]}, for several cases of one family at once."
    return answer


def reveal(request: Request, number: Number, body: Revealing) -> Revealed:
    """Show one hidden thing. Recorded first; needs a sign-in of the last minutes."""
    value = casework.reveal(at_desk(request), number.upper(), body.ref, reason=_reason("reveal", body.reason),
                            remark=body.remark)
    return Revealed(ref=body.ref, value=value, seconds=REVEAL_SECONDS)


# ------------------------------------------------------------------------------------------------ helpers

def _reason(act: str, code: str) -> str:
    if code not in words.REASONS[act]:
        raise HTTPException(422, "reason-missing")
    return code


def _line(row: QueueRow) -> CaseLine:
    risk = row.risk
    return CaseLine(
        number=row.number, state=row.state, tab=row.tab, kinds=list(row.kinds), persons=row.persons,
        elements=row.elements, minors=row.minors, places=list(row.places), division=row.division, opened=row.opened,
        due=row.due, overdue=row.overdue, trackers=row.trackers, claimed_by=row.claimed_by, unreadable=row.unreadable,
        awaiting_second=row.awaiting_second, reason=row.reason, policy=row.policy,
        risk=Risk(score=risk.score, band=risk.band, weight=risk.weight, persons=risk.persons, elements=risk.elements,
                  per_person=risk.per_person, exposure=risk.exposure))


def _ruling(ruling: StoredRuling) -> RulingLine:
    return RulingLine(id=ruling.id, case=ruling.case, outcome=ruling.outcome, reason=ruling.reason, state=ruling.state,
                      by=ruling.by, effective_at=ruling.effective_at, needs_second=ruling.needs_second,
                      why_second=ruling.why_second)


def _case(shown: Shown) -> CaseAnswer:
    view = shown.view
    parts = [PartLine(
        place=p.place, kind=p.kind, ref=p.ref, status=p.status, code=p.code, size=p.size,
        name=_run(p.name) if p.name else None, blocks=[_block(b) for b in p.blocks],
        found={str(k): n for k, n in p.found.items()}, exempted={str(k): n for k, n in p.exempted.items()})
        for p in (view.parts if view else ())]
    return CaseAnswer(
        case=_line(shown.row), closed=shown.case.state not in OPEN_CASE,
        ruling=_ruling(shown.ruling) if shown.ruling else None, parts=parts, offset=view.offset if view else 0,
        pieces=view.pieces if view else 0, next=view.next if view else None,
        history=[EventLine(at=e.at, actor=shown.names.get(e.actor, e.actor), what=e.what, code=e.code)
                 for e in shown.history])


def _block(block: BlockView) -> BlockLine:
    if isinstance(block, TableView):
        return BlockLine(ref=block.ref, label=block.label, where=block.where, quoted=block.quoted,
                         columns=list(block.columns), rows=[
                             RowLine(number=line.number, ref=line.ref,
                                     cells=[[_run(run) for run in cell] for cell in line.cells])
                             for line in block.rows])
    return BlockLine(ref=block.ref, label=block.label, where=block.where, quoted=block.quoted,
                     runs=[_run(run) for run in block.runs])


def _run(run: Run) -> RunLine:
    if isinstance(run, Masked):
        return RunLine(text=run.label, ref=run.ref, counts=run.counts, exempt=run.exempt,
                       why=[_why(why) for why in run.why])
    return RunLine(text=run.text)


def _why(why: Why) -> WhyLine:
    return WhyLine(category=why.category or "", rule=why.rule, sentence=why.sentence, score=why.score, count=why.count,
                   exempt=why.exempt, exempt_sentence=why.exempt_sentence)
