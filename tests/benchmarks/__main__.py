"""`make bench`: every benchmark that needs nothing from outside, one after the other.

Figures are ratios against a peer measured in the same run; the machine's speed cancels out.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ALONE = ("help_speed", "scan_speed", "extract_speed", "kill_flow", "audit_speed", "latency", "rescan")
"""Modules with a `main` that runs without arguments."""


def main() -> int:
    worst = 0
    for name in ALONE:
        print(f"== {name}: {(importlib.import_module(f'tests.benchmarks.{name}').__doc__ or '').splitlines()[0]}",
              flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
