"""What one sighting of an item means: a pure function of what is seen and what the ledger knows.

    on the item                         the ledger's newest capture of it               then
    tag                                 none, or it ended gone or cancelled             bring it
    tag                                 unfinished, "pending" was shown before          bring it again when that is done
    tag                                 done, and its state was shown before            bring it: a new generation
    in a trigger folder, no state       none, or it ended gone or cancelled             bring it
    state "pending"                     it ended gone: our own write took the tag off   bring it
    no tag, no state                    nobody picked it up yet                         cancel it
    no tag, no state, stamp "linked"    linked, and shown as linked                     somebody asks to untrack it
    anything else                                                                       nothing: our own write, a copy

A page of changes may be older than what was done meanwhile, so only what was asked for after the ledger's last word
counts (`asked`), and a trusted stamp of an earlier state says that the page is old. A stamp is trusted when the
capture it names is the newest of this very item: copies carry stamps too.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from capture.mailbox import states
from capture.ports import Folder, Sighting
from store.ledger import DONE
from store.tables import Capture, CaptureState


class Act(StrEnum):
    """What is to be done about a sighting."""

    NOTHING = "nothing"
    BRING = "bring"
    AGAIN = "again"      # once the capture underway is done
    CANCEL = "cancel"
    UNTRACK = "untrack"


def is_trigger(folder: Folder, record: str, trigger: str) -> bool:
    """Whether whatever lies in this folder is tracked: it, or one above it, is named like the trigger category, or
    it is bound to a CRM record."""
    return bool(record) or trigger.casefold() in (part.strip().casefold() for part in folder.path.split("/"))


def judge(sighting: Sighting, latest: Capture | None, *, in_trigger: bool, asked: datetime) -> Act:
    """What this sighting asks for. `asked`: the moment before the server was asked, by the database's clock."""
    if sighting.removed or sighting.draft:
        return Act.NOTHING
    asks = sighting.tagged or (in_trigger and not sighting.state)
    if latest is None:
        return Act.BRING if asks else Act.NOTHING
    if _is_old(sighting, latest, asked):
        return Act.NOTHING
    if latest.outcome in ("gone", "cancel"):
        back = latest.outcome == "gone" and sighting.state == states.PENDING
        return Act.BRING if asks or back else Act.NOTHING
    if latest.state not in DONE:
        return _while_underway(sighting, latest, asks=asks)
    if sighting.tagged:
        return Act.BRING if latest.shown else Act.NOTHING  # never shown: the tag may be the old one
    taken_off = not sighting.state and latest.outcome == "link" and latest.shown == states.LINKED
    return Act.UNTRACK if taken_off and _trusted(sighting, latest) else Act.NOTHING


def _while_underway(sighting: Sighting, latest: Capture, *, asks: bool) -> Act:
    if sighting.tagged and latest.shown:
        return Act.AGAIN
    waits = latest.state == CaptureState.CLAIMED and not latest.attempts and latest.trigger != "request"
    return Act.CANCEL if waits and not asks and not sighting.state else Act.NOTHING


def _is_old(sighting: Sighting, latest: Capture, asked: datetime) -> bool:
    """Whether the item looked like this before the ledger's last word on it. Our stamp tells best; without one the
    times do."""
    if sighting.stamp is not None and _trusted(sighting, latest) and latest.shown:
        return sighting.stamp.state == states.PENDING != latest.shown
    words = (latest.created, latest.shown_at or latest.created, latest.finished or latest.created)
    return asked <= max(words)


def _trusted(sighting: Sighting, latest: Capture) -> bool:
    return sighting.stamp is not None and sighting.stamp.capture == latest.id
