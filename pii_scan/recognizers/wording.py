"""Facts in plain sentences: a predicate tied to a person in one sentence.

A subclass names its rare words (anchors) and patterns. For each sentence with an anchor the patterns are
tried on that sentence only, at most 240 characters either side, so the time per anchor is bounded. These
patterns are few and sure of themselves; the wide net is the semantic stage.

Patterns run on plain text with its case kept: `{who}` is a pronoun, a relative or a capitalised name,
`{whose}` a possessive. A match resting on a name only carries the code "person:name"; the scanner asks
the language model before it counts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import ClassVar

from pii_scan.recognizers.base import Hit, IndexedText, Recognizer

KIN = (
    "wife|husband|spouse|partner|fiancee?|girlfriend|boyfriend|ex|mother|father|mom|mum|dad|mommy|daddy|parents?|"
    "son|sons|daughter|daughters|"
       "child|children|kid|kids|baby|boy|girl|brother|sister|sibling|twins?|grandson|granddaughter|grandmother|"
       "grandfather|grandma|"
       "grandpa|grandparents|uncle|aunt|nephew|niece|cousin|in-laws?|mother-in-law|father-in-law|brother-in-law|"
       "sister-in-law|"
       "stepson|stepdaughter|stepfather|stepmother|godson|family")
KIN_FR = (
    "femme|mari|epouse|epoux|conjointe?|mere|pere|fils|fille|filles|enfants?|bebe|frere|soeur|grand-mere|"
    "grand-pere|oncle|"
          "tante|neveu|niece|cousine?|ex|copine|copain|blonde|chum|belle-mere|beau-pere")

_NOT_NAMES = (
    "The|This|That|These|Those|If|When|While|Where|What|Who|Why|How|Which|Your|You|Our|We|My|His|Her|Its|It|They|"
    "Their|All|Any|"
    "Anyone|Everyone|Some|Someone|No|None|Not|Each|Every|Both|Either|And|But|Or|So|As|At|In|On|Of|For|From|To|By|"
    "With|Please|Thanks|Thank|"
    "Dear|Hi|Hello|Hey|Regards|Sincerely|Yes|Also|After|Before|Because|Since|Until|Once|Then|There|Here|Now|Today|"
    "Tomorrow|Yesterday|Just|Re|Fw|Fwd|"
    "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|January|February|March|April|May|June|July|August|"
    "September|October|November|December|"
    "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|Employees?|Staff|Students?|Company|Department|Office|Policy|"
    "Section|Act|Canada|British|Columbia|"
    "United|States|Houston|Texas|California|American|Enron|America|University|Institute|College|School|Hospital|"
    "Health|Center|Centre|Research|"
    "Study|Studies|Women|Men|People|Patients?|Workers?|Individuals?|Participants?|Candidates?|Applicants?|"
    "Recruits?|Members?|Persons?|Customers?|Clients?|"
    "Medical|Dental|Human|Resources|Group|Team|Board|Government|Ministry|Province|Police|Court|State|Federal|"
    "National|Free|New|Subject|Message|Original|"
    "Do|Does|Did|Is|Are|Was|Were|Be|Has|Have|Had|Can|Could|Will|Would|Should|Might|Must|Let|See|Get|Make|One|Two|"
    "Three|"
    "Four|Five|Six|Few|Many|Most|More|Less|Several|Other|Another|Such|Same|Every|Tickets?|Trades?|Trading|Pumps?|"
    "Cards?|Apply|"
    "Issues?|Secretary|Family|Families|Channel|Goldman|Sachs|Lynch|Morgan|Bank|Visa|Classic|Gold|Summit|Class|"
    "Course|Program|"
    "Instructors?|Officers?|Users?|Cabin|Room|Note|Notes|Attached|Enclosed|Resume|Analyst|Associate|Manager|"
    "Director|Vice|President|"
    "Mother|Father|Son|Daughter|God|Lord|Jesus|Christmas|Easter|Internet|English|French|"
    "Rep|Supervisor|Administrator|Employer|Owner|Tenant|Waiting|Preference|First|Charges?|Server|Pump|Grade|Slide|"
    "Card|Unit|Dog|Horse|Le|La|Les|Un|Une|Des|Ce|Cette|Ces|Si|Quand|Nous|Vous|Il|Elle|Ils|Elles|On|Je|Tu|Notre|"
    "Votre|Merci|Bonjour|"
    "Pour|Avec|Dans|Sans|Tout|Toute|Toutes|Tous")

NAME = (
    rf"\b(?!(?:{_NOT_NAMES})\b)(?:(?:Mr|Mrs|Ms|Mme|Mlle|M|Dr|Cst|Const|Constable|Sgt|Cpl|Recruit|Cadet|Officer|"
    rf"Agent|Agente|Elder)\.? )?"
        r"[A-Z][a-z]{1,19}(?:[ -](?:(?:de|van|von|der|Mc|O')[ ]?)?[A-Z][a-z']{1,19}){0,2}\b")

_WHO_SURE = (
    rf"(?i:\b(?:i|he|she|je|j'|elle|il)\b(?:'(?:m|s|ve|d|ll)\b)?|\b(?:my|his|her|our|your|[a-z]{{2,15}}'s)[ "
    rf"]+(?:[a-z-]{{2,12}}[ ]+){{0,2}}(?:{KIN})\b(?:'s\b)?"
             rf"|\b(?:mon|ma|mes|son|sa|ses|ton|ta|votre)[ ](?:{KIN_FR})\b)")
_WHOSE_SURE = (rf"(?i:\b(?:my|his|her|mon|ma|mes)\b|\b(?:my|his|her|our|your)[ ]+(?:{KIN})'s\b)")

_POLICY = re.compile(
    r"\b(?:policy|policies|policyholders?|coverage|covered|benefits? (?:plan|package|summary)|eligib\w+|if (?:an?|"
    r"any|the|you|your) \w+|any (?:employee|student|person|applicant|participant|individual)|"
    r"an? (?:employee|student|person|applicant|participant|individual|patient|candidate|worker)|employees who|"
    r"students who|those who|anyone who|applicants (?:who|must)|"
    r"must (?:provide|submit|have|report|complete|bring)|is required to|are required to|researchers?|according to|"
    r"studies|study (?:found|shows?)|scenario|simulat\w+|role-?play|"
    r"politique|quiconque|toute personne|tout employe|tout candidat|scenario|exercice)\b")


FORWARDED = 0.7
"""Highest score of wording in text that was passed on three and more times: chain letters and jokes are told
in the first person there, so it is doubt."""

_FORWARDED = re.compile(r"(?:>[ ]?){3}")
_BLANK = r"(?:[ \t]{1,3}|[ \t]{0,3}\r?\n[ \t>|]{0,8})"
_PERSON_FIRST = re.compile(r"(?:\(\?:)?\{(?:who|whose)\}\)? \(\?i:(?:\(\?:\[[^\]]*\]\{\d,\d+\} \)\{0,\d\})?")
"""How a cue begins that has the person first and up to some words before the predicate."""


_SHORT = frozenset({"ex", "tn", "pr", "er", "ms", "hr"})


class Cue:
    """A pattern with a person in it, tried only where its predicate alone occurs."""

    __slots__ = ("_cased", "_predicate", "_tokens", "_whole")

    def __init__(self, whole: re.Pattern[str], predicate: re.Pattern[str] | None, source: str, *,
                 cased: bool = False) -> None:
        self._whole, self._predicate, self._cased = whole, predicate, cased
        self._tokens = tuple({t for t in re.findall(r"[a-z]{2,}", source.lower()) if len(t) > 2 or t in _SHORT})

    def speaks_of(self, word: str) -> bool:
        """Whether an anchor word occurs in the pattern, whole or as the beginning of a word."""
        return any(word.startswith(t) or t.startswith(word) for t in self._tokens)

    def search(self, doc: IndexedText, lo: int, hi: int) -> re.Match[str] | None:
        """Search in plain text between two offsets."""
        text = doc.plain if self._cased else doc.low
        if self._predicate is not None and self._predicate.search(text, lo, hi) is None:
            return None
        return self._whole.search(doc.plain, lo, hi)


_NAME_FIRST = f"(?P<name>{NAME})"


def compile_cue(pattern: str, must: str = "") -> Cue:
    """Compile a cue: blanks match any white space or quote mark, `{who}` and `{whose}` are filled in.

    Groups named `name` or `owner` mark a match that rests on a capitalised name. `must` is a pattern for small
    letters that has to occur for the cue to be tried; a cue that begins with a person or a name needs none.
    """
    source = pattern
    named = pattern.startswith(_NAME_FIRST) and not must
    rest = pattern.removeprefix(_NAME_FIRST)
    for written, meant in (("[ ]+", " "), ("[ ]", " "), ("[ -]", "(?: |-)"), ("[- ]", "(?:-| )")):
        pattern = pattern.replace(written, meant)
    first = _PERSON_FIRST.match(pattern)
    if must:
        predicate: re.Pattern[str] | None = re.compile(must)
    elif first:
        predicate = re.compile("(?:" + pattern[first.end():].replace(" ", _BLANK))
    else:
        predicate = re.compile(_spread(rest)) if named else None
    who, whose = f"(?:{_WHO_SURE}|(?P<name>{NAME}))", f"(?:{_WHOSE_SURE}|(?P<owner>{NAME}(?:'s|s')))"
    pattern = pattern.replace("{who}", who).replace("{whose}", whose)
    return Cue(re.compile(_spread(pattern)), predicate, source, cased=named)


def _spread(pattern: str) -> str:
    """The pattern with every blank matching any white space or quote mark."""
    for written, meant in (("[ ]+", " "), ("[ ]", " "), ("[ -]", "(?: |-)"), ("[- ]", "(?:-| )")):
        pattern = pattern.replace(written, meant)
    return pattern.replace(" ", _BLANK)


class WordingRecognizer(Recognizer):
    """Base of the recognizers of wording. `cues` are (score, code, pattern); `never` cancels a sentence."""

    cues: ClassVar[tuple[tuple[float, str, Cue], ...]]
    never: ClassVar[re.Pattern[str] | None] = None

    def __init__(self) -> None:
        super().__init__()
        self._cues_of: dict[str, tuple[int, ...]] = {}

    def _of(self, word: str) -> tuple[int, ...]:
        """Which cues an anchor word belongs to; all of them when it is in none."""
        found = self._cues_of.get(word)
        if found is None:
            found = tuple(i for i, (_, _, cue) in enumerate(self.cues) if cue.speaks_of(word))
            found = self._cues_of[word] = found or tuple(range(len(self.cues)))
        return found

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        done = -1
        spots = sorted((p, w) for w in self.anchors & doc.at.keys() for p in doc.at[w])
        for n, (place, _) in enumerate(spots):
            if place < done:
                continue
            lo, hi = doc.sentence(place, place)
            lo = max(lo, done)
            tried = {i for p, w in spots[n:bisect_left(spots, (hi, ""))] for i in self._of(w)}
            for i in sorted(tried):
                score, code, pattern = self.cues[i]
                m = pattern.search(doc, lo, hi)
                if m is None:
                    continue
                if _POLICY.search(doc.low, lo, hi) or (self.never and self.never.search(doc.low, lo, hi)):
                    break
                groups = m.groupdict()
                named = groups.get("name") or groups.get("owner")
                who: tuple[str, ...] = ("person",)
                if named:
                    span = m.span("name" if groups.get("name") else "owner")
                    who = (f"person:name@{span[0]}-{span[1]}",)
                if _FORWARDED.search(doc.low, max(doc.low.rfind("\n", 0, m.start()) + 1, m.start() - 200), m.start()):
                    score, who = min(score, FORWARDED), (*who, "forwarded-often")
                yield Hit(m.start(), m.end(), score, (f"wording:{code}", *who))
                break
            done = hi
