"""How far a dialogue has come, for whoever waits for it."""

from __future__ import annotations


class Meter:
    """Counts the multiplications of a run: written by one role, read by anyone.

    Attributes:
        total: how many there are to do, as far as is known.
        done: how many are done.
    """

    __slots__ = ("done", "total")

    def __init__(self, total: int = 0, done: int = 0) -> None:
        self.total, self.done = total, done
