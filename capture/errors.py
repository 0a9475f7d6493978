"""Errors of the flow, from tag to record.

    MailweirError (pii_scan/errors.py)
    `-- CaptureError
        |-- TryLater            a later call may work: the engine tries again
        |-- ItemGone            the item is not in the mailbox any more
        |-- Unreachable         a mailbox or folder cannot be opened at all
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


class ItemGone(CaptureError):
    """The item was moved or deleted before it could be fetched."""

    code = "item-gone"
    hint = "If it was moved, tag it again where it is now."


class Unreachable(CaptureError):
    """A mailbox cannot be opened."""

    code = "mailbox-unreachable"
    hint = "Check `mailbox.root` in settings.toml and the rights of the folder, then start again."


class BadSettings(CaptureError):
    """A setting is wrong, so mailweir does not start."""

    code = "bad-settings"
    hint = "Correct the named line in settings.toml; docs/operators/settings.md lists every setting."


class BadInput(CaptureError):
    """The file or folder cannot be used."""

    code = "bad-input"
    hint = "Check the path and the rights of the file."
