"""Immigration status of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import WordingRecognizer, compile_cue

_STATUS = (
    r"(?:visa|work permit|study permit|green ?card|greencard|permanent residen(?:cy|ce|t)|pr card|refugee (?:claim|"
    r"status)|asylum(?: claim)?|immigration status|"
           r"h-?1b?(?: visa)?|l-?1a?(?: visa)?|citizenship (?:application|test|papers)|deportation|removal order|"
           r"sponsorship application|work visa|student visa|restoration of status|"
           r"maintained status|implied status|naturali[sz]ation)")


class ImmigrationRecognizer(WordingRecognizer):
    """Find visas, permits, residence, refugee claims and citizenship applications of a person.

    Score 0.85. The Visa card, general immigration policy and offers of visa services are left alone.

    Source: gov.bc.ca, "Personal Information" (a status assigned to a person); words are ours.
    """

    kind = "immigration"
    category = Category.IMMIGRATION
    citation = "category.immigration"
    anchors = word_set(
        "visa permit greencard green permanent refugee asylum immigration citizenship deportation deported "
        "residency naturalization status sponsorship "
                        "permis visa asile residente resident residence statut ircc")
    never = re.compile(
        r"\b(?:visa (?:card|or mastercard|gold|platinum|account|debit|/)|mastercard|amex|credit card|building "
        r"permit|air permit|operating permit|permit (?:application|fee)s?|"
                       r"visa (?:and passport|services?|requirements?|questions?|needs)|parking permit|camping "
                       r"permit|bankamericard|drilling|air quality|project)\b")
    cues = (
        (0.85, "status", compile_cue(rf"{{whose}} (?i:(?:[a-z0-9-]{{2,12}} ){{0,2}}{_STATUS}\b)")),
        (0.85, "status", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,4}}(?:has|have|had|get|getting|got|on|for|needs?|waiting for|"
            rf"appl(?:y|ied|ying) for|received|renew\w*|extend\w*|expecting|sponsor\w*|holds?|under|lost|denied|"
            rf"as) (?:[a-z-]{{1,12}} ){{0,3}}{_STATUS}\b)")),
        (0.8, "status", compile_cue(rf"(?i:\b(?:your|my) {_STATUS}\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:son|sa|mon|ma) (?:permis (?:de travail|d'etudes)|visa|demande d'asile|residence permanente|"
            r"carte de residente?(?: permanente)?|statut (?:de refugie|d'immigrant)|citoyennete)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:permis (?:de travail|d'etudes)|visa|demande d'asile|statut) (?:[a-z]{2,10} ){0,2}(?:de|d'|"
            r"pour)) ?(?P<name>(?:M\.|Mme )?\b[A-Z][a-z]{2,15})")),
        (0.85, "fr", compile_cue(r"(?i:\b(?:a recu|a obtenu|attend) sa carte de residente?\b|\ben statut maintenu\b)")),
    )
