"""The words of notices: kinds, counts, places, the case number and what to do. Never a value, never the
subject line, never a file name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pii_scan.findings import Decision

KIND_WORDS = {
    "government_id": "government or health number",
    "date_of_birth": "date of birth",
    "health": "health information",
    "criminal_record": "criminal record",
    "financial_account": "personal bank, card or tax details",
    "home_contact": "home address, home phone or private e-mail",
    "family_private_life": "family or private life",
    "employment_hr": "personnel matter",
    "education_record": "education record",
    "race_religion_politics": "origin, belief or politics of a person",
    "immigration": "immigration status",
    "credentials": "password or PIN",
    "minor": "information about a child",
}

UNREAD_WORDS = {
    "encrypted": "is password-protected or encrypted",
    "rights_managed": "is protected by rights management",
    "needs_ocr": "is a picture or a scan, which cannot be read as text",
    "corrupt": "is damaged",
    "too_large": "is too large",
    "too_deep": "is nested too deeply",
    "ratio": "expands to far more than its size",
    "timeout": "took too long to read",
    "memory": "needs too much memory to read",
    "crashed": "made the reader stop",
    "unknown_type": "is of an unknown type",
    "unsupported": "is of a type that cannot be read yet",
    "external_entity": "refers to outside content in a way that is not allowed",
    "no_text": "holds no readable text",
    "not_fetched": "could not be fetched from the mailbox",
}

SYSTEM_WORDS = "could not be examined because of a technical fault"


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice ready to send."""

    subject: str
    text: str


def reasons(decision: Decision) -> list[str]:
    """One line per place and kind, then one per unread part."""
    counts: Counter[tuple[str, str]] = Counter()
    for f in decision.findings:
        if not f.exempt:
            counts[f.place, f.category.value] += f.count
    lines = [f"{place}: {KIND_WORDS[kind]} ({count})" for (place, kind), count in counts.items()]
    lines += [f"{u.place}: {UNREAD_WORDS.get(u.code, SYSTEM_WORDS)} ({u.code})" for u in decision.unread]
    return lines or ["the wording as a whole: it may say something personal about somebody"]


def held_notice(case: str, decision: Decision, *, sent: str, contact: str, joined: bool = False) -> NoticeText:
    """Tell the tracker that the item is held. `sent` is the mail's date (UTC ISO 8601 or "")."""
    which = f"The e-mail of {sent[:16].replace('T', ' ')} UTC that you tagged" if sent else "The e-mail you tagged"
    lines = [
        f"{which} was not linked to the CRM. It is held, encrypted, for privacy review.",
        "",
        f"Case: {case}" + (" (opened by somebody else who tagged the same e-mail)" if joined else ""),
        "Why:",
        *(f"  - {line}" for line in reasons(decision)),
        "",
        "What you can do:",
        *(f"  - {line}" for line in _advice(decision)),
        f"  - If you think this is wrong, tell {contact} the case number. A reviewer looks at it.",
        "",
        "Please do not repeat the information itself in a reply.",
    ]
    return NoticeText(f"Held for privacy review: case {case}", "\n".join(lines) + "\n")


def linked_notice(*, sent: str, records: int) -> NoticeText:
    """Tell the tracker that the item is in the CRM."""
    which = f"The e-mail of {sent[:16].replace('T', ' ')} UTC" if sent else "The e-mail you tagged"
    return NoticeText("Linked to the CRM", f"{which} was linked to {records} CRM record{'s' * (records != 1)}.\n")


def _advice(decision: Decision) -> Sequence[str]:
    advice: list[str] = []
    if any(f.place.startswith("attachment") and not f.exempt for f in decision.findings):
        advice.append("Keep the attachment in the system it belongs to, remove it from the e-mail, and tag again.")
    elif any(not f.exempt for f in decision.findings):
        advice.append("Take the personal part out of the text and tag the e-mail again.")
    codes = {u.code for u in decision.unread}
    if "encrypted" in codes:
        advice.append("Remove the password from the attachment and tag the e-mail again.")
    if codes & {"needs_ocr", "no_text"}:
        advice.append("Ask the sender for a version with text, or leave the picture out.")
    if codes - {"encrypted", "needs_ocr", "no_text"}:
        advice.append("Leave the unreadable part out and tag the e-mail again.")
    return advice or ["Nothing: a reviewer decides."]
