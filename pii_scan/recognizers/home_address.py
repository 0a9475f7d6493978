"""Home addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.findings import Category
from pii_scan.recognizers.base import Hit, IndexedText, Recognizer
from pii_scan.recognizers.contact import STREET, STREET_WORDS

_STRONG = re.compile(
    r"\b(?:home address(?:es)?|my (?:new )?(?:mailing |street )?address|(?:her|his|our new) (?:home |mailing |new "
    r")?address|their (?:home|new) address|residential address|adresse (?:personnelle|du domicile|domicile|privee)|"
    r"(?:lives?|living|resid(?:es?|ing)|moved|moving) (?:at|to|into)|my (?:house|home|place|apartment|condo)|our "
    r"(?:house|home|new home|new house)|"
    r"(?:his|her|their) (?:house|home|place|apartment)|home:|residence|chez (?:moi|lui|elle|nous)|habite(?:nt)? "
    r"(?:au|a|le)|mon adresse|demenage|"
    r"(?:at|to) home|home addresses|(?:at|to|by) (?:mine|ours|our place|my place)|our place|(?:staying|crashing|"
    r"stays|moved back|moved in) (?:at|with|to|in)|"
    r"(?:mail|send|ship|drop|bring|courier|poster|envoyer) (?:it|them|that|everything|the \w+) to me at|j'habite|on "
    r"habite|"
    r"vit (?:au|a)|reste (?:au|a)|demeure (?:au|a)|son adresse|notre (?:nouvelle )?(?:maison|adresse)|"
    r"new (?:place|apartment|flat|condo|house|home address)|[a-z]{2,15}'s (?:place|"
    r"house|apartment|flat|home|cottage|condo)|(?:he|she)(?:'s| is)? (?:now |currently )?(?:staying )?at|next[ "
    r"-]of[ -]kin|basement suite|the (?:kids|family) (?:and|&) i|elle habite|a la maison(?: de)?|my parents)\b:?")
_LIVES = re.compile(
    r"\b(?:lives?|living|resid(?:es?|ing)|habite) (?:at|on|in|au|a|le) (?:\d{1,5}[a-z]?(?:-\d{1,5})?,? [a-z]\w{2,})")
_LIVE_WORDS = frozenset({"live", "lives", "living", "resides", "reside", "residing", "habite"})
_HOME_AFTER = re.compile(
    r"[^.\n]{0,40}\b(?:upstairs|downstairs|basement|side (?:gate|door)|back door|screen door|porch|buzz(?:er)? \d+|"
    r"doorbell|spare key|cul[- ]de[- ]sac|(?:second|third|last|blue|white|red|green) house|driveway|garage side|"
    r"(?:upstairs|side|top|bottom) bell|under the mat|flower ?pot|my (?:wife|husband|mom|mother|roommate)|sous-sol|"
    r"sonnette)\b")
_ON_STREET = re.compile(r"\b(?:i'm|i am|we're|we are|he's|she's|he is|she is)(?: now| still| back)?(?: living)? at \Z")
_TITLED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mme|Mlle)\.? (?:[A-Z][\w'-]{0,15}\.? ){0,2}[A-Z][\w'-]{1,20}(?:,[ ]|[ ]?\n[ \t>]*)\Z")
_WEAK = re.compile(r"\b(?:home|apartment|condo|domicile|apt)\b")
_WORK = re.compile(
    r"\b(?:inc|ltd|llc|corp|company|suite|floor|office|bureau|hotel|motel|restaurant|inn|tower|building|bldg|plaza|"
    r"campus|"
    r"university|college|institute|court ?house|llp|head office|work address|business address|nursing home|home "
    r"office|home depot|funeral)\b")


class HomeAddressRecognizer(Recognizer):
    """Find a street address given as somebody's home.

    House number, street name and kind, with home words ("lives at", "my address", "home address", "chez
    moi") at most 90 characters before it: score 0.9; with "home" or "house" only: 0.6. Company words near
    the address ("Suite", "Ltd", "hotel") lower it below review. An address alone is left alone.

    Source: gov.bc.ca, "Personal Information" (home address); words are ours.
    """

    kind = "home_address"
    category = Category.HOME_CONTACT
    citation = "category.home_contact"
    anchors = STREET_WORDS | _LIVE_WORDS

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        low = doc.low
        done = -1
        for place in doc.spots(STREET_WORDS):
            if place < done:
                continue
            m = None
            for found in STREET.finditer(low, doc.around(place, place, 80)[0], min(len(low), place + 40)):
                if found.start() <= place < found.end():
                    m = found
                    break
            if m is None:
                continue
            done = m.end()
            lo, _ = doc.around(m.start(), m.end(), 90)
            if _WORK.search(low, max(lo, m.start() - 60), min(len(low), m.end() + 25)):
                continue
            if _STRONG.search(low, lo, m.start()):
                yield Hit(m.start(), m.end(), 0.9, ("context:home",))
            elif _WEAK.search(low, max(lo, m.start() - 40), m.start()):
                yield Hit(m.start(), m.end(), 0.55, ("context:house",))
            elif _WORK.search(low, m.end(), doc.around(m.start(), m.end(), 70)[1]):
                continue
            elif _ON_STREET.search(low, lo, m.start()) \
                    or _HOME_AFTER.match(low, m.end(), doc.around(m.start(), m.end(), 70)[1]):
                yield Hit(m.start(), m.end(), 0.85, ("context:told-as-home",))
            elif _TITLED.search(doc.plain, lo, m.start()):
                yield Hit(m.start(), m.end(), 0.6, ("context:titled-person",))
        for place in doc.spots(_LIVE_WORDS):
            m = _LIVES.match(low, place)
            if m and m.end() > done and not re.search(r"\d$|(?:months?|weeks?|days?|years?|hours?)$", m.group()):
                yield Hit(m.start(), m.end(), 0.85, ("context:lives",))
