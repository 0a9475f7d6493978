"""The documentation says what the program does: every command, setting, error, event and link."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import reference

from pii_scan.text import REASON_CODES

ROOT = Path(__file__).parent.parent
PAGES = sorted(p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_reference_is_what_the_program_says() -> None:
    assert reference.FILE.read_text(encoding="utf-8") == reference.render(), "run `make docs`"


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, _, text in reference.settings() if not text] == []


def test_every_error_has_a_sentence_and_a_hint_and_its_own_code() -> None:
    errors = reference.errors()
    assert len(errors) > 25
    for error in errors:
        assert reference.sentence(error).endswith("."), error
        assert error.hint, error
        assert re.fullmatch(r"[a-z][a-z-]+", error.code), error


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{target} in {page.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_named_in_the_text_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:addin|capture|docs|manifests|pii_scan|store|tests)/[\w./-]+\.\w+)`", text):
        assert "NAME" in name or (ROOT / name).exists(), f"{name} in {page.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_named_in_the_text_exist(page: Path) -> None:
    known = {name for name, _ in reference.commands()} | {"mailweir"}
    groups = {" ".join(name.split()[:2]) for name in known}
    for words in re.findall(r"`(mailweir [a-z][a-z -]*)", page.read_text(encoding="utf-8")):
        plain = " ".join(w for w in words.split() if re.fullmatch(r"[a-z][a-z-]*", w) and not w.startswith("-"))
        assert any(plain == k or plain.startswith(f"{k} ") or k == plain for k in known | groups), (page.name, words)


def test_every_reason_code_is_explained() -> None:
    page = (ROOT / "docs" / "extraction.md").read_text(encoding="utf-8")
    assert [code for code in sorted(REASON_CODES) if f"`{code}`" not in page] == []


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
