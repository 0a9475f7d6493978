"""The whole flow over a folder of mail: everything tagged, everything worked through, counts and costs printed.

    python -m tests.benchmarks.flow_corpus DIR [--home HOME]

DIR holds .eml files (for instance the `messages` folder of a labelled corpus). They are put into the mailbox of
one invented user, tagged by folder. Every item must end linked or held. Peak memory is that of the largest single
process (worker or reading child), as the system accounts it.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from capture import desk, worker
from capture.homes import create_home
from capture.settings import load_settings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, help="keep the home in this new folder")
    chosen = parser.parse_args()
    with contextlib.ExitStack() as stack:
        home = chosen.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        create_home(home)
        settings = load_settings(home)
        box = settings.mailbox_root / "everybody" / "Track in CRM"
        box.mkdir(parents=True)
        files = sorted(chosen.folder.glob("*.eml"))
        for file in files:
            shutil.copy(file, box)
        began, cpu = time.perf_counter(), time.process_time()
        totals = worker.run(settings, once=True)
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"items {len(files)}  " + "  ".join(f"{name} {count}" for name, count in totals.items()))
        print(f"seconds {seconds:.1f}  per item {1000 * seconds / max(1, len(files)):.0f} ms  "
              f"worker cpu {used:.1f} s  reading children cpu {children.ru_utime + children.ru_stime:.1f} s")
        print(f"peak memory: worker {own:.0f} MB, largest child {children.ru_maxrss / 1024:.0f} MB")
        print(desk.verify_audit(settings)["sentence"])
        return 0 if totals["linked"] + totals["held"] == len(files) and not totals["unfinished"] else 1


if __name__ == "__main__":
    sys.exit(main())
