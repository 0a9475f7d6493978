"""Check digits, written from the public specifications named in each function.

Every function takes a string of decimal digits (IBAN: letters and digits) without separators and says
whether it is valid. None of them raises.
"""

from __future__ import annotations

_PHN_WEIGHTS = (2, 4, 8, 5, 10, 9, 7, 3)


def luhn(digits: str) -> bool:
    """Tell whether the last digit is the Luhn check digit of those before it.

    From the right every second digit is doubled (two-digit products lose nine); the sum is a multiple
    of ten. Source: ISO/IEC 7812-1, annex B.
    """
    total = 0
    for i, c in enumerate(reversed(digits)):
        n = ord(c) - 48
        if i % 2:
            n = n * 2 - 9 if n > 4 else n * 2
        total += n
    return bool(digits) and total % 10 == 0


def sin(digits: str) -> bool:
    """Canadian social insurance number: nine digits, the first 1 to 7 or 9, Luhn.

    Source: Government of Canada, Social Insurance Number code of practice (0 and 8 are not issued).
    """
    return len(digits) == 9 and digits[0] in "12345679" and luhn(digits) and len(set(digits)) > 1


def pen(digits: str) -> bool:
    """BC personal education number: nine digits. Digits 1, 3, 5 and 7 are summed; digits 2, 4, 6 and 8
    read as one number are doubled and the digits of that product summed; the check digit brings the
    total to a multiple of ten.

    Source: BC Ministry of Education, PEN check digit (bcgov PenUtil).
    """
    if len(digits) != 9:
        return False
    odd = sum(map(int, digits[0:8:2]))
    even = sum(map(int, str(int(digits[1:8:2]) * 2)))
    return (odd + even + int(digits[8])) % 10 == 0 and len(set(digits)) > 1


def phn(digits: str) -> bool:
    """BC personal health number: ten digits, the first 9. Digits 2 to 9 are weighted 2, 4, 8, 5, 10, 9,
    7, 3, each product taken modulo 11; eleven minus the sum modulo 11 is the last digit (10 and 11 are
    never issued).

    Source: BC Ministry of Health, Compliance Standards, Appendix D.
    """
    if len(digits) != 10 or digits[0] != "9":
        return False
    rest = sum(int(d) * w % 11 for d, w in zip(digits[1:9], _PHN_WEIGHTS, strict=True)) % 11
    return 11 - rest == int(digits[9])


def nhs(digits: str) -> bool:
    """NHS number (England, Wales, Isle of Man): ten digits, the first nine weighted 10 down to 2; eleven
    minus the sum modulo 11 is the last digit, 11 counting as 0 and 10 being never issued.

    Source: NHS Data Dictionary, NHS NUMBER.
    """
    if len(digits) != 10 or len(set(digits)) == 1:
        return False
    check = 11 - sum(int(d) * w for d, w in zip(digits[:9], range(10, 1, -1), strict=True)) % 11
    return check % 11 == int(digits[9]) and check != 10


def ssn(digits: str) -> bool:
    """US social security number: nine digits; area not 000, 666 or 900-999, group not 00, serial not
    0000. There is no check digit.

    Source: US Social Security Administration, SSN randomization.
    """
    return (len(digits) == 9 and digits[:3] not in ("000", "666") and digits[0] != "9"
            and digits[3:5] != "00" and digits[5:] != "0000" and len(set(digits)) > 1)


def card(digits: str) -> bool:
    """Payment card number: 13 to 19 digits with a known issuer prefix and length, Luhn.

    Visa 4 (13, 16, 19), Mastercard 51-55 and 2221-2720 (16), American Express 34, 37 (15), Discover
    6011, 644-649, 65 (16), Diners 300-305, 36, 38 (14), JCB 3528-3589 (16).
    Source: ISO/IEC 7812-1 and the issuers' published ranges.
    """
    return card_form(digits) and luhn(digits)


def card_form(digits: str) -> bool:
    """Issuer prefix and length of a payment card, whatever its check digit (see `card`)."""
    n, two, four = len(digits), int(digits[:2] or 0), int(digits[:4] or 0)
    known = ((digits[:1] == "4" and n in (13, 16, 19))
             or (n == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))
             or (n == 15 and two in (34, 37))
             or (n == 16 and (four == 6011 or two == 65 or 6440 <= four <= 6499))
             or (n == 14 and (3000 <= four <= 3059 or two in (36, 38)))
             or (n == 16 and 3528 <= four <= 3589))
    return known and len(set(digits)) > 1


_IBAN_LENGTH = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24,
    "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21,
    "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21,
    "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "XK": 20,
}


def iban(value: str) -> bool:
    """International bank account number: the country's length, and modulo 97 equal to 1 after moving the
    first four characters to the end and reading letters as 10 to 35.

    Source: ISO 13616 and the SWIFT IBAN registry (lengths).
    """
    value = value.upper()
    if _IBAN_LENGTH.get(value[:2]) != len(value) or not value.isalnum() or not value.isascii():
        return False
    return int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 == 1
