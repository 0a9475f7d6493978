"""The decision test: ordinary business mails with one block put into each, personal or harmless.

    python -m tests.benchmarks.blocks_decision DIR [--hosts 40]

DIR is a labelled corpus; its real pass mails are the hosts. The blocks (tests/data/blocks.jsonl) were written by
somebody who has not seen the rules. Printed: recall on the personal blocks, false holds on the harmless ones and on the
hosts alone, and both by kind of block.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from email.message import EmailMessage
from pathlib import Path

from capture.settings import Settings
from capture.wiring import build_extractor, build_scanner
from pii_scan.measure import Share

BLOCKS = Path(__file__).parent.parent / "data" / "blocks.jsonl"


def hosts(folder: Path, most: int) -> list[str]:
    """Bodies of real pass mails drawn blindly, spread over the list."""
    rows = [json.loads(line) for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    ids = [r["id"] for r in rows if r["decision"] == "pass" and r.get("sample") == "random"]
    chosen = ids[::max(1, len(ids) // most)][:most]
    return [_body((folder / "messages" / f"{i}.eml").read_bytes()) for i in chosen]


def _body(raw: bytes) -> str:
    return raw.partition(b"\n\n")[2].decode("utf-8", "replace")


def mail(body: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann Field <a@x.example>", "b@example.org", "update"
    message.set_content(body)
    return message.as_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hosts", type=int, default=40)
    chosen = parser.parse_args()
    settings = Settings()
    scanner, extractor = build_scanner(settings), build_extractor(settings)

    def held(body: str) -> bool:
        extraction = extractor.extract(mail(body))
        return not scanner.decide(scanner.scan(extraction), extraction).link

    try:
        bodies = [body for body in hosts(chosen.folder, chosen.hosts) if len(body) < 20_000]
        alone = [held(body) for body in bodies]
        counts: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for line in BLOCKS.read_text(encoding="utf-8").splitlines():
            block = json.loads(line)
            for body in bodies:
                middle = body.find("\n\n", len(body) // 2)
                cut = middle if middle > 0 else len(body)
                counts[block["decision"], block["kind"]].append(
                    held(f"{body[:cut]}\n\n{block['text']}\n\n{body[cut:].lstrip()}"))
    finally:
        extractor.close()
    print(f"hosts alone held        {Share(sum(alone), len(alone))}")
    for decision, title in (("block", "personal blocks held"), ("pass", "harmless blocks held")):
        all_of = [h for (d, _), hs in counts.items() if d == decision for h in hs]
        print(f"{title:<24}{Share(sum(all_of), len(all_of))}")
        for (d, kind), hs in sorted(counts.items()):
            if d == decision:
                print(f"    {kind:<24}{Share(sum(hs), len(hs))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
