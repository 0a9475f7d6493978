"""Where an organisation may be, what mailweir needs there, and what each error of Dataverse means."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dataverse_home import dataverse_home
from dataverse_world import Dataverse, dataverse, settings_for
from entra_server import Entra, serving_entra
from stores import opened
from typer.testing import CliRunner
from world import SETTINGS, make_world

from capture import doctor
from capture.crm.dataverse import DataverseCrm
from capture.crm.dataverse_check import privileges
from capture.crm.dataverse_errors import CODES, STATUSES, CrmDuplicate, dataverse_error, error_code
from capture.crm.dataverse_hosts import OF_PACK, REGIONS, address_of, in_profile, region_of
from capture.crmsettings import DataverseSettings
from capture.errors import BadSettings, CaptureError, CrmDenied, CrmRefused, RecordChanged, RecordGone, TryLater
from capture.settings import load_settings
from capture.wiring import assembled
from cli import app

PAGE = (Path(__file__).parent.parent.parent / "docs" / "operators" / "dataverse.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def entra() -> Iterator[Entra]:
    with serving_entra() as made:
        yield made


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Dataverse]:
    with opened(tmp_path) as (db, _), dataverse(db) as made:
        yield made


def test_without_the_public_sdk_its_reader_says_so_and_mailweir_does_not_need_it() -> None:
    reader = Path(__file__).parent.parent / "support" / "dataverse_sdk_reader.py"
    done = subprocess.run([sys.executable, "-I", str(reader), "https://127.0.0.1:1", "t", "<m>"], check=False,
                          capture_output=True, timeout=60)
    assert done.returncode == 3, "it is never installed beside mailweir"


# --------------------------------------------------------------------------------------------- where it may be

def at(url: str, **fields: object) -> str:
    return address_of(DataverseSettings.model_validate({"url": url, "regions": ("CA",)} | fields))


@pytest.mark.parametrize(("url", "fields", "said"), [
    pytest.param("", {}, "not set", id="none"),
    pytest.param("https://org.crm.dynamics.com", {}, "region US", id="United States"),
    pytest.param("https://org.crm11.dynamics.com", {}, "region UK", id="United Kingdom"),
    pytest.param("https://org.crm3.dynamics.com.evil.example", {}, "region unknown", id="looks like Canada"),
    pytest.param("https://crm3.dynamics.com", {}, "region unknown", id="no organisation"),
    pytest.param("https://evil.example/crm3.dynamics.com", {}, "region unknown", id="Canada in the path"),
    pytest.param("https://org.crm3.dynamics.com@evil.example", {}, "region unknown", id="Canada as the user"),
    pytest.param("http://org.crm3.dynamics.com", {}, "https", id="not encrypted"),
    pytest.param("http://127.0.0.1:8080", {}, "region unknown", id="loopback that is not named"),
    pytest.param("https://org.crm3.dynamics.com", {"regions": ("CANADA",)}, "CANADA", id="no such region"),
    pytest.param("https://org.crm3.dynamics.com", {"login_url": "https://login.chinacloudapi.cn"}, "login_url",
                 id="signs in elsewhere"),
])
def test_an_organisation_outside_the_allowed_regions_is_refused(url: str, fields: dict[str, object], said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        at(url, **fields)


def test_an_organisation_in_an_allowed_region_is_spoken_to() -> None:
    assert at("https://Org.CRM3.dynamics.com/") == "https://Org.CRM3.dynamics.com"
    assert at("https://crm.office.example", hosts=("login.microsoftonline.com", "crm.office.example"))
    assert [region_of(f"org.{domain}") for domain in REGIONS.values()] == list(REGIONS)


def test_the_policy_pack_says_which_regions_are_allowed_unless_the_settings_do() -> None:
    bare = DataverseSettings(url="https://org.crm3.dynamics.com")
    assert in_profile(bare, "bc_foippa").regions == ("CA",)
    assert in_profile(bare, "uk_gdpr").regions == ("UK",)
    assert in_profile(bare.model_copy(update={"regions": ("EU",)}), "bc_foippa").regions == ("EU",)
    with pytest.raises(BadSettings):
        in_profile(bare, "packs/ours.toml")
    packs = {path.stem for path in (Path(__file__).parent.parent.parent / "pii_scan" / "packs").glob("*.toml")}
    assert packs == set(OF_PACK)
    assert all(f"| `{region}` | {domain} |" in PAGE for region, domain in REGIONS.items())


def test_a_home_with_a_crm_in_another_country_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWEIR_DATAVERSE_SECRET", "x")
    world = make_world(tmp_path, SETTINGS + '[crm]\nkind = "dataverse"\n[dataverse]\ntenant = "t"\nclient_id = "c"\n'
                       'url = "https://org.crm.dynamics.com"\n')
    with pytest.raises(BadSettings, match="region US"), assembled(world.settings):
        pytest.fail("it started")
    found = {check.name: check for check in doctor.examine(world.settings.home)}
    assert found["CRM"].result == "fail"
    assert "region US" in found["CRM"].detail


# --------------------------------------------------------------------------------------------- what is missing

def test_nothing_is_written_by_the_check(made: Dataverse) -> None:
    before = repr(made.org.tables)
    assert all(check.fine for check in made.crm.check())
    assert repr(made.org.tables) == before
    assert set(made.org.counted) == {"GET"}


@pytest.mark.parametrize(("lacking", "code", "said"), [
    pytest.param("mw_tracker", "dataverse-table-tracker", "no table mw_tracker", id="table"),
    pytest.param("email.mw_filled", "dataverse-table-email", "lacks the columns mw_filled", id="column"),
    pytest.param("key task", "dataverse-table-task", "no alternate key on mw_key", id="key"),
    pytest.param("index phonecall", "dataverse-table-phonecall", "not active (Pending)", id="index not made yet"),
])
def test_a_missing_part_is_named(made: Dataverse, lacking: str, code: str, said: str) -> None:
    made.org.lacking.add(lacking)
    [missing] = [check for check in made.crm.check() if not check.fine]
    assert (missing.code, said in missing.detail) == (code, True), missing.detail
    assert missing.hint


def test_every_missing_privilege_is_named(made: Dataverse) -> None:
    needed = privileges(settings_for(made.org))
    made.org.privileges -= set(needed) - {"prvReadOrganization"}
    missing = [check.detail for check in made.crm.check() if not check.fine]
    assert len(missing) == len(needed) - 1
    assert all(any(name in detail for detail in missing) for name in needed if name != "prvReadOrganization")
    assert all(f"`{name}`" in PAGE for name in needed), "the operators' page lists them"


def test_what_cannot_be_looked_at_is_said(made: Dataverse) -> None:
    made.org.privileges.discard("prvReadOrganization")
    found = {check.code: check for check in made.crm.check() if not check.fine}
    assert set(found) == {"dataverse-organisation", "dataverse-privilege"}
    made.org.verify = lambda _token: False
    [only] = made.crm.check()
    assert (only.code, only.fine) == ("dataverse-sign-in", False)


def test_the_command_says_what_is_missing_and_exits_1(tmp_path: Path, entra: Entra) -> None:
    with dataverse_home(tmp_path / "home", entra) as home:
        def run(*words: str) -> tuple[int, str]:
            done = CliRunner().invoke(app, ["crm", "check", "--home", str(home.world.home), *words])
            return done.exit_code, done.output

        assert run()[0] == 0
        home.org.lacking.add("email.mw_key")
        code, said = run("--json")
        assert code == 1
        assert [row["check"] for row in json.loads(said) if row["result"] != "ok"] == ["dataverse-table-email"]
        found = {check.name: check for check in doctor.examine(home.world.home)}
        assert (found["CRM"].result, "email" in found["CRM"].detail) == ("fail", True)
        home.org.lacking.clear()
        found = {check.name: check for check in doctor.examine(home.world.home)}
        assert found["CRM"].result == "ok"


@pytest.mark.parametrize("name", ["tenant", "client_id"])
def test_a_missing_setting_is_named(tmp_path: Path, entra: Entra, name: str) -> None:
    with dataverse_home(tmp_path / "home", entra) as home:
        path = home.world.home / "settings.toml"
        path.write_text(re.sub(rf'^{name} = .*$', "", path.read_text(), flags=re.M))
        with pytest.raises(BadSettings, match=f"dataverse.{name}"), assembled(load_settings(home.world.home)):
            pytest.fail("it started")


def test_a_missing_secret_is_named(tmp_path: Path, entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    with dataverse_home(tmp_path / "home", entra) as home:
        monkeypatch.delenv("MAILWEIR_DATAVERSE_SECRET")
        with pytest.raises(BadSettings, match="MAILWEIR_DATAVERSE_CERTIFICATE"), \
                assembled(load_settings(home.world.home)):
            pytest.fail("it started")


def test_the_token_is_for_the_organisation_and_nothing_else(tmp_path: Path, entra: Entra) -> None:
    with dataverse_home(tmp_path / "home", entra) as home, assembled(home.world.settings) as tools:
        assert isinstance(tools.crm, DataverseCrm)
        assert tools.crm.count.__self__ is tools.crm  # type: ignore[attr-defined]
        assert list(tools.crm.find("rose", who="dana.reid@example.org"))


# --------------------------------------------------------------------------------------------- errors

@pytest.mark.parametrize(("status", "body", "ours"), [
    pytest.param(412, b'{"error": {"code": "0x80040333", "message": "x"}}', CrmDuplicate, id="duplicate"),
    pytest.param(412, b"", RecordChanged, id="changed"),
    pytest.param(404, b'{"error": {"code": "0x80040217"}}', RecordGone, id="gone"),
    pytest.param(403, b'{"error": {"code": "0x80040220"}}', CrmDenied, id="privilege"),
    pytest.param(401, b'{"error": {"code": "0x80040333"}}', CrmDenied, id="a sure status before a code"),
    pytest.param(429, b'{"error": {"code": "0x80072322"}}', TryLater, id="busy"),
    pytest.param(400, b"<html>", CrmRefused, id="no JSON"),
    pytest.param(418, b"[]", CrmRefused, id="another 4xx"),
    pytest.param(599, b'{"error": 5}', TryLater, id="another 5xx"),
    pytest.param(302, b"", TryLater, id="sent elsewhere"),
])
def test_each_error_of_dataverse_is_one_of_ours(status: int, body: bytes, ours: type[CaptureError]) -> None:
    error = dataverse_error(status, body)
    assert type(error) is ours
    assert str(status) in str(error)
    assert "someone" not in str(error)
    assert error_code(b'{"error": {"code": "0xABC"}}') == "0xabc"


def test_the_operators_page_lists_every_code_and_status() -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    listed = {name: cells[2].strip().strip("`") for cells in rows for name in re.findall(r"`([0-9a-fx]+)`", cells[1])}
    assert {code: listed.get(code) for code in CODES} == {code: ours.code for code, ours in CODES.items()}
    assert {status: listed.get(str(status)) for status in STATUSES} == {s: ours.code for s, ours in STATUSES.items()}
