"""What counts no more at this node: tickets by their id, certificates of operators by fingerprint.

Nearly always nothing; what a revocation is, and who may make one, is in `parties.tickets.revoking`.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from parties.errors import LocalFault
from parties.kept import Stamp, stamp_of
from parties.operators import Party
from parties.settings import Settings
from parties.tickets.trust import Side, own_side

FOLDER: Final = "revoked"
"""Of revocations, in that of tickets."""


def revoked(settings: Settings) -> frozenset[str]:
    """Returns all that was revoked at this node. Files are read when they are new.

    Raises:
        LocalFault: a file is not sound, or the folder cannot be read.
        SettingsError, CertificateError: the own authorities cannot be read.
    """
    folder = settings.tickets.folder / FOLDER
    try:
        with os.scandir(folder) as found:
            there = tuple(sorted(each.name for each in found if _is_whole(each.name)))
    except FileNotFoundError:
        return frozenset()
    except OSError as fault:
        raise LocalFault(f"{folder}: cannot be read: {fault.strerror}") from None
    if not there:
        return frozenset()
    stamp = stamp_of(*(folder / name for name in there))
    return _read_all(folder, there, stamp, own_side(settings), settings.node.role)


@lru_cache(maxsize=16)
def _read_all(
    folder: Path, names: tuple[str, ...], _: Stamp, side: Side, party: Party
) -> frozenset[str]:
    # Here: nearly no node has revoked anything, and that module imports this one.
    from parties.tickets.revoking import read

    return frozenset(read(folder / name, side, party) for name in names)


def _is_whole(name: str) -> bool:
    return not name.startswith(".")  # `write_whole` begins so
