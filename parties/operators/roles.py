"""What people of a node may be, and which of them sign tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias, get_args

from parties.settings import OperatorRole as OperatorRole
from parties.settings import Role

Party: TypeAlias = Role
"""Insurer or police: `Role` is that of a node, and a person has one as well."""
Duty: TypeAlias = OperatorRole
"""A role as which a ticket is signed."""

PARTIES: Final[tuple[Party, ...]] = get_args(Role)
DUTIES: Final[Mapping[Party, tuple[Duty, Duty]]] = {
    "insurer": ("analyst", "compliance"),
    "police": ("investigator", "approver"),
}
"""The two keys of each side: who wants or works on it, and who answers for it."""
ANSWERING: Final[Mapping[Party, Duty]] = {party: answers for party, (_, answers) in DUTIES.items()}
"""Who answers for a side, and may therefore revoke."""
APPROVER: Final = "approver"
"""Whose signature carries the number of an approval (Data Security Law of the PRC, art. 35)."""
ROLES: Final[Mapping[Party, tuple[OperatorRole, ...]]] = {
    party: (*duties, "auditor", "administrator") for party, duties in DUTIES.items()
}
"""What people of each party may be."""


def other(party: Party) -> Party:
    """Returns the other party."""
    return "police" if party == "insurer" else "insurer"
