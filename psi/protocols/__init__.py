"""The protocols, by the name under which both sides agree on one."""

from __future__ import annotations

from typing import Final

from psi.protocols import dh

PROTOCOLS: Final = {"dh": (dh.Receiver, dh.Sender)}
"""Name to (Receiver, Sender)."""
