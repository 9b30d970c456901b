"""What a node that answers inquiries keeps: keys that were unsealed, and signatures."""

from __future__ import annotations

import threading

from parties.credentials import Credentials, Identity, read_credentials
from parties.errors import LocalFault
from parties.settings import PeerSettings, Settings
from parties.tables import Held, Manifest, Signed, sign, wrapping
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
        self._credentials: Credentials | None = None
        self._signed: dict[tuple[str, str], Signed] = {}

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

    def sign(self, manifest: Manifest, encoded: bytes) -> Signed:
        """A manifest with this node's signature, made once for each manifest and certificate.

        Args:
            manifest: what is signed.
            encoded: its encoding.

        Raises:
            CertificateError: this node's certificate or key cannot be used now.
        """
        with self._lock:
            credentials = self._own_credentials()
            place = (manifest.asker, manifest.set)
            known = self._signed.get(place)
            if known is None or known.manifest != encoded:
                known = self._signed[place] = sign(manifest, credentials)
            return known

    def _own_credentials(self) -> Credentials:
        """Those of this node; when they are others, all is signed again."""
        own = Identity(self._settings.node.certificate, self._settings.node.key)
        credentials = read_credentials(own)
        if credentials != self._credentials:
            self._signed.clear()
            self._credentials = credentials
        return credentials
