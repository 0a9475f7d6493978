"""The `[scan]` section of settings.toml."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

STUDENT_NUMBER = r"\d{8}|[A-Za-z]\d{7,8}"
"""Eight digits, or a letter and seven or eight digits."""


class ScanSettings(BaseModel):
    """How mail is scanned. Everything has a default; unknown keys are errors.

    Thresholds left out are those of the policy pack. `contacts` are known business addresses, domains
    ("@example.org") or telephone numbers (digits) besides the parties of a mail. `forms` is a file of form
    fingerprints, `lists` are files of exact-match lists. `names` off saves memory and leaves findings that
    rest on a name in doubt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    pack: str = "bc_foippa"
    """Policy pack: a name that ships with mailweir, or the path of a TOML file."""
    own_domains: tuple[str, ...] = ()
    """Mail domains of the institution: people there are staff, never matched in the CRM."""
    contacts: tuple[str, ...] = ()
    """Known business addresses, domains ("@example.org") or phone numbers (digits) besides the parties."""
    student_number_pattern: str = STUDENT_NUMBER
    """Form of a student number, as a regular expression."""
    block_at: float | None = Field(default=None, gt=0, le=1)
    """Message probability from which an item is blocked; empty = that of the policy pack."""
    review_at: float | None = Field(default=None, gt=0, le=1)
    """Message probability from which an item is held for review; empty = that of the policy pack."""
    semantic_model: Path | None = None
    """File of sentence-model weights made by `mailweir train`; empty = the one that ships."""
    names: bool = True
    """Ask the language model whether a capitalised word is a person, where only that decides."""
    forms: Path | None = None
    """File of registered blank forms; a filled one is recognised."""
    lists: tuple[Path, ...] = ()
    """Exact-match lists as keyed hashes (`docs/scanner.md`)."""

    @field_validator("student_number_pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as exc:
            raise ValueError(f"not a regular expression at character {exc.pos}") from None
        if len(value) > 200 or re.search(r"[*+}]\)?[*+{]", value):
            raise ValueError("too long, or a repetition inside a repetition")
        return value
