"""The one source of the manifests, read and checked.

    source = load(Path("addin.toml"))      # or load() for the one that ships; raises `BadSource`
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
VERSION = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,5}){2,3}")


class BadSource(ValueError):
    """The source of the manifests cannot be used; the text names the line, never what stands there."""


@dataclass(frozen=True, slots=True)
class Ids:
    """The id of each manifest."""

    onprem: str
    cloud: str
    unified: str


@dataclass(frozen=True, slots=True)
class Text:
    """What people read."""

    name: str
    unified_name: str
    short: str
    long: str
    open_label: str
    open_tip: str
    now_label: str
    now_tip: str


@dataclass(frozen=True, slots=True)
class Source:
    """Everything the manifests are made of."""

    host: str
    provider: str
    support_url: str
    version: str
    locale: str
    client_id: str
    id: Ids
    text: Text

    @property
    def pane(self) -> str:
        """The address of the pane: what an Exchange identity token is made for, to the letter."""
        return f"{self.host}/pane/"

    @property
    def commands(self) -> str:
        """The address of the page behind the button that tracks at once."""
        return f"{self.host}/pane/commands"

    def icon(self, size: int) -> str:
        """The address of an icon."""
        return f"{self.host}/pane/icons/icon-{size}.png"

    @property
    def domain(self) -> str:
        """The host without https."""
        return urlsplit(self.host).netloc


def shipped() -> Path:
    """The source that ships."""
    return Path(str(files("manifests") / "addin.toml"))


def load(path: Path | None = None) -> Source:
    """Read a source. Raises `BadSource`."""
    try:
        data = tomllib.loads((path or shipped()).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise BadSource(f"the file cannot be read: {type(exc).__name__}") from None
    try:
        made = Source(id=_part(Ids, data.pop("id"), "id."), text=_part(Text, data.pop("text"), "text."),
                      **_strings(data, set(Source.__slots__) - {"id", "text"}, ""))
    except KeyError as exc:
        raise BadSource(f"{exc.args[0]}: missing") from None
    _require(made)
    return made


def _part(kind: Any, data: Any, lead: str) -> Any:
    if not isinstance(data, dict):
        raise BadSource(f"{lead.rstrip('.')}: a table")
    return kind(**_strings(data, {one.name for one in fields(kind)}, lead))


def _strings(data: dict[str, Any], names: set[str], lead: str) -> dict[str, str]:
    for name in sorted(names - data.keys()):
        raise BadSource(f"{lead}{name}: missing")
    for name in sorted(data.keys() - names):
        raise BadSource(f"{lead}{name}: unknown")
    for name, value in data.items():
        if not isinstance(value, str) or not value.isprintable():
            raise BadSource(f"{lead}{name}: a line of text")
    return data


def _require(source: Source) -> None:
    for name in ("host", "support_url"):
        parts = urlsplit(getattr(source, name))
        if parts.scheme != "https" or not parts.hostname or parts.username or (name == "host" and (
                parts.path or parts.query or parts.fragment)):
            raise BadSource(f"{name}: an https address" + (" without a path" if name == "host" else ""))
    if not VERSION.fullmatch(source.version):
        raise BadSource("version: numbers with dots, as 1.0.0.0")
    ids = (source.id.onprem, source.id.cloud, source.id.unified)
    if not all(GUID.fullmatch(one) for one in ids) or len(set(ids)) != len(ids):
        raise BadSource("id: three different GUIDs in small letters")
    if source.client_id and not GUID.fullmatch(source.client_id):
        raise BadSource("client_id: a GUID in small letters, or empty")
    if source.text.name == source.text.unified_name:
        raise BadSource("text.unified_name: another name than text.name")
