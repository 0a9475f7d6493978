"""Every recognizer: stated, cited, exampled, safe in time, and no namesake of Presidio's own."""

from __future__ import annotations

import inspect
import time

import pytest

from pii_scan.findings import Category
from pii_scan.policy import builtin_packs, load_pack
from pii_scan.recognizers import REGISTRY, load
from pii_scan.recognizers.base import WALL, IndexedText, Phrases, Recognizer
from pii_scan.settings import ScanSettings

KINDS = sorted(REGISTRY)


@pytest.fixture(params=KINDS)
def recognizer(request: pytest.FixtureRequest) -> Recognizer:
    return load(request.param, ScanSettings())


def test_states_what_it_is(recognizer):
    assert REGISTRY[recognizer.kind].endswith(type(recognizer).__name__)
    assert isinstance(recognizer.category, Category)
    doc = inspect.getdoc(type(recognizer)) or ""
    assert doc.startswith("Find ")
    assert "Source:" in doc


def test_is_used_and_cited_by_a_pack(recognizer):
    packs = [load_pack(n) for n in builtin_packs()]
    users = [p for p in packs if recognizer.kind in p.recognizers]
    assert users
    for pack in users:
        assert pack.entries[recognizer.citation].cite


def test_is_no_namesake_of_a_presidio_recognizer():
    """Presidio looks its own recognizers up by class name among all that exist."""
    import presidio_analyzer.predefined_recognizers as stock

    ours = {path.partition(":")[2] for path in REGISTRY.values()}
    assert ours.isdisjoint(dir(stock))


ADVERSARIAL = {
    "digits": "1234567890" * 2000,
    "digits and blanks": "4 1 " * 5000,
    "groups": "4111 " * 4000,
    "dashes": "-" * 20000,
    "capitals": "Ann " * 5000,
    "one word": "a" * 20000,
    "labels": "SIN PHN PEN home password born " * 700,
    "labels and breaks": "home\n> phone\n> number\n" * 900,
    "pronouns": "she has had been having had been " * 600,
    "possessives": "my wife's mother's son's daughter's " * 560,
    "nearly dates": "12/12/12/" * 2200,
    "nearly mail": "a.b-c+d@e." * 2000,
    "nearly addresses": "12 a b c 12 a b c " * 1100,
    "brackets": "([{<" * 5000,
    "blank lines": "\n \n> " * 4000,
    "walls": WALL * 20000,
    "password marks": "password: " * 2000,
    "accents": "é" * 20000,
    "iban": "DE89 3704 0044 " * 1300,
    "street": "12 maple street lives at " * 800,
}


@pytest.mark.parametrize("case", sorted(ADVERSARIAL))
def test_no_pattern_blows_up(recognizer, case):
    """Twice the text may take about twice the time; four times would be quadratic."""
    text = ADVERSARIAL[case]
    half, whole = IndexedText(text[: len(text) // 2], None), IndexedText(text, None)

    def seconds(doc: IndexedText) -> float:
        best = 9.0
        for _ in range(2):
            start = time.thread_time()
            for _hit in recognizer.hits(doc):
                pass
            best = min(best, time.thread_time() - start)
        return best

    small, large = seconds(half), seconds(whole)
    assert large < 1.5, f"{large:.2f} s for 20 kB"
    assert large < 3.2 * small + 0.05


@pytest.mark.parametrize(
    ("phrase", "text", "there"),
    [
        ("social insurance number", "Social  Insurance Number", True),
        ("social insurance number", "social\n> insurance number", True),
        ("social insurance number", "social insurance numbering", False),
        ("sin", "S.I.N. 130", True),
        ("sin", "basin", False),
        ("sin", "since", False),
        ("dl", "handle", False),
        ("numero d'assurance sociale", "Numéro d’assurance sociale", True),
    ],
)
def test_phrases_match_whole_words_over_breaks(phrase, text, there):
    assert bool(list(Phrases(phrase).find(IndexedText(text)))) is there


def test_folding_keeps_offsets():
    text = "Émilie’s İstanbul – ‘NAS’ １３０ ﬁn"
    doc = IndexedText(text)
    assert len(doc.low) == len(doc.plain) == len(text)
    assert doc.low.startswith("emilie's")
    assert "130" in doc.low


def test_repr_has_no_content(recognizer):
    assert "Hunter2" not in repr(IndexedText("password Hunter2")) + repr(recognizer)
