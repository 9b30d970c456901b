"""Pages that people read and print: HTML without a script, which loads nothing.

Any browser prints one, to paper or to PDF, in the fonts that the machine has; Chinese names print
wherever they are shown.
"""

from __future__ import annotations

from html import escape
from string import Template
from typing import Final

_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
@page { size: $size; margin: 15mm; }
body { font: 10pt/1.4 "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif;
  color: #111; max-width: 265mm; margin: 0 auto; padding: 5mm; }
h1 { font-size: 16pt; margin: 0 0 3mm; }
h2 { font-size: 12pt; margin: 8mm 0 2mm; break-after: avoid; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { border: 0.2mm solid #888; padding: 1mm 1.5mm; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { background: #eee; }
td.n { text-align: right; white-space: nowrap; }
$style</style>
</head>
<body>
<h1>$title</h1>
$body</body>
</html>
""")


def page(title: str, body: str, *, style: str = "", size: str = "A4 landscape") -> str:
    """Returns a page.

    Args:
        title: of the window and above the text; it is escaped here.
        body: HTML, in which all that is filled in is escaped already; ends with a line end.
        style: rules of CSS beside those for headings and tables; likewise.
        size: of the paper, as CSS names it.
    """
    return _PAGE.substitute(title=escape(title), body=body, style=style, size=size)
