"""Finds rings in joined tables."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from parties.errors import LocalFault
from parties.models.filling import fill
from parties.models.mapping import Filled
from parties.models.rings.chance import Beyond
from parties.models.rings.kinds import NEEDED
from parties.models.rings.ordering import by_name
from parties.models.rings.ranking import rank
from parties.models.rings.ring import Found
from parties.models.rings.splitting import Edges, split
from parties.models.rings.telling import told
from parties.models.rings.ties import WIDEST, tie
from parties.models.sandbox import Bounds, opened


def find(
    tables: Mapping[str, Filled],
    bounds: Bounds,
    most: int,
    widest: int = WIDEST,
    *,
    plain: bool = False,
) -> Found:
    """Fills the joined tables, of all lines of business, and finds rings.

    Args:
        tables: from what they are filled.
        bounds: of DuckDB; its time is not bounded, for no SQL here is somebody else's.
        most: rings that are told.
        widest: number of claims that one thing may tie.
        plain: whether identifiers are told in full.

    Raises:
        SettingsError: there are no claims, or nothing that could tie them; or as `filling.fill`.
        SourceError: as `filling.fill`.
        LocalFault: it needs too much memory.
    """
    with opened(bounds) as connection:
        try:
            held = fill(connection, tables, NEEDED, line=None)
            ties = tie(connection, held, widest)
            beyond, columns = Beyond(ties), held["claims"].columns
            joining = Edges(ties.claims, ties.named).where(ties.things.joins[ties.named])
            parts = split(joining, beyond.cores, by_name(connection, ties))
            number, ranked = rank(connection, ties, beyond, parts, columns, most)
            rings = list(told(connection, ties, beyond, parts, ranked, columns, plain=plain))
        except duckdb.OutOfMemoryException:
            pass  # raised below, outside of the handler: DuckDB's text may quote a value
        else:
            left_out = ties.too_wide, ties.of_houses
            return Found(held, number, rings, parts.loose, *left_out)
    raise LocalFault(f"rings need more than {bounds.memory} of memory; give more by --memory")
