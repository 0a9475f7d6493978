"""How a key is written down: purpose and version, 32 bytes in base64, and a check value.

    mailweir-master-key 1
    3q2+7w...=
    check 5f1a0c9e

The check value is the start of an HMAC under the key. It tells a mistyped or cut key from a right one
without saying anything about the key, and it does not make a key guessable: the key has 256 bits.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from store.errors import KeyWrong

KEY_BYTES = 32
MASTER_KEY = "master-key"
CHECKPOINT_KEY = "checkpoint-key"


def new_key() -> bytes:
    """32 bytes from the system's random source."""
    return secrets.token_bytes(KEY_BYTES)


def check_value(key: bytes) -> str:
    """Eight hex digits that show the key was copied whole."""
    return hmac.new(key, b"mailweir key check", hashlib.sha256).hexdigest()[:8]


def header(purpose: str) -> str:
    """The first line of the file of a key for this purpose, so that one is not taken for another."""
    return f"mailweir-{purpose} 1"


def write_text(key: bytes, purpose: str = MASTER_KEY) -> str:
    """The three lines of a key file."""
    return f"{header(purpose)}\n{base64.b64encode(key).decode()}\ncheck {check_value(key)}\n"


def read_text(text: str, purpose: str = MASTER_KEY) -> bytes:
    """Read the three lines of a key file. Raises `KeyWrong`, naming the line and never its content."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != header(purpose):
        raise KeyWrong(f"line 1 is not the version line of a mailweir {purpose}")
    if len(lines) != 3:
        raise KeyWrong(f"{len(lines)} lines instead of 3")
    return _checked(lines[1], lines[2].removeprefix("check").strip())


def read_line(text: str) -> bytes:
    """Read a key given on one line, as in an environment variable: `base64` or `base64:check`."""
    encoded, _, check = text.strip().partition(":")
    return _checked(encoded, check or None)


def _checked(encoded: str, check: str | None) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise KeyWrong("the key is not base64") from exc
    if len(key) != KEY_BYTES:
        raise KeyWrong(f"{len(key)} bytes instead of {KEY_BYTES}")
    if check is not None and not hmac.compare_digest(check_value(key), check.lower()):
        raise KeyWrong("the check value does not fit: the key was changed or cut")
    return key
