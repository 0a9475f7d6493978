"""Errors of the flow, from tag to record.

    MailweirError (pii_scan/errors.py)
    `-- CaptureError
        |-- TryLater            a later call may work: the engine tries again
        |-- Parked              this mailbox needs a person: rights, licence, sign-in
        |   `-- CrmDenied       the CRM needs a person
        |-- CursorLost          the server does not know the place any more where the watching stood
        |-- Changed             the item kept changing while it was to be marked
        |-- ItemGone            the item is not in the mailbox any more
        |-- ItemPrivate         the item is marked private; nothing of it is kept
        |-- ItemTwice           another capture of the same item is underway
        |-- RecordGone          the item is not in the CRM any more
        |-- RecordChanged       the item in the CRM was changed meanwhile
        |-- CrmRefused          the CRM does not take the item
        |-- CrmIncomplete       the CRM did not keep all of the item
        |-- ItemUnreadable      the mail server cannot hand the item over
        |-- ServerRefused       the mail server refuses what mailweir asks
        |-- StepFailed          a step of the flow gave up; carries only the code
        |-- Unreachable         a mailbox or folder cannot be opened at all
        |-- EngineRefused       the durable engine cannot start
        |-- BadSettings         settings.toml or an environment variable is wrong
        `-- BadInput            a file named on the command line cannot be used
"""

from __future__ import annotations

from pii_scan.errors import MailweirError


class CaptureError(MailweirError):
    """The item could not be captured, so it is held."""

    code = "capture-failed"
    hint = "Run `mailweir queue show CASE`; a reviewer decides what happens to the item."


class TryLater(CaptureError):
    """Something needed is busy or away; the item is tried again later."""

    code = "try-later"
    hint = "Nothing to do: mailweir tries again by itself. If it lasts, run `mailweir doctor`."

    def __init__(self, facts: str = "", *, wait: float = 0.0) -> None:
        super().__init__(facts)
        self.wait = wait
        """Seconds the server asked to wait; 0 = it did not say."""


class Parked(CaptureError):
    """This mailbox cannot be worked on until a person has mended something: rights, licence, sign-in."""

    code = "mailbox-parked"
    hint = "Run `mailweir mailbox check`; it says which permission or setting is missing."


class CrmDenied(Parked):
    """The CRM refuses mailweir until a person has mended something: rights, settings, sign-in."""

    code = "crm-denied"
    hint = "Run `mailweir crm check`; it says which table, privilege or setting is missing."


class CursorLost(CaptureError):
    """The server does not know any more where the watching of this folder stood; it is looked through anew."""

    code = "cursor-lost"
    hint = "Nothing to do: the folder is looked through in full, and nothing is captured twice."


class Changed(CaptureError):
    """The item kept changing while its state was to be shown."""

    code = "item-changed"
    hint = "Nothing to do: the state is shown at a later try."


class ItemGone(CaptureError):
    """The item was moved or deleted before it could be fetched."""

    code = "item-gone"
    hint = "If it was moved, tag it again where it is now."


class ItemPrivate(CaptureError):
    """The item is marked private or confidential, so it is not tracked and nothing of it is kept."""

    code = "item-private"
    hint = "If it belongs into the CRM, take the marking off and tag it again."


class ItemTwice(CaptureError):
    """Another capture of the same item is being worked on, so this one ends."""

    code = "item-twice"
    hint = "Nothing to do: the other capture takes its course."


class ItemUnreadable(CaptureError):
    """The mail server cannot hand over the item, so it is held for review."""

    code = "item-unreadable"
    hint = "Open the item in Outlook; if that fails too, the mailbox needs repair."


class AttachmentStays(CaptureError):
    """An attachment that its user left out cannot be taken out of the item, so the whole item is held."""

    code = "attachment-stays"
    hint = "Take the attachment out in Outlook and track the item again, or ask a reviewer."


class ServerRefused(CaptureError):
    """The mail server refused a request of mailweir, so nothing was changed."""

    code = "server-refused"
    hint = "Report it with the line of the log: mailweir and this server do not understand each other."


class RecordGone(CaptureError):
    """The item was deleted from the CRM meanwhile."""

    code = "record-gone"
    hint = "Nothing to do: there is nothing left in the CRM to look at."


class RecordChanged(CaptureError):
    """The item was changed in the CRM while it was looked at, so it is looked at again."""

    code = "record-changed"
    hint = "Nothing to do; if it comes back, run the rescan again."


class CrmRefused(CaptureError):
    """The CRM does not take this item, so it is held."""

    code = "crm-refused"
    hint = "Run `mailweir crm check`; if all is fine there, report the code of the CRM that stands in brackets."


class CrmIncomplete(CaptureError):
    """The CRM did not keep all of the item, so it was taken out again and is held."""

    code = "crm-incomplete"
    hint = "Look at the limits of the CRM for files and texts, then let a reviewer release the item."


class StepFailed(CaptureError):
    """A step of the flow gave up, so the item is held."""

    code = "step-failed"

    def __init__(self, reason: str = "internal", *, retry: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry = reason, retry


class EngineRefused(CaptureError):
    """The engine does not start with these settings or this database."""

    code = "engine-refused"
    hint = "Correct the named setting; docs/reference.md explains it."


class Unreachable(CaptureError):
    """A mailbox cannot be opened."""

    code = "mailbox-unreachable"
    hint = "Check `mailbox.root` in settings.toml and the rights of the folder, then start again."


class BadSettings(CaptureError):
    """A setting is wrong, so mailweir does not start."""

    code = "bad-settings"
    hint = "Correct the named line in settings.toml; docs/reference.md lists every setting."


class BadInput(CaptureError):
    """What was named cannot be used."""

    code = "bad-input"
    hint = "Correct what stands in brackets: an option, or the path and the rights of a file."
