"""The real scanner, made once for a process: building it costs seconds, and one serves any number of homes."""

from __future__ import annotations

from capture import wiring
from capture.ports import Scanner
from capture.settings import Settings
from pii_scan.settings import ScanSettings

_MADE: dict[str, Scanner] = {}


def scanner(settings: Settings) -> Scanner:
    """The scanner of these settings. For homes without lists and forms of their own."""
    key = settings.scan.model_dump_json()
    if key not in _MADE:
        _MADE[key] = wiring.build_scanner(settings)
    return _MADE[key]


def share() -> None:
    """Have every home of this process share scanners from now on."""
    wiring.scanner_or_refusal = scanner


def prepare() -> None:
    """Make the scanner of `world.SETTINGS` now."""
    scanner(Settings(scan=ScanSettings(own_domains=("example.org",))))
