"""What a node that answers inquiries keeps open: keys that were unsealed, and its counts."""

from __future__ import annotations

import threading

from parties.errors import LocalFault
from parties.limits import Limits
from parties.settings import PeerSettings, Settings
from parties.tables import Held, Manifest, wrapping
from psi import _core


class Holdings:
    """Opened when the first inquiry comes; a node that answers none needs neither.

    Args:
        settings: of this node.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._keys: dict[tuple[str, str, str], _core.VoprfKey] = {}
        self._limits: Limits | None = None

    @property
    def limits(self) -> Limits:
        """The counts of this node.

        Raises:
            LocalFault: they cannot be kept.
        """
        with self._lock:
            if self._limits is None:
                self._limits = Limits(self._settings.tables.counts)
            return self._limits

    def key(self, peer: PeerSettings, manifest: Manifest) -> _core.VoprfKey:
        """The key of a table, unsealed once.

        Raises:
            SettingsError: it does not open.
            LocalFault: its file cannot be read, or is not there, or has another key than the table.
        """
        with self._lock:
            place = (peer.name, manifest.set, manifest.public)
            if place not in self._keys:
                tables = self._settings.tables
                held = Held(tables, peer, manifest.set)
                key = held.key(manifest.epoch, wrapping(tables.wrapping_key))
                if key is None or key.public().hex() != manifest.public:
                    raise LocalFault(
                        f"the key of epoch {manifest.epoch} of identifiers.{manifest.set} for "
                        f"{peer.name} is gone or is another; prepare a new epoch"
                    )
                self._keys[place] = key
            return self._keys[place]
