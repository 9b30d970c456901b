"""How many different sets a partner brings in a day."""

from __future__ import annotations

from pathlib import Path

import pytest
from tabled import rows
from test_books import Pair, opened

from parties.refusals import Refusal


def test_a_day_bounds_how_many_different_sets_a_partner_brings(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.claims = {
        "claim_no": [f"C{n}" for n in range(20)],
        "plate": [f"浙A{n:05}" for n in range(20)],
    }
    path = pair.files[1]
    text = path.read_text(encoding="utf-8").replace("\nmay = ", "\ndaily_sets = 2\nmay = ")
    path.write_text(text, encoding="utf-8")
    pair.ticket("count", runs=9)
    pair.records["plate"] = pair.claims["plate"][-2:]
    for _ in range(2):
        assert pair.run("count") == 2
    claims = pair.claims
    pair.claims = {name: values[5:] for name, values in claims.items()}
    assert pair.run("count") == 2
    pair.claims = {name: values[10:] for name, values in claims.items()}
    with pytest.raises(Refusal) as refused:
        pair.run("count")
    assert refused.value.code == "over-limit"
    with opened(pair.theirs) as store, store.reading() as connection:
        inputs = rows(connection, "inputs")
        assert [row.state for row in rows(connection, "runs")].count("done") == 3
    assert [(row.peer, row.set, len(row.input)) for row in inputs] == [("insurer", "plate", 32)] * 2
