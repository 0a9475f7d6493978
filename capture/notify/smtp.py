"""Notices by mail."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate

from capture.errors import BadSettings, TryLater
from capture.ports import Notifier

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SmtpNotifier:
    """Sends each notice as one plain-text mail; the notice key becomes its Message-ID, so that a
    notice sent twice after a crash is recognised as one by the receiving mailbox."""

    def __init__(self, *, host: str, port: int, sender: str, tls: str, user: str = "",
                 password: Callable[[], str] = str, timeout: float = 20) -> None:
        if tls == "none" and host not in LOOPBACK:
            raise BadSettings("notify.tls: `none` is for a server on this machine only")
        self.host, self.port, self.sender, self.tls = host, port, sender, tls
        self.user, self._password, self.timeout = user, password, timeout

    def send(self, key: str, to: str, subject: str, text: str) -> None:
        """Hand one notice to the server. Raises `TryLater` when the server does not take it."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, to, subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{key}@{self.sender.rpartition('@')[2] or 'mailweir'}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        try:
            with self._connect() as server:
                if self.user:
                    server.login(self.user, self._password())
                server.send_message(mail)
        except (smtplib.SMTPException, OSError) as exc:
            raise TryLater(f"smtp server, {type(exc).__name__}") from None

    def _connect(self) -> smtplib.SMTP:
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout,
                                    context=ssl.create_default_context())
        server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        if self.tls == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except (smtplib.SMTPException, OSError):
                server.close()
                raise
        return server


_: type[Notifier] = SmtpNotifier
