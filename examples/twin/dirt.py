"""Soils a column of identifiers, and knows which of them survive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .cells import full_width, text
from .habits import HABITS
from .pools import Cells, Index, Mask


@dataclass(frozen=True, slots=True)
class Soiled:
    """One column of identifiers as it stands in the file.

    values: the text; null where the row has none, or blank.
    usable: where the text still means the identifier of the row.
    codes: the way of each cell, 0 for clean; counts only where the row has an identifier.
    """

    values: pa.StringArray
    usable: Mask
    codes: Index


def soiled(
    kind: str, cells: Cells, present: Mask, regular: Mask, careful: Mask, rng: np.random.Generator
) -> Soiled:
    """Soils the cells of one column, in place.

    Careful rows are soiled only in ways that keep. Cells that are not regular (landlines) are only
    replaced or left blank: one of them without its last digit may still be somebody's.
    """
    habits = HABITS[kind]
    codes = np.searchsorted(np.cumsum(habits.shares), rng.random(len(cells)), side="right") + 1
    codes[codes > len(habits.names)] = 0
    codes[~present | (careful & ~habits.keeping[codes])] = 0
    first_general = len(habits.ways) + 1
    codes[~regular & (codes <= first_general)] = 0
    for code, way in enumerate(habits.ways.values(), 1):
        rows = np.flatnonzero(codes == code)
        if way.fits is not None:
            fit = way.fits(cells[rows])
            codes[rows[~fit]] = 0
            rows = rows[fit]
        part = cells[rows]
        way.edit(part, rng)
        cells[rows] = part
    wide, junk, blank = (codes == first_general + i for i in range(3))
    values = text(cells, present & ~blank)
    values = pc.replace_with_mask(values, pa.array(wide), text(full_width(cells[wide])))
    words = habits.words.take(pa.array(rng.integers(0, len(habits.words), int(junk.sum()))))
    values = pc.replace_with_mask(values, pa.array(junk), words)
    return Soiled(values, present & habits.keeping[codes], codes)
