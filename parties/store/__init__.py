"""The state of a node: what was asked, spent and noted, in SQLite or PostgreSQL.

One write transaction at a time, on the disk when it is over. `migrations/` makes the tables; each
statement stands where it is needed, in the SQL that both databases read, and is given its
parameters by name.
"""

from parties.store.clock import in_words, microseconds
from parties.store.databases import Connection, Values
from parties.store.store import Happening, Store
from parties.store.urls import sqlite_file

__all__ = [
    "Connection",
    "Happening",
    "Store",
    "Values",
    "in_words",
    "microseconds",
    "sqlite_file",
]
