"""The settings of a node: named tuples read from one TOML file (`parties.settings_file`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from parties.errors import SettingsError
from psi.lazily import NamedTuple

Role = Literal["insurer", "police"]
Way = Literal["count", "list", "match", "inquire"]
OperatorRole = Literal[
    "investigator", "approver", "analyst", "compliance", "auditor", "administrator"
]

WAYS_BY_DEFAULT: Final[tuple[Way, ...]] = ("count", "match")
"""What a peer may ask whose table does not say: an inquiry needs a prepared table and a limit."""
PROTOCOLS_BY_DEFAULT: Final = ("dh", "vole")
"""What may be run with a peer whose table does not say: the others rest on more, or tell less."""


class SourceSettings(NamedTuple):
    """Where this party's rows are.

    Attributes:
        format: how the rows are stored.
        paths: one file or several that are read one after the other.
        encoding: of CSV files; a byte-order mark is dropped.
        delimiter: of CSV files, one character.
        table: of a DuckDB database; either this or `query`.
        query: a SELECT on a DuckDB database.
    """

    format: Literal["csv", "parquet", "duckdb"]
    paths: tuple[Path, ...]
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    delimiter: str = ","
    table: str | None = None
    query: str | None = None


class IdentifierSettings(NamedTuple):
    """Which columns hold identifiers of one set.

    Attributes:
        name: of the set; both nodes use the same, for example "person".
        kind: the rule that normalises it, for example "resident_id", or "composite".
        columns: each entry is one way to fill the identifier. An entry has one column, or as many
            as there are parts if the kind is composite.
        parts: the kinds of the parts of a composite identifier, else empty.
    """

    name: str
    kind: str
    columns: tuple[tuple[str, ...], ...]
    parts: tuple[str, ...] = ()


class PeerSettings(NamedTuple):
    """Another node, pinned, and what it may do.

    Attributes:
        name: what we call it.
        address: host:port where it listens.
        san: the name that its certificate must carry.
        ca: PEM file of the authority that issues its certificates; or
        certificate: PEM file of exactly the certificate it uses; or
        fingerprint: "sha256:" and the hex digest of that certificate's DER form.
        may: the ways in which it may ask us.
        may_receive: whether it may be the receiver, that is, learn.
        disclose: columns of ours that it may learn for matches.
        max_elements: the largest set that we accept from it.
        protocols: what may be run with it.
        link_mbps: megabits a second that the line to it carries.
        daily_inquiries: about how many identifiers it may inquire in a day (UTC).
        daily_sets: how many different sets of a name it may bring in a day (UTC) into runs of which
            it learns.
        daily_elements: about how many elements it may bring in a day (UTC) into runs of which it
            learns, all sets together; None for `DAILY_SETS` of the largest.
        operators: PEM file of the authority that issues its operators' certificates; None for that
            of `ca`.
        daily_clues: how many clues it may hand over to us in a day (UTC).
        sweep_share: percent of a block of numbers about which our own operators may ask it in a
            day (UTC).
    """

    name: str
    address: str
    san: str
    ca: Path | None = None
    certificate: Path | None = None
    fingerprint: str | None = None
    may: tuple[Way, ...] = WAYS_BY_DEFAULT
    may_receive: bool = True
    disclose: tuple[str, ...] = ()
    max_elements: int = 20_000_000
    protocols: tuple[str, ...] = PROTOCOLS_BY_DEFAULT
    link_mbps: int = 1000
    daily_inquiries: int = 1000
    daily_sets: int = 24
    daily_elements: int | None = None
    operators: Path | None = None
    daily_clues: int = 0
    sweep_share: int = 50

    @property
    def partner(self) -> str:
        """Who it is, whatever we call it: the node's name, as in its certificate and in tickets."""
        return self.san.lower()


class NodeSettings(NamedTuple):
    """This node.

    Attributes:
        name: of this node; its certificate carries it as SAN.
        role: which party it is.
        listen: host:port.
        certificate: PEM file, the leaf first.
        key: PEM file, not readable by others.
        results: folder for joined rows and reject reports.
        metrics: host:port of the metrics page, or None.
        log: file of the structured log, or None for stderr.
        threads: how many cores the kernels use; 0 for all.
        patience: seconds without a sign of life after which a peer is lost.
        pad_sizes: whether set sizes are padded to classes before the peer sees them.
    """

    name: str
    role: Role
    listen: str
    certificate: Path
    key: Path
    results: Path
    metrics: str | None = None
    log: Path | None = None
    threads: int = 0
    patience: float = 30.0
    pad_sizes: bool = True


class TableSettings(NamedTuple):
    """Where prepared tables are, ours and those of others.

    Attributes:
        folder: of all their files.
        wrapping_key: PEM file of the private key under which keys of tables are sealed; None for a
            passphrase from the environment.
    """

    folder: Path = Path("tables")
    wrapping_key: Path | None = None


class TokenSettings(NamedTuple):
    """Whose OpenID Connect tokens say who somebody is, and how.

    Attributes:
        issuer: the `iss` of tokens, an https URL.
        audience: that tokens must be for, `aud`.
        keys: file of the issuer's public keys, a JSON Web Key Set; or
        keys_url: https URL of it, fetched for each command that is given with a token.
        ca: PEM file of the authorities that the server at `keys_url` is believed by; None for those
            of the system.
        client: that must have asked for a token, `azp`; None for `audience`.
        claim: the way to the claim that names groups or roles, one name for each object.
        roles: which role of ours each of these names is.
        person: the claim that names the person, as the certificates of operators do.
    """

    issuer: str
    audience: str
    roles: tuple[tuple[str, OperatorRole], ...]
    keys: Path | None = None
    keys_url: str | None = None
    ca: Path | None = None
    client: str | None = None
    claim: tuple[str, ...] = ("roles",)
    person: str = "sub"


class OperatorSettings(NamedTuple):
    """The people of this node.

    Attributes:
        authority: PEM file of the authority that issues their certificates; None if nobody signs.
        required: whether each command wants to know who gives it.
        oidc: whose tokens say so, beside certificates; None for nobody's.
        sealed: whether files of what was learnt are sealed to those who may open them.
        sealed_to: PEM files of certificates of operators to whom they are, beside who asks.
    """

    authority: Path | None = None
    required: bool = False
    oidc: TokenSettings | None = None
    sealed: bool = False
    sealed_to: tuple[Path, ...] = ()


class TicketSettings(NamedTuple):
    """Where tickets are.

    Attributes:
        folder: of tickets and of what was revoked.
    """

    folder: Path = Path("tickets")


class StoreSettings(NamedTuple):
    """Where this node keeps its own state.

    Attributes:
        url: `sqlite:///FILE`, or `postgresql+psycopg://USER@HOST:PORT/NAME`; holds no password.
    """

    url: str = "sqlite:///state.db"


class RetentionSettings(NamedTuple):
    """For how long is kept what was learnt, in days after the end of the ticket.

    Attributes:
        results_days: joined rows and lists.
        clues_days: what clues say of persons and things; their numbers and history stay.
    """

    results_days: int = 0
    clues_days: int = 1095


class Settings(NamedTuple):
    """All settings of a node, read from one file."""

    path: Path
    node: NodeSettings
    source: SourceSettings
    identifiers: tuple[IdentifierSettings, ...]
    peers: tuple[PeerSettings, ...]
    tables: TableSettings = TableSettings()
    operators: OperatorSettings = OperatorSettings()
    tickets: TicketSettings = TicketSettings()
    store: StoreSettings = StoreSettings()
    retention: RetentionSettings = RetentionSettings()

    def peer(self, name: str) -> PeerSettings:
        """Returns the peer with this name.

        Raises:
            SettingsError: there is none; the sentence lists those there are.
        """
        for peer in self.peers:
            if peer.name == name:
                return peer
        known = ", ".join(peer.name for peer in self.peers) or "none"
        raise SettingsError(f"{self.path}: no peer [peers.{name}]; there is: {known}")

    def sets(self, names: Sequence[str]) -> tuple[IdentifierSettings, ...]:
        """Returns the identifier sets with these names, or all if none is named.

        Raises:
            SettingsError: one of them is not there.
        """
        by_name = {each.name: each for each in self.identifiers}
        for name in names:
            if name not in by_name:
                known = ", ".join(by_name) or "none"
                raise SettingsError(f"{self.path}: no [identifiers.{name}]; there is: {known}")
        return tuple(by_name[name] for name in names) if names else self.identifiers
