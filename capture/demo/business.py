"""The demo mails that are business only: each of them must reach the CRM."""

from __future__ import annotations

from email.message import EmailMessage

from capture.demo.compose import (
    ANNICK,
    DANA,
    DOCX,
    GURPREET,
    LEIF,
    MARCUS,
    MOIRA,
    NEWS,
    PDF,
    PRIYA,
    ROSE,
    SAMIRA,
    TOM,
    WALLACE,
    File,
    letter,
)
from capture.demo.files import docx, pdf


def quote() -> EmailMessage:
    """A price for a course, sent to a client with the coordinator in copy: two people track it."""
    return letter(DANA, [SAMIRA], "Quote Q-2026-118: conflict resolution, two days", f"""
Good morning Samira,

Thank you for the call on Monday. Here is our quote for the conflict resolution course at your
Annacis training hall:

  Course design and adaptation        1   $  1,850.00
  Delivery, 2 days, 2 instructors     1   $  7,400.00
  Participant workbooks              24   $    816.00
  Travel and parking                  1   $    240.00
                                          -----------
  Total before GST                        $ 10,306.00

The price holds until April 30 for up to 24 participants. We can offer May 12-13 or May 26-27.
If you send me a purchase order number I will draw up the agreement the same day.
{DANA.signature}""", day=4, cc=[MARCUS], ident="q-2026-118")


def signed_agreement() -> EmailMessage:
    """A signed contract comes back as a Word file."""
    agreement = docx([
        "SERVICES AGREEMENT 2026-0447",
        "between Harbour Justice Institute (the Institute) and Fraserview Police Department (the Client).",
        "1. The Institute delivers Conflict Resolution for Supervisors on May 12 and 13, 2026, at the "
        "Client's Annacis training hall, for up to 24 participants.",
        "2. The Client pays $10,306.00 plus GST within 30 days of the invoice. "
        "GST registration 80012 3456 RT0001.",
        "3. Either party may terminate this agreement with 21 days' written notice. On termination the "
        "Client pays for work completed.",
        "4. The Institute collects participant information only as needed for registration and protects it "
        "under the Freedom of Information and Protection of Privacy Act.",
        "5. Intellectual property in the course materials stays with the Institute.",
        "Signed for the Client: Samira Okafor, Inspector, Training Section",
        "Signed for the Institute: Dana Reid, Manager, Contract Training",
    ])
    return letter(SAMIRA, [DANA], "Signed agreement 2026-0447", f"""
Hi Dana,

Signed copy attached, our PO is 4500081273. Please quote it on the invoice. Tom is your contact for
the room, the projector and parking passes.
{SAMIRA.signature}""", day=9, hour=14, files=[File("agreement-2026-0447.docx", DOCX, agreement)],
                  ident="20260309-okafor-1")


def invoice() -> EmailMessage:
    """An invoice as a PDF with text: business numbers of every shape, none of them a person's."""
    sheet = pdf([
        "INVOICE 2026-03-0092                                   Harbour Justice Institute",
        "Date: March 11, 2026                                   GST 80012 3456 RT0001",
        "",
        "Bill to: Nechako Valley Fire Rescue, 1200 Hall Road, accounts payable",
        "PO 77-20418   Contract C-2025-311   Course FIRE-2210, Incident Command 200",
        "",
        "Delivery, 3 days                        1      $ 6,900.00",
        "Simulation trailer                      3      $ 1,350.00",
        "Certificates                           16      $   160.00",
        "GST 5 %                                        $   420.50",
        "Total                                          $ 8,830.50",
        "",
        "Please pay within 30 days. Questions: accounts receivable, 604-555-0115.",
    ])
    return letter(DANA, [ROSE], "Invoice 2026-03-0092 for Incident Command 200", f"""
Hello Chief Antoine,

The invoice for February's Incident Command 200 is attached, against PO 77-20418. All sixteen
certificates went out by courier yesterday, tracking 7316 2204 9985.
{DANA.signature}""", day=11, files=[File("invoice-2026-03-0092.pdf", PDF, sheet)], ident="inv-2026-03-0092")


def newsletter() -> EmailMessage:
    """A newsletter that is only HTML."""
    return letter(NEWS, [DANA], "Western Training Bulletin, March", """
<html><head><title>Western Training Bulletin</title><style>h1 { color: #204060 }</style></head><body>
<h1>Western Training Bulletin</h1>
<p>In this issue: funding for small municipalities, a new simulator in Kamloops, and dates for the
spring conference.</p>
<h2>Funding round opens</h2>
<p>Municipalities under 5,000 inhabitants may apply until <b>April 17</b> for help with instructor travel.
The average grant last year was $3,200.</p>
<h2>Conference: April 22 to 24</h2>
<table border="1"><tr><th>Day</th><th>Track</th><th>Room</th></tr>
<tr><td>Wednesday</td><td>Emergency management</td><td>Salon A</td></tr>
<tr><td>Thursday</td><td>Use of simulation in driver training</td><td>Salon C</td></tr>
<tr><td>Friday</td><td>Contracts and procurement for trainers</td><td>Salon A</td></tr></table>
<p><a href="https://wtn.example.net/register">Register</a> before April 3 for the early rate.</p>
<p><small>You receive this bulletin because you subscribed at wtn.example.net.
<a href="https://wtn.example.net/unsubscribe">Unsubscribe</a></small></p>
</body></html>
""", day=2, ident="bulletin-2026-03", subtype="html")


def proposal() -> EmailMessage:
    """A sent proposal in plain words."""
    return letter(DANA, [GURPREET], "Proposal: de-escalation for transit supervisors", f"""
Hi Gurpreet,

As promised, our thoughts on the supervisor program:

- three half days instead of two full ones, so that you never lose a whole shift
- scenarios from your own incident reports, with everything that could identify a rider removed
- a short refresher online after six months

Forty supervisors in two cohorts would come to $18,600 plus GST. If that fits your budget I will ask
Marcus to hold the simulation room for June 9-11 and June 16-18.
{DANA.signature}""", day=5, hour=16, ident="cedarline-proposal-1")


def invitation() -> EmailMessage:
    """An invitation from a calendar, with a conference number and a pass code for the meeting."""
    mail = letter(TOM, [DANA, MARCUS], "Planning meeting: May delivery", f"""
Calendar invitation attached. We have the small boardroom, and a line for anybody who is on the road.
{TOM.signature}""", day=12, hour=11, ident="plan-0512")
    event = "\r\n".join([
        "BEGIN:VCALENDAR",
        "PRODID:-//Fraserview//Calendar//EN",
        "VERSION:2.0",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        "UID:plan-0512@fraserview-pd.example.com",
        "DTSTAMP:20260312T190000Z",
        "DTSTART:20260319T170000Z",
        "DTEND:20260319T180000Z",
        "SUMMARY:Planning meeting: May delivery",
        "LOCATION:Boardroom 2\\, or conference line 1-866-555-0199",
        "DESCRIPTION:Agenda: room set-up\\, instructor arrival\\, workbooks\\, evaluation form.",
        "ORGANIZER;CN=Tom Halvorsen:mailto:t.halvorsen@fraserview-pd.example.com",
        "ATTENDEE;CN=Dana Reid;ROLE=REQ-PARTICIPANT:mailto:dana.reid@example.org",
        "ATTENDEE;CN=Marcus Lee;ROLE=REQ-PARTICIPANT:mailto:marcus.lee@example.org",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ])
    mail.add_attachment(event, subtype="calendar", filename="invite.ics",
                        params={"method": "REQUEST"}, cte="7bit")
    return mail


def blank_form() -> EmailMessage:
    """An empty registration form: it asks for personal information and holds none."""
    form = docx([
        "PARTICIPANT REGISTRATION",
        "Please complete one form for each participant and return it by fax to 604-555-0116.",
        "Last name: ______________________   First name: ______________________",
        "Date of birth (YYYY-MM-DD): ____________   Student number, if known: ____________",
        "Home address: ____________________________________________",
        "Home phone: ______________   Emergency contact: ______________",
        "Dietary or accessibility needs: ____________________________",
        "Your information is collected under section 26(c) of the Freedom of Information and Protection of "
        "Privacy Act for the purpose of registration.",
    ])
    return letter(MARCUS, [TOM], "Registration form for your participants", f"""
Hi Tom,

Here is the blank registration form for May. Please have each participant fill in their own and fax it
to the registration office; do not collect them by e-mail, they ask for a birth date and a home phone.
{MARCUS.signature}""", day=13, files=[File("registration-form.docx", DOCX, form)], ident="reg-form-0513")


def no_message_id() -> EmailMessage:
    """A mail from an office scanner's mail program, which writes no Message-ID."""
    return letter(LEIF, [MARCUS], "Hall keys and trailer parking", f"""
Marcus,

You can pick up the hall keys at the front counter any weekday from 8 to 4. Park the simulation trailer
on the east side, the west lot floods. Hydrant test is at 10, so expect noise in the first session.
{LEIF.signature}""", day=16, ident=None)


def french_quote() -> EmailMessage:
    """A request for a price in French."""
    return letter(ANNICK, [PRIYA], "Demande de soumission : formation en premiers secours", f"""
Bonjour Priya,

Suite à notre conversation de jeudi, nous aimerions recevoir une soumission pour deux séances de
secourisme en milieu de travail, en français, à nos bureaux de Gatineau :

- séance 1 : 21 et 22 avril, 16 participants
- séance 2 : 28 et 29 avril, 14 participants

Le prix doit comprendre les manuels et les attestations. Notre numéro de bon de commande sera le
BC-2026-0871. La salle est équipée d'un projecteur et le stationnement est gratuit.

Merci et bonne journée,
{ANNICK.signature}""", day=10, ident="20260310-bouchard-3")


def unknown_company() -> EmailMessage:
    """Somebody from a company the CRM has never heard of: linked, but as unmatched."""
    return letter(WALLACE, [PRIYA], "Do you train forklift and yard crews?", f"""
Hello,

We run a warehouse of 60 people near the ferry terminal and found your course list on the web. Do you
come to the client for violence-prevention training, and what would a half day for about 20 people cost?
We have a lunch room with a screen.
{WALLACE.signature}""", day=17, ident="a81f-pike")


def new_person() -> EmailMessage:
    """A person the CRM does not know, at an organisation it does: linked to the organisation."""
    return letter(MOIRA, [PRIYA], "Room change for the June cohort", f"""
Hi Priya,

The training room at Depot 4 is being painted in the first half of June, so we moved you to the assembly
room on the second floor: 30 seats, two whiteboards, elevator access. Reception will let you in, and the
loading bay is free from 7:30.
{MOIRA.signature}""", day=18, ident="20260318-castellan")


def schedule() -> EmailMessage:
    """A sent confirmation of dates and instructors."""
    return letter(PRIYA, [GURPREET], "Confirmed: June dates and instructors", f"""
Hi Gurpreet,

Confirmed for both cohorts:

  June 9-11    08:30-12:00   Depot 4, assembly room   Elliot Brandt, Dana Reid
  June 16-18   08:30-12:00   Depot 4, assembly room   Elliot Brandt, Marcus Lee

Elliot brings the workbooks and the evaluation forms. The course code for your records is TRN-3305.
{PRIYA.signature}""", day=19, ident="cedarline-confirm-1")
