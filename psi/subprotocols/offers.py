"""What a side may bring, and how much of its size it shows."""

from __future__ import annotations

from psi.elements import Elements
from psi.errors import ApiMisuse
from psi.matches import Labels
from psi.parameters import Parameters
from psi.subprotocols.decoys import DECOYS, size_class


def checked(elements: Elements, labels: Labels | None, parameters: Parameters) -> tuple[int, int]:
    """Checks a set and its labels against what was agreed.

    Returns:
        how many records there are, by default one an element, and bytes of a label.

    Raises:
        ApiMisuse: the set or its labels are larger than the parameters allow, or do not fit.
    """
    records, width = len(elements), 0
    if labels is not None:
        labels.check(len(elements))
        records, width = len(labels), labels.width
    if max(len(elements), records) > parameters.max_elements:
        raise ApiMisuse(
            f"{max(len(elements), records)} elements or records, "
            f"agreed are at most {parameters.max_elements}"
        )
    if width > parameters.max_label_width:
        raise ApiMisuse(f"labels of {width} bytes, agreed are at most {parameters.max_label_width}")
    return records, width


def shown(size: int, exact: bool) -> int:
    """The size that is shown, decoys included: exact, or its class."""
    return size + DECOYS if exact else size_class(size)
