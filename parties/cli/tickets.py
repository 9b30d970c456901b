"""`greenlane ticket`: drafted, signed, shown, verified, revoked."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parties.cli.acting import As, admitted, admitted_to_sign
from parties.cli.asking import AsJson, Learns, PeerName, Protocol, Sets, SettingsPath
from parties.cli.output import give

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from parties.tickets import SignedTicket

TicketPath = Annotated[Path, typer.Argument(metavar="TICKET", help="File of the ticket.")]
KeyPath = Annotated[Path, typer.Option("--key", help="PEM file of the operator's key.")]
CertificatePath = Annotated[
    Path, typer.Option("--certificate", help="PEM file of the operator's certificate.")
]


class WayName(StrEnum):
    """In which way is asked."""

    COUNT = "count"
    LIST = "list"
    MATCH = "match"
    INQUIRE = "inquire"


class StageName(StrEnum):
    """For what is signed."""

    RUN = "run"
    DISCLOSURE = "disclosure"


def draft(
    settings: SettingsPath,
    peer: PeerName,
    purpose: Annotated[str, typer.Option(help="For what, in words.")],
    legal_basis: Annotated[str, typer.Option(help="The article of the law, in words.")],
    case: Annotated[str, typer.Option(help="Number of the case or programme.")],
    ways: Annotated[list[WayName], typer.Option("--way", help="What may be asked.")],
    floor: Annotated[int, typer.Option(help="The least number of hits that is told; 0 for all.")],
    sets: Sets = None,
    learns: Annotated[Learns, typer.Option(help="Who learns.")] = Learns.US,
    get: Annotated[
        list[str] | None, typer.Option("--get", help="A column of theirs that we get.")
    ] = None,
    get_none: Annotated[bool, typer.Option("--get-none", help="We get no column.")] = False,
    give_: Annotated[
        list[str] | None,
        typer.Option("--give", help="A column of ours that they get; default: `disclose`."),
    ] = None,
    ours: Annotated[
        int | None, typer.Option("--max-ours", help="Our largest set; default: max_elements.")
    ] = None,
    theirs: Annotated[
        int | None, typer.Option("--max-theirs", help="Their largest set; default: max_elements.")
    ] = None,
    runs: Annotated[int | None, typer.Option(help="How many runs in all; default: 1.")] = None,
    inquiries: Annotated[int, typer.Option(help="How many identifiers may be inquired.")] = 0,
    protocols: Annotated[
        list[Protocol] | None,
        typer.Option("--protocol", help="By which; default: all that the settings allow."),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option("--rules", help="A pack of rules: its name, its folder, or its digest."),
    ] = None,
    days: Annotated[int, typer.Option(help="For how many days it is valid, from now on.")] = 30,
    out: Annotated[
        Path | None, typer.Option(help="The file; default: in the folder of tickets.")
    ] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Drafts a ticket, which nobody has signed yet."""
    from datetime import UTC, datetime

    from parties.errors import LocalFault
    from parties.settings_file import load
    from parties.tickets.drafting import Wish
    from parties.tickets.drafting import draft as draft_ticket
    from parties.tickets.files import SUFFIX, write_ticket
    from parties.tickets.signing import SignedTicket

    told = {WayName.MATCH, WayName.INQUIRE}.intersection(ways)
    if get and get_none:
        raise typer.BadParameter("--get: not together with --get-none")
    if told and learns is not Learns.PEER and not get and not get_none:
        raise typer.BadParameter("say by --get which columns of theirs we get, or --get-none")
    loaded = load(settings)
    admitted(loaded, "ticket draft", as_)
    wish = Wish(
        purpose=purpose,
        legal_basis=legal_basis,
        case=case,
        ways=tuple(way.value for way in ways),
        floor=floor,
        sets=tuple(sets or ()),
        learns=learns.value,
        get=tuple(get or ()),
        give=None if give_ is None else tuple(give_),
        ours=ours,
        theirs=theirs,
        runs=runs,
        inquiries=inquiries,
        protocols=tuple(each.value for each in protocols or ()),
        rules=tuple(map(_digest_of, rules or ())),
        days=days,
    )
    ticket = draft_ticket(loaded, loaded.peer(peer), wish, datetime.now(UTC))
    file = out or loaded.tickets.folder / f"{ticket.id}{SUFFIX}"
    if file.exists():
        raise LocalFault(f"{file} is there already; choose another file or move it away")
    signed = SignedTicket(ticket)
    write_ticket(file, signed)
    _give(file, signed, as_json=as_json)


def sign(
    file: TicketPath,
    key: KeyPath,
    certificate: CertificatePath,
    stage: Annotated[StageName, typer.Option(help="For a run, or for detail to be told.")],
    approval: Annotated[str, typer.Option(help="Number of the approval, of an approver.")] = "",
    settings: Annotated[
        Path | None,
        typer.Option(help="The settings file of the operator's node, whose log then says it."),
    ] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Signs a ticket, as the duty that the certificate names; read it first by `show`."""
    from datetime import UTC, datetime

    from parties.errors import CertificateError
    from parties.operators import operator_of
    from parties.settings_file import load
    from parties.tickets.files import read_ticket, write_ticket
    from parties.tickets.signing import SignedTicket
    from parties.tickets.signing import sign as sign_ticket

    loaded = None if settings is None else load(settings)
    signed = SignedTicket.decode(read_ticket(file))
    secret, chain = operator_files(key, certificate)
    operator = operator_of(chain[0])
    if loaded is not None and operator.node != loaded.node.name:
        raise CertificateError(
            f"the certificate is for an operator of {operator.node}, and --settings are those of "
            f"{loaded.node.name}"
        )
    if loaded is not None:
        admitted_to_sign(loaded, "ticket sign", secret, chain, as_)
    elif as_ is not None:
        raise typer.BadParameter("--as: give --settings as well, of the node that is to believe it")
    more = sign_ticket(signed, stage.value, secret, chain, datetime.now(UTC), approval)
    if loaded is None:
        write_ticket(file, more)
    else:
        from parties.cli.noting import noting
        from parties.operators.acting import acting_by

        with noting(loaded) as note:
            ticket = {"ticket": more.ticket.id, "digest": more.ticket.digest, "stage": stage.value}
            note("ticket_approved", ticket | acting_by(operator).facts())
            write_ticket(file, more)
    _give(file, more, as_json=as_json)


def show(file: TicketPath, as_json: AsJson = False) -> None:
    """Shows what a ticket allows, who signed it and what is missing; does not verify it."""
    from parties.tickets.files import read_ticket
    from parties.tickets.signing import SignedTicket
    from parties.tickets.telling import as_json as values_of
    from parties.tickets.telling import lines

    signed = SignedTicket.decode(read_ticket(file))
    packs = packs_of(signed.ticket.rules)
    give(values_of(signed) | {"packs": packs}, lines(signed, packs), as_json=as_json)


def verify(
    file: TicketPath, settings: SettingsPath, as_: As = None, as_json: AsJson = False
) -> None:
    """Verifies a ticket as this node would if it were used now."""
    from datetime import UTC, datetime

    from parties.settings_file import load
    from parties.tickets import SignedTicket, peer_of, revoked, trust_in
    from parties.tickets import verify as verify_ticket
    from parties.tickets.files import read_ticket

    loaded = load(settings)
    admitted(loaded, "ticket verify", as_)
    data = read_ticket(file)
    peer = peer_of(loaded, SignedTicket.decode(data).ticket)
    verified = verify_ticket(data, trust_in(loaded, peer), datetime.now(UTC), revoked(loaded))
    ticket, missing = verified.ticket, verified.missing
    lines = [
        f"ticket {ticket.id} holds, with {peer.name}, until {ticket.not_after:%Y-%m-%d %H:%M} UTC"
    ]
    lines += [f"missing: {key}" for key in missing]
    values = {
        "ticket": ticket.id,
        "digest": verified.digest,
        "peer": peer.name,
        "missing": [key._asdict() for key in missing],
    }
    give(values, lines, as_json=as_json)


def revoke(
    revoked: Annotated[
        str, typer.Argument(metavar="WHAT", help="Id of a ticket, or sha256:... of a certificate.")
    ],
    settings: SettingsPath,
    key: KeyPath,
    certificate: CertificatePath,
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Revokes a ticket, or an operator's certificate, at this node."""
    from datetime import UTC, datetime

    from parties.cli.noting import noting
    from parties.operators import operator_of
    from parties.operators.acting import acting_by
    from parties.settings_file import load
    from parties.tickets.revoking import revoke as write_revocation

    loaded = load(settings)
    secret, chain = operator_files(key, certificate)
    admitted_to_sign(loaded, "ticket revoke", secret, chain, as_)
    who = acting_by(operator_of(chain[0])).facts()
    with noting(loaded) as note:
        path = write_revocation(loaded, revoked, reason, secret, chain, datetime.now(UTC))
        kind, _, digest = revoked.rpartition(":")
        if kind:
            note("certificate_revoked", who | {"certificate": digest})
        else:
            note("ticket_revoked", who | {"ticket": revoked})
    give({"revoked": revoked, "file": str(path)}, [f"revoked {revoked}"], as_json=as_json)


def _digest_of(rules: str) -> str:
    """Returns the digest of a pack of rules, which is looked through, or one that was given.

    Raises:
        PackRefused: it is not what it must be, or has rules that nobody has accepted.
    """
    if len(rules) == 64 and set(rules) <= set("0123456789abcdef"):
        return rules
    from parties.errors import PackRefused
    from parties.models.checking import checked
    from parties.models.loading import folder_of

    pack = checked(folder_of(rules))
    if pack.drafts:
        raise PackRefused(
            f"{pack.name}/{pack.drafts[0]}: is a draft; no ticket names a pack of such"
        )
    return pack.digest


def packs_of(rules: Sequence[str]) -> dict[str, str]:
    """Returns name and version of the packs among these that come with this release, by digest."""
    if not rules:
        return {}
    from parties.models.loading import OURS, load, names

    ours = [load(OURS / name) for name in names()]
    return {pack.digest: f"{pack.name} {pack.version}" for pack in ours if pack.digest in rules}


def operator_files(
    key: Path, certificate: Path
) -> tuple[Ed25519PrivateKey, Sequence[x509.Certificate]]:
    """Reads an operator's key, for which the passphrase is asked, and certificates.

    Raises:
        CertificateError, SettingsError, LocalFault: a file cannot be read, or opened so.
    """
    from parties.cli.operators import key_of
    from parties.operators import read_operator_file

    _, chain = read_operator_file(certificate)
    return key_of(key), chain


def _give(file: Path, signed: SignedTicket, *, as_json: bool) -> None:
    missing = signed.missing()
    lines = [f"wrote {file}", *(f"missing: {key}" for key in missing)]
    values = {
        "ticket": signed.ticket.id,
        "digest": signed.ticket.digest,
        "file": str(file),
        "missing": [key._asdict() for key in missing],
    }
    give(values, lines, as_json=as_json)
