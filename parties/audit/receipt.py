"""A receipt: what one node says under its key about a run or inquiries, and the other keeps.

Both nodes sign one for each run, and one for some inquiries of before. Each carries a place of its
signer's own log, so that a log that is written anew afterwards does not fit what the peer holds. A
receipt goes to the peer: what only its signer learnt is not in it, but in the signer's log, to
which the place binds it.

As it crosses and is kept, a receipt is canonical JSON: `{"certificate", "receipt", "signature"}`,
certificate and signature in base 64. The signature goes over a domain, the certificate and the
inner object.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from parties import canonical
from parties.audit import facts, signing
from parties.audit.chain import Place
from parties.audit.facts import DONE
from parties.audit.heads import unpack
from parties.credentials import LONGEST_CERTIFICATE, Credentials, names_of, read_der
from parties.errors import AuditRefused
from parties.signatures import LONGEST
from psi.errors import ApiMisuse
from psi.lazily import NamedTuple, unread

with unread("parties.audit.inquiries"):  # which no receipt of a run needs
    from parties.audit import inquiries

if TYPE_CHECKING:
    from parties.audit.inquiries import InquiryReceipt

FORM: Final = 1
DOMAIN: Final = b"greenlane/audit/1/receipt\n"
INQUIRE: Final = "inquire"
MOST_SETS: Final = 64
"""Of a job, as in `parties.agreement`."""
LONGEST_RECEIPT: Final = 1 << 16
"""Bytes: 64 sets of 540, or 64 inquiries of 300 with 128 names of 90; a certificate and a signature
in base 64, and 1 KiB for the rest."""
LEARNS: Final = ("insurer", "police", "both", "nobody")


class SetReceipt(NamedTuple):
    """What was matched of one set.

    Attributes:
        name: of the set.
        protocol: that ran.
        insurer: size of the insurer's, as it was shown: a size class, or how many were asked.
        police: size of the police's, likewise.
        found: how many are in common, where both parties learn that; else None.
        insurer_input: the insurer's commitment to its set, hexadecimal; empty if it made none.
        police_input: that of the police.
    """

    name: str
    protocol: str
    insurer: int
    police: int
    found: int | None = None
    insurer_input: str = ""
    police_input: str = ""


class Receipt(NamedTuple):
    """A run, or some inquiries, as its signer saw them.

    Attributes:
        session: of the run; of inquiries, of the call in which receipts were exchanged.
        ticket: its id; empty on nodes that run without.
        ticket_digest: SHA-256 of the ticket, hexadecimal; empty likewise.
        insurer: name of that node.
        police: name of that node.
        way: count, match or inquire.
        stage: of the ticket; empty without one.
        learns: which party: insurer, police, both or nobody.
        sets: in the order of the job; none of inquiries.
        said_bytes: of messages, as the signer counted them; of inquiries, in all.
        heard_bytes: likewise.
        transcript: SHA-256 or BLAKE3 over what both said, hexadecimal; empty if the run was not
            done. Of inquiries, `inquiries.transcript_of`.
        started: when, by the signer's clock, as `chain.stamp` writes it; the first of inquiries.
        ended: likewise.
        outcome: "done" or a code word.
        signer: the party that signs, insurer or police.
        place: where the signer's log ended when it signed.
        inquiries: in the order in which the asker has them; none of a run.
    """

    session: str
    ticket: str
    ticket_digest: str
    insurer: str
    police: str
    way: str
    stage: str
    learns: str
    sets: tuple[SetReceipt, ...]
    said_bytes: int
    heard_bytes: int
    transcript: str
    started: str
    ended: str
    outcome: str
    signer: str
    place: Place
    inquiries: tuple[InquiryReceipt, ...] = ()

    @property
    def node(self) -> str:
        """The name of the signer's node."""
        return self.insurer if self.signer == "insurer" else self.police

    @property
    def peer(self) -> str:
        """The name of the other node."""
        return self.police if self.signer == "insurer" else self.insurer

    def as_values(self) -> dict[str, Any]:
        """The receipt as plain values."""
        values = self._asdict() | {"format": FORM, "sets": [each._asdict() for each in self.sets]}
        values["place"] = {"hash": self.place.hash.hex(), "number": self.place.number}
        if self.way != INQUIRE:
            del values["inquiries"]
        else:
            values["inquiries"] = [each.as_values() for each in self.inquiries]
        return values


class Signed(NamedTuple):
    """A receipt that is signed by a certificate of its signer's name.

    Attributes:
        receipt: what it says.
        certificate: of the signer.
        data: all of it, as it crosses.
    """

    receipt: Receipt
    certificate: x509.Certificate
    data: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the data, hexadecimal: what the line in the log has."""
        return hashlib.sha256(self.data).hexdigest()


def sign(receipt: Receipt, credentials: Credentials) -> Signed:
    """Signs a receipt with the key of this node's certificate.

    Raises:
        ApiMisuse: it could not be read again: a value is wrong, or the certificate is that of
            another node.
    """
    values = receipt.as_values()
    if receipt.node not in names_of(credentials.leaf):
        raise ApiMisuse("a receipt of ours would not be read: the certificate is of another node")
    if not _is_sound(values):
        raise ApiMisuse("a receipt of ours would not be read: a value is wrong")
    # Not verified: `read_credentials` has found that the key is the certificate's.
    signature = signing.sign(DOMAIN, canonical.encode(values), credentials)
    data = canonical.encode(
        {
            "certificate": base64.b64encode(credentials.leaf_der).decode(),
            "receipt": values,
            "signature": base64.b64encode(signature).decode(),
        }
    )
    if len(data) > LONGEST_RECEIPT:
        raise ApiMisuse("a receipt of ours would not be read: it is too long")
    return Signed(receipt, credentials.leaf, data)


def read(data: bytes) -> Signed:
    """Reads a receipt that somebody has signed; whose certificate it is, the caller judges.

    Raises:
        AuditRefused: `receipt-malformed`, it is none; `receipt-forged`, it is not signed by the
            certificate in it, or that is not one of its signer's name.
    """
    receipt, signed, signature, certificate = _parse(data)
    if not signing.is_signed(DOMAIN, signed, signature, certificate, receipt.node):
        raise AuditRefused(
            "receipt-forged",
            f"a receipt that names {receipt.node} as its signer is not signed by a certificate of "
            "that name",
        )
    return Signed(receipt, certificate, data)


def read_answer(
    data: bytes, ours: Receipt, why_not: Callable[[x509.Certificate], str | None]
) -> Signed:
    """Reads the peer's receipt of a run of which we have given ours.

    Args:
        data: what the peer said.
        ours: our receipt of the same.
        why_not: says why a certificate is not the peer's, a clause for people; None if it is.

    Raises:
        AuditRefused: as `read`; or `receipt-other`, it is of another run or signer.
    """
    theirs = read(data)
    must_answer(theirs, ours, why_not)
    return theirs


def must_answer(
    theirs: Signed, ours: Receipt, why_not: Callable[[x509.Certificate], str | None]
) -> None:
    """Checks that a receipt is the peer's, of the same as ours; arguments as of `read_answer`.

    Raises:
        AuditRefused: `receipt-other`.
    """
    same = ("session", "insurer", "police")
    if (
        any(getattr(theirs.receipt, name) != getattr(ours, name) for name in same)
        or theirs.receipt.signer == ours.signer
    ):
        raise AuditRefused(
            "receipt-other", f"{ours.peer} gave a receipt of something else, or of another node"
        )
    if why := why_not(theirs.certificate):
        raise AuditRefused(
            "receipt-other", f"the certificate under which {ours.peer} signed its receipt {why}"
        )


def _parse(data: bytes) -> tuple[Receipt, bytes, bytes, x509.Certificate]:
    """The receipt, its bytes, the signature over them, and the certificate."""
    try:
        if len(data) <= LONGEST_RECEIPT:
            values = canonical.decode(data)
            receipt = _receipt(values["receipt"])
            signature = unpack(values["signature"], LONGEST)
            certificate = read_der(unpack(values["certificate"], LONGEST_CERTIFICATE))
            if len(values) == 3 and certificate is not None:
                return receipt, canonical.encode(values["receipt"]), signature, certificate
    except (ValueError, TypeError, KeyError, AttributeError):
        pass  # raised below, outside of the handler: the error's text may quote the data
    raise AuditRefused("receipt-malformed", "what should be a receipt is none")


_FIELDS: Final = {*Receipt._fields, "format"} - {"inquiries"}
_EVENTS: Final = facts.EVENTS
_SESSION: Final = _EVENTS["run_ended"]["session"].has
_TICKET: Final = _EVENTS["run_ended"]["ticket"].has
_WORD: Final = _EVENTS["receipt"]["outcome"].has
_DIGEST: Final = _EVENTS["receipt"]["digest"].has
_NAME: Final = _EVENTS["receipt"]["peer"].has


def _receipt(values: Mapping[str, Any]) -> Receipt:
    """A receipt of values that somebody else has written.

    Raises:
        ValueError: a value is not what it must be; also TypeError, KeyError or AttributeError.
    """
    inquires = values["way"] == INQUIRE
    fields = _FIELDS | {"inquiries"} if inquires else _FIELDS
    if set(values) != fields or values["format"] != FORM or values["format"] is True:
        raise ValueError("fields")
    sets, place = values["sets"], values["place"]
    if not isinstance(sets, list) or len(sets) > MOST_SETS or set(place) != {"hash", "number"}:
        raise ValueError("sets or place")
    if not _DIGEST(place["hash"]):
        raise ValueError("place")
    parsed = ("sets", "place", "inquiries")
    rest = {name: values[name] for name in Receipt._fields if name not in parsed}
    receipt = Receipt(
        **rest,
        sets=tuple(map(_set, sets)),
        place=Place(place["number"], bytes.fromhex(place["hash"])),
        inquiries=inquiries.inquiries_of(values["inquiries"]) if inquires else (),
    )
    numbers = (receipt.said_bytes, receipt.heard_bytes, receipt.place.number)
    done = receipt.outcome == DONE
    sound = (
        _SESSION(receipt.session)
        and (receipt.ticket == "" or _TICKET(receipt.ticket))
        and (receipt.ticket_digest == "" or _DIGEST(receipt.ticket_digest))
        and _NAME(receipt.insurer)
        and _NAME(receipt.police)
        and receipt.insurer != receipt.police
        and receipt.way in facts.WAYS
        and (receipt.stage == "" or _WORD(receipt.stage))
        and receipt.learns in LEARNS
        and all(map(facts.is_number, numbers))
        and (_DIGEST(receipt.transcript) or (not done and receipt.transcript == ""))
        and facts.is_time(receipt.started)
        and facts.is_time(receipt.ended)
        and datetime.fromisoformat(receipt.started) <= datetime.fromisoformat(receipt.ended)
        and _WORD(receipt.outcome)
        and receipt.signer in facts.PARTIES
        and len({each.name for each in receipt.sets}) == len(receipt.sets)
        # What one party alone has learnt must not be told to the other by its receipt.
        and (receipt.learns == "both" or all(each.found is None for each in receipt.sets))
        and (not inquires or _adds_up(receipt))
    )
    if not sound:
        raise ValueError("a value")
    return receipt


def _is_sound(values: Mapping[str, Any]) -> bool:
    """Whether values of ours are those of a receipt."""
    try:
        _receipt(values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    return True


def _adds_up(receipt: Receipt) -> bool:
    """Whether a receipt of inquiries says in all what it says of each."""
    each = receipt.inquiries
    return (
        not receipt.sets
        and receipt.said_bytes == sum(one.said_bytes for one in each)
        and receipt.heard_bytes == sum(one.heard_bytes for one in each)
        and receipt.outcome == inquiries.outcome_of(each)
        and receipt.transcript == inquiries.transcript_of(each)
    )


def _set(values: Mapping[str, Any]) -> SetReceipt:
    if set(values) != set(SetReceipt._fields):
        raise ValueError("set")
    each = SetReceipt(**values)
    numbers = [each.insurer, each.police, *([] if each.found is None else [each.found])]
    inputs = (each.insurer_input, each.police_input)
    if not (
        _NAME(each.name)
        and _WORD(each.protocol)
        and all(map(facts.is_number, numbers))
        and all(digest == "" or _DIGEST(digest) for digest in inputs)
    ):
        raise ValueError("set")
    return each
