"""Checks manifests: what Outlook or Exchange would refuse, or silently not show.

    faults = check_xml(raw, onprem=True)       # () when all is well; each a stable code and where
    faults = check_json(raw)
    faults = check_together(xml_onprem, xml_cloud, unified)

No web service is asked. The rules come from the Office Add-ins manifest reference (order, required elements, lengths,
enumerations); the unified manifest is compared with Microsoft's schema as well where `jsonschema_rs` is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from lxml import etree

from manifests.build import BASIC, MAILBOX, OFFICE, V10, V11, XSI
from manifests.source import GUID, VERSION

Element = Any  # lxml ships no types

ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "OfficeApp": ("Id", "AlternateId", "Version", "ProviderName", "DefaultLocale", "DisplayName", "Description",
                  "IconUrl", "HighResolutionIconUrl", "SupportUrl", "AppDomains", "Hosts", "Requirements",
                  "FormSettings", "Permissions", "Rule", "DisableEntityHighlighting", "VersionOverrides"),
    "Form": ("DesktopSettings", "TabletSettings", "PhoneSettings"),
    "DesktopSettings": ("SourceLocation", "RequestedHeight"),
    "VersionOverrides": ("Description", "Requirements", "Hosts", "Resources", "WebApplicationInfo",
                         "VersionOverrides"),
    "Host": ("Runtimes", "DesktopFormFactor", "MobileFormFactor"),
    "DesktopFormFactor": ("SupportsSharedFolders", "FunctionFile", "ExtensionPoint"),
    "MobileFormFactor": ("FunctionFile", "ExtensionPoint"),
    "ExtensionPoint": ("OfficeTab", "CustomTab", "Group", "LaunchEvents", "SourceLocation"),
    "OfficeTab": ("Group",),
    "Group": ("Label", "Icon", "Control"),
    "Control": ("Label", "Supertip", "Icon", "Action"),
    "Supertip": ("Title", "Description"),
    "Action": ("SourceLocation", "SupportsPinning", "FunctionName"),
    "Resources": ("Images", "Urls", "ShortStrings", "LongStrings"),
    "WebApplicationInfo": ("Id", "Resource", "Scopes"),
}
"""Element -> its children in the order they have to stand. A child that is not listed is a fault."""
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "OfficeApp": ("Id", "Version", "ProviderName", "DefaultLocale", "DisplayName", "Description", "IconUrl",
                  "HighResolutionIconUrl", "SupportUrl", "Hosts", "Requirements", "FormSettings", "Permissions",
                  "Rule"),
    "Form": ("DesktopSettings",), "DesktopSettings": ("SourceLocation",),
    "VersionOverrides": ("Hosts", "Resources"), "OfficeTab": ("Group",), "Group": ("Label", "Control"),
    "Control": ("Label", "Icon", "Action"), "Supertip": ("Title", "Description"),
    "WebApplicationInfo": ("Id", "Resource", "Scopes"),
}
TYPES: Final[Mapping[str, frozenset[str]]] = {
    "OfficeApp": frozenset({"MailApp"}),
    "Form": frozenset({"ItemRead", "ItemEdit"}),
    "ExtensionPoint": frozenset({
        "MessageReadCommandSurface", "MessageComposeCommandSurface", "AppointmentOrganizerCommandSurface",
        "AppointmentAttendeeCommandSurface", "MobileMessageReadCommandSurface", "LaunchEvent"}),
    "Control": frozenset({"Button", "Menu", "MobileButton"}),
    "Action": frozenset({"ShowTaskpane", "ExecuteFunction"}),
    "VersionOverrides": frozenset({"VersionOverridesV1_0", "VersionOverridesV1_1"}),
}
PERMISSIONS: Final = ("Restricted", "ReadItem", "ReadWriteItem", "ReadWriteMailbox")
ENOUGH: Final = ("Restricted", "ReadItem", "ReadWriteItem")
"""What this add-in may ask for: it reads and marks no mailbox by itself."""
LAUNCH_EVENTS: Final = frozenset({
    "OnNewMessageCompose", "OnNewAppointmentOrganizer", "OnMessageAttachmentsChanged",
    "OnAppointmentAttachmentsChanged", "OnMessageRecipientsChanged", "OnAppointmentAttendeesChanged",
    "OnMessageSend", "OnAppointmentSend", "OnMessageCompose", "OnMessageReadWithCustomAttachment"})
LENGTHS: Final[Mapping[str, int]] = {
    "ProviderName": 125, "DisplayName": 125, "Description": 250, "ShortStrings": 125, "LongStrings": 250}
_LOCALE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
_RESID = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,31}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: a stable code, and where (the name of an element or setting, never what stands there)."""

    code: str
    where: str

    def __str__(self) -> str:
        return f"{self.code}: {self.where}"


def check_xml(raw: bytes, *, onprem: bool = False) -> tuple[Fault, ...]:
    """Faults of an XML manifest; `onprem`: for an Exchange server of one's own."""
    try:
        root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return (Fault("not-xml", "the file"),)
    if root.getroottree().docinfo.doctype:
        return (Fault("doctype", "the file"),)
    if root.tag != f"{{{OFFICE}}}OfficeApp":
        return (Fault("root", _local(root)),)
    return (*_shape(root), *_head(root), *_sets(root, onprem=onprem), *_urls(root),
            *(fault for over in root.iter(f"{{{V10}}}VersionOverrides", f"{{{V11}}}VersionOverrides")
              for fault in _overrides(over, onprem=onprem)))


def check_json(raw: bytes) -> tuple[Fault, ...]:
    """Faults of a unified manifest."""
    try:
        data = json.loads(raw)
    except ValueError:
        return (Fault("not-json", "the file"),)
    if not isinstance(data, dict):
        return (Fault("root", "the file"),)
    return (*_by_schema(data), *_unified(data))


def check_together(onprem: bytes, cloud: bytes, unified: bytes) -> tuple[Fault, ...]:
    """Faults between three manifests, each of which is well by itself."""
    one, two, three = etree.fromstring(onprem), etree.fromstring(cloud), json.loads(unified)
    ids = [root.findtext(f"{{{OFFICE}}}Id", "") for root in (one, two)]
    faults = [Fault("same-id", "Id")] if len({*ids, str(three.get("id"))}) != 3 else []
    names = [next(root.iter(f"{{{OFFICE}}}DisplayName")).get("DefaultValue") for root in (one, two)]
    if three.get("name", {}).get("short") in names:
        faults.append(Fault("same-name", "name.short"))
    hidden = [alternate.get("hide", {}).get("customOfficeAddin", {}).get("officeAddinId")
              for extension in three.get("extensions", ()) for alternate in extension.get("alternates", ())]
    if ids[1] not in hidden:
        faults.append(Fault("not-hidden", "extensions.alternates"))
    panes = {next(root.iter(f"{{{OFFICE}}}SourceLocation")).get("DefaultValue") for root in (one, two)}
    pages = {runtime.get("code", {}).get("page") for extension in three.get("extensions", ())
             for runtime in extension.get("runtimes", ())}
    if len(panes) != 1 or not panes <= pages:
        faults.append(Fault("another-page", "SourceLocation"))
    versions = {root.findtext(f"{{{OFFICE}}}Version", "")[:len(str(three.get("version")))] for root in (one, two)}
    if versions != {str(three.get("version"))}:
        faults.append(Fault("another-version", "version"))
    return tuple(faults)


def addresses(raw: bytes) -> tuple[str, ...]:
    """Every address of ours in a manifest: of its pages and icons."""
    found = set(re.findall(rb'https://[^"<\s]+', raw))
    text = {one.decode() for one in found}
    return tuple(sorted(url for url in text if "/pane/" in url))


# ---------------------------------------------------------------------------------------------------- XML

def _shape(root: Element) -> Iterator[Fault]:
    """Order, required children, types."""
    for element in root.iter(etree.Element):
        name = _local(element)
        if name == "Host" and element.get("Name"):
            continue
        kind = element.get(f"{{{XSI}}}type")
        if name in TYPES and kind not in TYPES[name]:
            yield Fault("type", name)
        known = ORDER.get(name)
        children = [_local(child) for child in element.iterchildren(etree.Element)]
        if known is not None:
            unknown = [child for child in children if child not in known]
            yield from (Fault("unknown-element", f"{name}/{child}") for child in unknown)
            places = [known.index(child) for child in children if child in known]
            if places != sorted(places):
                yield Fault("order", name)
        yield from (Fault("missing", f"{name}/{child}") for child in REQUIRED.get(name, ()) if child not in children)


def _head(root: Element) -> Iterator[Fault]:
    def text(local: str) -> str:
        return str(root.findtext(f"{{{OFFICE}}}{local}", ""))

    if not GUID.fullmatch(text("Id").lower()):
        yield Fault("id", "Id")
    if not VERSION.fullmatch(text("Version")):
        yield Fault("version", "Version")
    if not _LOCALE.fullmatch(text("DefaultLocale")):
        yield Fault("locale", "DefaultLocale")
    if text("Permissions") not in PERMISSIONS:
        yield Fault("permission", "Permissions")
    elif text("Permissions") not in ENOUGH:
        yield Fault("permission-too-wide", "Permissions")
    if len(text("ProviderName")) > LENGTHS["ProviderName"]:
        yield Fault("length", "ProviderName")
    for name in ("DisplayName", "Description"):
        found = root.find(f"{{{OFFICE}}}{name}")
        if found is not None and not 0 < len(found.get("DefaultValue", "")) <= LENGTHS[name]:
            yield Fault("length", name)
    for height in root.iter(f"{{{OFFICE}}}RequestedHeight"):
        if not (height.text or "").isdigit() or not 32 <= int(height.text) <= 450:
            yield Fault("height", "RequestedHeight")
    if [host.get("Name") for host in root.iter(f"{{{OFFICE}}}Host")] != ["Mailbox"]:
        yield Fault("host", "Hosts")


def _sets(root: Element, *, onprem: bool) -> Iterator[Fault]:
    found = [one for one in root.iter(f"{{{OFFICE}}}Set", f"{{{BASIC}}}Set") if one.get("Name") == "Mailbox"]
    if not found:
        yield Fault("missing", "Requirements/Sets/Set")
    for one in root.iter(f"{{{OFFICE}}}Set", f"{{{BASIC}}}Set", f"{{{OFFICE}}}Sets", f"{{{BASIC}}}Sets"):
        asked = one.get("MinVersion") or one.get("DefaultMinVersion")
        if asked is None:
            continue
        if not re.fullmatch(r"1\.[0-9]{1,2}", asked):
            yield Fault("set-version", _local(one))
        elif int(asked[2:]) > int(MAILBOX[2:]):
            yield Fault("set-too-new" if onprem else "set-hides-clients", _local(one))


def _urls(root: Element) -> Iterator[Fault]:
    for element in root.iter(etree.Element):
        name, value = _local(element), element.get("DefaultValue")
        if name in ("IconUrl", "HighResolutionIconUrl", "SupportUrl", "SourceLocation", "Url", "Image") and (
                value is not None) and not _https(value):
            yield Fault("https", name)
        if name == "AppDomain" and not _https(element.text or ""):
            yield Fault("https", name)
    domains = {urlsplit(one.text or "").netloc for one in root.iter(f"{{{OFFICE}}}AppDomain")}
    pages = {urlsplit(one.get("DefaultValue", "")).netloc for one in root.iter(f"{{{OFFICE}}}SourceLocation")}
    if not pages <= domains:
        yield Fault("domain", "AppDomains")


def _overrides(over: Element, *, onprem: bool) -> Iterator[Fault]:
    space = etree.QName(over).namespace
    if over.get(f"{{{XSI}}}type") != ("VersionOverridesV1_0" if space == V10 else "VersionOverridesV1_1"):
        yield Fault("overrides-version", "VersionOverrides")
    parent = over.getparent()
    if (space == V11) != (parent is not None and etree.QName(parent).namespace == V10):
        yield Fault("overrides-nesting", "VersionOverrides")
    own = [e for e in over.iter(etree.Element) if _home(e, over)]
    resources: dict[str, str] = {}
    for entry in own:
        if entry.get("DefaultValue") is not None and entry.get("id") is not None:
            ident, group = entry.get("id"), _local(entry.getparent())
            if ident in resources or not _RESID.fullmatch(ident):
                yield Fault("resource-id", group)
            resources[ident] = group
            if group in LENGTHS and not 0 < len(entry.get("DefaultValue")) <= LENGTHS[group]:
                yield Fault("length", group)
    used = [(e, e.get("resid")) for e in own if e.get("resid") is not None]
    wanted = {"Image": "Images", "SourceLocation": "Urls", "FunctionFile": "Urls", "Label": "ShortStrings",
              "Title": "ShortStrings"}
    for element, resid in used:
        if resid not in resources:
            yield Fault("resid", _local(element))
        elif wanted.get(_local(element), resources[resid]) != resources[resid]:
            yield Fault("resid-kind", _local(element))
    if resources.keys() - {resid for _, resid in used}:
        yield Fault("unused-resource", "Resources")
    idents = [e.get("id") for e in own if _local(e) in ("Control", "Group")]
    if len(idents) != len(set(idents)) or not all(one and len(one) <= 64 for one in idents):
        yield Fault("control-id", "Control")
    yield from _actions(own, onprem=onprem)


def _actions(own: list[Element], *, onprem: bool) -> Iterator[Fault]:
    for element in own:
        name, kind = _local(element), element.get(f"{{{XSI}}}type")
        children = [_local(child) for child in element.iterchildren(etree.Element)]
        if name == "Action":
            needed = "FunctionName" if kind == "ExecuteFunction" else "SourceLocation"
            if needed not in children:
                yield Fault("missing", f"Action/{needed}")
        if name == "Icon":
            sizes = {(child.get("size"), child.get("scale")) for child in element}
            mobile = kind == "bt:MobileIconList"
            full = {(str(s), str(k)) for s in (25, 32, 48) for k in (1, 2, 3)} if mobile else {
                (str(s), None) for s in (16, 32, 80)}
            if not full <= sizes:
                yield Fault("icon-size", "Icon")
        if name == "LaunchEvent" and element.get("Type") not in LAUNCH_EVENTS:
            yield Fault("launch-event", "LaunchEvent")
        if onprem and (name in ("LaunchEvent", "MobileFormFactor", "WebApplicationInfo")):
            yield Fault("not-on-premises", name)
    functions = [e for e in own if _local(e) == "Action" and e.get(f"{{{XSI}}}type") == "ExecuteFunction"]
    if functions and not any(_local(e) == "FunctionFile" for e in own):
        yield Fault("missing", "DesktopFormFactor/FunctionFile")


def _home(element: Element, over: Element) -> bool:
    """Whether the nearest overrides around an element are these."""
    here = element.getparent()
    while here is not None and _local(here) != "VersionOverrides":
        here = here.getparent()
    return here is over


def _local(element: Element) -> str:
    return str(etree.QName(element).localname)


def _https(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname)


# --------------------------------------------------------------------------------------------------- JSON

def _by_schema(data: dict[str, Any]) -> Iterator[Fault]:
    try:
        import jsonschema_rs
    except ImportError:  # a check of ours without it; the tests have it
        return
    schema = json.loads((files("manifests") / "schema" / "teams-1.24.json").read_text(encoding="utf-8"))
    for error in jsonschema_rs.validator_for(schema).iter_errors(data):
        yield Fault("schema", ".".join(str(one) for one in error.instance_path) or "the file")


def _unified(data: dict[str, Any]) -> Iterator[Fault]:
    if not GUID.fullmatch(str(data.get("id", "")).lower()):
        yield Fault("id", "id")
    if not re.fullmatch(r"[0-9]{1,5}(?:\.[0-9]{1,5}){2}", str(data.get("version", ""))):
        yield Fault("version", "version")
    wide = [one.get("name") for one in _get(data, "authorization", "permissions", "resourceSpecific") or ()]
    if wide != ["MailboxItem.ReadWrite.User"]:
        yield Fault("permission-too-wide", "authorization.permissions")
    for extension in data.get("extensions") or ():
        runtimes = extension.get("runtimes") or ()
        actions = {action.get("id") for runtime in runtimes for action in runtime.get("actions") or ()}
        controls = [control for ribbon in extension.get("ribbons") or () for tab in ribbon.get("tabs") or ()
                    for group in tab.get("groups") or () for control in group.get("controls") or ()]
        if not controls or any(control.get("actionId") not in actions for control in controls):
            yield Fault("action", "extensions.ribbons")
        pages = [str(_get(runtime, "code", "page")) for runtime in runtimes]
        icons = [str(icon.get("url")) for control in controls for icon in control.get("icons") or ()]
        if not all(_https(url) for url in (*pages, *icons)):
            yield Fault("https", "extensions")
        if not {urlsplit(page).netloc for page in pages} <= set(data.get("validDomains") or ()):
            yield Fault("domain", "validDomains")
        for one in (extension, *runtimes):
            for needed in _get(one, "requirements", "capabilities") or ():
                asked = str(needed.get("minVersion", "1.1"))
                if needed.get("name") == "Mailbox" and asked.partition(".")[2].isdigit() and (
                        int(asked.partition(".")[2]) > int(MAILBOX[2:])):
                    yield Fault("set-hides-clients", "requirements")


def _get(data: Any, *names: str) -> Any:
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data
