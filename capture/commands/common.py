"""What the command groups have in common: the options that mean the same everywhere, and the way to a home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from capture.settings import Settings

Home = Annotated[Path | None, typer.Option("--home", help="Home folder. [default: MAILWEIR_HOME or ~/.mailweir]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Actor = Annotated[str, typer.Option("--actor", help="Who does it. [default: the signed-in user]")]
Person = Annotated[str, typer.Option("--actor", help="Who does it: the address of a registered person.")]


def settings_of(home: Path | None, *, optional: bool = False) -> Settings:
    """The settings of a home, with the log styled as they say; defaults when `optional` and no home was named or
    exists. Raises `NoHome`, `BadSettings`."""
    from capture.logs import restyle
    from capture.settings import NoHome, Settings, home_from, load_settings

    folder = home_from(home)
    try:
        settings = load_settings(folder)
    except NoHome:
        if optional and home is None:
            return Settings(home=folder)
        raise
    restyle(settings.log.style)
    return settings
