"""Signatures under a ticket, and the file that holds both.

The file is the canonical JSON object {"ticket": ..., "signatures": [...]} and nothing else, so that
no byte of it can be another. The signatures stand in order, one for each party, stage and duty.
They sign the ticket's digest: one that is added later leaves the others as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from parties import canonical, signatures
from parties.errors import CertificateError, TicketRefused
from parties.operators import DUTIES, PARTIES, Duty, Operator, Party, operator_of
from parties.operators.chains import MOST_INTERMEDIATES, read_der
from parties.operators.roles import APPROVER
from parties.tickets.fields import Fields, Malformed, bytes_of, text_of, told
from parties.tickets.ticket import LONGEST, LONGEST_NUMBER, STAGES, Stage, Ticket
from psi.lazily import NamedTuple

DOMAIN: Final = b"greenlane/ticket/1/signature\n"
"""Stands before what is signed, so that a signature under anything else is none under a ticket."""
_NAMES: Final = ("ticket", "signatures")
_SIGNATURE: Final = 64
"""Bytes (RFC 8032, section 5.1.6)."""
_KEYS: Final = tuple(
    (party, stage, duty) for party in PARTIES for stage in STAGES for duty in DUTIES[party]
)


class Key(NamedTuple):
    """Which signature one is.

    Attributes:
        party: whose.
        stage: for what.
        duty: as what the person signs.
    """

    party: Party
    stage: Stage
    duty: Duty

    def __str__(self) -> str:
        return f"the {self.party}'s {self.duty} for {self.stage}"


class Signature(NamedTuple):
    """One signature, as its signer has said it.

    Attributes:
        key: which it is.
        at: when it was made, UTC, whole seconds, as the signer says.
        approval: number of the approval; of an approver, else empty.
        certificates: DER, the signer's first, then intermediate authorities.
        signature: 64 bytes.
    """

    key: Key
    at: datetime
    approval: str
    certificates: tuple[bytes, ...]
    signature: bytes

    def signed(self, digest: str) -> bytes:
        """What it signs: the ticket's digest, and everything here but itself."""
        values = self.key._asdict() | {
            "ticket": digest,
            "at": told(self.at),
            "approval": self.approval,
            "certificates": [hashlib.sha256(each).hexdigest() for each in self.certificates],
        }
        return DOMAIN + canonical.encode(values)

    def values(self) -> dict[str, Any]:
        """The signature as JSON values."""
        certificate, *between = map(text_of, self.certificates)
        return self.key._asdict() | {
            "at": told(self.at),
            "approval": self.approval,
            "certificate": certificate,
            "intermediates": between,
            "signature": text_of(self.signature),
        }


class SignedTicket(NamedTuple):
    """A ticket with the signatures that it has so far; who they are of is not checked here.

    Attributes:
        ticket: what is signed.
        signatures: in order, each key once.
    """

    ticket: Ticket
    signatures: tuple[Signature, ...] = ()

    def encode(self) -> bytes:
        """The bytes of the file.

        Raises:
            TicketRefused: they are more than a ticket may have.
        """
        signed = [each.values() for each in self.signatures]
        data = canonical.encode({"ticket": self.ticket.values(), "signatures": signed})
        if len(data) > LONGEST:
            raise _malformed(f"it has more than {LONGEST} bytes")
        return data

    @classmethod
    def decode(cls, data: bytes) -> SignedTicket:
        """Reads a file that somebody else has written.

        Raises:
            TicketRefused: it is none, or not in the form in which `encode` writes it.
        """
        values = _values(data)
        try:
            fields = Fields(values, "the file", _NAMES)
            signed = fields.each("signatures", len(_KEYS), _signature)
            fields.in_order("signatures", [each.key for each in signed])
        except Malformed as error:
            raise _malformed(str(error)) from None
        return cls(Ticket.of(values["ticket"]), signed)

    def missing(self) -> tuple[Key, ...]:
        """The signatures that it lacks, if all that it allows is to be used."""
        needed, there = self.ticket.stages(), {each.key for each in self.signatures}
        return tuple(Key(*key) for key in _KEYS if key[1] in needed and key not in there)

    def signed_by(self, party: Party) -> tuple[Stage, ...]:
        """For which stages all duties of a party have signed."""
        there = {each.key for each in self.signatures}
        return tuple(
            stage
            for stage in STAGES
            if all(Key(party, stage, duty) in there for duty in DUTIES[party])
        )


def merged(one: SignedTicket, other: SignedTicket) -> SignedTicket:
    """Returns a ticket with the signatures of both; of two of one key it keeps the first's.

    Args:
        one: of which all signatures are kept.
        other: the same ticket, with others.

    Raises:
        TicketRefused: the two are not one ticket, or one person signed for two duties.
    """
    if one.ticket != other.ticket:
        raise TicketRefused("ticket-twice", "two tickets that differ have one id")
    there = {each.key for each in one.signatures}
    more = [each for each in other.signatures if each.key not in there]
    together = sorted((*one.signatures, *more))
    must_be_several([(each.key, operator_of_signature(each)) for each in together])
    return SignedTicket(one.ticket, tuple(together))


def sign(
    signed: SignedTicket,
    stage: Stage,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    at: datetime,
    approval: str = "",
) -> SignedTicket:
    """Adds an operator's signature, as the duty that the certificate names.

    Args:
        signed: the ticket so far.
        stage: for what the operator signs.
        key: the operator's.
        chain: the certificate, then intermediate authorities.
        at: now, UTC.
        approval: number of the approval; of an approver.

    Raises:
        CertificateError: the certificate is no operator's, or not valid now.
        TicketRefused: the ticket is not for the operator's node or not theirs to sign, is signed
            there already, has expired, or is signed by the same person for another duty.
    """
    operator = operator_of(chain[0])
    place = Key(party_of(signed.ticket, operator), stage, operator.role)
    if operator.key != key.public_key().public_bytes_raw():
        raise TicketRefused("ticket-forged", "the key is not that of the certificate")
    if any(each.key == place for each in signed.signatures):
        raise TicketRefused("ticket-one-person", f"the ticket is signed already by {place}")
    if not operator.not_before <= at <= operator.not_after:
        raise CertificateError("the certificate of the operator is not valid now; renew it")
    if at > signed.ticket.not_after:
        raise TicketRefused("ticket-expired", "the ticket has expired; draft a new one")
    if bool(approval) != (operator.role == APPROVER):
        raise _malformed("an approver gives the number of an approval, and nobody else does")
    certificates = tuple(each.public_bytes(Encoding.DER) for each in chain)
    unsigned = Signature(place, at.replace(microsecond=0), approval, certificates, b"")
    made = signatures.sign(unsigned.signed(signed.ticket.digest), key)
    added = sorted((*signed.signatures, unsigned._replace(signature=made)))
    more = SignedTicket(signed.ticket, tuple(added))
    must_be_several([(each.key, operator_of_signature(each)) for each in added])
    return SignedTicket.decode(more.encode())  # as it will be read


def ticket_in(data: bytes) -> Ticket:
    """Reads the ticket of a file, and nothing of its signatures, which take longer.

    Raises:
        TicketRefused: as `SignedTicket.decode`.
    """
    values = _values(data)
    try:
        Fields(values, "the file", _NAMES)
    except Malformed as error:
        raise _malformed(str(error)) from None
    return Ticket.of(values["ticket"])


def party_of(ticket: Ticket, operator: Operator) -> Party:
    """Returns for which party an operator may sign a ticket.

    Raises:
        TicketRefused: for none.
    """
    for party in PARTIES:
        if operator.node == ticket.node(party):
            if operator.role in DUTIES[party]:
                return party
            raise TicketRefused(
                "ticket-forged", f"{operator.role} is no duty of {party}, as which one may sign"
            )
    raise TicketRefused("ticket-other-peer", "the ticket is not for the node of this operator")


def must_be_several(signers: Sequence[tuple[Key, Operator]]) -> None:
    """Checks that nobody has signed for two duties, at whatever stages.

    A person is known by node and name, and by the key: neither may stand at two duties.

    Raises:
        TicketRefused: somebody has.
    """
    for place, (key, operator) in enumerate(signers):
        for earlier, another in signers[:place]:
            same = (operator.node, operator.person) == (another.node, another.person)
            if (key.party, key.duty) != (earlier.party, earlier.duty) and (
                same or operator.key == another.key
            ):
                raise TicketRefused(
                    "ticket-one-person", f"one person signed the ticket as {earlier} and as {key}"
                )


def operator_of_signature(signature: Signature) -> Operator:
    """Returns whom the certificate of a signature names; not whether that is so.

    Raises:
        TicketRefused: it is no operator's.
    """
    certificate = read_der(signature.certificates[0])
    try:
        if certificate is not None:
            return operator_of(certificate)
    except CertificateError:
        pass  # raised below, as for one that cannot be read
    raise TicketRefused("ticket-forged", f"the certificate of {signature.key} is no operator's")


def _signature(values: Any, where: str) -> Signature:
    names = ("party", "stage", "duty", "at", "approval")
    fields = Fields(values, where, (*names, "certificate", "intermediates", "signature"))
    party = cast(Party, fields.one("party", PARTIES))
    duty = cast(Duty, fields.one("duty", DUTIES[party]))
    key = Key(party, cast(Stage, fields.one("stage", STAGES)), duty)
    approval = fields.text("approval", LONGEST_NUMBER, empty=duty != APPROVER)
    if approval and duty != APPROVER:
        raise Malformed(f"approval of {where} is that of an approver")
    between = fields.each("intermediates", MOST_INTERMEDIATES, bytes_of)
    signature = fields.bytes("signature")
    if len(signature) != _SIGNATURE:
        raise Malformed(f"signature of {where} must have {_SIGNATURE} bytes")
    certificates = (fields.bytes("certificate"), *between)
    return Signature(key, fields.time("at"), approval, certificates, signature)


def _values(data: bytes) -> Any:
    if len(data) > LONGEST:
        raise _malformed(f"it has more than {LONGEST} bytes")
    try:
        return canonical.decode(data)
    except ValueError:
        raise _malformed("it is not in canonical JSON, or was changed") from None


def _malformed(why: str) -> TicketRefused:
    return TicketRefused("ticket-malformed", f"this is no ticket: {why}")
