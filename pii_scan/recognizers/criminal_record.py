"""Criminal records, charges and justice of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import WordingRecognizer, compile_cue

_OFFENCE = (
    r"(?:assault|theft|fraud|dui|dwi|impaired driving|possession|trafficking|manslaughter|murder|robbery|mischief|"
    r"uttering threats|sexual assault|"
            r"domestic violence|drug (?:charge|possession)|break and enter|embezzlement|harassment|arson|"
            r"shoplifting|drunk driving)")


class CriminalRecordRecognizer(WordingRecognizer):
    """Find charges, arrests, convictions, record-check results, probation and youth justice of a person.

    Score 0.85. Policies, scenarios and news on the law are left alone; so is the bare topic.

    Source: FOIPPA 22(3)(b) by way of the pack; words are ours.
    """

    kind = "criminal_record"
    category = Category.CRIMINAL_RECORD
    citation = "category.criminal_record"
    anchors = word_set(
        "restraining youth offender ycja peace arrested charged convicted conviction convictions criminal "
        "probation parole jail prison incarcerated "
        "pardoned pardon dui dwi felony sentenced "
        "guilty bail clearance warrant youth arrete arretee accuse accusee "
        "condamne condamnee condamnation casier pardon probation antecedents")
    never = re.compile(
        r"\b(?:how to|course (?:on|in)|module|curriculum|statute|bill c-|section \d+ of|instructor'?s? guide|"
        r"training on|complet\w+ (?:a|the) criminal record check (?:form|before)|"
                       r"charged (?:to|for|with (?:the task|responsib\w+|leading|developing))|bail ?out|suspects?|"
                       r"mock|character)\b")
    cues = (
        (0.85, "arrested", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:arrested|incarcerated|convicted|sentenced to|pleaded guilty|pled "
            r"guilty|found guilty|indicted|out on bail|on parole|on probation (?:for|until|order|after)|in jail|in "
            r"prison|did time)\b)")),
        (0.85, "charged", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,3}}(?:charged with|accused of|charge of|charges of|convicted of|"
            rf"conviction for|dui|dwi|arrested for|caught) (?:[a-z]{{1,12}} ){{0,2}}{_OFFENCE}\b)")),
        (0.85, "record", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:has|have|had|with|disclosed|got) (?:[a-z0-9]{1,12} "
            r"){0,2}(?:criminal record|criminal conviction|conviction|dui|dwi|felony|outstanding warrant|"
            r"no-contact order|restraining order|peace bond|pardon)\b)")),
        (0.85, "record-check", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,1}(?:criminal record check|record check|police check|background "
            r"check|criminal record|security clearance|conviction|parole officer|probation officer|bail "
            r"conditions)\b[^.\n]{0,50}\b(?:came back|clean|clear|shows?|failed|denied|positive|hit|lists?|pending|"
            r"flagged|returned|revealed|for)\b)")),
        (0.85, "record-check", compile_cue(
            r"(?i:(?:security clearance|record check|police check|background check|criminal record "
            r"check)[^.\n]{0,24}\b(?:denied|failed|flagged|adverse|positive|came back|not "
            r"clear))[^.\n]{0,30}(?P<name>"
                                           r"\b[A-Z][a-z]{2,15} [A-Z][a-z]{2,15}\b)")),
        (0.85, "youth-justice", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,5}(?:youth (?:custody|court|justice|probation|record|conference order)|"
            r"young offender|ycja (?:order|record|sentence))\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:arretee? (?:pour|par|vendredi|hier)|accusee? de|condamnee? "
            r"(?:pour|a)|en probation|en prison|en liberte conditionnelle)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:casier judiciaire|verification(?: d'antecedents| de casier)?)\b[^.\n]{0,30}\b(?:revele|"
            r"montre|vierge pour|de|pour)\b) (?P<name>(?:M\.|Mme) [A-Z][a-z]{2,15}|[A-Z][a-z]{2,15})")),
    )
