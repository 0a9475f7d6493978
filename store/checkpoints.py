"""Signed checkpoints of the audit: what the chain cannot prove about itself.

A chain shows every change inside it, but whoever owns the database can cut its tail, make it anew as a whole, or
put an older backup in its place. A checkpoint says "so many rows, this Merkle root (RFC 6962 style), this last
digest", is signed with an Ed25519 key (RFC 8032) that is not in the database, and is kept in a second place: a file
to which lines are only ever added, best on another machine or on media that cannot be rewritten.

    checkpoint_if_due(db, signer, place)     the worker, now and then: makes one an hour when there are new rows
    make(db, signer)                         one now
    export(db, place)                        what the second place lacks
    verify(session, keys, exported)          chain and checkpoints against each other

Before signing, the rows since the last checkpoint are walked: a broken chain is not signed. The signed bytes are the
lines "mailweir-checkpoint 1", number, time, count, root, digest, previous, key id, each ended by a line feed.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.checkpoint_tables import AuditCheckpoint
from store.columns import now
from store.database import Database
from store.errors import AuditBroken, CheckpointsUnreadable, DatabaseConflict, PlaceRefused
from store.merkle import Tree

PUBLIC_HEADER = "mailweir-checkpoint-public-key 1"
HOUR = timedelta(hours=1)

Trouble = Literal["signature", "unknown-key", "cut", "rewritten", "unreached", "missing", "order", "differs",
                  "not-in-database"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One signed statement: at `at` the audit had `count` rows with this Merkle `root` and this last `digest`.

    Hashes, key id and signature in hex; `previous` is the hash of the checkpoint before ("" for the first).
    """

    number: int
    at: str
    count: int
    root: str
    digest: str
    previous: str
    key_id: str
    signature: str = ""

    def signed(self) -> bytes:
        """The bytes under the signature."""
        lines = ("mailweir-checkpoint 1", self.number, self.at, self.count, self.root, self.digest, self.previous,
                 self.key_id)
        return "".join(f"{line}\n" for line in lines).encode()

    def hash(self) -> str:
        """What the next checkpoint names as `previous`."""
        return sha256(self.signed() + self.signature.encode()).hexdigest()


class PublicKey:
    """Checks signatures; safe to hand to anybody. `raw` is 32 bytes."""

    def __init__(self, raw: bytes) -> None:
        self._raw, self._key = raw, Ed25519PublicKey.from_public_bytes(raw)
        self.id = sha256(raw).hexdigest()[:16]

    def signed(self, checkpoint: Checkpoint) -> bool:
        """Whether this key signed the checkpoint as it stands."""
        try:
            self._key.verify(bytes.fromhex(checkpoint.signature), checkpoint.signed())
        except (InvalidSignature, ValueError):
            return False
        return True

    def text(self) -> str:
        """The three lines of a public key file."""
        return f"{PUBLIC_HEADER}\n{base64.b64encode(self._raw).decode()}\nid {self.id}\n"

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """The key of such a file. Raises `CheckpointsUnreadable`."""
        try:
            lines = path.read_text("ascii").split("\n")
            key = cls(base64.b64decode(lines[1], validate=True))
        except (OSError, ValueError, IndexError, binascii.Error) as exc:
            raise CheckpointsUnreadable(f"the public key: {type(exc).__name__}") from None
        if lines[0] != PUBLIC_HEADER or lines[2] != f"id {key.id}":
            raise CheckpointsUnreadable("the public key: not whole")
        return key


class Signer:
    """Signs checkpoints. `seed` is the 32 bytes of the private key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Signer({self.public.id})"

    def sign(self, unsigned: Checkpoint) -> Checkpoint:
        """The same checkpoint with its signature."""
        fields = asdict(unsigned) | {"signature": self._key.sign(unsigned.signed()).hex()}
        return Checkpoint(**fields)


# ---------------------------------------------------------------------------------------------- making them

def checkpoint_if_due(db: Database, signer: Signer, place: Path | None, *,
                      every: timedelta = HOUR) -> Checkpoint | None:
    """Make a checkpoint when the last is older than `every` and rows were added since; bring `place` up to date.

    Any number of processes may call it. Raises `AuditBroken`, and signs nothing, when the chain or the second place
    does not fit what was signed before; `PlaceRefused` when the second place cannot be written. What it lacks is
    brought over by a later call.
    """
    if place is not None:
        export(db, place)
    with db.reading() as session:
        last, end = latest(session), audit.head(session)
    if end.count == (last.count if last else 0):
        return None
    if last is not None and now() - datetime.fromisoformat(last.at) < every:
        return None
    made = make(db, signer)
    if place is not None:
        export(db, place)
    return made


def make(db: Database, signer: Signer) -> Checkpoint | None:
    """Sign what the audit is now. None when no row was added since the last one, or another process was quicker.

    Raises `AuditBroken` when a row since the last checkpoint does not fit, or rows are gone.
    """
    with db.snapshot() as session:
        row = session.scalars(select(AuditCheckpoint).order_by(col(AuditCheckpoint.number).desc()).limit(1)).first()
        last, end = _checkpoint(row) if row else None, audit.head(session)
        if last is not None and end.count < last.count:
            raise AuditBroken(f"{end.count} rows, but checkpoint {last.number} was made over {last.count}")
        if end.count == (last.count if last else 0):
            return None
        tree = Tree(row.count, [bytes.fromhex(p) for p in row.peaks.split()]) if row else Tree()
        for seq, digest, problem in audit.walk(session, audit.Anchor(last.count, last.digest) if last else None):
            if problem:
                raise AuditBroken(f"row {seq}: {problem}")
            tree.add(bytes.fromhex(digest))
    if tree.count != end.count:
        raise AuditBroken(f"row {tree.count + 1}: cut")
    made = signer.sign(Checkpoint(
        (last.number if last else 0) + 1, now().isoformat(timespec="seconds"), end.count, tree.root().hex(),
        end.digest, last.hash() if last else "", signer.public.id))
    try:
        with db.session() as session:
            session.add(AuditCheckpoint(**asdict(made), peaks=" ".join(p.hex() for p in tree.peaks)))
    except DatabaseConflict:
        return None
    return made


def latest(session: Session) -> Checkpoint | None:
    """The newest checkpoint of the database."""
    row = session.scalars(select(AuditCheckpoint).order_by(col(AuditCheckpoint.number).desc()).limit(1)).first()
    return _checkpoint(row) if row else None


def stored(session: Session, after: int = 0) -> tuple[Checkpoint, ...]:
    """The checkpoints of the database, in order."""
    return tuple(_checkpoint(row) for row in session.scalars(
        select(AuditCheckpoint).where(AuditCheckpoint.number > after).order_by(col(AuditCheckpoint.number))))


# ---------------------------------------------------------------------------------------- the second place

def export(db: Database, place: Path) -> int:
    """Add to the second place, one JSON object a line, what it does not hold yet; returns how many lines.

    Raises `AuditBroken` when its last line is not a checkpoint of this database: an older database was put in the
    place of a newer one, or one was made anew. `PlaceRefused` when it cannot be written.
    """
    try:
        handle = os.open(place, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    except OSError as exc:
        raise PlaceRefused(type(exc).__name__) from None
    with os.fdopen(handle, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = _read(file.read())
        except OSError as exc:
            raise PlaceRefused(type(exc).__name__) from None
        with db.reading() as session:
            lacking = stored(session, after=known[-1].number - 1 if known else 0)
        if known:
            if not lacking or lacking[0] != known[-1]:
                raise AuditBroken(f"checkpoint {known[-1].number} of the second place is not in the database")
            lacking = lacking[1:]
        try:
            file.write("".join(json.dumps(asdict(one)) + "\n" for one in lacking).encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError as exc:
            raise PlaceRefused(type(exc).__name__) from None
    return len(lacking)


def read(place: Path) -> tuple[Checkpoint, ...]:
    """The checkpoints of an exported file. Raises `CheckpointsUnreadable` naming the line."""
    try:
        return _read(place.read_bytes())
    except OSError as exc:
        raise CheckpointsUnreadable(type(exc).__name__) from None


def _read(data: bytes) -> tuple[Checkpoint, ...]:
    found: list[Checkpoint] = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            one = Checkpoint(**json.loads(line))
        except (ValueError, TypeError):
            raise CheckpointsUnreadable(f"line {number}") from None
        if not all(isinstance(getattr(one, name), kind) for name, kind in _TYPES.items()):
            raise CheckpointsUnreadable(f"line {number}")
        found.append(one)
    return tuple(found)


_TYPES: dict[str, type] = {"number": int, "count": int} | dict.fromkeys(
    ("at", "root", "digest", "previous", "key_id", "signature"), str)


def _checkpoint(row: AuditCheckpoint) -> Checkpoint:
    return Checkpoint(row.number, row.at, row.count, row.root, row.digest, row.previous, row.key_id, row.signature)


# --------------------------------------------------------------------------------------------- verification

@dataclass(frozen=True, slots=True)
class Problem:
    """A checkpoint that does not fit. The first row that may be wrong is `row` (None: none in particular).

    `trouble`: "cut" (the audit is shorter than what was signed: its tail was cut, or an older database put in its
    place), "rewritten" (other rows than those signed), "unreached" (the chain breaks before), "signature" (not
    signed by its key, or changed), "unknown-key", "missing" (a checkpoint before it is not there), "order" (does not
    follow the one before), "differs" (database and second place say different things), "not-in-database".
    """

    number: int
    count: int
    trouble: Trouble
    row: int | None = None

    def __str__(self) -> str:
        row = f", from row {self.row}" if self.row else ""
        return f"checkpoint {self.number} over {self.count} rows: {self.trouble}{row}"


@dataclass(frozen=True, slots=True)
class Verified:
    """The chain's own result, how many checkpoints were looked at, how many rows they vouch for, what does not fit.

    `signed` is False when no key was given, so that signatures were not looked at.
    """

    chain: audit.VerifyResult
    checkpoints: int
    vouched: int
    problems: tuple[Problem, ...]
    signed: bool

    @property
    def ok(self) -> bool:
        """True when chain and checkpoints fit."""
        return self.chain.ok and not self.problems


def verify(session: Session, keys: Mapping[str, PublicKey], exported: Sequence[Checkpoint] = (), *,
           anchor: audit.Anchor | None = None) -> Verified:
    """Walk the chain once and hold every checkpoint, of the database and exported, against it.

    `keys` by id; with none, signatures are not looked at. Use `Database.snapshot()`. Memory grows with the number of
    checkpoints (one an hour), not of rows.
    """
    own = stored(session)
    every = sorted({*own, *exported}, key=lambda one: (one.count, one.number))
    wanted = {one.count for one in every}
    roots: dict[int, tuple[str, str]] = {}
    tree = Tree()

    def each(seq: int, digest: str) -> None:
        tree.add(bytes.fromhex(digest))
        if seq in wanted:
            roots[seq] = tree.root().hex(), digest

    chain = audit.verify(session, anchor, each=each)
    problems = [*_in_order(own), *_in_order(exported), *_same(own, exported)]
    good = 0
    for one in every:
        key = keys.get(one.key_id)
        if keys and (key is None or not key.signed(one)):
            problems.append(Problem(one.number, one.count, "signature" if key else "unknown-key"))
        elif one.count not in roots:
            trouble: Trouble = "cut" if chain.ok or chain.problem == "cut" else "unreached"
            problems.append(Problem(one.number, one.count, trouble, tree.count + 1))
        elif roots[one.count] != (one.root, one.digest):
            problems.append(Problem(one.number, one.count, "rewritten", good + 1))
        else:
            good = one.count
    unique = sorted(set(problems), key=lambda p: (p.number, p.trouble))
    return Verified(chain, len(every), good, tuple(unique), bool(keys))


def _in_order(these: Iterable[Checkpoint]) -> Iterable[Problem]:
    """Each follows the one before; the first is number one."""
    number, previous = 0, ""
    for one in these:
        if one.number != number + 1:
            yield Problem(one.number, one.count, "missing")
        elif one.previous != previous:
            yield Problem(one.number, one.count, "order")
        number, previous = one.number, one.hash()


def _same(own: Iterable[Checkpoint], exported: Iterable[Checkpoint]) -> Iterable[Problem]:
    """What was exported is in the database, word for word."""
    known = {one.number: one for one in own}
    for one in exported:
        if one.number not in known:
            yield Problem(one.number, one.count, "not-in-database")
        elif known[one.number] != one:
            yield Problem(one.number, one.count, "differs")
