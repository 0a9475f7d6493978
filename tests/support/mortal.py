"""A rescan in a process of its own that dies by SIGKILL at a chosen moment: real processes, real kills.

    outcome = run(home, point="stubbed", nth=2)            # starts a run; killed at the second stub
    outcome = run(home, resume="RS-2026-000001")           # goes on to the end

The children are forked from a server that has loaded the heavy packages and made a scanner, so each start is quick.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

LISTED, COPIED, STUBBED, FINISHED, NOTED = "listed", "copied", "stubbed", "finished", "noted"
POINTS = (LISTED, COPIED, STUBBED, FINISHED, NOTED)
"""After a chunk was listed; when the copy is safe and the record untouched; when the record is a stub and nobody
wrote that down; when one item is complete and its step is not; when a step's results are written."""

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["capture.rescanning", "capture.crm.embedded", "capture.extract", "warmed"])


@dataclass(frozen=True, slots=True)
class Ended:
    """How the process ended: its number of the run when it lived to tell, else killed."""

    killed: bool
    run: str


def run(home: Path, *, resume: str = "", point: str = "", nth: int = 1, asked: dict[str, Any] | None = None,
        seconds: float = 300) -> Ended:
    """Start or resume a rescan in a process of its own and wait for its end."""
    receiving, sending = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_child, args=(str(home), resume, point, nth, asked or {}, sending))
    process.start()
    sending.close()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"a rescan took more than {seconds} s")
    said = receiving.recv() if process.exitcode == 0 else ""
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a rescan ended with {process.exitcode}")
    return Ended(process.exitcode != 0, said)


def _child(home: str, resume: str, point: str, nth: int, asked: dict[str, Any], sending: Any) -> None:
    import warm

    from capture import rescanning
    from capture.settings import load_settings

    warm.share()
    if point:
        _arm(point, nth)
    settings = load_settings(Path(home))
    if resume:
        number = rescanning.resume(settings, resume, lambda *_: None, max_holds=asked.get("max_holds", ""))
    else:
        number = rescanning.start(settings, rescanning.Asked(**asked), lambda *_: None)
    sending.send(number)


def _arm(point: str, nth: int) -> None:
    """Have the process killed at the `nth` passing of a point."""
    from capture import pulling, rescan
    from capture.crm.embedded import EmbeddedCrm

    left = [nth]

    def passing(function: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            done = None if before else function(*args, **named)
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **named) if before else done
        return wrapped

    if point == LISTED:
        rescan.Work._page = passing(rescan.Work._page, before=False)  # type: ignore[method-assign]
    elif point == COPIED:
        EmbeddedCrm.pull = passing(EmbeddedCrm.pull, before=True)  # type: ignore[method-assign]
    elif point == STUBBED:
        EmbeddedCrm.pull = passing(EmbeddedCrm.pull, before=False)  # type: ignore[method-assign]
    elif point == FINISHED:
        rescan.take_out = passing(pulling.take_out, before=False)
    elif point == NOTED:
        rescan.Work._some = passing(rescan.Work._some, before=False)  # type: ignore[method-assign]
    else:
        raise ValueError(point)
