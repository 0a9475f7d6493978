"""Which records a mail belongs to: by address, then by domain, and otherwise not at all."""

from __future__ import annotations

import pytest

from capture.matching import (
    FREEMAIL,
    Directory,
    RecordLink,
    domain_of,
    key_of,
    match,
    never_tracked,
    outside_parties,
)
from pii_scan.text import Address

OWN = frozenset({"training.example.org"})
DIRECTORY = Directory(
    contacts={"wanda@hall.example.com": ["c-wanda"], "info@hall.example.com": ["c-one", "c-two"],
              "otto@gmail.com": ["c-otto"], "us@training.example.org": ["c-us"]},
    organisations={"hall.example.com": ["o-hall"], "shared.example.com": ["o-one", "o-two"],
                   "gmail.com": ["o-wrong"], "training.example.org": ["o-us"]})
WANDA = RecordLink("contact", "c-wanda", "address")


@pytest.mark.parametrize(("emails", "matched", "reason", "links"), [
    pytest.param(["wanda@hall.example.com"], "contact", "address", (WANDA,), id="one contact"),
    pytest.param(["WANDA@Hall.Example.COM"], "contact", "address", (WANDA,), id="case does not count"),
    pytest.param(["wanda@hall.example.com", "Wanda@hall.example.com "], "contact", "address", (WANDA,),
                 id="the same party twice"),
    pytest.param(["other@hall.example.com"], "unmatched", "suggested", (), id="only the domain is known"),
    pytest.param(["wanda@hall.example.com", "other@hall.example.com"], "contact", "address", (WANDA,),
                 id="a contact and a colleague"),
    pytest.param(["info@hall.example.com"], "unmatched", "ambiguous", (), id="an address of several contacts"),
    pytest.param(["info@hall.example.com", "wanda@hall.example.com"], "contact", "address", (WANDA,),
                 id="the clear party is linked, the unclear one is not"),
    pytest.param(["x@shared.example.com"], "unmatched", "ambiguous", (), id="a domain of several organisations"),
    pytest.param(["someone@gmail.com"], "unmatched", "freemail", (), id="freemail says nothing"),
    pytest.param(["otto@gmail.com"], "contact", "address", (RecordLink("contact", "c-otto", "address"),),
                 id="a contact with a freemail address"),
    pytest.param(["x@mail.hall.example.com"], "unmatched", "no-record", (), id="a subdomain is another domain"),
    pytest.param(["x@nothall.example.com"], "unmatched", "no-record", (), id="the end of a name is not the name"),
    pytest.param(["us@training.example.org"], "unmatched", "own-domains-only", (), id="only ourselves"),
    pytest.param(["us@training.example.org", "wanda@hall.example.com"], "contact", "address", (WANDA,),
                 id="we are not linked"),
    pytest.param(["nobody@unknown.example"], "unmatched", "no-record", (), id="unknown"),
    pytest.param([], "unmatched", "no-address", (), id="nobody"),
    pytest.param(["", "undisclosed-recipients"], "unmatched", "no-address", (), id="no address at all"),
])
def test_records_of_a_mail(emails: list[str], matched: str, reason: str, links: tuple[RecordLink, ...]) -> None:
    found = match([Address("", email) for email in emails], DIRECTORY, OWN)
    assert (found.matched, found.reason, found.links) == (matched, reason, links)


def test_names_never_count() -> None:
    assert match([Address("wanda@hall.example.com", "x@unknown.example")], DIRECTORY, OWN).matched == "unmatched"


def test_addresses_are_compared_whole_and_casefolded() -> None:
    assert key_of(" Wanda@HALL.example.com") == "wanda@hall.example.com"
    assert domain_of("a@b@Hall.Example.com.") == "hall.example.com"
    assert domain_of("no address") == ""
    assert outside_parties([Address("", "B@x.example"), Address("", "a@x.example"), Address("", "b@X.example")],
                           OWN) == ("b@x.example", "a@x.example")


def test_freemail_domains_are_written_as_they_are_compared() -> None:
    assert all(domain == domain.casefold() and "." in domain for domain in FREEMAIL)


def test_a_domain_only_suggests() -> None:
    found = match([Address("", "other@hall.example.com"), Address("", "wanda@hall.example.com")], DIRECTORY, OWN)
    assert [(s.record, s.record_id, s.reason, s.confidence) for s in found.suggestions] == [
        ("organisation", "o-hall", "domain", 50)]


@pytest.mark.parametrize(("patterns", "listed"), [
    pytest.param({"wanda@hall.example.com"}, True, id="the address"),
    pytest.param({"hall.example.com"}, True, id="the domain"),
    pytest.param({"@example.com"}, True, id="a domain above it"),
    pytest.param({"all.example.com"}, False, id="the end of a name is not the name"),
    pytest.param({"otto@hall.example.com", "com.example"}, False, id="others"),
    pytest.param(set(), False, id="nobody"),
])
def test_never_track_lists_mean_addresses_and_domains(patterns: set[str], listed: bool) -> None:
    assert never_tracked([Address("", "us@training.example.org"), Address("", "WANDA@Hall.example.com")],
                         patterns) is listed
