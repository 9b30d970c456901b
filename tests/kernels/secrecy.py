"""What holds for every class of the core that keeps a secret."""

from __future__ import annotations

import copy
import pickle

import pytest


def check_it_shows_nothing(secret: object, names: set[str]) -> None:
    """It is not printed, copied or carried off, and has these public names and no others."""
    shown = f"<psi._core.{type(secret).__name__} object at {id(secret):#x}>"
    assert repr(secret) == str(secret) == f"{secret}" == shown
    for protocol_ in range(pickle.HIGHEST_PROTOCOL + 1):
        # The oldest two write the class's name and nothing else, and nothing comes of it.
        with pytest.raises(TypeError):
            pickle.loads(pickle.dumps(secret, protocol_))
    for duplicate in (copy.copy, copy.deepcopy, bytes, memoryview, vars):
        with pytest.raises(TypeError):
            duplicate(secret)
    assert {name for name in dir(secret) if not name.startswith("_")} == names
