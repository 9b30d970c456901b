"""Two sets drawn under a seed, and a VOLE match of them that must find what they have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from wiretap import parameters

from psi import Elements, Labels, Meter, Output, Result, Side, converse
from psi._core import Entropy
from psi.elements import WIDTH
from psi.protocols import PROTOCOLS


def sets(seed: int, ours: int, theirs: int, common: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two sets, in orders of chance."""
    rng = np.random.default_rng(seed)
    count = ours + theirs - common
    rows = np.frombuffer(rng.bytes(count * WIDTH), np.uint8).reshape(count, WIDTH)
    return rng.permutation(rows[:ours]), rng.permutation(rows[ours - common :])


def where(rows: np.ndarray, others: np.ndarray) -> list[int]:
    """Positions of the rows that the others have too."""
    held = {row.tobytes() for row in others}
    return [position for position, row in enumerate(rows) if row.tobytes() in held]


def check(
    seed: int,
    ours: int,
    theirs: int,
    common: int,
    output: Output = Output.RECEIVER,
    told: bool = False,
    protocol: str = "vole",
    **options: Any,
) -> tuple[Result, Result | None]:
    """Runs a match and compares all that is learnt; a failure names the seed."""
    drawn = sets(seed, ours, theirs, common)
    agreed = parameters(output, protocol, max_elements=1 << 21)
    roles, meters = [], []
    for number, (kind, rows) in enumerate(zip(PROTOCOLS[protocol][:2], drawn, strict=True)):
        entropy = Entropy.from_seed_for_tests(bytes([number]) + seed.to_bytes(31, "little"))
        labels = Labels.none(len(rows)) if told else None
        meters.append(Meter())
        roles.append(
            kind(
                Elements(rows.tobytes()),
                agreed,
                labels,
                entropy=entropy,
                meter=meters[-1],
                **options,
            )
        )
    learnt = converse(*(Side(role.converse()) for role in roles))
    what = f"{protocol}, seed {seed}: {ours} x {theirs}, {common} common, {output}, {options}"
    for result, rows, others in zip(learnt, drawn, drawn[::-1], strict=True):
        if result is None:
            assert output is Output.RECEIVER, what
            continue
        assert result.cardinality == common, what
        assert result.matches.positions.tolist() == where(rows, others), what
        assert (result.matches.records == 1).all(), what
        assert result.matches.labels.shape == (common, 0), what
    for meter in meters:
        assert meter.done == meter.total, what
    return learnt


def check_one_of_many(seed: int, protocol: str = "vole") -> None:
    """A match of two sets of 2^12; the seed decides what they have in common, and all else."""
    rng = np.random.default_rng([seed, 12])
    check(
        seed,
        1 << 12,
        1 << 12,
        int(rng.integers(0, (1 << 12) + 1)),
        [Output.RECEIVER, Output.BOTH][seed % 2],
        told=seed % 4 > 1,
        protocol=protocol,
        exact=seed % 3 == 0,
    )
