"""How a step of the flow is run, and what its errors become.

Whatever a step raises comes out as `StepFailed` with a stable code and nothing else: the message of a
foreign exception may quote the mail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from capture.errors import Changed, Parked, StepFailed, TryLater
from capture.logs import fields, where
from capture.meter import METER
from pii_scan.errors import MailweirError
from store.errors import DatabaseLocked, DatabaseRefused

R = TypeVar("R")
log = logging.getLogger("mailweir.steps")


def safely(name: str, function: Callable[[], R]) -> R:
    """Run a step. Raises `StepFailed`, marked `retry` when a later try may work. Its time is metered."""
    try:
        with METER.timed("step", name):
            return _translated(name, function)
    except StepFailed:
        METER.count("step_failed", name)
        raise


def _translated(name: str, function: Callable[[], R]) -> R:
    try:
        return function()
    except StepFailed:
        raise
    except (TryLater, Changed, Parked, DatabaseLocked, DatabaseRefused) as error:
        raise StepFailed(error.code, retry=True) from None
    except MailweirError as error:
        raise StepFailed(error.code) from None
    except Exception as error:  # noqa: BLE001 - the boundary: any fault holds the item, none may quote it
        log.error("step %s failed: %s", name, where(error),  # noqa: TRY400 - a traceback may quote the mail
                  extra=fields("capture:step:failed", step=name))
        raise StepFailed("internal") from None


def directly(name: str, function: Callable[[], R]) -> R:
    """Run a step here and now, once: for tests and for a reviewer's release."""
    return safely(name, function)
