"""Amounts of money: whole fen of CNY inside, yuan where people write and read them.

A flag says that an amount has reached a threshold from which the police must file a case; it says
nothing about anybody. Sources: the Provisions (II) of the Supreme People's Procuratorate and the
Ministry of Public Security on standards for filing cases for prosecution name, for article 198 of
the Criminal Law, 10,000 yuan for an individual and 50,000 yuan for a unit (2010, article 56); as
revised in 2022 (article 51) they name 50,000 yuan for whoever it is. Which of them binds is for
the police to say, so both are told.
"""

from __future__ import annotations

import re
from typing import Final

FEN: Final = 100
"""In a yuan."""
UNKNOWN: Final = -1
"""In the place of an amount that nobody has named."""
MOST: Final = 10**15
"""Fen, the largest amount: ten trillion yuan, more than all premiums of a year (5 trillion), and
9,000 such amounts still fit into the 63 bits of a number in the store."""
THRESHOLDS: Final = {"individual": 10_000 * FEN, "unit": 50_000 * FEN}
"""Fen, from which on a case is filed."""
_YUAN: Final = re.compile(r"(0|[1-9][0-9]{0,12})(\.([0-9]{1,2}))?")


def flags(amount: int) -> list[str]:
    """Returns the thresholds that an amount in fen has reached."""
    return [name for name, least in THRESHOLDS.items() if amount >= least]


def fen_of(text: str) -> int:
    """Reads an amount in yuan, with at most two decimals, as fen.

    Raises:
        ValueError: it is none. The text is not quoted.
    """
    found = _YUAN.fullmatch(text)
    if found is None:
        raise ValueError("an amount is in yuan, as 12000 or 12000.50, and below ten trillion")
    return int(found[1]) * FEN + int((found[3] or "").ljust(2, "0"))


def yuan(amount: int) -> str:
    """Returns fen as people read them; a dash if the amount is not known."""
    return "-" if amount == UNKNOWN else f"{amount // FEN:,}.{amount % FEN:02}"
