"""Two people tag the same 500 mails at once, four workers of each take them: 500 activities, 1,000 trackers.

    python -m tests.benchmarks.many_trackers [--mails 500] [--workers 4]

On PostgreSQL, with real ledger, quarantine and CRM; the scanner costs nothing, the mailboxes are in memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from postgres import serving
from trackers import fits, run


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4, help="of each person")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving() as server, server.database() as url:
        found = run(Path(folder) / "home", url, mails=chosen.mails, workers=chosen.workers)
    print(found.line(), flush=True)
    return 0 if fits(found, chosen.mails) else 1


if __name__ == "__main__":
    sys.exit(main())
