"""The monthly report as JSON values, as CSV, and as a page to read and print; it names nobody."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from html import escape
from string import Template
from typing import Any, Final

from parties.clues.amounts import FEN, yuan
from parties.clues.counting import Counts, Report
from parties.pages import page

AMOUNTS: Final = ("claimed", "amount", "recovered")
"""Numbers that are amounts in fen."""
HEADS: Final[Mapping[str, str]] = {
    "clues": "Clues",
    "claimed": "Amount of their claims (yuan)",
    "merged": "Merged into another",
    "accepted": "Accepted",
    "returned": "Returned",
    "cases": "Cases filed",
    "concluded": "Concluded",
    "suspects": "Suspects",
    "amount": "Amount of cases (yuan)",
    "recovered": "Recovered (yuan)",
}
_STYLE: Final = "tfoot td { font-weight: bold; }\n"
_BODY: Final = Template("""\
<table>
<thead><tr><th>Line</th><th>Insurer</th>$heads</tr></thead>
<tbody>
$rows
</tbody>
<tfoot><tr><td>All</td><td></td>$total</tr></tfoot>
</table>
<p>What happened in the month (UTC), by the ledger of $node. A clue that was merged into another
counts once: the number of merged ones is to be taken from that of clues. A clue is a lead: that
somebody should look, and nothing more about anybody.</p>
""")


def as_values(report: Report) -> dict[str, Any]:
    """The report as JSON values; amounts in fen."""
    rows = [
        {"line": line, "insurer": insurer, **counts._asdict()}
        for (line, insurer), counts in report.rows.items()
    ]
    return {
        "month": report.month,
        "node": report.node,
        "currency": "CNY",
        "unit": "fen",
        "rows": rows,
        "total": report.total._asdict(),
    }


def as_csv(report: Report) -> str:
    """The report as CSV (RFC 4180); amounts in yuan, and the last line is that of all."""
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow(["month", "line", "insurer", *Counts._fields])
    for (line, insurer), counts in report.rows.items():
        lines.writerow([report.month, line, insurer, *_cells(counts, _plain)])
    lines.writerow([report.month, "all", "all", *_cells(report.total, _plain)])
    return out.getvalue()


def as_page(report: Report) -> str:
    """The report as a page."""
    rows = "\n".join(
        f"<tr><td>{escape(line)}</td><td>{escape(insurer)}</td>{_row(counts)}</tr>"
        for (line, insurer), counts in report.rows.items()
    )
    body = _BODY.substitute(
        node=escape(report.node),
        heads="".join(f"<th>{escape(HEADS[name])}</th>" for name in Counts._fields),
        rows=rows,
        total=_row(report.total),
    )
    return page(f"Clues of {report.month} at {report.node}", body, style=_STYLE)


def as_lines(report: Report) -> list[str]:
    """The report for a terminal."""
    lines = [f"clues of {report.month} at {report.node}"]
    for (line, insurer), counts in [*report.rows.items(), (("all", ""), report.total)]:
        said = zip(Counts._fields, _cells(counts, yuan), strict=True)
        lines.append(f"{line} {insurer}".strip() + ": " + ", ".join(f"{n} {v}" for n, v in said))
    return lines


def _row(counts: Counts) -> str:
    return "".join(f'<td class="n">{cell}</td>' for cell in _cells(counts, yuan))


def _cells(counts: Counts, amount: Callable[[int], str]) -> list[str]:
    return [
        amount(number) if name in AMOUNTS else str(number)
        for name, number in counts._asdict().items()
    ]


def _plain(amount: int) -> str:
    return f"{amount // FEN}.{amount % FEN:02}"
