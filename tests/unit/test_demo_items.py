"""The demo mailboxes: complete, readable, the same every time, and telling what their table says."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import openpyxl
import pypdfium2
import pytest

from capture.demo import compose
from capture.demo.items import CRM_FILE, EXPECTED, ITEMS, TRACK, UNTOUCHED, build_mailboxes
from store.crm_import import read_lines


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "mailboxes"
    build_mailboxes(folder)
    return folder


def read(root: Path, file: str) -> EmailMessage:
    mail = message_from_bytes((root / file).read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def attachment(root: Path, file: str) -> bytes:
    (part,) = read(root, file).iter_attachments()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def test_every_item_lies_in_its_place_and_nothing_else_does(root: Path) -> None:
    on_disk = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert on_disk == {item.file for item in ITEMS} == set(EXPECTED) | UNTOUCHED
    assert Counter(EXPECTED.values()) == {"linked": 13, "held": 12}
    assert len(UNTOUCHED) == 4
    assert {path.name for path in root.iterdir()} == {"dana.reid", "marcus.lee", "priya.nair"}


@pytest.mark.parametrize("item", [pytest.param(item, id=item.story) for item in ITEMS])
def test_an_item_parses_without_a_defect_and_is_tagged_once(item, root: Path) -> None:
    mail = read(root, item.file)
    assert [part.defects for part in mail.walk() if part.defects] == []
    assert all(mail[header] for header in ("From", "To", "Subject", "Date"))
    tags = int(mail["Keywords"] == TRACK) + int(TRACK in Path(item.file).parts)
    assert tags == (0 if item.file in UNTOUCHED else 1)


def test_the_bytes_are_the_same_every_time(root: Path, tmp_path: Path) -> None:
    build_mailboxes(tmp_path)
    changed = [item.file for item in ITEMS
               if (tmp_path / item.file).read_bytes() != (root / item.file).read_bytes()]
    assert changed == []


def test_two_people_track_one_mail_and_one_mail_has_no_id(root: Path) -> None:
    counts = Counter(read(root, file)["Message-ID"] for file in EXPECTED)
    assert counts.pop(None) == 1
    assert sorted(counts.values())[-2:] == [1, 2]


def test_the_workbook_holds_real_dates(root: Path) -> None:
    data = attachment(root, "dana.reid/Projects/Fraserview/20-participants.eml")
    book = openpyxl.load_workbook(io.BytesIO(data))
    rows = list(book["May"].iter_rows(values_only=True))
    assert rows[0][2] == "Date of birth"
    assert all(isinstance(row[2], datetime) and 1970 < row[2].year < 2000 for row in rows[1:])
    assert len(rows) == 6


def test_the_invoice_has_text_and_the_scan_has_none(root: Path) -> None:
    invoice = pypdfium2.PdfDocument(attachment(root, "dana.reid/Track in CRM/11-invoice.eml"))
    scan = pypdfium2.PdfDocument(attachment(root, "dana.reid/Inbox/18-letter.eml"))
    try:
        assert "PO 77-20418" in invoice[0].get_textpage().get_text_bounded()
        assert scan[0].get_textpage().count_chars() == 0
        assert [part.type for part in scan[0].get_objects()] == [pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]
        pixels = scan[0].render(scale=1, grayscale=True).to_numpy()
        assert pixels.min() < 100 < 200 < pixels.max()  # there is writing on the page
    finally:
        invoice.close()
        scan.close()


def test_the_archive_opens_with_its_password_only(root: Path) -> None:
    data = attachment(root, "marcus.lee/Track in CRM/24-archive.eml")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (member,) = archive.infolist()
        assert member.flag_bits & 1
        with pytest.raises(RuntimeError, match="password required"):
            archive.read(member)
        assert archive.read(member, pwd=b"not-in-this-mail").startswith(b"Last name,First name")


def test_word_files_and_the_invitation_say_what_they_should(root: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(attachment(root, "marcus.lee/Inbox/16-note.eml"))) as note:
        assert b"9698 658 215" in note.read("word/document.xml")
    event = attachment(root, "dana.reid/Track in CRM/12-invitation.eml").decode()
    assert event.startswith("BEGIN:VCALENDAR\n") or event.startswith("BEGIN:VCALENDAR\r\n")
    (inner,) = read(root, "marcus.lee/Inbox/24-forward.eml").iter_attachments()
    assert inner.get_content_type() == "message/rfc822"
    assert "convicted" in inner.get_content().get_content()


def test_the_crm_file_knows_the_clients_and_not_the_strangers() -> None:
    with CRM_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = {row["email"] for row in rows}
    domains = {row["organisation_domain"] for row in rows}
    for person in (compose.SAMIRA, compose.TOM, compose.ROSE, compose.LEIF, compose.GURPREET, compose.ANNICK):
        assert person.email in known
        assert f"{person.name}, {person.title}, {person.phone}" in {
            f"{row['first_name']} {row['last_name']}, {row['title']}, {row['phone']}" for row in rows}
    assert compose.MOIRA.email not in known
    assert compose.MOIRA.email.partition("@")[2] in domains
    assert compose.WALLACE.email.partition("@")[2] not in domains


def test_the_importer_takes_the_crm_file() -> None:
    lines = read_lines(CRM_FILE.read_text(encoding="utf-8"))
    assert sum(line.is_contact for line in lines) == 6
    assert len({line.organisation for line in lines}) == 5
