"""Marks, failures, admission and misconduct of a student."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import NAME, WordingRecognizer, compile_cue


class EducationRecognizer(WordingRecognizer):
    """Find marks, failed exams, probation, misconduct, transcripts and admission of a named student.

    Score 0.85 with a person in the sentence. Pass marks, totals and policies are left alone.

    Source: gov.bc.ca, "Personal Information" (education); words are ours.
    """

    kind = "education"
    category = Category.EDUCATION_RECORD
    citation = "category.education_record"
    anchors = word_set(
        "triche exclu exclue renvoye renvoyee notes cheat copied expelled zero attempt attempts extra scribe "
        "dyslexic iep rewriting repeating scored marked "
        "coule plagiat tricher "
        "failed failing exam exams midterm final gpa transcript transcripts plagiarism plagiarized cheating "
        "cheated probation withdrawn expelled admitted admission mark marks grade grades "
                        "practicum assessment resit rewrite retake flunked dismissed incomplete incompletes "
                        "standing echoue echec examen note notes releve tricher reprise rate ratee admission "
                        "graduate")
    never = re.compile(
        r"\b(?:passing (?:mark|grade)|pass mark|high[- ]grade|grade (?:crude|oil|gas|level)|investment grade|"
        r"failed to (?:mention|respond|see|get|include|send|make|do|deliver|pay|provide|attach)|note de passage|"
        r"(?:voicemail|call|hearing|interview|conference|court|trial) transcripts?|your child's|positions|curves?|"
        r"books?|"
                       r"exam (?:room|schedule|date|invigilat\w+)|final (?:draft|version|copy|agreement|exam is)|"
                       r"benchmark|market)\b")
    cues = (
        (0.85, "failed", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:failed|flunked|bombed|didn't pass|did not pass|bottomed out on|"
            r"has to (?:rewrite|retake|repeat)|is failing|failing) (?:[a-z-]{1,12} ){0,4}(?:exams?|tests?|midterm|"
            r"course|module|practicum|assessment|block|quiz|final|practical|evaluation|mid term|fitness test|"
            r"class)\b)")),
        (0.85, "mark", compile_cue(
            rf"(?P<name>{NAME}) (?i:(?:[a-z']{{1,12}} ){{0,3}}(?:got|received|scored|earned|has|finished with|had) "
            rf"(?:an? |only )?(?:\d{{1,3}} ?(?:%|percent|/ ?\d{{2,3}})|[a-f][+-]?(?= (?:in|on|for))) "
            rf"?(?:[a-z]{{1,12}} ){{0,2}}(?:on|in|for|gpa|exam|final|test)?)")),
        (0.85, "conduct", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,4}(?:plagiari[sz]ed|caught cheating|cheated on|academic probation|"
            r"academic misconduct|expelled|dismissed from the (?:program|academy|course)|withdrawn from the "
            r"(?:program|course))\b)")),
        (0.85, "record", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,1}(?:transcripts?|gpa|final mark|final grade|midterm mark|exam "
            r"(?:mark|result|score)s?|grades|marks)\b(?! (?:is|are) (?:required|posted)))")),
        (0.85, "admitted", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,2}(?:was|were|got|been|is) (?:not )?(?:admitted|accepted|refused "
            r"admission|rejected) (?:to|into|by) (?:the )?(?:[a-z-]{2,15} ){0,3}(?:program|course|academy|school|"
            r"university|college|mba)\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,2}(?:a echoue|(?:a|ont) rate (?:l|son|sa|leur|la|le)|a ete prise? a "
            r"tricher|a coule) ?)")),
        (0.85, "fr", compile_cue(rf"(?i:\breleve de notes ?:? ?)(?P<name>{NAME})")),

        (0.85, "score", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:got|scored|received|earned|had|has|made|managed|pulled) (?:an? |"
            r"only |just "
            r"|a bare )?)\d{1,2}(?:\.\d)?(?i: ?(?:%|percent|per cent|out of \d{2,3}|/ ?\d{2,3})? ?(?:on|in|for) "
            r"(?:the|his|"
            r"her|my) (?:[a-z-]{2,15} ){0,3}(?:paper|exam|test|final|midterm|quiz|block|module|practical|written|"
            r"course|"
            r"essay|assignment|practicum)\b)")),
        (0.85, "conduct", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:caught (?:with notes|copying|with (?:a|his|her) phone)|copied "
            r"(?:from|off) "
            r"(?:his|her|the|another)|handed in (?:someone|somebody|another)|kicked out of (?:the|school|class|"
            r"residence)|"
            r"suspended from school|washed out of|failed out|flunked out|dropped out of (?:school|the (?:program|"
            r"course|"
            r"academy)|university|college)|on academic probation|given a zero|got a zero|mark of zero|"
            r"(?:did not|didn't|won't|will not|hasn't) (?:be )?(?:passed?|passing|graduate|graduating) (?:the|with|"
            r"from|this|"
            r"his|her)|repeating (?:the|a|his|her) (?:year|block|module|course|grade)|"
            r"rewrite (?:the|his|her)|(?:second|third|last|final) attempt (?:at|on))\b)")),
        (0.85, "accommodation", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:gets?|needs?|has|have|entitled to|approved for|granted|receives?|"
            r"requires?) "
            r"(?:[a-z-]{1,12} ){0,3}(?:extra (?:exam |test )?time|double time|time and a half|a reader|a scribe|"
            r"scribe|large[- ]print (?:exam|paper)|separate (?:room|setting) (?:for|because)|stop-?clock|"
            r"learning (?:disability|disorder)|exam accommodations?|academic accommodations?|an iep|note-?taker)\b)")),
        (0.85, "outcome", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:failed (?:exam|attempt|practicum)|academic probation|expulsion|"
            r"plagiarism|misconduct (?:hearing|file|case)|exam accommodations?|report card|learning disability|"
            r"appeal of the (?:grade|mark)|grade appeal|second attempt|last attempt)\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:a eu|a obtenu|obtient|a recolte) (?:seulement )?)\d{1,2}(?i: ?(?:%|"
            r"pour ?cent|sur \d{2,3}) (?:a |au |dans |en |pour ))")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:plagie|copie sur|triche|ete (?:exclue?|renvoyee?|expulsee?) (?:du|"
            r"de)|"
            r"a abandonne (?:le|son|ses)|doit reprendre (?:l'examen|le (?:cours|module|bloc)|son)|coule (?:son|l'|le)|"
            r"n'a pas (?:passe|reussi))\b)")),
    )
