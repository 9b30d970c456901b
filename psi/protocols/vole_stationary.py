"""PSI from vector OLE with noise that stays where it is: the profile `vole-stationary`.

Source:   stationary syndrome decoding, ePrint 2025/295, in place of fresh noise in each chunk; all
          else is `psi.protocols.vole`.
Security: as there, under dual LPN with stationary regular noise, which has been studied for less
          long. docs/protocols.md, "The profile with stationary noise", says what is open. For that
          reason no node allows it unless its settings name it.
"""

from __future__ import annotations

from typing import ClassVar

from psi.parameters import Traffic
from psi.protocols import vole
from psi.subprotocols.vole import Profile


def traffic(receiver: int, sender: int) -> Traffic:
    """About what is said for so many elements, decoys and padding included, without labels."""
    return vole.traffic(receiver, sender, Profile.STATIONARY)


class Receiver(vole.Receiver):
    """The party that learns the intersection; arguments as of `Receiving`."""

    PROFILE: ClassVar = Profile.STATIONARY


class Sender(vole.Sender):
    """The party whose set is asked about; arguments as of `Sending`."""

    PROFILE: ClassVar = Profile.STATIONARY
