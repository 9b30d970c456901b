"""Structured logs: one JSON object a line, of event names, counts, sizes, names and durations.

What is logged never depends on an identifier, an element, a message or a key; errors from
libraries, whose texts might, appear by type and place only.

A log that cannot be written does not break what is being logged. It is remembered, and no new job
begins before the log can be written again: what a node does must be on record.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from parties.errors import LocalFault


class Log:
    """Where events go, with the fields that all of them have.

    Args:
        fields: names and values; they are JSON, or are shown as Python shows them.
    """

    def __init__(self, **fields: object) -> None:
        self._fields = fields

    def bind(self, **fields: object) -> Log:
        """Returns a log whose events have these fields as well."""
        return Log(**self._fields, **fields)

    def info(self, event: str, **fields: object) -> None:
        """Writes an event of ordinary work."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Writes an event that somebody should look at."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Writes an event that is a fault of this program."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
        stamped = {"event": event, "level": level, "timestamp": f"{now}Z"}
        _WAY.write({**self._fields, **fields, **stamped})


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
    file = None if log is None else _File(log, complain)
    if counted:
        from parties.metrics import count

        _WAY.lead(file, count)
    else:
        _WAY.lead(file, None)


def must_be_writable() -> None:
    """Checks that the last line could be written.

    Raises:
        LocalFault: it could not.
    """
    if _faults:
        raise LocalFault(_faults[0])


_faults: Final[list[str]] = []
"""The sentence that says why the log cannot be written now, if so."""


class _Lines(Protocol):
    def write(self, line: str) -> object: ...


class _Way:
    """The way of all events of this process: to the metrics, if they count, and to a file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: _File | None = None
        self._count: Callable[[Mapping[str, Any]], None] | None = None

    def lead(self, file: _File | None, count: Callable[[Mapping[str, Any]], None] | None) -> None:
        """Sends what comes from now on to a file, or to stderr if that is None."""
        with self._lock:
            _faults.clear()
            if self._file is not None:
                self._file.close()
            self._file, self._count = file, count

    def write(self, event: Mapping[str, object]) -> None:
        """Writes one event as one line."""
        if self._count is not None:
            self._count(event)
        line = json.dumps(event, ensure_ascii=False, default=repr) + "\n"
        with self._lock:
            lines: _Lines = self._file or sys.stderr
            lines.write(line)


_WAY: Final = _Way()


class _File:
    """A file to which whole lines are appended, without a buffer that a full disk could keep."""

    def __init__(self, path: Path, complain: bool) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as fault:
            raise LocalFault(f"{path}: the log cannot be opened: {fault.strerror}") from None
        self._path = path
        self._complain = complain
        self._torn = False  # the last line is there in part

    def write(self, line: str) -> None:
        """Appends one line; a lock is held meanwhile."""
        left = (f"\n{line}" if self._torn else line).encode(errors="backslashreplace")
        try:
            while left:
                left = left[os.write(self._number, left) :]
                self._torn = bool(left)
        except OSError as fault:
            self._fail(fault.strerror)
        else:
            _faults.clear()

    def close(self) -> None:
        """Closes the file."""
        os.close(self._number)

    def _fail(self, reason: str | None) -> None:
        sentence = f"{self._path}: the log cannot be written: {reason}; no job begins until it can"
        if self._complain and not _faults:
            sys.stderr.write(f"greenlane: {sentence}\n")
        _faults[:] = [sentence]
