"""Everything done with the master key: derived keys, keyed hashes, sealing, wrapping.

The master key itself encrypts nothing. HKDF-SHA256 (RFC 5869) derives one 32-byte key per purpose, so
that a key that leaks from one use says nothing about the others. Sealing is AES-256-GCM (NIST SP
800-38D) with a random 12-byte nonce and associated data naming the row, so that sealed bytes moved to
another row do not open.

Sealed bytes: version (1 byte, 1) | key id (8 bytes) | nonce (12) | ciphertext and tag (n + 16).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store.errors import ContentUnreadable, KeyWrong
from store.keys.text import KEY_BYTES

VERSION = 1
KEY_ID_BYTES = 8
NONCE_BYTES = 12
_HEADER = 1 + KEY_ID_BYTES + NONCE_BYTES


class Keys:
    """The keys derived from one master key. Holds no other state; safe to share between threads."""

    def __init__(self, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise KeyWrong(f"{len(master)} bytes instead of {KEY_BYTES}")
        self._master = master
        self._derived: dict[str, bytes] = {}
        self._id = hmac.digest(self.derive("key-id"), b"id", "sha256")[:KEY_ID_BYTES]

    def __repr__(self) -> str:
        return f"Keys({self.id})"

    @property
    def id(self) -> str:
        """Which master key this is, 16 hex digits; safe to store and print."""
        return self._id.hex()

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key for one purpose ("engine-serializer", "data-key", ...)."""
        if purpose not in self._derived:
            info = b"mailweir/1/" + purpose.encode()
            self._derived[purpose] = HKDF(SHA256(), KEY_BYTES, None, info).derive(self._master)
        return self._derived[purpose]

    def digest(self, purpose: str, *parts: bytes) -> str:
        """A keyed hash (HMAC-SHA256, 64 hex digits) of the parts, each framed by its length."""
        mac = hmac.new(self.derive(purpose), digestmod=hashlib.sha256)
        for part in parts:
            mac.update(len(part).to_bytes(8, "big"))
            mac.update(part)
        return mac.hexdigest()

    def verifier(self) -> str:
        """What a database keeps to tell its own master key from another one."""
        return self.digest("verifier", b"mailweir")

    def seal(self, purpose: str, bound: str, plain: bytes) -> bytes:
        """Encrypt `plain` under the key of `purpose`; `bound` names the row it belongs to."""
        return _seal(self.derive(purpose), self._id, bound, plain)

    def unseal(self, purpose: str, bound: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` gave. Raises `KeyWrong` or `ContentUnreadable`."""
        if sealed[1:1 + KEY_ID_BYTES] != self._id:
            raise KeyWrong(f"sealed under key {sealed[1:1 + KEY_ID_BYTES].hex()}, this is {self.id}")
        return _unseal(self.derive(purpose), self._id, bound, sealed)

    def new_data_key(self, bound: str) -> tuple[DataKey, bytes]:
        """A fresh data key and the same key wrapped, to be stored beside what it encrypts."""
        key = secrets.token_bytes(KEY_BYTES)
        return DataKey(key), self.seal("data-key", bound, key)

    def data_key(self, bound: str, wrapped: bytes) -> DataKey:
        """Unwrap a data key. Raises `KeyWrong` or `ContentUnreadable`."""
        return DataKey(self.unseal("data-key", bound, wrapped))


class DataKey:
    """The key of one blob. Whoever destroys its wrapped form destroys the content."""

    _NO_ID = bytes(KEY_ID_BYTES)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "DataKey(...)"

    def seal(self, bound: str, plain: bytes) -> bytes:
        """Encrypt the content of the row named by `bound`."""
        return _seal(self._key, self._NO_ID, bound, plain)

    def unseal(self, bound: str, sealed: bytes) -> bytes:
        """Decrypt the content. Raises `ContentUnreadable`."""
        return _unseal(self._key, self._NO_ID, bound, sealed)


def _seal(key: bytes, key_id: bytes, bound: str, plain: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    header = bytes([VERSION]) + key_id
    return header + nonce + AESGCM(key).encrypt(nonce, plain, header + bound.encode())


def _unseal(key: bytes, key_id: bytes, bound: str, sealed: bytes) -> bytes:
    header, nonce = bytes([VERSION]) + key_id, sealed[1 + KEY_ID_BYTES:_HEADER]
    if len(sealed) < _HEADER + 16 or not sealed.startswith(header):
        raise ContentUnreadable("too short, or of an unknown version")
    try:
        return AESGCM(key).decrypt(nonce, sealed[_HEADER:], header + bound.encode())
    except InvalidTag as exc:
        raise ContentUnreadable("the seal does not fit the row") from exc
