"""What a person shows to say who they are: a certificate with its key, or a token.

A token is never an argument of the command, which every user of a machine can read: it comes in a
file, on standard input, or in the environment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, TypeAlias

from parties.credentials import Identity
from parties.errors import OperatorRefused
from psi.lazily import NamedTuple

CERTIFICATE: Final = "operator.pem"
KEY: Final = "operator.key"
"""File names of what `greenlane operator issue` makes; they name nobody."""
AS: Final = "GREENLANE_AS"
"""The variable in the place of `--as`."""
TOKEN: Final = "GREENLANE_OPERATOR_TOKEN"  # noqa: S105 the name of a variable
"""The variable that may hold a token itself; `--as` goes before it."""
STDIN: Final = "-"
LONGEST: Final = 16 << 10
"""Bytes of a token, or of what is shown as one: what servers take in all headers together, and
twice the largest that identity providers make of a person in hundreds of groups."""
_PEM: Final = b"-----BEGIN "


class Token(NamedTuple):
    """A token that is shown; nothing of it is looked at yet.

    Attributes:
        text: as it was given; secret, and left out of the representation.
    """

    text: str

    def __repr__(self) -> str:
        return "Token()"


Papers: TypeAlias = Identity | Token
"""The files of a certificate and its key, or a token."""


def shown(path: Path | None) -> Papers | None:
    """Returns what a person shows; None if nothing.

    Args:
        path: a folder of `greenlane operator issue`; or a PEM file of a certificate, whose key is
            beside it with the suffix .key; or a file with a token; or `-` for a token on standard
            input. None for what the environment has.

    Raises:
        OperatorRefused: it cannot be read, or is too long.
    """
    if path is None and (named := os.environ.get(AS)):
        path = Path(named)
    if path is None:
        token = os.environ.get(TOKEN)
        return None if not token else _token(token.encode(errors="replace"))
    if str(path) == STDIN:
        return _token(sys.stdin.buffer.read(LONGEST + 1))
    if path.is_dir():
        return Identity(path / CERTIFICATE, path / KEY)
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as fault:
        raise OperatorRefused(
            "operator-missing", f"{path}: what --as names cannot be read: {fault.strerror}"
        ) from None
    if data.startswith(_PEM):
        return Identity(path, path.with_suffix(".key"))
    return _token(data)


def _token(data: bytes) -> Token:
    if len(data) > LONGEST:
        raise OperatorRefused(
            "token-malformed", f"what is shown is no token: it has more than {LONGEST} bytes"
        )
    return Token(data.decode("ascii", errors="replace").strip())
