"""Who writes in the demo, and how a mail is put together.

Everybody is invented. The institute sits on example.org, its clients under example.com and example.net,
telephone numbers end in 555-01xx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

PACIFIC = timezone(timedelta(hours=-8))

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PDF = "application/pdf"
CSV = "text/csv"
ZIP = "application/zip"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes, with the business card the signature is made of."""

    name: str
    title: str
    organisation: str
    email: str
    phone: str

    @property
    def address(self) -> Address:
        return Address(self.name, addr_spec=self.email)

    @property
    def signature(self) -> str:
        """The business signature: contact information in the sense of the Act, never a reason to hold."""
        return f"\n--\n{self.name}\n{self.title}, {self.organisation}\nT {self.phone} | {self.email}\n"


_HERE = "Harbour Justice Institute"
_FRASERVIEW = "Fraserview Police Department"
_NECHAKO = "Nechako Valley Fire Rescue"
_CEDARLINE = "Cedarline Transit"

DANA = Person("Dana Reid", "Manager, Contract Training", _HERE, "dana.reid@example.org", "604-555-0110")
MARCUS = Person("Marcus Lee", "Program Coordinator", _HERE, "marcus.lee@example.org", "604-555-0111")
PRIYA = Person("Priya Nair", "Partnerships Advisor", _HERE, "priya.nair@example.org", "604-555-0112")
ELLIOT = Person("Elliot Brandt", "Scheduling Officer", _HERE, "elliot.brandt@example.org", "604-555-0113")

SAMIRA = Person("Samira Okafor", "Inspector, Training Section", _FRASERVIEW,
                "s.okafor@fraserview-pd.example.com", "604-555-0131")
TOM = Person("Tom Halvorsen", "Training Coordinator", _FRASERVIEW,
             "t.halvorsen@fraserview-pd.example.com", "604-555-0132")
ROSE = Person("Rose Antoine", "Deputy Fire Chief", _NECHAKO,
              "rose.antoine@nechako-fire.example.com", "250-555-0141")
LEIF = Person("Leif Marchuk", "Captain", _NECHAKO, "leif.marchuk@nechako-fire.example.com", "250-555-0142")
GURPREET = Person("Gurpreet Dhami", "Learning Specialist", _CEDARLINE,
                  "gurpreet.dhami@cedarline-transit.example.com", "604-555-0151")
MOIRA = Person("Moira Castellan", "Dispatch Supervisor", _CEDARLINE,
               "moira.castellan@cedarline-transit.example.com", "604-555-0153")
ANNICK = Person("Annick Bouchard", "Directrice de la formation", "Sécurité Montclair",
                "a.bouchard@securite-montclair.example.com", "819-555-0161")
WALLACE = Person("Wallace Pike", "Operations Manager", "Boundary Bay Logistics",
                 "wallace.pike@boundarybay.example.net", "604-555-0171")
NEWS = Person("Western Training Bulletin", "Editors", "Western Training Network",
              "bulletin@wtn.example.net", "604-555-0180")


@dataclass(frozen=True, slots=True)
class File:
    """An attachment: its name, its media type, its bytes."""

    name: str
    media_type: str
    data: bytes


def letter(
    sender: Person,
    to: Sequence[Person],
    subject: str,
    text: str,
    *,
    day: int,
    hour: int = 9,
    cc: Sequence[Person] = (),
    files: Sequence[File] = (),
    ident: str | None = None,
    subtype: str = "plain",
) -> EmailMessage:
    """One mail of March 2026, without a tag.

    `ident` is the local part of the Message-ID; `None` leaves the header out, as some old devices do.
    """
    mail = EmailMessage()
    mail["From"] = sender.address
    mail["To"] = [person.address for person in to]
    if cc:
        mail["Cc"] = [person.address for person in cc]
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime(2026, 3, day, hour, 15, tzinfo=PACIFIC))
    if ident is not None:
        mail["Message-ID"] = f"<{ident}@{sender.email.partition('@')[2]}>"
    mail.set_content(text.lstrip("\n"), subtype=subtype, cte="7bit" if text.isascii() else "8bit")
    for file in files:
        main, _, sub = file.media_type.partition("/")
        mail.add_attachment(file.data, maintype=main, subtype=sub, filename=file.name)
    return mail


def as_bytes(mail: EmailMessage) -> bytes:
    """The mail as it lies on disk, with boundaries that do not change from run to run."""
    for number, part in enumerate(mail.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            part.set_boundary(f"=_demo_{number}")
    return mail.as_bytes()
