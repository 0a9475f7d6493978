"""Exact-match lists as keyed hashes, and form fingerprints."""

from __future__ import annotations

import pytest

from pii_scan.engine import Scanner
from pii_scan.findings import Category, Verdict
from pii_scan.forms import BadForm, as_part, load_forms, match_form, register_form, save_forms
from pii_scan.lists import BadList, build_list, load_list, match, save_list
from pii_scan.settings import ScanSettings
from pii_scan.text import Block, Extraction, Part, Table

KEY = b"sixteen bytes or more of key"


class Quiet:
    probability, findings = 0.0, ()

    def score(self, extraction: object, rule_findings: object) -> Quiet:
        return self


class TestLists:
    NUMBERS = build_list(["3055-1290", "A00112233"], KEY, name="students", category=Category.EDUCATION_RECORD)
    PEOPLE = build_list(
        ["Zoë Quillfeather", "Ann Marie Lee"], KEY, name="restricted", category=Category.CRIMINAL_RECORD, kind="name"
    )

    @pytest.mark.parametrize(
        ("text", "hits"),
        [
            ("file 30551290 is closed", ["30551290"]),
            ("3055 1290", ["3055 1290"]),
            ("a00112233.", ["a00112233"]),
            ("130551290", []),
            ("30551291", []),
            ("x30551290y", []),
            ("met ZOE QUILLFEATHER today", ["ZOE QUILLFEATHER"]),
            ("Zoë\nQuillfeather", ["Zoë\nQuillfeather"]),
            ("Ann-Marie Lee", ["Ann-Marie Lee"]),
            ("Zoe and Quillfeather", []),
            ("Zoe", []),
        ],
    )
    def test_matches_however_it_is_written(self, text, hits):
        assert [text[h.start : h.end] for h in match(text, [self.NUMBERS, self.PEOPLE], KEY)] == hits

    def test_another_key_matches_nothing(self):
        assert list(match("30551290", [self.NUMBERS], b"another key of sixteen bytes")) == []

    def test_the_file_holds_no_value(self, tmp_path):
        path = tmp_path / "people.json"
        save_list(self.PEOPLE, path)
        text = path.read_text("utf-8").lower()
        assert "quill" not in text
        assert "quill" not in repr(self.PEOPLE).lower()
        assert load_list(path) == self.PEOPLE

    def test_bad_input(self, tmp_path):
        with pytest.raises(BadList):
            build_list(["30551290"], b"short", name="x", category=Category.HEALTH)
        with pytest.raises(BadList):
            build_list(["  ", "12"], KEY, name="x", category=Category.HEALTH)
        (tmp_path / "x.json").write_text("{}", "utf-8")
        with pytest.raises(BadList):
            load_list(tmp_path / "x.json")

    def test_in_the_scanner(self, tmp_path):
        path = tmp_path / "students.json"
        save_list(self.NUMBERS, path)
        with pytest.raises(BadList):
            Scanner(ScanSettings(lists=(path,)), semantic=Quiet())
        scanner = Scanner(ScanSettings(lists=(path,)), semantic=Quiet(), list_key=KEY)
        made = Extraction((Part("body", "text/plain", (Block("please see 30551290"), Table((("a", "3055-1290"),)))),))
        decision = scanner.decide(scanner.scan(made), made)
        assert decision.verdict is Verdict.BLOCK
        assert [(f.rule, f.why, f.start, f.end) for f in decision.findings] == [
            ("exact_list", ("list:students",), 11, 19),
            ("exact_list", ("list:students",), 0, 1),
        ]


BLANK = """Medical clearance form
Full name: ____________   Date of birth: ____________
Physician's name ..........................
Do you take any medication? [ ]
Known conditions:
Emergency telephone: ____________
Signature ____________   Date ____________
"""
FILLED = """Medical clearance form
Full name: Ann Zebrowski   Date of birth: 3 March 1990
Physician's name ....... Dr. Bo Lim
Do you take any medication? yes, daily
Known conditions:
asthma
Emergency telephone: 604 555 0199
Signature A. Z.   Date 2026-03-01
"""


class TestForms:
    FORM = register_form(as_part(BLANK), name="medical clearance", category=Category.HEALTH)

    def test_filled_is_recognised_and_blank_passes(self):
        found = match_form(as_part(FILLED), [self.FORM])
        assert found is not None
        assert found.filled >= 5
        assert match_form(as_part(BLANK), [self.FORM]) is None

    def test_other_texts_are_not_the_form(self):
        assert match_form(as_part("Full name: Ann\nSubject: hello\nOrder: 12\n"), [self.FORM]) is None

    def test_in_table_cells(self):
        rows = (
            ("Full name", "Ann Z"),
            ("Date of birth", "1990-03-03"),
            ("Physician's name", "Bo Lim"),
            ("Known conditions", "asthma"),
            ("Emergency telephone", "604 555 0199"),
            ("Signature", "AZ"),
            ("Date", "1 May"),
        )
        blank = tuple((label, "") for label, _ in rows)
        assert match_form(Part("a", "docx", (Table(rows),)), [self.FORM]) is not None
        assert match_form(Part("a", "docx", (Table(blank),)), [self.FORM]) is None

    def test_in_the_scanner(self, tmp_path):
        path = tmp_path / "forms.json"
        save_forms([self.FORM], path)
        assert load_forms(path) == (self.FORM,)
        assert "physician" not in path.read_text("utf-8").lower()
        scanner = Scanner(ScanSettings(forms=path, names=False), semantic=Quiet())
        report = scanner.scan(Extraction((Part("body", "text/plain", (Block(FILLED),)),)))
        assert [f.category for f in report.findings if f.rule == "filled_form"] == [Category.HEALTH]

    def test_bad_input(self, tmp_path):
        with pytest.raises(BadForm):
            register_form(as_part("hello\nworld"), name="x", category=Category.HEALTH)
        (tmp_path / "x.json").write_text("[{}]", "utf-8")
        with pytest.raises(BadForm):
            load_forms(tmp_path / "x.json")
