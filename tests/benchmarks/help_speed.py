"""How long `mailweir --help` takes, against starting Python at all, in the same run.

    python -m tests.benchmarks.help_speed [--runs 11]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def seconds(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=11)
    runs = parser.parse_args().runs
    pairs = [(seconds("-m", "cli", "--help"), seconds("-c", "pass")) for _ in range(runs)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"mailweir --help {1000 * ours:.0f} ms  python -c pass {1000 * theirs:.0f} ms  ratio {ratio:.1f}  "
          f"(medians of {runs} pairs)")
    return 0 if ours < 1 else 1


if __name__ == "__main__":
    sys.exit(main())
