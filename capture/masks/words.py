"""Ordinary words: what may be shown of a held item, word by word.

The list decides on what is shown, not on what is hidden: a word that is not on it is hidden. `words.txt` says where
it comes from. Words that are people's names too ("Rose", "Baker") carry a star there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

from pii_scan.folding import plain, small, word_set

_MONTHS = word_set("january february march april may june july august september october november december jan feb "
                   "mar "
                   "apr jun jul aug sep sept oct nov dec janvier février mars avril mai juin juillet août septembre "
                   "octobre novembre décembre")
MONTH_NAMES = word_set("april may june august mai avril juin jan mar jun")
"""Months that are given names too."""

TITLES = word_set(
    "mr mrs ms miss mx dr prof mme mlle me maître monsieur madame docteur sir cst const constable sgt sergeant cpl "
    "corporal insp inspector supt superintendent lt lieutenant capt captain chief officer agent agente recruit cadet "
    "elder nurse judge justice chef capitaine sergent recrue père mère oncle tante uncle aunt auntie grandma grandpa "
    "patient student learner employee client applicant candidate participant inmate offender complainant suspect "
    "victim witness instructor teacher coach rookie firefighter paramedic detective deputy warden sister brother "
    "mom mum dad husband wife son daughter named nommé nommée prénommé prénommée surnommé called")
"""Words that a name follows."""

PLAIN_CAPITALS = word_set(
    "police fire department dept service services college university institute school academy district council city "
    "town village municipality ministry government office centre center hall station detachment region regional "
    "division unit program programme course class level module section phase block week day block part step item "
    "table sheet page room building floor campus team group board committee society association foundation union "
    "canada canadian columbia british bc officer chief director manager coordinator supervisor administrator "
    "instructor trainer lead head dean registrar analyst assistant associate specialist advisor adviser officer "
    "training safety health security emergency operations learning programs curriculum development human resources "
    "finance accounts communications technology support academic student students staff partnerships justice public "
    "international national provincial federal first second third north south east west northern southern eastern "
    "western pacific coast island valley inc ltd corp llp company limited act policy report plan form agreement "
    "contract invoice order proposal schedule agenda minutes survey certificate monday tuesday wednesday thursday "
    "friday saturday sunday i english french mr mrs ms dr professional practice studies management leadership "
    "incident "
    "command community protection services transit authority ferry ferries port rescue ambulance correctional "
    "corrections sheriff sheriffs court courts subject from to sent date cc bcc object objet envoyé de à reply "
    "forward attached attachment work home phone mobile fax email tel office name address hello hi dear bonjour "
    "thanks regards")
"""Capitalised words that stand in titles of posts, bodies and papers: never taken for the second half of a name."""

ACRONYMS = word_set(
    "am pm po gst pst hr bc ab qc cv it id ids tv eta asap faq fyi rsvp tba tbd tbc vip ceo cfo cao cio coo vp hq "
    "pdf "
    "crm lms sin phn pen ssn nhs dob aed cpr scba nfpa ofa emr ems icu ics eoc sar rcmp opp rfp rfq rfi mou nda "
    "sop kpi "
    "api url usb hdmi wifi vpn av gps suv ptsd crc sku isbn llp ltd inc gpa fte pia dui mri ecg usd cad csi ii "
    "iii iv "
    "vi vii viii ix xi xii re fw fwd cc bcc tr ps ok us uk usa dl vin pr ft ext no svp tps tvq cnesst lpn rn md "
    "qa hazmat covid ppe psa bbq q a b c d e f g h x y z")
"""Abbreviations shown in capitals."""

FRENCH = word_set("le la les des du une est et dans pour que qui avec vous nous je sur pas ce cette son sa ses "
                  "par au "
                  "aux il elle mais où merci bonjour être sont votre notre")
ENGLISH = word_set("the of and to in is for that you we on are with this be have it as not at from your our will "
                   "please can was i if")

_ENDINGS = ("s", "es", "ed", "d", "ing", "er", "ers", "ly", "ness", "less", "able", "ment", "ments")
_BEGINNINGS = ("un", "re", "non", "pre", "co", "over", "under", "mis", "multi", "sub", "out", "inter")


@lru_cache(maxsize=1)
def _lists() -> tuple[frozenset[str], frozenset[str]]:
    text = resources.files(__package__).joinpath("words.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return frozenset(line.rstrip("*") for line in lines), frozenset(line[:-1] for line in lines if line.endswith("*"))


def is_listed(low: str) -> bool:
    """Whether a word in small letters is on the list as it stands."""
    return low in _lists()[0]


@lru_cache(maxsize=50_000)
def is_ordinary(low: str) -> bool:
    """Whether a word in small letters is an ordinary word, or a plain form of one ("rescheduling", "non-stop")."""
    words = _lists()[0]
    if low in words:
        return True
    if len(low) < 6:
        return False
    stems = [low[:-len(e)] for e in _ENDINGS if low.endswith(e)]
    if any(len(s) > 3 and (s in words or s + "e" in words or (s[-1] == s[-2] and s[:-1] in words)) for s in stems):
        return True
    return any(low.startswith(b) and len(low) - len(b) > 3 and low[len(b):] in words for b in _BEGINNINGS)


def may_be_name(low: str) -> bool:
    """Whether an ordinary word is a name of people too."""
    return low in _lists()[1]


_WORD = re.compile(r"[^\W\d_]+")


def is_french(text: str) -> bool:
    """Whether a text reads as French rather than English, by its small words."""
    words = [w.lower() for w in _WORD.findall(text[:4000])]
    return sum(w in FRENCH for w in words) > sum(w in ENGLISH for w in words)


def folded(word: str) -> str:
    """A word as names are compared: small letters without accents."""
    return small(plain(word))
