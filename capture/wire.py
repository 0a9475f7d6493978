"""An extraction as bytes and back, for the encrypted blob it waits in between two steps. JSON, never pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pii_scan.text import Address, Block, Envelope, Extraction, Label, Part, Table


def to_bytes(extraction: Extraction) -> bytes:
    """The extraction as UTF-8 JSON; lone surrogates become question marks."""
    parts = [asdict(part) | {"blocks": [_block(b) for b in part.blocks]} for part in extraction.parts]
    data = {"envelope": asdict(extraction.envelope), "parts": parts}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def from_bytes(data: bytes) -> Extraction:
    """The extraction that `to_bytes` wrote."""
    tree = json.loads(data)
    envelope = tree["envelope"]
    sender = envelope["sender"]
    return Extraction(
        parts=tuple(Part(**{**part, "blocks": tuple(_from_block(b) for b in part["blocks"])})
                    for part in tree["parts"]),
        envelope=Envelope(**{
            **envelope,
            "sender": Address(**sender) if sender else None,
            "recipients": tuple(Address(**a) for a in envelope["recipients"]),
            "references": tuple(envelope["references"]),
            "categories": tuple(envelope["categories"]),
        }))


def _block(block: Block | Table) -> dict[str, Any]:
    return asdict(block)


def _from_block(tree: dict[str, Any]) -> Block | Table:
    tree["label"] = Label(tree["label"])
    if "rows" in tree:
        tree["rows"] = tuple(tuple(row) for row in tree["rows"])
        return Table(**tree)
    return Block(**tree)
