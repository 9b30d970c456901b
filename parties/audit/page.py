"""The log as one page that a compliance officer reads and prints.

All that is filled in is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from string import Template
from typing import Final

from parties.audit.facts import EVENTS
from parties.audit.findings import Report
from parties.audit.reading import Source
from parties.audit.summary import MOST_OPEN, UNREADABLE, Month, Summary
from parties.audit.verifying import verify
from parties.pages import page

_STYLE: Final = """\
.wrong { border: 0.6mm solid #a00; padding: 2mm 4mm; }
code { font-size: 8pt; overflow-wrap: anywhere; }
"""
_BODY: Final = Template("""\
$chain
<h2>Tickets</h2>
$tickets
<h2>By ticket and month (UTC)</h2>
$months
<h2>Runs and inquiries without the receipts of both nodes</h2>
$open
<h2>Who gave which command</h2>
$people
<h2>When the clock was set back</h2>
$clocks
<h2>Lines by event</h2>
$events
<h2>How to read this page</h2>
<p>It is made of the log of one node, and says what that node wrote down. A peer's copy of the
receipts shows whether it is all: <code>greenlane audit compare</code>. Elements are sizes as the
peers saw them, rounded up. A hit is a lead: that two files name one thing, and nothing more about
anybody. Of what a peer alone has learnt this node knows no number.</p>
""")


def page_of(source: Source) -> str:
    """Returns the page of a log; the log is verified first, and the page says how that ended."""
    report = verify(source)
    summary = Summary(source)
    body = _BODY.substitute(
        chain=_chain(report),
        tickets=_tickets(summary),
        months=_months(summary.months),
        open=_open(summary),
        people=_table(
            ("Operator", "Role", "Command", "Outcome", "Times"),
            [(*who, count) for who, count in sorted(summary.people.items())],
        ),
        clocks=_table(("Line of", "From", "To"), summary.clocks),
        events=_table(
            ("Event", "Lines"),
            [(name, n) for name in (*EVENTS, UNREADABLE) if (n := summary.events[name])],
        ),
    )
    return page(f"Audit log of {report.node}", body, style=_STYLE)


def _chain(report: Report) -> str:
    said = [
        f"<p>Lines {report.first:,} to {report.last:,}, from {escape(report.since or '-')} to "
        f"{escape(report.until or '-')}. Log <code>{escape(report.log)}</code>.</p>"
    ]
    if report.signer:
        said.append(
            f"<p>Signed up to line {report.proven:,} at {escape(report.signed)} under the "
            f"certificate <code>{escape(report.signer)}</code>.</p>"
        )
    if report.holds:
        said.append("<p>Every line follows from the one before, and every head holds.</p>")
    else:
        listed = "".join(f"<li>{escape(each.text)}</li>" for each in report.findings)
        more = f"<p>And {report.more:,} more.</p>" if report.more else ""
        said.append(
            f'<div class="wrong"><p>This log does not hold:</p><ul>{listed}</ul>{more}</div>'
        )
    return "\n".join(said)


def _tickets(summary: Summary) -> str:
    rows = [
        (name, ticket.purpose or "-", at, what, who)
        for name, ticket in sorted(summary.tickets.items())
        for at, what, who in ticket.history
    ]
    return _table(("Ticket", "Purpose", "When", "What", "By"), rows)


def _months(months: Mapping[tuple[str, str], Month]) -> str:
    heads = (
        *("Ticket", "Month", "Runs begun", "Ended", "Broken", "Refused", "Elements, ours"),
        *("Elements, theirs", "Inquiries asked", "Inquiries answered", "Elements in them"),
        *("Inquiries with both receipts", "Hits learnt"),
        *("Disclosures", "Records in them", "Bytes said", "Bytes heard", "Files erased"),
    )
    rows = [
        (
            *(ticket or "none", month, each.begun, each.ended, _codes(each.failed)),
            *(_codes(each.refused), each.ours, each.theirs, each.asked, each.inquiries),
            *(each.inquired, each.receipted, each.found),
            *(each.disclosures, each.disclosed, each.said_bytes, each.heard_bytes),
            each.erased,
        )
        for (ticket, month), each in sorted(months.items())
    ]
    return _table(heads, rows)


def _open(summary: Summary) -> str:
    runs = summary.open()
    rows = [
        (*run[:4], run.ticket or "none", "yes" if run.ended else "no", run.receipts)
        for run in runs[:MOST_OPEN]
    ]
    table = _table(("Began", "What", "Session", "Peer", "Ticket", "Ended", "Receipts"), rows)
    left = len(runs) - len(rows)
    return table + (f"<p>And {left:,} more.</p>" if left else "")


def _codes(codes: Mapping[str, int]) -> str:
    return ", ".join(f"{code}: {count:,}" for code, count in sorted(codes.items())) or "-"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not body:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    return f"<td>{escape(value)}</td>"
