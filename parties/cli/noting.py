"""Lines that commands write into the audit log of a node, beside those of its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parties.operators import Operator
    from parties.settings import Settings


@contextmanager
def noting(
    settings: Settings, *, signed: bool = False
) -> Iterator[Callable[[str, Mapping[str, Any]], int]]:
    """Gives a function that writes a line; what it wrote stays if the block does not raise.

    A command does what it notes within the block: if it cannot, no line says that it did. If the
    store fails at the very end it is done without a line, and the command says that it failed.

    Args:
        settings: of the node whose log it is; begun if it was not.
        signed: whether the node signs where its log then ends.

    Raises:
        LocalFault: the store cannot be written, or its log is that of another node.
        CertificateError: the node's own certificate or key cannot be used now.
    """
    from parties import audit
    from parties.credentials import Identity, read_credentials
    from parties.store import Store

    store = Store(settings.store.url)
    try:
        with store.writing() as connection:
            audit.begin(connection, settings.node.name)
            at = store.now(connection)
            yield lambda event, facts: audit.append(connection, at, event, facts)
            if signed:
                node = settings.node
                credentials = read_credentials(Identity(node.certificate, node.key))
                audit.sign_head(connection, credentials, at)
    finally:
        store.close()


def facts_of(operator: Operator) -> dict[str, str]:
    """Who did something, as lines of the log name people."""
    certificate = operator.fingerprint.removeprefix("sha256:")
    return {"operator": operator.person, "role": operator.role, "certificate": certificate}
