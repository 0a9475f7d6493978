"""A decision as the store keeps it: codes, kinds, counts and places, ready for JSON.

The shape is stored and shown by `queue show --json`, so names are only ever added:

    {"verdict": "block", "rule": "...", "policy": "bc_foippa@1", "categories": ["government_id"],
     "findings": [{"kind", "place", "rule", "count", "score", "why": [...]}],
     "exempt": [{"kind", "place", "count", "exempt"}], "unread": [{"place", "code"}],
     "persons": 31, "minors": 0, "doubt": 0.0, "sensitivity": "L3"}
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pii_scan.findings import Decision
from store.allow import MARK

MAX_FINDINGS = 200
"""Lines kept per decision; the rest are counted in "more"."""


MAX_CODES = 12
"""Reason codes kept per line."""


def summary(decision: Decision) -> dict[str, Any]:
    """What is stored of a decision. Findings of one kind, place and rule are one line, without offsets;
    what was not counted stands apart, with the reason."""
    merged: dict[tuple[str, str, str], dict[str, Any]] = {}
    passed: dict[tuple[str, str, str], dict[str, Any]] = {}
    for f in decision.findings:
        if f.exempt:
            line = passed.setdefault((f.category.value, f.place, f.exempt), {
                "kind": f.category.value, "place": f.place, "count": 0, "exempt": f.exempt})
            line["count"] += f.count
            continue
        line = merged.setdefault((f.category.value, f.place, f.rule), {
            "kind": f.category.value, "place": f.place, "rule": f.rule, "count": 0, "score": 0.0, "why": []})
        line["count"] += f.count
        line["score"] = max(line["score"], round(f.score, 3))
        line["why"] = sorted({*line["why"], *(code.partition("@")[0] for code in f.why)})[:MAX_CODES]
    lines = sorted(merged.values(), key=lambda line: (-line["score"], line["kind"], line["place"], line["rule"]))
    kept: dict[str, Any] = {
        "verdict": decision.verdict.value, "rule": decision.rule, "policy": decision.policy,
        "categories": [str(category) for category in decision.categories],
        "findings": lines[:MAX_FINDINGS], "exempt": _rules_first(passed.values())[:MAX_FINDINGS],
        "unread": [{"place": u.place, "code": u.code} for u in decision.unread[:MAX_FINDINGS]],
        "persons": decision.persons, "minors": decision.minors, "doubt": round(decision.doubt, 3),
        "sensitivity": decision.sensitivity}
    more = max(0, len(lines) - MAX_FINDINGS) + max(0, len(decision.unread) - MAX_FINDINGS)
    return kept | ({"more": more} if more else {})


def _rules_first(exempt: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What allow rules exempted before the rest: the link asks whether they are in force still."""
    return sorted(exempt, key=lambda line: not line["exempt"].startswith(MARK))


def counts(kept: dict[str, Any]) -> dict[str, int]:
    """Kind -> number of values, for audit bodies and notices."""
    totals: dict[str, int] = {}
    for line in kept.get("findings", ()):
        totals[line["kind"]] = totals.get(line["kind"], 0) + int(line["count"])
    return totals
