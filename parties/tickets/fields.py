"""Strict reading of an object that somebody else has written: names, forms and bounds of entries.

What is wrong is said by the name of the entry, which is ours; nothing of what was written is
quoted.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

T = TypeVar("T")

_TIME_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"


class Malformed(ValueError):
    """An object does not have the form it must have; the text says where, and quotes nothing."""


class Fields:
    """The entries of one object, each to be read by its name.

    Args:
        values: what was written.
        where: what the object is called in sentences.
        names: exactly those that must be there.

    Raises:
        Malformed: by any method, if the entry is not what it must be.
    """

    def __init__(self, values: Any, where: str, names: Collection[str]) -> None:
        self._where = where
        if not isinstance(values, dict):
            raise Malformed(f"{where} must be an object")
        self._values = values
        if missing := sorted(set(names) - set(values)):
            raise Malformed(f"{where} lacks {missing[0]}")
        if len(values) > len(names):
            raise Malformed(f"{where} has an entry that this release does not know")

    def text(self, name: str, most: int, *, empty: bool = False) -> str:
        """A text of printable characters, without space around it."""
        text = self._values[name]
        if not isinstance(text, str) or not text.isprintable() or text != text.strip():
            raise self._wrong(name, "must be a text of printable characters in one line")
        if len(text) > most or not (text or empty):
            raise self._wrong(name, f"must have {0 if empty else 1} to {most} characters")
        return text

    def lines(self, name: str, most: int) -> str:
        """A text of printable characters in several lines, without space around it."""
        text = self._values[name]
        if isinstance(text, str):
            text = text.strip()
            if 0 < len(text) <= most and all(line.isprintable() for line in text.splitlines()):
                return text
        raise self._wrong(name, f"must be a text of 1 to {most} printable characters")

    def form(self, name: str, form: re.Pattern[str]) -> str:
        """A text of a form."""
        return _formed(self._values[name], form, self._place(name))

    def one(self, name: str, among: Collection[str]) -> str:
        """One of some words."""
        text = self._values[name]
        if not isinstance(text, str) or text not in among:
            raise self._wrong(name, f"must be one of {', '.join(among)}")
        return text

    def number(self, name: str, least: int, most: int) -> int:
        """A whole number."""
        number = self._values[name]
        if type(number) is not int or not least <= number <= most:
            raise self._wrong(name, f"must be a whole number from {least} to {most}")
        return number

    def bytes(self, name: str) -> bytes:
        """Bytes in base64."""
        return bytes_of(self._values[name], self._place(name))

    def time(self, name: str) -> datetime:
        """A time in UTC, to the second."""
        text = self._values[name]
        if isinstance(text, str) and text.endswith("Z"):
            with suppress(ValueError):  # raised below: the text may quote it
                time = datetime.fromisoformat(text)
                if told(time) == text:
                    return time
        raise self._wrong(name, "must be a time like 2026-11-30T07:00:00Z")

    def items(self, name: str, most: int) -> list[Any]:
        """A list."""
        items = self._values[name]
        if not isinstance(items, list) or len(items) > most:
            raise self._wrong(name, f"must be a list of at most {most} entries")
        return items

    def each(self, name: str, most: int, read: Callable[[Any, str], T]) -> tuple[T, ...]:
        """A list of which each entry is read, and is called in sentences as it is given."""
        items = self.items(name, most)
        return tuple(read(item, f"an entry of {self._place(name)}") for item in items)

    def ordered(self, name: str, most: int, form: re.Pattern[str]) -> tuple[str, ...]:
        """Texts of a form, each once and in order, so that what is meant has one spelling."""
        texts = self.each(name, most, lambda item, where: _formed(item, form, where))
        self.in_order(name, texts)
        return texts

    def words(self, name: str, among: Collection[str]) -> tuple[str, ...]:
        """Some of some words, each once and in order."""
        words = tuple(self.items(name, len(among)))
        if not all(isinstance(word, str) and word in among for word in words):
            raise self._wrong(name, f"must list some of {', '.join(among)}")
        self.in_order(name, words)
        return words

    def in_order(self, name: str, keys: Sequence[Any]) -> None:
        """Checks that the entries of a list stand in order, each once."""
        if list(keys) != sorted(set(keys)):
            raise self._wrong(name, "must be in order, without one that stands there twice")

    def inner(self, name: str, names: Collection[str]) -> Fields:
        """An object within this one."""
        return Fields(self._values[name], self._place(name), names)

    def keys(self, name: str, among: Collection[str]) -> list[str]:
        """The names within an inner object, each one of some words."""
        values = self._values[name]
        if not isinstance(values, dict) or not set(values) <= set(among):
            raise self._wrong(name, f"must be an object that may have {', '.join(among)}")
        return sorted(values)

    def keys_of(self, name: str, form: re.Pattern[str], most: int, least: int = 1) -> list[str]:
        """The names within an inner object, each of a form."""
        values = self._values[name]
        if not isinstance(values, dict) or not least <= len(values) <= most:
            raise self._wrong(name, f"must be an object of {least} to {most} entries")
        return sorted(_formed(key, form, f"a name in {self._place(name)}") for key in values)

    def _place(self, name: str) -> str:
        return f"{name} of {self._where}"

    def _wrong(self, name: str, why: str) -> Malformed:
        return Malformed(f"{self._place(name)} {why}")


def bytes_of(text: Any, where: str) -> bytes:
    """Reads bytes, of which there is one at least, in the one spelling that base64 has for them.

    Raises:
        Malformed: the text is something else.
    """
    data = b""
    if isinstance(text, str):
        with suppress(ValueError, binascii.Error):  # raised below: the text may quote it
            data = base64.b64decode(text, validate=True)
    if not data or text_of(data) != text:
        raise Malformed(f"{where} must be bytes in base64")
    return data


def text_of(data: bytes) -> str:
    """Bytes as `bytes_of` reads them."""
    return base64.b64encode(data).decode()


def told(time: datetime) -> str:
    """A time as `Fields.time` reads it."""
    return f"{time.astimezone(UTC):{_TIME_FORM}}"


def _formed(text: Any, form: re.Pattern[str], where: str) -> str:
    if not isinstance(text, str) or not form.fullmatch(text):
        raise Malformed(f"{where} must have the form {form.pattern}")
    return text
