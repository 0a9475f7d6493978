"""Shapes of telephone numbers, e-mail addresses and street addresses, shared by the home recognizers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.folding import word_set
from pii_scan.recognizers.base import IndexedText

PHONE = re.compile(
    r"(?<![\w./-])(?<!\d[ ])(?:\+?1[-. ]{0,2})?(?:\(\d{3}\)[ ]?|\d{3}[-. /])[ ]?\d{3}[-. ]\d{4}(?![\w]|-\d)"
    r"|(?<![\w./-])\+?1?\d{10}(?![\w-])|(?<![\w./-])(?:\+44[ ]?|0)\d{3,4}[ ]\d{3}[ ]?\d{3,4}(?![\w-])")
"""North American numbers (with or without separators) and British ones, in folded text."""

_CORE = re.compile(
    r"\d{3}(?:\)[ ]?|[-. /])[ ]?\d{3}[-. ]\d{4}(?![\w]|-\d)|1?\d{10}(?![\w-])|44[ ]?\d{3,4}[ ]\d{3}[ "
    r"]?\d{3,4}(?![\w-])"
                   r"|0\d{3,4}[ ]\d{3}[ ]?\d{3,4}(?![\w-])")
_CODE_BEFORE = re.compile(r"\+?1[-. ]{1,2}\Z")


def phones(doc: IndexedText) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every telephone number of the forms of PHONE; walks the digit runs only."""
    low, done = doc.low, 0
    for start, _ in doc.runs:
        if start < done:
            continue
        m = _CORE.match(low, start)
        if m is None:
            continue
        begin = start - 1 if start and low[start - 1] in "(+" else start
        if code := _CODE_BEFORE.search(low, max(0, begin - 4), begin):
            begin = code.start()
        before = low[max(0, begin - 2):begin]
        if before == "..":
            before = ""  # "home...604"
        if before and (before[-1].isalnum() or before[-1] in "_./-" or (before[-1] == " " and before[0].isdigit())):
            continue
        done = m.end()
        yield begin, done


EMAIL = re.compile(r"(?<![\w.+-])[a-z0-9_][\w.+-]{0,60}@(?:[a-z0-9-]{1,60}\.){1,4}[a-z]{2,12}(?![\w-])")

STREET_WORDS = word_set(
    "street st avenue ave av road rd lane ln drive dr court ct boulevard blvd way crescent cres place pl circle "
    "cir "
    "terrace trail parkway pkwy close square sq highway hwy loop grove heights mews gardens point rue chemin ch rang "
    "montee cote box crt rise ridge row")

STREET = re.compile(
    r"(?<![\w.,/-])(?:(?:#|apt\.? |unit |suite |app\.? )?\d{1,5}[a-z]?[ ]?[-,][ ]?)?\d{1,5}[a-z]?,?[ ]"
    r"(?:[a-z][\w'.-]{0,20}[ ]|\d{1,3}(?:st|nd|rd|th)[ ]|[nsew]\.?[ ]){1,4}"
    r"(?:street|st|avenue|ave|av|road|rd|lane|ln|drive|dr|court|ct|boulevard|blvd|way|crescent|cres|place|pl|"
    r"circle|cir"
    r"|terrace|trail|parkway|pkwy|close|square|sq|highway|hwy|loop|grove|heights|mews|gardens|point|crt|rise|ridge|"
    r"row)\b"
    r"|(?<![\w.,/-])\d{1,5}[a-z]?,?[ ](?:rue|chemin|ch\.|avenue|av\.|boul\.|boulevard|rang|montee|cote)[ "
    r"][a-z][\w'.-]{1,20}")
"""House number and street name with its kind, English and French. House numbers have up to five digits."""

FREEMAIL = re.compile(
    r"@(?:gmail|googlemail|hotmail|outlook|live|msn|yahoo|ymail|aol|icloud|me|mac|shaw|telus|videotron|sympatico|"
    r"rogers|"
    r"proton|protonmail|gmx|mail|excite|juno|earthlink|netzero|comcast|bellsouth|compuserve|prodigy|"
    r"btinternet|sky|talktalk|novuscom|eastlink|cogeco|bell)\.(?:com|ca|net|me|org|co\.uk|fr|qc\.ca|de)\Z")
"""Domains whose mailboxes belong to people, not to organisations."""
