"""Errors of the web service.

    MailweirError (pii_scan/errors.py)
    `-- WebError
        |-- PortTaken       another program listens there
        |-- CannotListen    the address cannot be used
        |-- UnsafeListen    another machine could listen in
        |-- BadCertificate  the certificate or its key cannot be used
        |-- WorkerFailed    the worker beside the web service does not start
        |-- SignInRefused   somebody was not let in
        |-- TokenRefused    a pane's token or bearer is not believed
        |-- SignInUnavailable  the directory does not answer
        `-- DemoRefused     the demo sign-in is not for this home or address
"""

from __future__ import annotations

from pii_scan.errors import MailweirError


class WebError(MailweirError):
    """The web service cannot do what was asked."""

    code = "web-failed"
    hint = "Run `mailweir doctor`, and look at the [web] settings."


class PortTaken(WebError):
    """Another program already listens on this port."""

    code = "port-taken"
    hint = "Stop the other program (perhaps another `mailweir serve`), or choose another port with --port or web.port."


class CannotListen(WebError):
    """The web service cannot listen on this address."""

    code = "cannot-listen"
    hint = "Correct web.host and web.port; a port below 1024 needs a right of its own."


class UnsafeListen(WebError):
    """Listening beyond this machine without TLS would let others read along, so it is refused."""

    code = "unsafe-listen"
    hint = "Set web.tls_cert and web.tls_key, or name the reverse proxy that does TLS in web.trusted_proxy."


class BadCertificate(WebError):
    """The certificate or its key cannot be used."""

    code = "bad-certificate"
    hint = "Check that web.tls_cert and web.tls_key are PEM files that belong together and can be read."


class WorkerFailed(WebError):
    """The worker beside the web service does not start, so the service stops."""

    code = "worker-failed"
    hint = "The line above says why. `mailweir serve --no-worker` serves the pages without it."


class SignInRefused(WebError):
    """The sign-in was refused."""

    code = "sign-in-refused"
    hint = "Try again; if it lasts, ask the administrator of mailweir."

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why
        """a code of `addin.signing.REFUSALS`"""


class TokenRefused(WebError):
    """What Outlook's pane sent to prove who calls was refused."""

    code = "token-refused"
    hint = "The pane signs in again by itself; if it lasts, look at the [pane] settings and at the audit."

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why
        """a code for the audit; no answer carries it"""


class SignInUnavailable(WebError):
    """The directory that signs people in does not answer."""

    code = "sign-in-unavailable"
    hint = "Try again in a minute; if it lasts, look at the [sign_in] settings and at the network."


class DemoRefused(WebError):
    """The demo sign-in works with the home of `mailweir demo` on loopback only."""

    code = "demo-refused"
    hint = "Set sign_in.kind to entra, or serve a home made by `mailweir demo --keep`."
