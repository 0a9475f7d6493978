"""What a whole message looks like to the last step: a few dozen numbers, each with a name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pii_scan.findings import Category, Finding
from pii_scan.semantic import cues
from pii_scan.semantic.segment import Unit
from pii_scan.text import Envelope

Floats = npt.NDArray[np.float64]

FREEMAIL = frozenset({
    "aol.com", "gmail.com", "hotmail.com", "yahoo.com", "yahoo.ca", "msn.com", "outlook.com", "live.com", "icloud.com",
    "shaw.ca", "telus.net", "hotmail.ca", "sympatico.ca", "videotron.ca", "earthlink.net", "compuserve.com",
    "mindspring.com", "bellsouth.net", "swbell.net", "att.net", "comcast.net", "mail.com", "protonmail.com", "me.com",
    "gmx.com", "excite.com", "juno.com", "netscape.net", "prodigy.net",
})
"""Mailbox providers private people use: a hint of a private conversation, never evidence."""

_BULK = ("unsubscribe", "to be removed", "opt out", "opt-out", "click here", "in your browser", "all rights reserved",
         "désabonner", "cliquez ici", "tous droits réservés")
IDS = frozenset({Category.GOVERNMENT_ID, Category.FINANCIAL_ACCOUNT, Category.CREDENTIALS, Category.DATE_OF_BIRTH,
                 Category.IMMIGRATION})
_FLOOR = -6.0
_BENDS = {"over-2": -2.0, "over-1": -1.0, "over0": 0.0, "over1": 1.0}
"""Scores of the strongest sentence at which its worth may change."""
_BODY = frozenset({"text", "subject"})


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """What is known of one message before the last step. Arrays run over `units` that have a token."""

    units: Sequence[Unit]
    masks: npt.NDArray[np.int64]
    logit: Floats
    document: float
    envelope: Envelope
    rules: Sequence[Finding]


NOTHING = Message((), np.zeros(0, np.int64), np.zeros(0), 0.0, Envelope(), ())
"""A message without a word."""


def _top(values: Floats, n: int) -> list[float]:
    """The n highest values, highest first, padded with the floor."""
    best = np.sort(values)[::-1][:n].tolist()
    return [max(v, _FLOOR) for v in best] + [_FLOOR] * (n - len(best))


def _best(logit: Floats, which: npt.NDArray[np.bool_]) -> float:
    """The highest value among `which`, the floor when there is none."""
    return float(np.where(which, logit, _FLOOR).max(initial=_FLOOR))


def is_bulk(message: Message) -> bool:
    """True for list mail and for text that says it was sent to many."""
    if message.envelope.list_mail:
        return True
    text = "\n".join([u.text for u in message.units]).lower()
    return any(phrase in text for phrase in _BULK)


def measure(message: Message) -> dict[str, float]:
    """All features by name. Logits are used as they are, counts as log(1 + n)."""
    units = message.units
    logit = np.maximum(message.logit, _FLOOR)
    body = np.array([u.kind in _BODY for u in units], np.bool_)
    outside = np.array([not u.first for u in units], np.bool_)
    quoted = np.array([u.quoted for u in units], np.bool_)
    row = np.array([u.kind == "row" for u in units], np.bool_)
    words = np.array([u.text.count(" ") + 1 for u in units], np.float64)
    total_words = float(words.sum())
    bulk = is_bulk(message)
    top = _top(logit, 5)
    chance = 1.0 / (1.0 + np.exp(-logit))
    f: dict[str, float] = {f"top{i + 1}": v for i, v in enumerate(top)}
    f["top_mean3"] = sum(top[:3]) / 3
    f["top_body"] = _best(logit, body)
    f["top_outside"] = _best(logit, outside) - _FLOOR
    f["top_own"] = _best(logit, ~quoted)
    f["top_row"] = _best(logit, row) - _FLOOR
    f |= {name: max(top[0] - bend, 0.0) for name, bend in _BENDS.items()}
    f["sum"] = math.log1p(float(chance.sum()))
    f["share"] = float(chance @ words) / max(total_words, 1.0)
    f["over_half"] = math.log1p(float((logit > 0).sum()))
    f["over_quarter"] = math.log1p(float((logit > -1).sum()))
    f["mean"] = float(logit.mean()) if len(logit) else _FLOOR
    f["document"] = message.document
    f |= _cues(message, logit, distant=bulk)
    f["bulk"] = float(bulk)
    f["units"] = math.log1p(len(units))
    f["words"] = math.log1p(total_words)
    f["quoted"] = float(quoted.any())
    f["outside"] = float(outside.any())
    f |= _parties(message.envelope)
    f |= _rule_levels(message.rules)
    f["top1*bulk"] = top[0] * f["bulk"]
    f["top1*units"] = top[0] * f["units"]
    f["top1*document"] = top[0] * message.document
    f["document*bulk"] = message.document * f["bulk"]
    f["top1*strong"] = top[0] * f["strong"]
    f["top1*private"] = top[0] * f["private_party"]
    return f


_SHAPES = ("self", "third", "kin", "name", "policy", "news", "advert", "ask", "business", "phone")
_SHAPE_BITS = tuple(next((cues.BIT[f"{s}.{n}"] for s in ("person", "register", "shape") if f"{s}.{n}" in cues.BIT),
                         cues.NAME) for n in _SHAPES)
_HOME = cues.BIT["strong.home"] | cues.BIT["weak.home"]
_GROUPS = range(len(cues.GROUPS))
_COUNTED = ("strong", "weak", "home_phone", *(f"strong.{g}" for g in cues.GROUPS), *(f"weak.{g}" for g in cues.GROUPS))

_ANY = tuple(f"any.{name}" for name in _COUNTED)
_SHARE = tuple(f"share.{name}" for name in _SHAPES)


@lru_cache(maxsize=50_000)
def _cue_row(mask: int, distant: bool) -> Floats:
    """What one sentence adds to the counts: _COUNTED, then _SHAPES."""
    strong, weak = cues.told(mask, distant=distant)
    return np.array([strong != 0, weak != 0, bool(mask & cues.BIT["shape.phone"] and mask & _HOME),
                     *(strong >> i & 1 for i in _GROUPS), *(weak >> i & 1 for i in _GROUPS),
                     *(mask & bit != 0 for bit in _SHAPE_BITS)], np.float64)


def _cues(message: Message, logit: Floats, *, distant: bool) -> dict[str, float]:
    masks = message.masks.tolist()
    width = len(_COUNTED) + len(_SHAPES)
    rows = np.array([_cue_row(m, distant) for m in masks]) if masks else np.zeros((0, width))
    total = rows.sum(axis=0)
    counts = np.log1p(total[:len(_COUNTED)]).tolist()
    present = (total[:len(_COUNTED)] > 0).astype(np.float64).tolist()
    shares = (total[len(_COUNTED):] / max(len(masks), 1)).tolist()
    close = (message.masks & cues.CLOSE) != 0
    f = dict(zip(_COUNTED, counts, strict=True))
    f |= zip(_ANY, present, strict=True)
    f |= zip(_SHARE, shares, strict=True)
    f["share.home_phone"] = float(total[2]) / max(len(masks), 1)
    f["best.strong"] = _best(logit, rows[:, 0] > 0)
    f["best.weak"] = _best(logit, rows[:, 1] > 0)
    f["best.close"] = _best(logit, close)
    return f


_PLAIN = ("bulk", "private_party", "private_sender", "many", "one_to_one", "rule.id", "rule.other", "rule.count",
          "rule.home", "rule.health", "top1*bulk", "top1*units", "top1*private")
STRONGEST = frozenset({
    "top1", "top2", "top3", "top_body", "top_outside", "top_own", "top_row", *_BENDS,
    "over_quarter", "best.strong", "best.weak", "best.close", "strong", "weak", "units", *_PLAIN,
    *_ANY})
"""Features of the view that looks at the strongest sentences only: nothing in it is an average, so ordinary
sentences around a personal one take nothing away from it. `units` is there for the number of chances."""
WHOLE = frozenset({
    "top1", "top2", "top3", "top4", "top5", "top_mean3", "top_body", "top_outside", "top_own", "sum", "share",
    "over_half", "mean", "document", "units", "words", "quoted", "outside", "top1*document", "document*bulk",
    "top1*strong", *_PLAIN,
    *_COUNTED, *(f"share.{name}" for name in (*_SHAPES, "home_phone"))})
"""Features of the view that looks at the whole message: what kind of conversation it is, besides its sentences."""


def _parties(envelope: Envelope) -> dict[str, float]:
    def private(email: str) -> bool:
        return email.rpartition("@")[2] in FREEMAIL

    sender = envelope.sender.email if envelope.sender else ""
    others = [a.email for a in envelope.recipients]
    return {
        "private_party": float(private(sender) or any(map(private, others))),
        "private_sender": float(private(sender)),
        "many": math.log1p(len(others)),
        "one_to_one": float(len(others) == 1),
    }


def _rule_levels(rules: Sequence[Finding]) -> dict[str, float]:
    best: dict[str, float] = {}
    for finding in rules:
        if not finding.exempt:
            best[finding.category] = max(best.get(finding.category, 0.0), finding.score)
    ids = max((v for k, v in best.items() if k in IDS), default=0.0)
    rest = max((v for k, v in best.items() if k not in IDS), default=0.0)
    return {"rule.id": ids, "rule.other": rest, "rule.count": math.log1p(len(best)),
            "rule.home": best.get(Category.HOME_CONTACT, 0.0), "rule.health": best.get(Category.HEALTH, 0.0)}

