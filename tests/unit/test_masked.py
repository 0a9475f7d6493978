"""The masked view: refs, runs, tokens, tables, pages, reasons."""

from __future__ import annotations

import time

import pytest
from canaries import CANARIES, CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from masked import SECRET, masks, visible, whole

from capture.masked import BadRef, Masked, Plain, TableView, TextView, explain, reveal, view
from pii_scan.engine import Scanner
from pii_scan.findings import Category, Finding, Report
from pii_scan.text import Address, Block, Envelope, Extraction, Label, Part, Table


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner()


def body(text: str, *more: Part, label: Label = Label.TEXT, sender: Address | None = None) -> Extraction:
    return Extraction((Part("body", "text", (Block(text, label),)), *more),
                      Envelope(sender=sender, sent="2026-03-12T09:00:00+00:00"))


def runs(extraction: Extraction, report: Report | None = None) -> tuple[Plain | Masked, ...]:
    block = whole(extraction, report).parts[0].blocks[0]
    assert isinstance(block, TextView)
    return block.runs


def hidden(extraction: Extraction, report: Report | None = None) -> list[str]:
    """What stands behind the masks of the first block."""
    return [reveal(extraction, report or Report(), run.ref, SECRET)
            for run in runs(extraction, report) if isinstance(run, Masked)]


# what is hidden, what is shown


@pytest.mark.parametrize(("text", "expected"), [
    pytest.param("The projector in room 204 is fine, see you Tuesday at 9:30.", [], id="ordinary words"),
    pytest.param("Please ask Tsuneo about it.", ["Tsuneo"], id="an unknown word with a capital"),
    pytest.param("please ask tsuneo about it", ["tsuneo"], id="an unknown word without one"),
    pytest.param("We saw Rose at the gate.", ["Rose"], id="a word that is a name too, within a sentence"),
    pytest.param("Rose called about the gate.", ["Rose"], id="and before a verb"),
    pytest.param("Will you come in May? May I bring the binder?", [], id="modal verbs and months"),
    pytest.param("Constable Pine spoke first.", ["Pine"], id="after a title"),
    pytest.param("She met Ottoline Winter there.", ["Ottoline Winter"], id="the other half of a name"),
    pytest.param("Ask J. R. Marchbanks.", ["J. R. Marchbanks"], id="initials"),
    pytest.param("Write to q.marchbanks@example.net or see https://example.net/q?id=7",
                 ["q.marchbanks@example.net", "https://example.net/q?id=7"], id="addresses and links"),
    pytest.param("Call 604-555-0147 or (250) 555 0199 ext. 4.", ["604-555-0147", "(250) 555 0199"], id="phones"),
    pytest.param("Cost is $4,150 for 24 seats, PO 4500019223.", ["4500019223"], id="small amounts stay"),
    pytest.param("From 0900-1630 on 12-13 March 2026.", [], id="hours and dates of these days"),
    pytest.param("Since 12 March 1987, as 1987-03-12 says.", ["12 March 1987", "1987-03-12"], id="old dates"),
    pytest.param("Deliver to 418 Wren Street, V6B 1A1.", ["418 Wren Street", "V6B 1A1"], id="a street address"),
    pytest.param("See Marchbanks_CV.pdf and the plan.", ["Marchbanks_CV.pdf"], id="a file name"),
    pytest.param("He is aged 14, she is 9 years old.", ["aged 14", "9 years old"], id="ages"),
    pytest.param("Call six oh four five five five one.", ["six oh four five five five one"], id="spoken digits"),
    pytest.param("Qu\u200billon wrote.", ["Qu\u200billon"], id="invisible marks within a word"),
    pytest.param("Code HTX99K7 opens it.", ["HTX99K7"], id="letters and digits mixed"),
    pytest.param("Bonjour Ginette,\nla réunion est reportée à jeudi.", ["Ginette"], id="a French greeting"),
    pytest.param("Merci de confirmer avec Aurélie Thibodeau-Roy.", ["Aurélie Thibodeau-Roy"], id="a French name"),
    pytest.param("Hi all,\nthe hall is free.", [], id="everybody is nobody"),
    pytest.param("The hall is free.\n\nRegards,\nrose", ["rose"], id="a small signature"),
    pytest.param("The hall is free.\n\nM.", ["M."[:1]], id="an initial for a signature"),
])
def test_words_are_hidden_unless_they_say_nothing(text: str, expected: list[str]) -> None:
    assert hidden(body(text)) == expected


def test_every_canary_is_hidden_in_every_writing(scanner: Scanner) -> None:
    last = CANARY_NAME.split()[-1]
    extraction = body(f"{CANARY_NAME} (SIN {CANARY_SIN}, born {CANARY_BIRTH}) asked.\n{last.upper()}, Quillon\n"
                      f"{CANARY_NAME.lower()} and {last}'s file {last}.docx, {CANARY_SIN.replace(' ', '')}\n\n"
                      "The hall is free.")
    seen = visible(whole(extraction, scanner.scan(extraction))).casefold()
    for planted in (*CANARIES, *CANARY_NAME.split(), CANARY_SIN.replace(" ", "")):
        assert planted.casefold() not in seen
    assert "the hall is free" in seen


def test_one_person_has_one_token_everywhere() -> None:
    extraction = Extraction((
        Part("headers", "headers",
             (Block("From: Marchbanks, Ottoline <o.marchbanks@example.net>", Label.ADDRESSES),)),
        Part("body", "text", (Block("Hi Ottoline,\n\nMs. Marchbanks met Corvin Okparaocha. Corvin left."),)),
        Part("attachment 1 of 1 (csv)", "csv", (Table((("Name", "Seat"), ("Ottoline Marchbanks", "4"))),)),
    ), Envelope(sender=Address("Marchbanks, Ottoline", "o.marchbanks@example.net")))
    found = [(m.kind, m.token) for m in masks(whole(extraction))]
    assert found == [("person", "PERSON_1"), ("e-mail", "PERSON_1"), ("person", "PERSON_1"), ("person", "PERSON_1"),
                     ("person", "PERSON_2"), ("person", "PERSON_2"), ("person", "PERSON_1")]


def test_two_people_of_one_surname_are_two() -> None:
    people = Envelope(sender=Address("Ottoline Marchbanks", "o@example.net"),
                      recipients=(Address("Corvin Marchbanks", "c@example.net"),))
    extraction = Extraction((Part("body", "text", (Block("Ottoline and Corvin. The Marchbanks file."),)),), people)
    assert [m.token for m in masks(whole(extraction))] == ["PERSON_1", "PERSON_2", "PERSON_3"]


# findings


def test_a_finding_of_wording_hides_its_sentence_and_the_same_sentence_elsewhere(scanner: Scanner) -> None:
    told = "Irene has been diagnosed with breast cancer and starts chemo on Monday."
    text = f"We need another trainer. {told} The room is booked."
    extraction = Extraction((Part("body", "text", (Block(text),)), Part("body (html)", "html", (Block(text),))))
    report = scanner.scan(extraction)
    seen = visible(whole(extraction, report))
    assert "diagnosed" not in seen
    assert "chemo" not in seen
    assert seen.count("The room is booked.") == 2
    health = [m for m in masks(whole(extraction, report)) if m.counts]
    assert {m.kind for m in health} == {"sentence"}
    assert any(w.category is Category.HEALTH and "about somebody's health" in w.sentence for m in health for w in m.why)


def test_a_number_tells_rule_check_digit_context_and_score(scanner: Scanner) -> None:
    extraction = body(f"SIN {CANARY_SIN} for the form.")
    report = scanner.scan(extraction)
    mask = next(m for m in masks(whole(extraction, report)) if m.counts)
    finding = next(w for w in mask.why if w.rule == "ca_sin")
    assert "Social Insurance Number" in finding.sentence
    assert "check digit is right" in finding.sentence
    assert "\u201csin\u201d" in finding.sentence
    assert finding.score == 1.0


def test_business_contact_is_hidden_too_and_says_why_it_does_not_count() -> None:
    text = "Ottoline Marchbanks\nHome 604-555-0147"
    extraction = body(text, label=Label.SIGNATURE)
    at = text.index("604")
    report = Report((Finding(Category.HOME_CONTACT, "home_phone", "body", 0, 0, at, len(text), 0.9, 1,
                             ("context:home",), "signature"),))
    mask = next(m for m in masks(whole(extraction, report)) if m.exempt)
    assert (mask.exempt, mask.counts) == ("signature", False)
    assert mask.shape == "***-***-***7"
    assert "business contact" in mask.why[0].exempt_sentence
    shown = whole(extraction, report)
    assert (shown.parts[0].found, shown.parts[0].exempted) == ({}, {Category.HOME_CONTACT: 1})


def test_what_is_counted_but_not_placed_hides_the_rest_of_the_block() -> None:
    text = "first line\nsecond line says more\nthird line"
    report = Report((Finding(Category.HEALTH, "health", "body", 0, 0, 0, 5, 0.9, 7),))
    assert set(visible(whole(body(text), report)).split()) == {"…"}


def test_a_filled_form_hides_what_stands_in_its_fields() -> None:
    report = Report((Finding(Category.HOME_CONTACT, "filled_form", "body", 0, 0, 0, 0, 0.9, 2),))
    shown = whole(body("Name of child: any\nAllergies: nuts and bees\nPlease sign below"), report)
    assert "nuts" not in visible(shown)
    assert "Please sign below" in visible(shown)
    assert shown.parts[0].whys[0].rule == "filled_form"


@pytest.mark.parametrize("label", [Label.NAME, Label.LINK])
def test_names_of_files_and_links_are_hidden_whole(label: Label) -> None:
    assert hidden(body("the plain plan.docx", label=label)) == ["the plain plan.docx"]


def test_properties_show_their_name_only() -> None:
    assert visible(whole(body("Author: any body\nfree line", label=Label.PROPERTY))).split() == ["Author:", "…", "…"]


def test_codes_nobody_explained_are_kept_as_codes() -> None:
    why = explain(Finding(Category.HEALTH, "a_new_rule", "body", 0, 0, 0, 1, 0.5, 1, ("a-new-code",)))
    assert "a_new_rule" in why.sentence
    assert why.codes == ("a-new-code",)


def test_every_rule_of_the_scanner_is_explained(scanner: Scanner) -> None:
    from capture.masks.reasons import COLUMNS, RULES
    from pii_scan.columns import KINDS

    assert set(scanner.pack.recognizers) <= set(RULES) | {"uk_nhs", "uk_nino"}
    assert {k.name for k in KINDS if k.category} <= set(COLUMNS)


# tables


ROSTER = Table((("Family name", "Given name", "Student no.", "DOB", "Department"),
                ("Tallio", "Marcus", "20417733", "1996-04-18", "Fire"),
                ("Pfeiffer", "Dagny", "20418201", "1989-11-02", "Police"),
                ("Sandhu", "Gurleen", "20417960", "2000-01-27", "Fire")), where="sheet 1")


def roster() -> Extraction:
    return Extraction((Part("attachment 1 of 1 (xlsx)", "xlsx", (ROSTER,), path="mail > Tallio list.xlsx"),))


def test_a_roster_stays_a_table_with_its_heading(scanner: Scanner) -> None:
    shown = whole(roster(), scanner.scan(roster()))
    table = shown.parts[0].blocks[0]
    assert isinstance(table, TableView)
    heading, first = table.rows[0], table.rows[1]
    assert [run.text for cell in heading.cells for run in cell if isinstance(run, Plain)] == list(ROSTER.rows[0])
    assert [run.label for cell in first.cells for run in cell if isinstance(run, Masked)][:4] == [
        "PERSON_1", "PERSON_1", "student number *******3", "date of birth ****-**-**"]
    assert (first.number, table.total, len(table.columns)) == (2, 4, 5)
    assert shown.parts[0].name is not None
    assert shown.parts[0].name.label == "file name *.xlsx"


def test_a_cell_a_row_a_column_and_a_file_name_are_revealed_alone(scanner: Scanner) -> None:
    report = scanner.scan(roster())
    shown = whole(roster(), report)
    table = shown.parts[0].blocks[0]
    assert isinstance(table, TableView)
    number = table.rows[2].cells[2][0]
    assert isinstance(number, Masked)
    assert reveal(roster(), report, number.ref, SECRET) == "20418201"
    assert reveal(roster(), report, table.rows[2].ref, SECRET).split("\t") == list(ROSTER.rows[2])
    assert reveal(roster(), report, table.columns[1], SECRET) == "Given name\nMarcus\nDagny\nGurleen"
    assert shown.parts[0].name is not None
    assert reveal(roster(), report, shown.parts[0].name.ref, SECRET) == "Tallio list.xlsx"
    assert number.section == table.ref
    assert reveal(roster(), report, table.ref, SECRET).count("\n") == 3


def test_words_inside_a_long_cell_are_hidden_one_by_one() -> None:
    cell = "Ask Tsuneo whether the hall is free, then call 604-555-0147."
    extraction = Extraction((Part("body (html)", "html", (Table(((cell, "fine"),)),)),))
    shown = whole(extraction)
    assert "whether the hall is free" in visible(shown)
    assert [reveal(extraction, Report(), m.ref, SECRET) for m in masks(shown)] == ["Tsuneo", "604-555-0147"]


# refs


def test_a_ref_tells_nothing_and_cannot_be_made_up() -> None:
    extraction = body("Ask Tsuneo.")
    ref = masks(whole(extraction))[0].ref
    assert ref == masks(whole(extraction))[0].ref
    other = masks(whole(extraction, secret=b"another secret of this length"))[0].ref
    assert ref != other
    broken = ref[:-2] + ("AA" if ref[-2:] != "AA" else "BB")
    for bad in (other, broken, "", "x", ref + "A", ref[1:], "é" * 54):
        with pytest.raises(BadRef):
            reveal(extraction, Report(), bad, SECRET)


def test_a_ref_of_a_longer_item_is_refused_by_a_shorter_one() -> None:
    ref = masks(whole(body("A long way before we ask Tsuneo.")))[0].ref
    with pytest.raises(BadRef):
        reveal(body("Short."), Report(), ref, SECRET)
    table = whole(roster()).parts[0].blocks[0]
    assert isinstance(table, TableView)
    with pytest.raises(BadRef):
        reveal(body("Short."), Report(), table.rows[1].ref, SECRET)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="short"):
        view(body("x"), Report(), secret=b"short")


def test_reprs_hold_no_content(scanner: Scanner) -> None:
    from capture.masks.masker import Masker

    extraction = roster()
    report = scanner.scan(extraction)
    masker = Masker(extraction, report, SECRET)
    printed = f"{masker!r} {masker.people!r} {masker.found!r} {masks(whole(extraction, report))!r}"
    assert "Tallio" not in printed
    assert "20417733" not in printed


# pages


def test_pages_together_show_what_one_page_shows() -> None:
    text = "\n".join(f"Line {n} about the hall and Tsuneo Brandvold" for n in range(200))
    seats = Table(tuple((f"seat {n}", "free") for n in range(120)))
    extraction = body(text, Part("attachment 1 of 1 (csv)", "csv", (seats,)))
    shown = whole(extraction)
    offset, pieces = 0, []
    while offset is not None:
        page = view(extraction, Report(), secret=SECRET, offset=offset, limit=2)
        pieces += [b for p in page.parts for b in p.blocks]
        offset = page.next
    assert pieces == [b for p in shown.parts for b in p.blocks]
    assert shown.pieces == len(pieces) == sum(p.pieces for p in shown.parts)
    assert "".join(run.text if isinstance(run, Plain) else reveal(extraction, Report(), run.ref, SECRET)
                   for b in pieces if isinstance(b, TextView) for run in b.runs) == text
    assert {m.token for m in masks(shown)} == {"PERSON_1"} or {m.token for m in masks(shown)} == {"NAME_1"}


def test_one_part_is_paged_alone() -> None:
    extraction = body("first", Part("attachment 1 of 1 (csv)", "csv", (Table(tuple((f"{n}",) for n in range(120))),)))
    page = view(extraction, Report(), secret=SECRET, part=1, offset=1, limit=1)
    assert (page.pieces, page.next, [len(p.blocks) for p in page.parts]) == (3, 2, [0, 1])
    table = page.parts[1].blocks[0]
    assert isinstance(table, TableView)
    assert (table.rows[0].number, len(table.rows), table.more) == (51, 50, True)


def test_a_page_past_the_end_is_empty() -> None:
    page = view(body("x"), Report(), secret=SECRET, offset=99)
    assert (page.next, [len(p.blocks) for p in page.parts]) == (None, [0])


@pytest.mark.slow
def test_a_page_of_something_huge_takes_seconds_and_grows_in_line() -> None:
    """200,000 rows and a body of five million characters; the time for twice as much is about twice."""
    def took(rows: int, characters: int) -> float:
        table = Table((("Name", "Number"), *((f"Aznar{n % 997} Brzk{n}", str(20400000 + n)) for n in range(rows))))
        line = "The hall is free and Tsuneo has the keys, says Ottoline Brandvold of the desk.\n"
        extraction = body(line * (characters // len(line)), Part("attachment 1 of 1 (csv)", "csv", (table,)))
        start = time.process_time()
        page = view(extraction, Report(), secret=SECRET, limit=2)
        assert page.next == 2
        return time.process_time() - start

    took(100, 1_000)  # the model is loaded and the words are read
    quarter, full = took(50_000, 1_250_000), took(200_000, 5_000_000)
    assert full < 40
    assert full < 6.5 * quarter + 1
