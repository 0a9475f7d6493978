"""The registry of recognizers: rule name -> where its class is. Names only; nothing heavy is imported.

A new recognizer is one file and one line here, plus its name in the packs that use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pii_scan.recognizers.base import Recognizer
    from pii_scan.settings import ScanSettings

REGISTRY: dict[str, str] = {
    "ca_sin": "pii_scan.recognizers.ca_sin:SinRecognizer",
    "bc_phn": "pii_scan.recognizers.bc_phn:PhnRecognizer",
    "bc_pen": "pii_scan.recognizers.bc_pen:PenRecognizer",
    "us_ssn": "pii_scan.recognizers.us_ssn:SsnRecognizer",
    "bc_driver_licence": "pii_scan.recognizers.bc_driver_licence:BcDriverLicenceRecognizer",
    "passport": "pii_scan.recognizers.passport:PassportRecognizer",
    "mistyped_id": "pii_scan.recognizers.mistyped_id:MistypedIdRecognizer",
    "id_in_context": "pii_scan.recognizers.id_context:IdInContextRecognizer",
    "student_number": "pii_scan.recognizers.student_number:StudentNumberRecognizer",
    "payment_card": "pii_scan.recognizers.payment_card:PaymentCardRecognizer",
    "iban": "pii_scan.recognizers.iban:IbanAccountRecognizer",
    "ca_bank_account": "pii_scan.recognizers.bank_account:BankAccountRecognizer",
    "date_of_birth": "pii_scan.recognizers.date_of_birth:DateOfBirthRecognizer",
    "home_phone": "pii_scan.recognizers.home_phone:HomePhoneRecognizer",
    "home_address": "pii_scan.recognizers.home_address:HomeAddressRecognizer",
    "private_mail": "pii_scan.recognizers.private_mail:PrivateMailRecognizer",
    "credentials": "pii_scan.recognizers.credentials:CredentialsRecognizer",
    "access_code": "pii_scan.recognizers.access_code:AccessCodeRecognizer",
    "health": "pii_scan.recognizers.health:HealthRecognizer",
    "criminal_record": "pii_scan.recognizers.criminal_record:CriminalRecordRecognizer",
    "immigration": "pii_scan.recognizers.immigration:ImmigrationRecognizer",
    "minor": "pii_scan.recognizers.minor:MinorRecognizer",
    "family": "pii_scan.recognizers.family:FamilyRecognizer",
    "education": "pii_scan.recognizers.education:EducationRecognizer",
    "employment": "pii_scan.recognizers.employment:EmploymentRecognizer",
    "belief": "pii_scan.recognizers.belief:BeliefRecognizer",
    "finance": "pii_scan.recognizers.finance:FinanceRecognizer",
    "uk_nhs": "pii_scan.recognizers.uk_nhs:NhsNumberRecognizer",
    "uk_nino": "pii_scan.recognizers.uk_nino:NinoRecognizer",
}


def load(name: str, settings: ScanSettings) -> Recognizer:
    """Make the recognizer registered as `name`. Imports Presidio."""
    module, _, attribute = REGISTRY[name].partition(":")
    made: type[Recognizer] = getattr(import_module(module), attribute)
    return made.from_settings(settings)
