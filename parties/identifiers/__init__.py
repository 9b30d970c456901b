"""Room 2: columns to normalised identifiers, and rejects with their reasons.

One identifier set has one kind and one or several *ways*: groups of columns that may each hold such
an identifier, such as ("insured_id",) and ("driver_id",). **A row names an identifier at most
once**: where two of its ways give the same one, only the first counts. A claim whose insured also
drove is one claim of that person. Counts here and rows of the join agree, since both come from the
places of the rows.

Elements are as sensitive as the identifiers they are hashed from: they stay in this process.
"""

from __future__ import annotations

from parties.identifiers.blocks import Asked, Block
from parties.identifiers.passes import reread
from parties.identifiers.rejects import RejectReport
from parties.identifiers.sets import NOWHERE, IdentifiedSet, Places, elements_of, identify
from parties.identifiers.specs import columns_of, domain, kinds_of

__all__ = [
    "NOWHERE",
    "Asked",
    "Block",
    "IdentifiedSet",
    "Places",
    "RejectReport",
    "columns_of",
    "domain",
    "elements_of",
    "identify",
    "kinds_of",
    "reread",
]
