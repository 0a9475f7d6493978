"""Notices: what they say, and that they arrive through a real SMTP server."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from smtp_server import Inbox

from capture.errors import BadSettings, TryLater
from capture.notices import KIND_WORDS, MAX_LINES, UNREAD_WORDS, held_data, render
from capture.notify.log import LogNotifier
from capture.notify.smtp import SmtpNotifier
from pii_scan.findings import Category, Decision, Finding, Verdict
from pii_scan.text import REASON_CODES, Unread
from store.summary import summary as summarise


def summary() -> dict[str, Any]:
    finding = Finding(Category.DATE_OF_BIRTH, "roster", "attachment 2 of 3 (xlsx), sheet 1", 3, 0, 1, 2, 0.99, count=31)
    exempt = Finding(Category.HOME_CONTACT, "phone", "body", 0, 0, 1, 2, 0.5, exempt="signature")
    return summarise(Decision(Verdict.BLOCK, "roster", "bc_foippa@1", (finding, exempt),
                              (Unread("attachment 1 of 3 (zip)", "encrypted"),)))


def test_a_held_notice_names_case_kinds_counts_places_and_what_to_do() -> None:
    data = held_data(summary(), case="MW-2026-000007", sent="2026-11-20T14:03:00+00:00", joined=False)
    notice = render("held", data, contact="the privacy office")
    assert notice.subject == "Held for privacy review: case MW-2026-000007"
    assert "The e-mail of 2026-11-20 14:03 UTC" in notice.text
    assert "attachment 2 of 3 (xlsx), sheet 1: date of birth (31)" in notice.text
    assert "attachment 1 of 3 (zip): is password-protected or encrypted (encrypted)" in notice.text
    assert "take it out of the e-mail, and tag again" in notice.text
    assert "the privacy office" in notice.text
    assert "home address" not in notice.text, "what was exempted is no reason"


def test_every_category_and_reason_code_has_words() -> None:
    assert {c.value for c in Category} == set(KIND_WORDS)
    assert set(UNREAD_WORDS) == REASON_CODES


def test_a_decision_without_a_finding_still_says_why() -> None:
    doubt = summarise(Decision(Verdict.REVIEW, "doubt", "bc_foippa@1", doubt=0.6))
    text = render("held", held_data(doubt, case="MW-2026-000001", sent="", joined=True), contact="x").text
    assert "the wording as a whole" in text
    assert "somebody else tagged the same e-mail" in text


def test_a_long_list_of_reasons_is_cut_and_counted() -> None:
    many = {"findings": [], "unread": [{"place": f"attachment {n} of 90 (bin)", "code": "unknown_type"}
                                       for n in range(90)]}
    text = render("held", held_data(many, case="MW-2026-000001", sent="", joined=False), contact="x").text
    assert text.count("unknown_type") == MAX_LINES
    assert "and 70 more places" in text


def test_smtp_delivers_with_the_key_as_message_id(smtp_inbox: Inbox) -> None:
    inbox, port = smtp_inbox, smtp_inbox.port
    notifier = SmtpNotifier(host="127.0.0.1", port=port, sender="weir@example.org", tls="none")
    text = render("linked", {"sent": "", "records": 1}, contact="").text
    notifier.send("n-1", "dana@example.org", "Linked to the CRM", text)
    [mail] = inbox.mails
    assert mail.rcpt_tos == ["dana@example.org"]
    assert b"Message-ID: <n-1@example.org>" in mail.content
    assert b"linked to 1 CRM record." in mail.content


def test_a_server_that_refuses_or_is_away_means_try_later(smtp_inbox: Inbox) -> None:
    inbox, port = smtp_inbox, smtp_inbox.port
    inbox.answer = "451 busy"
    with pytest.raises(TryLater):
        SmtpNotifier(host="127.0.0.1", port=port, sender="weir@example.org", tls="none").send(
            "n", "a@b.example", "s", "t")
    with pytest.raises(TryLater):
        SmtpNotifier(host="127.0.0.1", port=port, sender="weir@example.org", tls="starttls").send(
            "n", "a@b.example", "s", "t")
    with pytest.raises(TryLater):
        SmtpNotifier(host="127.0.0.1", port=1, sender="weir@example.org", tls="none").send("n", "a@b.example", "s", "t")
    assert inbox.mails == []


def test_an_unprotected_connection_leaves_this_machine_never() -> None:
    with pytest.raises(BadSettings):
        SmtpNotifier(host="mail.example.org", port=25, sender="weir@example.org", tls="none")


def test_the_log_notifier_appends_lines_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "notices.jsonl"
    notifier = LogNotifier(path)
    notifier.send("n-1", "dana@example.org", "s", "one")
    notifier.send("n-2", "lee@example.org", "s", "two")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(r["key"], r["to"], r["text"]) for r in rows] == [
        ("n-1", "dana@example.org", "one"), ("n-2", "lee@example.org", "two")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_notice_log_that_cannot_be_written_means_try_later(tmp_path: Path) -> None:
    with pytest.raises(TryLater):
        LogNotifier(tmp_path / "missing" / "notices.jsonl").send("n", "a@b.example", "s", "t")
