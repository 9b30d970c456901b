"""What must be so before any test, or what it imports, runs."""

import os
import signal
from collections.abc import Iterator
from functools import cache

import pytest

# The core of grpc reads this when it is loaded, and prints to stderr.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# A shell lets what it runs in the background ignore Ctrl-C, and so would the nodes that tests start
# and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def measured_once() -> Iterator[None]:
    """Measures what a protocol costs once in a process, not for each folder of results anew."""
    from parties import calibration

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_measure", cache(calibration._measure))
        yield
