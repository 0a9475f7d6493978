"""Who may do what. The function is pure, so every role meets every action, thing and state of an account."""

from __future__ import annotations

from itertools import combinations, product

import pytest
import roles_page

from store import firewall
from store.access import (
    ALLOWED,
    ANOTHER_THAN,
    APART,
    EVERYBODY,
    FIREWALLED,
    FRESH,
    GRANTS,
    LISTS,
    NAMED,
    NEVER,
    NOT_ONES_OWN,
    REFUSALS,
    Action,
    Person,
    Role,
    Scope,
    Thing,
    clash,
    hidden,
    may,
    reach,
)

NORTH, SOUTH = "north", "south"
DESK = [a for a in Action if a.startswith(("case:", "queue:")) and a is not Action.CASE_REPORT]


def person(*roles: Role, id: str = "p1", division: str = NORTH, fresh: bool = True, **more: bool) -> Person:
    return Person(id, frozenset(roles), frozenset({division}), frozenset({f"{id}@example.org"}), fresh=fresh, **more)


def thing(division: str = NORTH, owner: str = "other", **more: frozenset[str]) -> Thing:
    return Thing(division, owner, **more)


def expected(role: Role, action: Action, about: Thing | None) -> bool:
    """What the table says, worked out in another way than `may` does: by listing what has to hold."""
    scope = GRANTS[role].get(action)
    if scope is None or action in NEVER.get(role, ()):
        return False
    if about is None:
        return action in LISTS or (scope is Scope.ALL and action not in NAMED)
    mine = about.owner == "p1"
    inside = {Scope.OWN: mine, Scope.DIVISION: mine or about.division == NORTH, Scope.ALL: True}[scope]
    party = mine or "p1@example.org" in about.parties
    acted = mine or "p1" in about.before
    return inside and not (action in NOT_ONES_OWN and party) and not (action in ANOTHER_THAN and acted)


THINGS = [
    None, Thing(), thing(), thing(SOUTH), thing(""), thing(owner="p1"), thing(SOUTH, owner="p1"), thing(owner=""),
    thing(parties=frozenset({"p1@example.org", "x@client.example"})), thing(parties=frozenset({"x@client.example"})),
    thing(before=frozenset({"p1"})), thing(before=frozenset({"p2"})),
]


@pytest.mark.parametrize("role", Role)
def test_every_role_with_every_action_on_every_thing(role: Role) -> None:
    for action, about in product(Action, THINGS):
        answer = may(person(role), action, about)
        assert bool(answer) == expected(role, action, about), (action, about)
        assert (answer.code in REFUSALS) or answer == ALLOWED


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("state", "code"), [("active", "account-inactive"), ("bound", "rules-unsigned")])
def test_an_account_that_is_not_in_order_does_nothing_but_what_puts_it_in_order(
        role: Role, state: str, code: str) -> None:
    who = person(role, **{state: False})
    for action, about in product(Action, THINGS):
        answer = may(who, action, about)
        if answer:
            assert state == "bound"
            assert action in (Action.SELF_READ, Action.RULES_SIGN)
        elif may(person(role), action, about):
            assert answer.code == code


def test_expired_training_stops_tracking_and_nothing_else() -> None:
    own = thing(owner="p1")
    assert may(person(Role.STAFF), Action.ITEM_TRACK, own)
    assert may(person(Role.STAFF, trained=False), Action.ITEM_TRACK, own).code == "training-expired"
    assert may(person(Role.STAFF, trained=False), Action.ITEM_WITHDRAW, own)


@pytest.mark.parametrize("action", sorted(FRESH))
def test_reveal_and_export_need_a_sign_in_of_the_last_minutes(action: Action) -> None:
    allowed = [role for role in Role if may(person(role), action, thing())]
    assert allowed
    for role in allowed:
        assert may(person(role, fresh=False), action, thing()).code == "sign-in-again"


@pytest.mark.parametrize("other", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_an_administrator_never_reveals_or_decides_whatever_else_they_are(other: Role) -> None:
    who = person(Role.ADMINISTRATOR, other)
    for action in DESK:
        assert may(who, action, thing()).code in ("separation", "role")


NO_AUDITOR = [role for role in Role if role is not Role.AUDITOR]


@pytest.mark.parametrize("others", [c for n in (1, 2) for c in combinations(NO_AUDITOR, n)],
                         ids=lambda c: "+".join(sorted(c)))
def test_an_auditor_changes_nothing_and_opens_nothing_whatever_else_they_are(others: tuple[Role, ...]) -> None:
    reading = {Action.SELF_READ, Action.RULES_SIGN, Action.AUDIT_READ, Action.AUDIT_VERIFY, Action.AUDIT_SIGN,
               Action.REPORT_READ, Action.POLICY_READ, Action.USER_LIST, Action.INCIDENT_READ}
    who = person(Role.AUDITOR, *others)
    assert {a for a in Action for about in THINGS if may(who, a, about)} <= reading


def test_only_administrators_export_and_only_auditors_read_and_sign_the_audit() -> None:
    def allowed(action: Action) -> set[Role]:
        return {role for role in Role for about in THINGS if may(person(role), action, about)}

    assert allowed(Action.RECORD_EXPORT) == {Role.ADMINISTRATOR}
    assert allowed(Action.AUDIT_READ) == allowed(Action.AUDIT_SIGN) == {Role.AUDITOR}
    assert allowed(Action.CASE_REVEAL) == {Role.REVIEWER, Role.PRIVACY_OFFICER}
    assert allowed(Action.RULE_APPROVE) == {Role.PRIVACY_OFFICER}
    assert {r for a in DESK for r in allowed(a)} == {Role.REVIEWER, Role.PRIVACY_OFFICER}


@pytest.mark.parametrize("action", sorted(NOT_ONES_OWN))
@pytest.mark.parametrize("role", [Role.REVIEWER, Role.PRIVACY_OFFICER])
@pytest.mark.parametrize("mine", [
    pytest.param(thing(owner="p1"), id="tracked"),
    pytest.param(thing(parties=frozenset({"p1@example.org"})), id="sent or received"),
])
def test_nobody_reviews_their_own_mail(action: Action, role: Role, mine: Thing) -> None:
    assert not may(person(role), action, mine)
    if action in GRANTS[role] and action not in NEVER.get(role, ()):
        assert may(person(role), action, mine).code == "own-mail"


@pytest.mark.parametrize("action", sorted(ANOTHER_THAN))
def test_the_second_person_is_another(action: Action) -> None:
    for role in Role:
        if may(person(role), action, thing()):
            assert may(person(role), action, thing(before=frozenset({"p1", "p2"}))).code == "same-person"
            assert may(person(role), action, thing(before=frozenset({"p2"})))


def test_something_of_no_division_is_within_nobodys_division() -> None:
    assert may(person(Role.REVIEWER, division=""), Action.CASE_READ, thing("")).code == "other-division"
    assert may(person(Role.PRIVACY_OFFICER), Action.CASE_READ, thing(""))


def test_without_naming_a_case_nobody_reveals_it() -> None:
    for role in Role:
        assert not may(person(role), Action.CASE_REVEAL)
    assert may(person(Role.PRIVACY_OFFICER), Action.CASE_REVEAL).code == "nothing-named"


def test_two_roles_reach_as_far_as_the_wider_unless_one_forbids_it() -> None:
    assert reach(person(Role.STAFF, Role.PRIVACY_OFFICER), Action.CASE_READ) is Scope.ALL
    assert reach(person(Role.REVIEWER, Role.PRIVACY_OFFICER), Action.CASE_READ) is Scope.ALL
    assert reach(person(Role.OPERATOR, Role.STAFF), Action.RECORD_READ) is None
    assert may(person(Role.OPERATOR, Role.STAFF), Action.RECORD_READ, thing()).code == "separation"


def test_without_a_role_one_sees_ones_own_account_and_nothing_else() -> None:
    assert {a for a in Action for about in THINGS if may(person(), a, about)} == set(EVERYBODY)
    assert not may(person(active=False), Action.SELF_READ)


def test_roles_that_may_not_meet() -> None:
    for pair in APART:
        assert clash(pair) == pair
        assert clash(pair | {Role.STAFF})
    for role in Role:
        assert not clash(frozenset({role}))
    assert clash(frozenset({Role.ADMINISTRATOR, Role.REVIEWER}))
    assert not clash(frozenset({Role.STAFF, Role.REVIEWER, Role.PRIVACY_OFFICER}))


def test_a_grant_that_is_forbidden_at_once_is_not_in_the_table() -> None:
    assert [(role, action) for role in Role for action in GRANTS[role] if action in NEVER.get(role, ())] == []


CONTACT = {"name": "A", "title": "B", "email": "c", "phone": "d", "organisation": "E", "fax": "f"}


@pytest.mark.parametrize(("who", "division", "seen"), [
    pytest.param(person(Role.STAFF), NORTH, True, id="own division"),
    pytest.param(person(Role.STAFF), SOUTH, False, id="another division"),
    pytest.param(person(Role.STAFF), "", False, id="no division"),
    pytest.param(person(Role.ADMINISTRATOR), NORTH, False, id="an administrator of the same division"),
    pytest.param(person(Role.OPERATOR, Role.STAFF), NORTH, False, id="an operator"),
    pytest.param(person(Role.STAFF, bound=False), NORTH, False, id="rules not signed"),
    pytest.param(person(Role.STAFF, active=False), NORTH, False, id="inactive"),
])
def test_how_to_reach_a_person_stays_within_the_division(who: Person, division: str, seen: bool) -> None:
    [shown] = firewall.listed("contacts", [CONTACT | {"division": division}], who)
    assert list(shown) == [*CONTACT, "division"]
    assert {name: shown[name] for name in ("name", "title", "organisation")} == {
        "name": "A", "title": "B", "organisation": "E"}
    assert [shown["email"], shown["phone"], shown["fax"]] == (["c", "d", "f"] if seen else [None, None, None])
    assert hidden(who, "contact", division) == (frozenset() if seen else FIREWALLED["contact"])
    office = [{"email": "x", "division": division}]
    assert firewall.listed("organisations", office, who) == office


def test_the_page_for_operators_is_what_the_tables_say() -> None:
    assert roles_page.FILE.read_text(encoding="utf-8") == roles_page.render(), "run tests/support/roles_page.py"
