"""The hallway of a holder: from its rows to a table that a peer may inquire, one room a step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from parties import logs
from parties.disclosure import Column, disclosed, records
from parties.errors import LocalFault, SettingsError
from parties.identifiers import domain, identify
from parties.settings import IdentifierSettings, PeerSettings, Settings
from parties.sources import Source, open_source
from parties.tables import Held, Manifest, wrapping
from parties.tables.making import make
from parties.tables.manifest import EPOCH
from psi import Meter, _core


class Prepared(NamedTuple):
    """A table that was made.

    Attributes:
        set: of identifiers.
        epoch: the name of its key.
        number: of the table.
        identifiers: how many are in it.
        rejected: cells that were not identifiers, by reason.
        records: how many; None if members alone are told.
        generations: how many changes it holds, and what they were made to.
        shards: how many files.
        size: their bytes together.
        seconds: what it took.
    """

    set: str
    epoch: str
    number: int
    identifiers: int
    rejected: Mapping[str, int]
    records: int | None
    generations: int
    shards: int
    size: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return self._asdict()

    def lines(self) -> list[str]:
        """The report as lines for people."""
        told = "members" if self.records is None else f"{self.records:,} records"
        lines = [
            f"{self.set}: table {self.number} of epoch {self.epoch}, {self.identifiers:,} "
            f"identifiers, {told}, {self.shards} files of {self.size:,} bytes, {self.seconds:.1f} s"
        ]
        if self.rejected:
            counts = ", ".join(f"{n:,} {reason}" for reason, n in sorted(self.rejected.items()))
            lines.append(
                f"  rejected here, so nobody finds them: {counts}; greenlane check says more"
            )
        return lines


def prepare(
    settings: Settings,
    peer_name: str,
    sets: Sequence[str],
    epoch: str | None,
    meter: Meter,
    source: Source | None = None,
    *,
    whole: bool = False,
) -> list[Prepared]:
    """Prepares tables for a peer, and serves them from then on.

    What was evaluated before under the epoch's key is not evaluated again, so to prepare once more
    costs little but for new identifiers, and a preparation that was stopped goes on where it was. A
    new epoch has a new key: nothing that the peer has learnt before opens its table.

    Args:
        settings: of this node.
        peer_name: for whom.
        sets: names of identifier sets; none for all.
        epoch: the name of the key; None for the one that is served, or else today's date.
        meter: counts what is done.
        source: the rows; those of the settings if None.
        whole: whether to build each table anew, where else what has changed is added to it.

    Raises:
        SettingsError: the peer may not inquire, or a name or a key is not one.
        SourceError: the source is wrong, or a set has no identifier.
        LocalFault: a file cannot be read or written.
    """
    peer = settings.peer(peer_name)
    if "inquire" not in peer.may:
        raise SettingsError(f'peers.{peer.name}: may not inquire; add "inquire" to its `may`')
    if epoch is not None and not EPOCH.fullmatch(epoch):
        raise SettingsError("a name of an epoch has small letters, digits, dots and hyphens only")
    # A composite is not asked about by one text.
    chosen = [each for each in settings.sets(sets) if sets or not each.parts]
    for spec in chosen:
        if spec.parts:
            raise SettingsError(
                f"identifiers.{spec.name}: a composite cannot be inquired; use match"
            )
    log = logs.Log(peer=peer.name)
    logs.must_be_writable()
    source = source or open_source(settings.source)  # 1 rows
    columns = disclosed(source, peer.disclose)
    made = []
    for spec in chosen:
        log.info("table_begun", set=spec.name)
        each = _prepare(settings, peer, spec, source, columns, epoch, meter, whole=whole)
        log.info(
            "table_made",
            set=each.set,
            epoch=each.epoch,
            number=each.number,
            identifiers=each.identifiers,
            rejected=sum(each.rejected.values()),
            records=each.records,
            generations=each.generations,
            shards=each.shards,
            size=each.size,
            seconds=each.seconds,
        )
        made.append(each)
    return made


def _prepare(
    settings: Settings,
    peer: PeerSettings,
    spec: IdentifierSettings,
    source: Source,
    columns: Sequence[Column],
    epoch: str | None,
    meter: Meter,
    *,
    whole: bool,
) -> Prepared:
    began = time.monotonic()
    held, by = Held(settings.tables, peer, spec.name), wrapping(settings.tables.wrapping_key)
    with held.alone():
        before, today = held.manifest(), datetime.now(UTC).date().isoformat()
        epoch = epoch or (before.epoch if before else today)
        if before and before.epoch == epoch and not set(before.columns) <= set(columns):
            raise SettingsError(
                f"peers.{peer.name}.disclose: tells less of identifiers.{spec.name} than the table "
                "that is served, which the peer may keep; give an --epoch, whose key does not open "
                "that one"
            )
        key = held.key(epoch, by)
        if key is None and (held.has_evaluated(epoch) or (before and before.epoch == epoch)):
            raise LocalFault(
                f"the key of epoch {epoch} of identifiers.{spec.name} for {peer.name} is gone; put "
                "it back, or give a new --epoch"
            )
        key = key or held.new_key(epoch, by)
        own = identify(source, spec)  # 2 identifiers, 3 elements
        labels = records(source, spec, own, columns) if columns else None
        described = Manifest(
            holder=settings.node.name,
            asker=peer.san,
            set=spec.name,
            domain=domain(spec),
            normaliser=_core.normaliser_digest().hex(),
            epoch=epoch,
            number=0,
            public=key.public().hex(),
            columns=tuple(columns),
            label=None,
            made=today,
            generations=(),
        )
        # 4 shards, 5 served
        manifest = make(held, key, described, own.elements, labels, meter, whole=whole)
    return Prepared(
        set=spec.name,
        epoch=epoch,
        number=manifest.number,
        identifiers=len(own),
        rejected=dict(own.rejected),
        records=None if labels is None else len(labels),
        generations=len(manifest.generations),
        shards=len(manifest.files()),
        size=sum(file.size for file in manifest.files()),
        seconds=round(time.monotonic() - began, 3),
    )
