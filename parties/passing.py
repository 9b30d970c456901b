"""Passes messages between two processes of one machine, through memory that both hold.

A pipe would copy each message four times, in pieces of 64 KiB of which each wakes the other
process. Here a message is copied in and copied out.
"""

from __future__ import annotations

import threading
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from queue import Queue
from typing import Final

PAGE: Final = 4096
SLOT: Final = (1 << 20) + PAGE
"""Bytes of a slot. Messages of protocols have up to 1 MiB and a head; longer ones take several."""
SLOTS: Final = 4
"""One is written, one is read, and two may wait."""
PATIENCE: Final = 60.0
"""Seconds to wait for a free slot; the other side's reader runs as long as its process."""

_LAST, _MORE = b"l", b"m"


class Slots:
    """Memory that one side writes and the other reads. Given to both processes as they start."""

    def __init__(self, context: SpawnContext) -> None:
        self._bytes = context.RawArray("B", SLOT * SLOTS)
        self.free = context.Semaphore(SLOTS)

    def views(self) -> list[memoryview]:
        """The slots, in the order in which they are used, over and over."""
        whole = memoryview(self._bytes).cast("B")
        whole[::PAGE].tobytes()  # has the pages now, so that they are no part of what a run takes
        return [whole[start : start + SLOT] for start in range(0, len(whole), SLOT)]


class Passage:
    """One end of it.

    Args:
        control: says which slots were filled.
        ours: where this end writes.
        theirs: where the other end writes.
    """

    def __init__(self, control: Connection, ours: Slots, theirs: Slots) -> None:
        self._control, self._ours, self._theirs = control, ours, theirs
        self._views, self._turn = ours.views(), 0
        self._arrived: Queue[bytes | None] = Queue()
        # A reader of its own, since both sides may say more at once than there is room for.
        threading.Thread(target=self._read, args=(theirs.views(),), daemon=True).start()

    def send(self, message: bytes) -> None:
        """Says one message.

        Raises:
            OSError: the other end has gone.
        """
        rest = memoryview(message)
        while True:
            piece, rest = rest[:SLOT], rest[SLOT:]
            if not self._ours.free.acquire(timeout=PATIENCE):
                raise BrokenPipeError("the other end reads no more")
            self._views[self._turn][: len(piece)] = piece
            self._turn = (self._turn + 1) % SLOTS
            head = _MORE if rest else _LAST
            self._control.send_bytes(head + len(piece).to_bytes(8, "little"))
            if not rest:
                return

    def receive(self) -> bytes | None:
        """The next message; None once the other end has gone."""
        message = self._arrived.get()
        if message is None:
            self._arrived.put(None)  # for whoever asks again
        return message

    def _read(self, views: list[memoryview]) -> None:
        turn, pieces = 0, list[bytes]()
        while True:
            try:
                told = self._control.recv_bytes()
            except (EOFError, OSError):
                self._arrived.put(None)
                return
            pieces.append(bytes(views[turn][: int.from_bytes(told[1:], "little")]))
            turn = (turn + 1) % SLOTS
            self._theirs.free.release()
            if told[:1] == _LAST:
                self._arrived.put(pieces[0] if len(pieces) == 1 else b"".join(pieces))
                pieces.clear()
