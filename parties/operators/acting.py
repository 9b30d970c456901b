"""Who gives a command: a person with one role, known by a certificate or by a token."""

from __future__ import annotations

from parties.operators.operator import Operator
from parties.operators.roles import OperatorRole
from psi.lazily import NamedTuple


class Acting(NamedTuple):
    """A person who has shown who they are.

    Attributes:
        person: a staff number or short name; one for all that a person may show.
        role: of this person.
        certificate: its fingerprint as `Operator` has it, hexadecimal; None if a token was shown.
        subject: SHA-256 of issuer and subject of a token, hexadecimal; None with a certificate.
        key: the public key of the certificate, to which results are sealed; None with a token.
    """

    person: str
    role: OperatorRole
    certificate: str | None = None
    subject: str | None = None
    key: bytes | None = None

    def facts(self) -> dict[str, str]:
        """Who it is, as lines of the audit log name people."""
        facts = {"operator": self.person, "role": self.role}
        if self.certificate is not None:
            facts["certificate"] = self.certificate
        if self.subject is not None:
            facts["subject"] = self.subject
        return facts


def acting_by(operator: Operator) -> Acting:
    """Returns who acts by a certificate."""
    digest = operator.fingerprint.removeprefix("sha256:")
    return Acting(operator.person, operator.role, certificate=digest, key=operator.key)
