"""The audit of one home: showing and verifying it, its signed checkpoints, their key and second place.

    with Checkpoints(settings, database): ...      while the worker runs

The signing key is made by `mailweir init` (or `mailweir audit key`), lies outside the database, and signs nothing
but checkpoints. `store/checkpoints.py` says what they prove.
"""

from __future__ import annotations

import logging
import os
import pwd
import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from capture.errors import BadInput
from capture.logs import where
from capture.settings import Settings
from capture.wiring import opened
from pii_scan.errors import MailweirError
from store import audit, checkpoints, people, readings
from store.access import Action
from store.checkpoints import Checkpoint, PublicKey, Signer
from store.database import Database
from store.errors import DatabaseLocked, KeyMissing
from store.keys import provider
from store.keys.file import FileKey
from store.keys.text import CHECKPOINT_KEY

log = logging.getLogger("mailweir.audit")

LOOK_SECONDS = 30.0


class Checkpoints:
    """The worker's part: a thread that looks twice a minute whether a checkpoint is due. Use as a context manager.

    It never stops the work; what is wrong is logged, once. Without a signing key nothing is made.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._signer: Signer | None = None
        self._said = ""

    def __enter__(self) -> Checkpoints:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def look(self) -> Checkpoint | None:
        """Make a checkpoint when one is due."""
        try:
            self._signer = self._signer or signer(self._settings)
            made = checkpoints.checkpoint_if_due(
                self._database, self._signer, self._settings.store.checkpoint_place(self._settings.home),
                every=timedelta(minutes=self._settings.store.checkpoint_minutes))
        except DatabaseLocked:
            return None  # the next look will do
        except KeyMissing:
            if not self._said:
                log.info("no key to sign the audit with here; another machine may have it")
            self._said = "no key"
            return None
        except MailweirError as error:
            self._say(f"{error}; no checkpoint of the audit is made: {error.hint}")
            return None
        except Exception as error:  # noqa: BLE001 - the thread must live on, and a traceback may quote data
            self._say(f"no checkpoint of the audit is made: {where(error)}")
            return None
        self._said = ""
        if made is not None:
            log.info("checkpoint %d of the audit over %d rows", made.number, made.count)
        return made

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(LOOK_SECONDS)

    def _say(self, words: str) -> None:
        if words != self._said:
            log.error("%s", words)
        self._said = words


def actor_name(named: str = "") -> str:
    """Who acts: the name given, else the user the system knows this process as (not the environment)."""
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


class BadAnchor(BadInput):
    """An anchor is what `audit verify --json` printed earlier: the number of rows, a colon, the digest."""

    code = "bad-anchor"
    hint = "For example: --anchor 1204:9f2c... (64 hex digits)."


def anchor_from(text: str) -> audit.Anchor | None:
    """The anchor as it was printed; None for no text. Raises `BadAnchor`."""
    if not text:
        return None
    if not (found := re.fullmatch(r"(\d{1,12}):([0-9a-f]{64})", text)):
        raise BadAnchor
    return audit.Anchor(int(found[1]), found[2])


def show(settings: Settings, *, last: int, reads: bool = False, person: str = "", subject: str = "",
         since: str = "", until: str = "", actor: str = "") -> list[dict[str, Any]]:
    """The newest audit events that fit, oldest of them first; with `reads` readings only. The look is audited.

    `person` is an address, an id or a name; `since` and `until` are days or moments, UTC.
    """
    from capture.acting import acting

    begin, end = moment_of(since), moment_of(until)
    with opened(settings) as (database, _), database.session() as session:
        who = acting(session, actor, Action.AUDIT_READ)
        found = people.by_address(session, person) if "@" in person else None
        whom = found.id if found is not None else person
        if reads:
            rows = [(r.seq, r.at, r.action, r.actor, r.subject, r.facts, {"how": r.how}) for r in readings.found(
                session, person=whom, subject=subject, since=begin, until=end, last=last)]
        else:
            rows = [(r.seq, r.at, r.action, r.actor, r.subject, r.body, {}) for r in audit.show(
                session, last=last, actor=whom, subject=subject, since=begin, until=end)]
        audit.append(session, "audit:readings:read" if reads else "audit:log:read", actor=who,
                     body={"rows": len(rows)})
        return [{"seq": seq, "at": at.isoformat(timespec="seconds"), "actor": by, "action": action,
                 "subject": about, "body": body, **more} for seq, at, action, by, about, body, more in rows]


def moment_of(text: str) -> datetime | None:
    """A day or moment as it is written (ISO, UTC when nothing is said); None for no text. Raises `BadInput`."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("a day is written as 2026-03-31") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def signer(settings: Settings) -> Signer:
    """The key that signs checkpoints. Raises `KeyMissing`, `KeyUnsafe` or `KeyWrong`."""
    chosen = settings.store
    return Signer(provider(chosen.checkpoint_keys, chosen.checkpoint_key_place(settings.home), CHECKPOINT_KEY).load())


def make_key(settings: Settings) -> bool:
    """Make the signing key when it is to lie in a file and is not there; True when it was made."""
    place = settings.store.checkpoint_key_place(settings.home)
    if settings.store.checkpoint_keys != "file" or Path(place).exists():
        return False
    FileKey(place, CHECKPOINT_KEY).create()
    return True


def make(settings: Settings) -> Checkpoint | None:
    """A checkpoint now, also before the hour is over; None when no row was added since the last."""
    with opened(settings) as (database, _):
        return checkpoints.checkpoint_if_due(database, signer(settings),
                                             settings.store.checkpoint_place(settings.home), every=timedelta(0))


def verify(settings: Settings, *, anchor: str = "", files: Sequence[Path] = (), keys: Sequence[Path] = (),
           actor: str = "") -> dict[str, Any]:
    """Hold the audit against itself and against its checkpoints.

    `files` are exported checkpoints and `keys` public key files; without them, the second place and the key of this
    home serve, as far as they are there. The walk is recorded when everything fits.
    """
    with opened(settings) as (database, _):
        return verified(settings, database, anchor=anchor, files=files, keys=keys, actor=actor)


def verified(settings: Settings, database: Database, *, anchor: str = "", files: Sequence[Path] = (),
             keys: Sequence[Path] = (), actor: str = "") -> dict[str, Any]:
    """As `verify`, for an open database."""
    place = settings.store.checkpoint_place(settings.home)
    named = list(files) or ([place] if place is not None and place.exists() else [])
    exported = [one for file in named for one in checkpoints.read(file)]
    public = [PublicKey.read(path) for path in keys] or _own_key(settings)
    with database.snapshot() as session:
        result = checkpoints.verify(session, {key.id: key for key in public}, exported, anchor=anchor_from(anchor))
        end = audit.head(session)
    if result.ok:
        with database.session() as session:
            audit.append(session, "audit:chain:verified", actor=actor_name(actor), body={
                "rows": result.chain.rows, "result": "whole", "checkpoints": result.checkpoints})
    return {"whole": result.ok, "rows": result.chain.rows, "row": _first_row(result), "problem": result.chain.problem,
            "anchor": f"{end.count}:{end.digest}", "checkpoints": result.checkpoints, "vouched": result.vouched,
            "signatures": result.signed, "problems": [str(problem) for problem in result.problems],
            "sentence": _sentence(result)}


def _own_key(settings: Settings) -> list[PublicKey]:
    try:
        return [signer(settings).public]
    except KeyMissing:
        return []


def _first_row(result: checkpoints.Verified) -> int | None:
    rows = [row for row in (result.chain.row, *(p.row for p in result.problems)) if row is not None]
    return min(rows, default=None)


def _sentence(result: checkpoints.Verified) -> str:
    chain = result.chain
    if not chain.ok:
        said = f"audit-broken: row {chain.row} does not fit ({chain.problem}); the rows before it do"
    elif result.problems:
        said = (f"audit-broken: the {chain.rows} rows follow from each other, but they are not the ones that were "
                "signed")
    else:
        said = f"audit whole: {chain.rows} rows, every one follows from the one before"
    if result.checkpoints and not result.problems:
        one = result.checkpoints == 1
        fit = "1 checkpoint fits and vouches" if one else f"{result.checkpoints} checkpoints fit and vouch"
        said += f"; {fit} for the first {result.vouched} rows"
        said += "" if result.signed else " (signatures not looked at: no key)"
    return said
