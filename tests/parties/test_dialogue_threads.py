"""Threads of a node's dialogues: as many as were at work at once, used again and again."""

from __future__ import annotations

import threading
import time
import weakref

import pytest

from parties.channel.threads import DialogueThreads

PATIENCE = 10.0


class Together:
    """Work that is done by so many threads at once, and notes which they were."""

    def __init__(self, count: int) -> None:
        self._all = threading.Barrier(count + 1)
        self.seen: list[threading.Thread] = []

    def work(self) -> None:
        self.seen.append(threading.current_thread())
        self._all.wait(PATIENCE)

    def wait(self) -> None:
        self._all.wait(PATIENCE)


def who_did(threads: DialogueThreads, count: int) -> set[threading.Thread]:
    together = Together(count)
    for _ in range(count):
        threads.start(together.work)
    together.wait()
    return set(together.seen)


def test_what_runs_at_once_has_threads_of_its_own_and_later_work_has_the_same() -> None:
    threads = DialogueThreads()
    used = who_did(threads, 5)
    assert len(used) == 5
    for count in (1, 5, 3, 5) * 20:
        # A thread that is about to rest is not idle yet, so that one more may be started at times,
        # on a busy machine more often.
        used |= who_did(threads, count)
    assert len(used) <= 28, "a tenth of the work at most"
    assert all(thread.daemon for thread in used)
    threads.end()
    for thread in used:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_thread_at_rest_holds_nothing_of_its_last_work() -> None:
    threads = DialogueThreads()
    together = Together(1)
    gone = weakref.ref(together)
    threads.start(together.work)
    together.wait()
    del together
    until = time.monotonic() + PATIENCE
    while gone() is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert gone() is None
    threads.end()


def test_a_thread_that_cannot_be_had_takes_its_work_along(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = DialogueThreads()
    done: list[str] = []

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            threads.start(lambda: done.append("refused"))
    assert len(who_did(threads, 3)) == 3
    assert len(who_did(threads, 3)) == 3
    assert not done
    threads.end()


def test_work_that_comes_behind_the_end_is_done_and_its_thread_goes() -> None:
    threads = DialogueThreads()
    who_did(threads, 2)
    threads.end()
    used = who_did(threads, 3)
    for thread in used:
        thread.join(PATIENCE)
        assert not thread.is_alive()
