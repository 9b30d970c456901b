"""Structured logs: one JSON object a line, of event names, counts, sizes, names and durations.

What is logged never depends on an identifier, an element, a message or a key; errors from
libraries, whose texts might, appear by type and place only.

A log that cannot be written does not break what is being logged. It is remembered, and no new job
begins before the log can be written again: what a node does must be on record.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import structlog

from parties.errors import LocalFault

if TYPE_CHECKING:
    from typing_extensions import Buffer


def set_up(log: Path | None, *, complain: bool = False, counted: bool = False) -> None:
    """Sends all logs of this process to a file, or to stderr.

    Args:
        log: the file; it is appended to.
        complain: whether to say on stderr, once, that the file cannot be written any more.
        counted: whether the metrics count what is logged; a node without a page for them does not
            wait for their library.

    Raises:
        LocalFault: the file cannot be opened.
    """
    counting: list[structlog.typing.Processor] = []
    if counted:
        from parties.metrics import count

        counting = [count]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *counting,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(_open(log, complain)),
        cache_logger_on_first_use=False,
    )


def must_be_writable() -> None:
    """Checks that the last line could be written.

    Raises:
        LocalFault: it could not.
    """
    if _faults:
        raise LocalFault(_faults[0])


_faults: Final[list[str]] = []
"""The sentence that says why the log cannot be written now, if so."""


def _open(log: Path | None, complain: bool) -> TextIO:
    _faults.clear()
    if log is None:
        return sys.stderr
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as fault:
        raise LocalFault(f"{log}: the log cannot be opened: {fault.strerror}") from None
    return io.TextIOWrapper(_Lines(log, number, complain), encoding="utf-8", write_through=True)


class _Lines(io.BufferedIOBase):
    """A file to which whole lines are appended, without a buffer that a full disk could keep."""

    def __init__(self, path: Path, number: int, complain: bool) -> None:
        super().__init__()
        self.name = str(path)
        self._number = number
        self._complain = complain
        self._torn = False  # the last line is there in part

    def writable(self) -> bool:
        return True

    def write(self, line: Buffer) -> int:
        """Appends one line; structlog holds a lock meanwhile."""
        whole = bytes(line)
        left = b"\n" + whole if self._torn else whole
        try:
            while left:
                left = left[os.write(self._number, left) :]
                self._torn = bool(left)
        except OSError as fault:
            self._fail(fault.strerror)
        else:
            _faults.clear()
        return len(whole)

    def close(self) -> None:
        if not self.closed:
            os.close(self._number)
        super().close()

    def _fail(self, reason: str | None) -> None:
        sentence = f"{self.name}: the log cannot be written: {reason}; no job begins until it can"
        if self._complain and not _faults:
            sys.stderr.write(f"greenlane: {sentence}\n")
        _faults[:] = [sentence]
