"""The wheel holds all that is needed: built, installed in an environment of its own, run from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {"addin", "capture", "pii_scan", "store", "manifests", "cli.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
                   check=True, capture_output=True)
    [path] = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; its dependencies are those of this one, our own code is not."""
    home = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps",
                    "--no-index", "--disable-pip-version-check", str(wheel)], check=True)
    packages = next((home / "lib").glob("python*/site-packages"))
    # a plain path line: the dependencies become importable, editable installs among them do not
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return home


def run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"HOME": str(folder)}
    return subprocess.run([str(installed / "bin" / "mailweir"), *words], cwd=folder, env=environment,
                          capture_output=True, text=True, timeout=300, check=False)


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == TOP_LEVEL
    for data in ("pii_scan/packs/bc_foippa.toml", "pii_scan/packs/uk_gdpr.toml", "store/migrations/env.py",
                 "capture/demo/crm.csv", "capture/masks/words.txt", "store/rules.txt", "addin/static/desk.css",
                 "addin/static/desk.js", "addin/templates/page.html", "addin/templates/desk/case.html",
                 "addin/templates/crm/record.html",
                 "addin/pane/built/pane.html", "manifests/addin.toml", "manifests/icons/icon-64.png",
                 "manifests/schema/teams-1.24.json"):
        assert data in names
    assert not [n for n in names if {"tests", "node_modules"} & set(n.split("/"))]


def test_version_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "mailweir")


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "demo")
    assert done.returncode == 0, done.stderr
    assert "audit" in done.stdout
