"""Operators: people with a role of a node, proven by certificates of their organisation.

`roles` says what people may be; `operator` reads a certificate and `chains` whom to believe it;
`keys` keeps the private key; `issuing` makes both for a first try.
"""

from __future__ import annotations

from psi.lazily import uncompiled

# Names are read out of certificates here, and never out of text, for which the library has an
# expression that takes a third of its import to compile.
with uncompiled():
    import cryptography.x509  # noqa: F401  # as every file here has it

from parties.operators.operator import Operator, operator_of, read_operator, read_operator_file
from parties.operators.roles import ANSWERING, DUTIES, PARTIES, ROLES, Duty, OperatorRole, Party

__all__ = [
    "ANSWERING",
    "DUTIES",
    "PARTIES",
    "ROLES",
    "Duty",
    "Operator",
    "OperatorRole",
    "Party",
    "operator_of",
    "read_operator",
    "read_operator_file",
]
