"""Processes of a comparison, and what the operating system says of each when it has ended."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

LONGEST = 600.0
"""Seconds after which a run hangs: ten times what spu takes for 2^20 rows on a busy machine."""
LOOK = 0.01
"""Seconds between two looks at a process; a run takes seconds."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "YACL_NUM_THREADS": "1"}
"""Arrow reads the first, spu both; the kernels of a node have a setting."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run took; of pairs the receiver's comes first.

    Attributes:
        seconds: from the first start to the last exit; of a session, from its first message.
        cpu: seconds of each process, or of each side of a session.
        peak_mb: the largest memory of each process in MiB; of a session, twice that of both sides.
        loopback: bytes that crossed the loopback meanwhile, heads of packets and the traffic of
            other programs included; None if nothing was to.
        messages: bytes of messages, without frames and TLS; None if the program does not say.
    """

    seconds: float
    cpu: tuple[float, float]
    peak_mb: tuple[float, float]
    loopback: int | None
    messages: int | None


class Watch:
    """Starts the processes of a run and notes what they took; a run that fails ends them all.

    Args:
        folder: for what they print.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[int] = []
        self._taken: dict[int, tuple[float, float]] = {}

    def __enter__(self) -> Watch:
        self._loopback = loopback_bytes()
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds = time.monotonic() - self._began
        self._loopback = loopback_bytes() - self._loopback
        for process in {*self._started} - {*self._taken}:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)

    def start(self, *command: str) -> int:
        """Starts a process and returns its number."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        number = len(self._started)
        prints = [
            (os.POSIX_SPAWN_OPEN, stream, self._print(number, stream), flags, 0o600)
            for stream in (1, 2)
        ]
        environment = os.environ | ONE_THREAD
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        process = os.posix_spawn(command[0], command, environment, file_actions=prints)
        self._started.append(process)
        return process

    def said(self, process: int, stream: int = 1) -> bytes:
        """Returns what a process has printed so far."""
        return Path(self._print(self._started.index(process), stream)).read_bytes()

    def until_said(self, process: int, word: bytes) -> None:
        """Waits for a word on stdout."""
        while word not in self.said(process):
            self._look()

    def until_ended(self, process: int) -> None:
        """Waits for the end of a process."""
        while process not in self._taken:
            self._look()

    def took(self, process: int) -> tuple[float, float, float]:
        """Returns, after it, seconds of a run of one process, its CPU seconds, its peak in MiB."""
        return (self._seconds, *self._taken[process])

    def run(self, receiver: int, sender: int, messages: int | None) -> Run:
        """Returns what the run took; after the block."""
        (receivers, rss), (senders, sender_rss) = self._taken[receiver], self._taken[sender]
        peaks = (rss, sender_rss)
        return Run(self._seconds, (receivers, senders), peaks, self._loopback, messages)

    def _look(self) -> None:
        """Notes which processes have ended; else waits a moment.

        Raises:
            SystemExit: one did not end well, or the run hangs.
        """
        for process in self._started:
            if process in self._taken:
                continue
            ended, status, used = os.wait4(process, os.WNOHANG)
            if ended:
                self._taken[process] = (used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
                if status:
                    words = self.said(process, 2)[-2000:].decode(errors="replace")
                    raise SystemExit(f"a process ended with {status}; its last words: {words}")
                return
        if time.monotonic() - self._began > LONGEST:
            raise SystemExit(f"a run took more than {LONGEST:g} s")
        time.sleep(LOOK)

    def _print(self, number: int, stream: int) -> str:
        return str(self._folder / f"process-{number}.{stream}")


def loopback_bytes() -> int:
    """Returns how many bytes the loopback has carried since the machine started."""
    path = Path("/sys/class/net/lo/statistics/rx_bytes")
    return int(path.read_text(encoding="ascii"))
