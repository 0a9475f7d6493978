"""Ways in, told in prose: sign-ins, door, alarm and safe codes, network keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers import spelled
from pii_scan.recognizers.base import Hit, IndexedText, Recognizer
from pii_scan.recognizers.contact import PHONE

_SECRET = re.compile(
    r"(?<![\w/@.:&?=-])(?=[^\s]{0,30}[A-Za-z])(?=[^\s]{0,30}\d)(?=[^\s]{1,30}[!#$%&*^~+?=_-])"
    r"[A-Za-z0-9][^\s<>()\"'/\\,;:@|]{5,30}(?<![.!?])(?=[\s.,;:)!?\"']|\Z)")
"""Letters, digits and marks in one word, case kept."""
_ODD = re.compile(r"[A-Za-z\d][!#$%&*^~+?][A-Za-z\d]|[A-Za-z]{3}[!#$%&*^~]\d|\d[!#$%&*^]\Z")
_PLAIN_SECRET = re.compile(r"(?<![\w/@.:-])(?=[a-z]{0,20}\d)(?=\d{0,10}[a-z])[a-z0-9]{6,24}(?![\w/@-]|\.\w)")
_PHRASE = re.compile(r"\b[A-Z][a-z]{2,12}(?:-(?:and-)?[A-Z][a-z]{2,12})+-?\d{2,4}\b")
_PHRASED = ("wi", "ssid", "network", "guest", "windows", "laptop", "portal", "user")
_GIVEN = re.compile(
    r"(?:\b(?:it's|its|is|then|and|with|avec|et|puis|comme|pass\w*|pw|type|enter|use|me|as)\b|[,:/])[ ]{0,2}"
    r"(?:[\w.-]{1,16}[ ](?:and|with|/)[ ])?\Z")
_FILE = re.compile(r"\.(?:xlsx?|docx?|pdf|csv|pptx?|txt|zip|jpe?g|png|msg|eml|xml|json|html?)\b", re.IGNORECASE)

_SIGN_IN = re.compile(
    r"\b(?:(?:log|sign)(?:ged|ging|ing)?[ -]?(?:in|on|into|onto|yourself in|everybody in|them in|people in)|logins?|"
    r"logon|be me\b|as me\b|get (?:in|on) (?:as|with)|go in as|my account|our account|user(?: ?name| ?id)?|"
    r"utilisateur|identifiant|connecte[rz]?(?:-toi|-vous)?|entre[rz]? avec|ouvre avec|opens? with|unlocks? with|"
    r"unlocked by|admin|administrator|guest|wi-?fi|ssid|network key|windows|laptop|tablet|portal|in as|"
    r"account for the|shared account)\b")
_SIGN_IN_WORDS = word_set(
    "log sign logged signed logging signing login logins logon me in user username userid utilisateur identifiant "
    "connecte connectez connecter entre entrez ouvre opens open unlock unlocks unlocked admin administrator guest wifi "
    "wi ssid network windows laptop tablet portal account")
_NOT_OURS = re.compile(
    r"\b(?:conference|teleconference|conf call|webex|zoom|dial-?in|bridge|webinar|moderator|participant|meeting id|"
    r"tracking|invoice|serial|sku|order (?:no|number|#)|purchase order|version|build|release|firmware|"
    r"error|exception|part (?:no|number|#)|at least|characters|for example|e\.g\.|for instance|will expire|expires in|"
    r"set (?:up )?your own|choose your own|ticket|promo|coupon|discount)\b")

_LOCK = (r"(?:doors?|gates?|alarm(?: panel| code)?|safe|vault|lock ?box|padlock|keypad|key ?pad|cabinet|key ?box|"
         r"key safe|"
         r"garage|locker|entrance|lobby|panel|laptop|tablet|ipad|phone|handset|scanner|screen|voice ?mail|"
         r"fob|shed|storage|cage|armou?ry|bay|hall|building|house|porte|barriere|alarme|coffre|cadenas|digicode|"
         r"entrepot|ordinateur|boite a cles)")
_CODE = (r"(?:codes?|combo|combination|pin|nip|punch(?: in)?|press|key in|keys? in|keypad|dial(?: in)?|disarms? with|"
         r"disarm|arms? with|opens? (?:with|to|on)|unlocks? with|type(?: in)?|enter|tap(?: in)?|"
         r"alarm (?:is|was)|panel (?:is|wants)|tape[rz]?|compose[rz]?|combinaison|wants|use)")
_CODE_SPOT = re.compile(rf"\b(?:{_CODE}|password|mot de passe)\b")
_DIGITS = (
    r"(?P<v>(?<![\d$€£.,:/-])\d(?:[ -]?\d){3,7}"
    r"(?![\d:%]|[ ]?(?:%|am\b|pm\b|hours|hrs|km|kg|people|dollars)|[.,/-]\d))")
_BY_CODE = re.compile(rf"\b{_CODE}\b(?!(?: of conduct))[^.\n\d]{{0,40}}?{_DIGITS}")
_STAR = re.compile(
    rf"{_DIGITS}[ ]?(?:[*#](?!\w)|[,]?[ ]?(?:and |then |puis |followed by )?(?:the |a |le )?(?:star|pound|hash|"
    r"number sign|tick|off\b|carre|etoile|diese|check ?mark|enter key))")
_SAFE = re.compile(r"\b(?:left|right|gauche|droite)\b[^.\n\d]{0,16}\d{1,2}\b[^.\n]{1,40}\b(?:left|right|gauche|"
                   r"droite)\b"
                   r"[^.\n\d]{0,24}\d{1,2}\b")
_TURNS = re.compile(r"\b(?:code|combination|combo|combinaison|"
                    r"serial)\b[^.\n\d]{0,24}\d\d?[ -]{1,3}\d\d?[ -]{1,3}\d\d?(?!\d)(?![ -]{1,3}\d)")
_LOCK_SPOT = re.compile(rf"\b{_LOCK}\b")
_LOCK_WORDS = word_set(
    "code codes combo combination keypad pin nip punch disarm disarms alarm alarme safe vault lockbox padlock gate "
    "gates door doors porte barriere coffre cadenas digicode combinaison laptop tablet scanner fob panel shed keybox "
    "star pound hash tick lock")
_ORDINARY = re.compile(
    r"\b(?:postal|zip|area|cost|dress|building|fire|criminal|tax|gl|course|charge|project|promo|discount|swift|sort|"
    r"country|status|error|source|billing|department|product|activity|account|coding|time|program|offence|ten|hs|"
    r"naics|conference|participant|access code for the (?:call|meeting)|dial-?in|call-?in|meeting|webinar|teleconf\w*|"
    r"tariff|scenario|swipe|zoom|webex|host|toll[- ]?free|bridge)[ -]?(?:codes?|line|call|number|no|id)?\b")
_POLICY = re.compile(r"\b(?:must be|should be|at least|minimum|digits? long|(?:four|six|4|6)[- ]digit (?:code|"
                     r"pin)s? (?:is|are|will|must)"
                     r"|never share|do not share|change[ds]? every|expire[ds]?|default)\b")
_NUMBERED = re.compile(r"\b(?:doors?|gates?|room|bay|hall|building|unit|suite|level|no\.?|porte) ?#?\Z")
"""A number right after such a word is the thing's own."""
_YEAR = re.compile(r"(?:19|20)\d\d")


class AccessCodeRecognizer(Recognizer):
    """Find a way in told in prose: "log in as me, it's ...", "user X, pass Y", "X / Y", a door, gate, alarm or
    safe code with its digits (also said as words), a network key.

    A sign-in word and a word of letters, digits and marks in one sentence; or a lock, a code word and four to
    eight digits in one sentence; or a dial's turns. Score 0.9; a sign-in with a plain word of letters and digits
    0.85. Conference codes, cost and postal codes, versions and rules about passwords are left alone.

    Source: labelling rule "a password or PIN that works, whoever it belongs to"; words are ours.
    """

    kind = "access_code"
    category = Category.CREDENTIALS
    citation = "category.credentials"
    anchors = _SIGN_IN_WORDS | _LOCK_WORDS | spelled.WORDS
    needs_word = False

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        yield from self._sign_ins(doc)
        yield from self._slashed(doc)
        yield from self._locks(doc)
        yield from self._said(doc)

    @staticmethod
    def _sign_ins(doc: IndexedText) -> Iterator[Hit]:
        done = -1
        for place in doc.spots(_SIGN_IN_WORDS):
            m = _SIGN_IN.match(doc.low, place)
            if m is None or place < done:
                continue
            hi = doc.around(place, m.end(), 130)[1]
            stop = doc.low.find("\n\n", m.end(), hi)
            hi = stop if stop >= 0 else hi
            found = _secret(doc, m.end(), hi, m.group())
            if found is None:
                continue
            lo = doc.around(place, m.end(), 90)[0]
            if _NOT_OURS.search(doc.low, lo, min(found[0], hi)):
                continue
            done = found[1]
            yield Hit(found[0], found[1], found[2], ("context:sign-in", "value"))

    @staticmethod
    def _slashed(doc: IndexedText) -> Iterator[Hit]:
        at = doc.low.find(" / ")
        while at >= 0:
            m = _SECRET.match(doc.plain, at + 3)
            name = re.search(r"(?<![\w.])[a-z][a-z0-9._-]{2,24}\Z", doc.low[max(0, at - 26):at])
            if m and name and _ODD.search(m.group()) and not _FILE.search(m.group()):
                yield Hit(m.start(), m.end(), 0.9, ("context:user-slash", "value"))
            at = doc.low.find(" / ", at + 3)

    @staticmethod
    def _locks(doc: IndexedText) -> Iterator[Hit]:
        done = -1
        for place in doc.spots(_LOCK_WORDS):
            if place < done:
                continue
            lo, hi = doc.sentence(place, place, 160)
            lo = max(lo, done)
            low = doc.low
            m = _SAFE.search(low, lo, hi)
            if m and re.search(r"\b(?:safe|vault|dial|lock|padlock|combination|coffre|cadenas)\b", low[lo:hi]):
                done = hi
                yield Hit(m.start(), m.end(), 0.9, ("context:dial", "turns"))
                continue
            lock = _LOCK_SPOT.search(low, lo, hi)
            m = None
            for pattern, code in ((_STAR, "star"), (_BY_CODE, "code"), (_TURNS, "turns")):
                m = pattern.search(low, lo, hi)
                if m and (lock or (code == "star" and not low.startswith(("*", "#"), m.end("v")))):
                    break
                m = None
            if m is None:
                continue
            done = hi
            value = m.groupdict().get("v") or ""
            near = low[max(lo, m.start() - 30):m.end()]
            if _ORDINARY.search(near) or _POLICY.search(low, lo, hi) or _NOT_OURS.search(low, lo, hi):
                continue
            if code == "code" and _NUMBERED.search(low, max(lo, m.start("v") - 12), m.start("v")):
                continue
            year = _YEAR.fullmatch(value) and "code" not in near and "pin" not in near
            if year or PHONE.search(low, max(0, lo - 100), hi):
                continue
            yield Hit(m.start(), m.end(), 0.9, ("context:lock", code))

    @staticmethod
    def _said(doc: IndexedText) -> Iterator[Hit]:
        for start, end, digits in spelled.spelled(doc):
            if not 4 <= len(digits) <= 8:
                continue
            lo, hi = doc.sentence(start, end, 120)
            code = _CODE_SPOT.search(doc.low, lo, hi)
            if code is None or _NOT_OURS.search(doc.low, lo, hi) or _ORDINARY.search(doc.low, lo, hi):
                continue
            if _LOCK_SPOT.search(doc.low, lo, hi) or code.group().startswith(("code", "comb", "pin", "nip")):
                yield Hit(start, end, 0.85, ("context:code", "spelled"))


_LINK = re.compile(r"://|www\.|\?\S*=|%[0-9a-f]{2}")


def _in_link(low: str, start: int, end: int) -> bool:
    """Whether the unbroken stretch around a word is part of a web address (looks 200 characters back)."""
    before = low[max(0, start - 200):start]
    return bool(_LINK.search(before[max(before.rfind(" "), before.rfind("\n")) + 1:] + low[start:end]))


def _secret(doc: IndexedText, start: int, end: int, trigger: str) -> tuple[int, int, float] | None:
    """The password-like word of a stretch: (start, end, score)."""
    strong = trigger.startswith(("log", "sign", "user", "util", "ident", "connec", "entre", "ouvre", "be me", "as me",
                                 "get ", "go in", "in as"))
    for m in _SECRET.finditer(doc.plain, start, end):
        word = m.group()
        if _FILE.search(word) or _in_link(doc.low, m.start(), m.end()):
            continue
        if _ODD.search(word):
            return m.start(), m.end(), 0.9
        if strong and word.lower() != word and re.search(r"[a-z]{3}", word) and re.search(r"[_-]", word) \
                and re.search(r"\d\Z", word):
            return m.start(), m.end(), 0.85
    if not strong or trigger.startswith("user"):
        phrase = _PHRASE.search(doc.plain, start, end) if trigger.startswith(_PHRASED) else None
        return (phrase.start(), phrase.end(), 0.85) if phrase else None
    for m in _PLAIN_SECRET.finditer(doc.low, start, min(end, start + 90)):
        letters = re.sub(r"\d", "", m.group())
        if _GIVEN.search(doc.low, max(start, m.start() - 24), m.start()) and len(letters) >= 3 \
                and len(m.group()) - len(letters) <= 6:
            return m.start(), m.end(), 0.85
    return None
