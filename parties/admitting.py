"""Who may give a command at this node: what a person shows, and whether the role may.

The rules are those of tickets: the authority of `operators.authority`, and what was revoked here.
The time is this machine's, as a person's certificate must be good enough to mend the store's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties.errors import OperatorRefused
from parties.operators import read_operator_file
from parties.operators.acting import Acting
from parties.operators.papers import AS, TOKEN, Papers, Token
from parties.operators.proving import proven
from parties.operators.rights import must_be_given, must_have_right
from parties.settings import Settings
from parties.tickets import revoked
from parties.tickets.trust import own_side


def admit(
    settings: Settings,
    command: str,
    papers: Papers | None,
    key_of: Callable[[Path], Ed25519PrivateKey],
    at: datetime,
) -> Acting:
    """Returns who gives a command, if they may.

    Args:
        settings: of this node.
        command: of `parties.operators.rights.RIGHTS`.
        papers: what is shown; None if nothing.
        key_of: opens the file of a key.
        at: now, UTC.

    Raises:
        OperatorRefused: they may not, or have not shown who they are.
        SettingsError, CertificateError, LocalFault: a file that the settings name, or the key,
            cannot be used.
    """
    must_be_given(command)
    if papers is None:
        raise OperatorRefused(
            "operator-missing",
            f"this node wants to know who gives `{command}`: show a certificate by --as or {AS}, "
            f"or a token by --as or {TOKEN}",
        )
    if isinstance(papers, Token):
        acting = _by_token(settings, papers)
    else:
        _, chain = read_operator_file(papers.certificate)
        acting = _proven(settings, command, key_of(papers.key), chain, at)
    must_have_right(acting, command)
    return acting


def admit_signer(
    settings: Settings,
    command: str,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    at: datetime,
) -> Acting:
    """Returns who signs, if this node believes the certificate now and the role may.

    Args:
        settings: of this node.
        command: of `parties.operators.rights.RIGHTS`.
        key: with which is signed.
        chain: the certificate of it, then intermediate authorities.
        at: now, UTC.

    Raises:
        OperatorRefused, SettingsError, CertificateError, LocalFault: as of `admit`.
    """
    acting = _proven(settings, command, key, chain, at)
    must_have_right(acting, command)
    return acting


def must_be_one(signer: Acting, shown: Acting) -> None:
    """Checks that who signs by a certificate is who they say they are besides, in the same role.

    Raises:
        OperatorRefused: `operator-other`.
    """
    if (signer.person, signer.role) != (shown.person, shown.role):
        raise OperatorRefused(
            "operator-other",
            "the certificate that signs is another person's than what is shown, or of another role",
            shown.facts(),
        )


def _by_token(settings: Settings, token: Token) -> Acting:
    oidc = settings.operators.oidc
    if oidc is None:
        raise OperatorRefused(
            "operator-malformed",
            f"a token is shown, or a file that is none and no PEM certificate either, and "
            f"{settings.path} has no [operators.oidc] that would say whose are believed",
        )
    from parties.operators.tokens import acting_by_token  # PyJWT, for this alone

    return acting_by_token(token.text, oidc, settings.node.role, revoked(settings))


def _proven(
    settings: Settings,
    command: str,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    at: datetime,
) -> Acting:
    side, withdrawn, party = own_side(settings), revoked(settings), settings.node.role
    return proven(key, chain, side.authorities, withdrawn, side.node, party, command, at)
