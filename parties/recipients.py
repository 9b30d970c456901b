"""To whom results are sealed: operators who sign, by the keys of their certificates.

Whoever keeps the machine then finds nothing in the results folder, and the node itself cannot open
what it has written.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from parties.errors import CertificateError, LocalFault, OperatorRefused, SettingsError
from parties.joining.results import whole
from parties.operators import DUTIES, read_operator, read_operator_file
from parties.operators.acting import Acting
from parties.settings import Settings
from parties.tickets import revoked
from parties.tickets.trust import own_side

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SUFFIX: Final = ".age"
"""Of a sealed file's name, as the program `age` has it."""


def recipients(settings: Settings, acting: Acting | None, at: datetime) -> tuple[bytes, ...]:
    """Returns the public keys to which what this node learns is sealed; none if it is not sealed.

    Args:
        settings: of this node.
        acting: who asks; None where a peer does, or nobody has said so.
        at: now, UTC.

    Raises:
        SettingsError: there is nobody to seal to, or a certificate is not for that.
        CertificateError: a certificate cannot be read, or does not hold now.
        LocalFault: what was revoked cannot be read.
    """
    if not settings.operators.sealed:
        return ()
    keys = [] if acting is None or acting.key is None else [acting.key]
    keys += [_key(settings, path, at) for path in settings.operators.sealed_to]
    if not keys:
        raise SettingsError(
            f"{settings.path}: [operators] sealed: there is nobody to seal results to; show a "
            "certificate by --as, or name some by sealed_to"
        )
    return tuple(dict.fromkeys(keys))


def named(path: Path, keys: tuple[bytes, ...]) -> Path:
    """Returns the name of a result, which says whether it is sealed."""
    if not keys or path.suffix == SUFFIX:
        return path
    return path.with_name(path.name + SUFFIX)


def open_sealed(path: Path, key: Ed25519PrivateKey, out: Path) -> int:
    """Opens a sealed file into another, which is there whole or not at all.

    Args:
        path: of the sealed file.
        key: of an operator to whom it is sealed; secret.
        out: where it goes, readable by its owner alone; replaced if it is there.

    Returns:
        How many bytes it has.

    Raises:
        OperatorRefused: `operator-other`, it is sealed to others.
        LocalFault: it cannot be read, is no sealed file or was altered, or `out` cannot be written.
    """
    from parties.age import NotForUs, opened  # for this alone

    size = 0
    try:
        with path.open("rb") as file, whole(out) as clear:
            for piece in opened(file, key):
                size += clear.write(piece)
    except NotForUs:
        raise OperatorRefused(
            "operator-other", f"{path} is sealed to others than the certificate that is shown"
        ) from None
    except ValueError as error:
        raise LocalFault(f"{path} cannot be opened: {error}") from None
    except OSError as fault:
        raise LocalFault(f"{path} cannot be read: {fault.strerror}") from None
    return size


def _key(settings: Settings, path: Path, at: datetime) -> bytes:
    side = own_side(settings)
    operator, chain = read_operator_file(path)
    try:
        read_operator(chain, side.authorities, at)
    except CertificateError as error:
        raise CertificateError(f"operators.sealed_to: {path}: {error}") from None
    if operator.node != side.node or operator.role not in DUTIES[settings.node.role]:
        raise SettingsError(
            f"operators.sealed_to: {path} is not that of one who signs for {side.node}"
        )
    if operator.fingerprint in revoked(settings):
        raise SettingsError(f"operators.sealed_to: {path} was revoked; take it out")
    return operator.key
