"""An order of claims and things by their texts, which the order of rows does not change."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from parties.models.filling import INCOMING
from parties.models.rings.arrays import Numbers
from parties.models.rings.reading import NUMBERED
from parties.models.rings.splitting import Ordered
from parties.models.rings.ties import Ties


def by_name(connection: duckdb.DuckDBPyConnection, ties: Ties) -> Ordered:
    """Returns what puts claims in order of their names, and things by sort and value.

    Args:
        connection: with the numbered claims.
        ties: who names what.
    """

    def ordered(claims: Numbers, things: Numbers) -> tuple[Numbers, Numbers]:
        connection.register(INCOMING, pa.table({"number": claims}))
        sql = f"SELECT number FROM {NUMBERED} JOIN {INCOMING} USING (number) ORDER BY claim"  # noqa: S608  # our own words
        found = connection.sql(sql).fetchnumpy()["number"]
        connection.unregister(INCOMING)
        sorts, codes = ties.things.sorts[things].tolist(), ties.things.codes[things].tolist()
        texts = [ties.values[place][code].as_py() for place, code in zip(sorts, codes, strict=True)]
        order = sorted(range(len(things)), key=lambda at: (sorts[at], texts[at]))
        return np.asarray(found, np.int64), things[order]

    return ordered
