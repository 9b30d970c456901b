"""Threads for the dialogues of a node."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

Work: TypeAlias = Callable[[], None]


class DialogueThreads:
    """About as many threads as dialogues were carried at once; each carries one after another.

    The kernels keep something of each thread that ever called them, so a new thread for each
    dialogue would cost memory with each.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._ended = False
        self._idle = 0
        self._handed: SimpleQueue[Work | None] = SimpleQueue()

    def start(self, work: Work) -> None:
        """Does this work, which must not raise, in a thread that has none.

        Raises:
            RuntimeError: the system gives no more threads.
        """
        with self._changing:
            if self._idle and not self._ended:
                self._idle -= 1
                self._handed.put(work)
                return
        # A daemon: a program that ends does not wait for a dialogue that was broken off.
        threading.Thread(
            target=self._work, args=([work],), name="channel-dialogue", daemon=True
        ).start()

    def end(self) -> None:
        """Lets each thread go as soon as it has nothing to do."""
        with self._changing:
            self._ended = True
            self._handed.put(None)

    def _work(self, first: list[Work]) -> None:
        work: Work | None = first.pop()  # out of the list, which the thread keeps
        while work is not None:
            work()
            del work  # a thread at rest holds nothing of a dialogue
            with self._changing:
                self._idle += 1
            work = self._handed.get()
        self._handed.put(None)  # for the next one
