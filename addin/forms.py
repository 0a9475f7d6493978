"""What a form sent, by name: only the fields asked for, always text."""

from __future__ import annotations

import re
from typing import Final

from fastapi import HTTPException, Request

MOST: Final = 2000


async def fields(request: Request, *names: str) -> dict[str, str]:
    """The named fields of a form; "" for one that was not sent. Others are ignored. 422 for one that is too long."""
    form = await request.form()
    found = {name: form.get(name) for name in names}
    given = {name: value if isinstance(value, str) else "" for name, value in found.items()}
    if any(len(value) > MOST for value in given.values()):
        raise HTTPException(422, "bad-request")
    return given


def number_of(text: str) -> int:
    """A small whole number of a form; 422 for anything else."""
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise HTTPException(422, "bad-request")
    return int(text)
