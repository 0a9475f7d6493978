"""The fake Exchange server is what it says: a foreign client works with it, and its templates were checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ews_home import BOX
from ews_server import PASSWORD, USER, EwsServer, serving, templates
from exchangelib import IMPERSONATION, UTC, Account, Configuration, Credentials, FileAttachment, Message, Version
from exchangelib.errors import ErrorItemNotFound
from exchangelib.protocol import close_connections
from exchangelib.version import EXCHANGE_2019

STAMP = Path(__file__).parent.parent / "servers" / "ews_stamp.txt"


def test_the_templates_are_those_the_schema_saw() -> None:
    assert STAMP.read_text(encoding="utf-8").strip() == templates(), (
        "the fake's replies changed: run `make conformance DATA=...`, then write "
        f"{templates()} into tests/servers/ews_stamp.txt")


@pytest.fixture
def server() -> Iterator[EwsServer]:
    with serving() as running:
        running.store.add_mailbox(BOX)
        yield running


@pytest.fixture
def account(server: EwsServer) -> Iterator[Account]:
    config = Configuration(service_endpoint=server.url, credentials=Credentials(USER, PASSWORD), auth_type="basic",
                           version=Version(build=EXCHANGE_2019), max_connections=3)
    yield Account(BOX, access_type=IMPERSONATION, config=config, default_timezone=UTC)
    close_connections()


def test_a_foreign_client_creates_syncs_moves_and_deletes(server: EwsServer, account: Account) -> None:
    """exchangelib's own folders and items, not our operations."""
    inbox = account.inbox
    message = Message(account=account, folder=inbox, subject="Quote", body="Hello", categories=["Red"])
    message.save()
    [(change, found)] = list(inbox.sync_items(only_fields=["subject", "categories"]))
    assert (change, found.subject, found.categories) == ("create", "Quote", ["Red"])
    message.attach(FileAttachment(name="a.txt", content=b"some text"))
    [again] = account.fetch([message], only_fields=["attachments"])
    assert again.attachments[0].content == b"some text"
    old = message.id
    message.move(account.sent)
    assert message.id != old
    assert [type(one) for one in account.fetch([(old, None)])] == [ErrorItemNotFound]
    assert [(kind, getattr(item, "id", None)) for kind, item in inbox.sync_items(only_fields=["subject"])
            if kind == "delete"] == [("delete", old)]
    message.delete()
    assert account.sent.all().count() == 0
    assert account.protocol.resolve_names(["dana"])[0].email_address == BOX
