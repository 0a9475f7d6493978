"""What matching makes of an item, as somebody is shown it before anything is written."""

from __future__ import annotations

from collections.abc import Callable

from capture.matching import Match
from capture.ports import Offer, Offers, Record


def offers_of(found: Match, named: Callable[[str, str], Record | None], beyond: int = 0) -> Offers:
    """The match with the names of its records: links first, then suggestions in the order of the steps. `named` gives
    None for a record that is not there or not within sight: it is left out."""
    sure = [(link.record, link.record_id, link.how, True, "") for link in found.links]
    maybe = [(s.record, s.record_id, s.reason, False, s.question) for s in found.suggestions]
    offers = [Offer(record, reason, by_rule, question) for kind, ident, reason, by_rule, question in (*sure, *maybe)
              if (record := named(kind, ident)) is not None]
    return Offers(tuple(offers), found.reason, beyond)
