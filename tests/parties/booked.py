"""Logs of an insurer and a police node for the tests of `parties.audit`, with runs between them."""

from __future__ import annotations

import base64
import os
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from tabled import AUDIT, rows

from parties import audit, canonical
from parties.audit.chain import Genesis, body_of, link, stamp
from parties.audit.findings import Report
from parties.audit.log import find, place
from parties.audit.reading import StoredLog
from parties.audit.receipt import Receipt, SetReceipt, read_answer
from parties.audit.verifying import verify
from parties.certificates import create_authority, issue
from parties.credentials import Credentials, Identity, read_credentials
from parties.store import Connection, Store

NOON = datetime(2024, 11, 30, 12, tzinfo=UTC)
"""When logs of tests begin: before what the machine's clock says, at which the program looks."""
INSERT = "INSERT INTO audit_lines (number, at, event, body, hash) VALUES (?, ?, ?, ?, ?)"
GUARDS = ("no_update", "no_delete", "no_replace")


def put(connection: Connection, lines: Sequence[tuple[object, ...]]) -> None:
    """Writes lines of a log as they are."""
    driver: Any = connection
    driver.executemany(INSERT, lines)


class Booked:
    """A node's store with a log, and a clock that tests set."""

    def __init__(self, folder: Path, node: str) -> None:
        self.node = node
        self.folder = folder
        folder.mkdir(exist_ok=True)
        authority = Identity(folder / "ca.pem", folder / "ca.key")
        self.identity = Identity(folder / "node.pem", folder / "node.key")
        create_authority(node, authority)
        issue(node, self.identity, authority)
        self.authority = authority
        self.credentials: Credentials = read_credentials(self.identity)
        self.store = Store(f"sqlite:///{folder / 'store.db'}")
        weakref.finalize(self, self.store.close)
        self.time = NOON
        with self.store.writing() as connection:
            audit.begin(connection, node)

    def why_not(self, certificate: x509.Certificate) -> str | None:
        """Why a certificate is not this node's."""
        return None if certificate == self.credentials.leaf else "is another"

    def tick(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def write(self, event: str, **facts: Any) -> int:
        with self.store.writing() as connection:
            return audit.append(connection, self.tick(), event, facts)

    def sign(self) -> audit.Head:
        with self.store.writing() as connection:
            return audit.sign_head(connection, self.credentials, self.tick())

    def fill(self, lines: int) -> None:
        """Some lines about nothing that the other node knows."""
        with self.store.writing() as connection:
            for number in range(lines):
                facts = {"peer": "other", "code": "way-not-allowed", "session": f"{number:032x}"}
                audit.append(connection, self.tick(), "job_refused", facts)

    def fill_fast(self, count: int) -> None:
        """Very many lines, which are chained here and not by `append`."""
        facts = {"peer": "other", "session": "ab" * 16, "elements": {"plate": 500}}
        with self.store.writing() as connection:
            last, before = place(connection)
            lines = []
            for number in range(last + 1, last + count + 1):
                at = stamp(self.tick())
                body = body_of(number, at, "inquiry_answered", facts, number.to_bytes(16, "big"))
                before = link(before, body)
                lines.append((number, at, "inquiry_answered", body, before))
                if len(lines) == 10_000:
                    put(connection, lines)
                    lines = []
            if lines:
                put(connection, lines)

    def verified(self) -> Report:
        with self.store.reading() as connection:
            return verify(StoredLog(connection), self.credentials.leaf)

    def genesis(self) -> Genesis:
        with self.store.reading() as connection:
            genesis = find(connection)
        assert genesis is not None
        return genesis

    def rows(self, table: str = "audit_lines") -> Sequence[Any]:
        with self.store.reading() as connection:
            return rows(connection, table)

    def tamper(self, *statements: str, **values: Any) -> None:
        """What somebody does who has the database's password."""
        with self.store.writing() as connection:
            for table in AUDIT:
                for guard in GUARDS:
                    connection.execute(f"DROP TRIGGER IF EXISTS {table}_{guard}")
            for statement in statements:
                connection.execute(statement, values)

    def rechain(self, first: int) -> None:
        """Writes the hashes anew from a line on, as somebody does who wants it to fit."""
        lines = {row.number: row for row in self.rows()}
        before = lines[first - 1].hash if first > 1 else self.genesis().hash
        self.tamper()
        for number in range(first, len(lines) + 1):
            before = link(before, lines[number].body)
            text = "UPDATE audit_lines SET hash = :hash WHERE number = :number"
            self.tamper(text, hash=before, number=number)


def receipt_of(session: str, signer: str, **changes: Any) -> Receipt:
    """The receipt of one of two nodes; what one said the other heard."""
    said = {"insurer": 1000, "police": 5000}
    other = "police" if signer == "insurer" else "insurer"
    plate = SetReceipt("plate", "dh", 128, 1024)
    receipt = Receipt(
        session=session,
        ticket="T-2026-1",
        ticket_digest="ab" * 32,
        insurer="insurer",
        police="police",
        way="count",
        stage="count",
        learns="police",
        sets=(plate,),
        said_bytes=said[signer],
        heard_bytes=said[other],
        transcript="cd" * 32,
        started=stamp(NOON),
        ended=stamp(NOON + timedelta(minutes=1)),
        outcome="done",
        signer=signer,
        place=audit.Place(0, bytes(32)),
    )
    return receipt._replace(**changes)


def run(here: Booked, there: Booked, session: str | None = None, **changes: dict[str, Any]) -> str:
    """Has both nodes run a job and exchange receipts; changes are of each node's own, by name."""
    session = session or os.urandom(16).hex()
    at = max(here.tick(), there.tick())
    signed = {}
    for node in (here, there):
        node.time = at
        with node.store.writing() as connection:
            begun(connection, node, session)
            receipt = receipt_of(session, node.node, ended=stamp(node.time))
            receipt = receipt._replace(**changes.get(node.node, {}))
            signed[node.node] = audit.keep_ours(connection, node.tick(), receipt, node.credentials)
    for node, other in ((here, there), (there, here)):
        with node.store.writing() as connection:
            theirs = read_answer(signed[other.node].data, signed[node.node].receipt, other.why_not)
            audit.keep_theirs(connection, node.tick(), theirs, node.credentials)
    return session


def begun(connection: Connection, node: Booked, session: str) -> None:
    peer = "police" if node.node == "insurer" else "insurer"
    facts = {"peer": peer, "session": session, "way": "count", "ticket": "T-2026-1"}
    learns = "us" if node.node == "police" else "peer"
    audit.append(
        connection, node.tick(), "run_begun", {**facts, "sets": ["plate"], "learns": learns}
    )
    ended = {
        **facts,
        "ours": {"plate": 128},
        "theirs": {"plate": 1024},
        **{"said_bytes": 1000, "heard_bytes": 5000, "milliseconds": 60_000},
    }
    found = {"found": {"plate": 7}} if node.node == "police" else {}
    audit.append(connection, node.tick(), "run_ended", {**ended, **found})


def forged(values: dict[str, Any], credentials: Credentials) -> bytes:
    """A receipt with these values, signed by these credentials, without any check."""
    from parties.audit import signing
    from parties.audit.receipt import DOMAIN

    signature = signing.sign(DOMAIN, canonical.encode(values), credentials)
    return canonical.encode(
        {
            "certificate": base64.b64encode(credentials.leaf_der).decode(),
            "receipt": values,
            "signature": base64.b64encode(signature).decode(),
        }
    )


__all__ = ["NOON", "Booked", "begun", "body_of", "forged", "receipt_of", "run"]
