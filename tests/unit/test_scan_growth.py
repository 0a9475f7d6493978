"""Time grows with the size of what is scanned, not faster. Prints three sizes (pytest -s)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pii_scan.engine import Scanner
from pii_scan.text import Block, Extraction, Part, Table

LINES = (
    "Please find attached our quote for 40 helmets, valid until the end of the month.",
    "Ann Lee joins the meeting on Thursday; her SIN is 130 692 544 and she was born on 3 March 1987.",
    "The purchase order is PO 4500123456, the invoice follows and is due in 30 days.",
    "My wife was in the hospital; call me at home at 604-555-0199 or write to Bo Lim.",
    "If a student is injured during training, the instructor files the report the same day.",
    "Password: hydrant-22-blue and the account is in the name of his mother's son's school.",
)


class Silent:
    probability, findings = 0.0, ()

    def score(self, item: object, rule_findings: object) -> Silent:
        return self


def body(size: int) -> tuple[Block | Table, ...]:
    return (Block("\n".join(LINES[i % len(LINES)] for i in range(size))),)


def unbroken(size: int) -> tuple[Block | Table, ...]:
    return (Block(" ".join(LINES[i % len(LINES)].replace(".", "") for i in range(size))),)


def table(size: int) -> tuple[Block | Table, ...]:
    rows = [("Name", "DOB", "Home phone", "Note")]
    rows += [
        (f"Ann Lee{i}", f"19{50 + i % 50}-03-{1 + i % 28:02}", f"604-555-{i % 10000:04}", LINES[i % 6])
        for i in range(size)
    ]
    return (Table(tuple(rows)),)


def pasted(size: int) -> tuple[Block | Table, ...]:
    return (Block("\n".join(f"Ann Lee{i}\t1980-03-01\t604-555-0100" for i in range(size))),)


def thread(size: int) -> tuple[Block | Table, ...]:
    return tuple(Block(LINES[i % len(LINES)], quoted=True) for i in range(size))


@pytest.mark.parametrize(
    ("make", "size"),
    [(body, 500), (unbroken, 500), (table, 1500), (pasted, 3000), (thread, 500)],
    ids=["body", "one line", "table", "pasted", "thread"],
)
def test_time_grows_linearly(make: Callable[[int], tuple[Block | Table, ...]], size: int) -> None:
    scanner = Scanner(semantic=Silent())
    scanner.scan(Extraction((Part("body", "text/plain", make(20)),)))
    for _ in range(3):  # a noisy neighbour slows one try, growth slows every one
        seconds = [_seconds(scanner, make(size * times)) for times in (1, 2, 4)]
        print(f"{size}, {2 * size}, {4 * size}: " + ", ".join(f"{s:.3f} s" for s in seconds))
        if seconds[2] < 2.9 * seconds[1] + 0.05 and seconds[1] < 2.9 * seconds[0] + 0.05:
            return
    pytest.fail("twice the text takes more than 2.9 times as long")


def _seconds(scanner: Scanner, blocks: tuple[Block | Table, ...]) -> float:
    """The better of two runs."""
    item = Extraction((Part("body", "text/plain", blocks),))
    took = []
    for _ in range(2):
        start = time.thread_time()
        scanner.scan(item)
        took.append(time.thread_time() - start)
    return min(took)
