"""The three manifests out of one source.

    made = build(load())            # {"manifest.onprem.xml": bytes, "manifest.xml": bytes, "manifest.json": bytes}

On premises: Mailbox 1.5 (an Exchange server does not show an add-in that asks for more), the older overrides, no
function file. Cloud: the same, and overrides 1.1 with pinning, shared folders, the button that tracks at once, and
mobile. Unified: another id and name, and it hides the XML one where both are there.

Element order: "How to find the proper order of manifest elements" and "Office add-in manifest reference" of the
Office Add-ins documentation; limits and names of the unified one: its published schema.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lxml import etree

from manifests.source import Source

OFFICE: Final = "http://schemas.microsoft.com/office/appforoffice/1.1"
BASIC: Final = "http://schemas.microsoft.com/office/officeappbasictypes/1.0"
V10: Final = "http://schemas.microsoft.com/office/mailappversionoverrides"
V11: Final = "http://schemas.microsoft.com/office/mailappversionoverrides/1.1"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
MAILBOX: Final = "1.5"
"""The highest requirement set an Exchange server on premises knows."""
PERMISSION: Final = "ReadWriteItem"
ICONS: Final = (16, 25, 32, 48, 64, 80, 96, 128, 192)
"""Sizes of the icons, in pixels."""
SURFACES: Final = {
    "MessageReadCommandSurface": "msgRead", "MessageComposeCommandSurface": "msgCompose",
    "AppointmentOrganizerCommandSurface": "aptOrganizer", "AppointmentAttendeeCommandSurface": "aptAttendee"}
_CONTEXTS: Final = ("mailRead", "mailCompose", "meetingDetailsOrganizer", "meetingDetailsAttendee")
SCHEMA: Final = "https://developer.microsoft.com/json-schemas/teams/v1.24/MicrosoftTeams.schema.json"
_HEIGHT: Final = 250

Element = Any  # lxml ships no types


def build(source: Source) -> dict[str, bytes]:
    """The manifests by file name."""
    return {"manifest.onprem.xml": _xml(source, cloud=False), "manifest.xml": _xml(source, cloud=True),
            "manifest.json": _json(source)}


def package(manifest: bytes, icons: Mapping[str, bytes]) -> bytes:
    """The unified manifest with the icons it names, as a zip: what the Microsoft 365 admin center takes. The same bytes
    for the same input."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as made:
        named = json.loads(manifest)["icons"]
        for name, content in (("manifest.json", manifest), *((named[k], icons[named[k]]) for k in sorted(named))):
            made.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return raw.getvalue()


# ---------------------------------------------------------------------------------------------------- XML

def _xml(source: Source, *, cloud: bool) -> bytes:
    root = etree.Element(_o("OfficeApp"), nsmap={None: OFFICE, "xsi": XSI, "bt": BASIC})
    root.set(f"{{{XSI}}}type", "MailApp")
    _text(root, _o("Id"), source.id.cloud if cloud else source.id.onprem)
    _text(root, _o("Version"), source.version)
    _text(root, _o("ProviderName"), source.provider)
    _text(root, _o("DefaultLocale"), source.locale)
    _value(root, _o("DisplayName"), source.text.name)
    _value(root, _o("Description"), source.text.short)
    _value(root, _o("IconUrl"), source.icon(64))
    _value(root, _o("HighResolutionIconUrl"), source.icon(128))
    _value(root, _o("SupportUrl"), source.support_url)
    _text(_add(root, _o("AppDomains")), _o("AppDomain"), source.host)
    _add(_add(root, _o("Hosts")), _o("Host"), Name="Mailbox")
    sets = _add(_add(root, _o("Requirements")), _o("Sets"))
    _add(sets, _o("Set"), Name="Mailbox", MinVersion=MAILBOX)
    forms = _add(root, _o("FormSettings"))
    for kind in ("ItemRead", "ItemEdit"):
        form = _add(forms, _o("Form"))
        form.set(f"{{{XSI}}}type", kind)
        settings = _add(form, _o("DesktopSettings"))
        _value(settings, _o("SourceLocation"), source.pane)
        if kind == "ItemRead":
            _text(settings, _o("RequestedHeight"), str(_HEIGHT))
    _text(root, _o("Permissions"), PERMISSION)
    either = _rule(root, "RuleCollection", Mode="Or")
    for item, form_type in (("Message", "Read"), ("Message", "Edit"), ("Appointment", "Read"), ("Appointment", "Edit")):
        _rule(either, "ItemIs", ItemType=item, FormType=form_type)
    _text(root, _o("DisableEntityHighlighting"), "true")
    over = _overrides(root, source, V10, "VersionOverridesV1_0", cloud=False)
    if cloud:
        _overrides(over, source, V11, "VersionOverridesV1_1", cloud=True)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _overrides(parent: Element, source: Source, space: str, kind: str, *, cloud: bool) -> Element:
    def name(local: str) -> str:
        return f"{{{space}}}{local}"

    over = etree.SubElement(parent, name("VersionOverrides"), nsmap={None: space})
    over.set(f"{{{XSI}}}type", kind)
    sets = _add(_add(over, name("Requirements")), f"{{{BASIC}}}Sets", DefaultMinVersion="1.3")
    _add(sets, f"{{{BASIC}}}Set", Name="Mailbox")
    host = _add(_add(over, name("Hosts")), name("Host"))
    host.set(f"{{{XSI}}}type", "MailHost")
    desktop = _add(host, name("DesktopFormFactor"))
    if cloud:
        _text(desktop, name("SupportsSharedFolders"), "true")
        _add(desktop, name("FunctionFile"), resid="Commands.Url")
    for surface, short in SURFACES.items():
        point = _add(desktop, name("ExtensionPoint"))
        point.set(f"{{{XSI}}}type", surface)
        group = _add(_add(point, name("OfficeTab"), id="TabDefault"), name("Group"), id=f"{short}Group")
        _add(group, name("Label"), resid="Group.Label")
        action = _button(group, name, f"{short}Open", "Open", "ShowTaskpane")
        _add(action, name("SourceLocation"), resid="Pane.Url")
        if cloud and short == "msgRead":
            _text(action, name("SupportsPinning"), "true")
            now = _button(group, name, f"{short}Now", "Now", "ExecuteFunction")
            _text(now, name("FunctionName"), "trackNow")
    if cloud:
        _mobile(host, name)
    _resources(over, name, source, cloud=cloud)
    if cloud and source.client_id:
        info = _add(over, name("WebApplicationInfo"))
        _text(info, name("Id"), source.client_id)
        _text(info, name("Resource"), f"api://{source.client_id}")
        _text(_add(info, name("Scopes")), name("Scope"), "Capture.Track")
    return over


def _button(group: Element, name: Any, ident: str, words: str, action: str) -> Element:
    control = _add(group, name("Control"), id=ident)
    control.set(f"{{{XSI}}}type", "Button")
    _add(control, name("Label"), resid=f"{words}.Label")
    tip = _add(control, name("Supertip"))
    _add(tip, name("Title"), resid=f"{words}.Label")
    _add(tip, name("Description"), resid=f"{words}.Tip")
    icon = _add(control, name("Icon"))
    for size in (16, 32, 80):
        _add(icon, f"{{{BASIC}}}Image", size=str(size), resid=f"Icon.{size}")
    made = _add(control, name("Action"))
    made.set(f"{{{XSI}}}type", action)
    return made


def _mobile(host: Element, name: Any) -> None:
    point = _add(_add(host, name("MobileFormFactor")), name("ExtensionPoint"))
    point.set(f"{{{XSI}}}type", "MobileMessageReadCommandSurface")
    group = _add(point, name("Group"), id="mobileGroup")
    _add(group, name("Label"), resid="Group.Label")
    control = _add(group, name("Control"), id="mobileOpen")
    control.set(f"{{{XSI}}}type", "MobileButton")
    _add(control, name("Label"), resid="Open.Label")
    icon = _add(control, name("Icon"))
    icon.set(f"{{{XSI}}}type", "bt:MobileIconList")
    for size in (25, 32, 48):
        for scale in (1, 2, 3):
            _add(icon, f"{{{BASIC}}}Image", size=str(size), scale=str(scale), resid=f"Icon.{_nearest(size * scale)}")
    action = _add(control, name("Action"))
    action.set(f"{{{XSI}}}type", "ShowTaskpane")
    _add(action, name("SourceLocation"), resid="Pane.Url")


def _nearest(pixels: int) -> int:
    return min((size for size in ICONS if size >= pixels), default=ICONS[-1])


def _resources(over: Element, name: Any, source: Source, *, cloud: bool) -> None:
    text, urls = source.text, {"Pane.Url": source.pane}
    short = {"Group.Label": text.name, "Open.Label": text.open_label}
    long = {"Open.Tip": text.open_tip}
    if cloud:
        urls["Commands.Url"] = source.commands
        short["Now.Label"], long["Now.Tip"] = text.now_label, text.now_tip
    used: Sequence[int] = sorted({16, 32, 80} | ({_nearest(s * k) for s in (25, 32, 48) for k in (1, 2, 3)}
                                               if cloud else set()))
    resources = _add(over, name("Resources"))
    for kind, entry, found in (
            ("Images", "Image", {f"Icon.{size}": source.icon(size) for size in used}),
            ("Urls", "Url", urls), ("ShortStrings", "String", short), ("LongStrings", "String", long)):
        group = _add(resources, f"{{{BASIC}}}{kind}")
        for ident, value in found.items():
            _add(group, f"{{{BASIC}}}{entry}", id=ident, DefaultValue=value)


def _rule(parent: Element, kind: str, **attributes: str) -> Element:
    rule = _add(parent, _o("Rule"))
    rule.set(f"{{{XSI}}}type", kind)
    for key, value in attributes.items():
        rule.set(key, value)
    return rule


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return etree.SubElement(parent, tag, attributes)


def _text(parent: Element, tag: str, text: str) -> Element:
    made = _add(parent, tag)
    made.text = text
    return made


def _value(parent: Element, tag: str, value: str) -> Element:
    return _add(parent, tag, DefaultValue=value)


def _o(local: str) -> str:
    return f"{{{OFFICE}}}{local}"


# --------------------------------------------------------------------------------------------------- JSON

def _json(source: Source) -> bytes:
    text, icons = source.text, [{"size": size, "url": source.icon(size)} for size in (16, 32, 80)]
    open_button = {"id": "openPane", "type": "button", "label": text.open_label, "icons": icons,
                   "supertip": {"title": text.open_label, "description": text.open_tip}, "actionId": "openPane"}
    now_button = {"id": "trackNow", "type": "button", "label": text.now_label, "icons": icons,
                  "supertip": {"title": text.now_label, "description": text.now_tip}, "actionId": "trackNow"}
    mailbox = {"capabilities": [{"name": "Mailbox", "minVersion": MAILBOX}]}

    def ribbon(context: str) -> dict[str, Any]:
        controls = [open_button, now_button] if context == "mailRead" else [open_button]
        return {"contexts": [context], "tabs": [{"builtInTabId": "TabDefault", "groups": [
            {"id": f"{context}Group", "label": text.name, "icons": icons, "controls": controls}]}]}

    made: dict[str, Any] = {
        "$schema": SCHEMA, "manifestVersion": "1.24", "version": ".".join(source.version.split(".")[:3]),
        "id": source.id.unified, "localizationInfo": {"defaultLanguageTag": source.locale.lower(),
                                                      "additionalLanguages": []},
        "developer": {"name": source.provider, "websiteUrl": source.support_url, "privacyUrl": source.support_url,
                      "termsOfUseUrl": source.support_url},
        "name": {"short": text.unified_name, "full": text.unified_name},
        "description": {"short": text.short[:80], "full": text.long},
        "icons": {"color": "icon-192.png", "outline": "icon-outline-32.png"}, "accentColor": "#1F4E79",
        "validDomains": [source.domain],
        "authorization": {"permissions": {"resourceSpecific": [
            {"name": "MailboxItem.ReadWrite.User", "type": "Delegated"}]}},
        "extensions": [{
            "requirements": {"scopes": ["mail"], **mailbox},
            "runtimes": [
                {"id": "paneRuntime", "type": "general", "code": {"page": source.pane}, "lifetime": "short",
                 "requirements": mailbox, "actions": [{"id": "openPane", "type": "openPage", "pinnable": True}]},
                {"id": "commandsRuntime", "type": "general", "code": {"page": source.commands}, "lifetime": "short",
                 "requirements": mailbox, "actions": [{"id": "trackNow", "type": "executeFunction"}]}],
            "ribbons": [ribbon(context) for context in _CONTEXTS],
            "alternates": [{"hide": {"customOfficeAddin": {"officeAddinId": source.id.cloud}}}],
        }],
    }
    if source.client_id:
        made["webApplicationInfo"] = {"id": source.client_id, "resource": f"api://{source.client_id}"}
    return (json.dumps(made, indent=2, ensure_ascii=False) + "\n").encode()
