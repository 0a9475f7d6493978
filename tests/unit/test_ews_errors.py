"""What goes wrong between us and an Exchange server, and what we make of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
from ews_home import BOX, ews_mailbox, ews_settings
from ews_server import EwsServer, over_https, serving
from exchangelib import errors as foreign
from lxml import etree
from oauthlib.oauth2 import OAuth2Error
from spnego.exceptions import SpnegoError
from world import mail

from capture.errors import (
    BadSettings,
    CaptureError,
    Changed,
    CursorLost,
    ItemGone,
    ItemUnreadable,
    Parked,
    ServerRefused,
    TryLater,
    Unreachable,
)
from capture.mailbox import ews_errors
from capture.mailbox.ews import EwsMailbox
from capture.mailbox.ews_connection import Connection
from capture.ports import ItemRef

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def server() -> Iterator[EwsServer]:
    with serving() as running:
        yield running
    assert running.problems == []
    assert running.faults.left() == []


@pytest.fixture
def mailbox(server: EwsServer) -> Iterator[EwsMailbox]:
    made = ews_mailbox(server)
    yield made
    made.close()


# --------------------------------------------------------------------------------------------- the table

def test_every_error_class_of_exchangelib_belongs_to_a_family() -> None:
    known = ews_errors.known_errors()
    assert len(known) > 350
    assert [kind.__name__ for kind in known if ews_errors.family_of(kind) is None] == []


def test_every_name_of_the_table_is_a_class() -> None:
    import re

    names = [kind.__name__ for kind in ews_errors.known_errors()]
    lost = [name for family in ews_errors.FAMILIES for name in family.names.split()
            if not any(re.fullmatch(name, known) for known in names)]
    assert lost == []


def test_the_operators_page_shows_the_table() -> None:
    page = (ROOT / "docs" / "operators" / "exchange-on-premises.md").read_text(encoding="utf-8")
    assert ews_errors.table() in page, "put the output of capture.mailbox.ews_errors.table() into the page"


@pytest.mark.parametrize(("error", "becomes"), [
    (foreign.ErrorServerBusy("x", back_off=7), TryLater), (foreign.RateLimitError("x", wait=7), TryLater),
    (foreign.ErrorInternalServerTransientError("x"), TryLater), (foreign.UnauthorizedError("x"), Parked),
    (foreign.ErrorNonExistentMailbox("x"), Parked), (foreign.ErrorImpersonateUserDenied("x"), Parked),
    (foreign.ErrorInvalidSyncStateData("x"), CursorLost), (foreign.ErrorItemNotFound("x"), ItemGone),
    (foreign.ErrorIrresolvableConflict("x"), Changed), (foreign.ErrorCorruptData("x"), ItemUnreadable),
    (foreign.ErrorSchemaValidation("x"), ServerRefused), (foreign.TransportError("x"), ServerRefused),
    (requests.ConnectionError("x"), TryLater), (requests.exceptions.SSLError("x"), Unreachable),
    (OAuth2Error("x"), Parked), (SpnegoError(error_code=13), Parked), (etree.LxmlError("x"), TryLater),
    (AttributeError("x"), TryLater), (TimeoutError("x"), TryLater),
], ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__)
def test_an_error_becomes_ours_and_says_nothing_of_the_reply(error: Exception, becomes: type[CaptureError]) -> None:
    error.args = ("Registration of Rose Antoine",)
    found = ews_errors.translated(error)
    assert type(found) is becomes
    assert isinstance(error, ews_errors.FOREIGN), "or the connection would let it pass"
    assert "Antoine" not in str(found) + repr(found)
    if getattr(error, "back_off", 0) or getattr(error, "wait", 0):
        assert isinstance(found, TryLater)
        assert found.wait == 7


class ErrorOfTomorrow(foreign.ResponseMessageError):  # type: ignore[misc] # exchangelib ships no types
    """What a later Exchange may say."""


def test_an_error_nobody_thought_of_refuses_and_holds() -> None:
    assert type(ews_errors.translated(ErrorOfTomorrow("x"))) is ServerRefused


# -------------------------------------------------------------------------------------------- back-off

def test_a_busy_server_is_left_alone_as_long_as_it_asked(server: EwsServer, mailbox: EwsMailbox) -> None:
    server.faults.add("busy", wait=0.5)
    with pytest.raises(TryLater) as first:
        mailbox.folders(BOX)
    asked = sum(server.asked.values())
    with pytest.raises(TryLater) as second:
        mailbox.folders(BOX)
    assert first.value.wait == 0.5
    assert 0 < second.value.wait <= 0.5
    assert sum(server.asked.values()) == asked, "it was asked again at once"
    time.sleep(0.55)
    assert mailbox.folders(BOX)


def test_one_busy_mailbox_does_not_hold_up_another(server: EwsServer) -> None:
    server.store.add_mailbox("lee@example.org")
    mailbox = ews_mailbox(server)
    server.faults.add("busy", wait=30)
    with pytest.raises(TryLater):
        mailbox.folders(BOX)
    assert mailbox.folders("lee@example.org")
    mailbox.close()


def test_a_server_that_names_no_time_is_asked_ever_later(server: EwsServer, mailbox: EwsMailbox) -> None:
    waits = []
    for _ in range(12):
        server.faults.add("busy", wait=0)
        with pytest.raises(TryLater) as caught:
            mailbox.folders(BOX)
        waits.append(caught.value.wait)
    assert len(set(waits)) == 12, "the pause has no jitter"
    assert max(waits) <= 900
    assert max(waits[6:]) > max(waits[:2])


@pytest.mark.parametrize(("status", "headers", "becomes", "wait"), [
    (503, {"Retry-After": "11"}, TryLater, 11.0), (429, {"Retry-After": "3", "Connection": "close"}, TryLater, 3.0),
    (503, {}, TryLater, None), (403, {"Connection": "close"}, Parked, None), (403, {}, Parked, None),
    (302, {"Location": "https://outlook.office365.com/EWS/Exchange.asmx"}, Parked, None), (404, {}, TryLater, None),
    (500, {}, TryLater, None)])
def test_what_an_http_status_means(server: EwsServer, mailbox: EwsMailbox, status: int, headers: dict[str, str],
                                   becomes: type[CaptureError], wait: float | None) -> None:
    server.faults.add("http", status=status, headers=headers)
    with pytest.raises(becomes) as caught:
        mailbox.folders(BOX)
    if wait is not None:
        assert isinstance(caught.value, TryLater)
        assert caught.value.wait == wait


def test_a_slow_server_is_given_up_and_tried_later(server: EwsServer) -> None:
    mailbox = ews_mailbox(server, timeout_seconds=0.3)
    server.faults.add("slow", "GetFolder", seconds=2)
    with pytest.raises(TryLater):
        mailbox.folders(BOX)
    mailbox.close()


def test_a_server_that_is_down_is_tried_later() -> None:
    with serving() as server:
        mailbox = ews_mailbox(server)
    with pytest.raises(TryLater):
        mailbox.folders(BOX)
    mailbox.close()


def test_a_failing_request_leaves_no_word_in_the_log(server: EwsServer, mailbox: EwsMailbox,
                                                     caplog: pytest.LogCaptureFixture) -> None:
    """exchangelib logs whole requests and headers when something unexpected happens."""
    item = server.store.put(BOX, "inbox", mime=mail("S", "x", message_id="q1@client.example.com"))
    with caplog.at_level(1):
        for fault in ("cut", "slow"):
            server.faults.add(fault, "GetItem", seconds=0, silent=True)
        with pytest.raises(TryLater):
            mailbox.fetch(ItemRef(BOX, item.key))
        mailbox.folders(BOX)
    for word in (BOX, item.key, "q1@", "exchangecookie"):
        assert word not in caplog.text


# --------------------------------------------------------------------------------------------- signing in

def test_one_refused_sign_in_is_tried_again_two_park_the_mailbox(server: EwsServer, mailbox: EwsMailbox) -> None:
    server.faults.add("http", status=401, headers={"WWW-Authenticate": "Basic"})
    assert mailbox.folders(BOX)
    server.faults.add("http", times=2, status=401, headers={"WWW-Authenticate": "Basic"})
    with pytest.raises(Parked):
        mailbox.folders(BOX)


def test_a_mailbox_that_is_not_there_or_not_allowed_is_parked(server: EwsServer, mailbox: EwsMailbox) -> None:
    with pytest.raises(Parked):
        mailbox.folders("nobody@example.org")
    server.allowed = {"lee@example.org"}
    with pytest.raises(Parked):
        mailbox.folders(BOX)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    made = trustme.CA()
    bundle = tmp_path / "ca.pem"
    made.cert_pem.write_to_path(bundle)
    return made, bundle


def test_a_certificate_is_always_checked(server: EwsServer, authority: tuple[trustme.CA, Path],
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    ca, bundle = authority
    server.store.add_mailbox(BOX)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with over_https(server, ca.issue_cert("127.0.0.1")) as url:
        unsure = EwsMailbox(ews_settings(server, endpoint=url))
        with pytest.raises(Unreachable):
            unsure.folders(BOX)
        sure = EwsMailbox(ews_settings(server, endpoint=url, ca_file=str(bundle)))
        assert sure.folders(BOX)
        unsure.close()
        sure.close()


def test_oauth_gets_a_token_of_its_issuer_and_a_new_one_when_it_is_refused(
        server: EwsServer, authority: tuple[trustme.CA, Path]) -> None:
    ca, bundle = authority
    server.store.add_mailbox(BOX)
    certificate = ca.issue_cert("127.0.0.1")
    with over_https(server, certificate, issuer=True) as issuer, over_https(server, certificate) as url:
        mailbox = EwsMailbox(ews_settings(server, auth="oauth", endpoint=url, token_url=issuer, ca_file=str(bundle)))
        assert mailbox.folders(BOX)
        assert server.scopes == ["https://127.0.0.1/.default"]
        server.tokens.clear()
        server.tokens.add("the old one was taken back")
        assert mailbox.folders(BOX)
        assert len(server.scopes) == 2
        mailbox.close()


def test_an_issuer_that_fails_loses_no_session(server: EwsServer, authority: tuple[trustme.CA, Path]) -> None:
    """With exchangelib's own pool each failure loses a session for good; after the last the program stands still."""
    ca, bundle = authority
    server.store.add_mailbox(BOX)
    certificate = ca.issue_cert("127.0.0.1")
    with over_https(server, certificate, issuer=True) as issuer, over_https(server, certificate) as url:
        mailbox = EwsMailbox(ews_settings(server, auth="oauth", endpoint=url, token_url=issuer, ca_file=str(bundle),
                                          connections=1, timeout_seconds=2))
        for _ in range(3):
            server.faults.add("issuer", error="invalid_client", status=401)
            server.tokens.clear()
            with pytest.raises(Parked):
                mailbox.folders(BOX)
        assert mailbox.folders(BOX)
        mailbox.close()


@pytest.mark.parametrize(("chosen", "named"), [
    ({"endpoint": ""}, "ews.endpoint"), ({"endpoint": "http://mail.example.org/EWS/Exchange.asmx"}, "ews.endpoint"),
    ({"endpoint": "https://outlook.office365.com/EWS/Exchange.asmx"}, "graph"),
    ({"endpoint": "https://Outlook.Office365.com./EWS/Exchange.asmx"}, "graph"),
    ({"user": ""}, "ews.user"), ({"auth": "oauth"}, "ews.token_url"), ({"auth": "kerberos"}, "ews.auth")])
def test_settings_that_cannot_work_are_refused_by_name(server: EwsServer, chosen: dict[str, str], named: str) -> None:
    with pytest.raises(BadSettings, match=named):
        EwsMailbox(ews_settings(server, **chosen))


def test_the_password_stands_in_no_repr(server: EwsServer) -> None:
    settings = ews_settings(server)
    assert "invented password" not in repr(settings) + repr(Connection(settings)) + settings.model_dump_json()


# ---------------------------------------------------------------------------------------------------- check

def codes(mailbox: EwsMailbox) -> dict[str, bool]:
    return {one.code: one.fine for one in mailbox.check(BOX)}


def test_a_check_says_what_works(server: EwsServer, mailbox: EwsMailbox) -> None:
    assert codes(mailbox) == {"sign-in": True, "folders": True, "write": True, "limit": True}


def test_a_check_names_what_is_missing(server: EwsServer) -> None:
    server.store.add_mailbox("outside@example.org")
    mailbox = ews_mailbox(server, outside="outside@example.org")
    server.store.box(BOX).read_only = True
    folders = server.store.box(BOX).folders
    del folders[next(key for key, one in folders.items() if one.distinguished == "tasks")]
    found = mailbox.check(BOX)
    assert {one.code: one.fine for one in found} == {"sign-in": True, "folders": False, "write": False, "limit": False}
    assert all(one.hint for one in found if not one.fine)
    assert [one.detail for one in found if one.code == "folders"] == ["missing: tasks"]
    server.allowed = {BOX}
    assert codes(mailbox)["limit"] is True
    server.allowed = set()
    assert codes(mailbox) == {"sign-in": False}
    server.faults.add("http", status=404)
    assert codes(mailbox) == {"endpoint": False}
    assert BOX not in "".join(one.detail + one.hint for one in found)
    mailbox.close()


# ------------------------------------------------------------------------------------------- other servers

def test_a_server_without_version_header_and_without_change_keys_will_do(server: EwsServer,
                                                                         mailbox: EwsMailbox) -> None:
    server.version_header = server.change_keys = False
    item = server.store.put(BOX, "inbox", mime=mail("S", "x"), categories=("Track in CRM",))
    [sighting] = mailbox.tagged(BOX)
    assert mailbox.fetch(sighting.ref).raw == item.mime
    mailbox.mark(sighting.ref, "linked")
    assert item.categories == ["CRM: linked"]


def test_a_server_that_wants_another_version_is_spoken_to_in_its_own(server: EwsServer, mailbox: EwsMailbox) -> None:
    server.faults.add("fault", "GetFolder", code="ErrorInvalidServerVersion")
    assert mailbox.folders(BOX)


def test_exchangelib_is_not_loaded_for_a_folder_mailbox(tmp_path: Path) -> None:
    script = ("import sys; from capture import wiring; from capture.settings import Settings; "
              "wiring.open_backend(Settings(), 'folder'); print('exchangelib' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
