"""Log lines without content.

Our own loggers (`mailweir.*`) write sentences made of ids, kinds, counts and places. What any other
library logs may quote data, so only its level, file and line are printed, and of an exception only its type
and where it was raised.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path

OURS = "mailweir"


class SafeFormatter(logging.Formatter):
    """Prints our messages; for others and for exceptions: kind and place only."""

    def format(self, record: logging.LogRecord) -> str:
        at = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        text = record.getMessage() if record.name.split(".")[0] == OURS else (
            f"message of {record.name.split('.')[0]} at {record.filename}:{record.lineno}")
        error = record.exc_info[1] if record.exc_info else None
        return f"{at} {record.levelname.lower()} {text}" + (f" [{where(error)}]" if error else "")


def where(error: BaseException) -> str:
    """The type of an exception and the file and line that raised it; never its message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def configure(level: int = logging.WARNING) -> None:
    """Send every log line of the process to standard error through the safe formatter."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR)
    logging.getLogger(OURS).setLevel(level)
    logging.captureWarnings(capture=True)
