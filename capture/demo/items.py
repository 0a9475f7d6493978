"""The demo mailboxes: which mails there are, what each of them shows, and what should become of it.

`build_mailboxes` writes them as `root/<user>/<folder>/<file>.eml`, the layout the `folder` mailbox reads.
An item is tracked by the category `Track in CRM` (header `Keywords`) or by lying in a folder of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path, PurePosixPath
from typing import Literal

from capture.demo import business, personal
from capture.demo.compose import as_bytes

TRACK = "Track in CRM"

CRM_FILE = Path(__file__).with_name("crm.csv")
"""Organisations and contacts of the demo, for `mailweir crm import`."""

Outcome = Literal["linked", "held", "untouched"]


@dataclass(frozen=True, slots=True)
class DemoItem:
    """One mail: its `file` below the root, the `story` it tells, its expected `outcome`, its maker."""

    file: str
    story: str
    outcome: Outcome
    mail: Callable[[], EmailMessage]

    @property
    def raw(self) -> bytes:
        """The bytes on disk; the tag is in the header unless the folder already says it."""
        mail = self.mail()
        if self.outcome != "untouched" and TRACK not in PurePosixPath(self.file).parts:
            mail["Keywords"] = TRACK
        return as_bytes(mail)


ITEMS: tuple[DemoItem, ...] = (
    DemoItem("dana.reid/Inbox/02-newsletter.eml", "newsletter in HTML", "linked", business.newsletter),
    DemoItem("dana.reid/Sent/04-quote.eml", "quote to a client", "linked", business.quote),
    DemoItem("dana.reid/Sent/05-proposal.eml", "proposal to a client", "linked", business.proposal),
    DemoItem("dana.reid/Inbox/06-availability.eml", "social insurance number in a signature", "held",
             personal.sin_in_signature),
    DemoItem("dana.reid/Projects/Fraserview/09-agreement.eml", "signed contract (docx)", "linked",
             business.signed_agreement),
    DemoItem("dana.reid/Track in CRM/11-invoice.eml", "invoice (pdf)", "linked", business.invoice),
    DemoItem("dana.reid/Track in CRM/12-invitation.eml", "calendar invitation (ics)", "linked",
             business.invitation),
    DemoItem("dana.reid/Inbox/18-letter.eml", "scanned letter (pdf without text)", "held",
             personal.scanned_letter),
    DemoItem("dana.reid/Inbox/19-lunch.eml", "not tracked", "untouched", personal.lunch),
    DemoItem("dana.reid/Projects/Fraserview/20-room-thread.eml", "long thread, a loss in the quoted part",
             "held", personal.long_thread),
    DemoItem("dana.reid/Projects/Fraserview/20-participants.eml", "roster with birth dates (xlsx)", "held",
             personal.roster_xlsx),
    DemoItem("marcus.lee/Track in CRM/04-quote.eml", "the same quote, tracked by a second person", "linked",
             business.quote),
    DemoItem("marcus.lee/Sent/13-form.eml", "blank registration form (docx)", "linked", business.blank_form),
    DemoItem("marcus.lee/Inbox/16-keys.eml", "mail without a Message-ID", "linked", business.no_message_id),
    DemoItem("marcus.lee/Inbox/16-note.eml", "doctor's note (docx)", "held", personal.doctors_note),
    DemoItem("marcus.lee/Inbox/19-trainer.eml", "one sentence about an illness", "held",
             personal.health_sentence),
    DemoItem("marcus.lee/Inbox/20-saturday.eml", "not tracked", "untouched", personal.family_note),
    DemoItem("marcus.lee/Track in CRM/23-crew.eml", "roster with birth dates (csv)", "held",
             personal.roster_csv),
    DemoItem("marcus.lee/Track in CRM/24-archive.eml", "archive with a password (zip)", "held",
             personal.locked_zip),
    DemoItem("marcus.lee/Inbox/24-forward.eml", "record check in a nested mail", "held",
             personal.nested_forward),
    DemoItem("priya.nair/Inbox/10-soumission.eml", "request for a price, in French", "linked",
             business.french_quote),
    DemoItem("priya.nair/Track in CRM/17-forklift.eml", "company the CRM does not know", "linked",
             business.unknown_company),
    DemoItem("priya.nair/Track in CRM/18-room.eml", "new person at a known organisation", "linked",
             business.new_person),
    DemoItem("priya.nair/Sent/19-confirmed.eml", "dates and instructors", "linked", business.schedule),
    DemoItem("priya.nair/Projects/Cedarline/20-library.eml", "password of a portal", "held",
             personal.portal_password),
    DemoItem("priya.nair/Sent/20-minutes.eml", "not tracked", "untouched", personal.draft_minutes),
    DemoItem("priya.nair/Inbox/23-seance.eml", "reason of a sick leave, in French", "held",
             personal.french_sick_leave),
    DemoItem("priya.nair/Inbox/24-application.eml", "not tracked", "untouched", personal.application),
    DemoItem("priya.nair/Inbox/25-placement.eml", "a student's work permit", "held", personal.study_permit),
)

EXPECTED: dict[str, Outcome] = {item.file: item.outcome for item in ITEMS if item.outcome != "untouched"}
"""Item file -> "linked" or "held", for every tracked item."""

UNTOUCHED: frozenset[str] = frozenset(item.file for item in ITEMS if item.outcome == "untouched")
"""Files nobody tracked: they must be on disk afterwards byte for byte as they were."""


def build_mailboxes(root: Path) -> None:
    """Write every item below `root`, which is made if need be. The same bytes every time.

    Raises `OSError` when a file cannot be written.
    """
    for item in ITEMS:
        path = root / item.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.raw)
