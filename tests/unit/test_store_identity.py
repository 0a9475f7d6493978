"""What counts as one item. The values are a stored format: change them only with a migration."""

from __future__ import annotations

import pytest
from stores import MASTER

from store import identity
from store.crypto import Keys

KEYS = Keys(MASTER)


@pytest.mark.parametrize(("written", "normal"), [
    pytest.param("<a@example.com>", "a@example.com", id="brackets"),
    pytest.param(" <a@\r\n example.com> ", "a@example.com", id="folded"),
    pytest.param("<Ab@Example.COM>", "Ab@example.com", id="only the domain is casefolded"),
    pytest.param("<a@b@Example.COM>", "a@b@example.com", id="two at signs"),
    pytest.param("<NoDomain>", "NoDomain", id="no domain"),
    pytest.param("<>", "", id="empty"),
])
def test_message_ids_are_normalised_and_stay_so(written: str, normal: str) -> None:
    assert identity.normalise_message_id(written) == normal
    assert identity.normalise_message_id(normal) == normal
    assert identity.message_key(KEYS, written) == identity.message_key(KEYS, normal)


def test_stored_values_do_not_change() -> None:
    assert identity.message_key(KEYS, "<a@example.com>") == (
        "35cbb5d3a7ade0416293621c772a3ffba8d22dd82d738f698c15f5fbbee99c26")
    assert identity.source_key(KEYS, "anna", "inbox/1.eml") == (
        "a58c014e481dd67cf022238229e6b96b120d99824ce9053cb7c6c465b433b595")
    assert identity.content_hash(KEYS, b"Subject: x\r\n\r\nbody\r\n") == (
        "e0ae95beeabcc80dc2427127b9bf8a3ff6781479277b3ac82143af60773d3fb2")


def test_a_mail_without_an_id_is_known_by_what_it_says() -> None:
    def key(**other: str) -> str:
        known = {"sender": "A@example.com", "sent": "2026-01-02T03:04:05+00:00", "subject": "Re:  Quote"} | other
        return identity.fallback_key(KEYS, body=b"body", **known)

    assert key() == key(sender="a@EXAMPLE.com", subject=" re: quote ")
    assert len({key(), key(sent=""), key(subject="Quote"), key(sender="b@example.com")}) == 4
    assert key() != identity.message_key(KEYS, "<a@example.com>")


RAW = b"Received: by one\r\nFrom: a@example.com\r\nSubject: Quote\r\nKeywords: Track in CRM\r\n\r\nHello\r\n"


def test_copies_that_read_the_same_have_one_content() -> None:
    copy = RAW.replace(b"by one", b"by two").replace(b"Keywords: Track in CRM\r\n", b"").replace(b"\r\n", b"\n")
    assert identity.content_hash(KEYS, copy) == identity.content_hash(KEYS, RAW)


@pytest.mark.parametrize("other", [
    pytest.param(RAW.replace(b"Hello", b"[EXTERNAL] Hello"), id="banner in the body"),
    pytest.param(RAW.replace(b"Quote", b"[EXT] Quote"), id="mark in the subject"),
    pytest.param(RAW.replace(b"a@example.com", b"b@example.com"), id="another sender"),
])
def test_copies_that_read_differently_have_another_content(other: bytes) -> None:
    assert identity.content_hash(KEYS, other) != identity.content_hash(KEYS, RAW)


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"no header at all", bytes(range(256)), b"Subject: \xff\xfe\n\n"])
def test_rubbish_has_a_content_too(raw: bytes) -> None:
    assert len(identity.content_hash(KEYS, raw)) == 64


def test_different_rubbish_has_different_content() -> None:
    rubbish = [b"", b"one", b"two", b"one\n\nsame", b"two\n\nsame"]
    assert len({identity.content_hash(KEYS, raw) for raw in rubbish}) == len(rubbish)


def test_places_with_odd_names_have_a_key() -> None:
    assert identity.source_key(KEYS, "anna", "inbox/\udcff.eml") != identity.source_key(KEYS, "anna", "inbox/x.eml")
