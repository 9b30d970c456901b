"""Who computes: with one thread for the kernels it is the caller's, with more it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading, time
from psi import _core
_core.use_threads(int(sys.argv[1]))

def share():
    key = _core.Key.draw(_core.Entropy.from_seed_for_tests(bytes(32)))
    ours, all_of_us = time.thread_time(), time.process_time()
    _core.dh_blind(bytes(32) * 1024, bytes(32), key)
    print((time.thread_time() - ours) / (time.process_time() - all_of_us))

thread = threading.Thread(target=share)
thread.start()
thread.join()
share()
"""


@pytest.mark.parametrize(("threads", "here"), [(1, True), (2, False)])
def test_the_only_thread_of_the_kernels_is_the_callers(threads: int, here: bool) -> None:
    """In two threads, one after the other, of a program that fixed the number in the first."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(threads)], capture_output=True, text=True, check=True
    )
    shares = [float(line) for line in ran.stdout.split()]
    assert len(shares) == 2
    assert all((share > 0.5) is here for share in shares), shares
