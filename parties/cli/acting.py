"""Who gives a command, and that it is written down: each command of a node's begins with this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from parties.errors import OperatorRefused
    from parties.operators.acting import Acting
    from parties.operators.papers import Papers
    from parties.settings import Settings

WHO: Final = (
    "Who you are: folder or PEM file of your certificate, file of a token, or - for one on stdin."
)
As = Annotated[Path | None, typer.Option("--as", help=WHO)]


def admitted(
    settings: Settings,
    command: str,
    path: Path | None,
    key_of: Callable[[Path], Ed25519PrivateKey] | None = None,
) -> Acting | None:
    """Returns who gives a command, after the audit log says so; None where nobody is asked.

    Whoever says who they are is held to it, also at a node that does not ask.

    Args:
        settings: of the node.
        command: of `parties.operators.rights.RIGHTS`.
        path: of `--as`.
        key_of: opens the file of the key that is shown; by default it asks for the passphrase.

    Raises:
        OperatorRefused: they may not, which the log then says.
        SettingsError, CertificateError, LocalFault: a file cannot be used, or the log be written.
    """
    from parties.errors import OperatorRefused
    from parties.operators.papers import shown
    from parties.operators.rights import RIGHTS

    if not settings.operators.required and not RIGHTS[command]:
        return None
    try:
        papers = shown(path)
        if papers is None and not settings.operators.required:
            return None
        acting = _admit(settings, command, papers, key_of)
    except OperatorRefused as refused:
        _refused(settings, command, refused)
        raise
    _gave(settings, command, acting)
    return acting


def admitted_to_sign(
    settings: Settings,
    command: str,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    path: Path | None,
) -> None:
    """Checks that who signs may, and is who else they say they are; refusals are written down.

    Args:
        settings: of the node.
        command: one that signs, as `ticket sign`.
        key: with which it is signed.
        chain: the certificate of it, then intermediate authorities.
        path: of `--as`; whoever shows something must be the one whose certificate signs.

    Raises:
        OperatorRefused, SettingsError, CertificateError, LocalFault: as of `admitted`.
    """
    from datetime import UTC, datetime

    from parties.admitting import admit_signer, must_be_one
    from parties.errors import OperatorRefused
    from parties.operators.papers import shown

    try:
        papers = shown(path)
        if papers is None and not settings.operators.required:
            return
        signer = admit_signer(settings, command, key, chain, datetime.now(UTC))
        if papers is not None:
            must_be_one(signer, _admit(settings, command, papers, None))
    except OperatorRefused as refused:
        _refused(settings, command, refused)
        raise


def _admit(
    settings: Settings,
    command: str,
    papers: Papers | None,
    key_of: Callable[[Path], Ed25519PrivateKey] | None,
) -> Acting:
    from datetime import UTC, datetime

    from parties.admitting import admit
    from parties.cli.operators import key_of as asked

    return admit(settings, command, papers, key_of or asked, datetime.now(UTC))


def _gave(settings: Settings, command: str, acting: Acting) -> None:
    from parties.cli.noting import noting
    from parties.operators.rights import UNWRITTEN, action_of

    if command not in UNWRITTEN:
        with noting(settings) as note:
            note("operator_action", acting.facts() | {"action": action_of(command)})


def _refused(settings: Settings, command: str, refused: OperatorRefused) -> None:
    from parties.cli.noting import noting
    from parties.operators.rights import action_of

    facts = {"action": action_of(command), "code": refused.code}
    with noting(settings) as note:
        note("operator_refused", facts | dict(refused.who))
