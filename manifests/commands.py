"""`mailweir manifest`: the add-in's manifests for Exchange on premises, for Exchange Online, and the unified one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The add-in's manifests for Outlook.")
EXIT_FAULTS, EXIT_ERROR = 1, 2


@app.command()
def source(
    new_ids: Annotated[bool, typer.Option("--new-ids", help="Put new ids in: an installation of your own.")] = False,
) -> None:
    """Print the addin.toml that ships, to be kept and edited.

    `mailweir manifest source --new-ids > addin.toml`
    """
    from uuid import uuid4

    from manifests.source import GUID, shipped

    text = shipped().read_text("utf-8")
    typer.echo(GUID.sub(lambda _: str(uuid4()), text) if new_ids else text, nl=False)


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Folder for the three manifests and the icons.")],
    source: Annotated[Path | None, typer.Option("--source", help="Your addin.toml. [default: the one that ships]")] =
        None,
) -> None:
    """Write the three manifests and the icons, and check them.

    manifest.onprem.xml, manifest.xml and manifest.json, and manifest.zip: the last one with its icons, as the admin
    center takes it. Exits 0, 1 when a manifest has a fault, 2 when the source cannot be used.
    """
    from importlib.resources import files

    from manifests.build import build as made_of
    from manifests.build import package
    from manifests.source import BadSource, load

    try:
        made = made_of(load(source))
        out.mkdir(parents=True, exist_ok=True)
        for name, raw in made.items():
            (out / name).write_bytes(raw)
        icons = {one.name: one.read_bytes() for one in (files("manifests") / "icons").iterdir()}
        for name, raw in icons.items():
            (out / name).write_bytes(raw)
        (out / "manifest.zip").write_bytes(package(made["manifest.json"], icons))
    except (BadSource, OSError) as error:
        what = str(error) if isinstance(error, BadSource) else type(error).__name__
        typer.echo(f"bad-source: The manifests cannot be made. ({what})\n  Correct it in addin.toml, or name another "
                   "folder.", err=True)
        raise typer.Exit(EXIT_ERROR) from None
    for name in made:
        typer.echo(f"wrote {out / name}")
    typer.echo(f"wrote {out / 'manifest.zip'}")
    _say(_faults(out))


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Folder with the three manifests.")],
) -> None:
    """Check manifests, without any web service.

    Order, required elements, lengths, ids, https, and what a server would silently not show. Exits 0, 1 when there is a
    fault, 2 when a file cannot be read.
    """
    _say(_faults(folder))


def _faults(folder: Path) -> list[str]:
    from manifests.check import check_json, check_together, check_xml

    try:
        onprem, cloud, unified = ((folder / name).read_bytes() for name in (
            "manifest.onprem.xml", "manifest.xml", "manifest.json"))
    except OSError as error:
        typer.echo(f"bad-input: A manifest cannot be read. ({type(error).__name__})\n  Run `mailweir manifest build` "
                   "first.", err=True)
        raise typer.Exit(EXIT_ERROR) from None
    found = {"manifest.onprem.xml": check_xml(onprem, onprem=True), "manifest.xml": check_xml(cloud),
             "manifest.json": check_json(unified)}
    said = [f"{name}: {fault}" for name, faults in found.items() for fault in faults]
    return said or [f"together: {fault}" for fault in check_together(onprem, cloud, unified)]


def _say(faults: list[str]) -> None:
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise typer.Exit(EXIT_FAULTS)
    typer.echo("no faults")
