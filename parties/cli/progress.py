"""A line on the terminal that says how far a job has come, and when it will be done."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

from psi import Meter

TICK = 0.5
"""Seconds between two looks; a person does not read faster."""


class Progress:
    """Shows a meter on stderr while a block runs, if stderr is a terminal.

    The time left supposes the speed so far. Sets that are still to come are not in the total.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
            sys.stderr.write("\r\x1b[K")

    def _show(self) -> None:
        began: float | None = None
        while not self._over.wait(TICK):
            done, total = self._meter.done, self._meter.total
            if not total:
                sys.stderr.write("\r\x1b[Kreading")
            elif began is None:
                began = time.monotonic()
            else:
                sys.stderr.write(f"\r\x1b[K{line(done, total, time.monotonic() - began)}")
            sys.stderr.flush()


def line(done: int, total: int, seconds: float) -> str:
    """Returns one line: share done, and the time left."""
    share = f"{100 * done // max(total, 1)} %"
    if not done:
        return share
    left = round(seconds * (total - done) / done)
    return f"{share}, {left // 60}:{left % 60:02d} left"
