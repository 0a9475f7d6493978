"""What an institution registers for its scanner: exact-match lists (keyed hashes only) and blank forms.

They lie in the home folder, `lists/NAME.json` and `forms.json`, and are used by every scan with that home.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from capture.errors import BadInput
from capture.settings import Settings
from capture.wiring import build_extractor, list_files, list_key, master_keys
from pii_scan.findings import Category
from pii_scan.forms import FormPrint, load_forms, register_form, save_forms
from pii_scan.lists import build_list, load_list, save_list
from pii_scan.text import Part

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


class BadName(BadInput):
    """A list or form needs a short name and a known category."""

    code = "bad-name"
    hint = "Name: small letters, digits, hyphens. Category: one of those `mailweir policy show` lists, e.g. health."


def load_values(settings: Settings, file: Path, *, name: str, category: str, kind: str) -> str:
    """Hash the values of a text file (one a line) into a list. The values are not kept."""
    try:
        values = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInput(f"{file}: {type(exc).__name__}") from None
    if kind not in ("number", "name"):
        raise BadName("--kind is number or name")
    key = list_key(master_keys(settings))
    made = build_list(values, key, name=_name(name), category=_category(category), kind=kind)
    folder = settings.home / "lists"
    folder.mkdir(mode=0o700, exist_ok=True)
    save_list(made, folder / f"{made.name}.json")
    return f"list {made.name}: {len(made.hashes)} values kept as keyed hashes; delete {file} when you need it no more"


def lists(settings: Settings) -> list[dict[str, Any]]:
    """The lists of this home: name, kind, category, number of values."""
    return [{"name": one.name, "kind": one.kind, "category": one.category.value, "values": len(one.hashes)}
            for one in map(load_list, list_files(settings))]


def remove_list(settings: Settings, name: str) -> str:
    """Delete a list."""
    path = settings.home / "lists" / f"{_name(name)}.json"
    if not path.is_file():
        raise BadInput(f"no list {name}")
    path.unlink()
    return f"list {name} removed"


def register(settings: Settings, file: Path, *, name: str, category: str) -> str:
    """Register a blank form: the fingerprint of its labels is kept, the form is not."""
    try:
        raw = file.read_bytes()
    except OSError as exc:
        raise BadInput(f"{file}: {type(exc).__name__}") from None
    extractor = build_extractor(settings)
    try:
        extraction = extractor.extract(raw, name=file.name)
    finally:
        extractor.close()
    if extraction.status != "read":
        raise BadInput(f"{file}: cannot be read in full ({', '.join(u.code for u in extraction.unread)})")
    whole = Part("form", "form", tuple(block for part in extraction.parts for block in part.blocks))
    made = register_form(whole, name=_name(name), category=_category(category))
    others = [form for form in _forms(settings) if form.name != made.name]
    save_forms([*others, made], settings.home / "forms.json")
    return f"form {made.name}: {len(made.labels)} labels"


def forms(settings: Settings) -> list[dict[str, Any]]:
    """The registered forms: name, category, number of labels."""
    return [{"name": f.name, "category": f.category.value, "labels": len(f.labels)} for f in _forms(settings)]


def _forms(settings: Settings) -> tuple[FormPrint, ...]:
    path = settings.home / "forms.json"
    return load_forms(path) if path.is_file() else ()


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadName
    return name


def _category(name: str) -> Category:
    try:
        return Category(name)
    except ValueError:
        raise BadName from None
