"""Part of room 2: a column of any type as the text of its identifiers, or a refusal.

A number, a date or a category has one text. A floating-point number has lost digits beyond the
fifteenth before it came here, and shows others that were never there; so it is refused.
"""

from __future__ import annotations

from arro3.core import Array, DataType

from parties.errors import SourceError
from psi.lazily import pa

MIDNIGHT = r" 00:00:00(\.0+)?$"


def as_text(column: Array, label: str) -> Array:
    """Returns a column as large_string: 13800138000 as "13800138000", a date as "2024-01-31".

    A time stamp at midnight is a date: so spreadsheets and data frames keep dates. Any other
    is "2024-01-31 08:30:00", with a fraction only where there is one.

    Args:
        column: strings, integers, decimals without fraction, dates, time stamps without time zone,
            or dictionaries of these.
        label: what an error calls the column.

    Raises:
        SourceError: the column is of another type.
    """
    check_type(column.type, label)
    if DataType.is_large_string(column.type):
        return column
    cells = pa.array(column)
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    text = cells.cast(pa.large_string())
    if pa.types.is_timestamp(cells.type):
        import pyarrow.compute as pc  # slow to import; other columns do not wait for it

        text = pc.replace_substring_regex(text, pattern=MIDNIGHT, replacement="")
        text = pc.replace_substring_regex(text, pattern=r"(\.\d*?)0+$", replacement=r"\1")
        text = pc.replace_substring_regex(text, pattern=r"\.$", replacement="")
    return Array.from_arrow(text)


def check_type(given: DataType, label: str) -> None:
    """Refuses a type whose values are no identifiers.

    Raises:
        SourceError: with what to do about it.
    """
    if DataType.is_large_string(given):
        return
    types, kind = pa.types, pa.field(given).type
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_floating(kind) or (types.is_decimal(kind) and kind.scale != 0):
        raise SourceError(
            f"{label}: is {kind}, and numbers with a point lose digits of an identifier; "
            "write the column as text"
        )
    if types.is_timestamp(kind) and kind.tz is not None:
        raise SourceError(
            f"{label}: is a time stamp with a time zone, which two parties read differently; "
            "write it as a date or as text"
        )
    if not (
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_integer(kind)
        or types.is_decimal(kind)
        or types.is_date(kind)
        or types.is_timestamp(kind)
        or types.is_null(kind)
    ):
        raise SourceError(f"{label}: is {kind}, which holds no identifiers; write it as text")
