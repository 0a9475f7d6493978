"""Immigration status of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import NAME, WordingRecognizer, compile_cue

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
        "visitor refused "
        "lmia pgwp overstay overstayed removal asylum landed landing biometrics sponsored sponsoring sponsor "
        "refugees papers pr tn undocumented caq citizen oath parrainage expulsion permits h1b "
        "visa permit greencard green permanent refugee asylum immigration citizenship deportation deported "
        "residency naturalization status sponsorship "
                        "permis visa asile residente resident residence statut ircc")
    never = re.compile(
        r"\b(?:visa (?:card|or mastercard|gold|platinum|account|debit|/)|mastercard|amex|credit card|building "
        r"permit|air permit|operating permit|permit (?:application|fee)s?|"
                       r"visa (?:and passport|services?|requirements?|questions?|needs)|parking permit|hot work|"
                       r"confined space|lock-?out|work permits? (?:could|must|system|procedure|office|form)|safe "
                       r"work|camping "
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

        (0.85, "permit", compile_cue(
            r"{who} (?i:(?:[a-z',0-9-]{1,14} ){0,6}(?:lmia|pgwp|closed (?:work )?permit|open (?:work )?permit|"
            r"post-?grad(?:uation)?(?: work)? permit|bridging permit|visitor record|study permit|work permit|"
            r"pr (?:application|card|file|papers|status)|student visa|work visa)\b)(?! (?:holders?|applicants?|rules|"
            r"fees?|course|training|requirements?))")),
        (0.85, "papers", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:pr (?:application|card|file|papers|status|interview)|lmia|pgwp|"
            r"landing(?: interview| papers)|landed (?:status|papers)|refugee (?:hearing|claim|status|file)|"
            r"removal (?:order|date)|deportation|biometrics|immigration (?:lawyer|hearing|file|interview|papers|case)|"
            r"sponsorship|citizenship (?:oath|ceremony|test|hearing)|closed permit|open permit)\b)")),
        (0.85, "expires", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:visa|permit|status|papers)\b[^.\n]{0,24}\b(?:runs? out|ran out|"
            r"expires?|"
            r"expired|is up|are up|lapses?|lapsed|was refused|were refused|refused|denied|turned down|came through|"
            r"extended|renewed|revoked|only run)\b)")),
        (0.85, "told", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:overstayed|was deported|been deported|being deported|"
            r"be deported|facing (?:removal|deportation)|claimed asylum|claiming asylum|"
            r"(?:made|filed|has|won|lost) (?:a|her|his) refugee claim|came (?:here |over )?as a refugee|"
            r"(?:is|was|are) (?:an? )?(?:protected person|landed immigrant|permanent resident|refugee|convention "
            r"refugee|"
            r"refugee claimant|failed claimant|undocumented)|here (?:on|as) an? (?:visitor|tourist|visa)|"
            r"out of status|no status|lost (?:his|her|my) status|refused (?:landing|entry at)|"
            r"removal order|sponsoring (?:his|her|my)|sponsored (?:his|her|my|by (?:his|her|my|the church))|"
            r"took (?:the|his|her) (?:citizenship )?oath|became a (?:canadian )?citizen|"
            r"on implied status|on maintained status)\b)")),
        (0.85, "name-permit", compile_cue(
            rf"(?P<name>{NAME})" r"(?:, [A-Z][a-z'-]{1,20})?,? ?(?i:[^.\n]{0,50}\b(?:lmia|pgwp|study permit|"
            r"work "
            r"permit|closed permit|open work permit|pr application|refugee claim|removal order|permis d'etudes|permis "
            r"de travail|residence permanente|demande d'asile)\b[^.\n]{0,40}\b(?:expires?|until|runs out|jusqu'\w+|"
            r"expire|"
            r"since|refused|pending|waiting|attente|echeance|ends|issued))")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:son|sa|mon|ma) (?:pgwp|permis ferme|permis ouvert|permis post-?diplome|parrainage|caq|csq|"
            r"eimt|residence permanente|demande de (?:residence|statut|parrainage)|audience (?:de refugie|a la cisr)|"
            r"mesure de renvoi|expulsion)\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:refugiee?|demandeur d'asile|demandeuse d'asile|sans papiers|sans "
            r"statut|"
            r"residente? permanente?|parrainee? par|menacee? d'expulsion|attend (?:sa|ses|son) (?:residence|papiers|"
            r"permis|statut))\b)")),
    )
