"""The content of an activity: as Dataverse keeps it, as canonical bytes, as a mail for the scanner, as a stub."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from capture.crm.asmail import StoredFile, as_mail
from capture.crm.dataverse_tables import (
    ADDRESS_LENGTH,
    FROM,
    NOTES,
    OF_NAME,
    PARTY_NAME_LENGTH,
    ROLES,
    TO,
    USERS,
    Table,
)
from capture.crm.embedded import STUB_BODY, STUB_SUBJECT
from capture.ports import StoredKind
from store.crm_records import storable

_BREAK: Final = "<br>\n"
_TAG: Final = re.compile(r"<[/!a-zA-Z][^>]*>")


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody of an activity: what they are to it (participationtypemask), their address, and the row that stands
    for them ("" when none does; then the address alone is kept)."""

    mask: int
    address: str
    name: str = ""
    table: str = ""
    row: str = ""

    def body(self) -> dict[str, Any]:
        """As Dataverse takes it."""
        made: dict[str, Any] = {"participationtypemask": self.mask}
        if self.address:
            made["addressused"] = self.address[:ADDRESS_LENGTH]
        target = USERS if self.table == USERS.name else OF_NAME.get(self.table)
        if self.row and target:
            made[f"partyid_{target.name}@odata.bind"] = f"/{target.path}({self.row})"
        elif self.name:
            made["unresolvedpartyname"] = self.name[:PARTY_NAME_LENGTH]
        return made


@dataclass(frozen=True, slots=True, repr=False)
class File:
    """A file of an activity. `text` and `subject` are what a person wrote beside it (notes only); `row` its id and
    `size` its bytes, as Dataverse says. `note`: it is a note on an activity whose files are no notes."""

    number: int
    name: str
    content_type: str
    content: bytes
    subject: str = ""
    text: str = ""
    row: str = ""
    size: int = 0
    note: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """What is in an activity, and what goes out when it is pulled. `text` is the description as it is kept: HTML for
    mail."""

    subject: str = ""
    text: str = ""
    message_id: str = ""
    place: str = ""
    parties: tuple[Party, ...] = ()
    files: tuple[File, ...] = ()

    def to_bytes(self) -> bytes:
        """Canonical JSON, files in base64: the same bytes for the same content."""
        parties = sorted((p.mask, p.address.casefold(), p.row, p.table, "" if p.row else p.name) for p in self.parties)
        files = sorted((f.name, f.content_type, base64.b64encode(f.content).decode("ascii"), f.subject, f.text,
                        *(("note",) if f.note else ())) for f in self.files)
        tree = {"subject": self.subject, "text": self.text, "message_id": self.message_id, "place": self.place,
                "parties": parties, "files": files}
        return json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")

    def version(self) -> str:
        """The SHA-256 of the canonical bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def mark(self) -> str:
        """The SHA-256 of what a person would call the content: words and files, however they are laid out. Dataverse
        may lay them out anew when it keeps them, and find rows for addresses by itself."""
        files = sorted(f"{hashlib.sha256(f.content).hexdigest()} {bare(f.subject + f.text)}" for f in self.files)
        words = [bare(self.subject), bare(self.text), bare(self.place), *files]
        return hashlib.sha256("\n".join(words).encode("utf-8", "replace")).hexdigest()

    def unbound(self) -> Content:
        """The same without rows for the parties: for when one of them is gone."""
        return replace(self, parties=tuple(replace(p, table="", row="") for p in self.parties))


def from_bytes(data: bytes) -> Content:
    """The content that `to_bytes` wrote."""
    tree = json.loads(data)
    return Content(
        tree["subject"], tree["text"], tree["message_id"], tree["place"],
        tuple(Party(mask, address, name, table, row) for mask, address, row, table, name in tree["parties"]),
        tuple(File(number, name, kind, base64.b64decode(content), subject, text, note=bool(note))
              for number, (name, kind, content, subject, text, *note) in enumerate(tree["files"], 1)))


def escaped(text: str) -> str:
    """Plain text as the HTML of a mail's description."""
    return html.escape(text, quote=False).replace("\n", _BREAK)


def bare(text: str) -> str:
    """The words of a text, without tags and blanks."""
    return "".join(html.unescape(_TAG.sub("", text)).split())


def plain_of(text: str) -> str | None:
    """The plain text that `escaped` made this of; None when it is other HTML."""
    plain = html.unescape(text.replace(_BREAK, "\n"))
    return plain if escaped(plain) == text else None


def clean(text: str) -> str:
    """Text Dataverse takes: no NUL, no half characters, lines ended by line feeds alone."""
    return storable(text).replace("\r\n", "\n").replace("\r", "\n")


def stub(table: Table, case: str, service: str) -> Content:
    """What stands in the place of what was pulled. `service` is our own user: a phone call must have both ends."""
    text = STUB_BODY.format(case=case)
    ends = (FROM, TO) if table.kind is StoredKind.PHONE_CALL else ()
    return Content(STUB_SUBJECT, escaped(text) if table.html else text,
                   parties=tuple(Party(mask, "", "", USERS.name, service) for mask in ends))


def mail_of(table: Table, content: Content, sent: Any) -> bytes:
    """The content as a mail, so that it is read and scanned the way a mail is."""
    plain = plain_of(content.text) if table.html else content.text
    body = content.text if plain is None else plain
    people = [{"role": ROLES[p.mask], "name": p.name, "email": p.address} for p in content.parties if p.mask in ROLES]
    files: list[StoredFile] = []
    for file in content.files:
        if file.subject or file.text:
            words = f"{file.subject}\n{file.text}".encode("utf-8", "replace")
            files.append(StoredFile("note.txt", "text/plain", words))
        if file.content or not (file.subject or file.text):
            files.append(StoredFile(file.name, file.content_type, file.content))
    return as_mail(subject=content.subject, body=f"{body}\n{content.place}" if content.place else body,
                   html=plain is None, sent=sent, message_id=content.message_id.strip("<>"), participants=people,
                   files=files)


# ------------------------------------------------------------------------------------------------ rows of files

def file_body(table: Table, address: str, file: File) -> dict[str, Any]:
    """The row of a file of the activity at `address`."""
    made: dict[str, Any] = {f"objectid_{table.name}@odata.bind": address, "objecttypecode": table.name}
    content = base64.b64encode(file.content).decode("ascii")
    if file_path(table, file) == NOTES:
        made |= {"subject": file.subject, "notetext": file.text}
        if file.content or file.name:
            made |= {"filename": file.name, "mimetype": file.content_type, "documentbody": content, "isdocument": True}
        return made
    return made | {"subject": file.name, "filename": file.name, "mimetype": file.content_type, "body": content,
                   "attachmentnumber": file.number}


def file_path(table: Table, file: File) -> str:
    """The table a file of an activity is a row of."""
    return NOTES if file.note else table.file_path


def file_columns(path: str) -> tuple[str, str, str]:
    """(id, columns to list without the content, the column with the content) of a table of files."""
    if path == NOTES:
        return "annotationid", "annotationid,subject,notetext,filename,mimetype,filesize,isdocument", "documentbody"
    return ("activitymimeattachmentid", "activitymimeattachmentid,attachmentnumber,filename,mimetype,filesize", "body")


def listed_files(table: Table, raw: Mapping[str, Any]) -> list[File]:
    """The files of a row without their content, in order; then the notes on it."""
    files = _listed(table.file_path, raw.get(table.files) or [], 1)
    notes = _listed(NOTES, raw.get(table.notes) or [], len(files) + 1) if table.notes else []
    return [*files, *(replace(note, note=True) for note in notes)]


def _listed(path: str, rows: Sequence[Mapping[str, Any]], first: int) -> list[File]:
    key, _, _ = file_columns(path)
    notes = path == NOTES
    found = sorted(rows, key=lambda row: (row.get("attachmentnumber") or 0, str(row.get("filename") or ""),
                                          str(row[key])))
    return [File(number, word(row, "filename"), word(row, "mimetype"), b"", word(row, "subject") if notes else "",
                 word(row, "notetext") if notes else "", str(row[key]), int(row.get("filesize") or 0))
            for number, row in enumerate(found, first)]


def word(row: Mapping[str, Any], name: str) -> str:
    """A text column; "" when it is empty."""
    value = row.get(name)
    return "" if value is None else str(value)
