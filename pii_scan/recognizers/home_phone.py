"""Home and private telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.findings import Category
from pii_scan.recognizers.base import Hit, IndexedText, Recognizer
from pii_scan.recognizers.contact import PHONE, phones

_LABEL = re.compile(
    r"(?<![a-z])(?:(?<=\n)(?:house|cabin|cottage|chalet|farm|ranch)(?=[ ]{1,6}[\d(])|home(?:[ ](?:phone|telephone|"
    r"tel|number|no|num|ph|cell|#))?|house (?:phone|number)|residence|res|"
    r"(?:private|personal|perso) (?:cell(?:phone|ular)?|phone|mobile|number|no|line)|"
    r"domicile|maison|chez (?:moi|lui|elle|nous)|(?:numero|telephone|cellulaire|cell) (?:prive|personnel|perso)|"
    r"parents?'? (?:phone|number|cell)|(?:her|his|my) (?:unlisted|landline|land line)|unlisted number|landline|the "
    r"cottage|next[ -]of[ -]kin|emergency contact|contact d'urgence)"
    r"(?=[\s:#.,;()/*'=-])")
_AFTER_LABEL = re.compile(
    r"[\s:#.,;(/*'=>-]{0,6}(?:(?:phone|telephone|tel|number|numbers|no|num|is|est|le|at|au|or|line|evenings?|after "
    r"hours|work|cell|fax|"
    r"me|my|number is)[\s:#.,;()/*'=>-]{1,4}){0,5}\Z")
_FREE_LABEL = re.compile(
    r"\b(?:home (?:phone|telephone|tel|number|no|#)|(?:at|at the|my|his|her|their) (?:home|house|place|apartment|"
    r"mom's|"
    r"parents'?)|numero (?:personnel|prive|a la maison)|chez moi)\b"
    r"(?:(?!\b(?:work|office|cell|fax|pager|mobile|desk|blackberry|bureau)\b)[^\d\n.!?;]|\n(?!\s*\n)){0,45}\Z")
_CAPITAL_H = re.compile(r"(?:^|[\n,;|])[ \t>]*(?:H|Hm|R)[ ]{1,3}\Z")
_ABROAD = re.compile(r"(?<![\w./-])[+(]?\d[\d().-]*(?:[ -][\d().-]+){1,6}(?![\w])")
_BEFORE_MARK = re.compile(r"(?<![\w.-])[+(]?\d[\d().-]*(?:[ -][\d().-]+){0,5}[ ]?\(\Z")
_H_BEFORE = re.compile(r"(?:^|[\s(,;/|])(?:h|hm|hme|r)[ ]?(?:\)|:|-|#|=)[ ]{0,3}\Z")
_AFTER = re.compile(
    r"[\s>]{0,6}(?:[-(\[/,][ ]?){0,2}(?:(?:(?:at|is my|is his|is her|for my|-) )?(?:(?:my|his|her) )?(?:home|house)|"
    r"residence|h|hm|maison|domicile|private|personal|perso)(?![\w'-])(?![ ](?:office|depot|page|fax|loan|run|"
    r"team))")
_KIN = re.compile(
    r"\b(?:wife|husband|mother|father|mom|dad|(?:my|his|her|-|,) partner|spouse|son|daughter|sister|brother|"
    r"parents?|grandmother|"
                  r"next of kin|girlfriend|boyfriend|femme|mari|mere|pere|conjointe?)\b[^\n\d]{0,30}\Z")
_REACH_HOME = re.compile(
    r"\b(?:reach|call|phone|ring|contact|try|rejoindre|appele[rz])\b[^\n.!?]{0,40}\b(?:at home|a la maison|chez "
    r"(?:moi|elle|lui|nous)|at night|evenings|after hours)\b[^\n\d]{0,16}\Z")
_PLACE = re.compile(
    r"\b(?:the|my|our|his|her|their|own|[a-z]{2,15}'s|le|la|mon|ma|notre|au)[ ](?:[a-z]{3,10} )?(?:place|farm|ranch|"
    r"cabin|"
    r"cottage|flat|house|chalet|condo|apartment|lake|lake house|landline|houseboat|trailer|basement|"
    r"in-laws'?|mother's|mother|mom's|mum's|dad's|father's|parents'|parents|sister's|brother's|daughter's|son's|"
    r"grandma's|"
    r"own (?:phone|cell|number|mobile)|private line|maison|ferme|numero personnel|cell personnel)\b"
    r"(?:[^\d\n.!?;]|[.](?=[ ]?\d)|\n(?!\s*\n)){0,30}\Z")
_CHEZ = re.compile(r"\bchez (?:ma|mon|mes|sa|son|ses|nos|leurs?) [a-z-]{3,14}(?:[^\d\n.!?;]|\n(?!\s*\n)){0,30}\Z")
_AFTER_WORK = re.compile(
    r"\b(?:try|reach|call|ring|phone|text|get|catch|whatsapp|find|rejoindre|rejoignez|appelez?|appelle|joindre)(?:[ -])"
    r"(?:me|us|him|her|moi|nous)\b[^\d\n.!?;]{0,40}\b(?:after (?:six|five|seven|eight|nine|supper|dinner|work|school|"
    r"\d{1,2}(?: ?pm| o'clock)?)|evenings?|at night|nights|weekends?|(?:le )?soir|apres (?:le )?(?:souper|travail)|"
    r"apres \d{1,2} ?h(?:eures)?|(?:la )?fin de semaine)\b[^\d\n]{0,16}\Z")
_NEAR_AFTER = re.compile(
    r"[^\n.!?\d]{0,14}\b(?:that's|that is|it's|which is|this is|c'est|rings? at)[ ](?:the |my |our |his |her |le |"
    r"la |mon |"
    r"ma )?(?:home|house|landline|land line|cabin|cottage|farm|ranch|flat|own (?:phone|cell)|chalet|maison|private "
    r"line)\b")
_AT_WORK = re.compile(
    r"\b(?:office|desk|dispatch|duty|support|help ?desk|hotline|security|guard|station|work|bureau|lodge|resort|inn|"
    r"reservations?|on[- ]call|crew|control room|toll[- ]free|rentals?|ware ?house|club ?house|school|hotel|lab|"
    r"hospital|clinic|store|shop|company|our (?:line|number)|centre|center|program|conference|booking)\b")
_OFFICE = re.compile(r"\bhome (?:office|page|depot|fax|loan|run)\b|\b(?:nursing|care|funeral|group|mobile) home\b")


DOUBTFUL = {"context:after-hours": 0.6}
"""Codes that leave a doubt: somebody who answers in the evening may do so at work."""


class HomePhoneRecognizer(Recognizer):
    """Find telephone numbers given as home or private.

    A North American or British number right after "home", "residence", "private cell", "h:" and the like,
    right before "(home)" or "(h)", after a relative's name on the same line, or after "call me at home".
    A cell or a work number without such a word is business contact and is left alone.

    Source: gov.bc.ca, "Personal Information" (home telephone); words are ours.
    """

    kind = "home_phone"
    category = Category.HOME_CONTACT
    citation = "category.home_contact"
    needs_word = False  # "(h)" beside a number is enough
    anchors = frozenset({"home", "residence", "h"})

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        low = doc.low
        for start, end in phones(doc):
            lo, hi = doc.around(start, end, 70)
            if code := self._after(low, end, hi) or self._before(doc, lo, start):
                yield Hit(start, end, DOUBTFUL.get(code, 0.9), (code,))
        if "home" not in doc.at and "residence" not in doc.at and "h" not in doc.at:
            return
        for place in doc.spots(("home", "residence", "h")):  # numbers of other countries, right beside the word
            far = _ABROAD.search(low, place, doc.around(place, place, 40)[1])
            if far and 8 <= sum(map(str.isdigit, far.group())) <= 15 and not PHONE.search(low, place, far.end()) \
                    and _LABEL.match(low, place) and _AFTER_LABEL.match(low, _end(low, place), far.start()):
                yield Hit(far.start(), far.end(), 0.85, ("context:home", "abroad"))

        for place in doc.spots(("home", "h")):
            m = _BEFORE_MARK.search(low, doc.around(place, place, 28)[0], place)
            if m and low.startswith(("h)", "home)"), place) and 8 <= sum(map(str.isdigit, m.group())) <= 15:
                yield Hit(m.start(), place - 1, 0.85, ("context:h", "abroad"))

    @staticmethod
    def _after(low: str, at: int, hi: int) -> str:
        return "context:home" if _AFTER.match(low, at, hi) or _NEAR_AFTER.match(low, at, hi) else ""

    @staticmethod
    def _before(doc: IndexedText, lo: int, at: int) -> str:
        low = doc.low
        if _H_BEFORE.search(low, max(lo, at - 8), at) or _CAPITAL_H.search(doc.plain, max(lo, at - 8), at):
            return "context:h"
        if _OFFICE.search(low, lo, at):
            return ""
        labels = list(_LABEL.finditer(low, max(lo, at - 50), at))
        if labels and _AFTER_LABEL.match(low, labels[-1].end(), at):
            return "context:home"
        if _REACH_HOME.search(low, lo, at) or _FREE_LABEL.search(low, lo, at):
            return "context:reach-at-home"
        gap = max(lo, at - 60)
        if (_PLACE.search(low, gap, at) or _CHEZ.search(low, gap, at)) and not _AT_WORK.search(low, gap, at):
            return "context:private-place"
        if _AFTER_WORK.search(low, lo, at) and not _AT_WORK.search(low, lo, at):
            return "context:after-hours"
        return "context:relative" if _KIN.search(low, max(lo, at - 50), at) else ""


def _end(low: str, place: int) -> int:
    m = _LABEL.match(low, place)
    return m.end() if m else place
