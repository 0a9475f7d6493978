"""Where an organisation of Dataverse may be: its region is in its host name, and only allowed regions are spoken to.

Source: "Data center regions" in the Power Platform documentation; a region's organisations and their data are in that
geography. A host that is not Microsoft's must be named one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from capture.clouds import secure_host
from capture.crmsettings import DataverseSettings
from capture.errors import BadSettings

REGIONS: Final[Mapping[str, str]] = {
    "CA": "crm3.dynamics.com",
    "US": "crm.dynamics.com",
    "US-GOV": "crm9.dynamics.com",
    "US-GOV-HIGH": "crm.microsoftdynamics.us",
    "US-DOD": "crm.appsplatform.us",
    "UK": "crm11.dynamics.com",
    "EU": "crm4.dynamics.com",
    "FR": "crm12.dynamics.com",
    "DE": "crm16.dynamics.com",
    "CH": "crm17.dynamics.com",
    "NO": "crm19.dynamics.com",
    "AU": "crm6.dynamics.com",
    "JP": "crm7.dynamics.com",
    "IN": "crm8.dynamics.com",
    "APAC": "crm5.dynamics.com",
    "LATAM": "crm2.dynamics.com",
    "ZA": "crm14.dynamics.com",
    "AE": "crm15.dynamics.com",
    "SG": "crm20.dynamics.com",
    "KR": "crm21.dynamics.com",
    "CN": "crm.dynamics.cn",
}
"""Region -> the domain of its organisations: an organisation is `NAME.<domain>`."""


OF_PACK: Final[Mapping[str, tuple[str, ...]]] = {"bc_foippa": ("CA",), "uk_gdpr": ("UK",)}
"""The regions allowed with each policy pack we ship, where the settings name none."""


def in_profile(settings: DataverseSettings, pack: str) -> DataverseSettings:
    """The settings with the regions of the policy pack, when they name none. Raises `BadSettings` when the pack has
    none either."""
    if settings.regions:
        return settings
    if pack not in OF_PACK:
        raise BadSettings("dataverse.regions is not set, and the policy pack does not say which are allowed")
    return settings.model_copy(update={"regions": OF_PACK[pack]})


def region_of(host: str) -> str:
    """The region of an organisation's host; "" when it is none of Microsoft's."""
    _, _, domain = host.casefold().partition(".")
    return next((region for region, theirs in REGIONS.items() if domain == theirs), "")


def address_of(settings: DataverseSettings) -> str:
    """The organisation's address without a trailing slash.

    Raises `BadSettings` when it is missing, not https (http on loopback only, for tests), or in a region that
    `dataverse.regions` does not allow; and when the sign-in address is not on `dataverse.hosts`.
    """
    if not settings.url:
        raise BadSettings("dataverse.url is not set")
    host = secure_host("dataverse.url", settings.url, plain_on_loopback=True)
    unknown = sorted(set(settings.regions) - set(REGIONS))
    if unknown:
        raise BadSettings(f"dataverse.regions: no {', '.join(unknown)}; there are {', '.join(REGIONS)}")
    region = region_of(host)
    if region not in settings.regions and host not in settings.hosts:
        raise BadSettings(f"dataverse.url: its host is in the region {region or 'unknown'}, and dataverse.regions "
                          f"allows {', '.join(settings.regions) or 'none'}")
    login = secure_host("dataverse.login_url", settings.login_url or "https://login.microsoftonline.com")
    if login not in settings.hosts:
        raise BadSettings("dataverse.login_url: its host is not on the list dataverse.hosts")
    return settings.url.rstrip("/")
