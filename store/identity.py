"""How two sightings are known to be one item, without keeping the ids themselves.

These hashes are a stored format: a change of the normalisation needs a migration, or every item would
be taken for a new one. `tests/unit/test_store_identity.py` pins the values.
"""

from __future__ import annotations

import hashlib
from email.parser import BytesHeaderParser
from email.policy import compat32

from store.crypto import Keys

_COMPARED_HEADERS = ("from", "to", "cc", "subject", "date")


def normalise_message_id(text: str) -> str:
    """Message-ID without brackets and blanks; local part as sent, domain casefolded; "" if none.

    >>> normalise_message_id(" <Ab.C@Mail.Example.COM> ")
    'Ab.C@mail.example.com'
    """
    bare = "".join(text.split()).strip("<>")
    local, at, domain = bare.rpartition("@")
    return f"{local}{at}{domain.casefold()}" if at else bare


def message_key(keys: Keys, message_id: str) -> str:
    """The item key of a mail with a Message-ID (normalised here again; that changes nothing)."""
    return keys.digest("item", b"message-id", normalise_message_id(message_id).encode())


def thread_key(message_id: str) -> str:
    """The hash of a Message-ID by which answers find the activity they answer; "" for none. Not keyed: the activity
    holds the Message-ID itself."""
    plain = normalise_message_id(message_id)
    return hashlib.sha256(b"message-id\0" + plain.encode("utf-8", "replace")).hexdigest() if plain else ""


def fallback_key(keys: Keys, *, sender: str, sent: str, subject: str, body: bytes) -> str:
    """The item key of a mail without a Message-ID.

    `sent` is UTC ISO 8601 or empty. Blanks and case of the subject do not count.
    """
    return keys.digest("item", b"no-id", sender.casefold().encode(), sent.encode(),
                       " ".join(subject.split()).casefold().encode(), body)


def source_key(keys: Keys, mailbox: str, key: str) -> str:
    """The key of one place in one mailbox, so that no path or file name is stored."""
    return keys.digest("source", mailbox.encode(), key.encode("utf-8", "surrogatepass"))


def content_hash(keys: Keys, raw: bytes) -> str:
    """Tells copies of one mail with other content apart (a gateway's banner).

    Counts the body and the headers a person sees; not the headers servers and tags add on the way, and
    not the kind of line ending.
    """
    unified = raw.replace(b"\r\n", b"\n")
    head, _, body = unified.partition(b"\n\n")
    headers = BytesHeaderParser(policy=compat32).parsebytes(head + b"\n\n")
    seen = [" ".join(str(value).split()).encode("utf-8", "surrogateescape")
            for name in _COMPARED_HEADERS for value in headers.get_all(name, [])]
    if not seen:  # not a mail: all of it counts
        body = unified
    return keys.digest("content", *seen, body.rstrip(b"\n"))
