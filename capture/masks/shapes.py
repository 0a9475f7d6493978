"""What a hidden value looks like, without telling it."""

from __future__ import annotations

import re

_MOST = 24
_NO_DIGIT = frozenset(("date", "date of birth", "address", "age", "link"))
"""Kinds of which not even the last digit is shown."""
_EXTENSION = re.compile(r"\.(docx?|docm|xlsx?|xlsm|xlsb|csv|txt|rtf|pdf|pptx?|odt|ods|odp|zip|7z|rar|msg|eml|ics|"
                        r"vcf|png|jpe?g|gif|"
                        r"tiff?|heic|html?|xml|json|mp3|mp4|mov|wav)\Z", re.IGNORECASE)


def shape(kind: str, text: str) -> str:
    """The shape of a value: stars for letters and digits, marks as they stand, the last digit of a long number kept;
    the number of words for text; the ending of a file name; nothing for a person or a single word."""
    match kind:
        case "person" | "name" | "word":
            return ""
        case "sentence" | "row" | "form field" | "property" | "text":
            words = len(text.split())
            return f"({words} word{'' if words == 1 else 's'})"
        case "file name":
            found = _EXTENSION.search(text.strip().strip('"'))
            return f"*.{found[1].lower()}" if found else ""
        case "link" | "password" | "access code":
            return ""
        case "e-mail":
            return "***@***"
    value = text.strip()
    digits = sum(map(str.isdecimal, value))
    starred = "".join("*" if c.isalnum() else c if c in " -./()+:,'" else "*" for c in value)
    if digits >= 8 and kind not in _NO_DIGIT and value[-1].isdecimal() and not any(c.isalpha() for c in value):
        starred = starred[:-1] + value[-1]
    return starred if len(starred) <= _MOST else starred[:_MOST] + "\u2026"
