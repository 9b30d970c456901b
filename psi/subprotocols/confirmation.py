"""The way back: the receiver tells the sender its records of the matches, when both are to learn.

The shared decoys are among what is told, so that the sender sees a broken run as one.
"""

from __future__ import annotations

from psi import _core
from psi.dialogue import Dialogue, hear, say
from psi.errors import BoundExceeded
from psi.lazily import np, npt
from psi.matches import Labels, Matches
from psi.subprotocols.decoys import SHARED
from psi.subprotocols.entries import Form, decoyed, hear_records, say_entries
from psi.wire.v1.messages_pb2 import Confirmation


def say_confirmation(
    positions: npt.NDArray[np.uint32],
    outputs: _core.Outputs,
    slots: npt.NDArray[np.uint32],
    labels: Labels,
    real: int,
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
        form: of entries on the way back.
        entropy: where the decoys' labels come from.
    """
    told = np.concatenate([positions, np.arange(real, real + SHARED, dtype=np.uint32)])
    rank = np.full(real + SHARED, -1, dtype=np.int64)
    rank[told] = np.arange(len(told))
    belongs, block = decoyed(labels, real, SHARED, entropy)
    kept = rank[belongs] >= 0
    entries = int(np.count_nonzero(kept))
    yield from say(Confirmation(entries=entries))
    sealed = _core.seal(
        outputs.select(slots[told].tolist()),
        rank[belongs[kept]].tolist(),
        block[kept].tobytes(),
        *form,
        entries,
        entropy,
    )
    yield from say_entries(sealed, form)


def hear_confirmation(
    outputs: _core.Outputs, real: int, most: int, form: Form
) -> Dialogue[Matches]:
    """Hears the receiver's records of the matches.

    Args:
        outputs: of all our elements in their order, decoys behind the real ones.
        real: how many of them are no decoys.
        most: entries that the receiver may say.
        form: of entries on the way back.

    Raises:
        BoundExceeded: the receiver tells of more records than it has.
        DecoyMismatch: a shared decoy is not among them, or another is.
    """
    told = yield from hear(Confirmation)
    if told.entries > most:
        raise BoundExceeded("the receiver tells of more records than it has")
    return (yield from hear_records(outputs, real, told.entries, form))
