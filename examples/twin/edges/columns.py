"""Columns that rules need and that the twin has only with edges.

They are drawn from a source of their own, so that the other columns are what they would be. Shares
are made up: no published figures were found.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..cells import chosen, dates, numbered, timestamps
from ..clock import DAY, HOUR
from ..pools import Index, mixed
from ..rings import DELAY, RECORD_IMPOUND, RECORD_THEFT, RECORD_VIOLATION

CHANNELS = pa.array([f"platform-{n:02d}" for n in range(1, 9)])
PLANTED_ACCOUNTS = 1 << 32
"""Accounts of planted claims have numbers below this, all others from it on."""


def of_claims(fields: dict[str, Index], rng: np.random.Generator) -> dict[str, Index]:
    """Returns the further numbers of each claim; -1 for none."""
    count = len(fields["time"])
    time, delay = fields["time"], fields["line"] == DELAY
    some = rng.random((4, count))
    # Most people have an account of their own, a tenth share one with 20 others: a family, a firm.
    paid = np.where(fields["claimant"] >= 0, fields["claimant"], fields["insured"])
    account = np.where(mixed(paid, 8) % 10 == 0, paid // 20, paid) + PLANTED_ACCOUNTS
    departure = time - rng.integers(2 * HOUR, 8 * HOUR, count)
    return {
        "account": np.where(some[0] < 0.95, account, -1),
        "cover_raised": np.where(some[1] < 0.1, time // DAY - rng.integers(0, 730, count), -1),
        "nights": np.where(fields["hospital"] >= 0, rng.integers(0, 30, count), -1),
        "channel": np.where(delay, rng.integers(0, len(CHANNELS), count), -1),
        "departure": np.where(delay, departure, -1),
        "refunded": np.where(
            delay & (some[2] < 0.03), departure + rng.integers(-5 * DAY, 5 * DAY, count), -1
        ),
    }


def of_records(fields: dict[str, Index], rng: np.random.Generator) -> dict[str, Index]:
    """Returns the further numbers of each record, and its type anew; -1 for none.

    One violation in thirty ends with the vehicle in a yard. Six thefts of ten end, within 200 days.
    """
    count = len(fields["time"])
    some = rng.random((2, count))
    towed = (fields["type"] == RECORD_VIOLATION) & (some[0] < 1 / 30)
    type_ = np.where(towed, RECORD_IMPOUND, fields["type"])
    days = np.where(towed, 60, np.where((type_ == RECORD_THEFT) & (some[1] < 0.6), 200, 0))
    ended = fields["time"] + HOUR + (rng.random(count) * days * DAY).astype(np.int64)
    return {"type": type_, "ended": np.where(days > 0, ended, -1)}


def with_claims(table: pa.Table, f: dict[str, Index]) -> pa.Table:
    """Appends the further columns of claims."""
    accounts = numbered("622", np.maximum(mixed(f["account"], 9) % 10**16, 0), 16)
    here = np.arange(len(f["account"]))
    more = {
        "account": chosen(accounts, np.where(f["account"] >= 0, here, -1)),
        "cover_raised": dates(f["cover_raised"]),
        "nights": pa.array(f["nights"], pa.int64(), mask=f["nights"] < 0),
        "channel": chosen(CHANNELS, f["channel"]),
        "departure": timestamps(f["departure"]),
        "refunded": timestamps(f["refunded"]),
    }
    return _with(table, more)


def with_records(table: pa.Table, f: dict[str, Index]) -> pa.Table:
    """Appends the further columns of records."""
    return _with(table, {"ended_time": timestamps(f["ended"])})


def _with(table: pa.Table, more: dict[str, pa.Array]) -> pa.Table:
    for name, values in more.items():
        table = table.append_column(name, values)
    return table
