"""What `mailweir mailbox check` looks at in Exchange Online, each permission for itself.

Rights to write are proved without writing: a change of an item that does not exist is refused with "not found"
by a server that would have allowed it, and with "forbidden" by one that would not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from capture.errors import CaptureError, Changed, ItemGone, Parked, TryLater
from capture.mailbox.graph_http import GraphHttp
from capture.mailbox.graph_ids import user
from capture.mailbox.tokens import TokenProvider
from capture.ports import Check
from capture.settings import GraphSettings

NOWHERE: Final = "mailweir-probe"
"""An id that no item has."""
TASKS_SENTENCE: Final = (
    "Tasks are on. Tasks.ReadWrite.All cannot be limited: neither application access policies nor RBAC for "
    "Applications list a task role, so the permission reaches every mailbox of the tenant.")
RBAC_HINT: Final = (
    "Grant it in Exchange Online with New-ManagementRoleAssignment and a management scope; a change can take over "
    "an hour to work. docs/operators/exchange-online.md has the commands.")


@dataclass(frozen=True, slots=True)
class Probe:
    """One permission and the request that proves it."""

    code: str
    permission: str
    method: str
    path: str


MAIL: Final = (Probe("graph-mail-read", "Mail.ReadWrite (reading)", "GET", "/mailFolders/inbox?$select=id"),
               Probe("graph-mail-write", "Mail.ReadWrite (marking)", "PATCH", f"/messages/{NOWHERE}"))
CALENDAR: Final = (Probe("graph-calendar-read", "Calendars.ReadWrite (reading)", "GET", "/calendars?$select=id"),
                   Probe("graph-calendar-write", "Calendars.ReadWrite (marking)", "PATCH", f"/events/{NOWHERE}"))
SETTINGS: Final = (Probe("graph-categories", "MailboxSettings.ReadWrite", "GET",
                         "/outlook/masterCategories?$select=displayName"),)
TASKS: Final = (Probe("graph-tasks-read", "Tasks.ReadWrite.All (reading)", "GET", "/todo/lists"),
                Probe("graph-tasks-write", "Tasks.ReadWrite.All (marking)", "PATCH",
                      f"/todo/lists/{NOWHERE}/tasks/{NOWHERE}"))


def check(http: GraphHttp, tokens: TokenProvider, settings: GraphSettings, mailbox: str,
          webhook: Callable[[str], Check] | None = None) -> list[Check]:
    """What works and what is missing for one mailbox; see `capture.ports.Mailbox`."""
    signed_in = _sign_in(tokens)
    if not signed_in.fine:
        return [signed_in]
    probes = [*MAIL, *(CALENDAR if settings.calendar else ()), *SETTINGS, *(TASKS if settings.tasks else ())]
    return [signed_in, *(_permission(http, mailbox, probe) for probe in probes), _limited(http, settings),
            *_warnings(settings), *([webhook(mailbox)] if webhook else [])]


def _sign_in(tokens: TokenProvider) -> Check:
    try:
        tokens.token()
    except CaptureError as error:
        return Check("graph-sign-in", False, f"No access token: {error}",
                     "Check graph.tenant, graph.client_id and the certificate or secret; an AADSTS number can be "
                     "looked up at login.microsoftonline.com/error.")
    return Check("graph-sign-in", True, "Entra gives access tokens.")


def _permission(http: GraphHttp, mailbox: str, probe: Probe) -> Check:
    try:
        http.send(mailbox, probe.method, f"{user(mailbox)}{probe.path}",
                  json_body={} if probe.method == "PATCH" else None)
    except Parked as error:
        if "403" in error.facts or "401" in error.facts:
            return Check(
                probe.code, False, f"{probe.permission} is missing for this mailbox ({error.facts}).", RBAC_HINT)
        return Check(probe.code, False, f"This mailbox cannot be used ({error.facts}).",
                     "Check its address, its licence, and that it is in Exchange Online.")
    except TryLater as error:
        return Check(probe.code, False, f"{probe.permission} could not be looked at now ({error.facts}).",
                     "Try again in a minute.")
    except (ItemGone, Changed):
        pass  # allowed, and there is nothing of that id
    except CaptureError as error:
        if probe.method == "GET":
            return Check(probe.code, False, f"{probe.permission} could not be looked at ({error.facts}).",
                         "Try again; if it lasts, note the status and ask for help.")
    return Check(probe.code, True, f"{probe.permission} is there.")


def _limited(http: GraphHttp, settings: GraphSettings) -> Check:
    """That a mailbox outside the management scope is refused: otherwise the limit means nothing."""
    if not settings.outside:
        return Check("graph-scope", False, "Nothing proves that our rights are limited: graph.outside is not set.",
                     "Name a mailbox in graph.outside that mailweir must not reach.")
    try:
        http.get(settings.outside, f"{user(settings.outside)}/mailFolders/inbox", params={"$select": "id"})
    except Parked as error:
        if "403" in error.facts:
            return Check("graph-scope", True, "A mailbox outside our scope is refused.")
        return Check("graph-scope", False, f"The mailbox of graph.outside proves nothing ({error.facts}).",
                     "Name an existing mailbox that mailweir must not reach.")
    except CaptureError as error:
        return Check("graph-scope", False, f"The limit could not be proved ({error.facts}).", "Try again in a minute.")
    return Check("graph-scope", False, "A mailbox that must be refused can be read: the scope means nothing.",
                 "Take Mail.*, Calendars.* and MailboxSettings.* away from the app registration in Entra; consent "
                 "there adds to the scoped rights of Exchange. A change can take over an hour to work.")


def _warnings(settings: GraphSettings) -> Iterator[Check]:
    if settings.tasks:
        yield Check("graph-tasks-reach", True, TASKS_SENTENCE)
