"""Workers killed, frozen and cut off from their database while they work through many mails.

    python -m tests.benchmarks.chaos [--items 2000] [--workers 2 4] [--database sqlite postgres] [--quick]

Prints time to recover and items a second. The whole real flow runs: folder mailbox, readers, scanner, CRM; with
`--quick` the scanner is one that costs nothing, so that the engine is what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from chaos import Plan, prepared
from postgres import PostgresServer, serving


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--database", nargs="+", choices=["sqlite", "postgres"], default=["sqlite", "postgres"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-every", type=float, nargs=2, default=[3.0, 8.0], help="seconds between two kills")
    parser.add_argument("--patience", type=float, default=3600, help="give up after so many seconds")
    parser.add_argument("--quick", action="store_true", help="a scanner that costs nothing; all else stays real")
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    chosen = parser.parse_args()
    failed = False
    for kind in chosen.database:
        for workers in chosen.workers:
            plan = Plan(chosen.items, workers=workers, seed=chosen.seed, kill_every=tuple(chosen.kill_every),
                        patience=chosen.patience,
                        command=["tests/support/quick_worker.py"] if chosen.quick else ["-m", "cli", "work"])
            with contextlib.ExitStack() as stack:
                server = stack.enter_context(serving()) if kind == "postgres" else None
                assert server is None or isinstance(server, PostgresServer), "TEST_DATABASE_URL cannot be restarted"
                folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
                outcome = stack.enter_context(prepared(folder / f"{kind}-{workers}", plan, server)).run()
            print(f"-- {kind}, {workers} workers, {chosen.items} items{', quick scanner' if chosen.quick else ''}",
                  *outcome.lines(), sep="\n", flush=True)
            failed = failed or bool(outcome.problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
