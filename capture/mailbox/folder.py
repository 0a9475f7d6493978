"""A directory of mailboxes: `root/<user>/<folder>/.../<item>.eml`.

An item is tagged when its `Keywords:` header holds the category `Track in CRM`, or when it lies in a
folder of that name and carries no state category yet. The state is written back as a category
(`CRM: linked`, `CRM: held`) into the same header, so that any mail program shows it; nothing else of the
file changes. For the demo, for tests, and for exported mail that moves into the CRM.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import stat
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from pathlib import Path

from capture.errors import ItemGone, TryLater, Unreachable
from capture.ports import ItemRef, Mailbox, MailItem

log = logging.getLogger("mailweir.mailbox")

TAG = "Track in CRM"
STATE_PREFIX = "CRM: "
HEADER_BYTES = 256_000
"""How far into a file the header is looked for; a header block beyond that is not a mail's."""

_KEYWORDS = re.compile(rb"^keywords[ \t]*:(?P<value>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)(?:\r?\n|\Z)",
                       re.IGNORECASE | re.MULTILINE)
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")


class FolderMailbox:
    """The mailboxes below one directory. `ItemRef.mailbox` is the user folder's name, `key` the
    file's path below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._fetched: dict[ItemRef, bytes] = {}

    def tagged(self) -> Iterator[ItemRef]:
        """Yield tagged items, oldest file first within a mailbox.

        Raises `Unreachable` when the root is not a readable directory. A folder or file that vanishes
        meanwhile is passed over: it is found again at its new place, because its tag travels with it.
        """
        try:
            folders = sorted(p for p in self.root.iterdir() if p.is_dir() and not p.is_symlink())
        except OSError as exc:
            raise Unreachable(f"{self.root}: {type(exc).__name__}") from None
        users = [folder for folder in folders if _is_text(folder.name)]
        if len(users) < len(folders):
            log.warning("%d mailboxes have names that are not UTF-8 and are not read", len(folders) - len(users))
        for user in users:
            for path in _oldest_first(user):
                try:
                    is_tagged = self._is_tagged(path, user)
                except FileNotFoundError:
                    continue
                except OSError:
                    # We cannot see whether it is tagged. In the tag folder it is: let fetch report it.
                    is_tagged = TAG in path.relative_to(user).parts[:-1]
                if is_tagged:
                    yield ItemRef(user.name, path.relative_to(user).as_posix())

    def fetch(self, ref: ItemRef) -> MailItem:
        """Return the file's bytes. Raises `ItemGone` when it is not there any more."""
        try:
            raw = self._path(ref).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise ItemGone from None
        except OSError as exc:
            raise TryLater(f"mailbox file, {type(exc).__name__}") from None
        self._fetched[ref] = _content_of(raw)
        return MailItem(ref, raw)

    def mark(self, ref: ItemRef, state: str) -> None:
        """Replace our categories by `CRM: <state>`; every other category and byte stays.

        The file is replaced in one step (write beside it, sync, rename), so a crash leaves either the
        old or the new file. An item that is gone is left alone: there is nobody to show the state to.
        """
        path = self._path(ref)
        try:
            raw = path.read_bytes()
            status = path.stat()
            new = with_state(raw, state)
            if new == raw:
                return
            if self._fetched.get(ref, _content_of(raw)) != _content_of(raw):
                return  # another mail took its place meanwhile: it keeps its tag and is found again
            beside = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]}.mailweir")
            with beside.open("wb") as file:
                file.write(new)
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(status.st_mode & 0o777)
            os.utime(beside, ns=(status.st_atime_ns, status.st_mtime_ns))
            beside.replace(path)
            self._fetched.pop(ref, None)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as exc:
            raise TryLater(f"mailbox file, {type(exc).__name__}") from None

    def _path(self, ref: ItemRef) -> Path:
        path = self.root / ref.mailbox / ref.key
        if ".." in Path(ref.key).parts or Path(ref.key).is_absolute() or "/" in ref.mailbox:
            raise ItemGone
        return path

    @staticmethod
    def _is_tagged(path: Path, user: Path) -> bool:
        with path.open("rb") as file:
            found = categories(file.read(HEADER_BYTES))
        if TAG.casefold() in {c.casefold() for c in found}:
            return True
        in_tag_folder = TAG in path.relative_to(user).parts[:-1]
        return in_tag_folder and not any(c.startswith(STATE_PREFIX) for c in found)


def _is_text(name: str) -> bool:
    """Whether a file name can be stored as text; bytes that are no UTF-8 come as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _content_of(raw: bytes) -> bytes:
    """A digest of a mail without its categories."""
    header = _header_of(raw)
    return hashlib.sha256(_KEYWORDS.sub(b"", header) + raw[len(header):]).digest()


def categories(raw: bytes) -> list[str]:
    """The categories of a mail: the `Keywords:` headers, split at commas."""
    names: list[str] = []
    for match in _KEYWORDS.finditer(_header_of(raw)):
        value = " ".join(match["value"].decode("utf-8", "replace").split())
        with contextlib.suppress(ValueError, LookupError, MessageError):  # another program's; ours are plain
            value = str(make_header(decode_header(value)))
        names += [name.strip() for name in value.split(",") if name.strip()]
    return names


def with_state(raw: bytes, state: str) -> bytes:
    """The same mail with our tag and states taken out and `CRM: <state>` put in."""
    kept = [c for c in categories(raw)
            if c.casefold() != TAG.casefold() and not c.startswith(STATE_PREFIX)]
    header = _header_of(raw)
    newline = b"\r\n" if b"\r\n" in header[:2000] else b"\n"
    line = b"Keywords: " + ", ".join([*kept, STATE_PREFIX + state]).encode("utf-8") + newline
    rest = raw[len(header):]
    first = True

    def once(_: re.Match[bytes]) -> bytes:
        nonlocal first
        replacement, first = (line if first else b""), False
        return replacement

    changed = _KEYWORDS.sub(once, header)
    return (changed if not first else line + header) + rest


def _header_of(raw: bytes) -> bytes:
    """The header block with its last line break."""
    if raw.startswith((b"\n", b"\r\n")):
        return b""
    end = _END_OF_HEADER.search(raw, 0, HEADER_BYTES)
    if end is None:
        return raw[:HEADER_BYTES]
    return raw[:end.start()] + (b"\r\n" if end.group().startswith(b"\r") else b"\n")


def _oldest_first(user: Path) -> list[Path]:
    """All .eml files of a mailbox; links and our own half-written files are no items."""
    found: list[tuple[int, str, Path]] = []
    for folder, _, names in os.walk(user):  # an unreadable or vanished folder is skipped by walk
        for name in names:
            path = Path(folder, name)
            if name.lower().endswith(".eml") and not name.startswith(".") and not path.is_symlink():
                try:
                    status = path.stat()
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
                    found.append((status.st_mtime_ns, str(path), path))
    return [path for _, _, path in sorted(found)]


_: type[Mailbox] = FolderMailbox
