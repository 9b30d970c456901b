"""Erasing what was learnt when its time is over: results of runs, and what clues say.

What was learnt may be kept as long as the ticket was valid under which it was, and as many days
more as the settings say. The log stays, and says how much was erased of which run.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from parties import audit, logs, retaining
from parties.books import Books
from parties.clues.erasing import due
from parties.clues.erasing import erase as erase_clues
from parties.errors import LocalFault
from parties.retaining import Left
from parties.settings import Settings
from psi.lazily import NamedTuple

EVERY: Final = 3600.0
"""Seconds between two looks of a node that runs: tickets end at a second, and what was learnt under
them is gone an hour later at most."""
RESULTS: Final = "results"
"""What the log calls joined rows, lists and reports of rejects."""


class Erased(NamedTuple):
    """What was erased.

    Attributes:
        sessions: of runs whose results are gone, with how many files each had.
        clues: of how many clues the contents are gone.
    """

    sessions: dict[str, int]
    clues: int


def erase_due(settings: Settings, books: Books) -> Erased:
    """Erases what may not be kept any longer.

    Raises:
        LocalFault: a file cannot be removed, or the store not be written. What was erased before is
            in the log.
    """
    store, kept = books.limits.store, settings.retention
    with store.reading() as connection:
        now = store.now(connection)
        lefts = retaining.due(connection, now - timedelta(days=kept.results_days))
        tickets = due(connection, now - timedelta(days=kept.clues_days))
    sessions = {left.session: _erase(settings, books, left) for left in lefts}
    clues = 0
    for ticket in tickets:
        with books.writing() as (connection, at):
            clues += erase_clues(connection, at, ticket)
    return Erased({session: files for session, files in sessions.items() if files}, clues)


def erase_sessions(settings: Settings, books: Books, sessions: Sequence[str]) -> Erased:
    """Erases the results of these runs now, whatever their tickets say.

    Raises:
        LocalFault: as `erase_due`; or nothing is kept of one of them.
    """
    lefts = []
    with books.limits.store.reading() as connection:
        for session in sessions:
            left = retaining.of_session(connection, session)
            if left is None:
                raise LocalFault(f"nothing is kept of a session {session}, or it was erased")
            lefts.append(left)
    return Erased({left.session: _erase(settings, books, left) for left in lefts}, 0)


def _erase(settings: Settings, books: Books, left: Left) -> int:
    """Erases what a session has left, then says so; returns how many files it was.

    If the node is killed in between, the next look finds no file, and the line is missing that says
    how many there were; what was to be gone is gone.
    """
    folder = settings.node.results / left.session
    try:
        files = sum(each.is_file() for each in folder.rglob("*"))
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        files += _erase_elsewhere(books, left)
    except OSError as fault:
        raise LocalFault(f"{fault.filename}: cannot be erased: {fault.strerror}") from None
    with books.writing() as (connection, at):
        if files:
            audit.record_erasure(connection, at, RESULTS, left.session, files)
        retaining.gone(connection, left.session)
    return files


def _erase_elsewhere(books: Books, left: Left) -> int:
    """Erases a result outside of the session's folder, unless another run has its own there."""
    if left.path is None or not left.path.is_file():
        return 0
    with books.limits.store.reading() as connection:
        if retaining.is_of_another(connection, left):
            return 0
    left.path.unlink()
    return 1


class Eraser:
    """Looks now and again whether something is to be erased, for as long as a node runs.

    Args:
        settings: of the node.
        books: of the node.
    """

    def __init__(self, settings: Settings, books: Books) -> None:
        self._settings, self._books = settings, books
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eraser", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        log = logs.Log()
        while not self._over.is_set():
            try:
                erased = erase_due(self._settings, self._books)
            except LocalFault as fault:
                log.error("not_erased", why=str(fault))
            else:
                if erased.sessions or erased.clues:
                    log.info("erased", sessions=len(erased.sessions), clues=erased.clues)
            self._over.wait(EVERY)
