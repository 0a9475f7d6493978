"""First start and every start: schema, master key, and that the two belong together.

    prepare(db, keys)     `mailweir init`: make or upgrade the schema, tie the key to the database
    check(db, keys)       every start: right schema, right key
"""

from __future__ import annotations

from sqlmodel import select

from store import audit
from store.crypto import Keys
from store.database import Database, head_version, require_current, schema_version, upgrade
from store.errors import KeyMissing, KeyWrong
from store.tables import Meta

_VERIFIER = "key-verifier"
_KEY_ID = "key-id"
_SCHEMA = "schema"


def prepare(db: Database, keys: Keys, *, actor: str = "mailweir") -> str:
    """Make or upgrade the schema, tie the master key to the database, and return the schema version.

    Raises `KeyWrong` before anything is written when the database belongs to another key.
    """
    if schema_version(db):
        _compare(db, keys, must=False)
    upgrade(db)
    after = head_version()
    with db.session() as session:
        audit.lock(session)  # two processes may prepare at once; the second finds what the first wrote
        schema = session.get(Meta, _SCHEMA)
        if schema is None:
            session.add_all([Meta(name=_SCHEMA, value=after), Meta(name=_KEY_ID, value=keys.id),
                             Meta(name=_VERIFIER, value=keys.verifier())])
            audit.append(session, "store:database:created", actor=actor, body={"version": after})
            audit.append(session, "store:key:bound", actor=actor, subject=keys.id)
        elif schema.value != after:
            audit.append(session, "store:database:upgraded", actor=actor,
                         body={"from": schema.value, "to": after})
            schema.value = after
    check_key(db, keys)
    return after


def check(db: Database, keys: Keys) -> None:
    """For every start: the schema is this program's and the master key is this database's.

    Raises `DatabaseMissing`, `DatabaseOutdated`, `KeyMissing` or `KeyWrong`.
    """
    require_current(db)
    check_key(db, keys)


def check_key(db: Database, keys: Keys) -> None:
    """Raise `KeyWrong` when the database was made with another master key, `KeyMissing` with none."""
    _compare(db, keys, must=True)


def is_bound(db: Database) -> bool:
    """True when the database is tied to a master key already, so that making a new one would be wrong."""
    if not schema_version(db):
        return False
    with db.reading() as session:
        return session.get(Meta, _VERIFIER) is not None


def _compare(db: Database, keys: Keys, *, must: bool) -> None:
    with db.reading() as session:
        known = {row.name: row.value for row in session.scalars(select(Meta))}
    if _VERIFIER not in known:
        if must:
            raise KeyMissing("the database is not tied to a key yet; run `mailweir init`")
        return
    if known[_VERIFIER] != keys.verifier():
        raise KeyWrong(f"the database was made with key {known.get(_KEY_ID, '?')}, this is key {keys.id}")
