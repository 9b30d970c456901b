"""The hallway of a holder: from its rows to a table that a peer may inquire, one room a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from parties import logs
from parties.disclosure import Column, disclosed, records
from parties.errors import LocalFault, SettingsError, WholeNeeded
from parties.identifiers import IdentifiedSet, domain, identify
from parties.settings import IdentifierSettings, PeerSettings, Settings
from parties.sources import Source, open_source
from parties.table_reports import Prepared
from parties.tables import Held, Manifest, wrapping
from parties.tables.changes import labels_at, rows_of
from parties.tables.making import changes_left, make, make_change
from parties.tables.manifest import EPOCH
from psi import Elements, Labels, Meter, _core
from psi.lazily import np


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
    peer = _who_may_inquire(settings, peer_name)
    if epoch is not None and not EPOCH.fullmatch(epoch):
        raise SettingsError("a name of an epoch has small letters, digits, dots and hyphens only")
    chosen = _chosen(settings, sets)
    logs.must_be_writable()
    source = source or open_source(settings.source)  # 1 rows
    columns = disclosed(source, peer.disclose)

    def make_each(spec: IdentifierSettings) -> Prepared:
        return _prepare(settings, peer, spec, source, columns, epoch, meter, whole=whole)

    return _all(peer, chosen, make_each)


def prepare_change(
    settings: Settings,
    peer_name: str,
    sets: Sequence[str],
    rows: Source,
    about: Source | None,
    meter: Meter,
) -> list[Prepared]:
    """Adds to the tables that are served what their holder knows to have changed.

    For each set the change is about the identifiers that rows of `about` name. What the table says
    of them from then on are all rows of `rows` that name them; those that none does are gone. What
    else is named in `rows` stays as it is. It costs what the change costs, whatever the size of the
    table. The same once more does no harm.

    Args:
        settings: of this node.
        peer_name: for whom.
        sets: names of identifier sets; none for all.
        rows: with the columns of the source.
        about: with those that hold identifiers; None for `rows`.
        meter: counts what is done.

    Raises:
        SettingsError: the peer may not inquire, or a name or a key is not one.
        SourceError: a source is wrong.
        WholeNeeded: a table cannot be gone on with in this way; those of the sets before are made.
        LocalFault: a file cannot be read or written.
    """
    peer = _who_may_inquire(settings, peer_name)
    chosen = _chosen(settings, sets)
    logs.must_be_writable()
    columns = disclosed(rows, peer.disclose)

    def make_each(spec: IdentifierSettings) -> Prepared:
        return _prepare_change(settings, peer, spec, rows, about, columns, meter)

    return _all(peer, chosen, make_each)


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
        before = held.manifest()
        epoch = epoch or (before.epoch if before else _today())
        if before and before.epoch == epoch and not set(before.columns) <= set(columns):
            raise SettingsError(
                f"peers.{peer.name}.disclose: tells less of identifiers.{spec.name} than the table "
                "that is served, which the peer may keep; give an --epoch, whose key does not open "
                "that one"
            )
        key = held.key(epoch, by)
        if key is None and (held.has_evaluated(epoch) or (before and before.epoch == epoch)):
            raise _key_is_gone(peer, spec, epoch)
        key = key or held.new_key(epoch, by)
        own = identify(source, spec)  # 2 identifiers, 3 elements
        labels = records(source, spec, own, columns) if columns else None
        described = _described(settings, peer, spec, columns, epoch, key)
        # 4 shards, 5 served
        manifest = make(held, key, described, own.elements, labels, meter, whole=whole)
    return _report(manifest, own.elements, None, own, labels, began)


def _prepare_change(
    settings: Settings,
    peer: PeerSettings,
    spec: IdentifierSettings,
    rows: Source,
    about: Source | None,
    columns: Sequence[Column],
    meter: Meter,
) -> Prepared:
    began = time.monotonic()
    held, by = Held(settings.tables, peer, spec.name), wrapping(settings.tables.wrapping_key)
    with held.alone():
        before = held.manifest()
        if before is None:
            raise WholeNeeded(spec.name, "there is no table yet")
        key = held.key(before.epoch, by)
        if key is None:
            raise _key_is_gone(peer, spec, before.epoch)
        own = identify(rows, spec, may_be_empty=True)
        labels = records(rows, spec, own, columns) if columns else None
        elements, gone = own.elements, Elements(b"")
        if about is not None:
            named = identify(about, spec, may_be_empty=True).elements
            elements, labels, gone = _of_those(named, own.elements, labels)
        described = _described(settings, peer, spec, columns, before.epoch, key)
        manifest = make_change(held, key, before, described, elements, labels, gone, meter)
    return _report(manifest, elements, gone, own, labels, began)


def _of_those(
    named: Elements, elements: Elements, labels: Labels | None
) -> tuple[Elements, Labels | None, Elements]:
    """Of the elements that a change is about: those that rows name, their records, and the gone."""
    places = np.frombuffer(_core.places_among(elements.block, named.block), np.uint32)
    rows, here = rows_of(named), places != _core.NOWHERE
    if labels is not None:
        labels = labels_at(labels, places[here], len(elements))
    return Elements(rows[here].tobytes()), labels, Elements(rows[~here].tobytes())


def _who_may_inquire(settings: Settings, name: str) -> PeerSettings:
    peer = settings.peer(name)
    if "inquire" not in peer.may:
        raise SettingsError(f'peers.{peer.name}: may not inquire; add "inquire" to its `may`')
    return peer


def _chosen(settings: Settings, sets: Sequence[str]) -> list[IdentifierSettings]:
    # A composite is not asked about by one text.
    chosen = [each for each in settings.sets(sets) if sets or not each.parts]
    for spec in chosen:
        if spec.parts:
            raise SettingsError(
                f"identifiers.{spec.name}: a composite cannot be inquired; use match"
            )
    return chosen


def _all(
    peer: PeerSettings,
    chosen: Sequence[IdentifierSettings],
    make_each: Callable[[IdentifierSettings], Prepared],
) -> list[Prepared]:
    """Makes the table of each set, and logs it."""
    log, made = logs.Log(peer=peer.name), []
    for spec in chosen:
        log.info("table_begun", set=spec.name)
        each = make_each(spec)
        log.info(
            "table_made",
            set=each.set,
            epoch=each.epoch,
            number=each.number,
            identifiers=each.identifiers,
            gone=each.gone,
            rejected=sum(each.rejected.values()),
            records=each.records,
            generations=each.generations,
            changes_left=each.changes_left,
            shards=each.shards,
            size=each.size,
            seconds=each.seconds,
        )
        made.append(each)
    return made


def _described(
    settings: Settings,
    peer: PeerSettings,
    spec: IdentifierSettings,
    columns: Sequence[Column],
    epoch: str,
    key: _core.VoprfKey,
) -> Manifest:
    """A table but for what it holds: its number, width and generations."""
    return Manifest(
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
        made=_today(),
        generations=(),
    )


def _report(
    manifest: Manifest,
    elements: Elements,
    gone: Elements | None,
    own: IdentifiedSet,
    labels: Labels | None,
    began: float,
) -> Prepared:
    return Prepared(
        set=manifest.set,
        epoch=manifest.epoch,
        number=manifest.number,
        identifiers=len(elements),
        gone=None if gone is None else len(gone),
        rejected=dict(own.rejected),
        records=None if labels is None else len(labels),
        generations=len(manifest.generations),
        changes_left=changes_left(manifest),
        shards=len(manifest.files()),
        size=sum(file.size for file in manifest.files()),
        seconds=round(time.monotonic() - began, 3),
    )


def _key_is_gone(peer: PeerSettings, spec: IdentifierSettings, epoch: str) -> LocalFault:
    return LocalFault(
        f"the key of epoch {epoch} of identifiers.{spec.name} for {peer.name} is gone; put it "
        "back, or give a new --epoch"
    )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
