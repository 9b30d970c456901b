"""The way back: the receiver tells the sender its records of the matches, when both are to learn.

The shared decoys are among what is told, so that the sender sees a broken run as one. It is filled
up to a number that follows from what both have shown (`entries.told_back`): somebody who sees only
lengths, on the line or in a log, learns nothing of how many match.
"""

from __future__ import annotations

from psi import _core
from psi.dialogue import Dialogue
from psi.lazily import np, npt
from psi.matches import Labels
from psi.subprotocols.decoys import SHARED
from psi.subprotocols.entries import Form, decoyed, say_entries


def say_confirmation(
    positions: npt.NDArray[np.uint32],
    outputs: _core.Outputs,
    slots: npt.NDArray[np.uint32],
    labels: Labels,
    real: int,
    total: int,
    form: Form,
    entropy: _core.Entropy,
) -> Dialogue[None]:
    """Tells the sender our records of the matches, and the shared decoys.

    Args:
        positions: of our elements that matched, ascending.
        outputs: of all our elements.
        slots: where the output of each element stands; the shared decoys are right behind the real.
        labels: of our real elements.
        real: how many those are.
        total: entries to say, as `entries.told_back` has it.
        form: of entries on the way back.
        entropy: where padding and the decoys' labels come from.
    """
    told = np.concatenate([positions, np.arange(real, real + SHARED, dtype=np.uint32)])
    rank = np.full(real + SHARED, -1, dtype=np.int64)
    rank[told] = np.arange(len(told))
    belongs, block = (
        np.frombuffer(part, kind)
        for part, kind in zip(
            decoyed(labels, real, SHARED, entropy), (np.uint32, np.uint8), strict=True
        )
    )
    kept = rank[belongs] >= 0
    sealed = _core.seal(
        outputs.select(slots[told].astype(np.uint32).tobytes()),
        rank[belongs[kept]].astype(np.uint32).tobytes(),
        block.reshape(len(belongs), labels.width)[kept].tobytes(),
        *form,
        total,
        entropy,
    )
    yield from say_entries(sealed, form)
