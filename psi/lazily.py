"""NumPy and pyarrow, each imported when it is first used.

To start, they take a process longer than a small match takes it, and a match of texts without
records needs neither. What is annotated with them is not evaluated.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
else:

    class _Module:
        """Stands for a module. The import itself is Python's, with its locks.

        What was asked for once stands here from then on, and nothing is looked up for it again.
        """

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            value = getattr(import_module(self._name), attribute)
            setattr(self, attribute, value)
            return value

    np, npt, pa = _Module("numpy"), _Module("numpy.typing"), _Module("pyarrow")

__all__ = ["np", "npt", "pa"]
