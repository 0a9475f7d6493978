"""How long to wait before trying again."""

from __future__ import annotations

import random


def jittered(base: float, failures: int, *, longest: float = 3600.0) -> float:
    """Seconds to wait after so many failures: anything up to a limit that doubles each time (full jitter), so
    that those who failed together do not come back together."""
    return random.uniform(0.0, min(longest, base * 2.0 ** min(failures, 30)))  # noqa: S311 - no secret
