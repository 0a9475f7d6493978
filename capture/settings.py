"""Settings of one installation, read from `settings.toml` in its home folder.

`load_settings` is called in `cli.py` and `addin/app.py` only. Unknown keys are errors. Secrets never
stand in the file: they come from the environment (`MAILWEIR_MASTER_KEY`, `MAILWEIR_SMTP_PASSWORD`).
"""

from __future__ import annotations

import os
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)

from capture.crmsettings import DataverseSettings
from capture.errors import BadSettings
from capture.extract.limits import Limits
from capture.panesettings import PaneSettings
from pii_scan.settings import ScanSettings
from store.access import Role
from store.settings import StoreSettings

SETTINGS_FILE = "settings.toml"


class Section(BaseModel):
    """One table of settings.toml: frozen, unknown keys refused, values never shown in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MailboxSettings(Section):
    """`[mailbox]`: whose mail is watched."""

    kind: str = Field(default="folder", description="Mailbox backend; `folder` = a directory of .eml files.")
    root: str = Field(default="mailboxes", description="For `folder`: the directory, relative to the home folder.")
    poll_seconds: PositiveFloat | None = Field(
        default=None, description="Pause between two looks for tagged items. [default: 5 for `folder`, else 60]")
    slow_seconds: PositiveFloat = Field(
        default=600, description="The same for folders other than inbox, sent items, calendar and tasks.")
    trigger: str = Field(default="Track in CRM", min_length=1, description="Category that asks to track an item; a "
                         "folder of this name does so too.")
    exclude: tuple[str, ...] = Field(default=(), description="Names of folders that are not watched, beside deleted "
                                     "items, junk, drafts and outbox.")
    show_pending: bool = Field(
        default=True, description="Show `CRM: pending` as soon as an item is picked up.")
    reconcile_hour: int = Field(
        default=2, ge=0, le=23,
        description="Hour (UTC) after which each mailbox is looked through in full, once a day.")
    watchers: PositiveInt = Field(default=4, le=16, description="Mailboxes looked at at the same time by one process.")
    parked_seconds: PositiveFloat = Field(
        default=3600, description="How often a mailbox that refuses us is tried again.")
    domain: str = Field(
        default="", description="Appended to a mailbox name without @ to get the user's address for notices.")


class CrmSettings(Section):
    """`[crm]`: where linked items go."""

    kind: str = Field(
        default="embedded", description="CRM backend; `embedded` = our own tables, `dataverse` = Dynamics 365.")


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
    asked: bool = Field(
        default=True, description="Send a notice when only the user can say which record an item belongs to.")
    contact: str = Field(
        default="your privacy officer", description="Whom a notice names for questions.")


class EngineSettings(Section):
    """`[engine]`: how the work is done."""

    concurrency: PositiveInt = Field(default=2, le=8, description="Items worked on at a time by one process.")
    rescan_concurrency: PositiveInt = Field(
        default=1, le=8, description="Chunks of a rescan worked on at a time by one process.")
    polling_seconds: PositiveFloat = Field(default=0.1, description="How often the queue is looked at.")
    attempts: PositiveInt = Field(default=4, description="Tries of a step in a row, when a later try may work.")
    retry_seconds: PositiveFloat = Field(
        default=1, description="Longest pause before the second try, a random part of it; doubled each time.")
    patience_seconds: NonNegativeFloat = Field(
        default=86400, description="An item that cannot be worked on now (mailbox, CRM or database away) is tried "
                                   "again with growing pauses until it is this old, then held. 0 = held at once.")
    take_ups: PositiveInt = Field(
        default=5, description="How often an item is taken up from workers that died over it before it is held.")
    beat_seconds: PositiveFloat = Field(default=5, description="How often a worker says that it lives.")
    lease_seconds: PositiveFloat = Field(
        default=30, description="A worker not heard of for this long is dead; others take up its work.")
    stop_seconds: PositiveFloat = Field(
        default=30, description="On SIGTERM, how long what runs may go on; the rest is left for the next worker.")
    readers: PositiveInt = Field(default=2, description="Child processes that read files.")


class RescanSettings(Section):
    """`[rescan]`: looking again at what is in the CRM."""

    chunk: PositiveInt = Field(default=200, le=2000, description="Items of one chunk, the piece a worker takes.")
    max_holds: str = Field(
        default="2%", pattern=r"^(?:\d{1,7}|\d{1,2}%)$",
        description="A run pauses before it pulls more than this out of the CRM: a number, or a share of the items "
                    "(at least 20). 0 = no limit.")
    way_seconds: float = Field(
        default=1, ge=0, description="How long an item of a rescan waits, at most, while tagged items are worked on.")
    hit_is_incident: bool = Field(
        default=True, description="A hit marks its case as a possible breach; your privacy officer decides this.")


class GraphSettings(Section):
    """`[graph]`: Exchange Online. Secrets come from MAILWEIR_GRAPH_CERTIFICATE or MAILWEIR_GRAPH_SECRET."""

    tenant: str = Field(default="", description="Directory (tenant) id or domain of the organisation in Entra.")
    client_id: str = Field(default="", description="Application (client) id of the app registration.")
    cloud: Literal["public", "usgov", "usgov-dod", "china"] = Field(
        default="public", description="Which Microsoft cloud the mailboxes are in; sets the two addresses below.")
    login_url: str = Field(default="", description="Sign-in address, when it is not the cloud's own; https.")
    graph_url: str = Field(
        default="", description="Address of Graph, when it is not the cloud's own; https, or http on loopback.")
    hosts: tuple[str, ...] = Field(
        default=("login.microsoftonline.com", "graph.microsoft.com"),
        description="Residency list: the only hosts mailweir may speak to for these mailboxes.")
    ca_file: str = Field(default="", description="PEM file of certificate authorities, instead of the usual ones.")
    mailboxes: tuple[str, ...] = Field(
        default=(), description="Addresses of mailboxes to watch, beside those of `mailweir mailbox add`.")
    outside: str = Field(
        default="", description="A mailbox that must be refused: `mailbox check` proves the limit of our rights by it.")
    calendar: bool = Field(default=True, description="Watch the calendar.")
    tasks: bool = Field(
        default=False,
        description="Watch To Do tasks. The permission it needs, Tasks.ReadWrite.All, cannot be limited: it reaches "
                    "every mailbox of the tenant.")
    page_size: PositiveInt = Field(default=200, le=1000, description="Items asked for in one page.")
    max_mime_bytes: PositiveInt = Field(
        default=150_000_000, description="A larger item is held unread.")
    timeout_seconds: PositiveFloat = Field(default=60, description="Give up on one request after this long.")
    webhook_url: str = Field(
        default="", description="Public https address of `mailweir serve` for change notifications; empty = poll only.")


class EwsSettings(Section):
    """`[ews]`: Exchange on-premises. The password or client secret comes from MAILWEIR_EWS_PASSWORD."""

    endpoint: str = Field(
        default="", description="Address of EWS, usually https://mail.example.org/EWS/Exchange.asmx; http on loopback "
                                "only, never Exchange Online.")
    auth: Literal["ntlm", "basic", "kerberos", "oauth"] = Field(
        default="ntlm", description="How the service account signs in. `kerberos` uses the ticket of the process.")
    user: str = Field(default="", description="Service account (DOMAIN\\name or address); with oauth the client id.")
    access: Literal["impersonation", "delegate"] = Field(
        default="impersonation", description="By which right mailboxes are opened.")
    token_url: str = Field(default="", description="With oauth: where tokens are had; https.")
    scope: str = Field(default="", description="With oauth: scope of the token; empty = https://HOST/.default.")
    ca_file: str = Field(
        default="", description="PEM file of certificate authorities, instead of the usual ones. Certificates are "
                                "always checked.")
    mailboxes: tuple[str, ...] = Field(
        default=(), description="Primary addresses of mailboxes to watch, beside those of `mailweir mailbox add`.")
    outside: str = Field(
        default="", description="A mailbox that must be refused: `mailbox check` proves the limit of our rights by it.")
    connections: PositiveInt = Field(default=3, le=10, description="Sessions with the server, of one process.")
    timeout_seconds: PositiveFloat = Field(default=60, description="Give up on one request after this long.")
    streaming: bool = Field(
        default=True, description="Keep a connection open for each mailbox that wakes the watching; off = poll only.")
    streaming_mailboxes: int = Field(
        default=25, ge=0, description="At most this many such connections; the other mailboxes are polled.")


class WebSettings(Section):
    """`[web]`: the web service. MAILWEIR_METRICS_TOKEN holds the token for /metrics from other machines."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on. Another than loopback needs TLS or a trusted proxy.")
    port: int = Field(default=8025, ge=0, le=65535, description="Port to listen on; 0 = any free one.")
    tls_cert: str = Field(default="", description="PEM file of the certificate and its chain.")
    tls_key: str = Field(default="", description="PEM file of the private key, readable by the service only.")
    trusted_proxy: tuple[str, ...] = Field(
        default=(), description="Addresses of the reverse proxies that do TLS; without TLS of our own nobody else "
                                "is answered. They must set X-Forwarded-For and X-Forwarded-Proto.")
    names: tuple[str, ...] = Field(
        default=(), description="Host names the service answers to, besides loopback; others get 421.")
    stop_seconds: PositiveInt = Field(
        default=30, description="On SIGTERM, how long running requests may take to finish.")
    worker_stop_seconds: PositiveInt = Field(
        default=90, description="On SIGTERM, how long the worker may take to finish its items.")
    body_bytes: PositiveInt = Field(default=1_000_000, description="Longest body of a request; longer ones get 413.")
    upload_bytes: PositiveInt = Field(
        default=25_000_000, description="Longest body of a request that uploads a document; it is kept in memory while "
                                        "it is read, four of them at a time.")
    connections: PositiveInt = Field(default=200, description="Requests at a time; more are told to come again (503).")


class SignInSettings(Section):
    """`[sign_in]`: who may open the pages. The secret comes from MAILWEIR_SIGN_IN_SECRET or, better, the certificate
    from MAILWEIR_SIGN_IN_CERTIFICATE."""

    kind: Literal["off", "entra", "demo"] = Field(
        default="off", description="`off` = no pages, `entra` = OpenID Connect with Entra ID, `demo` = choose who you "
                                   "are; works with the home of `mailweir demo` on loopback only.")
    tenant: str = Field(default="", description="Directory (tenant) id in Entra: the id, not a domain.")
    client_id: str = Field(default="", description="Application (client) id of the app registration.")
    login_url: str = Field(default="https://login.microsoftonline.com", description="Sign-in address; https.")
    ca_file: str = Field(default="", description="PEM file of certificate authorities, instead of the usual ones.")
    public_url: str = Field(
        default="", description="Address of this service as browsers see it, e.g. https://weir.example.org; "
                                "/sign-in/back below it is the redirect address of the app registration.")
    app_roles: dict[str, Role] = Field(
        default={}, description="App role of the registration -> our role; not empty, roles follow the directory at "
                                "every sign-in.")
    idle_minutes: PositiveFloat = Field(default=15, le=60, description="A session ends after this long without use.")
    hours: PositiveFloat = Field(default=8, le=24, description="A session ends after this long, whatever happens.")
    fresh_minutes: PositiveFloat = Field(
        default=5, le=30, description="Reveal and export need a sign-in not older than this.")


class AccountabilitySettings(Section):
    """`[accountability]`: allow rules, the auditor's week, training, exports; see docs/operators/accountability.md."""

    allow_days: int = Field(default=180, ge=1, le=366, description="An allow rule ends after this many days.")
    allow_back_days: int = Field(
        default=90, ge=1, le=366, description="How far back an allow rule is tried over what is stored.")
    timezone: str = Field(default="America/Vancouver", description="Where the office hours are, as the IANA names it.")
    office_begins: int = Field(default=7, ge=0, le=23, description="Hour from which a sign-in is nothing special.")
    office_ends: int = Field(default=19, ge=1, le=24, description="Hour until which.")
    office_days: tuple[int, ...] = Field(
        default=(1, 2, 3, 4, 5), description="Days of the week with office hours; 1 = Monday.")
    reads_norm: PositiveFloat = Field(
        default=3, description="A person's readings are flagged from this many times their own usual week.")
    reads_least: PositiveInt = Field(default=30, description="Fewer readings a week than this are never flagged.")
    sign_days: PositiveInt = Field(
        default=7, description="Days after the end of a week until a missing signature of the auditor is told.")
    course: str = Field(
        default="handling-personal-information", pattern="^[a-z0-9][a-z0-9-]{0,62}$",
        description="Course asked of somebody whose items are held again and again.")
    training_holds: PositiveInt = Field(default=3, description="The course is asked for at this hold ...")
    training_days: PositiveInt = Field(default=90, description="... within this many days.")
    export_rows: PositiveInt = Field(default=10_000, description="Most rows of one export.")


class ReviewSettings(Section):
    """`[review]`: risk, service levels and the second person; see docs/operators/review.md. Risk and levels hold for
    cases that are held from then on."""

    class_weights: dict[Literal["L5", "L4", "L3", "L2"], PositiveFloat] = Field(
        default={"L5": 10, "L4": 6, "L3": 3, "L2": 1}, description="Weight of each class of information in the risk.")
    band_scores: dict[Literal["critical", "high", "medium"], PositiveFloat] = Field(
        default={"critical": 10, "high": 6, "medium": 3}, description="Least risk of each band; below all is low.")
    unread_band: Literal["critical", "high", "medium", "low"] = Field(
        default="medium", description="Band of a case that is held only because something could not be read.")
    level_hours: dict[Literal["critical", "high", "medium", "low"], PositiveFloat] = Field(
        default={"critical": 4}, description="Service level of a band in hours, around the clock.")
    level_days: dict[Literal["critical", "high", "medium", "low"], PositiveInt] = Field(
        default={"high": 1, "medium": 3, "low": 5}, description="The same in working days.")
    work_days: tuple[Annotated[int, Field(ge=1, le=7)], ...] = Field(
        default=(1, 2, 3, 4, 5), description="Working days; 1 = Monday.")
    holidays: tuple[date, ...] = Field(default=(), description="Days off besides, e.g. [2026-12-25].")
    timezone: str = Field(default="America/Vancouver", description="Where the working days begin and end (IANA name).")
    second_bands: tuple[Literal["critical", "high", "medium", "low"], ...] = Field(
        default=("critical", "high"), description="A release in these bands needs a second person.")
    second_persons: PositiveInt = Field(
        default=10, description="A release with so many persons or more needs a second person.")
    second_bulk: PositiveInt = Field(
        default=10, le=50, description="Ruling on more cases than this at once needs a second person.")
    second_unread: bool = Field(
        default=True, description="Releasing what could not be read in full needs a second person.")
    undo_seconds: float = Field(default=10, ge=0, le=3600, description="How long a ruling may be taken back.")
    claim_hours: PositiveFloat = Field(default=8, description="A claim older than this may be taken over.")
    keep_original_days: int = Field(
        default=0, ge=0, le=365, description="Days the original stays after its redacted copy was linked.")
    deputy: str = Field(
        default="", description="Address that is told first of overdue cases; empty = the privacy officers at once.")
    privacy_officer: str = Field(
        default="", description="Address that is told next; empty = everybody with the role privacy-officer.")
    overdue_hours: PositiveFloat = Field(
        default=24, description="From the deputy to the privacy officer after this long.")
    expiry_days: PositiveInt = Field(
        default=30, description="A case open for so long is brought before the privacy officer again. It stays held.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        """Refused when the settings are read: holding an item must not fail for it."""
        if name not in available_timezones():
            raise ValueError("there is no such time zone")
        return name


class LogSettings(Section):
    """`[log]`: log lines on standard error; see docs/operators/monitoring.md."""

    style: Literal["auto", "json", "text"] = Field(
        default="auto", description="`json` = one object a line, `text` = for a person, `auto` = text on a terminal.")


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
    rescan: RescanSettings = RescanSettings()
    graph: GraphSettings = GraphSettings()
    ews: EwsSettings = EwsSettings()
    dataverse: DataverseSettings = DataverseSettings()
    web: WebSettings = WebSettings()
    sign_in: SignInSettings = SignInSettings()
    review: ReviewSettings = ReviewSettings()
    accountability: AccountabilitySettings = AccountabilitySettings()
    pane: PaneSettings = PaneSettings()
    log: LogSettings = LogSettings()
    smtp_password: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    metrics_token: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    sign_in_secret: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    sign_in_certificate: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    ews_password: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    graph_secret: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    graph_certificate: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    dataverse_secret: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    dataverse_certificate: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)

    @property
    def poll_seconds(self) -> float:
        """Pause between two looks at the quick folders."""
        return self.mailbox.poll_seconds or (5 if self.mailbox.kind == "folder" else 60)

    database_password: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)
    owner_database: SecretStr = Field(default=SecretStr(""), exclude=True, repr=False)

    @property
    def database_url(self) -> str:
        """The database URL with the default and the password filled in."""
        return self.store.url(self.home, self.database_password.get_secret_value())

    @property
    def owner_url(self) -> str:
        """The database URL for migrations: MAILWEIR_OWNER_DATABASE, else the usual one."""
        return self.owner_database.get_secret_value() or self.database_url

    @property
    def mailbox_root(self) -> Path:
        """The folder backend's directory; a relative one lies in the home folder."""
        return self.home / self.mailbox.root


SECRETS = tuple(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)
"""Settings that never stand in the file: each comes from MAILWEIR_ and its name in capitals."""


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
            data | {"home": home} | {name: os.environ.get(f"MAILWEIR_{name.upper()}", "") for name in SECRETS})
    except ValidationError as exc:
        facts = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors(include_input=False))
        raise BadSettings(f"{path}: {facts}") from None


class NoHome(BadSettings):
    """There is no mailweir home here yet."""

    code = "no-home"
    hint = "Run `mailweir init`, or name the folder with --home or MAILWEIR_HOME."


TEMPLATE = """\
# Settings of this mailweir home. Every setting and its default: docs/reference.md
# Secrets do not belong here: MAILWEIR_MASTER_KEY and MAILWEIR_SMTP_PASSWORD come from the environment.

[mailbox]
kind = "folder"
root = "mailboxes"          # one folder per user, .eml files in folders below
domain = ""                 # user "dana.reid" is told at dana.reid@DOMAIN

[scan]
pack = "bc_foippa"
own_domains = []            # e.g. ["institute.example.org"]: addresses there are staff

[notify]
kind = "log"                # "smtp" sends mail; see docs/reference.md
"""
