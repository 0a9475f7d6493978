"""Student numbers of the institution."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber
from pii_scan.settings import STUDENT_NUMBER, ScanSettings


class StudentNumberRecognizer(LabelledNumber):
    """Find student numbers.

    The form differs by institution and is a setting (`student_number_pattern`, default eight digits or a
    letter and seven to eight digits). There is no check digit, so a label is required.

    Source: setting of the operator; the default is the form of one BC university.
    """

    kind = "student_number"
    category = Category.EDUCATION_RECORD
    citation = "identifier.student_number"
    checked = False
    near = 0.8
    labels = Phrases("student number", "student no", "student id", "student #", "student num", "stud no", "student",
                     "students", "learner id", "learner number", "recruit number", "matricule", "numero d'etudiant",
                     "numero etudiant", "code permanent")

    def __init__(self, form: str = STUDENT_NUMBER) -> None:
        self.form = re.compile(rf"(?<![\w\-./])(?:{form})(?![\w]|[-/.]\d)", re.IGNORECASE)
        super().__init__()

    @classmethod
    def from_settings(cls, settings: ScanSettings) -> StudentNumberRecognizer:
        return cls(settings.student_number_pattern)

    @property
    def value(self) -> re.Pattern[str]:  # type: ignore[override]
        """The institution's form."""
        return self.form

    def valid(self, value: str) -> bool:
        date = re.fullmatch(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])", value)
        return len(set(value)) > 1 and date is None
