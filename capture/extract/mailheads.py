"""Which headers of a mail and of its parts are read: whatever a person may have written.

Machines write more headers than people do, full of numbers that mean nothing. What transport writes is
left out; other headers of machines are read when their value is written in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.errors import FirstHeaderLineIsContinuationDefect, MisplacedEnvelopeHeaderDefect
from typing import TYPE_CHECKING, Any, Final

from capture.extract import headers
from capture.extract.textual import in_words

if TYPE_CHECKING:
    from email.message import Message
    from typing import TypeAlias

    Mail: TypeAlias = Message[Any, Any]  # generic for the type checker only

TRACE: Final = re.compile(
    r"(?:x-)?received(?:-spf)?|message-id|references|in-reply-to|(?:x-google-)?(?:dkim|domainkey)-.*|"
    r"(?:x-)?arc-.*|(?:x-)?authentication-results.*|"
    r"x-(?:ms|microsoft)-(?:exchange|antispam|office365)-.*|x-microsoft-antispam.*|x-forefront-.*", re.I)
"""Written by transport alone; never read."""
_MACHINE: Final = re.compile(
    r"return-path|thread-index|autocrypt|(?:x-)?face|delivered-to|mime-version|content-.*|"
    r"x-(?:ms|microsoft|google|gm|spam|forefront|proofpoint|barracuda|ironport|mimecast|virus|"
    r"mailer|originating-ip|priority|uid|uidl|status|mozilla|origin|folder|filename|pm|ses|sg|mandrill|mailgun|"
    r"beenthere).*|user-agent|list-.*|precedence|status|lines|x400-.*|importance|priority|auto-submitted", re.I)
_TOKEN: Final = re.compile(r"\s*[\w.+-]*\s*/?\s*[\w.+-]*")
_BROKEN: Final = (FirstHeaderLineIsContinuationDefect, MisplacedEnvelopeHeaderDefect)
_NAMES: Final = frozenset(("name", "filename"))
_PARAMETERS: Final = frozenset((
    "charset", "boundary", "format", "delsp", "type", "start", "start-info", "micalg", "protocol", "smime-type",
    "report-type", "method", "component", "reply-type", "differences", "size", "creation-date", "modification-date",
    "read-date", "x-mac-type", "x-mac-creator", "x-unix-mode", "x-mac-hide-extension", "x-apple-part-url"))


def is_read(name: str, value: str) -> bool:
    """Whether a header is read; `value` is decoded."""
    if TRACE.fullmatch(name):
        return False
    return name.casefold() == "content-description" or not _MACHINE.fullmatch(name) or in_words(value)


def stray_lines(mail: Mail) -> list[str]:
    """What the standard library leaves out of a header block: an envelope line in words, broken lines."""
    lines = [str(getattr(defect, "line", None) or "") for defect in mail.defects if isinstance(defect, _BROKEN)]
    envelope = mail.get_unixfrom()
    if envelope and in_words(envelope):
        lines.append(envelope)
    return [headers.to_text(line, 1_000)[0] for line in lines]


def part_texts(mail: Mail, chosen: str, limit: int) -> tuple[list[str], list[str]]:
    """(lines, file names) that the headers of a part hold besides its file name `chosen`."""
    lines, names = stray_lines(mail), []
    for name, value in mail.raw_items():
        key, text = name.casefold(), headers.to_text(value, limit)[0]
        if key in ("content-type", "content-disposition"):
            found, rest = _value_texts(text)
            names += found
            lines += rest
        elif is_read(name, decoded := headers.decode_words(text)):
            lines.append(f"{name}: {decoded}")
    return lines, [name for name in dict.fromkeys(names) if name and name != chosen]


def own_texts(mail: Mail, limit: int) -> list[str]:
    """What stands beside type and parameters in the content headers of the mail itself."""
    lines = []
    for name, value in mail.raw_items():
        if name.casefold() in ("content-type", "content-disposition"):
            lines += _value_texts(headers.to_text(value, limit)[0])[1]
    return lines


def _value_texts(text: str) -> tuple[list[str], list[str]]:
    """File names, and whatever is neither type nor a parameter in common use: comments, own parameters."""
    main, parameters = headers.all_parameters(text)
    names = [value for key, value in parameters if key in _NAMES]
    rest = [f"{key}: {value}" for key, value in parameters if key not in _NAMES | _PARAMETERS and value]
    beside = _TOKEN.sub("", main, count=1).strip()
    return names, [*rest, *([beside] if beside else [])]


def conflicting(mail: Mail, limit: int) -> bool:
    """Whether two headers, or two parameters, name different kinds of content: mail programs choose differently."""
    for name in ("content-type", "content-transfer-encoding"):
        values = [headers.to_text(value, limit)[0] for key, value in mail.raw_items() if key.casefold() == name]
        if _differ(headers.parse_value(value)[0] for value in values):
            return True
        if name == "content-type" and any(
                _differ(content for key, content in headers.all_parameters(value)[1] if key == "boundary")
                for value in values):
            return True
    return False


def _differ(values: Iterable[str]) -> bool:
    return len(set(values)) > 1
