"""A real SMTP server on loopback that keeps what it is given."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Inbox:
    """Takes mail, or refuses it with `answer`."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.answer = "250 OK"
        self.port = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail unless it is to be refused."""
        if self.answer.startswith("250"):
            self.mails.append(envelope)
        return self.answer


@contextmanager
def serving() -> Iterator[Inbox]:
    """An inbox behind a server on a free port of loopback."""
    inbox = Inbox()
    with socket.socket() as probe:  # aiosmtpd connects to itself and so wants a real number
        probe.bind(("127.0.0.1", 0))
        inbox.port = probe.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=inbox.port)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()
