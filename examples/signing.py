"""Four people and a ticket: analyst and compliance of the insurer, investigator and approver.

In an organisation each signs on a machine of their own, with a key that nobody else has. Here their
keys lie in a folder of the demo, under passphrases that are made up and forgotten.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pair import Pair, run

PEOPLE: Final = {
    "analyst": ("insurer", "wang"),
    "compliance": ("insurer", "sun"),
    "investigator": ("police", "li"),
    "approver": ("police", "zhao"),
}
"""By role: of which node, and the name."""
PACKS: Final = ("auto", "accident", "flight_delay")
"""Packs of rules that come along."""
APPROVAL: Final = "2026-118"
"""The number under which the approver's office has approved."""


class Signers:
    """The four people; their keys and certificates are issued by the nodes' authorities.

    Args:
        nodes: the two nodes.
        folder: where the keys go.
    """

    def __init__(self, nodes: Pair, folder: Path) -> None:
        self._nodes, self._folder = nodes, folder
        self._passphrases = {role: secrets.token_urlsafe() for role in PEOPLE}
        for role, (node, person) in PEOPLE.items():
            where = ("--settings", str(nodes.settings(node)), "--out", str(folder / role))
            run(
                "operator",
                "issue",
                person,
                "--role",
                role,
                *where,
                environment=self.environment(role),
            )

    def sign(self, ticket: Path, stage: str) -> None:
        """Has all four sign, for a run or for the disclosure of detail."""
        for role in PEOPLE:
            key, certificate = (self._folder / role / f"operator.{end}" for end in ("key", "pem"))
            approval = ("--approval", APPROVAL) if role == "approver" else ()
            files = ("--key", str(key), "--certificate", str(certificate), "--stage", stage)
            run(
                "ticket", "sign", str(ticket), *files, *approval, environment=self.environment(role)
            )

    def act(self, role: str, *command: str) -> dict[str, Any]:
        """Gives a command as one of the four, at their node; returns what it printed."""
        node, _ = PEOPLE[role]
        who = ("--settings", str(self._nodes.settings(node)), "--as", str(self._folder / role))
        return run(*command, *who, environment=self.environment(role))

    def environment(self, role: str) -> dict[str, str]:
        """Returns that of a process in which a person shows who they are."""
        return os.environ | {"GREENLANE_OPERATOR_PASSPHRASE": self._passphrases[role]}


def draft(
    nodes: Pair, get: Sequence[str], file: Path, ways: Sequence[str] = ("count", "match")
) -> str:
    """Drafts a ticket by which the insurer counts, and then learns these columns of the police.

    Returns its id. The packs of rules that come along may judge what it learns. Without `count`
    among the ways it learns at once.
    """
    report = run(
        *("ticket", "draft", "--settings", str(nodes.settings("insurer")), "--peer", "police"),
        *("--purpose", "staged accidents, joint action of the month", "--case", "2026-11"),
        *("--legal-basis", "Data Security Law, art. 35", "--floor", "0", "--runs", "2"),
        *("--out", str(file)),
        *(word for way in ways for word in ("--way", way)),
        *(word for column in get for word in ("--get", column)),
        *(word for pack in PACKS for word in ("--rules", pack)),
    )
    return str(report["ticket"])


def compare_logs(nodes: Pair, folder: Path) -> int:
    """Verifies both nodes' logs, compares them, and returns how many receipts they hold.

    Raises:
        NodeFailed: something does not hold.
    """
    receipts = 0
    for role in ("insurer", "police"):
        receipts += run("audit", "verify", "--settings", str(nodes.settings(role)))["receipts"]
    export = folder / "police-log.jsonl"
    run("audit", "export", "--settings", str(nodes.settings("police")), "--out", str(export))
    run("audit", "compare", str(export), "--settings", str(nodes.settings("insurer")))
    return receipts
