"""The icons in all sizes, drawn from one source: an envelope that passes a weir.

    python -m manifests.picture            # writes manifests/icons
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from manifests.build import ICONS

BLUE: Final = (31, 78, 121, 255)
WHITE: Final = (255, 255, 255, 255)
CLEAR: Final = (0, 0, 0, 0)
_SCALE: Final = 8
"""Drawn so many times larger, then made small: smooth edges."""


def icon(size: int, *, outline: bool = False) -> bytes:
    """A square PNG. `outline`: white lines on nothing, as the unified manifest wants."""
    side = size * _SCALE
    picture = Image.new("RGBA", (side, side), CLEAR)
    draw = ImageDraw.Draw(picture)

    def at(x: float, y: float) -> tuple[float, float]:
        return x * side, y * side

    line = max(_SCALE, round(side * 0.06))
    if not outline:
        draw.rounded_rectangle((at(0.02, 0.02), at(0.98, 0.98)), radius=side * 0.18, fill=BLUE)
    draw.rectangle((at(0.16, 0.20), at(0.84, 0.62)), outline=WHITE, width=line)
    draw.line((at(0.17, 0.22), at(0.50, 0.46), at(0.83, 0.22)), fill=WHITE, width=line, joint="curve")
    for step in range(3):  # the weir
        draw.rectangle((at(0.16 + step * 0.255, 0.72), at(0.33 + step * 0.255, 0.84)), fill=WHITE)
    made = io.BytesIO()
    picture.resize((size, size), Image.Resampling.LANCZOS).save(made, "PNG", optimize=True)
    return made.getvalue()


def names() -> dict[str, bytes]:
    """Every icon by file name."""
    return {f"icon-{size}.png": icon(size) for size in ICONS} | {"icon-outline-32.png": icon(32, outline=True)}


if __name__ == "__main__":
    folder = Path(__file__).parent / "icons"
    folder.mkdir(exist_ok=True)
    for name, data in names().items():
        (folder / name).write_bytes(data)
