"""Room 6: matched positions to joined rows, and joined rows to a file.

A second pass over the own source: each row that names a matched identifier comes out again as it
stands there, with what is known of the hit. A hit is a lead; nothing here says more.

    own columns...  greenlane_set  greenlane_match  greenlane_column
                    greenlane_own_records  greenlane_their_records  <peer>.<column>...

Nothing is held but the hits themselves: a heavy hitter with n rows here and m records there comes
out as n x m rows, cut into batches.
"""

from __future__ import annotations

from parties.joining.masked import masked
from parties.joining.results import Format, write
from parties.joining.rows import COLUMNS, Hits, check_names, join

__all__ = ["COLUMNS", "Format", "Hits", "check_names", "join", "masked", "write"]
