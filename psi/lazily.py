"""What takes long when a program starts, put off or left out.

To start, NumPy and pyarrow take a process longer than a small match takes it, and a match of texts
without records needs neither. What is annotated with them is not evaluated. `typing.NamedTuple`
compiles those of its fields, which nobody asks for, and a constructor for each class, of which a
process makes sixty and needs few; that of this module does neither.

Libraries import what most of their users never touch, and compile expressions that few of them
use. `unread` and `uncompiled` spare a process that.
"""

from __future__ import annotations

import re
import sys
from collections import namedtuple
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class _Unread(ModuleType):
    """Stands for a module; what is asked of it is asked of the module, which is then imported.

    The import itself is Python's, with its locks. What was asked for once stands here from then on,
    and nothing is looked up for it again.
    """

    def __getattr__(self, attribute: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        value = getattr(import_module(self.__name__), attribute)
        setattr(self, attribute, value)
        return value


class _Tuple(tuple[Any, ...]):
    """What all named tuples have in common, as `collections.namedtuple` gives it to each."""

    __slots__ = ()
    _fields: tuple[str, ...]
    _field_defaults: dict[str, Any]

    def __new__(cls, *values: Any, **named: Any) -> Any:
        if named or len(values) != len(cls._fields):
            values += cls._rest(cls._fields[len(values) :], named)
        return tuple.__new__(cls, values)

    @classmethod
    def _rest(cls, fields: tuple[str, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """The values of the last fields, by name or default."""
        given = cls._field_defaults | named
        if not fields or not named.keys() <= {*fields}:
            raise TypeError(f"{cls.__name__}() is given a field that it has not, or one twice")
        try:
            return tuple([given[field] for field in fields])
        except KeyError as missing:
            raise TypeError(f"{cls.__name__}() lacks its field {missing}") from None

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Any:
        return cls(*values)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({fields})"

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **named: Any) -> Any:
        if not named.keys() <= {*self._fields}:
            raise TypeError(f"{type(self).__name__} has no such field to be replaced")
        values = [named.get(name, value) for name, value in zip(self._fields, self, strict=True)]
        return tuple.__new__(type(self), values)


_any: Any = namedtuple("_any", "field")
_field = type(_any.field)
"""What reads a field by its place, as the library does, where it is fastest."""


class _MakesTuples(type):
    """Makes a named tuple of a class with annotated fields."""

    def __new__(cls, name: str, bases: tuple[type, ...], entries: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, entries)
        fields = tuple(entries.get("__annotations__", ()))
        defaults = {field: entries[field] for field in fields if field in entries}
        of_class = {"__slots__": (), "_fields": fields, "_field_defaults": defaults}
        getters = {field: _field(at, "") for at, field in enumerate(fields)}
        return type(name, (_Tuple,), entries | of_class | getters | {"__match_args__": fields})


if TYPE_CHECKING:
    from typing import NamedTuple

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
else:
    np, npt, pa = map(_Unread, ("numpy", "numpy.typing", "pyarrow"))

    class NamedTuple(metaclass=_MakesTuples):
        """As that of `typing`, whose annotations stay the texts that they are."""


__all__ = ["NamedTuple", "np", "npt", "pa", "uncompiled", "unread"]


@contextmanager
def unread(*names: str) -> Iterator[None]:
    """Lets what is imported in the block have modules that are read when they are first used.

    Who imports them elsewhere, or later, imports them as ever. So does the block what has been
    imported before.

    What was asked of a stand-in once stays with it: whoever puts something else into the module, as
    tests do, puts it into the stand-in as well.

    Args:
        names: of modules, and of those within them that the block names by themselves.
    """
    stand_ins = {name: _Unread(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


@contextmanager
def uncompiled() -> Iterator[None]:
    """Lets modules that the block imports have expressions that are compiled when they are used."""
    sys.modules["re"] = _Expressions("re")
    try:
        yield
    finally:
        sys.modules["re"] = re


class _Expressions(ModuleType):
    """Stands for `re`."""

    def __getattr__(self, attribute: str) -> Any:
        return getattr(re, attribute)

    def compile(self, pattern: Any, flags: int = 0) -> _Uncompiled:
        return _Uncompiled(pattern, flags)


class _Uncompiled:
    """Stands for an expression; what is asked of it is asked of the expression."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._arguments = pattern, flags

    def __getattr__(self, attribute: str) -> Any:
        return getattr(re.compile(*self._arguments), attribute)
