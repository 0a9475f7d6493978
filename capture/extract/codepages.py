"""Windows code page numbers and the codecs Python has for them."""

from __future__ import annotations

import codecs

_NAMES = {
    0: "cp1252", 1200: "utf-16-le", 1201: "utf-16-be", 20127: "ascii", 65000: "utf-7", 65001: "utf-8", 708: "iso8859-6",
    10000: "mac-roman", 10001: "shift-jis", 10006: "mac-greek", 10007: "mac-cyrillic", 10029: "mac-latin2",
    10081: "mac-turkish", 0x8000: "mac-roman", 0x8001: "cp1252", 20866: "koi8-r", 21866: "koi8-u", 20932: "euc-jp",
    51932: "euc-jp", 51949: "euc-kr", 50220: "iso2022-jp", 50221: "iso2022-jp", 50222: "iso2022-jp",
    50225: "iso2022-kr", 52936: "hz", 54936: "gb18030", 51936: "gb2312", 20936: "gb2312", 1361: "johab",
    **{28590 + part: f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))},
}


def codec_of(page: int, default: str = "cp1252") -> str:
    """The codec of a code page number; `default` when Python has none."""
    name = _NAMES.get(page, f"cp{page}")
    try:
        codecs.lookup(name)
    except LookupError:
        return default
    return name
