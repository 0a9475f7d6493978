"""Labels of the lines of a mail: new, quoted, signature, disclaimer. No line is ever lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.extract.mailtext import split_mail_text
from pii_scan.text import Label

CASES = [
    pytest.param("""\
Hi Ben,
  the room is booked.
sig:Ada
""".replace("sig:", "\nThanks,\n"), {"Ada": (Label.SIGNATURE, False), "room": (Label.TEXT, False)},
                 id="closing formula"),
    pytest.param("The room is booked.\n-- \nAda Ames\nCoordinator\n604-555-0100\n",
                 {"Ada Ames": (Label.SIGNATURE, False), "604-555-0100": (Label.SIGNATURE, False),
                  "room": (Label.TEXT, False)}, id="signature mark"),
    pytest.param("The room is booked, see you on Monday at the usual time and place.\n\nAda Ames\nCoordinator\n"
                 "Tel: 604-555-0100\n", {"Coordinator": (Label.SIGNATURE, False), "room": (Label.TEXT, False)},
                 id="contact lines at the end"),
    pytest.param("The room is booked, see you on Monday at the usual time and place.\n\nAda Ames, Coordinator\n\n"
                 "Tel: 604-555-0100\nFax: 604-555-0101\n",
                 {"Coordinator": (Label.SIGNATURE, False), "Fax": (Label.SIGNATURE, False)},
                 id="name above an empty line"),
    pytest.param("Yes.\n\nOn Mon, 6 Jan 2025 at 10:00, Ben Bell <ben@b.example> wrote:\n> Is it booked?\n> Ben\n",
                 {"Yes": (Label.TEXT, False), "wrote": (Label.TEXT, True), "Is it": (Label.TEXT, True)},
                 id="attribution and marks"),
    pytest.param("Yes.\n\nOn Mon, 6 Jan 2025 at 10:00, Ben Bell\n<ben@b.example> wrote:\n\nIs it booked?\n",
                 {"Yes": (Label.TEXT, False), "Is it": (Label.TEXT, True)}, id="attribution over two lines"),
    pytest.param("> Is it booked?\nYes it is.\n> And the projector?\nThat too.\n",
                 {"Is it": (Label.TEXT, True), "Yes it": (Label.TEXT, False), "That too": (Label.TEXT, False)},
                 id="answers between quotes"),
    pytest.param("Yes.\n\n-----Original Message-----\nFrom: Ben Bell\nSent: Monday\nTo: Ada Ames\nSubject: room\n\n"
                 "Is it booked?\n",
                 {"Yes": (Label.TEXT, False), "From: Ben": (Label.ADDRESSES, True),
                 "Subject: room": (Label.SUBJECT, True),
                  "Is it": (Label.TEXT, True)}, id="original message"),
    pytest.param("FYI\n\nFrom: Ben Bell <ben@b.example>\nDate: Monday\nTo: Ada\nSubject: room\n\nIs it booked?\n",
                 {"FYI": (Label.TEXT, False), "To: Ada": (Label.ADDRESSES, True), "Is it": (Label.TEXT, True)},
                 id="headers without a rule"),
    pytest.param("Voici.\n\nDe : Ben Bell\nEnvoyé : lundi\nÀ : Ada\nObjet : salle\n\nEst-ce réservé ?\n",
                 {"Voici": (Label.TEXT, False), "De : Ben": (Label.ADDRESSES, True), "Est-ce": (Label.TEXT, True)},
                 id="French headers"),
    pytest.param("---- Forwarded by Ben Bell on 01/06/2025 08:19 AM ----\nAda Ames   01/06/2025 08:15 AM\n"
                 "To:\tBen Bell\ncc:\nSubject:\troom\n\nIs it booked?\n",
                 {"To:\tBen": (Label.ADDRESSES, True), "Ada Ames": (Label.ADDRESSES, True), "Is it": (Label.TEXT,
                 True)},
                 id="forwarded without From"),
    pytest.param("The room is booked.\n\nThis e-mail and any attachments are confidential and intended only for the "
                 "person named above. If you received it in error, delete it.\n",
                 {"confidential": (Label.DISCLAIMER, False), "room": (Label.TEXT, False)}, id="disclaimer"),
    pytest.param("Ce courriel est confidentiel et destiné uniquement au destinataire. Veuillez le détruire si vous "
                 "l'avez reçu par erreur, merci.\n", {"confidentiel": (Label.DISCLAIMER, False)},
                 id="French disclaimer"),
    pytest.param("1. Ada 604-555-0100\n2. Ben 604-555-0101\n3. Cy 604-555-0102\n",
                 {"Ada": (Label.TEXT, False), "Cy": (Label.TEXT, False)}, id="a list of numbers is no signature"),
    pytest.param("Please call these people today:\n\nAda Ames\t604-555-0100\nBen Bell\t604-555-0101\n",
                 {"Ben Bell": (Label.TEXT, False)}, id="a table is no signature"),
    pytest.param("Thanks,\n" + "a long paragraph that somebody wrote under a closing formula, not a signature. " * 3,
                 {"long paragraph": (Label.TEXT, False)}, id="a paragraph after a formula stays text"),
    pytest.param("From: the beginning of the course we expected more people.\nRegards\n",
                 {"From: the": (Label.TEXT, False)}, id="a sentence is no header"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_lines_get_their_label(text: str, expected: dict[str, tuple[Label, bool]]) -> None:
    blocks = split_mail_text(text)
    for words, (label, quoted) in expected.items():
        (block,) = [block for block in blocks if words in block.text]
        assert (block.label, block.quoted) == (label, quoted), words


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([
    "hello there", "> quoted", ">> twice", "", "-- ", "Thanks,", "Ada Ames", "604-555-0100", "From: Ben Bell",
    "Sent: Monday",
    "To: Ada", "Subject: room", "-----Original Message-----", "On Mon, 6 Jan 2025, Ben wrote:", "_______________",
    "This message is confidential and intended only for the recipient named in it, and for nobody else at all.",
    "  ", "> From: x", "> To: y", "Sent from my phone"]), max_size=40))
def test_no_line_is_lost_or_doubled(lines: list[str]) -> None:
    blocks = split_mail_text("\n".join(lines))
    kept = [line for block in blocks for line in block.text.split("\n") if line.strip()]
    assert kept == [line for line in lines if line.strip()]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400), st.none() | st.integers(0, 50))
def test_any_text_keeps_its_lines(text: str, quoted_from: int | None) -> None:
    kept = "\n".join(block.text for block in split_mail_text(text, quoted_from=quoted_from))
    assert [line for line in kept.split("\n") if line.strip()] == [line for line in text.split("\n") if line.strip()]
