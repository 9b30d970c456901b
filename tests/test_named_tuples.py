"""The named tuples of `psi.lazily` are those of `typing`, made for less."""

from __future__ import annotations

import copy
import pickle
import typing
from typing import Any

import pytest

from psi import lazily


class Ours(lazily.NamedTuple):
    """A record."""

    name: str
    sizes: tuple[int, ...]
    found: int | None = None
    way: str = "match"

    @property
    def largest(self) -> int:
        """Of the sizes."""
        return max(self.sizes)

    @classmethod
    def of(cls, *sizes: int) -> Ours:
        """Of no name."""
        return cls("", sizes)


class Theirs(typing.NamedTuple):
    """The same, by the library."""

    name: str
    sizes: tuple[int, ...]
    found: int | None = None
    way: str = "match"


@pytest.mark.parametrize(
    "values",
    [
        (("a", (1, 2)), {}),
        (("a", (1, 2), 3, "list"), {}),
        (("a",), {"way": "list", "sizes": ()}),
        ((), {"sizes": (1,), "name": "b", "found": 0}),
        ((), {"name": "b"}),
        (("a", (), 3, "list", 5), {}),
        (("a", ()), {"name": "b"}),
        (("a", ()), {"none": 1}),
    ],
)
def test_a_record_is_made_of_what_one_of_the_library_is_made_of(values: Any) -> None:
    told, named = values
    try:
        due = Theirs(*told, **named)
    except TypeError:
        with pytest.raises(TypeError, match="field"):
            Ours(*told, **named)
        return
    made: Any = Ours(*told, **named)
    assert made == due
    assert repr(made) == repr(due).replace("Theirs", "Ours")
    assert (made._asdict(), hash(made)) == (due._asdict(), hash(due))
    assert (made.name, made.sizes, made.found, made.way) == due


def test_a_record_can_be_copied_kept_changed_and_taken_apart() -> None:
    made = Ours("a", (1, 5))
    assert Ours._fields == Theirs._fields
    assert Ours._field_defaults == Theirs._field_defaults
    assert Ours.__doc__ == "A record."
    assert pickle.loads(pickle.dumps(made)) == copy.copy(made) == made
    assert type(copy.copy(made)) is Ours
    assert set(dir(Theirs)) <= set(dir(Ours))
    assert Ours._make(["a", (1, 5), None, "match"]) == made
    assert made._replace(found=7) == ("a", (1, 5), 7, "match")
    assert (made.largest, Ours.of(4).sizes) == (5, (4,))
    match made:
        case Ours(name, (_, last), way="match"):
            assert (name, last) == ("a", 5)
        case _:
            pytest.fail("a record is taken apart by its fields")
    with pytest.raises(TypeError, match="no such field"):
        made._replace(none=1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        made.name = "b"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        made.other = "b"  # type: ignore[attr-defined]
