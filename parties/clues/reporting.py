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
_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Clues of $month at $node</title>
<style>
@page { size: A4 landscape; margin: 15mm; }
body { font: 10pt/1.4 "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif;
  color: #111; max-width: 265mm; margin: 0 auto; padding: 5mm; }
h1 { font-size: 16pt; margin: 0 0 3mm; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { border: 0.2mm solid #888; padding: 1mm 1.5mm; text-align: left; vertical-align: top; }
th { background: #eee; }
td.n { text-align: right; white-space: nowrap; }
tfoot td { font-weight: bold; }
</style>
</head>
<body>
<h1>Clues of $month at $node</h1>
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
</body>
</html>
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
    """The report as a page; no script, nothing loaded."""
    rows = "\n".join(
        f"<tr><td>{escape(line)}</td><td>{escape(insurer)}</td>{_row(counts)}</tr>"
        for (line, insurer), counts in report.rows.items()
    )
    return _PAGE.substitute(
        month=escape(report.month),
        node=escape(report.node),
        heads="".join(f"<th>{escape(HEADS[name])}</th>" for name in Counts._fields),
        rows=rows,
        total=_row(report.total),
    )


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
