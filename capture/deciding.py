"""What follows a reviewer's act outside the store's tables: rulings take effect, the item shows its state.

    deciding.show(tools, number)          after a claim: the item shows `CRM: in review`, now or when that is possible
    deciding.redacted(tools, number, remove)          the redacted copy, scanned and clean -> `desk.propose`
    deciding.settle(tools)                called by the worker's loop, and by a request that finds a ruling due

A ruling takes effect in one transaction; what follows (the CRM, the mailbox, notices) is repeated until it is done,
so that a process may be killed at any moment.
"""

from __future__ import annotations

from collections.abc import Collection

from capture.settings import Settings
from capture.wiring import Tools
from store.database import Database
from store.desk import Redaction
from store.desk_types import Rules


def rules_of(settings: Settings) -> Rules:
    """The `[review]` settings as the store wants them."""
    raise NotImplementedError


def settle(tools: Tools, limit: int = 20) -> int:
    """Put rulings into effect whose undo window is over, and finish what follows; returns how many came further.

    Safe to call at any time and from several processes. Also: original content whose time is over is destroyed, the
    parties of cases from older versions are filled in, and those in charge are told of what is overdue.
    """
    raise NotImplementedError


def due(database: Database) -> bool:
    """Whether `settle` has something to do: a ruling that is due."""
    raise NotImplementedError


def take_effect(database: Database, limit: int = 20) -> int:
    """The part of `settle` that needs the database only: due rulings are in effect afterwards, so that pages show
    them; links and marks follow by the worker."""
    raise NotImplementedError


def show(tools: Tools, number: str) -> int:
    """Let every tagged item of a case show how it stands: held, or in review when it is claimed.

    Returns how many show it now; what cannot be shown is owed and tried again.
    """
    raise NotImplementedError


def owe_show(database: Database, number: str) -> int:
    """As `show`, without the mailboxes: the worker shows it at its next look. For a process that has no mailboxes."""
    raise NotImplementedError


def redacted(tools: Tools, number: str, remove: Collection[str]) -> Redaction:
    """The held item without what was chosen (`ref`s of `capture.masked`, or places of whole parts).

    Raises `NotClean` when what is left is not clean, with kinds and places; `NotFound`, `ContentDestroyed`.
    """
    raise NotImplementedError
