"""What the settings say of one identifier set: its columns, their kinds, its domain."""

from __future__ import annotations

from parties.errors import SettingsError
from parties.settings import IdentifierSettings
from psi import _core


def domain(spec: IdentifierSettings) -> str:
    """Returns the string that is hashed before every identifier of this set.

    Two sets meet only within a domain, so a plate never equals a phone number. The name of the set
    is not part of it: the parties agree on kinds, and sets with the same kind may be compared.

    Raises:
        SettingsError: as `identify`.
    """
    kinds_of(spec)
    # Names of kinds hold neither "+" nor "/", so two lists of parts never give one domain.
    return "/".join(["greenlane/1", spec.kind, *(["+".join(spec.parts)] if spec.parts else [])])


def kinds_of(spec: IdentifierSettings) -> tuple[str, ...]:
    """Returns the kind of each column of a way.

    Raises:
        SettingsError: the kind is unknown, or parts and columns do not fit each other.
    """
    where = f"identifiers.{spec.name}"
    if (spec.kind == "composite") != bool(spec.parts):
        raise SettingsError(f"{where}: parts belong to the kind composite, and only to it")
    kinds = spec.parts or (spec.kind,)
    for kind in kinds:
        if kind not in _core.kinds():
            known = ", ".join([*_core.kinds(), "composite"])
            raise SettingsError(f"{where}: there is no kind {kind!r}; use one of {known}")
    if not spec.columns or any(len(way) != len(kinds) for way in spec.columns):
        raise SettingsError(f"{where}: each entry of columns must have {len(kinds)} column(s)")
    return kinds


def columns_of(spec: IdentifierSettings) -> list[str]:
    """Returns the columns that a set reads, each once."""
    return list(dict.fromkeys(column for way in spec.columns for column in way))
