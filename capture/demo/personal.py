"""The demo mails that must be held: personal information, or something that could not be read.

Identifiers have the right shape and check digit; the people they belong to are invented.
"""

from __future__ import annotations

from datetime import date
from email.message import EmailMessage

from capture.demo.compose import (
    ANNICK,
    CSV,
    DANA,
    DOCX,
    ELLIOT,
    GURPREET,
    LEIF,
    MARCUS,
    PDF,
    PRIYA,
    ROSE,
    SAMIRA,
    TOM,
    XLSX,
    ZIP,
    File,
    letter,
)
from capture.demo.files import csv_file, docx, encrypted_zip, scanned_pdf, xlsx

_HEADER = ("Last name", "First name", "Date of birth", "Student no.", "Home phone", "Result")
_ROSTER = (
    _HEADER,
    ("Abernethy", "Colin", date(1988, 7, 14), 30114482, "604-555-0120", "Pass"),
    ("Basra", "Harleen", date(1993, 1, 30), 30114490, "604-555-0121", "Pass"),
    ("Cho", "Vincent", date(1979, 11, 2), 30114507, "778-555-0122", "Incomplete"),
    ("Delorme", "Sylvie", date(1990, 5, 19), 30114515, "604-555-0123", "Pass"),
    ("Ekwueme", "Tobias", date(1985, 9, 8), 30114523, "604-555-0124", "Fail"),
)


def roster_xlsx() -> EmailMessage:
    """A harmless sentence above a workbook of names, birth dates, student numbers and home phones."""
    return letter(TOM, [DANA], "Participants for May", f"""
Hi Dana,

Our list for the May delivery is attached. Five more will follow next week.
{TOM.signature}""", day=20, files=[File("participants-may.xlsx", XLSX, xlsx("May", _ROSTER))],
                  ident="20260320-halvorsen-2")


def roster_csv() -> EmailMessage:
    """The same kind of list as a comma-separated file."""
    rows = (
        ("name", "birth_date", "home_phone", "station"),
        ("Ingrid Falk", date(1994, 2, 11), "250-555-0145", "1"),
        ("Noah Quesnel", date(1999, 12, 5), "250-555-0146", "2"),
        ("Peter Wiebe", date(1982, 6, 27), "250-555-0147", "2"),
        ("Asha Menon", date(1991, 8, 3), "250-555-0148", "1"),
    )
    return letter(LEIF, [MARCUS], "Crew list for registration", f"""
Marcus, export of our crew list as you asked. Same course as last year.
{LEIF.signature}""", day=23, files=[File("crew.csv", CSV, csv_file(rows))], ident="c0ffee-crew")


def long_thread() -> EmailMessage:
    """A long thread about a room; the personal sentence stands far down, in a quoted part."""
    return letter(SAMIRA, [DANA], "RE: RE: RE: Annacis hall on May 12", f"""
Perfect, the hall is yours on both days. Setup from 7:00, keys at the desk.
{SAMIRA.signature}
On Fri, Mar 20, 2026 at 10:02, Dana Reid wrote:
> Thank you! Two more questions: is the projector HDMI, and may we tape the floor for the
> scenario corners?
>
> Dana
>
> On Thu, Mar 19, 2026 at 16:47, Samira Okafor wrote:
>> HDMI, yes, and painter's tape is fine. Nothing that leaves glue.
>>
>> On Thu, Mar 19, 2026 at 11:30, Dana Reid wrote:
>>> Hi Samira, could we have the hall instead of the classroom? Twenty-four people and four
>>> scenario corners are tight in there.
>>>
>>> On Wed, Mar 18, 2026 at 08:55, Samira Okafor wrote:
>>>> Morning Dana. Sorry for the slow answer. Tom is at home this week, his wife Karen lost the
>>>> baby on Sunday and they are both taking it very hard, so I am covering the bookings.
>>>> Which room did you need?
>>>>
>>>> On Mon, Mar 16, 2026 at 13:20, Dana Reid wrote:
>>>>> Hi Tom, can you confirm the classroom for May 12 and 13?
>>>>> The workbooks arrive on the 8th, is there a place to store three boxes?
""", day=20, hour=13, ident="20260320-okafor-4")


def scanned_letter() -> EmailMessage:
    """A PDF that is only a picture: nothing to read, so it is held and not taken for clean."""
    page = scanned_pdf([
        "Nechako Valley Fire Rescue",
        "1200 Hall Road",
        "",
        "March 18, 2026",
        "",
        "To the registrar:",
        "",
        "Firefighter Peter Wiebe was unable to complete the practical",
        "examination on February 20 because of a knee operation.",
        "We ask that he may take it with the May group.",
        "",
        "Rose Antoine, Deputy Fire Chief",
    ])
    return letter(ROSE, [DANA], "Letter for the registrar", f"""
Hello Dana, please see the attached letter. The original is in the post.
{ROSE.signature}""", day=18, files=[File("scan0007.pdf", PDF, page)], ident="antoine-scan-7")


def sin_in_signature() -> EmailMessage:
    """A social insurance number below a signature, left there from a form for contractors."""
    return letter(ELLIOT, [DANA], "My availability in May", """
Hi Dana,

I can take both May dates at Fraserview, and the 26th if you still need somebody. My rate is unchanged.

--
Elliot Brandt
Scheduling Officer and sessional instructor, Harbour Justice Institute
T 604-555-0113 | elliot.brandt@example.org
SIN 130 692 544 (for the contractor form)
""", day=6, ident="brandt-may")


def doctors_note() -> EmailMessage:
    """A doctor's note as a Word file under two harmless lines."""
    note = docx([
        "Tidewater Family Practice",
        "March 12, 2026",
        "Re: Harleen Basra, PHN 9698 658 215, born January 30, 1993",
        "I saw Ms. Basra today. She has a fractured left wrist and is to avoid lifting and defensive tactics "
        "practice for six weeks. She may attend classroom sessions.",
        "Dr. O. Lindqvist",
    ])
    return letter(TOM, [MARCUS], "Note for the file", f"""
Hi Marcus, one of our participants brought this in, please put it with the registrations.
{TOM.signature}""", day=16, hour=15, files=[File("note.docx", DOCX, note)], ident="20260316-halvorsen-1")


def health_sentence() -> EmailMessage:
    """One kind sentence about somebody's illness in a business mail."""
    return letter(GURPREET, [MARCUS], "Cohort 2 trainer", f"""
Hi Marcus,

We need a different co-trainer for cohort 2. Irene has been diagnosed with breast cancer and starts chemo
on Monday, so she is off until the fall at least. Could Elliot step in on June 16? The lesson plans are
done and the room is booked.
{GURPREET.signature}""", day=19, hour=10, ident="dhami-cohort2")


def locked_zip() -> EmailMessage:
    """An archive with a password: it cannot be read, so it is held."""
    data = encrypted_zip("participants.csv", csv_file(_ROSTER), "not-in-this-mail")
    return letter(TOM, [MARCUS], "Remaining participants", f"""
Marcus, the other participants are in the archive. I will give you the password by phone.
{TOM.signature}""", day=24, files=[File("participants.zip", ZIP, data)], ident="20260324-halvorsen-5")


def nested_forward() -> EmailMessage:
    """A mail inside a mail: the outer one says nothing, the inner one tells of a record check."""
    inner = letter(ROSE, [ELLIOT], "Record check, Noah Quesnel", f"""
Elliot, the criminal record check for Noah Quesnel came back: he was convicted of impaired driving in 2021
and is still prohibited from driving. He cannot do the vehicle module. Please keep this between us.
{ROSE.signature}""", day=24, hour=8, ident="antoine-check-2")
    outer = letter(ELLIOT, [MARCUS], "FW: for your planning", f"""
See attached, please plan the vehicle module accordingly.
{ELLIOT.signature}""", day=24, hour=11, ident="brandt-fw-12")
    outer.add_attachment(inner)
    return outer


def french_sick_leave() -> EmailMessage:
    """A French mail about the reason of an absence."""
    return letter(ANNICK, [PRIYA], "RE : Soumission, séance du 28 avril", f"""
Bonjour Priya,

Merci pour la soumission, le prix nous convient. Une chose a changé : Luc Marchand, qui devait
accueillir le groupe, est en congé de maladie depuis lundi. Il a fait une dépression et son médecin
l'a arrêté pour trois mois. C'est moi qui serai sur place le 28.

Bonne journée,
{ANNICK.signature}""", day=23, ident="20260323-bouchard-6")


def portal_password() -> EmailMessage:
    """A password that works, sent with good intentions."""
    return letter(GURPREET, [PRIYA], "Access to our incident library", f"""
Hi Priya,

You can take the scenarios straight from our library at https://library.cedarline-transit.example.com.
User name: hji-partner, password: Depot4!Lantern. It expires in June.
{GURPREET.signature}""", day=20, hour=8, ident="dhami-library")


def study_permit() -> EmailMessage:
    """A student's immigration status in a question about a placement."""
    return letter(MARCUS, [PRIYA], "Placement at Montclair", f"""
Hi Priya,

One snag for the placement: Farida Haidari's study permit runs out on May 31 and her work permit was
refused last week, so she cannot start in June. Can Annick take somebody else, or wait until her lawyer
has an answer?
{MARCUS.signature}""", day=25, ident="lee-placement-3")


# Not tracked: the users keep these to themselves, and mailweir must not touch them.


def lunch() -> EmailMessage:
    return letter(MARCUS, [DANA], "Lunch on Friday?", """
New noodle place across from the station, 12:15? My treat, you did the whole binder.

M.
""", day=19, ident="lunch-friday")


def family_note() -> EmailMessage:
    return letter(ELLIOT, [MARCUS], "Saturday", """
Our daughter turns six on Saturday and we are at home all afternoon: 418 Wren Street, side gate.
Bring the boys. My private number is 604-555-0190 in case you get lost.

Elliot
""", day=20, hour=17, ident="brandt-saturday")


def application() -> EmailMessage:
    return letter(LEIF, [PRIYA], "Application for the sessional instructor posting", """
Dear Priya,

I would like to apply for the sessional instructor posting. I have 14 years in the fire service and taught
Incident Command twice. I am leaving Nechako at the end of June for family reasons, please treat this in
confidence for now.

Leif Marchuk
""", day=24, hour=20, ident="marchuk-application")


def draft_minutes() -> EmailMessage:
    return letter(PRIYA, [DANA], "Draft minutes, partnerships meeting", """
Dana, my rough notes before I clean them up. Nothing for the CRM yet.

- Montclair: two sessions in April, French materials to be printed
- Cedarline: June, two cohorts
- Boundary Bay: call back after Easter
""", day=20, hour=16, ident="nair-minutes")
