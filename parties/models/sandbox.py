"""A DuckDB in memory that reaches nothing but its own tables, and stops when its time is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from parties.sources.duck import SHUT_IN
from psi.lazily import NamedTuple

MEMORY: Final = "3GB"
"""For the joined tables and what rules sort and group: a million claims with all their columns are
0.6 GB, as many records and links 0.3 GB, and a sort holds another copy of what it sorts. A node
shall stay under 4 GB."""
SECONDS: Final = 60.0
"""For one rule. Over a million claims a rule takes a second; ten times that, ten times over, is a
rule that does not end."""
CHECK_SECONDS: Final = 5.0
"""For one rule over empty tables: binding takes milliseconds."""
CHECK_MEMORY: Final = "256MB"
"""Empty tables need a few."""

_READS: Final = "unused_columns"
"""The step of DuckDB's optimiser that leaves to each scan the columns that something reads."""


class Bounds(NamedTuple):
    """What a rule may use.

    Attributes:
        seconds: of wall-clock time.
        memory: as DuckDB writes it.
        threads: of DuckDB.
    """

    seconds: float = SECONDS
    memory: str = MEMORY
    threads: int = 2


CHECKING: Final = Bounds(CHECK_SECONDS, CHECK_MEMORY, 1)


@contextmanager
def opened(bounds: Bounds, *, plain: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens an empty database in memory, shut in, and closes it afterwards.

    Args:
        bounds: of what runs in it; of time, each `timed` keeps.
        plain: whether plans stay as they were bound, but for columns that nothing reads.
    """
    limits = {"memory_limit": bounds.memory, "threads": str(bounds.threads)}
    connection = duckdb.connect(":memory:", config=SHUT_IN | limits)
    try:
        if plain:
            names = connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()
            others = ",".join(name for (name,) in names if name != _READS)
            connection.execute(f"SET disabled_optimizers = '{others}'")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


@contextmanager
def timed(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupts what the connection runs when its time is over.

    Raises:
        duckdb.InterruptException: from within, by what was interrupted.
    """
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # an interrupt that comes late would hit what runs next
