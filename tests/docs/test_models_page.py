"""The page of rules is what `greenlane models page` writes; tables of operations are the code's."""

from __future__ import annotations

from documents import read, rows

from parties.models.checking import checked
from parties.models.loading import folder_of, names
from parties.models.mapping import Taken
from parties.models.page import written
from parties.models.tables import TABLES

OPERATIONS = "docs/operations.md"


def test_the_page_of_rules_is_up_to_date() -> None:
    assert read("docs/models.md") == written([checked(folder_of(name)) for name in names()])


def test_every_column_of_the_joined_tables_is_listed() -> None:
    listed = [
        (row.names(0)[0], row.names(1)[0], *row.cells[2:])
        for row in rows(OPERATIONS)
        if row.heading == "Joined tables" and len(row.cells) == 4
    ]
    assert listed == [
        (table, name, column.type, column.says)
        for table, columns in TABLES.items()
        for name, column in columns.items()
    ]


def test_every_entry_of_a_mapping_is_listed() -> None:
    listed = [
        row.names(0)[0]
        for row in rows(OPERATIONS)
        if row.heading == "Joined tables" and len(row.cells) == 2
    ]
    assert listed == list(Taken._fields)
