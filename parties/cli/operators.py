"""`greenlane operator`: certificates of the people who sign tickets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from parties.operators import Operator


class OperatorRoleName(StrEnum):
    """What a person of a node may be."""

    INVESTIGATOR = "investigator"
    APPROVER = "approver"
    ANALYST = "analyst"
    COMPLIANCE = "compliance"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


def issue(
    settings: SettingsPath,
    person: Annotated[str, typer.Argument(help="A staff number or short name.")],
    role: Annotated[OperatorRoleName, typer.Option(help="Of the person.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the two files go.")],
    as_json: AsJson = False,
) -> None:
    """Makes a person's key and certificate with the node's own development authority."""
    from parties.operators.issuing import issue_operator
    from parties.operators.papers import CERTIFICATE, KEY
    from parties.settings_file import load

    loaded = load(settings)
    admitted(loaded, "operator issue", None)
    operator = issue_operator(loaded, person, role.value, out, passphrase(new=True))
    files = {"certificate": str(out / CERTIFICATE), "key": str(out / KEY)}
    lines = [f"made {files['certificate']} and {files['key']}", *_lines(operator)]
    give(files | _values(operator), lines, as_json=as_json)


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="PEM file of a certificate.")],
    as_json: AsJson = False,
) -> None:
    """Shows whom an operator's certificate names; who issued it is not looked at."""
    from parties.operators import read_operator_file

    operator, _ = read_operator_file(file)
    give(_values(operator), _lines(operator), as_json=as_json)


def whoami(settings: SettingsPath, as_: As = None, as_json: AsJson = False) -> None:
    """Says whom this node takes you for, and what you may do; the log does not say it."""
    from parties.errors import OperatorRefused
    from parties.operators.papers import AS
    from parties.operators.rights import RIGHTS
    from parties.settings_file import load

    acting = admitted(load(settings), "operator whoami", as_)
    if acting is None:
        raise OperatorRefused("operator-missing", f"nothing is shown; use --as or {AS}")
    may = [command for command, roles in RIGHTS.items() if acting.role in roles]
    facts = acting.facts()
    by = "subject" if acting.certificate is None else "certificate"
    lines = [f"{acting.person}, {acting.role}", f"{by} sha256:{facts[by]}", f"may {', '.join(may)}"]
    give(facts | {"may": may}, lines, as_json=as_json)


def passphrase(*, new: bool = False) -> str:
    """Returns the operator's passphrase, from the environment or a terminal.

    Args:
        new: whether one is chosen, which is asked for twice.

    Raises:
        SettingsError: it is too short, or there is nobody to ask.
    """
    import os
    import sys

    from parties.errors import SettingsError
    from parties.operators.keys import PASSPHRASE, checked

    if (given := os.environ.get(PASSPHRASE)) is not None:
        return checked(given)
    if not sys.stdin.isatty():
        raise SettingsError(f"{PASSPHRASE}: set it, or give the passphrase at a terminal")
    words = "Passphrase of the operator's key"
    return checked(typer.prompt(words, hide_input=True, confirmation_prompt=new, err=True))


def key_of(path: Path) -> Ed25519PrivateKey:
    """Opens the file of an operator's key, for which the passphrase is asked.

    Raises:
        CertificateError, SettingsError: as `read_operator_key` and `passphrase`.
    """
    from parties.operators.keys import read_operator_key

    return read_operator_key(path, passphrase())


def _values(operator: Operator) -> dict[str, object]:
    times = (operator.not_before.isoformat(), operator.not_after.isoformat())
    return {
        "node": operator.node,
        "role": operator.role,
        "person": operator.person,
        "fingerprint": operator.fingerprint,
        "not_before": times[0],
        "not_after": times[1],
    }


def _lines(operator: Operator) -> list[str]:
    valid = f"{operator.not_before:%Y-%m-%d %H:%M} to {operator.not_after:%Y-%m-%d %H:%M} UTC"
    return [
        f"{operator.person}, {operator.role} of {operator.node}",
        f"valid {valid}",
        f"fingerprint {operator.fingerprint}",
    ]
