"""Identifiers read in plain Python, one cell at a time: the oracle of the twin's dirt.

Written from the standards alone; it knows neither the generator nor the product. Returns the
normalised identifier, or None where the text has to be rejected or is empty.
"""

import datetime
import re
import unicodedata


def person(text: str) -> str | None:
    """Reads a resident ID (GB 11643-1999), also in the form of 15 digits."""
    value = folded(text)
    if re.fullmatch(r"\d{15}", value):
        value = value[:6] + "19" + value[6:]
        value += check_character(value)
    if not re.fullmatch(r"\d{17}[\dX]", value) or check_character(value[:17]) != value[17]:
        return None
    try:
        born = datetime.date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return None
    return value if 1850 < born.year < 2030 and value[:2] != "00" else None


def check_character(digits: str) -> str:
    """ISO 7064 MOD 11-2 by its recurrence, not by a table of weights."""
    product = 0
    for digit in digits:
        product = (product + int(digit)) * 2 % 11
    rest = (12 - product) % 11
    return "X" if rest == 10 else str(rest)


def plate(text: str) -> str | None:
    """Reads a plate: province, letter, then the serial of one of the kinds."""
    value = folded(text)
    letters = "A-HJ-NP-Z"
    forms = (
        rf"[{letters}][{letters}\d]{{5}}",
        rf"[{letters}][DF][{letters}\d]\d{{4}}",
        rf"[{letters}]\d{{5}}[DF]",
        rf"[{letters}]\d{{4}}[挂学警]",
        rf"Z[{letters}\d]{{4}}港",
    )
    provinces = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
    return value if re.fullmatch(rf"[{provinces}](?:{'|'.join(forms)})", value) else None


def vin(text: str) -> str | None:
    """Reads a VIN (ISO 3779); the check digit is not asked for."""
    value = folded(text)
    return value if re.fullmatch(r"[A-HJ-NPR-Z1-9][A-HJ-NPR-Z0-9]{16}", value) else None


def vin_checked(value: str) -> bool:
    """Whether place 9 is the check digit of 49 CFR 565."""
    values = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(w * int(values.get(c, c)) for w, c in zip(weights, value, strict=True))
    return value[8] == "0123456789X"[total % 11]


def phone(text: str) -> str | None:
    """Reads a Chinese phone: a mobile number, or a landline with its area code; gives E.164."""
    value = re.sub(r"^(\+|00)86", "", folded(text))
    if re.fullmatch(r"1[3-9]\d{9}", value):
        return "+86" + value
    if re.fullmatch(r"0(10|2\d|[3-9]\d\d)[2-8]\d{7}", value):
        return "+86" + value[1:]
    return None


def folded(text: str) -> str:
    """Folds width and case and leaves out spaces, hyphens and middle dots."""
    return re.sub(r"[\s·-]", "", unicodedata.normalize("NFKC", text)).upper()


PLAIN = {"person": person, "plate": plate, "vin": vin, "phone": phone}
VIN_CHECKED = vin_checked
