"""How a spreadsheet shows a number: the part of the number-format language that matters for reading.

Source: ECMA-376 part 1, 18.8.30 (built-in formats) and 18.8.31 (format codes). Fractions, fill and
width marks, and colours are ignored.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "$#,##0", 6: "$#,##0", 7: "$#,##0.00", 8: "$#,##0.00",
    9: "0%", 10: "0.00%", 11: "0.00E+00", 14: "m/d/yyyy", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy",
    18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "m/d/yyyy h:mm",
    37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)",
    41: "#,##0", 42: "$#,##0", 43: "#,##0.00", 44: "$#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
    48: "##0.0E+0", 49: "@",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}
"""Format id -> code where the file declares none (US forms; the East Asian dates are given as ISO)."""

_TOKEN = re.compile(
    r'"([^"]*)"|\\(.)|_.|\*.|\[([^\]]*)\]|(AM/PM|A/P|am/pm|a/p)|([yY]+|[mM]+|[dD]+|[hH]+|[sS]+(?:\.0+)?)|(.)',
    re.DOTALL)
_ELAPSED = re.compile(r"^[hms]+$", re.IGNORECASE)
_CONDITION = re.compile(r"^(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)$")
_LAST_SERIAL = 2_958_466  # 31 December 9999
_DIGIT_LIKE = re.compile(r"^[\d\s().+/\-]+$")


@lru_cache(maxsize=2_000)
def is_date(code: str) -> bool:
    """Whether a format code shows a number as a date or a time."""
    for quoted, escaped, bracket, half, unit, other in _TOKEN.findall(code.split(";")[0]):
        if half or unit or (bracket and _ELAPSED.match(bracket)):
            return not code.casefold().startswith("general")
        if other in "0#?@" and other and not (quoted or escaped):
            return False
    return False


def moment(serial: float, *, from_1904: bool = False) -> datetime | None:
    """The date and time of a serial number (days), rounded to the millisecond; None outside years 1900-9999."""
    if not math.isfinite(serial) or not 0 <= serial < _LAST_SERIAL:
        return None
    if from_1904:
        base = datetime(1904, 1, 1)  # noqa: DTZ001  (a sheet has no time zone)
    elif serial < 60:
        base = datetime(1899, 12, 31)  # noqa: DTZ001
    else:
        base = datetime(1899, 12, 30)  # noqa: DTZ001  (1900 counts as a leap year)
    try:
        found = base + timedelta(milliseconds=round(serial * 86_400_000))
    except OverflowError:
        return None
    if found.microsecond >= 999_000:
        found += timedelta(seconds=1)
        found = found.replace(microsecond=0)
    return found


def iso(serial: float, code: str, *, from_1904: bool = False) -> str:
    """A date cell in ISO form: date, time or both, as the format shows; plain number when it is no date."""
    when = moment(serial, from_1904=from_1904)
    if when is None or ("[" in code and re.search(r"\[[hms]+\]", code, re.IGNORECASE)):
        return plain(serial)
    if serial < 1 and not from_1904:
        return when.strftime("%H:%M:%S")
    text = when.date().isoformat()
    return text if when.time() == datetime.min.time() else f"{text} {when:%H:%M:%S}"


def plain(value: float | str) -> str:
    """A number in full: integers to the last digit, never with an exponent up to 10^20."""
    if isinstance(value, str) and len(value) < 16 and value.isdecimal() and value.isascii() and value[0] != "0":
        return value
    try:
        number = float(value)
    except ValueError:
        return str(value)
    if not math.isfinite(number):
        return str(value)
    if number == int(number) and abs(number) < 1e21:
        try:
            return str(int(Decimal(value)))
        except InvalidOperation:
            return str(int(number))
    text = repr(number)
    return format(Decimal(text), "f") if "e" in text and abs(number) > 1e-12 else text


@lru_cache(maxsize=2_000)
def _may_spell_out(code: str) -> bool:
    """Whether a number format can show the digits of a whole number and nothing else that counts."""
    return not any(mark in code for mark in ",.%Ee?/") and any(mark in code for mark in "0#")


def cell_text(value: float | str, code: str, *, from_1904: bool = False, shown_too: bool = True) -> tuple[str, str]:
    """(text of the cell, other form shown on screen or empty).

    Dates come as ISO; a number that the format spells out digit by digit (leading zeros, blanks, hyphens) as
    shown; any other number in full. Without `shown_too` the other form is not worked out where that is all it
    is for.
    """
    if not code or code == "General" or code == "@":
        return plain(value), ""
    number = float(value)
    if is_date(code):
        text = iso(number, code, from_1904=from_1904)
        shown = display(number, code, from_1904=from_1904) if shown_too else text
        return text, shown if shown != text else ""
    text = plain(value)
    if (code == "0" and text.isdecimal()) or not (shown_too or _may_spell_out(code)):
        return text, ""
    shown = display(number, code, from_1904=from_1904)
    if shown == text:
        return text, ""
    return (shown, "") if spells_out(shown, text) else (text, shown)


def spells_out(shown: str, text: str) -> bool:
    """Whether a displayed form gives a number digit by digit, perhaps with leading zeros, blanks or hyphens."""
    digits = re.sub(r"\D", "", shown).lstrip("0")
    return bool(_DIGIT_LIKE.match(shown) and digits and digits == text and len(shown) > len(text))


def display(value: float, code: str, *, from_1904: bool = False) -> str:
    """The number as its format shows it; empty when the format shows nothing or is not understood."""
    section, number = _section(value, code)
    if not section or section.casefold() in ("general", "@"):
        return plain(value)
    if is_date(section):
        return _date(value, section, from_1904=from_1904)
    return _number(number, section)


def _section(value: float, code: str) -> tuple[str, float]:
    """The section of the code for this value, and the value to show in it."""
    sections = _split(code)
    conditions = [_CONDITION.match(mark) for part in sections for mark in re.findall(r"\[([^\]]*)\]", part)[:1]]
    if any(conditions):
        for part in sections:
            marks = re.findall(r"\[([^\]]*)\]", part)
            condition = _CONDITION.match(marks[0]) if marks else None
            if condition is None or _holds(value, condition[1], float(condition[2])):
                return part, value
        return sections[-1], value
    if value < 0 and len(sections) > 1:
        return sections[1], -value
    if value == 0 and len(sections) > 2:
        return sections[2], value
    return sections[0], value


def _split(code: str) -> list[str]:
    parts: list[str] = []
    current: list[str] = []
    quoted = False
    for character in code:
        if character == '"':
            quoted = not quoted
        if character == ";" and not quoted:
            parts.append("".join(current))
            current = []
        else:
            current.append(character)
    return [*parts, "".join(current)][:4]


def _holds(value: float, sign: str, bound: float) -> bool:
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound,
            "=": value == bound, "<>": value != bound}[sign]


def _date(value: float, code: str, *, from_1904: bool) -> str:
    when = moment(value, from_1904=from_1904)
    if when is None:
        return ""
    tokens = _TOKEN.findall(code)
    twelve = any(half for *_, half, _, _ in tokens)
    out: list[str] = []
    after_hours = False
    for index, (quoted, escaped, bracket, half, unit, other) in enumerate(tokens):
        if unit or (bracket and _ELAPSED.match(bracket)):
            word = (unit or bracket).casefold()
            minutes = word[0] == "m" and len(word) < 3 and (after_hours or _seconds_follow(tokens[index + 1:]))
            out.append(_elapsed(value, word) if bracket else _unit(when, word, minutes=minutes, twelve=twelve))
            after_hours = word[0] == "h"
        elif half:
            out.append("AM" if when.hour < 12 else "PM")
        elif bracket.startswith("$"):
            out.append(bracket[1:].split("-")[0])
        elif not bracket:
            out.append(quoted or escaped or (other if other not in "@;" else ""))
    return "".join(out).strip()


def _seconds_follow(tokens: list[tuple[str, ...]]) -> bool:
    following = next((token[4] or token[2] for token in tokens if token[4] or token[2]), "")
    return following[:1] in ("s", "S")


def _elapsed(value: float, word: str) -> str:
    seconds = round(value * 86_400)
    total = {"h": seconds // 3_600, "m": seconds // 60, "s": seconds}[word[0]]
    return str(total).zfill(len(word))


def _unit(when: datetime, word: str, *, minutes: bool, twelve: bool) -> str:
    size, kind = len(word), word[0]
    if kind == "y":
        return f"{when:%y}" if size < 3 else str(when.year)
    if kind == "m" and not minutes:
        if size > 2:
            name = f"{when:%B}"
            return {3: name[:3], 5: name[:1]}.get(size, name)
        return str(when.month).zfill(size)
    if kind == "d":
        return f"{when:%A}"[:3 if size == 3 else None] if size > 2 else str(when.day).zfill(size)
    if kind == "h":
        return str((when.hour + 11) % 12 + 1 if twelve else when.hour).zfill(min(size, 2))
    if kind == "m":
        return str(when.minute).zfill(min(size, 2))
    whole, _, tenths = word.partition(".")
    return str(when.second).zfill(min(len(whole), 2)) + (f".{when.microsecond:06d}"[:len(tenths) + 1] if tenths else "")


def _number(value: float, code: str) -> str:
    """A number in a code of placeholders and literals."""
    tokens = _TOKEN.findall(code)
    pattern = "".join(other for *_, other in tokens if other and other in "0#?.,%Ee")
    if not any(mark in pattern for mark in "0#?"):
        return "".join(quoted or escaped or other for quoted, escaped, _, _, _, other in tokens).strip()
    if "/" in code and "?" in code:
        return ""
    try:
        digits = _digits(value, pattern)
    except (InvalidOperation, OverflowError, ValueError):
        return ""
    return _fill(tokens, digits, pattern).strip()


def _digits(value: float, pattern: str) -> str:
    """The digits of the value as the placeholders ask: percent, thousands, decimals, exponent."""
    number = abs(Decimal(repr(value)))
    if "%" in pattern:
        number *= 100
    mantissa = re.split("[Ee]", pattern)[0]
    whole, _, fraction = mantissa.partition(".")
    places = min(sum(mark in "0#?" for mark in fraction), 30)
    needed = sum(mark == "0" for mark in fraction)
    if "E" in pattern or "e" in pattern:
        found, exponent = f"{number:.{places}E}".split("E")
        return f"{found}E{int(exponent):+03d}"
    trailing = len(whole) - len(whole.rstrip(","))
    number = number / 1_000 ** trailing
    text = f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    left, _, right = text.partition(".")
    right = right.rstrip("0").ljust(needed, "0") if needed < places else right
    left = left.lstrip("0").zfill(sum(mark == "0" for mark in whole))
    if "," in whole.rstrip(","):
        left = f"{int(left or 0):,}" if left else left
    return left + ("." + right if right else "")


def _fill(tokens: list[tuple[str, ...]], digits: str, pattern: str) -> str:
    """Put digits into the placeholders, from the right before the point, with the literals between them."""
    if any(mark in pattern for mark in ".,Ee%") or digits.count(".") or "E" in digits:
        out, placed = [], False
        for quoted, escaped, bracket, _, _, other in tokens:
            if (other and other in "0#?.,Ee") or (placed and other in "+-" and other and "E" in pattern.upper()):
                if not placed:
                    out.append(digits)
                    placed = True
            elif bracket.startswith("$"):
                out.append(bracket[1:].split("-")[0])
            elif not bracket:
                out.append(quoted or escaped or other)
        return "".join(out)
    slots = sum(1 for *_, other in tokens if other and other in "0#?")
    rest = list(digits)
    out = []
    first = True
    for quoted, escaped, bracket, _, _, other in tokens:
        if other and other in "0#?":
            take = max(len(rest) - slots + 1, 0) if first else (1 if len(rest) >= slots else 0)
            out.append("".join(rest[:take]))
            del rest[:take]
            slots -= 1
            first = False
        elif bracket.startswith("$"):
            out.append(bracket[1:].split("-")[0])
        elif not bracket:
            out.append(quoted or escaped or other)
    return "".join(out)


def unpack_rk(data: bytes, at: int) -> float:
    """A number in RK form: 30 bits of a double or of an integer, perhaps times 100."""
    packed = struct.unpack_from("<I", data, at)[0]
    if packed & 2:
        value = float(struct.unpack("<i", struct.pack("<I", packed))[0] >> 2)
    else:
        value = struct.unpack("<d", struct.pack("<II", 0, packed & 0xFFFFFFFC))[0]
    return value / 100 if packed & 1 else value
