"""What people type into the CRM is scanned before it is kept (J12), and notes never say what somebody is (D6).

    checked(scanner, {"notes": "...", "interests": "..."})       # raises `TypedRefused` naming fields and kinds

Beside what the scanner finds, text about a person may not name a creed or an origin at all: in a note, the person it is
about is not named again, so the scanner cannot see whose it is. Names of organisations ("Catholic school board", "First
Nations health authority"), courses and languages are business and pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from capture.errors import BadInput
from capture.ports import Scanner
from pii_scan.findings import Category
from pii_scan.text import Block, Envelope, Extraction, Part

SPECIAL: Final = Category.RACE_RELIGION_POLITICS.value
_CREED: Final = (
    r"muslim|jewish|jew|catholic|hindu|sikh|buddhist|mormon|pentecostal|baptist|evangelical|atheist|agnostic|anglican|"
    r"lutheran|christian|protestant|mennonite|hutterite|islam|judaism|jehovah'?s witness(?:es)?|musulmane?|juive?|"
    r"catholique|protestante?")
_ORIGIN: Final = (
    r"haida|m[ée]tis|cree|ojibwe|inuit|inuk|first nations?|indigenous|aboriginal|african|black|white|caucasian|"
    r"hispanic|latino|latina|chinese|filipino|filipina|punjabi|somali|korean|japanese|vietnamese|arab|asian|"
    r"autochtone|noire?")
SHORT: Final = frozenset({"title", "category", "region", "place", "organisation_category", "organisation_region"})
"""Fields of a few words that name a thing or a place (White Rock, Haida Gwaii): scanned, but a word alone says
nothing of a person."""
_BUSINESS: Final = (
    r"school|schools|board|church|college|university|health|authority|nation|nations|band|council|centre|center|"
    r"association|society|foundation|charit\w*|community|communities|program|programme|services?|studies|course|courses|"
    r"class|language|languages|speaking|food|restaurant|market|embassy|consulate|business|businesses|company|paper|"
    r"board|ink|box|water|friday|belt|relations|affairs|housing|government|friendship|hospital|school|day|heritage|"
    r"history|month|learners?|students?|clients?|partners?|partnership|office|ministry|organi[sz]ations?|groups?")
_TELLS: Final = re.compile(
    rf"\b(?:{_CREED}|{_ORIGIN})\b(?!(?:[\s-]+[\w'&-]+){{0,2}}[\s-]+(?:{_BUSINESS})\b)(?!'s)", re.IGNORECASE)
_LABELLED: Final = re.compile(r"\b(?:race|ethnicity|ethnic(?: origin)?|religion|faith|creed)\s*[:=]", re.IGNORECASE)


class TypedRefused(BadInput):
    """What was typed holds personal information that has no place here, so nothing of it was kept."""

    code = "typed-refused"
    hint = "Say what was agreed in business, without what somebody is, has or suffers; the kinds are in the brackets."

    def __init__(self, kinds: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__("; ".join(f"{field}: {', '.join(found)}" for field, found in kinds.items()))
        self.kinds = dict(kinds)
        """Field -> kinds of personal information; no content."""


def personal(scanner: Scanner, text: str, *, short: bool = False) -> tuple[str, ...]:
    """The kinds of personal information in a text somebody typed; () when it may be kept ("unclear": in doubt).
    `short`: a few words that name a thing or a place.

    Raises `ScanError` when no verdict is possible.
    """
    if not text.strip():
        return ()
    extraction = Extraction((Part("text", "text", (Block(text),)),), Envelope())
    decision = scanner.decide(scanner.scan(extraction), extraction)
    kinds = set() if decision.link else {
        str(getattr(kind, "value", kind)) for kind in decision.categories} or {"unclear"}
    return tuple(sorted(kinds | ({SPECIAL} if not short and names_what_somebody_is(text) else set())))


def names_what_somebody_is(text: str) -> bool:
    """Whether a note names a creed or an origin other than in the name of an organisation, course or language."""
    return bool(_LABELLED.search(text) or _TELLS.search(text))


def checked(scanner: Scanner, fields: Mapping[str, str]) -> None:
    """Go on only when every text may be kept, and all of them together: a name in one and a birth date in another are
    two halves of one finding. Raises `TypedRefused`."""
    refused = {name: kinds for name, text in fields.items() if (kinds := personal(scanner, text, short=name in SHORT))}
    if not refused and len(texts := [text for text in fields.values() if text.strip()]) > 1 and (
            kinds := personal(scanner, "\n".join(texts), short=True)):
        refused = {"all together": kinds}
    if refused:
        raise TypedRefused(refused)
