"""Threads of a node's dialogues: as many as were at work at once, used again and again."""

from __future__ import annotations

import threading

from parties.channel.threads import DialogueThreads

PATIENCE = 10.0


def names_of(threads: DialogueThreads, count: int) -> set[int]:
    """Runs so much work at once, and returns which threads did it."""
    together, seen = threading.Barrier(count + 1), list[int]()

    def work() -> None:
        seen.append(threading.get_ident())
        together.wait(PATIENCE)

    for _ in range(count):
        threads.start(work)
    together.wait(PATIENCE)
    return set(seen)


def test_what_runs_at_once_has_threads_of_its_own_and_later_work_has_the_same() -> None:
    threads = DialogueThreads()
    before = threading.active_count()
    first = names_of(threads, 5)
    assert len(first) == 5
    for count in (1, 5, 3, 5) * 20:
        # A thread that is about to rest is not idle yet, so that one more may be started at times.
        first |= names_of(threads, count)
    assert len(first) <= 10
    assert threading.active_count() - before == len(first)


def test_the_program_may_end_while_they_rest() -> None:
    threads = DialogueThreads()
    (ident,) = names_of(threads, 1)
    assert next(thread for thread in threading.enumerate() if thread.ident == ident).daemon
