"""A worker whose scanner costs nothing: for runs with thousands of items, where the engine is what is looked at.

    python tests/support/quick_worker.py --home HOME

Everything else is real: mailbox, readers, ledger, quarantine, CRM, engine. It holds what has a run of nine digits.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from capture import wiring, worker
from capture.logs import configure
from capture.settings import load_settings
from pii_scan.findings import Category, Decision, Finding, Report
from pii_scan.policy import decide, load_pack
from pii_scan.text import Extraction

NINE_DIGITS = re.compile(r"\b\d{3} ?\d{3} ?\d{3}\b")


class QuickScanner:
    """Finds nine digits in a row, and leaves the decision to the policy."""

    def __init__(self) -> None:
        self._pack = load_pack("bc_foippa")

    def scan(self, extraction: Extraction) -> Report:
        """One finding for each part with nine digits."""
        return Report(tuple(Finding(Category.GOVERNMENT_ID, "nine-digits", part.place, 0, 0, 0, 9, 1.0)
                            for part in extraction.parts if NINE_DIGITS.search(part.text())))

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        """What the policy says."""
        return decide(report, extraction.unread, self._pack)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    configure()
    logging.getLogger("mailweir").setLevel(logging.INFO)
    wiring.build_scanner = lambda _settings: QuickScanner()
    worker.run(load_settings(parser.parse_args().home))


if __name__ == "__main__":
    main()
