"""What the flow needs from the world, as protocols, and the small values passed between steps.

A backend need not import the protocol; its last line lets mypy agree: `_: type[Mailbox] = FolderMailbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pii_scan.findings import Decision, Report
from pii_scan.text import Envelope, Extraction

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ItemRef:
    """Where an item is: `mailbox` names the user's mailbox, `key` the item inside it (opaque, stable
    while the item is not moved). Both are ids; `key` may hold a path and is never logged."""

    mailbox: str
    key: str

    def __repr__(self) -> str:
        return "ItemRef(...)"


@dataclass(frozen=True, slots=True, repr=False)
class MailItem:
    """A fetched item: its reference and its raw RFC 822 bytes. Never logged."""

    ref: ItemRef
    raw: bytes

    def __repr__(self) -> str:
        return f"MailItem({len(self.raw)} bytes)"


class Step(Protocol):
    """How the flow runs one of its steps: directly, or durably with a checkpoint (`capture/engine.py`).

    Raises `StepFailed` with the reason code, whatever went wrong inside; `TryLater` is retried first.
    """

    def __call__(self, name: str, function: Callable[[], R]) -> R:
        """Run the step and return its result: ids, counts and codes, never text."""


class Mailbox(Protocol):
    """The mailboxes of an installation, as far as the flow cares.

    A backend fetches and marks; it never decides. Every method is safe to call twice.
    Raises `TryLater` when a later call may work, `ItemGone` when the item no longer exists,
    `Unreachable` when the mailboxes cannot be opened at all.
    """

    def tagged(self) -> Iterator[ItemRef]:
        """Yield the items users asked to track and that carry no state yet, oldest first."""

    def fetch(self, ref: ItemRef) -> MailItem:
        """Return the whole item, unchanged."""

    def mark(self, ref: ItemRef, state: str) -> None:
        """Show the user the state ("linked", "held"): take the tag off, put our category on."""


class Extractor(Protocol):
    """Turns the bytes of a mail or file into text, in a process of its own."""

    def extract(self, raw: bytes, *, name: str = "") -> Extraction:
        """Return everything that could be read, and what could not. Never raises for bad input."""

    def close(self) -> None:
        """Stop the child processes."""


class Scanner(Protocol):
    """Looks for personal information. `pii_scan.engine.Scanner` is the one we ship."""

    def scan(self, extraction: Extraction) -> Report:
        """Return the findings, without text. Raises `ScanError` when no verdict is possible."""

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        """Return what the policy pack makes of the findings and of what was not read."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What the CRM did: the activity's id and how it was matched ("contact", "organisation",
    "unmatched"), with the number of records linked."""

    activity: str
    matched: str
    records: int


class Crm(Protocol):
    """The CRM. Every write is an upsert by our own item key, so a repeated call is harmless."""

    def link(self, item_key: str, tracker: str, item: MailItem, envelope: Envelope,
             extraction: Extraction) -> Linked:
        """Write one activity for the item (or add the tracker to it) and link it to its records."""


class Notifier(Protocol):
    """Delivers a notice that lies in the outbox. At least once; `key` lets the receiver drop doubles."""

    def send(self, key: str, to: str, subject: str, text: str) -> None:
        """Deliver one notice. Raises `TryLater` when it may work later."""


