"""Home and private telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.findings import Category
from pii_scan.recognizers.base import Hit, IndexedText, Recognizer
from pii_scan.recognizers.contact import PHONE

_LABEL = re.compile(
    r"(?:home(?:[ ](?:phone|telephone|tel|number|no|num|ph|cell|#))?|house (?:phone|number)|residence|res|"
    r"(?:private|personal|perso) (?:cell(?:phone|ular)?|phone|mobile|number|no|line)|"
    r"domicile|maison|chez (?:moi|lui|elle|nous)|(?:numero|telephone|cellulaire|cell) (?:prive|personnel|perso)|"
    r"parents?'? (?:phone|number|cell)|emergency contact|contact d'urgence)"
    r"(?=[\s:#.,;()/*'=-])")
_AFTER_LABEL = re.compile(
    r"[\s:#.,;(/*'=>-]{0,6}(?:(?:phone|telephone|tel|number|numbers|no|num|is|est|le|at|au|or|line|evenings?|after hours|work|cell|fax|"
    r"me|my|number is)[\s:#.,;()/*'=>-]{1,4}){0,5}$")
_H_BEFORE = re.compile(r"(?:^|[\s(,;/|])(?:h|hm|hme|r)[ ]?(?:\)|:|-|#|=)[ ]{0,3}$")
_AFTER = re.compile(r"[ ]{0,3}(?:[-(\[/,][ ]?){0,2}(?:home|residence|h|hm|maison|domicile|house|private|personal|perso)(?![\w'-])(?![ ](?:office|depot|page|fax|loan|run|team))")
_KIN = re.compile(r"\b(?:wife|husband|mother|father|mom|dad|partner|spouse|son|daughter|sister|brother|parents?|grandmother|"
                  r"next of kin|girlfriend|boyfriend|femme|mari|mere|pere|conjointe?)\b[^\n\d]{0,30}$")
_REACH_HOME = re.compile(r"\b(?:reach|call|phone|ring|contact|try|rejoindre|appele[rz])\b[^\n.!?]{0,40}\b(?:at home|a la maison|chez (?:moi|elle|lui|nous)|at night|evenings|after hours)\b[^\n\d]{0,16}$")
_OFFICE = re.compile(r"\bhome (?:office|page|depot|fax|loan|run)\b|\b(?:nursing|care|funeral|group|mobile) home\b")


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

    def words(self) -> frozenset[str]:
        return frozenset()

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        low = doc.low
        for m in PHONE.finditer(low):
            lo, hi = doc.around(m.start(), m.end(), 70)
            after = _AFTER.match(low, m.end(), hi)
            code = ""
            if after:
                code = "context:home"
            elif _H_BEFORE.search(low, max(lo, m.start() - 8), m.start()):
                code = "context:h"
            else:
                code = self._before(low, lo, m.start())
            if code:
                yield Hit(m.start(), m.end(), 0.9, (code,))

    @staticmethod
    def _before(low: str, lo: int, at: int) -> str:
        labels = list(_LABEL.finditer(low, max(lo, at - 50), at))
        if labels and _AFTER_LABEL.match(low, labels[-1].end(), at) and not _OFFICE.search(low, lo, at):
            return "context:home"
        if _REACH_HOME.search(low, lo, at):
            return "context:reach-at-home"
        if _KIN.search(low, max(lo, at - 50), at):
            return "context:relative"
        return ""
