"""Lines that commands write into the audit log of a node, beside those of its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from parties.settings import Settings
    from parties.store import Connection


@contextmanager
def writing(settings: Settings) -> Iterator[tuple[Connection, datetime]]:
    """Gives a transaction that writes into the store of a node, and its time.

    Args:
        settings: of the node, whose log is begun if it was not.

    Raises:
        LocalFault: the store cannot be written, or its log is that of another node.
    """
    from parties import audit
    from parties.store import Store

    store = Store(settings.store.url)
    try:
        with store.writing() as connection:
            audit.begin(connection, settings.node.name)
            yield connection, store.now(connection)
    finally:
        store.close()


@contextmanager
def noting(settings: Settings) -> Iterator[Callable[[str, Mapping[str, Any]], int]]:
    """Gives a function that writes a line; what it wrote stays if the block does not raise.

    A command does what it notes within the block: if it cannot, no line says that it did. If the
    store fails at the very end it is done without a line, and the command says that it failed.

    Args:
        settings: of the node whose log it is.

    Raises:
        LocalFault: as `writing`.
    """
    from parties import audit

    with writing(settings) as (connection, at):
        yield lambda event, facts: audit.append(connection, at, event, facts)
