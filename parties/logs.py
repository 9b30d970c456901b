"""Structured logs: one JSON object a line, of event names, counts, sizes, names and durations.

What is logged never depends on an identifier, an element, a message or a key; errors from
libraries, whose texts might, appear by type and place only.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

import structlog

from parties.errors import LocalFault
from parties.metrics import count


def set_up(log: Path | None) -> None:
    """Sends all logs of this process to a file, or to stderr.

    Raises:
        LocalFault: the file cannot be opened.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            count,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(_open(log)),
        cache_logger_on_first_use=False,
    )


def _open(log: Path | None) -> TextIO:
    if log is None:
        return sys.stderr
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("a", encoding="utf-8", buffering=1)
    except OSError as fault:
        raise LocalFault(f"{log}: the log cannot be opened: {fault.strerror}") from None
