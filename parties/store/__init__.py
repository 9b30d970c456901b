"""The state of a node: what was asked, spent and noted, in SQLite or PostgreSQL.

One write transaction at a time, on the disk when it is over. Tables are declared where they are
used, with `METADATA`; `migrations/` says how a database comes to have them.
"""

from parties.store.clock import in_words
from parties.store.metadata import METADATA, Moment
from parties.store.statements import Statement
from parties.store.store import Happening, Store
from parties.store.urls import sqlite_file

__all__ = ["METADATA", "Happening", "Moment", "Statement", "Store", "in_words", "sqlite_file"]
