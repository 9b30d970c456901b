"""How many cores the kernels use: once for the whole process."""

from __future__ import annotations

from psi import _core


def use(threads: int) -> None:
    """Fixes the number of threads of the kernels; 0 leaves one for each core."""
    if threads:
        _core.use_threads(threads)
