"""What a side may bring, and how much of its size it shows."""

from __future__ import annotations

from psi.elements import Elements
from psi.errors import ApiMisuse
from psi.matches import Labels
from psi.parameters import Parameters
from psi.subprotocols.decoys import DECOYS, size_class


def checked(elements: Elements, labels: Labels | None, parameters: Parameters) -> Labels:
    """Checks a set and its labels against what was agreed; by default one record an element.

    Raises:
        ApiMisuse: the set or its labels are larger than the parameters allow, or do not fit.
    """
    if labels is None:
        labels = Labels.none(len(elements))
    else:
        labels.check(len(elements))
    if max(len(elements), len(labels)) > parameters.max_elements:
        raise ApiMisuse(
            f"{max(len(elements), len(labels))} elements or records, "
            f"agreed are at most {parameters.max_elements}"
        )
    if labels.width > parameters.max_label_width:
        raise ApiMisuse(
            f"labels of {labels.width} bytes, agreed are at most {parameters.max_label_width}"
        )
    return labels


def shown(size: int, exact: bool) -> int:
    """The size that is shown, decoys included: exact, or its class."""
    return size + DECOYS if exact else size_class(size)
