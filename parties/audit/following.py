"""Whether many lines follow one another: batches in which all is in order, as almost all are.

What is checked of a line is checked of all of them at once, which is quicker than one by one.
Where the answer is no, `parties.audit.verifying` looks which line it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from parties.audit.chain import AT, EVENT, LINE, TAIL, Place
from parties.audit.reading import Line


def are_chained(place: Place, lines: Sequence[Line]) -> bool:
    """Whether lines follow a place without a gap, and each has the hash that it must have."""
    number, before = place
    if [line[0] for line in lines] != list(range(number + 1, number + 1 + len(lines))):
        return False
    begun = sha256(LINE).copy  # a copy is made sooner than a new one
    for _, body, digest, _, _ in lines:
        hashed = begun()
        hashed.update(before + body)
        if hashed.digest() != digest:
            return False
        before = digest
    return True


def are_orderly(time: bytes, lines: Sequence[Line]) -> bool:
    """Whether lines say the numbers, times and events that stand beside them, and time goes on.

    It may also be false of lines that are in order: where numbers get a digit more, and where the
    clock was set back.
    """
    numbers, bodies, _, times, events = zip(*lines, strict=True)
    tail = slice(TAIL - len(b',"number":%d' % numbers[-1]), TAIL)
    if [body[tail] for body in bodies] != [b',"number":%d' % number for number in numbers]:
        return False
    said = [body[AT] for body in bodies]
    if said[0] < time or said != sorted(said):
        return False
    if times[0] is None:  # of an export
        return True
    if said != [at.encode() for at in times]:
        return False
    # Each piece is as long as the event beside it: they are equal if all of them together are.
    pieces = [
        body[EVENT : EVENT + len(event) + 1] for body, event in zip(bodies, events, strict=True)
    ]
    return b"".join(pieces) == "".join(f'{event}"' for event in events).encode()
