"""The identifier rules, slow and readable: the oracle of the Rust kernels, and a teaching text.

Each rule takes the text of one cell and returns `Outcome(value, reason)`: the one spelling that
both parties write, or None and the word that says why not. A reason that begins with "warning: "
keeps the value. The sources and the decisions behind each rule stand at the head of the Rust file
of the same name, under `rust/src/identifiers/`; here is what they amount to.

All rules but the one for text first fold a cell (`fold`), then drop the separators that their kind
may have, then look at what is left in this order: empty, alphabet, length, and the kind's own
checks.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Outcome(NamedTuple):
    """What a rule makes of one cell."""

    value: str | None
    reason: str = ""


class Rejected(Exception):
    """A rule's way out: the reason is the only argument."""


SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
SPACES += "\u2028\u2029\u202f\u205f\u3000"
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
DOTS = ".\u00b7\u0387\u2022\u2027\u2219\u22c5\u30fb\uff65"
INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)


def fold(cell: str) -> str:
    """Brings the ways to type one ASCII character together, and removes what nobody sees."""
    folded = ""
    for c in INVISIBLE.sub("", cell):
        if "\uff01" <= c <= "\uff5e":  # the full-width twins of "!" to "~"
            c = chr(ord(c) - 0xFEE0)
        if c in SPACES:
            c = " "
        elif c in DASHES:
            c = "-"
        elif c in DOTS:
            c = "."
        elif c in "\u2169\u2179":  # the Roman numeral ten
            c = "X"
        folded += c.upper() if c.isascii() else c
    return folded


def characters(cell: str, alphabet: str, separators: str) -> str:
    """Folds, drops the separators, and demands that something of the alphabet is left."""
    kept = "".join(c for c in fold(cell) if c not in separators)
    if any(c not in alphabet for c in kept):
        raise Rejected("alphabet")
    if not kept:
        raise Rejected("empty")
    return kept


DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def day(year: int, month: int, date: int) -> datetime.date | None:
    """The day of the calendar between 1800 and 2099, if there is one."""
    try:
        found = datetime.date(year, month, date)
    except ValueError:
        return None
    return found if 1800 <= year <= 2099 else None


PROVINCES_BY_CODE = {
    *range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55),
    *range(61, 66), 71, 81, 82, 83, *range(90, 100),
}  # fmt: skip


def mod_11_2(digits: str) -> str:
    """The check character of ISO 7064 MOD 11-2: it makes the number 1 modulo 11, read in base 2."""
    remainder = 0
    for digit in digits:
        remainder = (remainder + int(digit)) * 2 % 11
    return "0123456789X"[(1 - remainder) % 11]


def resident_id(cell: str) -> str:
    """18 characters of GB 11643-1999; 15 digits get the century 19 and a check character."""
    number = characters(cell, DIGITS + "X", " -")
    if len(number) not in (15, 18):
        raise Rejected("length")
    body = number if len(number) == 15 else number[:17]
    if "X" in body:
        raise Rejected("alphabet")
    if len(number) == 15:
        body = body[:6] + "19" + body[6:]
        number = body + mod_11_2(body)
    if int(body[:2]) not in PROVINCES_BY_CODE:
        raise Rejected("region")
    if not day(int(body[6:10]), int(body[10:12]), int(body[12:14])):
        raise Rejected("birth date")
    if number[17] != mod_11_2(body):
        raise Rejected("check character")
    return number


def driver_licence(cell: str) -> str:
    """The holder's resident ID; 12 digits are the archive number, which is another thing."""
    try:
        return resident_id(cell)
    except Rejected:
        if re.fullmatch("[0-9]{12}", fold(cell).replace(" ", "").replace("-", "")):
            raise Rejected("archive number") from None
        raise


USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def uscc(cell: str) -> str:
    """18 of the 31 symbols of GB 32100-2015; the weights are the powers of 3 modulo 31."""
    code = characters(cell, DIGITS + LETTERS, " -")
    if len(code) != 18:
        raise Rejected("length")
    if not re.fullmatch(f"[{USCC}]{{2}}[0-9]{{6}}[{USCC}]{{9}}.", code):
        raise Rejected("alphabet")
    total = sum(USCC.index(c) * 3**i for i, c in enumerate(code[:17]))
    if code[17] != USCC[-total % 31]:
        raise Rejected("check character")
    return code


# 49 CFR 565.15: the letters in three rows, each counted from its left end.
VIN_VALUES = {c: int(c) for c in DIGITS}
for row, first in (("ABCDEFGH", 1), ("JKLMN", 1), ("P", 7), ("R", 9), ("STUVWXYZ", 2)):
    VIN_VALUES |= {c: first + i for i, c in enumerate(row)}
VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin(cell: str) -> tuple[str, str]:
    """17 characters of ISO 3779; a wrong check digit (49 CFR 565.15) warns."""
    number = characters(cell.strip(SPACES + "*\uff0a"), "".join(VIN_VALUES), " -")
    if len(number) != 17:
        raise Rejected("length")
    if number[0] == "0":
        raise Rejected("region")
    total = sum(VIN_VALUES[c] * weight for c, weight in zip(number, VIN_WEIGHTS, strict=True))
    return number, "" if number[8] == "0123456789X"[total % 11] else "warning: check digit"


PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
SIMPLIFIED = str.maketrans("晉遼滬蘇閩贛魯粵瓊貴雲陝寧掛學領", "晋辽沪苏闽赣鲁粤琼贵云陕宁挂学领")
SERIALS = re.compile(
    """
      .[A-HJ-Z] [0-9A-HJ-NP-Z]{4} [0-9A-HJ-NP-Z挂学警领]      # ordinary and special
    | 粤Z       [0-9A-HJ-NP-Z]{4} [港澳]                       # from Hong Kong and Macau
    | .[A-HJ-Z] [A-HJK] [0-9A-HJ-NP-Z] [0-9]{4}                # new energy, small
    | .[A-HJ-Z] [0-9]{5} [A-HJK]                               # new energy, large
    """,
    re.VERBOSE,
)


def plate(cell: str) -> str:
    """A number plate of GA 36-2018, without separators, in simplified characters."""
    number = "".join(c for c in fold(cell) if c not in " -.").translate(SIMPLIFIED)
    if not number:
        raise Rejected("empty")
    if number[0] == "使":  # the embassies' older plates
        number = number[1:] + "使"
    if number[-1] == "使" and number[0] not in PROVINCES:
        if len(number) != 7:
            raise Rejected("length")
        if not re.fullmatch("[0-9]{6}使", number):
            raise Rejected("alphabet")
        return number
    if number[0] not in PROVINCES:
        raise Rejected("province")
    if len(number) not in (7, 8):
        raise Rejected("length")
    if not SERIALS.fullmatch(number):
        raise Rejected("alphabet")
    return number


DIALLED = re.compile(r"(?P<number>\+?[0-9()-]*)((?P<mark>转|轉|#|X|EXT)(?P<extension>[0-9()-]*))?")


def phone(cell: str) -> tuple[str, str]:
    """E.164: "+", country code, national number; extensions are dropped with a warning."""
    written = re.sub("[ .]", "", fold(cell))
    written = trunk_in_parentheses(written)
    if not written.strip("()-"):
        raise Rejected("empty")
    dialled = DIALLED.fullmatch(written.lstrip("()-"))
    if not dialled:
        raise Rejected("alphabet")
    number = re.sub("[()]", "", dialled["number"])
    digits = number.replace("-", "")
    if dialled["mark"]:
        line, value = subscriber(digits)
        extension = re.sub("[()-]", "", dialled["extension"])
        if line == "mobile":
            raise Rejected("extension")
        if not 1 <= len(extension) <= 6:
            raise Rejected("length")
        return value, "warning: extension dropped"
    try:
        return subscriber(digits)[1], ""
    except Rejected as rejected:
        before, _, extension = number.rpartition("-")
        if rejected.args != ("length",) or not 2 <= len(extension) <= 6:
            raise
    if len(digits) > 24:
        raise Rejected("length")
    try:
        line, value = subscriber(before.replace("-", ""))
    except Rejected:
        raise Rejected("length") from None
    if line == "mobile":
        raise Rejected("extension")
    if line == "foreign":
        raise Rejected("length")
    return value, "warning: extension dropped"


def trunk_in_parentheses(written: str) -> str:
    """Drops "(0)" behind the first digit, as in "+44(0)20": nobody dials it there."""
    first = re.search("[0-9]", written)
    mark = re.search("转|轉|#|X|E", written)
    end = mark.start() if mark else len(written)
    if not first or first.start() >= end:
        return written
    at = first.end()
    return written[:at] + written[at:end].replace("(0)", "") + written[end:]


def subscriber(digits: str) -> tuple[str, str]:
    """Reads "+" and digits, or digits alone: which line it is, and its number in E.164."""
    if len(digits.lstrip("+")) > 24:
        raise Rejected("length")
    plus = digits.startswith("+")
    if not plus and digits.startswith("86") and len(digits) >= 12:
        plus = True
    elif not plus and digits.startswith("00"):
        digits, plus = digits[2:], True
    digits = digits.lstrip("+")
    if plus and not digits.startswith("86"):
        if digits.startswith("0"):
            raise Rejected("prefix")
        if not 7 <= len(digits) <= 15:
            raise Rejected("length")
        return "foreign", "+" + digits
    if plus:
        national = digits[2:].removeprefix("0")
    elif digits.startswith("0"):
        national = digits[1:]
    else:
        national = digits
        if not re.match("1[3-9]", national):  # without 0 only mobile numbers are dialled
            raise Rejected("prefix" if len(national) == 11 else "length")
    if len(national) < 3:
        raise Rejected("length")
    if re.match("1[3-9]", national):
        if len(national) != 11:
            raise Rejected("length")
        return "mobile", "+86" + national
    if re.match("10|2[0-57-9]", national):
        area, lengths = 2, {10}
    elif re.match("[3-9]", national):
        area, lengths = 3, {10, 11}
    else:
        raise Rejected("prefix")
    if len(national) not in lengths:
        raise Rejected("length")
    if national[area] not in "2345678":
        raise Rejected("prefix")
    return "landline", "+86" + national


CHINESE_PASSPORT = re.compile(
    "E[0-9]{8}|E[A-HJ-NP-Z][0-9]{7}|G[0-9]{8}|1[45][0-9]{7}"
    "|[DSP][0-9]{7,8}|[DSP]E[0-9]{7}|[HK][0-9]{8}|KJ[0-9]{7}|M[0-9]{8}|M[AB][0-9]{7}|3[0-9]{8}"
)


def passport(cell: str) -> tuple[str, str]:
    """5 to 9 letters and digits, ICAO 9303; a number of no Chinese series warns."""
    number = characters(cell.rstrip(SPACES + "<\uff1c"), DIGITS + LETTERS, " -.")
    if not 5 <= len(number) <= 9:
        raise Rejected("length")
    if not re.search("[0-9]", number):
        raise Rejected("number")
    chinese = CHINESE_PASSPORT.fullmatch(number)
    return number, "" if chinese else "warning: no Chinese passport series"


DAYS = (
    r" *([0-9]{4}) *- *([0-9]{1,2}) *- *([0-9]{1,2}) *",
    r" *([0-9]{4}) */ *([0-9]{1,2}) */ *([0-9]{1,2}) *",
    r" *([0-9]{4}) *\. *([0-9]{1,2}) *\. *([0-9]{1,2}) *",
    r" *([0-9]{4}) *年 *([0-9]{1,2}) *月 *([0-9]{1,2}) *[日号]? *",
    r" *([0-9]{4})([0-9]{2})([0-9]{2}) *",
)


def flight(cell: str) -> str:
    """A designator without leading zeros, a bar, and the day as ISO 8601 writes it."""
    designator, bar, written = cell.replace("\uff5c", "|").partition("|")
    try:
        designator = characters(designator, DIGITS + LETTERS, " -./")
    except Rejected as rejected:
        if bar and rejected.args == ("empty",):
            raise Rejected("carrier") from None
        raise
    if len(designator) > 16:
        raise Rejected("number")
    carrier, rest = designator[:2], designator[2:]
    if len(carrier) < 2 or carrier.isdigit() or re.match("[A-Z][0-9]", rest):
        raise Rejected("carrier")
    number = re.fullmatch("0*([1-9][0-9]{0,3}[A-Z]?)", rest)
    if not number:
        raise Rejected("number")
    forms = (re.fullmatch(form, fold(written)) for form in DAYS)
    days = [day(*map(int, form.groups())) for form in forms if form]
    if not days or not days[0]:
        raise Rejected("date")
    return f"{carrier}{number[1]}|{days[0].isoformat()}"


def text(cell: str) -> str:
    """Unicode's compatibility caseless match (D146), composed, with single spaces."""
    if any(unicodedata.category(c) == "Cc" and c not in SPACES for c in cell) or "\ufffd" in cell:
        raise Rejected("alphabet")
    seen = unicodedata.normalize("NFD", INVISIBLE.sub("", cell)).casefold()
    seen = unicodedata.normalize("NFKD", seen).casefold()
    seen = unicodedata.normalize("NFKC", seen)
    collapsed = re.sub(f"[{re.escape(SPACES)}]+", " ", seen).strip(" ")
    if not collapsed:
        raise Rejected("empty")
    return collapsed


RULES: dict[str, Callable[[str], str | tuple[str, str]]] = {
    "resident_id": resident_id,
    "uscc": uscc,
    "vin": vin,
    "plate": plate,
    "phone": phone,
    "passport": passport,
    "driver_licence": driver_licence,
    "flight": flight,
    "text": text,
}


def normalise(kind: str, cell: str | None) -> Outcome:
    """The outcome of a kind's rule on one cell; a missing cell stays missing, without a reason."""
    if cell is None:
        return Outcome(None)
    try:
        kept = RULES[kind](cell)
    except Rejected as rejected:
        return Outcome(None, rejected.args[0])
    return Outcome(kept) if isinstance(kept, str) else Outcome(*kept)


def compose(parts: Sequence[str | None]) -> str | None:
    """The netstrings of the parts in a row, so that no two lists of parts become one text."""
    if any(part is None for part in parts):
        return None
    return "".join(f"{len(part.encode())}:{part}," for part in parts if part is not None)
