"""The malicious profile of the match from vector OLE: the oracle of `psi.protocols.vole_malicious`.

What it adds to `vole` stands in `checks` and here: the receiver's salts, values and tags of 128
bits, and outputs that are bound to elements.

Sources: Rindal and Schoppmann, EUROCRYPT 2021; Raghuraman and Rindal, CCS 2022.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
from reference import checks, cot, tags, vole
from reference.aes_hashes import Hash, label
from reference.blocks import Blocks, from_bytes, to_numbers
from reference.vole import Dialogue, check, wire


class Role(vole.Role):
    """What both roles do otherwise."""

    supply = checks

    def enter(self, salt: bytes) -> None:
        """The session as it is from the receiver's salt on."""
        self.salt = salt
        self.sid = sha256(b"greenlane/session/malicious/1" + self.sid + salt).digest()
        self.session = sha256(b"greenlane/session/check" + self.sid).digest()[:16]
        self.width = 128
        low = -(-(128 - (self.s_size.bit_length() - 1)) // 8) * 8
        self.tags = tags.Form(self.s_size, 128, low)
        self.salts = dict[int, bytes]()

    def outputs(self, x: Blocks) -> list[int]:
        """The outputs of evaluated rows, bound to their elements."""
        ids = from_bytes(b"".join(e[:16] for e in self.elements), len(self.elements))
        h = Hash(self.sid, "row").mmo(ids)
        outputs = np.zeros_like(x)
        for bin, salt in self.salts.items():
            at, _ = self.rows.of(bin)
            tag, bind = (Hash(self.sid, label(use, bin)) for use in ("tag", "bind"))
            outputs[at] = bind.mmo(tag.ccr(x[at] ^ from_bytes(salt, 1)) ^ h[at])
        return to_numbers(outputs)


class Receiver(Role, vole.Receiver):
    """The party that learns which of its elements the other holds."""

    def greet(self, elements: int, entries: int, label_width: int) -> Dialogue[None]:
        """Both say how much they bring; then this side draws the salt."""
        yield from super().greet(elements, entries, label_width)
        self.enter(self.entropy.bytes(32))

    def trees(self, ots: cot.Receiver) -> bytes:
        """What is said of the trees of transfers."""
        return checks.trees(self.sid, ots)

    def salted(self, group: range) -> bytes:
        """What is added to the outputs of these bins."""
        salt = self.entropy.bytes(16)
        self.salts |= dict.fromkeys(group, salt)
        return salt

    def checked(self, vole: Any) -> Dialogue[None]:
        """Looks whether all corrections were those of an honest sender."""
        yield from self.say(wire.VoleCheck(sum=vole.masked()))
        heard = yield from self.hear("vole_proof")
        check(heard.digest == vole.due(), "the corrections are wrong")


class Sender(Role, vole.Sender):
    """The party whose set is asked about."""

    def greet(self, elements: int, entries: int, label_width: int) -> Dialogue[None]:
        """Both say how much they bring; then this side hears the salt."""
        yield from super().greet(elements, entries, label_width)
        self._offered = yield from self.hear("base_ot_offer")
        check(len(self._offered.salt) == 32, "a salt is due")
        self.enter(self._offered.salt)

    def offered(self) -> Dialogue[Any]:
        """What was heard with the salt."""
        yield from ()
        return self._offered

    def opened(self, delta: int, keys: Blocks, trees: bytes) -> cot.Sender:
        """Rebuilds the trees of transfers and checks them."""
        return checks.opened(self.sid, delta, keys, trees)

    def hear_salt(self, group: range, salt: bytes) -> None:
        """Takes what the receiver adds to the outputs of these bins."""
        check(len(salt) == 16, "a salt is due")
        self.salts |= dict.fromkeys(group, salt)

    def checked(self, vole: Any) -> Dialogue[None]:
        """Shows that all corrections were right."""
        heard = yield from self.hear("vole_check")
        yield from self.say(wire.VoleProof(digest=vole.prove(heard.sum)))
