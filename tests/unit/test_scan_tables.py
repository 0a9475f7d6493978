"""Rosters: headers with values, blank forms, pasted columns, people and minors counted."""

from __future__ import annotations

import datetime as dt

import pytest

from pii_scan.tables import pasted_tables, read_table

YEAR = dt.datetime.now(dt.UTC).year
NAMES = ["Ann Lee", "Bo Lim", "Cy Dee", "Dana Fox", "Emil Gray"]


def kinds(rows: list[list[str]], *, pasted: bool = False) -> dict[str, float]:
    return {c.kind.name: c.score for c in read_table(rows, pasted=pasted).columns}


def roster(*headers: str, rows: int = 5, **columns: list[str]) -> list[list[str]]:
    return [list(headers), *[[NAMES[i], *(v[i] for v in columns.values())] for i in range(rows)]]


BIRTHS = [f"{1980 + i}-03-0{i + 1}" for i in range(5)]
PHONES = [f"604-555-010{i}" for i in range(5)]


def test_names_with_birth_dates():
    report = read_table(roster("Name", "DOB", a=BIRTHS))
    assert [(c.kind.name, c.count, c.column) for c in report.columns] == [("date_of_birth", 5, 1)]
    assert (report.persons, report.minors) == (5, 0)


def test_people_with_first_and_last_names_apart():
    rows = [["First name", "Last name", "DOB"], ["Ann", "Lee", "1990-01-01"], ["Ann", "Fox", "1991-01-01"],
            ["Bo", "Lee", "1992-01-01"], ["Bo", "Lee", "1992-01-01"], ["", "", ""]]
    assert read_table(rows).persons == 3


def test_minors_are_counted():
    births = [
        f"{YEAR - 30}-01-01",
        f"{YEAR - 12}-01-01",
        f"{YEAR - 15}-05-05",
        f"{YEAR - 40}-01-02",
        f"{YEAR - 9}-09-09",
    ]
    assert read_table(roster("Participant", "Date of birth", a=births)).minors == 3
    assert read_table(roster("Camper name", "Age", a=["9", "12", "34", "15", "51"])).minors == 3


@pytest.mark.parametrize(
    ("header", "values", "kind"),
    [
        ("Home phone", PHONES, "home_phone"),
        ("Tél. domicile", PHONES, "home_phone"),
        ("Emergency contact", ["Jo 604-555-0100"] * 5, "emergency_contact"),
        ("Allergies", ["peanuts", "", "bees", "none", ""], "health"),
        ("Final mark", ["74", "81", "52", "90", "66"], "grade"),
        ("Grade", ["A", "B+", "C-", "F", "A"], "grade"),
        ("Salary", ["$71,400", "$68,000", "52000", "61,250.00", "$80k"], "salary"),
        ("Criminal record check", ["clear", "pending", "clear", "hit", "clear"], "record_check"),
        ("Student #", ["30551290", "30551291", "30551292", "30551293", "30551294"], "student_number"),
        ("Work permit expiry", ["2027-01-01"] * 5, "immigration"),
        ("Ethnicity", ["Haida", "Cree", "Metis", "", ""], "ethnicity"),
        ("Home address", ["12 Elm St"] * 5, "home_address"),
        ("Parent/Guardian", ["Jo Lee"] * 5, "guardian"),
    ],
)
def test_telling_column_beside_names(header, values, kind):
    assert kinds(roster("Student name", header, a=values)).get(kind, 0.0) >= 0.8


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(roster("Name", "DOB", a=["", "", "", "", ""]), id="blank template"),
        pytest.param([["Name", "Date of birth", "PHN"]], id="header only"),
        pytest.param(roster("Name", "Title", "Phone", a=["Buyer"] * 5, b=PHONES), id="staff directory"),
        pytest.param(
            roster("Contact", "Company", "Address", a=["Exempla Ltd"] * 5, b=["12 Elm St"] * 5), id=
                "business addresses"
        ),
        pytest.param([["Result", "Count"], ["Passed", "14"], ["Failed", "2"]], id="totals without names"),
        pytest.param([["Item", "Qty", "Price"], ["Hose", "4", "$80"], ["Nozzle", "2", "$35"]], id="price list"),
        pytest.param(
            [["Course", "Date", "Room"], ["Fire 1", "2026-03-01", "204"], ["Fire 2", "2026-03-08", "205"]],
            id="timetable",
        ),
        pytest.param([["Grade", "Volume"], ["Regular", "400"], ["Premium", "120"]], id="fuel grades"),
        pytest.param(
            [["Vendor", "Bank account"], ["Exempla Ltd", "1234567"], ["Muster Inc", "7654321"]], id="vendor accounts"
        ),
        pytest.param(
            [["Deal", "Account number"], ["A1", "1234567"], ["A2", "7654321"]], id="account numbers without people"
        ),
    ],
)
def test_business_tables_pass(rows):
    assert {k: s for k, s in kinds(rows).items() if s >= 0.5} == {}


def test_header_below_a_title():
    rows = [["Recruit class 118"], [""], ["Printed 2026-01-01", ""], *roster("Name", "DOB", a=BIRTHS)]
    assert kinds(rows) == {"date_of_birth": 0.95}


def test_roster_without_header_is_told_by_its_values():
    assert kinds([[n, b] for n, b in zip(NAMES, BIRTHS, strict=True)]) == {"date_of_birth": 0.95}
    assert kinds([[n, "2026-03-01"] for n in NAMES]) == {}  # dates of a course are no birth dates


def test_one_person_is_enough():
    assert kinds(roster("Name", "Date of birth", rows=1, a=BIRTHS))["date_of_birth"] >= 0.8


@pytest.mark.parametrize(
    "line", ["{n}\t{b}\t{p}", "| {n} | {b} | {p} |", "{n}    {b}    {p}", "{n}, {b}, {p}", "> {n}; {b}; {p}"]
)
def test_columns_pasted_into_text(line):
    rows = [("Name", "DOB", "Home phone"), *zip(NAMES, BIRTHS, PHONES, strict=True)]
    text = "Hello,\nhere is the list.\n" + "\n".join(line.format(n=n, b=b, p=p) for n, b, p in rows) + "\nRegards\n"
    found = list(pasted_tables(text))
    assert len(found) == 1
    assert text[found[0].start : found[0].end].count("\n") == 6
    assert set(kinds([list(r) for r in found[0].rows], pasted=True)) == {"date_of_birth", "home_phone"}


@pytest.mark.parametrize(
    "text",
    [
        "one line, two parts\nnext line\n\nthe end",
        "Dear all,\n\nplease see below, thanks.\n\nAnn",
        "",
        "\n\n\n",
    ],
)
def test_running_text_is_no_table(text):
    assert [p for p in pasted_tables(text) if read_table(p.rows, pasted=True).columns] == []
