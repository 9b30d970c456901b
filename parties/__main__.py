"""The program `greenlane` as a process of its own, also by `python -m parties`."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn


def program() -> NoReturn:
    """Runs the program in a process that ends with it.

    At once: Python would first take apart what was imported, which leaves nothing behind that the
    system does not free. What a command opens it also closes.
    """
    # NumPy would start a thread for each core that waits by asking; the matrices of mining are
    # small, and nothing else multiplies any.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # until `parties.cli.output.keep_imported`; what is imported first counts most
    from parties.cli import main

    status = 0
    try:
        main()
    except SystemExit as left:
        if not isinstance(left.code, int):
            raise
        status = left.code
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where the shell has closed it
        with suppress(OSError):  # nobody reads it; `run` has said so where it matters
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    program()
