"""Prepared tables on this machine: those that this node holds for others, and those it has fetched.

`held` and `fetched` are the two kinds of folders; `manifest` says of which files a table consists;
`sealing` keeps the key of a table's function.
"""

from __future__ import annotations

from parties.tables.fetched import Fetched
from parties.tables.held import Held
from parties.tables.manifest import Files, Manifest, ShardFile, Signed, sign, verify
from parties.tables.sealing import Wrapping, wrapping

__all__ = [
    "Fetched",
    "Files",
    "Held",
    "Manifest",
    "ShardFile",
    "Signed",
    "Wrapping",
    "sign",
    "verify",
    "wrapping",
]
