"""`greenlane store set-clock`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give

if TYPE_CHECKING:
    from datetime import datetime

    from parties.store import Connection


def set_clock(settings: SettingsPath, as_: As = None, as_json: AsJson = False) -> None:
    """Puts a clock of the store that is ahead back to this machine's."""
    from parties import audit, logs
    from parties.settings_file import load
    from parties.store import Store, in_words

    loaded = load(settings)
    logs.set_up(loaded.node.log)
    logs.must_be_writable()
    admitted(loaded, "store set-clock", as_)

    def log(connection: Connection, at: datetime, event: str, facts: Mapping[str, Any]) -> None:
        audit.begin(connection, loaded.node.name)
        audit.append(connection, at, event, facts)
        logs.Log().warning("clock_set", was=facts["was"], now=facts["now"])

    store = Store(loaded.store.url)
    try:
        by = store.set_clock(log)
    finally:
        store.close()
    line = "the store's clock is not ahead of this machine's; nothing was changed"
    if by > timedelta(0):
        line = f"the store's clock was ahead by {in_words(by)}, and is this machine's now"
    give({"was_ahead_seconds": by.total_seconds()}, [line], as_json=as_json)
