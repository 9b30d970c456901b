"""A holder and an asker of inquiries, founded as `greenlane init` does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parties.answering import answers
from parties.audit.showing import lines_of
from parties.channel import Identity, Node
from parties.founding import FILE
from parties.inquiring import inquire
from parties.inquiry_reports import InquiryReport
from parties.limits import Limits
from parties.preparing import prepare
from parties.settings import Settings
from parties.settings_file import load
from parties.store import Store
from parties.tables import Fetched, Held
from parties.tickets.trial import write_trial
from psi import Meter

PASSPHRASE = "correct horse battery staple"
CLAIMS = (
    "claim_no,insured_id,driver_id,phone,plate,vin,amount\n"
    "C-1,11010519491231002X,,13800138000,浙A12345,,100\n"
    "C-2,11010519491231002X,,,浙A12345,,200\n"
    "C-3,,,,粤BD12345,,300\n"
)


@dataclass
class Pair:
    """An insurer that holds tables and a police node that asks."""

    folder: Path
    changes: dict[str, Any]

    @property
    def insurer(self) -> Settings:
        settings = load(self.folder / "insurer" / FILE)
        peer = settings.peers[0]._replace(**({"may": ("inquire",)} | self.changes))
        return settings._replace(peers=(peer,))

    @property
    def police(self) -> Settings:
        return load(self.folder / "police" / FILE)

    def prepare(self, *sets: str, epoch: str | None = None, whole: bool = False) -> None:
        prepare(self.insurer, "police", sets, epoch, Meter(), whole=whole)

    @contextmanager
    def serving(self, **options: Any) -> Iterator[Settings]:
        """Runs the insurer; gives settings of the police that know its port."""
        node = self.insurer.node
        identity = Identity(node.certificate, node.key)
        answer, peers = answers(self.insurer), self.insurer.peers
        options = {"at_once": answer.at_once} | options
        server = Node("127.0.0.1:0", identity, peers, answer, **options)
        port = server.start()
        police = self.police
        write_trial(self.insurer, police, datetime.now(UTC))
        try:
            peer = police.peers[0]._replace(address=f"127.0.0.1:{port}")
            yield police._replace(peers=(peer,))
        finally:
            server.stop(0)
            answer.books.close()

    def ask(self, **asked: list[str]) -> InquiryReport:
        with self.serving() as police:
            return inquire(police, "insurer", asked, Meter())

    def asked(self) -> int:
        """About how many elements the police have inquired today, by the insurer's count."""
        limits = Limits(Store(self.insurer.store.url))
        try:
            return limits.asked("police")
        finally:
            limits.close()

    def noted(self, event: str) -> list[dict[str, Any]]:
        """The facts of the insurer's log of one event."""
        with closing(Store(self.insurer.store.url)) as store, store.reading() as connection:
            return [line["facts"] for line in lines_of(connection, events=[event])]

    def held(self, name: str = "plate") -> Held:
        return Held(self.insurer.tables, self.insurer.peers[0], name)

    def fetched(self, name: str = "plate") -> Fetched:
        return Fetched(self.police.tables, self.police.peers[0], name)


def rows(report: InquiryReport) -> dict[str, list[str]]:
    """The claims that were told, by what was asked."""
    return {
        each.value: [row["claim_no"] for row in each.rows or ()]
        for each in report.told
        if each.records
    }
