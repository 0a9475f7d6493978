"""Items made to exhaust or fool the reader: each ends in time, is held with the right reason, and the
next mail is read as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bombs
import pytest

from capture.extract import SandboxedExtractor
from capture.extract.limits import Limits
from pii_scan.text import Extraction

LIMITS = Limits(cpu_seconds=3, file_seconds=5, item_seconds=20)
PARENT_MEGABYTES = 300  # what the parent may take on top of what the process held before, the built item apart
PROCESS = Path("/proc/self")


@pytest.fixture(scope="module")
def extractor() -> Iterator[SandboxedExtractor]:
    with SandboxedExtractor(LIMITS, ocr=False) as extractor:
        yield extractor


def codes(extraction: Extraction) -> set[str]:
    return {unread.code for unread in extraction.unread}


def peak_megabytes() -> float:
    """The process's largest resident memory since `forget_the_peak`; these tests share it with other files' tests."""
    status = dict(line.split(":", 1) for line in (PROCESS / "status").read_text().splitlines())
    return int(status["VmHWM"].removesuffix("kB")) / 1024


def forget_the_peak() -> None:
    (PROCESS / "clear_refs").write_text("5")  # proc(5): the peak starts anew from what is resident now


def text(extraction: Extraction) -> str:
    return "\n".join(part.text() for part in extraction.parts)


HELD = [
    # (what, bytes, name, one of these codes)
    pytest.param(lambda: bombs.zeros_zipped(400), "a.zip", {"ratio"}, id="zip bomb"),
    pytest.param(lambda: bombs.zeros_gzipped(400), "a.gz", {"ratio"}, id="gzip bomb"),
    pytest.param(lambda: bombs.nested_zip(60), "a.zip", {"too_deep"}, id="60 zips in zips"),
    pytest.param(lambda: bombs.many_members(60_000), "a.zip", {"too_large"}, id="60,000 members"),
    pytest.param(bombs.billion_laughs, "a.docx", {"external_entity"}, id="billion laughs"),
    pytest.param(bombs.external_entity, "a.docx", {"external_entity"}, id="external entity"),
    pytest.param(lambda: bombs.fat_docx(40), "a.docx", {"ratio", "timeout"}, id="40 MB of XML in a docx"),
    pytest.param(lambda: bombs.deep_html(300_000), "a.html", {"too_deep"}, id="300,000 nested div"),
    pytest.param(lambda: bombs.many_mime_parts(50_000), "", {"too_large"}, id="50,000 MIME parts"),
    pytest.param(lambda: bombs.deep_mime(80), "", {"too_deep"}, id="80 nested multiparts"),
    pytest.param(lambda: bombs.deep_mime(3_000), "", {"too_deep", "timeout"}, id="3,000 nested multiparts"),
    pytest.param(lambda: bombs.nested_mails(20), "", {"too_deep"}, id="20 mails in mails"),
    pytest.param(lambda: bombs.many_addresses(50_000), "", {"too_large"}, id="50,000 addresses"),
    pytest.param(lambda: bombs.huge_png(30_000), "a.png", {"too_large"}, id="900-megapixel PNG"),
    pytest.param(lambda: bombs.double_deflated_pdf(200), "a.pdf",
                 {"timeout", "memory", "crashed", "too_large", "ratio"}, id="double-deflated PDF"),
    pytest.param(lambda: bombs.pdf([bombs.pdf_text("page")] * 1_200), "a.pdf", {"too_large"}, id="1,200 pages"),
    pytest.param(bombs.tnef_53, "winmail.dat", {"timeout", "corrupt", "no_text"}, id="53-byte TNEF"),
    pytest.param(lambda: b"all work and no play\n" * 5_000_000, "a.txt", {"too_large"}, id="100 MB text"),
    pytest.param(lambda: bombs.random_bytes(50_000), "a.docx", {"unknown_type"}, id="random bytes named docx"),
    pytest.param(lambda: bombs.random_bytes(50_000), "a.txt", {"unknown_type"}, id="random bytes named txt"),
    pytest.param(lambda: bombs.docx_of("whole")[:-90], "a.docx", {"corrupt"}, id="truncated docx"),
    pytest.param(lambda: bombs.pdf([bombs.pdf_text("whole")])[:150], "a.pdf", {"corrupt"}, id="truncated PDF"),
    pytest.param(bombs.encrypted_zip, "a.zip", {"encrypted"}, id="encrypted zip"),
    pytest.param(lambda: b"MZ" + bombs.random_bytes(4_000), "a.exe", {"unknown_type"}, id="program"),
]


@pytest.mark.parametrize(("build", "name", "expected"), HELD)
def test_is_held_in_time_and_the_next_mail_is_read(
        build: Callable[[], bytes], name: str, expected: set[str], extractor: SandboxedExtractor) -> None:
    raw = build()
    item = bombs.mail(b"see attachment\r\n", (name, raw)) if name and len(raw) < 30_000_000 else raw
    forget_the_peak()
    before = peak_megabytes()
    start = time.monotonic()
    extraction = extractor.extract(item)
    seconds = time.monotonic() - start

    assert extraction.status != "read"
    assert codes(extraction) & expected, codes(extraction)
    assert seconds < LIMITS.item_seconds + 4
    if item is not raw:
        assert "see attachment" in text(extraction)
        assert extraction.envelope.subject == "course"

    after = extractor.extract(bombs.mail())
    assert after.status == "read"
    assert "starts on Monday" in text(after)
    assert peak_megabytes() - before < PARENT_MEGABYTES


def test_a_sheet_with_one_far_cell_is_read(extractor: SandboxedExtractor) -> None:
    extraction = extractor.extract(bombs.mail(b"x\r\n", ("a.xlsx", bombs.sparse_corner())))
    assert extraction.status == "read"
    assert "far corner" in text(extraction)


@pytest.mark.parametrize("megabytes", [4, 20])
def test_large_pages_are_read_or_timed_out(megabytes: int, extractor: SandboxedExtractor) -> None:
    extraction = extractor.extract(bombs.wide_html(megabytes), name="a.html")
    if extraction.status == "read":
        assert len(text(extraction)) > megabytes * 200_000
    else:
        assert codes(extraction) <= {"timeout", "too_large", "memory"}


def test_hexadecimal_object_data_of_20_megabytes_ends_in_time(extractor: SandboxedExtractor) -> None:
    start = time.monotonic()
    extraction = extractor.extract(bombs.rtf_with_object(20), name="a.rtf")
    assert time.monotonic() - start < LIMITS.item_seconds
    assert extraction.status != "read"
    assert "before" in text(extraction)


def test_what_follows_a_hanging_attachment_is_still_read(extractor: SandboxedExtractor) -> None:
    item = bombs.mail(b"first\r\n", ("a.pdf", bombs.double_deflated_pdf(200)), ("b.txt", b"the second attachment"))
    extraction = extractor.extract(item)
    assert "first" in text(extraction)
    assert "the second attachment" in text(extraction)
    assert [unread.place for unread in extraction.unread] == ["attachment 1 of 2 (pdf)"]


def test_text_read_before_a_limit_is_kept(extractor: SandboxedExtractor) -> None:
    extraction = extractor.extract(b"one line of many\n" * 6_000_000, name="a.txt")
    assert codes(extraction) == {"too_large"}
    assert len(text(extraction)) > LIMITS.text_chars * 0.9
