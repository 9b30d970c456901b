"""Threads for the dialogues of a node."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NoReturn


class DialogueThreads:
    """As many threads as dialogues were carried at once; each carries one after another.

    The kernels keep something of each thread that ever called them, so that a thread a dialogue
    would cost more memory with each.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)

    def start(self, work: Callable[[], None]) -> None:
        """Does this work, which must not raise, in a thread that has none."""
        self._waiting.put(work)
        if not self._idle.acquire(blocking=False):
            # A daemon: a node that stops does not wait for a dialogue that it has broken off.
            threading.Thread(target=self._work, name="channel-dialogue", daemon=True).start()

    def _work(self) -> NoReturn:
        while True:
            self._waiting.get()()
            self._idle.release()
