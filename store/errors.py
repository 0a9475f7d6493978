"""Errors of the store.

    MailweirError (pii_scan/errors.py)
    `-- StoreError
        |-- DatabaseMissing     there is no database where the settings say
        |-- DatabaseLocked      another process holds the write lock for too long: try later
        |   `-- DatabaseAway    the server restarts or cannot be reached: try later
        |-- DatabaseOutdated    the schema is older or newer than this program
        |-- DatabaseCorrupt     the file is damaged or is not a database
        |-- DatabaseRefused     the database refuses the work (full disk, read-only, no connection)
        |-- DatabaseConflict    a rule of the database (unique, foreign key) was broken
        |-- KeyMissing          there is no master key
        |-- KeyUnsafe           other people may read the key file
        |-- KeyWrong            the master key is damaged or belongs to another database
        |-- ContentUnreadable   encrypted content does not fit its row or was changed
        |-- ContentDestroyed    the content's key was destroyed; nobody can read it again
        |-- StaleCursor         another watcher has moved the folder on
        |-- NotFound            no such capture, case, notice or record
        |-- RolesClash          two roles that nobody may hold together
        |-- AllowRefused        an allow rule is too wide, untested, or approved by its own author
        |-- NotAllowed          this person may not do this to this thing
        |-- BadState            the step does not follow from the state the item is in
        |-- BadAuditBody        an audit event that is not in the list, or whose facts are free text
        |-- AuditBroken         the audit chain does not verify
        |-- PlaceRefused        a checkpoint cannot be written to its second place
        |-- CheckpointsUnreadable  a file of checkpoints or a public key is not whole
        `-- ImportRefused       a CSV file cannot be imported as it stands
"""

from __future__ import annotations

from pii_scan.errors import MailweirError


class StoreError(MailweirError):
    """The store could not do what was asked, and nothing was changed."""

    code = "store-failed"
    hint = "Run `mailweir doctor`."


class DatabaseMissing(StoreError):
    """There is no mailweir database where the settings say."""

    code = "database-missing"
    hint = "Run `mailweir init`, or correct `store.database` in settings.toml."


class DatabaseLocked(StoreError):
    """The database is busy: another process held the write lock for too long."""

    code = "database-locked"
    hint = "Wait and try again; if it lasts, look for a second program that has the file open."


class DatabaseAway(DatabaseLocked):
    """The database server cannot be reached: it restarts, was stopped, or the network is down."""

    code = "database-away"
    hint = "Nothing to do during a restart: mailweir tries again. If it lasts, look at the server and `store.database`."


class DatabaseOutdated(StoreError):
    """The database was made by another version of mailweir."""

    code = "database-outdated"
    hint = "Make a backup, then run `mailweir init` with the newer of the two versions; it upgrades in place."


class DatabaseCorrupt(StoreError):
    """The database file is damaged or is not a database."""

    code = "database-corrupt"
    hint = "Stop mailweir, keep the file, and restore the last backup."


class DatabaseRefused(StoreError):
    """The database refuses the work."""

    code = "database-refused"
    hint = ("Check that the disk is not full and the folder is writable; on PostgreSQL run `mailweir db check`. "
            "Upgrades need the owner's URL in MAILWEIR_OWNER_DATABASE.")


class DatabaseConflict(StoreError):
    """Two changes contradict each other, so the later one was not made."""

    code = "database-conflict"
    hint = "Try again; if it comes back, report it with the facts in brackets."


class KeyMissing(StoreError):
    """There is no master key, so held content can be neither written nor read."""

    code = "key-missing"
    hint = "Put the key file back from its backup, or set MAILWEIR_MASTER_KEY; `mailweir init` makes a first one."


class KeyUnsafe(StoreError):
    """Other people may read the master key file, so it is not used."""

    code = "key-unsafe"
    hint = "Take the rights away (chmod 600) and consider making a new key."


class KeyWrong(StoreError):
    """The master key is damaged or is not the key of this database."""

    code = "key-wrong"
    hint = "Use the key this database was made with; with any other, held content cannot be read."


class ContentUnreadable(StoreError):
    """Encrypted content does not fit its row or was changed, so it is not shown."""

    code = "content-unreadable"
    hint = "Restore the row from a backup and run `mailweir audit verify`; somebody may have changed the file."


class ContentDestroyed(StoreError):
    """The key of this content was destroyed on purpose; nobody can read it again."""

    code = "content-destroyed"
    hint = "Nothing to do: `mailweir audit show` says who destroyed it and when."


class StaleCursor(StoreError):
    """Another watcher has moved this folder on meanwhile, so nothing of this page was kept."""

    code = "cursor-stale"
    hint = "Nothing to do: the folder is looked at again from where the other watcher left it."


class NotFound(StoreError):
    """There is no such record."""

    code = "not-found"
    hint = ("Check the id; `mailweir queue list`, `crm list`, `mailbox list`, `rescan --list`, `user list`, "
            "`policy allow list` show what there is.")


class RolesClash(StoreError):
    """Nobody may hold these two roles together."""

    code = "roles-clash"
    hint = "End the other role first; docs/operators/roles.md lists which roles stay apart."


class AllowRefused(StoreError):
    """The allow rule is not possible as asked, so nothing was changed."""

    code = "allow-refused"
    hint = "docs/operators/accountability.md says which rules there are; `mailweir policy allow list` shows them."


class NotAllowed(StoreError):
    """This person may not do this, so nothing was changed."""

    code = "not-allowed"
    hint = "docs/operators/roles.md lists who may do what. The rules of behaviour are signed at the first sign-in."

    def __init__(self, why: str = "") -> None:
        from store.access import REFUSALS  # here: the table needs nothing of ours, and only a refusal needs it

        super().__init__(f"{why}: {REFUSALS[why]}" if why in REFUSALS else why)
        self.why = why
        """a code of `store.access.REFUSALS`"""


class BadState(StoreError):
    """This step does not follow from the state the item is in, so nothing was changed."""

    code = "bad-state"
    hint = ("Look with `mailweir queue show CASE`, `rescan --list`, `audit week` or `user list`; somebody may have "
            "changed it already.")


class ChangedMeanwhile(BadState):
    """Somebody else changed the record meanwhile, so nothing was saved."""

    code = "changed-meanwhile"
    hint = "Look at the record as it stands now, and make your change again if it is still needed."


class BadAuditBody(StoreError):
    """An audit event must be in the list and hold ids, counts and codes only."""

    code = "audit-refused"
    hint = "This is a fault of the program: report it with the facts in brackets."


class AuditBroken(StoreError):
    """The audit chain does not verify: a row was changed, added or removed."""

    code = "audit-broken"
    hint = "Stop mailweir, keep a copy of the database, and tell the privacy office which row it is."


class PlaceRefused(StoreError):
    """A checkpoint of the audit could not be written to its second place."""

    code = "checkpoint-not-kept"
    hint = "Check `store.checkpoints` in settings.toml, the rights and the disk; it is written at the next try."


class CheckpointsUnreadable(StoreError):
    """The file of checkpoints or the public key cannot be read as such."""

    code = "checkpoints-unreadable"
    hint = "Name the file the checkpoints were written to, and the public key `mailweir audit key` printed."


class ImportRefused(StoreError):
    """The file cannot be imported as it stands, so nothing was imported."""

    code = "import-refused"
    hint = "Correct the lines named and import again; `--dry-run` checks without writing."
