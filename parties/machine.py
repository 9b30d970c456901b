"""What a program takes of the machine for its kernels."""

from __future__ import annotations

from typing import Final

from psi import _core

KEPT: Final = 64 << 20
"""Bytes of freed memory that are kept: about what one side of a match of 2^20 elements fills. New
memory is cleared before a process gets it, and where the machine is a guest its host may have to
find it first."""


def use(threads: int) -> None:
    """Fixes the number of threads of the kernels, once; 0 leaves one for each core.

    With 1 kernels compute in the threads that call them, one at a time, and keep a little memory
    for each thread that ever called one.

    Memory that a job frees is kept for its next step, or the next job.
    """
    if threads:
        _core.use_threads(threads)
    keep_memory()


def keep_memory() -> None:
    """Keeps up to `KEPT` bytes of what is freed from now on; what was kept before goes back."""
    _core.keep_memory(KEPT)
