"""Files of tickets on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from parties.errors import LocalFault
from parties.tickets.signing import SignedTicket
from parties.tickets.ticket import LONGEST
from parties.whole_files import write_whole

SUFFIX: Final = ".json"


def read_ticket(path: Path) -> bytes:
    """Returns the bytes of a file, or as many as show that it is too long for a ticket.

    Raises:
        LocalFault: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(LONGEST + 1)
    except OSError as fault:
        raise LocalFault(f"{path}: the ticket cannot be read: {fault.strerror}") from None


def write_ticket(path: Path, signed: SignedTicket) -> None:
    """Writes a file whole, for its owner only.

    Raises:
        TicketRefused: there is more than a ticket may have.
        LocalFault: it cannot be written.
    """
    write_whole(path, signed.encode())
