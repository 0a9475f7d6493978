"""Children who are named or can be told by a parent."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import NAME, WordingRecognizer, compile_cue

_AGE = r"(?:[1-9]|1[0-8])"


class MinorRecognizer(WordingRecognizer):
    """Find a named child with an age or grade, and a parent's talk of a child's school or care.

    "Name (14)" and "Name, 16" need a child word in the sentence; "my daughter Isla", "my 5-year-old" and
    children at daycare need none. Score 0.85. Groups ("children under 12") and fiction are left alone.

    Source: sensitivity clause of the organisation by way of the pack; words are ours.
    """

    kind = "minor"
    category = Category.MINOR
    citation = "category.minor"
    anchors = word_set(
        "lad lass teen teenager grade division kindergartner aide sixteen seventeen fifteen fourteen thirteen "
        "twelve eleven "
        "youth junior juniors inhaler daughter daughters son sons kid kids child children boy girl boys girls baby "
        "toddler old years yrs year daycare kindergarten preschool stepson stepdaughter "
                        "grade cadet parent parents guardian camp fille fils enfant enfants ans garderie parentale "
                        "nephew niece grandson granddaughter stepkids")
    never = re.compile(
        r"\b(?:cabin|room|table|booth|flight|page|if your (?:child|son|daughter)|children (?:under|aged|ages|"
        r"between)|\w+ years old (?:company|firm|building)|year old (?:company|firm|plant|building|contract|issue)|"
        r"company's|mascot|"
                       r"parent (?:company|guarant\w+|corporation)|big boys?|boys club|girls club|girl scouts?|boy "
                       r"scouts?|years? ago|gas daily|movie|novel|joke)\b")
    cues = (
        (0.85, "my-child-named", compile_cue(
            rf"(?i:\b(?:my|our|his|her) (?:[a-z]{{2,10}} ){{0,2}}(?:daughter|son|stepson|stepdaughter|little "
            rf"(?:boy|girl|guy)|baby|niece|nephew|grandson|granddaughter)s?),? \(?{NAME}[,)]? ?\(?(?i:{_AGE}\b|age|"
            rf"aged|is|was|has|will|and|turns?|in grade|who)")),
        (0.85, "my-young-child", compile_cue(
            rf"(?i:\b(?:my|our|his|her|[a-z]{{2,14}}'s) (?:[a-z]{{2,10}} )?(?:{_AGE}|one|two|three|four|five|six|"
            rf"seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)(?:[ -]and[ -]a[ "
            rf"-]half)?[ -](?:year|yr|month|week)s?[ -]old)", must=r"[ -]old\b")),
        (0.85, "child-care", compile_cue(
            r"(?i:\b(?:my|our|his|her) (?:[a-z]{2,10} ){0,2}(?:kids?|children|daughters?|sons?|little guy|little "
            r"girl|little one|boys|girls|baby|toddler|stepson|stepdaughter)\b[^.\n]{0,60}\b(?:daycare|day care|"
            r"preschool|kindergarten|school (?:play|concert)|first day of school|elementary|teething|diapers?|"
            r"soccer (?:game|practice|tournament)|grade [1-9k])\b)",
            must=r"\b(?:day ?care|preschool|kindergarten|school|elementary|teething|diapers?|soccer|grade)\b")),
        (0.85, "aged", compile_cue(
            rf"(?P<name>{NAME})(?i:,? \(?(?:age[d]? )?{_AGE}\)?,? (?:years? old|years? of age|yrs old|ans\b|"
            rf"-?year-?old))")),
        (0.85, "aged-in-list", compile_cue(
            rf"(?i:\b(?:cadets?|camp|youth|juniors?|photo consent|permission|consent|parents?|guardian|daughter|"
            rf"son|kids?|children|grade|school|fille|fils|parentale|enfants?|"
            rf"carries)\b[^.\n]{{0,60}}?)(?P<name>{NAME})(?:,? \(?|,? (?i:age |aged ))(?:{_AGE})(?:\)|(?i: (?:ans|"
            rf"yrs?|years?)\b)|,|;|$)")),
        (0.85, "aged-before", compile_cue(
            rf"(?P<name>{NAME}),? \(?{_AGE}\)?,? ?(?i:[^.\n]{{0,50}}\b(?:his parents?|her parents?|camp\b|guardian|"
            rf"ride-along|custody|mother|father|carries an?|school|grade|ans\b))")),
        (0.85, "grade", compile_cue(
            rf"(?P<name>{NAME}),? (?i:\(?grade (?:[1-9]|1[0-2]|k)\b|en (?:deuxieme|troisieme|premiere|quatrieme|"
            rf"cinquieme|sixieme|secondaire \d|\d+e) annee)")),
        (0.85, "fr", compile_cue(
            rf"(?i:\b(?:ma|mon|sa|son) (?:fille|fils|petit|petite|garcon|bebe|petit-fils|petite-fille))\b,? {NAME}")),
        (0.85, "fr", compile_cue(rf"(?P<name>{NAME})(?i:,? \(?{_AGE} ans\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:chercher|amener|conduire) )(?P<name>[A-Z][a-z]{1,15})(?i: a la garderie\b)")),
        (0.85, "daycare", compile_cue(
            r"(?i:\b(?:get|pick up|drop off|picking up|take|fetch) )(?P<name>[A-Z][a-z]{1,15})(?i: (?:from|at|to|"
            r"up from) (?:the )?(?:daycare|day care|preschool|kindergarten|school)\b)")),

        (0.85, "child-age", compile_cue(
            rf"(?i:\b(?:my|our|his|her|the|[a-z]{{2,14}}'s) (?:[a-z]{{2,10}} ){{0,2}}(?:boy|girl|lad|lass|kid|son|"
            rf"daughter|"
            rf"cadet|nephew|niece|grandson|granddaughter|foster child)\b[^.\n]{{0,24}}(?:\bis|'s|\bwas|\bturned|"
            rf"\bturns|"
            rf"\bis just|\bhe's|\bshe's) (?:only |just )?(?:{_AGE}|five|six|seven|eight|nine|ten|eleven|twelve|"
            rf"thirteen|"
            rf"fourteen|fifteen|sixteen|seventeen)\b(?! ?(?:%|percent|am|pm|o'clock|minutes|hours|days|weeks|months|km|"
            rf"points|games|for|to|th)))",
            must=r"\b(?:boy|girl|lad|lass|kid|son|daughter|cadet|nephew|niece|grandson|granddaughter|child)\b")),
        (0.85, "pronoun-age", compile_cue(
            r"(?i:\b(?:he|she)(?:'s| is| was| just turned| turned| turns) (?:only |just )?(?:five|six|seven|eight|"
            r"nine|ten|"
            r"eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)\b(?=[^.\n]{0,60}\b(?:mom|mum|mother|father|"
            r"dad|"
            r"parents?|school|grade|camp|class|cadets?|kid|boy|girl|youth)\b))")),
        (0.85, "pupil", compile_cue(
            rf"(?P<name>{NAME})(?i:,? (?:who is |is )?in (?:division|div\.?|grade|room) (?:[1-9]|1[0-2]|k)\b)")),
    )
