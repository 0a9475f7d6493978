"""A CRM full of invented records of mixed kinds and sizes, some of which should not be there.

The records are written past the scanner on purpose: they stand for what older rules let through.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN

from store.columns import now
from store.crm_records import NewAttachment, content_of, version
from store.crm_tables import Activity, ActivityTracker, Attachment
from store.crypto import Keys
from store.database import Database

SENTENCES = (
    "Thank you for the quote for the two day course.",
    "Could we start on Monday the 9th at 8:30 in the usual room?",
    "The invoice for the spring workshop went out last week, please confirm the purchase order number.",
    "We would like twelve seats and the printed manuals.",
    "The projector in the large room has been replaced.",
    "Please send the updated outline of the forklift certification course.",
    "Our safety officer will join the call and take the minutes.",
    "The contract covers delivery at three sites through the end of the year.",
)
TYPES = ("email", "email", "email", "email", "appointment", "task", "note", "phonecall")
DIVISIONS = ("north", "south", "")
PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}, seat "
PARTIES = [{"role": "from", "name": "Rose Antoine", "email": "rose@client.example.com"},
           {"role": "to", "name": "", "email": "dana.reid@example.org"}]
DARK = NewAttachment(1, "plan.docx", "application/octet-stream", b"PK\x03\x04" + b"\x00" * 400)
CLEAR = NewAttachment(1, "list.csv", "text/csv", b"item,seats\ncourse,12\n")


@dataclass(frozen=True, slots=True)
class Expected:
    """What was put there: how many records, and which of them should be found. `ids` are in order of writing."""

    records: int
    personal: int
    unreadable: int
    ids: tuple[str, ...]

    @property
    def hits(self) -> int:
        """Records that should be pulled out."""
        return self.personal + self.unreadable


def fill_crm(db: Database, keys: Keys, count: int, *, personal: int, unreadable: int = 0, files: int = 0,
             seed: int = 7, trackers: Sequence[str] = ("dana.reid", "marcus.lee")) -> Expected:
    """Write `count` records. The first of every `count // personal` is personal, and so on; `files` have a harmless
    attachment. Sizes run from one sentence to about 10 kB."""
    chance = random.Random(seed)  # noqa: S311 - invented text, no secrets
    bad, dark = set(_spread(count, personal, 0)), set(_spread(count, unreadable, 1))
    with_file = set(_spread(count, files, 2)) - dark
    ids: list[str] = []
    for begin in range(0, count, 500):
        with db.session() as session:
            for n in range(begin, min(begin + 500, count)):
                body = " ".join(chance.choices(SENTENCES, k=_size(chance)))
                body = f"{PERSONAL}{n}. {body}" if n in bad else f"About order {n}. {body}"
                attached = [DARK] if n in dark else [CLEAR] if n in with_file else []
                kind = "email" if attached else TYPES[n % len(TYPES)]
                key = keys.digest("item", b"stock", str(seed).encode(), str(n).encode())
                activity = Activity(
                    item_key=key, type=kind, division=DIVISIONS[n % len(DIVISIONS)], matched="contact",
                    reason="address", subject=f"Course {n}", body=body, message_id=f"m{n}@client.example.com",
                    sent=now(), participants=PARTIES)
                activity.filled = version(content_of(activity, attached))
                session.add(activity)
                session.add_all(Attachment(activity_id=activity.id, number=a.number, name=a.name, size=len(a.content),
                                           content_type=a.content_type, content=a.content) for a in attached)
                if kind not in ("note", "phonecall"):
                    session.add(ActivityTracker(activity_id=activity.id, tracker=trackers[n % len(trackers)]))
                ids.append(activity.id)
    return Expected(count, len(bad - dark), len(dark), tuple(ids))


SIZES = {1: 30, 2: 30, 3: 20, 5: 10, 10: 7, 40: 2, 150: 1}
"""Sentences of a record, and how often."""


def _size(chance: random.Random) -> int:
    return chance.choices(list(SIZES), list(SIZES.values()))[0]


def _spread(count: int, some: int, offset: int) -> Iterator[int]:
    """`some` numbers below `count`, evenly, beginning at `offset`."""
    for n in range(some):
        yield min(count - 1, offset + n * (count // some))
