"""A directory of mailboxes: `root/<user>/<folder>/.../<item>.eml` (mail) or `.ics` (appointments and tasks).

An item is tagged when its categories hold `Track in CRM` (`Keywords:` of a mail, `CATEGORIES` of an event or
task), or when it lies in a folder of that name. The state is written back as a category into the same place,
so that any program shows it, and our stamp beside it; nothing else of the file changes. For the demo, for
tests, and for exported mail that moves into the CRM.

Identity is the file's inode, which stays when the file is renamed or moved within the file system, together with a
digest of its head without our marks: a file system gives the inode of a deleted or replaced file to the next new
file, and that one must not be taken for the item before it. The cursor of a folder holds, for each item, 8 bytes of
its name's hash and 8 of its size, times and inode.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal

from capture.errors import ItemGone, Parked, TryLater, Unreachable
from capture.mailbox import composed, filemarks, states
from capture.mailbox.filemarks import Format
from capture.ports import Changes, Check, Folder, ItemRef, Mailbox, MailItem, Sighting, Stamp
from pii_scan.text import Unread

if TYPE_CHECKING:
    from capture.settings import Settings

log = logging.getLogger("mailweir.mailbox")

FORMATS: dict[str, Format] = {".eml": filemarks.MAIL, ".ics": filemarks.CALENDAR}
LEFT_OUT = frozenset({"deleted items", "trash", "junk email", "junk e-mail", "junk", "drafts", "outbox"})
"""Folder names (casefolded) that are not watched."""
PAGE = 100
"""Items of one page of changes."""
_KINDS: dict[str, Literal["mail", "sent", "calendar", "tasks"]] = {
    "sent": "sent", "sent items": "sent", "calendar": "calendar", "tasks": "tasks"}
_ENTRY = 16


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    status: os.stat_result

    def entry(self) -> bytes:
        """What the cursor keeps of it."""
        facts = f"{self.status.st_size} {self.status.st_mtime_ns} {self.status.st_ctime_ns} {_inode(self.status)}"
        return (hashlib.blake2b(os.fsencode(self.path.name), digest_size=8).digest()
                + hashlib.blake2b(facts.encode(), digest_size=8).digest())


class FolderMailbox:
    """The mailboxes below one directory. `ItemRef.mailbox` is the user folder's name, `key` the file's path below
    it. A file of more than `max_bytes` is held unread. `exclude`: names of folders that are not watched either."""

    def __init__(self, root: Path, *, trigger: str = states.TRIGGER, max_bytes: int = 50_000_000,
                 exclude: Sequence[str] = ()) -> None:
        self.root = root
        self._trigger, self._max = trigger, max_bytes
        self._left_out = LEFT_OUT | {name.casefold() for name in exclude}
        self._fetched: dict[tuple[str, str], bytes] = {}
        self._folders: dict[str, dict[str, Path]] = {}
        self._warned = False

    def mailboxes(self) -> Sequence[str]:
        """The user folders. Raises `Unreachable` when the root is not a readable directory."""
        try:
            folders = sorted(p for p in self.root.iterdir() if p.is_dir() and not p.is_symlink())
        except OSError as exc:
            raise Unreachable(f"{self.root}: {type(exc).__name__}") from None
        users = [folder.name for folder in folders if _is_text(folder.name)]
        if len(users) < len(folders) and not self._warned:
            self._warned = True
            log.warning("%d mailboxes have names that are not UTF-8 and are not read", len(folders) - len(users))
        return users

    def folders(self, mailbox: str) -> Sequence[Folder]:
        """Every directory of a mailbox but the left-out ones, at any depth; links are not followed."""
        user = self._user(mailbox)
        found: dict[str, Path] = {}
        listed: list[Folder] = []
        for folder, names, _ in os.walk(user):  # an unreadable or vanished folder is skipped by walk
            names[:] = sorted(n for n in names if n.casefold() not in self._left_out and not n.startswith("."))
            path = Path(folder)
            try:
                key = _inode(path.stat())
            except OSError:
                continue
            found[key] = path
            kind = _KINDS.get(path.name.casefold(), "mail")
            listed.append(Folder(mailbox, key, kind, path=path.relative_to(user).as_posix().removeprefix(".")))
        self._folders[mailbox] = found
        return listed

    def changes(self, folder: Folder, cursor: bytes) -> Changes:
        """The items of one directory that are new or other than the cursor says, oldest first."""
        known = {cursor[i:i + _ENTRY] for i in range(0, len(cursor), _ENTRY)}
        files = {file.entry(): file for file in self._files(self._directory(folder))}
        new = sorted((entry for entry in files if entry not in known),
                     key=lambda entry: (files[entry].status.st_mtime_ns, files[entry].path.name))
        page, rest = new[:PAGE], new[PAGE:]
        seen = (known & files.keys()) | set(page)
        sightings = [s for entry in page if (s := self._sighting(folder.mailbox, files[entry])) is not None]
        return Changes(tuple(sightings), b"".join(sorted(seen)), more=bool(rest))

    def tagged(self, mailbox: str) -> Iterator[Sighting]:
        """Yield tagged items, oldest file first. A folder or file that vanishes meanwhile is passed over."""
        files = [file for folder in self.folders(mailbox)
                 for file in self._files(self._folders[mailbox][folder.key], vanished_is_empty=True)]
        for file in sorted(files, key=lambda file: (file.status.st_mtime_ns, str(file.path))):
            sighting = self._sighting(mailbox, file)
            if sighting is not None and sighting.tagged:
                yield sighting

    def fetch(self, ref: ItemRef) -> MailItem:
        """Return the file's bytes without our stamp, or a mail put together from a calendar file.

        Raises `ItemGone` when it is not there any more. Of a file over the size limit only the header is read.
        """
        path = self._path(ref)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                raw = file.read(min(status.st_size, self._max) if status.st_size <= self._max
                                else filemarks.HEADER_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise ItemGone from None
        except OSError as exc:
            raise TryLater(f"mailbox file, {type(exc).__name__}") from None
        style = FORMATS[path.suffix.lower()]
        fresh = ItemRef(ref.mailbox, ref.key, style.kind(raw), _identity(style, status, raw))
        if status.st_size > self._max:
            return MailItem(fresh, filemarks.header_of(raw) + b"\n", unread=(Unread("item", "too_large"),))
        self._fetched[ref.mailbox, fresh.identity] = _digest(style, raw)
        if style is filemarks.MAIL:
            empty = not filemarks.plain_mail(raw).strip()  # our own mark alone makes no mail of an empty file
            return MailItem(fresh, b"" if empty else filemarks.without_stamp(raw), private=style.private(raw))
        return MailItem(fresh, composed.from_calendar(filemarks.ics_plain(raw)), private=style.private(raw))

    def mark(self, ref: ItemRef, state: str, stamp: Stamp | None = None) -> ItemRef:
        """Replace our categories by `CRM: <state>`; every other category and byte stays.

        The file is replaced in one step (write beside it, sync, rename), so a crash leaves either the old or the
        new file. Raises `ItemGone` when another item took the place meanwhile: it keeps its tag.
        """
        path = self._path(ref)
        style = FORMATS[path.suffix.lower()]
        try:
            raw = path.read_bytes()
            status = path.stat()
            identity = _identity(style, status, raw)
            digest = _digest(style, raw)
            if (ref.identity and ref.identity != identity) or self._fetched.get(
                    (ref.mailbox, identity), digest) != digest:
                raise ItemGone
            new = style.marked(raw, state, stamp, self._trigger)
            if new != raw:
                self._replace(path, new, status)
                self._fetched.pop((ref.mailbox, identity), None)
                identity = _identity(style, path.stat(), new)
                if state == states.PENDING:
                    self._fetched[ref.mailbox, identity] = digest
        except (FileNotFoundError, NotADirectoryError):
            raise ItemGone from None
        except OSError as exc:
            raise TryLater(f"mailbox file, {type(exc).__name__}") from None
        return ItemRef(ref.mailbox, ref.key, style.kind(raw), identity)

    def locate(self, ref: ItemRef, capture: str = "", message_id: str = "") -> ItemRef | None:
        """Look through the mailbox for the identity, our stamp, or the Message-ID. A mailbox whose directory was taken
        away below a readable root took its items along. Raises `Unreachable` when the root is away."""
        if ref.mailbox not in self.mailboxes():
            return None
        by_stamp: ItemRef | None = None
        by_message: ItemRef | None = None
        for folder in self.folders(ref.mailbox):
            for file in self._files(self._folders[ref.mailbox][folder.key], vanished_is_empty=True):
                same_inode = ref.identity.startswith(_inode(file.status) + "-")
                if not (same_inode or capture or message_id):
                    continue
                head = self._head(file)
                style = FORMATS[file.path.suffix.lower()]
                if same_inode and ref.identity == _identity(style, file.status, head):
                    return self._ref(ref.mailbox, file, head)
                stamp = style.stamp(head)
                if capture and stamp is not None and stamp.capture == capture:
                    by_stamp = self._ref(ref.mailbox, file, head)
                elif message_id and composed.message_id_of(head) == message_id.strip().strip("<>"):
                    by_message = self._ref(ref.mailbox, file, head)
        return by_stamp or by_message

    def wakeups(self, stop: Event) -> Iterator[str]:  # noqa: ARG002 - the protocol asks for it
        """Nothing wakes: the poll is quick here."""
        yield from ()

    def check(self, mailbox: str) -> Sequence[Check]:
        """Whether the directory is there and may be read and written."""
        path = self.root / mailbox
        if not path.is_dir():
            return [Check("mailbox-there", fine=False, detail="no such directory below mailbox.root",
                          hint="Make the directory, or correct mailbox.root.")]
        may = os.access(path, os.R_OK | os.X_OK)
        write = os.access(path, os.W_OK)
        return [Check("mailbox-there", fine=True, detail="the directory is there"),
                Check("mailbox-read", may, "may be read" if may else "may not be read",
                      "" if may else "Give the service's user the right to read and enter it."),
                Check("mailbox-write", write, "may be written" if write else "may not be written: no state is shown",
                      "" if write else "Give the service's user the right to write.")]

    def close(self) -> None:
        """Nothing is held open."""

    # ------------------------------------------------------------------------------------------- inside

    def _user(self, mailbox: str) -> Path:
        path = self.root / mailbox
        if "/" in mailbox or mailbox in (".", "..") or path.is_symlink() or not path.is_dir():
            self.mailboxes()  # raises when the whole root is away
            raise Parked("no such directory below mailbox.root")
        return path

    def _directory(self, folder: Folder) -> Path:
        """Where a folder is now. Raises `ItemGone` when it is gone."""
        for fresh in (False, True):
            if fresh:
                self.folders(folder.mailbox)
            path = self._folders.get(folder.mailbox, {}).get(folder.key)
            try:
                if path is not None and _inode(path.stat()) == folder.key:
                    return path
            except OSError:
                continue
        raise ItemGone

    def _files(self, directory: Path, *, vanished_is_empty: bool = False) -> Iterator[_File]:
        """The items of one directory; links and our own half-written files are no items."""
        try:
            entries = list(os.scandir(directory))
        except (FileNotFoundError, NotADirectoryError):
            if vanished_is_empty:
                return
            raise ItemGone from None
        except OSError as exc:
            raise TryLater(f"mailbox folder, {type(exc).__name__}") from None
        for entry in entries:
            if entry.name.startswith(".") or Path(entry.name).suffix.lower() not in FORMATS or entry.is_symlink():
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
                yield _File(Path(entry.path), status)

    def _sighting(self, mailbox: str, file: _File) -> Sighting | None:
        try:
            head = self._head(file)
        except FileNotFoundError:
            return None
        except OSError:
            # We cannot see whether it is tagged; in a trigger folder it is, and fetching reports the trouble.
            return Sighting(self._ref(mailbox, file, b""))
        style = FORMATS[file.path.suffix.lower()]
        found = style.categories(head)
        return Sighting(self._ref(mailbox, file, head), tagged=states.is_tagged(found, self._trigger),
                        state=states.state_of(found), stamp=style.stamp(head), draft=style.draft(head))

    def _ref(self, mailbox: str, file: _File, head: bytes) -> ItemRef:
        style = FORMATS[file.path.suffix.lower()]
        return ItemRef(mailbox, file.path.relative_to(self.root / mailbox).as_posix(), style.kind(head),
                       _identity(style, file.status, head))

    @staticmethod
    def _head(file: _File) -> bytes:
        with file.path.open("rb") as opened:
            return opened.read(filemarks.HEADER_BYTES)

    def _path(self, ref: ItemRef) -> Path:
        path = self.root / ref.mailbox / ref.key
        if ".." in Path(ref.key).parts or Path(ref.key).is_absolute() or "/" in ref.mailbox or (
                path.suffix.lower() not in FORMATS):
            raise ItemGone
        return path

    @staticmethod
    def _replace(path: Path, new: bytes, status: os.stat_result) -> None:
        beside = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]}.mailweir")
        with beside.open("wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(status.st_mode & 0o777)
        os.utime(beside, ns=(status.st_atime_ns, status.st_mtime_ns))
        beside.replace(path)


def from_settings(settings: Settings) -> FolderMailbox:
    """The backend of a home."""
    chosen = settings.mailbox
    return FolderMailbox(settings.mailbox_root, trigger=chosen.trigger, exclude=chosen.exclude,
                         max_bytes=settings.extract.item_bytes)


def _inode(status: os.stat_result) -> str:
    return f"{status.st_dev:x}-{status.st_ino:x}"


def _identity(style: Format, status: os.stat_result, head: bytes) -> str:
    """What an item is recognised by. `head`: the file, or at least its first `HEADER_BYTES`."""
    return f"{_inode(status)}-{hashlib.sha256(style.head(head)).hexdigest()[:16]}"


def _is_text(name: str) -> bool:
    """Whether a file name can be stored as text; bytes that are no UTF-8 come as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _digest(style: Format, raw: bytes) -> bytes:
    """A digest of an item without categories and stamp."""
    return hashlib.sha256(style.without_marks(raw)).digest()


_: type[Mailbox] = FolderMailbox
