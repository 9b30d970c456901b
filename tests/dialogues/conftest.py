"""Puts tests/, for the references, and this folder, for the wiretap, on the path."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from psi.elements import WIDTH
from psi.subprotocols import bins, okvs, tags, vole

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]


@pytest.fixture
def small_bins(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Bins of 32 points instead of 32,768: small sets then make several. Returns that number.

    Of VOLE-PSI, a set of 128 has three bins of cells, one in each message, three batches of chunks,
    of which a small part is used, and three pieces of tags and of their counts.
    """
    monkeypatch.setattr(bins, "MESSAGE", 32 * WIDTH)
    monkeypatch.setattr(bins, "BIN", 32)
    monkeypatch.setattr(okvs, "BIN", 48)
    monkeypatch.setattr(vole.Profile, "chunk", property(lambda profile: 1600 // profile.batch))
    monkeypatch.setattr(tags, "PIECE", 48)
    monkeypatch.setattr(tags, "bins", SimpleNamespace(**vars(bins) | {"MESSAGE": 8}))
    okvs.shape.cache_clear()
    yield 32
    okvs.shape.cache_clear()
