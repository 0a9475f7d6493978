"""Settings of one installation, read from `settings.toml` in its home folder.

`load_settings` is called in `cli.py` and `addin/app.py` only. Unknown keys are errors. Secrets never
stand in the file: they come from the environment (`MAILWEIR_MASTER_KEY`, `MAILWEIR_SMTP_PASSWORD`).
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError

from capture.errors import BadSettings
from capture.extract.limits import Limits
from pii_scan.settings import ScanSettings
from store.settings import StoreSettings

SETTINGS_FILE = "settings.toml"


class Section(BaseModel):
    """One table of settings.toml: frozen, unknown keys refused, values never shown in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MailboxSettings(Section):
    """`[mailbox]`: whose mail is watched."""

    kind: str = Field(default="folder", description="Mailbox backend; `folder` = a directory of .eml files.")
    root: str = Field(default="mailboxes", description="For `folder`: the directory, relative to the home folder.")
    poll_seconds: PositiveFloat = Field(default=5, description="Pause between two looks for tagged items.")
    domain: str = Field(
        default="", description="Appended to a mailbox name without @ to get the user's address for notices.")


class CrmSettings(Section):
    """`[crm]`: where linked items go."""

    kind: str = Field(default="embedded", description="CRM backend; `embedded` = our own tables.")


class NotifySettings(Section):
    """`[notify]`: how users are told."""

    kind: str = Field(default="log", description="`log` = notices.jsonl in the home folder, `smtp` = by mail.")
    sender: str = Field(default="mailweir@localhost", description="From address of notices.")
    host: str = Field(default="localhost", description="SMTP server.")
    port: PositiveInt = Field(default=25, description="SMTP port.")
    tls: Literal["none", "starttls", "tls"] = Field(
        default="starttls", description="How the SMTP connection is protected; `none` only on loopback.")
    user: str = Field(default="", description="SMTP user; the password comes from MAILWEIR_SMTP_PASSWORD.")
    timeout_seconds: PositiveFloat = Field(default=20, description="Give up on the SMTP server after this long.")
    linked: bool = Field(default=False, description="Also send a notice when an item was linked.")
    contact: str = Field(
        default="your privacy officer", description="Whom a notice names for questions.")


class EngineSettings(Section):
    """`[engine]`: how the work is done."""

    concurrency: PositiveInt = Field(default=2, le=8, description="Items worked on at a time by one process.")
    polling_seconds: PositiveFloat = Field(default=0.1, description="How often the queue is looked at.")
    attempts: PositiveInt = Field(default=4, description="Tries of a step before the item is held.")
    retry_seconds: PositiveFloat = Field(default=1, description="Pause before the second try; doubled each time.")
    readers: PositiveInt = Field(default=2, description="Child processes that read files.")


class Settings(Section):
    """Everything an installation can set."""

    home: Path = Field(default=Path(), exclude=True)
    store: StoreSettings = StoreSettings()
    mailbox: MailboxSettings = MailboxSettings()
    scan: ScanSettings = ScanSettings()
    extract: Limits = Limits()
    crm: CrmSettings = CrmSettings()
    notify: NotifySettings = NotifySettings()
    engine: EngineSettings = EngineSettings()
    smtp_password: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)

    @property
    def database_url(self) -> str:
        """The database URL with the default filled in."""
        return self.store.url(self.home)

    @property
    def mailbox_root(self) -> Path:
        """The folder backend's directory; a relative one lies in the home folder."""
        return self.home / self.mailbox.root


def home_from(option: Path | None) -> Path:
    """The home folder: the option, else MAILWEIR_HOME, else ~/.mailweir."""
    chosen = option or Path(os.environ.get("MAILWEIR_HOME") or Path.home() / ".mailweir")
    return chosen.expanduser().resolve()


def load_settings(home: Path) -> Settings:
    """Read `settings.toml` of a home folder.

    Raises `BadSettings` when the home or the file is missing, is not TOML, or holds an unknown or wrong
    setting; the error names the setting, never its value.
    """
    path = home / SETTINGS_FILE
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NoHome(str(home)) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSettings(f"{path}: cannot be read, {type(exc).__name__}") from None
    except tomllib.TOMLDecodeError as exc:
        raise BadSettings(f"{path}: not TOML, {exc}") from None
    try:
        return Settings.model_validate(
            data | {"home": home, "smtp_password": os.environ.get("MAILWEIR_SMTP_PASSWORD", "")})
    except ValidationError as exc:
        facts = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors(include_input=False))
        raise BadSettings(f"{path}: {facts}") from None


class NoHome(BadSettings):
    """There is no mailweir home here yet."""

    code = "no-home"
    hint = "Run `mailweir init`, or name the folder with --home or MAILWEIR_HOME."


TEMPLATE = """\
# Settings of this mailweir home. Every setting and its default: docs/operators/settings.md
# Secrets do not belong here: MAILWEIR_MASTER_KEY and MAILWEIR_SMTP_PASSWORD come from the environment.

[mailbox]
kind = "folder"
root = "mailboxes"          # one folder per user, .eml files in folders below
domain = ""                 # user "dana.reid" is told at dana.reid@DOMAIN

[scan]
pack = "bc_foippa"
own_domains = []            # e.g. ["institute.example.org"]: addresses there are staff

[notify]
kind = "log"                # "smtp" sends mail; see docs/operators/settings.md
"""
