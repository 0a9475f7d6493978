"""The redacted copy: what is cut out, what is built anew, what is refused."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import io
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage

import openpyxl
import pytest
from masked import SECRET, masks, whole

from capture.demo import files
from capture.extract import SandboxedExtractor
from capture.masked import BadRef, Masked, TableView, TextView
from capture.redacting import office
from capture.redaction import NotClean, Redacted, redact, suggested
from pii_scan.engine import Scanner
from pii_scan.findings import Report
from pii_scan.text import Block, Extraction

DOCX = ("application", "vnd.openxmlformats-officedocument.wordprocessingml.document")
XLSX = ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet")
HEALTH = "Irene has been diagnosed with breast cancer and starts chemo on Monday."
ROSTER = [["Family name", "Given name", "Student no.", "DOB"], ["Tallio", "Marcus", "20417733", "1996-04-18"],
          ["Pfeiffer", "Dagny", "20418201", "1989-11-02"], ["Sandhu", "Gurleen", "20417960", "2000-01-27"]]


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner()


@pytest.fixture(scope="module")
def extractor() -> Iterator[SandboxedExtractor]:
    with SandboxedExtractor(ocr=False) as one:
        yield one


class Desk:
    """One mail as a reviewer has it."""

    def __init__(self, mail: EmailMessage, extractor: SandboxedExtractor, scanner: Scanner) -> None:
        self.raw = mail.as_bytes()
        self.extractor, self.scanner = extractor, scanner
        self.extraction: Extraction = extractor.extract(self.raw)
        self.report: Report = scanner.scan(self.extraction)

    def redact(self, *refs: str) -> Redacted:
        return redact(self.raw, self.extraction, self.report, refs, secret=SECRET, extractor=self.extractor,
                      scanner=self.scanner)

    @property
    def suggested(self) -> tuple[str, ...]:
        return suggested(self.extraction, self.report, secret=SECRET)

    @property
    def counted(self) -> list[Masked]:
        return [m for m in masks(whole(self.extraction, self.report)) if m.counts]


def letter(text: str, *, html: str = "", subject: str = "Cohort 2 trainer") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Gurpreet Dhami <gurpreet.dhami@example.com>"
    mail["To"] = "Marcus Lee <marcus.lee@example.org>"
    mail["Subject"] = subject
    mail["Date"] = "Thu, 19 Mar 2026 10:00:00 -0700"
    mail["Message-ID"] = "<dhami-cohort2@example.com>"
    mail["In-Reply-To"] = "<earlier@example.org>"
    mail["X-Mailer"] = "a secret mailer"
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


def produced(redacted: Redacted) -> EmailMessage:
    mail = email.message_from_bytes(redacted.mail, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def text_of(redacted: Redacted) -> str:
    body = produced(redacted).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def attached(redacted: Redacted) -> list[tuple[str, bytes]]:
    files_ = []
    for part in produced(redacted).iter_attachments():
        content = part.get_content()
        files_.append((str(part.get_filename()), content.encode() if isinstance(content, str) else content))
    return files_


@pytest.fixture(scope="module")
def sick(extractor: SandboxedExtractor, scanner: Scanner) -> Desk:
    text = f"Hi Marcus,\n\nWe need another trainer. {HEALTH} The room is booked.\n\nGurpreet"
    html = (f"<p>Hi Marcus,</p><p>We need another trainer. {HEALTH} The room is booked.</p>"
            '<a href="https://example.net/irene?id=7">plan</a><p>Gurpreet</p>')
    return Desk(letter(text, html=html), extractor, scanner)


def test_the_sentence_goes_everywhere_and_the_rest_stays(sick: Desk) -> None:
    in_text = [m.ref for m in sick.counted][:1]
    made = sick.redact(*in_text)
    whole_text = "".join(p.text() for p in made.extraction.parts)
    assert "chemo" not in whole_text
    assert "We need another trainer. [removed] The room is booked." in text_of(made)
    assert made.removed == {"value": 1}
    assert [code for _, code in made.left_out] == ["twin"]
    assert sick.scanner.decide(made.report, made.extraction).verdict == "pass"


def test_the_headers_the_crm_needs_come_over_and_no_others(sick: Desk) -> None:
    mail = produced(sick.redact(*sick.suggested))
    assert mail["From"] == "Gurpreet Dhami <gurpreet.dhami@example.com>"
    assert mail["To"] == "Marcus Lee <marcus.lee@example.org>"
    assert (mail["Message-ID"], mail["In-Reply-To"]) == ("<dhami-cohort2@example.com>", "<earlier@example.org>")
    assert mail["Subject"] == "Cohort 2 trainer"
    assert mail["X-Mailer"] is None
    assert b"example.net" not in mail.as_bytes()


def test_nothing_removed_is_not_clean(sick: Desk) -> None:
    with pytest.raises(NotClean) as refused:
        sick.redact()
    assert ("health", "body") in refused.value.kinds
    assert "chemo" not in str(refused.value)
    assert "Irene" not in str(refused.value)


def test_a_ref_of_another_secret_is_refused(sick: Desk) -> None:
    with pytest.raises(BadRef):
        sick.redact("A" * 54)


def test_a_paragraph_is_removed_whole(sick: Desk) -> None:
    blocks = [b.ref for p in whole(sick.extraction, sick.report).parts if "body" in p.place for b in p.blocks
              if isinstance(b, TextView) and b.label == "text"]
    made = sick.redact(*blocks)
    assert "trainer" not in text_of(made)


def test_a_person_taken_out_of_the_text_is_taken_out_of_the_address_lines(extractor: SandboxedExtractor,
                                                                          scanner: Scanner) -> None:
    desk = Desk(letter("Gurpreet Dhami asked for the hall."), extractor, scanner)
    person, = _refs_of(desk, "body")
    mail = produced(desk.redact(person))
    assert mail["From"] == '"[removed]" <gurpreet.dhami@example.com>'
    address = next(m.ref for m in masks(whole(desk.extraction, desk.report)) if m.kind == "e-mail")
    assert produced(desk.redact(address))["From"] == "removed <removed@redacted.invalid>"


def _refs_of(desk: Desk, place: str) -> set[str]:
    return {r.ref for p in whole(desk.extraction, desk.report).parts if place in p.place for b in p.blocks
            if isinstance(b, TextView) for r in b.runs if isinstance(r, Masked)}


@pytest.fixture(scope="module")
def roster(extractor: SandboxedExtractor, scanner: Scanner) -> Desk:
    mail = letter("Hi Marcus,\n\nthe list is attached.\n\nGurpreet", subject="The list")
    mail.add_attachment(files.xlsx("Tallio and others", ROSTER), maintype=XLSX[0], subtype=XLSX[1],
                        filename="Tallio list.xlsx")
    return Desk(mail, extractor, scanner)


def test_columns_of_a_sheet_go_and_the_copy_has_a_neutral_name(roster: Desk) -> None:
    table = next(b for p in whole(roster.extraction, roster.report).parts for b in p.blocks if isinstance(b, TableView))
    made = roster.redact(*table.columns[:4])
    assert made.removed == {"column": 4}
    (name, data), = attached(made)
    assert name == "document 1.xlsx"
    assert b"Tallio" not in made.mail
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["Sheet1"]
    assert [c.value for row in book.active.rows for c in row if c.value] == []


def test_dates_are_not_left_in_another_writing(extractor: SandboxedExtractor, scanner: Scanner) -> None:
    """A date cell is read in several ways; what is taken out is the cell, so no other way of it may come over."""
    born = dt.date(1996, 4, 18)
    mail = letter("The list is attached.", subject="The list")
    mail.add_attachment(files.xlsx("list", [ROSTER[0], *([*row[:3], born] for row in ROSTER[1:])]), maintype=XLSX[0],
                        subtype=XLSX[1], filename="list.xlsx")
    desk = Desk(mail, extractor, scanner)
    made = desk.redact(*desk.suggested)
    assert "1996" not in "".join(p.text() for p in made.extraction.parts)
    assert str((born - dt.date(1899, 12, 30)).days) not in "".join(p.text() for p in made.extraction.parts)


def test_rows_and_cells_of_a_sheet_go(roster: Desk) -> None:
    table = next(b for p in whole(roster.extraction, roster.report).parts for b in p.blocks if isinstance(b, TableView))
    births = [m.ref for r in table.rows[1:] for c in (r.cells[2], r.cells[3]) for m in c if isinstance(m, Masked)]
    names = [m.ref for r in table.rows[1:] for c in r.cells[:2] for m in c if isinstance(m, Masked)]
    made = roster.redact(*births, *names, table.rows[3].ref)
    assert made.removed == {"cell": 12, "row": 1}
    book = openpyxl.load_workbook(io.BytesIO(attached(made)[0][1]))
    assert [[c.value for c in row] for row in book.active.rows] == [
        ROSTER[0], ["[removed]"] * 4, ["[removed]"] * 4]


def test_a_value_of_a_sheet_goes_out_of_the_text_too(roster: Desk, extractor: SandboxedExtractor,
                                                     scanner: Scanner) -> None:
    mail = letter("Ask Pfeiffer about 20418201, the hall is free.")
    mail.add_attachment(files.xlsx("list", ROSTER), maintype=XLSX[0], subtype=XLSX[1], filename="list.xlsx")
    desk = Desk(mail, extractor, scanner)
    people = [m.ref for m in masks(whole(desk.extraction, desk.report)) if m.kind == "person"]
    made = desk.redact(*desk.suggested, *(ref for ref in people if ref not in _refs_of(desk, "headers")))
    assert "20418201" not in text_of(made)
    assert "Pfeiffer" not in text_of(made)
    assert "the hall is free" in text_of(made)


def test_an_attachment_is_left_out_and_named(roster: Desk) -> None:
    part = next(p for p in whole(roster.extraction, roster.report).parts if p.kind == "xlsx")
    made = roster.redact(part.ref)
    assert made.left_out == ((part.place, "removed"),)
    assert attached(made) == []
    assert "[1 attachment held]" in text_of(made)


def test_word_pdf_and_text_come_over_as_text_alone(extractor: SandboxedExtractor, scanner: Scanner) -> None:
    mail = letter("Three papers are attached.", subject="Papers")
    mail.add_attachment(files.docx(["The agenda", "1. The hall & <the> desk"]), maintype=DOCX[0], subtype=DOCX[1],
                        filename="q.docx")
    mail.add_attachment(files.pdf(["The price is fine."]), maintype="application", subtype="pdf", filename="q.pdf")
    mail.add_attachment(b"plain words", maintype="text", subtype="plain", filename="q.txt")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="q.png")
    desk = Desk(mail, extractor, scanner)
    made = desk.redact(*desk.suggested)
    (one, word), (two, pdf), (three, text) = attached(made)
    assert (one, two, three) == ("document 1.docx", "document 2.txt", "document 3.txt")
    assert b"The price is fine." in pdf
    assert b"plain words" in text
    with zipfile.ZipFile(io.BytesIO(word)) as package:
        assert sorted(package.namelist()) == ["[Content_Types].xml", "_rels/.rels", "word/document.xml"]
        assert "1. The hall &amp; &lt;the&gt; desk" in package.read("word/document.xml").decode()
    assert len(made.left_out) == 1


def test_hidden_sheets_comments_and_properties_do_not_come_over(extractor: SandboxedExtractor,
                                                                scanner: Scanner) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Seat", "Room"])
    book.active.append([1, "=1+1"])
    book.active["A1"].comment = openpyxl.comments.Comment("Quorvane said so", "Quorvane")
    book.active.oddHeader.center.text = "Quorvane page"
    book.properties.creator = "Quorvane"
    book.create_sheet("Quorvane").append(["Quorvane"])
    book["Quorvane"].sheet_state = "veryHidden"
    out = io.BytesIO()
    book.save(out)
    mail = letter("The plan is attached.", subject="Plan")
    mail.add_attachment(out.getvalue(), maintype=XLSX[0], subtype=XLSX[1], filename="Quorvane.xlsx")
    desk = Desk(mail, extractor, scanner)
    assert "Quorvane" in "".join(p.text() for p in desk.extraction.parts)
    made = desk.redact()
    assert "Quorvane" not in "".join(p.text() for p in made.extraction.parts)
    assert all("Quorvane" not in p.path for p in made.extraction.parts)
    sheet = openpyxl.load_workbook(io.BytesIO(attached(made)[0][1]))
    assert sheet.sheetnames == ["Sheet1"]
    assert all(c.data_type != "f" for row in sheet.active.rows for c in row)


def test_a_subject_cannot_bring_a_header_of_its_own(extractor: SandboxedExtractor, scanner: Scanner) -> None:
    mail = letter("The hall is free.", subject="x")
    raw = mail.as_bytes().replace(b"Subject: x", b"Subject: =?utf-8?q?plan=0D=0ABcc=3A_all=40example=2Enet?=")
    extraction = extractor.extract(raw)
    made = redact(raw, extraction, scanner.scan(extraction), (), secret=SECRET, extractor=extractor, scanner=scanner)
    assert produced(made)["Bcc"] is None


def test_what_is_left_of_a_value_refuses_the_copy(sick: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a fault in the cutting does not let a removed value through."""
    from capture.redacting import cutting

    monkeypatch.setattr(cutting, "_without", lambda text, _spans: text)
    with pytest.raises(NotClean) as refused:
        sick.redact(*sick.suggested)
    assert "removed-value" in {kind for kind, _ in refused.value.kinds}


def test_reprs_hold_no_content(sick: Desk) -> None:
    from capture.masks.refs import Refs
    from capture.redacting.cutting import Cuts

    cuts = Cuts.of(sick.extraction, sick.suggested, Refs(SECRET))
    assert "chemo" not in repr(cuts)
    assert "chemo" not in repr(sick.redact(*sick.suggested))


# files


def test_characters_xml_does_not_know_are_left_out() -> None:
    data = office.docx(["a\x00b\x0bc\ud800d & <e>", [["x\x1fy", "two\nlines"]]])
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        text = package.read("word/document.xml").decode()
    assert "abcd &amp; &lt;e&gt;" in text.replace("</w:t></w:r></w:p><w:p><w:r><w:t xml:space=\"preserve\">", "")
    assert "xy" in text


def test_a_sheet_holds_strings_only_and_opens() -> None:
    rows = [["=HYPERLINK(1)", "", "+1"], ["x" * 40], [], ["@cmd", *map(str, range(30))]]
    book = openpyxl.load_workbook(io.BytesIO(office.xlsx([rows, [["second"]]])))
    first = [[c.value for c in row] for row in book["Sheet1"].rows]
    assert (first[0][:3], first[3][0], first[3][30]) == (["=HYPERLINK(1)", None, "+1"], "@cmd", "29")
    assert book["Sheet1"]["A1"].data_type in ("s", "inlineStr")
    assert book["Sheet2"]["A1"].value == "second"


def test_what_does_not_fit_a_sheet_is_refused_there() -> None:
    wide = [["x"] * (office.MOST_COLUMNS + 1)]
    assert not office.fits_sheet(wide)
    assert not office.fits_sheet([["x" * (office.MOST_CELL + 1)]])
    with pytest.raises(ValueError, match="fit"):
        office.xlsx([wide])


def test_two_runs_write_the_same_bytes() -> None:
    assert office.xlsx([ROSTER]) == office.xlsx([ROSTER])
    assert office.docx(["a", ROSTER]) == office.docx(["a", ROSTER])


def test_blocks_that_are_not_running_text_are_not_produced(sick: Desk) -> None:
    from capture.redacting.cutting import KEPT

    labels = {b.label for p in sick.extraction.parts for b in p.blocks if isinstance(b, Block)}
    assert labels - KEPT
