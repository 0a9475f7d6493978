"""A demo home with held items for the desk: invented people of two divisions, canaries in every place of a mail."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from world import SETTINGS, World, mail, make_world

from capture import worker
from capture.demo.cast import enter_people
from capture.demo.files import encrypted_zip

HOSTILE = '"><img src=x onerror="window.hit=1"><script>window.hit=2</script>'
"""What must be shown as text, or not at all."""
NAMES = ("Ada Brookfield", "Ben Ostrander", "Cora Lindqvist", "Dev Malhotra", "Elif Karaca", "Femi Adeyemi",
         "Greta Holm", "Hana Sato", "Ivo Petrov", "June Whitlock", "Kofi Mensah", "Lena Vogel")
ROSTER = tuple((name, f"19{70 + n}-0{1 + n % 9}-1{n % 9}") for n, name in enumerate(NAMES))


def roster() -> bytes:
    """A table of people with birth dates; one of them is a canary."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["Name", "Date of birth", "Social insurance number"])
    lines.writerow([CANARY_NAME, CANARY_BIRTH, CANARY_SIN])
    lines.writerows([name, birth, ""] for name, birth in ROSTER)
    return text.getvalue().encode()


SMALL = f"Hello,\n\nthe room is booked for Monday. Her {{what}} is {CANARY_SIN}.\n\nRegards\nRose\n"


def make_desk_world(home: Path, **more: bytes) -> World:
    """The home, everything in it held: north has a roster (the worst), three mails of one family, one its own reviewer
    wrote; south has one, and `more` mails by name. One of them cannot be read."""
    world = make_world(home, SETTINGS + '[sign_in]\nkind = "demo"\nfresh_minutes = 30\n')
    enter_people(world.settings)
    sender = f"{CANARY_NAME} {HOSTILE}".replace('"', "").replace("<", "(").replace(">", ")")
    world.put("dana.reid", "roster", mail(
        f"List of {CANARY_NAME} {HOSTILE}", f"Dear team,\n\nplease register {CANARY_NAME}, born {CANARY_BIRTH}.\n",
        sender=f'"{sender}" <rose@client.example.com>',
        attachments=((f"{CANARY_NAME} {HOSTILE.replace('/', '')}.csv", "text/csv", roster()),)))
    for number, what in enumerate(("social insurance number", "SIN", "SIN number")):
        world.put("dana.reid", f"small-{number}", mail(f"Room for {CANARY_NAME}", SMALL.format(what=what)))
    world.put("dana.reid", "from-vera", mail(
        "A note", f"My date of birth is {CANARY_BIRTH}.\n", sender="Vera Stone <vera.stone@example.org>"))
    archive = encrypted_zip("list.csv", roster(), "not in the mail")
    world.put("dana.reid", "locked", mail("Archive", "The archive is attached.\n",
                                          attachments=(("archive.zip", "application/zip", archive),)))
    world.put("marcus.lee", "south", mail(f"About {CANARY_NAME}", f"Please note the SIN {CANARY_SIN}.\n",
                                          to="marcus.lee@example.org"))
    for name, raw in more.items():
        world.put("marcus.lee", name, raw)
    worker.run(world.settings, once=True)
    return world
