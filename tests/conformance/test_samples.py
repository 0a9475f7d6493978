"""Extraction over the sample files of `make conformance DATA=...`: the folder's `samples/files` and
`samples/expected.json`. One case a file, and the bars for the whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from capture.extract import SandboxedExtractor
from capture.extract.measure import ExtractionScore, load_expected, measure

pytestmark = pytest.mark.conformance

READABLE_BAR = 76
STRINGS_BAR = 260


def folder() -> Path | None:
    data = os.environ.get("MAILWEIR_CONFORMANCE_DATA")
    return Path(data) / "samples" if data else None


def entries() -> list[dict[str, Any]]:
    place = folder()
    return load_expected(place) if place is not None and (place / "expected.json").is_file() else []


def score(*, ocr: bool) -> ExtractionScore:
    place = folder()
    assert place is not None, "MAILWEIR_CONFORMANCE_DATA names no folder"
    assert (place / "expected.json").is_file(), "the folder has no samples/expected.json"
    with SandboxedExtractor(ocr=ocr) as extractor:
        assert extractor.missing_readers() == ()
        return measure(place, extractor, with_ocr=ocr)


@pytest.fixture(scope="module")
def without_ocr() -> ExtractionScore:
    return score(ocr=False)


@pytest.fixture(scope="module")
def with_ocr() -> ExtractionScore:
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed: the samples were measured without OCR only")
    return score(ocr=True)


def test_the_bars_are_reached(without_ocr: ExtractionScore) -> None:
    print("\n".join(without_ocr.lines()))
    assert without_ocr.holds.got == without_ocr.holds.of > 0
    assert without_ocr.readable.got >= min(READABLE_BAR, without_ocr.readable.of)
    assert without_ocr.strings.got >= min(STRINGS_BAR, without_ocr.strings.of)
    assert without_ocr.ocr.got == without_ocr.ocr.of


def test_pictures_are_read_with_ocr(with_ocr: ExtractionScore) -> None:
    assert with_ocr.ocr.got == with_ocr.ocr.of > 0
    assert with_ocr.holds.got == with_ocr.holds.of


@pytest.mark.parametrize("index", range(len(entries())))
def test_file_has_the_expected_status(index: int, without_ocr: ExtractionScore) -> None:
    result = without_ocr.files[index]
    assert result.as_expected, (result.file, result.codes)
