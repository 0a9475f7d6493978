"""`kill -9` of `capture run` at random moments while it works through many mails.

    python -m tests.benchmarks.kill_flow [--items 300] [--kills 25] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from killing import run_and_kill


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=8.0, help="longest time a run lives, seconds")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_and_kill(Path(folder) / "home", chosen.items, kills=chosen.kills, seed=chosen.seed,
                               longest=chosen.longest)
    print(f"items {outcome.items}  kills {outcome.kills}  seconds {outcome.seconds:.0f}  {outcome.counts}")
    print("every item exactly once, audit whole, no canary" if not outcome.problems else "\n".join(outcome.problems))
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
