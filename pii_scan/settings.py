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
    own_domains: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    student_number_pattern: str = STUDENT_NUMBER
    block_at: float | None = Field(default=None, gt=0, le=1)
    review_at: float | None = Field(default=None, gt=0, le=1)
    semantic_model: Path | None = None
    names: bool = True
    forms: Path | None = None
    lists: tuple[Path, ...] = ()

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
