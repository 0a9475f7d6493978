"""Policy packs (law as cited data) and the decision made with them.

A pack is one TOML file: `name`, `version`, `title`, a `[thresholds]` table, the recognizers that run, and
`[[entry]]` tables of `key`, `value`, `cite`, `basis` (and `confirmed_by`, `confirmed_on`). `decide` is a
pure function: the same findings, unread parts and pack always give the same decision.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from pii_scan.errors import BadPack
from pii_scan.findings import Category, Decision, Finding, Report, Verdict
from pii_scan.text import Unread

BASES = {
    "official": "a page of a government or regulator was read; in force",
    "document": "stated in a document of the organisation; in force",
    "secondary": "read in a bulletin or course page, not at the source; in force, shown as secondary",
    "unconfirmed": "general knowledge; shown with a warning until the privacy officer confirms it",
}
CLASSES = ("L0", "L1", "L2", "L3", "L4", "L5")


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule of law or policy as data. `confirmed_by` is a role, `confirmed_on` an ISO date."""

    key: str
    value: Any
    cite: str
    basis: str
    confirmed_by: str = ""
    confirmed_on: str = ""

    @property
    def in_force(self) -> bool:
        """False for an unconfirmed entry nobody has confirmed."""
        return self.basis != "unconfirmed" or bool(self.confirmed_by)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores 0 to 1. `finding_*` judge a single finding, `block` and `review` the message probability of
    the semantic stage."""

    finding_block: float = 0.8
    finding_review: float = 0.5
    block: float = 0.9
    review: float = 0.5


@dataclass(frozen=True, slots=True)
class Pack:
    """A loaded policy pack. `label` is "name@version", as it appears in decisions."""

    name: str
    version: str
    title: str
    thresholds: Thresholds
    recognizers: tuple[str, ...]
    entries: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    def sensitivity(self, category: str) -> tuple[str, float]:
        """Class ("L0" to "L5") and weight of a category; L3 when the pack is silent."""
        entry = self.entries.get(f"category.{category}")
        if entry is None:
            return "L3", 3.0
        return str(entry.value["class"]), float(self.entries[f"class.{entry.value['class']}"].value)

    def with_thresholds(self, *, block: float | None = None, review: float | None = None) -> Pack:
        """The same pack with the operator's thresholds for the message probability."""
        now = self.thresholds
        return replace(self, thresholds=replace(now, block=now.block if block is None else block,
                                                review=now.review if review is None else review))


def builtin_packs() -> tuple[str, ...]:
    """Names of the packs that ship with mailweir."""
    folder = resources.files("pii_scan") / "packs"
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")))


def load_pack(name_or_path: str | Path) -> Pack:
    """Load a pack by name ("bc_foippa", optionally "@version") or by the path of a TOML file.

    Raises `BadPack` when it is missing, unreadable, of another version, or fails `check_pack`.
    """
    pack, problems = _read(name_or_path)
    if problems or pack is None:
        raise BadPack("; ".join(problems))
    return pack


def check_pack(name_or_path: str | Path) -> tuple[str, ...]:
    """Everything wrong with a pack, as sentences; empty when it can be used."""
    return _read(name_or_path)[1]


def _read(name_or_path: str | Path) -> tuple[Pack | None, tuple[str, ...]]:
    wanted, _, version = str(name_or_path).partition("@")
    try:
        if wanted in builtin_packs():
            data = tomllib.loads((resources.files("pii_scan") / "packs" / f"{wanted}.toml").read_text("utf-8"))
        else:
            version = ""
            data = tomllib.loads(Path(name_or_path).read_text("utf-8"))
    except FileNotFoundError:
        return None, (f"no pack of this name; there are: {', '.join(builtin_packs())}",)
    except (OSError, UnicodeDecodeError) as exc:
        return None, (f"cannot be read ({type(exc).__name__})",)
    except tomllib.TOMLDecodeError as exc:
        return None, (f"not TOML: {exc}",)
    problems = _problems(data)
    if version and not problems and data["version"] != version:
        problems.append(f"version {version} was asked for, {data['version']} is installed")
    if problems:
        return None, tuple(problems)
    entries = {e["key"]: Entry(**e) for e in data["entry"]}
    return Pack(name=data["name"], version=data["version"], title=data["title"],
                thresholds=Thresholds(**data.get("thresholds", {})),
                recognizers=tuple(data["recognizers"]), entries=entries), ()


def _problems(data: dict[str, Any]) -> list[str]:
    known = {"name", "version", "title", "thresholds", "recognizers", "entry"}
    problems = [f"unknown key {k!r}" for k in data if k not in known]
    problems += [f"{k} is missing" for k in ("name", "version", "title", "recognizers", "entry") if k not in data]
    if problems:
        return problems
    for key, value in data.get("thresholds", {}).items():
        if key not in Thresholds.__slots__ or not isinstance(value, int | float) or not 0 < value <= 1:
            problems.append(f"thresholds.{key} is not a known threshold between 0 and 1")
    seen: dict[str, Any] = {}
    for number, entry in enumerate(data["entry"], 1):
        problems += _entry_problems(number, entry, seen)
        seen[str(entry.get("key"))] = entry.get("value")
    problems += [f"class.{c} is missing" for c in CLASSES if f"class.{c}" not in seen]
    for category in Category:
        value = seen.get(f"category.{category}")
        if not isinstance(value, dict) or value.get("class") not in CLASSES:
            problems.append(f"category.{category} is missing or has no class")
    from pii_scan.recognizers import REGISTRY  # names only: loads nothing heavy

    problems += [f"unknown recognizer {r!r}" for r in data["recognizers"] if r not in REGISTRY]
    return problems


def _entry_problems(number: int, entry: dict[str, Any], seen: Mapping[str, Any]) -> list[str]:
    allowed = {"key", "value", "cite", "basis", "confirmed_by", "confirmed_on"}
    problems = [f"entry {number}: {k} is missing" for k in ("key", "value", "cite", "basis")
                if entry.get(k) in (None, "")]
    problems += [f"entry {number}: unknown key {k!r}" for k in entry if k not in allowed]
    if entry.get("basis") not in BASES:
        problems.append(f"entry {number}: basis is none of {', '.join(BASES)}")
    if str(entry.get("key")) in seen:
        problems.append(f"entry {number}: {entry['key']} occurs twice")
    if bool(entry.get("confirmed_by")) != bool(entry.get("confirmed_on")):
        problems.append(f"entry {number}: confirmed_by and confirmed_on go together")
    return problems


SENTENCE = "sentence"
"""Rule name of what the semantic stage shows: the sentences behind its probability. One alone decides nothing."""

JOIN_REACH = 500
"""Two elements this many characters apart, in one block, are read as being about one person."""


def decide(report: Report, unread: Sequence[Unread], pack: Pack) -> Decision:
    """Block, review or pass.

    In this order: one strong finding blocks; two different elements about one person block, each of them
    doubtful alone; the message probability blocks; an unread part is reviewed; a doubtful finding or
    probability is reviewed; the rest passes. Exempted findings are kept, shown, and never counted.
    """
    at = pack.thresholds
    told = [f for f in report.findings if f.rule != SENTENCE or report.doubt >= at.review]
    counted = [f for f in told if not f.exempt and f.rule != SENTENCE]
    strongest = max(counted, key=lambda f: f.score, default=None)
    rule, verdict = "nothing-found", Verdict.PASS
    if strongest and strongest.score >= at.finding_block:
        rule, verdict = f"finding:{strongest.rule}", Verdict.BLOCK
    elif joined(counted, at.finding_review):
        rule, verdict = "joined-elements", Verdict.BLOCK
    elif report.doubt >= at.block:
        rule, verdict = "semantic", Verdict.BLOCK
    elif unread:
        rule, verdict = f"unread:{unread[0].code}", Verdict.REVIEW
    elif strongest and strongest.score >= at.finding_review:
        rule, verdict = f"doubt:{strongest.rule}", Verdict.REVIEW
    elif report.doubt >= at.review:
        rule, verdict = "semantic-doubt", Verdict.REVIEW
    level = "L0" if verdict is Verdict.PASS else _sensitivity([f for f in told if not f.exempt], report, pack)
    return Decision(verdict=verdict, rule=rule, policy=pack.label, findings=tuple(told), unread=tuple(unread),
                    doubt=report.doubt, persons=report.persons, minors=report.minors, sensitivity=level,
                    notes=_notes(counted, pack))


def joined(findings: Iterable[Finding], least: float) -> bool:
    """Whether two findings of different categories, each scoring `least`, stand close together."""
    by_block: dict[tuple[int, int], list[Finding]] = {}
    for f in findings:
        if f.score >= least:
            by_block.setdefault((f.part, f.block), []).append(f)
    for group in by_block.values():
        group.sort(key=lambda f: f.start)
        for one, other in pairwise(group):
            if one.category != other.category and other.start - one.end <= JOIN_REACH:
                return True
    return False


def _sensitivity(counted: Sequence[Finding], report: Report, pack: Pack) -> str:
    """The class of the most sensitive category found, one up for children or ten and more persons."""
    level = 3 if counted or report.doubt else 0
    if counted:
        level = max(CLASSES.index(pack.sensitivity(f.category)[0]) for f in counted)
        if report.minors or report.persons >= 10 or len({f.category for f in counted}) >= 3:
            level += 1
    return CLASSES[min(level, 5)]


def _notes(counted: Sequence[Finding], pack: Pack) -> tuple[str, ...]:
    weight = sum(pack.sensitivity(c)[1] for c in {str(f.category) for f in counted})
    return (f"weight:{weight:g}",) if weight else ()
