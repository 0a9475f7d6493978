"""Private e-mail addresses given as such."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.findings import Category
from pii_scan.recognizers.base import Hit, IndexedText, Recognizer
from pii_scan.recognizers.contact import EMAIL

_LABEL = re.compile(
    r"\b(?:(?:private|personal|home|perso) (?:e-?mail|mail|address|account|id)(?: address)?|(?:adresse|courriel) "
    r"(?:prive|personnel|perso)\w{0,2}|"
    r"adresse (?:de )?courriel personnelle|e-?mail (?:me )?at home|home e-?mail)\b(?:[^\n@]|\n(?!\s*\n)){0,30}\Z")
_AFTER = re.compile(r"[ >\])]{0,3}[(\[-][ ]?(?:home|private|personal|h|perso)(?![\w'-])")


class PrivateMailRecognizer(Recognizer):
    """Find an e-mail address called private, personal or home in the 50 characters before it, or "(home)"
    after it. A private address without such a word is left alone, whatever its domain.

    Source: FOIPPA order PO-3396 (Ontario) on personal contact; words are ours.
    """

    kind = "private_mail"
    category = Category.HOME_CONTACT
    citation = "personal_contact_trap"
    anchors = frozenset({"private", "personal", "home", "perso", "prive", "privee", "personnel", "personnelle", "h"})

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        done = 0
        at = doc.low.find("@")
        while at >= 0:
            m = EMAIL.search(doc.low, max(done, at - 62), min(len(doc.low), at + 260))
            at = doc.low.find("@", max(at + 1, m.end() if m else 0))
            if m is None:
                continue
            done = m.end()
            lo, hi = doc.around(m.start(), m.end(), 60)
            if _LABEL.search(doc.low, lo, m.start()) or _AFTER.match(doc.low, m.end(), hi):
                yield Hit(m.start(), m.end(), 0.85, ("context:private-mail",))
