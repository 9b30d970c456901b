"""Reads the settings file: TOML to `parties.settings.Settings`.

Relative paths are relative to the file. An entry that nobody knows is an error, so that a misspelt
bound can never be silently ignored.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from parties.errors import SettingsError
from parties.settings import (
    PROTOCOLS_BY_DEFAULT,
    WAYS_BY_DEFAULT,
    IdentifierSettings,
    NodeSettings,
    OperatorRole,
    OperatorSettings,
    PeerSettings,
    RetentionSettings,
    Role,
    Settings,
    SourceSettings,
    StoreSettings,
    TableSettings,
    TicketSettings,
    TokenSettings,
    Way,
)
from psi import PROTOCOLS, _core

NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
"""A name of a node, a peer or a set: what also fits a DNS label, a file name and a log."""
ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")
MOST_PORT: Final = 65_535
FINGERPRINT: Final = re.compile(r"sha256:[0-9a-f]{64}")
SQLITE: Final = "sqlite:///"
HTTPS: Final = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!$&-;=@-Z_a-z~%?]*)?")
"""A URL without user, password or fragment."""
STORE: Final = re.compile(r"sqlite:///.+|postgresql\+psycopg://\S+/\S+")
MOST_ELEMENTS: Final = 1 << 30
"""The largest bound that can be set: positions have 32 bits, and classes and decoys need room."""
MOST_SETS: Final = 20_000
"""The largest bound on different sets of a day: as many as a ticket may have runs."""
MOST_DAILY: Final = 1 << 40
"""The largest bound of a day: a thousand sets of the largest size, which is more than any machine
works through in a day."""
MOST_DAILY_CLUES: Final = 100_000
"""The largest bound that can be set: each is up to 1 MiB in the store."""

MOST_DAYS: Final = 36_500
"""A century: longer than any limitation of actions."""

GONE: Final = {"tables.counts": "; what is counted is in the store now, see [store] url"}
"""Entries that were, and what is in their place."""


def load(path: Path) -> Settings:
    """Reads and checks the settings file; opens nothing else.

    Raises:
        SettingsError: the file is missing, is not TOML, or an entry is wrong; says which.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: there is no such settings file; `greenlane init` makes one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as UTF-8 text: {_why(error)}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    root = _Table(path, "", document)
    settings = Settings(
        path=path,
        node=_node(root.table("node")),
        source=_source(root.table("source")),
        identifiers=tuple(_identifier(each) for each in root.tables("identifiers")),
        peers=tuple(_peer(each) for each in root.tables("peers")),
        tables=_tables(root.table("tables", default={})),
        operators=_operators(root.table("operators", default={})),
        tickets=_tickets(root.table("tickets", default={})),
        store=_store(root.table("store", default={})),
        retention=_retention(root.table("retention", default={})),
    )
    root.finish()
    if not settings.identifiers:
        raise SettingsError(f"{path}: no [identifiers.NAME]; say which columns hold identifiers")
    _must_be_apart(settings)
    return settings


def _must_be_apart(settings: Settings) -> None:
    """Refuses two entries for one partner: what it may ask would be counted twice."""
    seen: dict[str, str] = {}
    for peer in settings.peers:
        for what, value in (
            ("san", peer.partner),
            ("certificate", str(peer.certificate or "")),
            ("fingerprint", peer.fingerprint or ""),
        ):
            first = seen.setdefault(f"{what} {value}", peer.name) if value else peer.name
            if first != peer.name:
                raise SettingsError(
                    f"{settings.path}: [peers.{peer.name}] {what}: is that of [peers.{first}] as "
                    "well; a partner has one entry, with one budget"
                )


def _node(table: _Table) -> NodeSettings:
    node = NodeSettings(
        name=table.text("name", NAME),
        role=table.choice("role", get_args(Role)),
        listen=table.text("listen", ADDRESS),
        certificate=table.file("certificate"),
        key=table.file("key"),
        results=table.file("results"),
        metrics=table.optional("metrics", lambda key: table.text(key, ADDRESS)),
        log=table.optional("log", table.file),
        threads=table.number("threads", 0, 1024, default=0),
        patience=float(table.number("patience", 1, 86_400, default=30)),
        pad_sizes=table.flag("pad_sizes", default=True),
    )
    table.finish()
    return node


def _source(table: _Table) -> SourceSettings:
    source = SourceSettings(
        format=table.choice("format", ("csv", "parquet", "duckdb")),
        paths=tuple(table.folder / text for text in table.texts("paths")),
        encoding=table.choice("encoding", ("utf-8", "gb18030"), default="utf-8"),
        delimiter=table.optional("delimiter", table.text) or ",",
        table=table.optional("table", table.text),
        query=table.optional("query", table.text),
    )
    table.finish()
    if not source.paths:
        table.wrong("paths", "names no file")
    if len(source.delimiter) != 1:
        table.wrong("delimiter", "must be one character")
    if (source.format == "duckdb") != ((source.table is None) != (source.query is None)):
        table.wrong("table", "DuckDB needs either table or query, other formats neither")
    return source


def _identifier(table: _Table) -> IdentifierSettings:
    kind = table.choice("kind", (*_core.kinds(), "composite"))
    parts = table.texts("parts", default=())
    columns = table.columns("columns")
    table.finish()
    if (kind == "composite") != (len(parts) > 1):
        table.wrong("parts", "a composite has two parts or more, any other kind none")
    for part in parts:
        if part not in _core.kinds():
            table.wrong("parts", f"no such kind {part!r}; there is: {', '.join(_core.kinds())}")
    if not columns:
        table.wrong("columns", "names no column")
    for entry in columns:
        if len(entry) != max(1, len(parts)):
            table.wrong("columns", f"each entry needs {max(1, len(parts))} column(s)")
    return IdentifierSettings(table.name, kind, columns, parts)


def _tables(table: _Table) -> TableSettings:
    settings = TableSettings(
        folder=table.optional("folder", table.file) or table.folder / "tables",
        wrapping_key=table.optional("wrapping_key", table.file),
    )
    table.finish()
    return settings


def _operators(table: _Table) -> OperatorSettings:
    settings = OperatorSettings(
        authority=table.optional("authority", table.file),
        required=table.flag("required", default=False),
        oidc=table.optional("oidc", lambda key: _tokens(table.table(key))),
        sealed=table.flag("sealed", default=False),
        sealed_to=tuple(table.folder / text for text in table.texts("sealed_to", default=())),
    )
    table.finish()
    if settings.sealed_to and not settings.sealed:
        table.wrong("sealed_to", "seals nothing while sealed is false")
    if settings.required and settings.authority is None and settings.oidc is None:
        table.wrong("required", "nobody could show who they are; name authority, or oidc")
    return settings


def _tokens(table: _Table) -> TokenSettings:
    settings = TokenSettings(
        issuer=table.text("issuer", HTTPS),
        audience=table.text("audience"),
        roles=tuple(table.words("roles", get_args(OperatorRole)).items()),
        keys=table.optional("keys", table.file),
        keys_url=table.optional("keys_url", lambda key: table.text(key, HTTPS)),
        ca=table.optional("ca", table.file),
        client=table.optional("client", table.text),
        claim=table.texts("claim", default=TokenSettings._field_defaults["claim"]),
        person=table.optional("person", table.text) or TokenSettings._field_defaults["person"],
    )
    table.finish()
    if (settings.keys is None) == (settings.keys_url is None):
        table.wrong("keys", "name the issuer's keys by exactly one of keys and keys_url")
    if settings.ca is not None and settings.keys_url is None:
        table.wrong("ca", "is for keys_url, which is not there")
    if not settings.claim:
        table.wrong("claim", "names no claim")
    return settings


def _tickets(table: _Table) -> TicketSettings:
    folder = table.optional("folder", table.file) or table.folder / "tickets"
    table.finish()
    return TicketSettings(folder)


def _retention(table: _Table) -> RetentionSettings:
    usual = RetentionSettings()
    retention = RetentionSettings(
        results_days=table.number("results_days", 0, MOST_DAYS, default=usual.results_days),
        clues_days=table.number("clues_days", 0, MOST_DAYS, default=usual.clues_days),
    )
    table.finish()
    return retention


def _store(table: _Table) -> StoreSettings:
    url = table.optional("url", lambda key: table.text(key, STORE)) or StoreSettings().url
    table.finish()
    if url.startswith(SQLITE):
        return StoreSettings(f"{SQLITE}{table.folder / url.removeprefix(SQLITE)}")
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or "password" in parts.query
    except ValueError:
        table.wrong("url", "is no URL")
    if secret:
        table.wrong("url", "must hold no password; GREENLANE_STORE_PASSWORD or ~/.pgpass may")
    return StoreSettings(url)


def _peer(table: _Table) -> PeerSettings:
    peer = PeerSettings(
        name=table.name,
        address=table.text("address", ADDRESS),
        san=table.optional("san", table.text) or table.name,
        ca=table.optional("ca", table.file),
        certificate=table.optional("certificate", table.file),
        fingerprint=table.optional("fingerprint", lambda key: table.text(key, FINGERPRINT)),
        may=tuple(table.choices("may", get_args(Way), WAYS_BY_DEFAULT)),
        may_receive=table.flag("may_receive", default=True),
        disclose=table.texts("disclose", default=()),
        max_elements=table.number("max_elements", 1, MOST_ELEMENTS, default=20_000_000),
        protocols=tuple(table.choices("protocols", tuple(PROTOCOLS), PROTOCOLS_BY_DEFAULT)),
        link_mbps=table.number("link_mbps", 1, 1_000_000, default=1000),
        daily_inquiries=table.number("daily_inquiries", 0, MOST_ELEMENTS, default=1000),
        daily_sets=table.number("daily_sets", 0, MOST_SETS, default=24),
        daily_elements=table.optional(
            "daily_elements", lambda key: table.number(key, 0, MOST_DAILY, default=0)
        ),
        operators=table.optional("operators", table.file),
        daily_clues=table.number("daily_clues", 0, MOST_DAILY_CLUES, default=0),
        sweep_share=table.number("sweep_share", 1, 100, default=50),
    )
    table.finish()
    if [peer.ca, peer.certificate, peer.fingerprint].count(None) != 2:
        table.wrong("ca", "pin the peer by exactly one of ca, certificate and fingerprint")
    if len(set(peer.disclose)) < len(peer.disclose):
        table.wrong("disclose", "names a column twice")
    return peer


class _Table:
    """One table of the file, which remembers what was asked of it."""

    def __init__(self, path: Path, name: str, entries: Mapping[str, Any]) -> None:
        self.path = path
        self.folder = path.parent
        self.name = name.rpartition(".")[2]
        self._title = name
        self._entries = entries
        self._known: list[str] = []

    def wrong(self, key: str, why: str) -> None:
        raise SettingsError(f"{self.path}: [{self._title}] {key}: {why}")

    def finish(self) -> None:
        """Refuses entries that nobody has asked for."""
        for key in self._entries:
            if key not in self._known:
                near = get_close_matches(key, self._known, 1)
                hint = (
                    f"; did you mean {near[0]}?" if near else f"; known: {', '.join(self._known)}"
                )
                hint = GONE.get(f"{self._title}.{key}", hint)
                raise SettingsError(f"{self.path}: [{self._title}] {key}: no such entry{hint}")

    def table(self, key: str, default: Mapping[str, Any] | None = None) -> _Table:
        title = f"{self._title}.{key}" if self._title else key
        return _Table(self.path, title, self._take(key, dict, "must be a table", default=default))

    def tables(self, key: str) -> list[_Table]:
        tables = []
        for name, entries in self._take(key, dict, "must be a table", default={}).items():
            title = f"{key}.{name}"
            if not NAME.fullmatch(name) or not isinstance(entries, dict):
                raise SettingsError(
                    f"{self.path}: [{title}]: must be a table with a name of small letters, "
                    "digits, dots and hyphens"
                )
            tables.append(_Table(self.path, title, entries))
        return tables

    def text(self, key: str, form: re.Pattern[str] | None = None) -> str:
        text: str = self._take(key, str, "must be a text")
        if not text or (form and not form.fullmatch(text)):
            self.wrong(
                key, f"does not have the form it must have: {form.pattern if form else 'text'}"
            )
        if form is ADDRESS and int(text.rpartition(":")[2]) > MOST_PORT:
            self.wrong(key, f"a port is a number from 0 to {MOST_PORT}")
        return text

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        texts = self._take(key, list, "must be a list of texts", default=default)
        if not all(isinstance(text, str) and text for text in texts):
            self.wrong(key, "must be a list of texts")
        return tuple(texts)

    def columns(self, key: str) -> tuple[tuple[str, ...], ...]:
        entries = self._take(key, list, "must be a list of columns")
        columns = tuple(tuple(each) if isinstance(each, list) else (each,) for each in entries)
        if not all(isinstance(name, str) and name for entry in columns for name in entry):
            self.wrong(key, "must be a list of column names, or of lists of them")
        return columns

    def file(self, key: str) -> Path:
        return self.folder / self.text(key)

    def choice(self, key: str, among: tuple[str, ...], default: str | None = None) -> Any:
        text = self._take(key, str, "must be a text", default=default)
        if text not in among:
            self.wrong(key, f"must be one of {', '.join(among)}")
        return text

    def choices(
        self, key: str, among: tuple[str, ...], default: tuple[str, ...] | None = None
    ) -> Any:
        texts = self.texts(key, default=among if default is None else default)
        if not set(texts) <= set(among):
            self.wrong(key, f"may hold {', '.join(among)}")
        return texts

    def words(self, key: str, among: tuple[str, ...]) -> dict[str, Any]:
        words: dict[str, Any] = self._take(key, dict, "must be a table")
        if not words or not all(word in among for word in words.values()):
            self.wrong(key, f"must say what each name is, one of {', '.join(among)}")
        return words

    def number(self, key: str, least: int, most: int, default: int) -> int:
        number: int = self._take(key, int, "must be a whole number", default=default)
        if isinstance(number, bool) or not least <= number <= most:
            self.wrong(key, f"must be a whole number from {least} to {most}")
        return number

    def flag(self, key: str, *, default: bool) -> bool:
        flag: bool = self._take(key, bool, "must be true or false", default=default)
        return flag

    def optional(self, key: str, read: Callable[[str], Any]) -> Any:
        self._known.append(key)
        return read(key) if key in self._entries else None

    def _take(self, key: str, kind: type, why: str, default: Any = None) -> Any:
        self._known.append(key)
        value = self._entries.get(key, default)
        if value is None:
            where = f"[{self._title}]" if self._title else "the file"
            raise SettingsError(f"{self.path}: {where} lacks {key}")
        if not isinstance(value, (kind, tuple) if kind is list else kind):
            self.wrong(key, why)
        return value


def _why(error: Exception) -> str:
    return (
        error.strerror or type(error).__name__ if isinstance(error, OSError) else "wrong encoding"
    )
