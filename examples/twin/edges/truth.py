"""What a match of the twin would tell, and what rules have to say of it, as files.

`joined.parquet` is made of the numbers behind the cells, never of their text, like all truth here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ..cells import numbered
from ..pools import Index
from ..rings import Expected
from ..writing import TableFile

if TYPE_CHECKING:
    from ..blocks import Block
    from ..plan import World

LEADS = ("group", "pack", "rule", "expected", "edge", "claim")
"""Columns of leads.csv, as `greenlane models evaluate` reads them."""

MAPPING = """\
# Which columns fill the joined tables; see "Joined tables" in docs/operations.md.

[claims]
files = ["claims.{format}"]
[claims.columns]
claim = "claim_no"
line = {{ column = "line", words = {{ "flight delay" = "flight_delay" }} }}
company = "company"
policy = "policy_no"
policy_start = "policy_start"
cover_raised = "cover_raised"
channel = "channel"
happened = "accident_time"
amount = "amount"
insured = {{ column = "insured_id", kind = "resident_id" }}
driver = {{ column = "driver_id", kind = "resident_id" }}
claimant = {{ column = "claimant_id", kind = "resident_id" }}
phone = {{ column = "report_phone", kind = "phone" }}
account = "account"
plate = {{ column = "plate", kind = "plate" }}
vin = {{ column = "vin", kind = "vin" }}
shop = "repair_shop"
hospital = "hospital"
nights = "nights"
city = {{ column = "accident_place", up_to = "市" }}
flight = {{ column = "flight_no", kind = "flight" }}
flight_date = "flight_date"
departure = "departure"
refunded = "refunded"

[records]
files = ["records.{format}"]
[records.columns]
record = "record_no"
kind = {{ column = "record_type", words = {{ "drunk driving" = "drink_driving" }} }}
begun = "event_time"
ended = "ended_time"

[links]
files = ["joined.parquet"]
[links.columns]
claim = "claim_no"
record = "record_no"
dimension = {{ column = "greenlane_set", words = {{ plate = "vehicle", vin = "vehicle" }} }}
[links.columns.role]
column = "greenlane_column"
words = {{ insured_id = "insured", driver_id = "driver", claimant_id = "claimant" }}
"""


@dataclass(slots=True)
class Cells:
    """The usable cells of one side that may meet: for each kind, numbers, rows and columns."""

    parts: dict[str, list[pa.Table]] = field(default_factory=dict)

    def add(self, world: World, made: Block) -> None:
        """Adds those of a block."""
        for column, (kind, ids, usable, _) in made.columns.items():
            here = np.flatnonzero(usable & (ids >= 0) & (ids < world.pools[kind].tracked))
            part = {"id": ids[here], "row": made.rows[here]}
            columns = pa.array([column]).take(pa.array(np.zeros(len(here), np.int64)))
            self.parts.setdefault(kind, []).append(
                pa.table(part).append_column("greenlane_column", columns)
            )


def joined(own: Cells, their: Cells) -> pa.Table:
    """Returns a row for each pair of a claim and a record that meet, and for each cell of it."""
    parts = []
    for kind, tables in own.parts.items():
        left = pa.concat_tables(tables)
        right = pa.concat_tables(their.parts[kind]).drop_columns(["greenlane_column"])
        met = left.join(right, "id", join_type="inner", right_suffix="_their")
        met = met.sort_by([(c, "ascending") for c in ("row", "row_their", "greenlane_column")])
        parts.append(
            pa.table(
                {
                    "claim_no": numbered("CL", _numbers(met["row"]), 10),
                    "record_no": numbered("RC", _numbers(met["row_their"]), 10),
                    "greenlane_set": pa.repeat(kind, met.num_rows),
                    "greenlane_column": met["greenlane_column"],
                }
            )
        )
    return pa.concat_tables(parts)


def leads(expected: list[Expected], claims: list[int]) -> pa.Table:
    """Returns what rules have to say: a row for each claim of each group.

    Args:
        expected: of each group.
        claims: the number of each planted claim, by its place.
    """
    rows = list(_rows(expected, claims))
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(LEADS)})


def write(out: Path, met: pa.Table, told: pa.Table, format: str) -> None:
    """Writes joined.parquet, joined.toml and leads.csv into a directory."""
    with TableFile(out / "joined.parquet", "parquet") as file:
        file.write(met)
    with TableFile(out / "leads.csv", "csv") as file:
        file.write(told)
    (out / "joined.toml").write_text(MAPPING.format(format=format), encoding="utf-8")


def _rows(expected: list[Expected], claims: list[int]) -> Iterator[tuple[str, ...]]:
    for each in expected:
        for place in each.claims:
            number = f"CL{claims[place]:010d}"
            yield each.group, each.pack, each.rule, each.expected, each.edge, number


def _numbers(column: pa.ChunkedArray) -> Index:
    values: Index = column.to_numpy()
    return values
