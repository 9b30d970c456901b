"""A thousand VOLE matches of two sets of 2^12: all find what there is to find, and nothing else.

Slow: run by `make study`. The first fifty are run with all other tests. Should one fail, it names
its seed, under which it fails again.
"""

from __future__ import annotations

import pytest
from drawn import check_one_of_many

pytestmark = pytest.mark.study


@pytest.mark.parametrize("first", range(0, 1000, 100))
def test_a_thousand_seeded_runs_equal_the_plain_intersection(first):
    for seed in range(first, first + 100):
        check_one_of_many(seed)
