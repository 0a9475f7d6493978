"""The `mailweir` command. Help texts are the manual; exit codes are an interface.

Imports of anything heavy stand inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

EXIT_HELD = 1
EXIT_ERROR = 2

app = typer.Typer(
    name="mailweir", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Holds back personal information in mail on its way from Exchange to a CRM.")

Home = Annotated[Path | None, typer.Option("--home", help="Home folder. [default: MAILWEIR_HOME or ~/.mailweir]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
