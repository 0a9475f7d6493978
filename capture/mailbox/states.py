"""The categories mailweir puts on an item, and how they are merged with its user's own.

| Category | state | means |
|---|---|---|
| `Track in CRM` (a setting) | - | the trigger: somebody asks to track the item |
| `CRM: pending` | pending | mailweir has picked it up |
| `CRM: linked` | linked | it is in the CRM; taking this category off asks to untrack it |
| `CRM: held` | held | held for privacy review |
| `CRM: in review` | in review | a reviewer works on it |
| `CRM: not tracked` | not tracked | refused: marked private or confidential; destroyed after a review; or untracked |

Only these names are ever added or removed. Outlook compares category names without regard to case, so do we.
"""

from __future__ import annotations

from collections.abc import Iterable

TRIGGER = "Track in CRM"
PREFIX = "CRM: "

PENDING, LINKED, HELD, IN_REVIEW, NOT_TRACKED = "pending", "linked", "held", "in review", "not tracked"
STATES = (PENDING, LINKED, HELD, IN_REVIEW, NOT_TRACKED)
"""Every state there is, in the order of an item's life."""

_BY_NAME = {(PREFIX + state).casefold(): state for state in STATES}


def category(state: str) -> str:
    """The category name of a state.

    >>> category("linked")
    'CRM: linked'
    """
    return PREFIX + state


def names(trigger: str = TRIGGER) -> tuple[str, ...]:
    """Every category name of ours, for a mailbox's master list."""
    return (trigger, *map(category, STATES))


def is_tagged(categories: Iterable[str], trigger: str = TRIGGER) -> bool:
    """True when the trigger category is among them."""
    return trigger.casefold() in {name.strip().casefold() for name in categories}


def state_of(categories: Iterable[str]) -> str:
    """The state these categories show; "" without one, the last in the item's life when there are several."""
    found = {_BY_NAME[folded] for name in categories if (folded := name.strip().casefold()) in _BY_NAME}
    return max(found, key=STATES.index, default="")


def merged(categories: Iterable[str], state: str, trigger: str = TRIGGER) -> list[str]:
    """The categories with the trigger and our states taken out and `state` put in ("" = none put in); the
    user's own stay, in their order.

    >>> merged(["Red", "Track in CRM", "CRM: pending"], "linked")
    ['Red', 'CRM: linked']
    """
    ours = {*_BY_NAME, trigger.casefold()}
    kept = [name for name in categories if name.strip().casefold() not in ours]
    return [*kept, category(state)] if state else kept
