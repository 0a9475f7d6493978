"""Mails: structure by the standard library's compat32 parser, everything else by hand with caps.

A mail gives one part for its headers, one for each body (both alternatives are read: they may differ),
and one for each attachment. Signatures of multipart/signed are left out; what is sealed is held.
"""

from __future__ import annotations

import email.parser
import email.policy
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.generator import BytesGenerator
from email.message import Message
from typing import TYPE_CHECKING, Any, Final

from capture.extract import headers, mailheads
from capture.extract.collect import PartSink
from capture.extract.encodedtext import read_encoded
from capture.extract.html import read_mail_html
from capture.extract.mailtext import split_mail_text
from capture.extract.reader import CannotRead
from capture.extract.sniff import is_pkcs7
from capture.extract.textual import decode, is_printable
from capture.extract.transfer import decode_transfer, uuencoded
from pii_scan.text import Address, Label

if TYPE_CHECKING:
    from typing import TypeAlias

    Mail: TypeAlias = Message[Any, Any]  # generic for the type checker only

_POLICY: Final = email.policy.compat32
_HEADER_BYTES: Final = 4_000_000
_END_OF_HEADERS: Final = re.compile(rb"\r?\n\r?\n|\r\r")
_ADDRESS_HEADERS: Final = ("from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-to", "resent-cc",
                           "disposition-notification-to", "return-receipt-to")
_SIGNATURES: Final = frozenset(("application/pkcs7-signature", "application/x-pkcs7-signature",
                                "application/pgp-signature"))
_BODIES: Final = frozenset(("text/plain", "text/html", "", "text/enriched", "text/richtext", "text/x-amp-html",
                            "text/watch-html"))
_PGP: Final = re.compile(r"^[>| \t]*-----BEGIN PGP MESSAGE-----", re.M)
_SIGNATURE_NAME: Final = re.compile(r"(?:smime|(?:openpgp_)?(?:digital_)?signature)(?:\.(?:p7s|asc|sig))?", re.I)
_ENRICHED: Final = re.compile(r"</?[A-Za-z-]{1,60}>")
_FLOWED: Final = re.compile(r" \r?\n")
_SIGNATURE_BYTES: Final = 200_000
_PGP_SIGNATURE: Final = b"-----BEGIN PGP SIGNATURE-----"
_MBOX_FROM: Final = re.compile(rb"(?:\A|\n)From [^\r\n]*\r?\n(?=[!-9;-~]{1,76}:)")


@dataclass(slots=True)
class _Leaf:
    """A part of a mail that has no parts: its header fields decoded, its bytes not yet."""

    mail: Mail
    mime: str
    parameters: dict[str, str]
    name: str
    attached: bool
    inline: bool


@dataclass(slots=True)
class _Plan:
    """What a mail is made of, collected before anything is read: places say "2 of 3"."""

    leaves: list[_Leaf] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    sealed: int = 0
    heads: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def read_mail(data: bytes, sink: PartSink) -> None:
    """Read a mail: headers, bodies, attachments."""
    head = _END_OF_HEADERS.search(data, 0, _HEADER_BYTES)
    top = email.parser.BytesHeaderParser(policy=_POLICY).parsebytes(data[:head.end() if head else _HEADER_BYTES])
    sink.envelope(_envelope(top, sink))
    sink.section(lambda part: _read_headers(top, part), what="headers", kind="headers", size=1)
    try:
        mail = email.parser.BytesParser(policy=_POLICY).parsebytes(data)
    except RecursionError:
        sink.partial("too_deep")
        _section_raw(sink, data[head.end():] if head else b"")
        return
    plan = _Plan()
    _walk(mail, 0, sink, plan)
    for code in plan.codes:
        sink.partial(code)
    _read_leaves(plan, sink)
    if "too_deep" in plan.codes and head is not None:
        _section_raw(sink, data[head.end():])


def read_mbox(data: bytes, sink: PartSink) -> None:
    """Read every mail of an mbox file as an embedded mail."""
    starts = [match.start() + (data[match.start():match.start() + 1] == b"\n")
              for match in _MBOX_FROM.finditer(data)]
    if not starts:
        raise CannotRead("corrupt")
    ends = [*starts[1:], len(data)]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        content = data.find(b"\n", start) + 1
        mail = re.sub(rb"(?m)^>(>*From )", rb"\1", data[content:end])
        sink.embed(mail, what=f"mail {number} of {len(starts)}", declared="message/rfc822")


def _section_raw(sink: PartSink, raw: bytes) -> None:
    """A mail too deep to take apart is at least scanned as it stands."""
    def read(part: PartSink) -> None:
        part.partial("too_deep")
        text = decode(raw).text
        part.text(text)
        read_encoded(text, part)

    sink.section(read, what="raw text", kind="text", size=len(raw))


# headers


def _read_headers(mail: Mail, sink: PartSink) -> None:
    limit = sink.limits.header_bytes
    others = []
    for name, value in mail.raw_items():
        key = name.casefold()
        raw, cut = headers.to_text(value, limit)
        if cut:
            sink.partial("too_large")
        if key == "subject":
            sink.text(headers.decode_words(raw), Label.SUBJECT)
        elif key in _ADDRESS_HEADERS:
            if headers.parse_addresses(raw, sink.limits.addresses)[1]:
                sink.partial("too_large")
            sink.text(f"{name}: {headers.decode_words(raw)}", Label.ADDRESSES)
        elif mailheads.is_read(name, decoded := headers.decode_words(raw)):
            others.append(f"{name}: {decoded}")
    others += mailheads.own_texts(mail, limit) + mailheads.stray_lines(mail)
    sink.text("\n".join(others), Label.PROPERTY)
    sink.empty()


def _envelope(mail: Mail, sink: PartSink) -> dict[str, Any]:
    limit, most = sink.limits.header_bytes, sink.limits.addresses

    def raw(name: str) -> str:
        return headers.to_text(_first(mail, name), limit)[0]

    def addresses(name: str) -> list[Address]:
        found: list[Address] = []
        for value in _all(mail, name):
            found += headers.parse_addresses(headers.to_text(value, limit)[0], most - len(found))[0]
        return found

    senders = addresses("from") or addresses("sender")
    recipients = (addresses("to") + addresses("cc") + addresses("bcc"))[:most]
    bulk = any(_first(mail, name) for name in ("list-id", "list-unsubscribe", "list-post"))
    categories = headers.decode_words(raw("keywords"))
    return {
        "message_id": next(iter(headers.message_ids(raw("message-id"))), ""),
        "subject": headers.decode_words(raw("subject")),
        "sender": (senders[0].name, senders[0].email) if senders else None,
        "recipients": [(address.name, address.email) for address in recipients],
        "sent": headers.sent_utc(raw("date")),
        "in_reply_to": next(iter(headers.message_ids(raw("in-reply-to"))), ""),
        "references": headers.message_ids(raw("references")),
        "list_mail": bulk or raw("precedence").casefold() in ("bulk", "list"),
        "sensitivity": headers.decode_words(raw("sensitivity")),
        "categories": [piece.strip() for piece in categories.split(",") if piece.strip()],
    }


def _all(mail: Mail, name: str) -> list[Any]:
    return [value for key, value in mail.raw_items() if key.casefold() == name]


def _first(mail: Mail, name: str) -> Any:
    return next(iter(_all(mail, name)), "")


def _value(mail: Mail, name: str, limit: int) -> tuple[str, dict[str, str]]:
    return headers.parse_value(headers.to_text(_first(mail, name), limit)[0])


# structure


def _walk(mail: Mail, depth: int, sink: PartSink, plan: _Plan) -> None:
    sink.item.mime_parts += 1
    if sink.item.mime_parts > sink.limits.mime_parts:
        _note(plan, "too_large")
        return
    mime, parameters = _value(mail, "content-type", sink.limits.header_bytes)
    if mailheads.conflicting(mail, sink.limits.header_bytes):
        _note(plan, "corrupt")
    if depth:
        chosen = _name(mail, parameters, sink.limits.header_bytes)
        lines, names = mailheads.part_texts(mail, chosen, sink.limits.header_bytes)
        plan.heads += lines
        plan.names += names
    payload = mail.get_payload()
    if mime.startswith("multipart/") and isinstance(payload, list):
        if depth >= sink.limits.mime_depth:
            _note(plan, "too_deep")
            return
        _walk_parts(mail, mime, payload, depth, sink, plan)
        return
    if mime.startswith("multipart"):  # promised parts, but none can be told apart: all of it is text
        _note(plan, "corrupt")
        mime = "text/plain"
    plan.leaves.append(_leaf(mail, mime, parameters, sink.limits.header_bytes))


def _walk_parts(mail: Mail, mime: str, parts: list[Any], depth: int, sink: PartSink, plan: _Plan) -> None:
    plan.texts += [text for text in (mail.preamble, mail.epilogue) if text and text.strip()]
    if mime == "multipart/encrypted":
        plan.sealed += 1
        return
    for number, part in enumerate(parts):
        if mime == "multipart/signed" and number and _is_signature(part):
            lines, names = mailheads.part_texts(part, "", 1_000)
            plan.heads += lines
            plan.names += [name for name in names if not _SIGNATURE_NAME.fullmatch(name)]
            continue
        if sink.item.mime_parts >= sink.limits.mime_parts:
            _note(plan, "too_large")
            return
        _walk(part, depth + 1, sink, plan)


def _is_signature(part: Mail) -> bool:
    """Whether a part is a signature not only by its name: nothing else may be left out unread."""
    if _value(part, "content-type", 1_000)[0] not in _SIGNATURES:
        return False
    data, damaged = _decoded(part)
    is_one = data.lstrip().startswith(_PGP_SIGNATURE) or is_pkcs7(data)
    return is_one and not damaged and len(data) <= _SIGNATURE_BYTES


def _note(plan: _Plan, code: str) -> None:
    if code not in plan.codes:
        plan.codes.append(code)


def _name(mail: Mail, parameters: dict[str, str], limit: int) -> str:
    """The file name of a part; `parameters` are those of its type."""
    return _value(mail, "content-disposition", limit)[1].get("filename") or parameters.get("name") or ""


def _leaf(mail: Mail, mime: str, parameters: dict[str, str], limit: int) -> _Leaf:
    disposition = _value(mail, "content-disposition", limit)[0]
    name = _name(mail, parameters, limit)
    attached = disposition == "attachment" or bool(name) or mime not in _BODIES
    inline = bool(_first(mail, "content-id")) or disposition == "inline"
    return _Leaf(mail, mime, parameters, name, attached, inline)


# reading


def _read_leaves(plan: _Plan, sink: PartSink) -> None:
    for number in range(plan.sealed):
        sink.refuse("encrypted", what=_numbered("body", number, ""))
    if plan.heads or plan.names:
        sink.section(lambda part: _read_part_heads(plan, part), what="part headers", kind="headers", size=1)
    if plan.texts:
        sink.section(lambda part: _read_around(plan.texts, part), what="preamble", kind="text", size=1)
    extra: list[tuple[str, bytes, bool]] = []
    counts = {"": 0, " (html)": 0}
    for leaf in plan.leaves:
        if leaf.attached:
            continue
        suffix = " (html)" if leaf.mime == "text/html" else ""
        what = _numbered("body", counts[suffix], suffix)
        counts[suffix] += 1
        extra += _read_body(leaf, what, sink)
    attached = [leaf for leaf in plan.leaves if leaf.attached]
    total = len(attached) + len(extra)
    for number, leaf in enumerate(attached, 1):
        _read_attachment(leaf, f"attachment {number} of {total}", sink)
    for number, (name, data, damaged) in enumerate(extra, len(attached) + 1):
        sink.embed(data, what=f"attachment {number} of {total}", name=name, damaged=damaged)


def _numbered(word: str, before: int, suffix: str) -> str:
    return f"{word} {before + 1}{suffix}" if before else f"{word}{suffix}"


def _read_part_heads(plan: _Plan, sink: PartSink) -> None:
    """What the headers of the parts say besides their types: descriptions, other file names."""
    sink.text("\n".join(dict.fromkeys(plan.heads)), Label.PROPERTY)
    sink.text("\n".join(dict.fromkeys(plan.names)), Label.NAME)
    sink.empty()


def _read_around(texts: list[str], sink: PartSink) -> None:
    """Text before the first and after the last part: mail programs do not show it."""
    for text in texts:
        readable = decode(text.encode("utf-8", "surrogateescape")).text
        sink.text(readable, Label.HIDDEN)
        read_encoded(readable, sink)


def _read_body(leaf: _Leaf, what: str, sink: PartSink) -> list[tuple[str, bytes, bool]]:
    """Read a body; return the uuencoded files found in it."""
    data, damaged = _decoded(leaf.mail)
    files = uuencoded(data) if b"begin" in data else []
    for _, _, _, start, end in reversed(files):
        data = data[:start] + data[end:]
    is_html = leaf.mime == "text/html"
    read: Callable[[str, PartSink], None] = read_mail_html if is_html else _read_plain

    def section(part: PartSink) -> None:
        if damaged:
            part.partial("corrupt")
        decoded = decode(data, leaf.parameters.get("charset", ""))
        if not is_printable(decoded.text):
            part.partial("corrupt")
        if not decoded.text.strip():
            part.empty()
        read(decoded.text, part)
        if (joined := _joined(decoded.text, leaf)) != decoded.text:
            part.text(joined, Label.HIDDEN, "text")
        read_encoded(decoded.text, part)

    sink.section(section, what=what, kind="html" if is_html else "text", size=len(data))
    return [(name, content, broken) for name, content, broken, _, _ in files]


def _joined(text: str, leaf: _Leaf) -> str:
    """Text whose words markup or line breaks cut, joined: enriched text (RFC 1896), flowed with DelSp (RFC 3676)."""
    if leaf.mime in ("text/enriched", "text/richtext"):
        return _ENRICHED.sub("", text)
    if leaf.parameters.get("delsp", "").casefold() == "yes":
        return _FLOWED.sub("", text)
    return text


def _read_plain(text: str, sink: PartSink) -> None:
    if _PGP.search(text):
        sink.partial("encrypted")
    for block in split_mail_text(text.replace("\r\n", "\n").replace("\r", "\n")):
        sink.text(block.text, block.label, quoted=block.quoted)


def _read_attachment(leaf: _Leaf, what: str, sink: PartSink) -> None:
    if leaf.mime == "application/x-microsoft-rpmsg-message" or leaf.name.casefold().endswith(".rpmsg"):
        sink.refuse("rights_managed", what=what, name=leaf.name)
    elif leaf.mime in ("message/external-body", "message/partial"):
        sink.refuse("not_fetched", what=what, name=leaf.name)
    else:
        data, damaged = _nested(leaf) if leaf.mime.startswith("message/") else _decoded(leaf.mail)
        charset = leaf.parameters.get("charset", "")
        declared = f"{leaf.mime};charset={charset}" if charset else leaf.mime
        sink.embed(data, what=what, name=leaf.name, declared=declared, inline=leaf.inline, damaged=damaged)


def _decoded(mail: Mail) -> tuple[bytes, bool]:
    payload = mail._payload  # type: ignore[attr-defined]  # get_payload() decodes, lossily
    if not isinstance(payload, str):
        return _as_bytes(mail), False
    raw = payload.encode("ascii", "surrogateescape")
    return decode_transfer(raw, headers.to_text(_first(mail, "content-transfer-encoding"), 100)[0].partition(";")[0])


def _nested(leaf: _Leaf) -> tuple[bytes, bool]:
    """The bytes of an attached mail or report; some senders encode it although they must not."""
    payload = leaf.mail.get_payload()
    encoding = headers.to_text(_first(leaf.mail, "content-transfer-encoding"), 100)[0]
    if isinstance(payload, str):
        return _decoded(leaf.mail)
    inner = b"\n".join(_as_bytes(part) for part in payload if isinstance(part, Message))
    if encoding.casefold() in ("base64", "quoted-printable"):
        return decode_transfer(inner, encoding)
    return inner, False


def _as_bytes(mail: Mail) -> bytes:
    out = io.BytesIO()
    BytesGenerator(out, mangle_from_=False, maxheaderlen=0, policy=_POLICY).flatten(mail)
    return out.getvalue()
