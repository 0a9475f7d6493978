"""What attackers of web services try, on a real service with held items: the list and how each was met.

    python -m tests.benchmarks.owasp
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from attacks import MORE_MAILS
from attacks_crm import ALL
from desk_process import serving_desk
from desk_world import make_desk_world


def main() -> int:
    through = 0
    with tempfile.TemporaryDirectory() as folder, serving_desk(
            make_desk_world(Path(folder) / "home", **MORE_MAILS)) as desk:
        for name, attack in ALL.items():
            try:
                outcome = f"met      {attack(desk)}"
            except AssertionError as got:
                through += 1
                outcome = f"THROUGH  {got}"
            print(f"{name:18} {outcome}", flush=True)
    print(f"{len(ALL)} tried, {through} got through")
    return 1 if through else 0


if __name__ == "__main__":
    sys.exit(main())
