"""Dimensions of what a claim shares with others, and of the records that it met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from parties.models.cells import literal
from parties.models.mining.bands import COUNTS, SHORT_SPANS, seconds
from parties.models.mining.dimension import Dimension
from parties.models.tables import DIMENSIONS, RECORD_KINDS

_SHARED: Final = (
    ("phone_people", "phone", "insured", "its phone stands with {} persons insured"),
    ("account_people", "account", "insured", "its account stands with {} persons insured"),
    ("driver_people", "driver", "insured", "its driver stands with {} persons insured"),
    ("claimant_people", "claimant", "insured", "who claims stands with {} persons insured"),
    ("plate_drivers", "plate", "driver", "its plate stands with {} drivers"),
    ("insured_companies", "insured", "company", "its person insured stands with {} insurers"),
    ("phone_claims", "phone", "claim", "its phone stands in {} claims"),
    ("account_claims", "account", "claim", "its account stands in {} claims"),
    ("insured_claims", "insured", "claim", "its person insured stands in {} claims"),
    ("plate_claims", "plate", "claim", "its plate stands in {} claims"),
    ("vin_claims", "vin", "claim", "its VIN stands in {} claims"),
    ("shop_claims", "shop", "claim", "its repair shop stands in {} claims"),
    ("hospital_claims", "hospital", "claim", "its hospital stands in {} claims"),
    ("channel_claims", "channel", "claim", "its channel of sale stands in {} claims"),
)
"""Name, a column that claims may share, and what it is counted by."""
_KIND: Final = {
    **{"phone": "phone", "account": "account", "plate": "vehicle", "vin": "vehicle"},
    **{"insured": "person", "driver": "person", "claimant": "person", "company": "company"},
    **{"shop": "shop", "hospital": "hospital", "channel": "company", "claim": "claim"},
}
"""Column -> which of `tables.DIMENSIONS`."""


_COUNTED: Final = """\
LEFT JOIN (
    SELECT {column}, count(DISTINCT {counted}) AS {name}
    FROM claims WHERE {column} IS NOT NULL GROUP BY {column}
) AS of_{name} USING ({column})"""


def shared() -> Iterator[Dimension]:
    """Yields how many claims, or persons, have in common what a claim names."""
    for name, column, counted, says in _SHARED:
        yield Dimension(
            name=name,
            sort="count",
            title=says.replace("{}", "so many"),
            says=says,
            by=tuple(sorted({_KIND[column], _KIND[counted]})),
            needs=tuple(sorted({"claims.claim", f"claims.{column}", f"claims.{counted}"})),
            value=name,
            reason=says,
            shown=(name, name),
            cuts=COUNTS,
            join=_COUNTED.format(name=name, column=column, counted=counted),
        )


def met() -> Iterator[Dimension]:
    """Yields what records a claim met, by what and when."""
    yield Dimension(
        name="records_met",
        sort="count",
        title="records met",
        says="records met: {}",
        by=("claim",),
        needs=("claims.claim", "links.claim", "links.record"),
        value="coalesce(met, 0)",
        reason="records met: {}",
        shown=("records_met", "coalesce(met, 0)"),
        cuts=COUNTS,
        join=(
            "LEFT JOIN (\n    SELECT claim, count(DISTINCT record) AS met FROM links GROUP BY claim"
            "\n) AS of_records USING (claim)"
        ),
    )
    yield Dimension(
        name="after_record",
        sort="span",
        title="time since the last record that it met",
        says="the loss came {} after a record that it met",
        by=("time",),
        needs=(
            *("claims.claim", "claims.happened", "links.claim", "links.record"),
            *("records.begun", "records.record"),
        ),
        value=seconds("last_record", "happened"),
        reason="the loss came {} after a record that it met",
        shown=("after_record", "happened - last_record"),
        cuts=SHORT_SPANS,
        join=(
            "LEFT JOIN (\n    SELECT claim, max(begun) AS last_record\n"
            "    FROM links JOIN records USING (record) JOIN claims USING (claim)\n"
            "    WHERE begun <= happened GROUP BY claim\n) AS of_last_record USING (claim)"
        ),
        begin="last_record",
        end="happened",
    )
    for kind in RECORD_KINDS:
        yield _flag(
            f"met_{kind}",
            f"it met a record of the kind {kind}",
            ("links.claim", "links.record", "records.kind", "records.record"),
            f"links JOIN records USING (record) WHERE kind = {literal(kind)} AND claim IS NOT NULL",
            "claim",
        )
    for dimension in DIMENSIONS[:5]:
        yield _flag(
            f"by_{dimension}",
            f"it met a record by {dimension}",
            ("links.claim", "links.dimension"),
            f"links WHERE dimension = {literal(dimension)} AND claim IS NOT NULL",
            dimension,
        )
    for role in ("insured", "driver", "claimant"):
        yield _flag(
            f"met_by_{role}",
            f"it met a record by the column {role}",
            ("links.claim", "links.role"),
            f"links WHERE role = {literal(role)} AND claim IS NOT NULL",
            "person",
        )


def _flag(name: str, says: str, needs: Sequence[str], rows: str, by: str) -> Dimension:
    value = f"claim IN (SELECT claim FROM {rows})"  # noqa: S608  # our own words
    return Dimension(name, "flag", says, says, (by,), ("claims.claim", *needs), value, says)
