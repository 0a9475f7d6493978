"""Strong facts told in running prose rather than beside a label, and their near-misses. All people are invented."""

from __future__ import annotations

import pytest

from pii_scan import checkdigits
from pii_scan.recognizers import load
from pii_scan.recognizers.base import WALL, IndexedText
from pii_scan.recognizers.spelled import spelled
from pii_scan.settings import ScanSettings


def scores(kind: str, text: str) -> list[float]:
    return [r.score for r in load(kind, ScanSettings()).analyze(text, [kind])]


BLOCKED = {
    "id_in_context": [
        "Her social insurance card arrived. I typed it in for the new file, and so that you have it too: 676888068.",
        "The personal health number is needed by noon. Mother read it to me twice, it is 9698 658 215.",
        f"SIN for the new hire\n{WALL}\nHere it is: 676-888-068",
        "67 68 88 06 8 is the SIN on the slip",
        "SIN, as she said it: six seven six, double eight eight, oh six eight",
        "le NAS de Denis : six sept six, huit huit huit, zéro six huit",
        "6 7 6 8 8 8 0 6 8 is the social insurance number",
    ],
    "access_code": [
        "just log in as me, it's Kestrel!41",
        "sign in as frontdesk, Copper#Lantern7, and leave the window open",
        "Use the kiosk: user lobby2, type Gr8!Harbour when it asks",
        "connecte-toi avec mtremblay et Rivage#204",
        "the yard gate code is 5521, push hard",
        "punch 7-3-0-4 then star at the side door",
        "alarm panel: disarm with 8816 within 30 seconds",
        "the safe goes right to 14, left past it to 41, right to 9",
        "the tablet pin is 492017",
        "door code four seven one two",
        "guest wifi is Maple-Harbour-58",
        "I get in with his (rkamau / Otter%Bridge31)",
        "le code de la porte est 4471",
    ],
    "home_phone": [
        "try me at the cabin, 250-555-0131",
        "I am at my mother's this week, 250-555-0144",
        "ring the house: 604-555-0182",
        "appelle-moi au chalet, 418-555-0162",
        "on peut me joindre chez ma soeur au 819-555-0110",
        "text my own phone 778-555-0198",
        "250-555-0109, that's my landline",
    ],
    "home_address": [
        "drop it off at our place, 44 Seabright Rd",
        "leave the cable at mine: 2209 Gannet Rise, upstairs bell",
        "she is staying with her aunt at 18 Cormorant Drive",
        "3391 Quince Street, basement door, mind the dog",
        "on habite au 212, rue des Erables",
    ],
    "finance": [
        "Her wages are being garnished until the spring.",
        "He is two months behind on the mortgage.",
        "I had to declare bankruptcy, so please pay me by cheque; I went bankrupt last year.",
        "My student loan is in arrears.",
        "The e-transfer is on its way, the answer is bluebird7",
        "visa ending in 4417, exp 09/27",
        "Revenu Québec nous oblige à retenir 30 % de la paie de Luc.",
    ],
    "ca_bank_account": [
        "pay me straight into my chequing account 10-7782341 at the credit union",
        "deposit it to my account, branch 10420, account 551 8720",
    ],
    "criminal_record": [
        "He pleaded guilty to the mischief and his lawyer called.",
        "She was given an absolute discharge in May.",
        "My nephew did two years less a day for robbery.",
        "Her vulnerable sector check came back not clean.",
        "He blew over on Friday and they kept the truck.",
        "He is out on conditions and may not go near the school.",
        "Il a plaidé coupable en mars.",
        "Elle est en liberté conditionnelle depuis juin.",
    ],
    "immigration": [
        "Her PR application is still pending.",
        "His permit runs out in June.",
        "She is on a closed work permit.",
        "He made a refugee claim at the border.",
        "My brother was deported in March.",
        "I am sponsoring my husband this year.",
        "Son permis fermé expire en mai.",
        "Elle est résidente permanente depuis peu.",
    ],
    "education": [
        "He got 41 on the law exam.",
        "She gets extra time and a scribe for the written part.",
        "He was caught with notes up his sleeve.",
        "She is on academic probation.",
        "Il a triché, il a été exclu du programme.",
    ],
    "employment": [
        "She was walked out on Monday.",
        "He is on his last warning.",
        "His contract will not be renewed in June.",
        "Your employment ends today without cause.",
        "Your salary will be $43,118 for the term.",
        "She makes $38 an hour.",
        "Elle a été congédiée hier.",
    ],
    "health": [
        "He is drinking again and went back to rehab.",
        "She is waiting for her biopsy.",
        "My doctor put me on light work until May.",
        "Her psychologist says not before September.",
        "He had a panic attack, he sees a therapist now and has panic attacks.",
        "Elle se fait opérer jeudi.",
    ],
    "family": [
        "She left her husband in the spring.",
        "His ex has the kids this weekend.",
        "She had twins on Tuesday.",
        "Elle vient d'accoucher.",
    ],
    "minor": [
        "My boy is sixteen and starts with the juniors.",
        "She's only eleven, her mom signs for her at camp.",
    ],
    "belief": [
        "He keeps kosher and goes to the synagogue.",
        "She ran for the Greens in the last vote.",
        "He knocked on doors for them, he is a member of the NDP.",
        "She wears a hijab under the helmet.",
        "Elle fait le ramadan cette année.",
    ],
}

DOUBTED = {
    "id_in_context": [
        "Read it off her card for the payroll form: 676 888 068.",
        "Dana Whitlock, 676 888 068, starts on Monday.",
        "six seven six, double eight eight, oh six eight is what he gave me",
        "She wants the T4 changed, her number is 676888068.",
    ],
    "home_phone": ["call me after six at 250-555-0131"],
    "home_address": ["Mrs. Gwen Ferris, 27 Alder Court"],
}

PASSES = {
    "id_in_context": [
        "PO 676 888 068",
        "The invoice 676 888 068 is hers.",
        "our business number is 676888068 RT0001, she has it on the form",
        "a SIN is required for the T4; the reference number of his ticket is 676888068",
        "676 888 068",
        "676 888 069 is what she read off the card for payroll",
        "seven eight nine, then we stop",
        "it is a sin to waste 676888068 litres",
    ],
    "access_code": [
        "the participant code is 5810821#, dial 1-800-555-0134",
        "our cost code for the door is 4471",
        "the building code, section 9.10, wants doors of 2100 mm",
        "your password expires in 14 days, sign in at https://portal.example.org/a?u=b1",
        "log in with your own name and choose a password of at least 8 characters such as Abc!1234",
        "the safe is 1200 mm wide and the door 900",
        "gate opens at 0730, enter by door 1204",
        "postal code and area code 2504",
        "user guide for version B2_41-7, download Guide_v2-41.pdf after you log in",
        "press 4 for the lock shop",
    ],
    "home_phone": [
        "call our office after six at 250-555-0131",
        "the station at the lake, 250-555-0131",
        "try the front desk at the lodge, 250-555-0131",
        "ring the warehouse: 604-555-0182",
        "text the duty officer 778-555-0198",
    ],
    "home_address": [
        "deliver to 715 Harbour Road, side gate of Exempla Supply Ltd.",
        "Mr. Alan Voss, Exempla Ltd, Suite 4, 27 Alder Court",
        "a 10 percent rise in the price",
    ],
    "finance": [
        "The subsidiary filed for bankruptcy protection.",
        "Are you behind on your mortgage? Apply now.",
        "Serve with berries and garnish with mint.",
        "The loan agreement has three covenants and her team reviews them.",
        "The company is in debt to its suppliers.",
    ],
    "ca_bank_account": [
        "Remit to Exempla Supply Ltd., transit 00910, institution 004, account 5233-871",
        "compte 100 884 5, envoyer les factures",
        "savings of 200-900 tons",
    ],
    "criminal_record": [
        "Anyone charged with an offence must tell the registrar.",
        "Module 3: how to write that a suspect pleaded guilty.",
        "The former minister was charged with breach of trust, police said.",
        "He was charged with leading the project.",
        "Il comparaît comme témoin expert.",
        "Son médecin l'a arrêté pour trois mois.",
        "Elle est arrêtée pour 6 semaines.",
        "Waiting over two hours is charged separately.",
        "All applicants must bring a clean record check.",
    ],
    "immigration": [
        "A hot work permit could be issued by Friday.",
        "Students on a study permit must renew before it expires.",
        "The building permit expires in June.",
        "our course on refugee claims",
    ],
    "education": ["Fourteen passed and two got 41 on average.", "Students who fail may rewrite once."],
    "employment": [
        "The trades have been terminated.",
        "Written warnings are covered in section 4 of the policy.",
        "The contract will not be renewed with the vendor.",
    ],
    "health": [
        "The operation of the pump is described in section 3.",
        "Case 2: the dog had surgery, the vet is happy.",
        "A student who takes insulin must tell the medic.",
    ],
    "family": [
        "He was expecting our proposal.",
        "We split up the work with the team.",
        "The company moved out of the building.",
    ],
    "minor": ["The fund is eleven years old.", "Children under 12 pay half."],
    "belief": ["The temple on Oak Street hosts the course on culture.", "The party won the election."],
}


def cases(table: dict[str, list[str]]) -> list[object]:
    return [pytest.param(kind, text, id=f"{kind}-{n}") for kind, texts in table.items() for n, text in enumerate(texts)]


@pytest.mark.parametrize(("kind", "text"), cases(BLOCKED))
def test_told_in_prose_is_found(kind, text):
    assert max(scores(kind, text), default=0) >= 0.8


@pytest.mark.parametrize(("kind", "text"), cases(DOUBTED))
def test_hint_is_doubt(kind, text):
    assert 0.5 <= max(scores(kind, text), default=0) < 0.8


@pytest.mark.parametrize(("kind", "text"), cases(PASSES))
def test_near_miss_passes(kind, text):
    assert scores(kind, text) == []


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("one two three four", "1234"),
        ("call it double seven, triple oh, nine, one", "7700091"),
        ("zéro six, neuf huit", "0698"),
        ("four 7 one 2", "4712"),
        ("one or two of the four", None),
        ("three of them, four of us, six of you", None),
    ],
)
def test_digits_said_as_words(text, digits):
    assert [d for _, _, d in spelled(IndexedText(text))] == ([digits] if digits else [])


def test_the_numbers_used_here_are_what_they_claim():
    assert checkdigits.sin("676888068")
    assert not checkdigits.sin("676888069")
    assert checkdigits.phn("9698658215")


@pytest.mark.parametrize(("text", "found"), [
    ("Peter Wiebe was unable to complete the practical\nexamination in May because of a knee operation.", True),
    ("she missed the rewrite following surgery", True),
    ("He was absent due to a back injury", True),
    ("he was away after the operation review", False),
    ("we were late because of the operation of the plant", False),
    ("Participants who cannot attend because of injury may defer", False),
])
def test_an_absence_and_its_bodily_reason(text: str, found: bool) -> None:
    assert bool([score for score in scores("health", text) if score >= 0.8]) is found
