"""The words of notices: kinds, counts, places, the case number and what to do. Never a value, never the
subject line, never a file name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


MAX_LINES = 20
"""Reasons listed in one notice; the rest are counted."""


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice ready to send."""

    subject: str
    text: str


def held_data(summary: Mapping[str, Any], *, case: str, sent: str, joined: bool) -> dict[str, Any]:
    """What the outbox keeps of a held item: the case, kinds, counts and places out of `store.summary`."""
    places: dict[tuple[str, str], int] = {}
    for finding in summary.get("findings", ()):
        key = (finding["place"], finding["kind"])
        places[key] = places.get(key, 0) + finding["count"]
    lines = [{"place": place, "kind": kind, "count": count} for (place, kind), count in places.items()]
    lines += [{"place": u["place"], "unread": u["code"]} for u in summary.get("unread", ())]
    return {"case": case, "sent": sent, "joined": joined, "lines": lines[:MAX_LINES],
            "more": max(0, len(lines) - MAX_LINES)}


def address(mailbox: str, domain: str) -> str:
    """Where the notices of a mailbox's user go; `domain` is for mailboxes that are named without one."""
    return mailbox if "@" in mailbox or not domain else f"{mailbox}@{domain}"


def render(template: str, data: Mapping[str, Any], *, contact: str) -> NoticeText:
    """The words of a notice. Raises `KeyError` for a template that is not here."""
    words = {"held": _held, "linked": _linked, "asked": _asked, "pulled": _pulled, "refused": _refused, "gone": _gone,
             "deleted": _deleted, "overdue": _overdue, "incident": _incident,
             "week-unsigned": _week_unsigned, "training": _training, "report-answered": _report_answered,
             "owner-asked": _owner_asked, "forget-asked": _forget_asked,
             "forget-overdue": _forget_overdue}
    return words[template](data, contact)


def _held(data: Mapping[str, Any], contact: str) -> NoticeText:
    lines = data["lines"]
    text = [
        f"{_which(data['sent'])} was not linked to the CRM. It is held, encrypted, for privacy review.",
        "",
        f"Case: {data['case']}" + (" (somebody else tagged the same e-mail before)" if data["joined"] else ""),
        "Why:",
        *(f"  - {_reason(line)}" for line in lines),
        *([f"  - and {data['more']} more places"] if data["more"] else []),
        *([] if lines else ["  - the wording as a whole: it may say something personal about somebody"]),
        "",
        "What you can do:",
        *(f"  - {line}" for line in _advice(lines)),
        f"  - If you think this is wrong, say so on your page `My items`, or tell {contact} the case number. "
        "A reviewer looks at it.",
        *(["", "Tip: personal information about clients and students belongs into the system made for it. What is "
           "meant for the CRM is who, what and when in business."] if data.get("tip") else []),
        "",
        "Please do not repeat the information itself in a reply.",
    ]
    return NoticeText(f"Held for privacy review: case {data['case']}", "\n".join(text) + "\n")


def _pulled(data: Mapping[str, Any], contact: str) -> NoticeText:
    what = "A record that you had tracked"
    if data.get("record"):
        what = f"What was typed into a record of the CRM that you answer for ({data['record']}), or its file,"
    text = [
        f"{what} was taken out of the CRM: looked at again, it holds what must not be there.",
        "It is held, encrypted, for privacy review. In the CRM a note stands in its place.",
        "",
        f"Case: {data['case']}",
        "Why:",
        *(f"  - {_reason(line)}" for line in data["lines"]),
        *([f"  - and {data['more']} more places"] if data["more"] else []),
        *([] if data["lines"] else ["  - the wording as a whole: it may say something personal about somebody"]),
        "",
        "What you can do:",
        "  - If you kept a copy outside the CRM, or passed one on, tell the same people; do not send it to them.",
        f"  - If you think this is wrong, tell {contact} the case number. A reviewer looks at it.",
        "",
        "Please do not repeat the information itself in a reply.",
    ]
    return NoticeText(f"Taken out of the CRM for privacy review: case {data['case']}", "\n".join(text) + "\n")


def _linked(data: Mapping[str, Any], _contact: str) -> NoticeText:
    records = data["records"]
    return NoticeText("Linked to the CRM", f"{_which(data['sent'])} was linked to {records} CRM "
                                           f"record{'' if records == 1 else 's'}.\n")


def _asked(data: Mapping[str, Any], _contact: str) -> NoticeText:
    asked = data["asked"]
    return NoticeText("Which record does it belong to?", (
        f"{_which(data['sent'])} is in the CRM. Only you can say which record it belongs to: "
        f"{'an address of it is' if asked == 1 else f'{asked} of its addresses are'} that of several.\n\n"
        "Choose in the pane in Outlook, or with `mailweir crm waiting` and `mailweir crm confirm`. "
        "Until then it is linked to none of them.\n"))


REFUSED_WORDS = {"private": "it is marked private or confidential"}


def _refused(data: Mapping[str, Any], contact: str) -> NoticeText:
    why = REFUSED_WORDS.get(data["reason"], "it may not be tracked")
    return NoticeText("Not tracked", (
        f"An item that you tagged was not tracked: {why}. Nothing of it was read or kept.\n\n"
        "If it belongs into the CRM, take the marking off and tag it again. "
        f"Questions: {contact}.\n"))


def _gone(_data: Mapping[str, Any], _contact: str) -> NoticeText:
    return NoticeText("Not found", (
        "An item that you asked to track was moved or deleted before it could be read. "
        "If it is still there, track it again where it is now.\n"))


def _week_unsigned(data: Mapping[str, Any], _contact: str) -> NoticeText:
    return NoticeText(f"Week {data['week']} is not signed", (
        f"The pack of week {data['week']} waits for an auditor's signature. It has {data['flags']} flags.\n\n"
        "Open the page `Weeks`, comment each flag and sign, or use `mailweir audit week`.\n"))


def _training(data: Mapping[str, Any], contact: str) -> NoticeText:
    return NoticeText("A short course is asked of you", (
        f"{data['holds']} of your items were held within {data['days']} days. Please take the course "
        f"{data['course']}; {contact} tells you how. Your manager sees how many people were asked, not who.\n"))


REPORT_ANSWERS = {
    "released": "you were right: it was released",
    "stays-held": "it stays held; look at the kinds and places in the notice",
    "redact": "it will be linked without the personal part",
    "resend": "please take the personal part out and track it again",
    "explained": "see the reviewer's words on your page",
}
"""What a reviewer answers to a user's report."""


def _report_answered(data: Mapping[str, Any], _contact: str) -> NoticeText:
    return NoticeText(f"Your report on case {data['case']} was answered", (
        f"A reviewer looked at case {data['case']} again: {REPORT_ANSWERS[data['answer']]}.\n"
        "Your page `My items` shows the answer.\n"))


def _deleted(data: Mapping[str, Any], contact: str) -> NoticeText:
    if data.get("record"):
        return NoticeText(f"Destroyed: case {data['case']}", (
            "A reviewer confirmed that what was taken out of a record of the CRM that you answer for "
            f"({data['record']}) does not belong there. mailweir has destroyed its copy.\n\n"
            f"Case: {data['case']}\n\nWhat you can do:\n"
            "  - Write what is needed for business into the record again, without the personal part.\n"
            f"  - Questions: {contact}.\n"))
    return NoticeText(f"Not tracked: case {data['case']}", (
        "A reviewer confirmed that an item you tagged holds personal information that does not belong into the CRM. "
        "mailweir has destroyed its copy; nothing of it reached the CRM.\n\n"
        f"Case: {data['case']}\n\nWhat you can do:\n"
        "  - Keep the e-mail only if your work needs it, in the system it belongs to; else delete it from your "
        "mailbox.\n"
        "  - If you passed it on, tell the same people; do not send it to them again.\n"
        f"  - Questions: {contact}.\n"))


def _owner_asked(data: Mapping[str, Any], _contact: str) -> NoticeText:
    return NoticeText("A colleague asks you about a record", (
        f"{data['by']} asks you about a record of the CRM ({data['kind']}) that you answer for.\n\n"
        "The question is on your page `CRM`, `Waiting`. Answer it there, and your colleague sees it.\n"))


def _forget_asked(data: Mapping[str, Any], _contact: str) -> NoticeText:
    return NoticeText("Somebody asked to be forgotten", (
        "A person in the CRM asked not to be in it any more "
        f"(by {data['medium'].replace('-', ' ')}, told to {data['by']}).\n\n"
        f"You answer for the record: look at it and purge it by {data['due']}. "
        "Your page `CRM`, `Waiting` leads to it.\n"))


def _forget_overdue(data: Mapping[str, Any], _contact: str) -> NoticeText:
    officer = ("Whoever answers for the record has not purged it; it was brought before you as privacy officer.\n"
               if data["told"] == "officer" else
               "You answer for the record: look at it and purge it. The privacy officer is told next.\n")
    return NoticeText("A request to be forgotten is overdue", (
        f"A person in the CRM asked {data['days']} days ago not to be in it any more; that was to be done by "
        f"{data['due']}.\n\n{officer}"
        "The page `CRM`, `Waiting` leads to it for those who keep the records of the division.\n"))


def _overdue(data: Mapping[str, Any], _contact: str) -> NoticeText:
    counts = ", ".join(f"{count} {band}" for band, count in data["bands"].items())
    what = {1: "are overdue", 2: "are overdue, and were brought before the deputy",
            3: "have been open for very long"}[data["told"]]
    return NoticeText(f"Cases overdue: {data['cases']}", (
        f"{data['cases']} held item{'' if data['cases'] == 1 else 's'} {what}: {counts}.\n\n"
        "They stay held until somebody decides: nothing passes and nothing is destroyed because time passed.\n"
        "Open the review desk and look at what is overdue.\n"))


def _incident(data: Mapping[str, Any], _contact: str) -> NoticeText:
    return NoticeText(f"Incident {data['incident']}", (
        f"A reviewer escalated case {data['case']}: {data['kind']}.\n\n"
        f"Persons found: {data['persons']}. "
        + ("It was in the CRM before." if data["exposure"] > 1 else "It never reached the CRM.")
        + "\nIts content is kept as evidence until the incident is closed.\n"))


def _which(sent: str) -> str:
    """`sent` is the mail's date, UTC ISO 8601, or empty."""
    return f"The e-mail of {sent[:16].replace('T', ' ')} UTC that you tagged" if sent else "The e-mail you tagged"


def _reason(line: Mapping[str, Any]) -> str:
    if "unread" in line:
        return f"{line['place']}: {UNREAD_WORDS.get(line['unread'], SYSTEM_WORDS)} ({line['unread']})"
    return f"{line['place']}: {KIND_WORDS.get(line['kind'], line['kind'])} ({line['count']})"


def _advice(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    advice: list[str] = []
    found = [line["place"] for line in lines if "kind" in line]
    if any(place.startswith("attachment") for place in found):
        advice.append("Keep the attachment in the system it belongs to, take it out of the e-mail, and tag again.")
    if any(not place.startswith("attachment") for place in found):
        advice.append("Take the personal part out of the text and tag the e-mail again.")
    codes = {line["unread"] for line in lines if "unread" in line}
    if "encrypted" in codes:
        advice.append("Remove the password from the attachment and tag the e-mail again.")
    if codes & {"needs_ocr", "no_text"}:
        advice.append("Ask the sender for a version with text, or leave the picture out.")
    if codes & set(UNREAD_WORDS) - {"encrypted", "needs_ocr", "no_text", "not_fetched"}:
        advice.append("Leave the unreadable part out and tag the e-mail again.")
    if codes - set(UNREAD_WORDS):
        advice.append("Nothing for now: the fault is ours, and the operator is told.")
    return advice or ["Nothing: a reviewer decides."]
