"""Build the report's page: one HTML file that needs nothing else, at any width, light or dark."""

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Any

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --paper: #ffffff; --soft: #f1f3f5; --line: #d5d9dd; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --paper: #16181b; --soft: #22262a; --line: #3a4046; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 74rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { margin-top: 2.6rem; } h3 { margin-bottom: .3rem; }
p, li { max-width: 44rem; }
figure { margin: 1.2rem 0; max-width: 58rem; } figcaption { font-size: .9rem; max-width: 44rem; }
.wide { overflow-x: auto; } .wide > svg { display: block; width: 100%; min-width: 32rem; height: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { vertical-align: bottom; white-space: normal; } th:first-child, td:first-child { text-align: left; }
td.text { text-align: left; white-space: normal; min-width: 8rem; }
code { background: var(--soft); padding: .1rem .3rem; border-radius: .2rem; }
.verdict { padding: .2rem .5rem; border-radius: .3rem; background: var(--soft); font-weight: 600; }
"""

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body><main>
<h1>$title</h1>
$body
</main></body>
</html>
""")


def page(title: str, parts: Sequence[str]) -> str:
    """Return the page of parts that are HTML already."""
    return PAGE.substitute(title=escape(title), style=STYLE, body="\n".join(parts))


def heading(text: str, level: int = 2) -> str:
    """Return a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def items(texts: Sequence[str]) -> str:
    """Return a list of plain texts."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def figure(svg: str, caption: str) -> str:
    """Return a figure with its caption, which is also its text for screen readers."""
    return (
        f'<figure><div class="wide" role="img" aria-label="{escape(caption)}">{svg}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """Return a table; the first `texts` columns are text, which wraps, the others are figures."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>"
        + "".join(f'<td class="text">{escape(cell)}</td>' for cell in row[:texts])
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[texts:])
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def verdict(claim: dict[str, Any]) -> str:
    """Return a claim with its verdict and the number of its comparisons that lack an arm."""
    left_out = f" (left out: {claim['left_out']} of its comparisons)" if claim["left_out"] else ""
    return (
        f"<h3>{claim['number']}. {escape(claim['claim'])}</h3>"
        f'<p><span class="verdict">{escape(claim["verdict"])}</span>{left_out}</p>'
    )
