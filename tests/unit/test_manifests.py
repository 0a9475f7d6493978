"""The manifests: made from one source, checked; every planted fault is caught; what they name is served."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from PIL import Image
from typer.testing import CliRunner

import cli
from manifests.build import ICONS, build
from manifests.check import check_json, check_together, check_xml
from manifests.picture import names
from manifests.source import BadSource, Source, load, shipped

CLIENT = "11111111-2222-3333-4444-555555555555"
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def source() -> Source:
    return replace(load(), client_id=CLIENT)


@pytest.fixture(scope="module")
def made(source: Source) -> dict[str, bytes]:
    return build(source)


def test_what_is_made_has_no_fault_with_and_without_an_application_id(made: dict[str, bytes]) -> None:
    for one in (made, build(load())):
        assert check_xml(one["manifest.onprem.xml"], onprem=True) == ()
        assert check_xml(one["manifest.xml"]) == ()
        assert check_json(one["manifest.json"]) == ()
        assert check_together(one["manifest.onprem.xml"], one["manifest.xml"], one["manifest.json"]) == ()


def swap(old: str, new: str, count: int = 1) -> Callable[[bytes], bytes]:
    def planted(raw: bytes) -> bytes:
        assert old.encode() in raw, old
        return raw.replace(old.encode(), new.encode(), count)

    return planted


def cut(pattern: str) -> Callable[[bytes], bytes]:
    def planted(raw: bytes) -> bytes:
        text, number = re.subn(pattern.encode(), b"", raw, count=1, flags=re.DOTALL)
        assert number
        return text

    return planted


def moved(first: str, second: str) -> Callable[[bytes], bytes]:
    """The first element after the second one."""
    def planted(raw: bytes) -> bytes:
        root = etree.fromstring(raw)
        one, two = (next(root.iter(f"{{*}}{name}")) for name in (first, second))
        two.addnext(one)
        return bytes(etree.tostring(root))

    return planted


FAULTS = [
    ("cut short", lambda raw: raw[:-40], "not-xml"),
    ("a document type", swap("<OfficeApp", "<!DOCTYPE x><OfficeApp"), "doctype"),
    ("another root", lambda _: b"<App/>", "root"),
    ("another kind of add-in", swap('xsi:type="MailApp"', 'xsi:type="TaskPaneApp"'), "type"),
    ("Description before DisplayName", moved("DisplayName", "Description"), "order"),
    ("Requirements after FormSettings", moved("Requirements", "FormSettings"), "order"),
    ("Resources before Hosts in the overrides", lambda raw: _resources_first(raw), "order"),
    ("Icon before Label in a button", lambda raw: _icon_first(raw), "order"),
    ("no Version", cut(r"<Version>.*?</Version>"), "missing"),
    ("no SupportUrl", cut(r"<SupportUrl[^>]*/>"), "missing"),
    ("no HighResolutionIconUrl", cut(r"<HighResolutionIconUrl[^>]*/>"), "missing"),
    ("no requirements", cut(r"<Requirements>.*?</Requirements>"), "missing"),
    ("no label in a button", cut(r'<Label resid="Open.Label"/>'), "missing"),
    ("an action that goes nowhere", cut(r'<SourceLocation resid="Pane.Url"/>'), "missing"),
    ("an element of another kind of add-in", swap("<AppDomains>", "<Capabilities/><AppDomains>"), "unknown-element"),
    ("an id that is none", swap("<Id>", "<Id>x"), "id"),
    ("a version in words", swap("<Version>1.0.0.0", "<Version>first"), "version"),
    ("a locale in words", swap("en-US</DefaultLocale>", "English</DefaultLocale>"), "locale"),
    ("a name of 126 letters", swap('<DisplayName DefaultValue="', '<DisplayName DefaultValue="' + "x" * 126), "length"),
    ("an empty description", lambda raw: re.sub(rb'<Description DefaultValue="[^"]*"', b'<Description DefaultValue=""',
                                                raw, count=1), "length"),
    ("a tip of 251 letters", swap('id="Open.Tip" DefaultValue="', 'id="Open.Tip" DefaultValue="' + "x" * 251),
     "length"),
    ("an icon over http", swap('<IconUrl DefaultValue="https', '<IconUrl DefaultValue="http'), "https"),
    ("the pane over http", swap('<SourceLocation DefaultValue="https', '<SourceLocation DefaultValue="http'), "https"),
    ("a resource over http", swap('id="Pane.Url" DefaultValue="https', 'id="Pane.Url" DefaultValue="http'), "https"),
    ("the pane on another host", swap('<SourceLocation DefaultValue="https://weir', '<SourceLocation DefaultValue='
                                      '"https://other'), "domain"),
    ("a label that is not there", swap('resid="Group.Label"', 'resid="Grop.Label"'), "resid"),
    ("a label that is an address", swap('<Label resid="Group.Label"/>', '<Label resid="Pane.Url"/>'), "resid-kind"),
    ("a resource nobody uses", swap('<bt:String id="Open.Label"', '<bt:String id="Spare" DefaultValue="x"/>'
                                    '<bt:String id="Open.Label"'), "unused-resource"),
    ("a resource twice", swap('<bt:Url id="Pane.Url"', '<bt:Url id="Pane.Url" DefaultValue="https://x.example/"/>'
                              '<bt:Url id="Pane.Url"'), "resource-id"),
    ("an id of 33 letters", lambda raw: raw.replace(b"Group.Label", b"G" * 33), "resource-id"),
    ("two buttons of one id", swap('id="msgComposeOpen"', 'id="msgReadOpen"'), "control-id"),
    ("no icon of 80 pixels", cut(r'<bt:Image size="80" resid="Icon.80"/>'), "icon-size"),
    ("a permission that is none", swap("ReadWriteItem<", "ReadAndWrite<"), "permission"),
    ("the whole mailbox", swap("ReadWriteItem<", "ReadWriteMailbox<"), "permission-too-wide"),
    ("a surface that is none", swap("MessageReadCommandSurface", "MessageReadSurface"), "type"),
    ("an action that is none", swap('xsi:type="ShowTaskpane"', 'xsi:type="OpenTaskpane"'), "type"),
    ("a set no server on premises has", swap('MinVersion="1.5"', 'MinVersion="1.8"'), "set-too-new"),
    ("a set in words", swap('MinVersion="1.5"', 'MinVersion="latest"'), "set-version"),
    ("no host", swap('<Host Name="Mailbox"/>', '<Host Name="Document"/>'), "host"),
    ("a pane one pixel high", swap("<RequestedHeight>250", "<RequestedHeight>1"), "height"),
    ("overrides of another version", swap("VersionOverridesV1_0", "VersionOverridesV1_1"), "overrides-version"),
    ("an event that is none", swap("</DesktopFormFactor>", '<ExtensionPoint xsi:type="LaunchEvent"><LaunchEvents>'
                                   '<LaunchEvent Type="OnSent"/></LaunchEvents></ExtensionPoint></DesktopFormFactor>'),
     "launch-event"),
    ("events on premises", swap("</DesktopFormFactor>", '<ExtensionPoint xsi:type="LaunchEvent"><LaunchEvents>'
                                '<LaunchEvent Type="OnMessageSend"/></LaunchEvents></ExtensionPoint>'
                                "</DesktopFormFactor>"), "not-on-premises"),
]


def _resources_first(raw: bytes) -> bytes:
    root = etree.fromstring(raw)
    over = next(root.iter("{*}VersionOverrides"))
    over.insert(0, over.find("{*}Resources"))
    return bytes(etree.tostring(root))


def _icon_first(raw: bytes) -> bytes:
    root = etree.fromstring(raw)
    control = next(root.iter("{*}Control"))
    control.insert(0, control.find("{*}Icon"))
    return bytes(etree.tostring(root))


@pytest.mark.parametrize(("plant", "code"), [pytest.param(plant, code, id=name) for name, plant, code in FAULTS])
def test_a_fault_in_the_manifest_for_on_premises_is_found(
        made: dict[str, bytes], plant: Callable[[bytes], bytes], code: str) -> None:
    faults = check_xml(plant(made["manifest.onprem.xml"]), onprem=True)
    assert code in {fault.code for fault in faults}, faults


CLOUD = [
    ("a set that hides clients", swap('MinVersion="1.5"', 'MinVersion="1.8"'), "set-hides-clients"),
    ("a button without its page", cut(r'<FunctionFile [^>]*/>'), "missing"),
    ("a function without a name", cut(r"<FunctionName>.*?</FunctionName>"), "missing"),
    ("no scopes", cut(r"<Scopes>.*?</Scopes>"), "missing"),
    ("the newer overrides outside the older", lambda raw: _lifted(raw), "overrides-nesting"),
    ("a mobile icon without its largest size", cut(r'<bt:Image size="48" scale="3" [^>]*/>'), "icon-size"),
    ("pinning before the page it pins", lambda raw: _pin_first(raw), "order"),
]


def _lifted(raw: bytes) -> bytes:
    root = etree.fromstring(raw)
    inner = list(root.iter("{*}VersionOverrides"))[1]
    root.append(inner)
    return bytes(etree.tostring(root))


def _pin_first(raw: bytes) -> bytes:
    root = etree.fromstring(raw)
    pin = next(root.iter("{*}SupportsPinning"))
    pin.getparent().insert(0, pin)
    return bytes(etree.tostring(root))


@pytest.mark.parametrize(("plant", "code"), [pytest.param(plant, code, id=name) for name, plant, code in CLOUD])
def test_a_fault_in_the_manifest_for_the_cloud_is_found(
        made: dict[str, bytes], plant: Callable[[bytes], bytes], code: str) -> None:
    faults = check_xml(plant(made["manifest.xml"]))
    assert code in {fault.code for fault in faults}, faults


def test_what_only_the_cloud_has_is_a_fault_on_premises(made: dict[str, bytes]) -> None:
    codes = {fault.where for fault in check_xml(made["manifest.xml"], onprem=True) if fault.code == "not-on-premises"}
    assert codes == {"MobileFormFactor", "WebApplicationInfo"}


def edited(change: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    def planted(raw: bytes) -> bytes:
        data = json.loads(raw)
        change(data)
        return json.dumps(data).encode()

    return planted


UNIFIED = [
    ("cut short", lambda raw: raw[:-40], "not-json"),
    ("a list", lambda _: b"[]", "root"),
    ("no extensions of a known kind", edited(lambda d: d["extensions"][0].update(runtime=[])), "schema"),
    ("a short name of 31 letters", edited(lambda d: d["name"].update(short="x" * 31)), "schema"),
    ("a context that is none", edited(lambda d: d["extensions"][0]["ribbons"][0].update(contexts=["mail"])), "schema"),
    ("no icons", edited(lambda d: d.pop("icons")), "schema"),
    ("an id that is none", edited(lambda d: d.update(id="x")), "id"),
    ("four numbers in the version", edited(lambda d: d.update(version="1.0.0.0")), "version"),
    ("the whole mailbox", edited(lambda d: d["authorization"]["permissions"]["resourceSpecific"][0].update(
        name="Mailbox.ReadWrite.User")), "permission-too-wide"),
    ("a button without an action", edited(lambda d: d["extensions"][0]["ribbons"][0]["tabs"][0]["groups"][0]
                                          ["controls"][0].update(actionId="gone")), "action"),
    ("a page over http", edited(lambda d: d["extensions"][0]["runtimes"][0]["code"].update(page="http://x.example/")),
     "https"),
    ("a page on another host", edited(lambda d: d.update(validDomains=["x.example"])), "domain"),
    ("a set that hides clients", edited(lambda d: d["extensions"][0]["requirements"]["capabilities"][0].update(
        minVersion="1.13")), "set-hides-clients"),
]


@pytest.mark.parametrize(("plant", "code"), [pytest.param(plant, code, id=name) for name, plant, code in UNIFIED])
def test_a_fault_in_the_unified_manifest_is_found(
        made: dict[str, bytes], plant: Callable[[bytes], bytes], code: str) -> None:
    faults = check_json(plant(made["manifest.json"]))
    assert code in {fault.code for fault in faults}, faults


@pytest.mark.parametrize(("which", "plant", "code"), [
    ("manifest.xml", swap("0f3d4f0a", "0f3d4f0b"), "not-hidden"),
    ("manifest.json", swap("Track in CRM (mailweir)", "Track in CRM", 2), "same-name"),
    ("manifest.onprem.xml", swap("6c1f2f5e-4f7c-4b32-9b52-2d5a3d0c7a11", "0f3d4f0a-5f0c-4c7e-8a53-8f1f0f6b9c42"),
     "same-id"),
    ("manifest.onprem.xml", swap("<Version>1.0", "<Version>1.1"), "another-version"),
    ("manifest.onprem.xml", swap('<SourceLocation DefaultValue="https://weir.example.org/pane/', '<SourceLocation '
                                 'DefaultValue="https://weir.example.org/pane/old'), "another-page"),
])
def test_a_fault_between_the_three_is_found(
        made: dict[str, bytes], which: str, plant: Callable[[bytes], bytes], code: str) -> None:
    changed = made | {which: plant(made[which])}
    faults = check_together(changed["manifest.onprem.xml"], changed["manifest.xml"], changed["manifest.json"])
    assert code in {fault.code for fault in faults}, faults


@pytest.mark.parametrize(("old", "new", "words"), [
    ('host = "https://weir.example.org"', 'host = "http://weir.example.org"', "host: an https address"),
    ('host = "https://weir.example.org"', 'host = "https://weir.example.org/x"', "host: an https address"),
    ('version = "1.0.0.0"', 'version = "one"', "version"),
    ('client_id = ""', 'client_id = "secret words"', "client_id"),
    ('provider = "mailweir"', "", "provider: missing"),
    ('provider = "mailweir"', 'provider = "a"\nowner = "b"', "owner: unknown"),
    ('provider = "mailweir"', "provider = 3", "provider: a line of text"),
    ("[id]", "[ids]", "id: missing"),
    ('cloud = "0f3d4f0a-5f0c-4c7e-8a53-8f1f0f6b9c42"', 'cloud = "6c1f2f5e-4f7c-4b32-9b52-2d5a3d0c7a11"', "three"),
    ('unified_name = "Track in CRM (mailweir)"', 'unified_name = "Track in CRM"', "text.unified_name"),
    ("[text]", "[text", "cannot be read"),
])
def test_a_source_that_cannot_be_used_says_which_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    path, text = tmp_path / "addin.toml", shipped().read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(BadSource) as refused:
        load(path)
    assert words in str(refused.value)
    assert "secret words" not in str(refused.value)


def test_the_commands_write_check_and_say_what_is_wrong(tmp_path: Path) -> None:
    run = CliRunner()
    done = run.invoke(cli.app, ["manifest", "build", str(tmp_path / "out")])
    assert (done.exit_code, "no faults" in done.output) == (0, True)
    assert len(list((tmp_path / "out").iterdir())) == 4 + len(ICONS) + 1
    with zipfile.ZipFile(tmp_path / "out" / "manifest.zip") as package:
        assert package.namelist() == ["manifest.json", "icon-192.png", "icon-outline-32.png"]
        assert package.read("manifest.json") == (tmp_path / "out" / "manifest.json").read_bytes()
    path = tmp_path / "out" / "manifest.onprem.xml"
    path.write_bytes(path.read_bytes().replace(b"ReadWriteItem<", b"ReadWriteMailbox<"))
    done = run.invoke(cli.app, ["manifest", "check", str(tmp_path / "out")])
    assert (done.exit_code, done.output.strip()) == (1, "manifest.onprem.xml: permission-too-wide: Permissions")
    assert run.invoke(cli.app, ["manifest", "check", str(tmp_path)]).exit_code == 2
    wrong = tmp_path / "addin.toml"
    wrong.write_text("host = 1\n", "utf-8")
    assert run.invoke(cli.app, ["manifest", "build", str(tmp_path / "x"), "--source", str(wrong)]).exit_code == 2


def test_the_source_is_printed_with_ids_of_its_own_when_asked(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(cli.app, ["manifest", "source"]).output == shipped().read_text("utf-8")
    own = tmp_path / "addin.toml"
    own.write_text(run.invoke(cli.app, ["manifest", "source", "--new-ids"]).output, "utf-8")
    made, old = load(own), load()
    ids = {made.id.onprem, made.id.cloud, made.id.unified}
    assert len(ids) == 3
    assert not ids & {old.id.onprem, old.id.cloud, old.id.unified}
    assert replace(made, id=old.id) == old
    assert run.invoke(cli.app, ["manifest", "build", str(tmp_path / "out"), "--source", str(own)]).exit_code == 0


def test_every_icon_has_its_size_and_is_drawn_from_the_one_source() -> None:
    for name, drawn in names().items():
        kept = Image.open(ROOT / "manifests" / "icons" / name)
        side = int(re.search(r"[0-9]+", name)[0])  # type: ignore[index]
        assert (kept.format, kept.size) == ("PNG", (side, side))
        assert kept.convert("RGBA").tobytes() == Image.open(io.BytesIO(drawn)).convert("RGBA").tobytes(), (
            "run python -m manifests.picture")
