"""Sealed content: S/MIME, PGP, rights management. Held with the reason; opaque signatures are unwrapped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from capture.extract.collect import PartSink
from capture.extract.headers import decode_base64
from capture.extract.reader import CannotRead

_PEM: Final = re.compile(rb"-----BEGIN (?:PKCS7|CMS)-----(.*?)-----END", re.S)
_PKCS7: Final = bytes.fromhex("2a864886f70d0107")  # 1.2.840.113549.1.7
_SIGNED, _ENVELOPED, _SIGNED_ENVELOPED, _ENCRYPTED = 2, 3, 4, 6
_SEQUENCE, _OID, _OCTETS, _OCTETS_PARTS = 0x30, 0x06, 0x04, 0x24
_DEPTH: Final = 16


def read_pkcs7(data: bytes, sink: PartSink) -> None:
    """Read a PKCS #7 / CMS message: what is encrypted is held, what is only signed is unwrapped."""
    pem = _PEM.search(data)
    if pem is not None:
        data = decode_base64(pem[1])[0]
    try:
        kind, content = _outer(data)
    except (IndexError, ValueError) as error:
        raise CannotRead("encrypted" if _PKCS7 + b"\x03" in data[:200] else "corrupt") from error
    if kind in (_ENVELOPED, _SIGNED_ENVELOPED, _ENCRYPTED):
        raise CannotRead("encrypted")
    if kind != _SIGNED:
        raise CannotRead("unsupported")
    try:
        inner = _signed_content(content)
    except (IndexError, ValueError) as error:
        raise CannotRead("corrupt") from error
    if inner is None:  # a detached signature: certificates and a hash
        sink.empty()
        return
    sink.embed(inner, what="signed content", declared="message/rfc822")


def read_pgp(_data: bytes, _sink: PartSink) -> None:
    """A PGP message is held."""
    raise CannotRead("encrypted")


def read_rights_managed(_data: bytes, _sink: PartSink) -> None:
    """A rights-managed message is held; its cover text must not pass as the message."""
    raise CannotRead("rights_managed")


@dataclass(frozen=True, slots=True)
class _Value:
    """One BER value: tag, contents, and where the next value begins."""

    tag: int
    content: bytes
    end: int


def _outer(data: bytes) -> tuple[int, bytes]:
    """Return the content type (last arc of 1.2.840.113549.1.7) and the value that holds the content."""
    message = _value(data, 0)
    identifier = _value(message.content, 0)
    if message.tag != _SEQUENCE or identifier.tag != _OID:
        raise ValueError
    if not identifier.content.startswith(_PKCS7):
        return 0, b""
    explicit = _value(message.content, identifier.end)
    return identifier.content[-1], explicit.content


def _signed_content(explicit: bytes) -> bytes | None:
    signed = _value(explicit, 0)
    version = _value(signed.content, 0)
    digests = _value(signed.content, version.end)
    encapsulated = _value(signed.content, digests.end)
    identifier = _value(encapsulated.content, 0)
    if identifier.end >= len(encapsulated.content):
        return None
    wrapped = _value(encapsulated.content, identifier.end)
    return _octets(_value(wrapped.content, 0), 0)


def _octets(value: _Value, depth: int) -> bytes:
    if value.tag == _OCTETS:
        return value.content
    if value.tag != _OCTETS_PARTS or depth > _DEPTH:
        raise ValueError
    out, position = [], 0
    while position < len(value.content):
        piece = _value(value.content, position)
        out.append(_octets(piece, depth + 1))
        position = piece.end
    return b"".join(out)


def _value(data: bytes, start: int, depth: int = 0) -> _Value:
    """Read one BER value. Raises `IndexError` or `ValueError` when there is none.

    Only single-byte tags occur here. Indefinite lengths are resolved by walking the values inside.
    """
    tag, length, position = data[start], data[start + 1], start + 2
    if length == 0x80:
        begin = position
        while data[position:position + 2] != b"\0\0":
            if depth > _DEPTH or position >= len(data):
                raise ValueError
            position = _value(data, position, depth + 1).end
        return _Value(tag, data[begin:position], position + 2)
    if length & 0x80:
        count = length & 0x7F
        if count > 8:
            raise ValueError
        length = int.from_bytes(data[position:position + count], "big")
        position += count
    end = position + length
    if end > len(data):
        raise ValueError
    return _Value(tag, data[position:end], end)

