"""Passwords and PINs that work."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.findings import Category
from pii_scan.recognizers.base import Hit, IndexedText, Phrases, Recognizer
from pii_scan.recognizers.contact import PHONE

_VALUE_AFTER_MARK = re.compile(
    r"[ ]?(?:\([^)\n]{1,20}\)[ ]?)?(?P<mark>[:=]|->|[ ]?--?[ ]|--|[ ](?:is|est|was|will be|reset to|changed to|are|"
    r"set to)[ ]?(?:now|:|le|la)?|[ ](?=['\"]))"
    r"[ \t]{0,12}(?:\r?\n[ \t>|]{0,8})?(?P<quote>['\"]?)(?P<value>[^\s'\",;<>()]{3,40})")
_RESET = re.compile(
    r"[^\n]{0,60}(?:(?:reset|changed|set) to|[^\n:=.]{0,40}[ ]is(?: now)?)[ :]{0,3}(?P<value>[^\s'\",;<>()]{3,40})")
_FAR = re.compile(
    r"[^\n:=.]{1,40}(?:[:=]|[ ]is(?: still| now)?)[ "
    r"]{1,3}(?P<value>(?=\S*[a-z])(?=\S*[\d!#$%&*@])[^\s'\",;<>()]{5,40})|"
    r"[^\n:=.]{0,20}\((?P<inner>(?=\S*[a-z])(?=\S*\d)[^\s()]{6,30})\)")
_BARE = re.compile(r"[ ](?P<value>(?=\S*\d)(?=\S*[a-z!#$%&*?@])[^\s'\",;<>()]{5,40})")
_NOT_A_VALUE = re.compile(
    r"(?:the|a|an|your|my|our|to|is|in|of|for|on|at|by|and|or|not|no|be|will|has|have|if|this|that|which|enter\w*|"
    r"required|needed|sent|same|"
    r"case|valid|expired?|expires|incorrect|invalid|wrong|correct|protected|protect\w*|safe|secure|change[ds]?|"
    r"reset|forgot\w*|lost|hint|n/a|none|tba|tbd|"
    r"yes|unknown|blank|optional|date|birth|dob|ssn|last|first|set|used|still|also|being|now|only|very|"
    r"case-sensitive|available|"
    r"encrypted|confidential|attached|below|above|here|there|with|you|we|he|she|it|i|they|click|please|email|"
    r"e-mail|username|user|userid|login|"
    r"password|passwords|passcode|pin|see|ask|call|contact|must|should|can|may|must|temporary|initial|new|old|"
    r"default|remains|under|too|what|when|how|"
    r"requis|oblige|le|la|les|un|une|votre|mon|pas|envoye|obligatoire|x+|\*+|_+|\.+|-+|\?+|\[.*|<.*|\{.*|https?:.*|"
    r"www\..*|mailto:.*)[.:!?*]*")
_MEETING = re.compile(
    r"\b(?:conference|teleconference|conf call|conference call|webex|zoom|dial-?in|dial in|call-?in|bridge|"
    r"participant|host code|moderator|"
    r"meeting|webinar|pager|paging|page|answering service|teams meeting|placeware|livemeeting|netmeeting|web cast|"
    r"webcast|reunion|toll[- ]free)\b")
_CALL = re.compile(
    r"\b(?:conference|dial-?in|dial in|call-?in|participant|chairperson|leader|host code|webinar|bridge|toll[- "
    r"]free|pager)\b")
_LINK = re.compile(r"[?&/][^\s<>]{0,200}\Z|(?:https?|ftp)://[^\s<>]{0,200}\Z")
_DEVICE = re.compile(
    r"\b(?:account|log-?in|user|phone|tablet|laptop|device|screen|app|safe|vault|door|gate|alarm|lock(?:box|er)?|"
                     r"building|house|file|zip|wifi|wi-fi|portal|server|e-?mail)\b")
_PIN_ONLY = frozenset({"pin", "pin-number", "pin-code", "nip", "pin-for"})
_PIN = re.compile(
    r"[^\n.:=]{0,50}(?:[:=]|[ ](?:is|est|le|was|#|changed to|reset to|still|now))[ ]{0,4}(?:le )?(?:still |now "
    r")?(?P<value>\d{4,8})(?![\w-])|[ #]{1,2}(?P<bare>\d{4,6})(?![\w-])")
_USER = re.compile(r"\b(?:user ?(?:id|name)?|login(?: name| id)?|log-?in|userid|utilisateur|account id|u)\b")


class CredentialsRecognizer(Recognizer):
    """Find a password, PIN or passphrase together with its value.

    "password", "passwd", "pswd", "pwd", "passphrase", "mot de passe" and the like, then a mark or "is", then
    a value of 3 to 40 characters that is not an ordinary word of such sentences: score 0.9. PINs need four
    to eight digits. Codes of conferences and meetings pass, as do blanks, policies and reset links.

    Source: labelling rule "a password or PIN that works, whoever it belongs to"; words are ours.
    """

    kind = "credentials"
    category = Category.CREDENTIALS
    citation = "category.credentials"
    labels = Phrases(
        "password", "passwd", "pswd", "psswd", "pwd", "passphrase", "pass phrase", "pw", "pass word", "pass",
            "passcode", "pass code",
        "mot de passe", "mdp", "pin", "pin number", "pin code", "nip", "secret", "door code", "gate code",
            "alarm code",
        "lockbox code", "hours code", "keypad", "api key", "wifi key", "network key", "code de la porte",
            "code d'acces", "access code", "unlock code", "combination")

    def words(self) -> frozenset[str]:
        return self.labels.words

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        low = doc.low
        for start, end, name in self.labels.find(doc):
            lo, hi = doc.around(start, end, 130)
            coded = name in _PIN_ONLY or name.endswith("code") or name.startswith("code")
            found = self._pin(low, end, hi) if coded else self._secret(doc, end, hi, name)
            if found is None:
                continue
            a, b, code = found
            meeting = _CALL if _USER.search(low, lo, hi) else _MEETING
            if meeting.search(low, lo, hi) or _LINK.search(low, max(lo, start - 60), start):
                continue
            if name in ("passcode", "pass-code", "access-code") and not _DEVICE.search(low, lo, hi):
                continue  # mostly of conference lines
            if code == "pin" and PHONE.search(low, lo, hi):
                continue  # the code of a telephone line
            yield Hit(a, b, 0.9, (f"context:{name}", code))

    @staticmethod
    def _pin(low: str, end: int, hi: int) -> tuple[int, int, str] | None:
        m = _PIN.match(low, end, hi)
        if m is None:
            return None
        group = "value" if m.group("value") else "bare"
        return m.start(group), m.end(group), "pin"

    @staticmethod
    def _secret(doc: IndexedText, end: int, hi: int, name: str) -> tuple[int, int, str] | None:
        low = doc.low
        m = _VALUE_AFTER_MARK.match(low, end, hi)
        if m:
            value = m.group("value").rstrip(".!?")
            worded = m.group("mark").strip() not in (":", "=", "->", "-")
            if len(value) < 3 or _NOT_A_VALUE.fullmatch(value):
                return None
            if name in ("pass", "secret") and worded:
                return None
            raw = doc.text[m.start("value"):m.start("value") + len(value)]
            odd = any(c.isdigit() for c in raw) or not raw.isalpha() or raw.isupper() or bool(m.group("quote"))
            if worded and not odd and raw[1:].islower():
                rest = low[m.end("value"):m.end("value") + 3]
                if rest.strip(" .!\r") and "\n" not in rest:
                    return None  # "password is case sensitive": a word in running text
            return m.start("value"), m.start("value") + len(value), "value"
        m = _FAR.match(low, end, hi)
        if m and name not in ("pass", "secret"):
            group = "value" if m.group("value") else "inner"
            if not _NOT_A_VALUE.fullmatch(m.group(group)) and "@" not in m.group(group)[1:-3]:
                return m.start(group), m.end(group), "value"
        m = _RESET.match(low, end, hi) or (_BARE.match(low, end, hi) if name not in ("pass", "secret") else None)
        if m and not _NOT_A_VALUE.fullmatch(m.group("value")) and any(c.isdigit() for c in m.group("value")):
            return m.start("value"), m.end("value"), "value"
        return None
