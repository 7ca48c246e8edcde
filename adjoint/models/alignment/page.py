"""The page of a report: one file, no script, no network; light or dark as the reader has it; it prints."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from .sections import Drawing, Grid, Section, Words, escaped, minus

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --rule: #d9dee5; --paper: #ffffff;
  --card: #f5f7fa; --main: #1f5fa8; --other: #c2570c; --good: #14693a; --good-card: #e8f5ed; --bad: #a3201d;
  --bad-card: #fdecea; --warn: #7a4b00; --warn-card: #fff4dc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa6b5; --rule: #343d49;
  --paper: #14181e; --card: #1d232b; --main: #7db4f2; --other: #f0a060; --good: #86d9a6; --good-card: #163024;
  --bad: #ff9d95; --bad-card: #3a1d1c; --warn: #f3c873; --warn-card: #33290f; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --rule: #bbb; --paper: #fff;
  --card: #fff; --main: #1f5fa8; --other: #c2570c; --good: #14693a; --good-card: #fff; --bad: #a3201d;
  --bad-card: #fff; --warn: #7a4b00; --warn-card: #fff; } figure, tr { break-inside: avoid; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.45rem; line-height: 1.3; margin: 0 0 1.2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.12rem; margin: 2.6rem 0 .7rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
ul { margin: .6rem 0; padding-left: 1.2rem; max-width: 46rem; overflow-wrap: anywhere; }
li { margin: .25rem 0; }
p { margin: .6rem 0; max-width: 46rem; overflow-wrap: anywhere; white-space: pre-line; }
p.small { color: var(--soft); font-size: .92rem; }
p.good, p.bad, p.warning { padding: .75rem 1rem; border-left: 4px solid; border-radius: 0 6px 6px 0; }
p.good { background: var(--good-card); border-color: var(--good); }
p.bad { background: var(--bad-card); border-color: var(--bad); }
p.warning { background: var(--warn-card); border-color: var(--warn); }
p.warning::before { content: "Warning. "; font-weight: 600; color: var(--warn); }
section:first-of-type p.good, section:first-of-type p.bad { font-size: 1.1rem; }
/* a shade on the right as long as there is more to scroll to */
.scroll { overflow-x: auto; margin: .9rem 0;
  background: linear-gradient(to left, var(--paper) 40%, transparent) 100% 0 / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--rule), transparent) 100% 0 / 1.2rem 100% no-repeat scroll; }
.long { min-width: 7rem; }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--rule); }
th, td { padding: .34rem 1.1rem .34rem 0; vertical-align: top; }
td { border-bottom: 1px solid var(--rule); }
.number { text-align: right; white-space: nowrap; }
tr.chosen td { background: var(--card); font-weight: 600; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1.2rem;
  margin: 1rem 0; max-width: 60rem; }
figure { margin: 0; padding: .9rem; background: var(--card); border-radius: 8px; max-width: 34rem; }
figcaption { color: var(--soft); font-size: .88rem; line-height: 1.4; margin-top: .5rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font: 11.5px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--soft); }
svg text.note { fill: var(--ink); font-weight: 600; }
svg text.name { fill: var(--ink); font-size: 13px; }
.grid { stroke: var(--rule); } .axis { stroke: var(--soft); }
.line { fill: none; stroke: var(--main); stroke-width: 2.2; }
.tangent { fill: none; stroke: var(--other); stroke-width: 1.8; stroke-dasharray: 6 4; }
.dot { fill: var(--main); stroke: var(--card); stroke-width: 1; }
.mark { fill: none; stroke: var(--other); stroke-width: 2.4; }
.bar { fill: var(--main); } .bar.below { fill: var(--other); }
.limit { stroke: var(--ink); stroke-width: 2; }
.way { stroke: var(--main); stroke-width: 3; }
.before { fill: var(--card); stroke: var(--soft); stroke-width: 2; } .after { fill: var(--main); }
.thick { stroke: var(--main); stroke-width: 4; stroke-linecap: round; opacity: .55; }
.thin { stroke: var(--soft); stroke-width: 1.6; stroke-linecap: round; }
@media (max-width: 30rem) { svg text { font-size: 13px; } table { font-size: .86rem; }
  td, th { padding-right: .8rem; }
  th:first-child, td:first-child { position: sticky; left: 0; background: var(--paper); }
}
footer { color: var(--soft); font-size: .88rem; margin-top: 3rem; }
"""
LONG = 24  # characters of a cell that is more than a name


def page(title: str, sections: Sequence[Section], made_by: str = "python -m adjoint align") -> str:
    """The HTML of a report; whatever names it contains is text and nothing else.

    Args:
        title: heading, and the name of the tab.
        sections: in reading order.
        made_by: the command, for the last line.
    """
    body = "".join(_section(s) for s in sections)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{_text(title)}</h1>\n{body}"
        f"<footer>Made by {escaped(made_by)}.</footer>\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    parts, figures = [], list[str]()
    for block in section.blocks:
        if isinstance(block, Drawing):
            if block.svg:
                figures.append(f"<figure>{block.svg}<figcaption>{_text(block.caption)}</figcaption></figure>")
            continue
        parts += _row_of(figures)
        parts.append(_grid(block) if isinstance(block, Grid) else _words(block))
    parts += _row_of(figures)
    title = f"<h2>{_text(section.title)}</h2>\n" if section.title else ""
    return f"<section>\n{title}{''.join(parts)}</section>\n"


def _row_of(figures: list[str]) -> list[str]:
    """The figures collected so far, side by side; the list is emptied."""
    row = [f'<div class="figures">{"".join(figures)}</div>\n'] if figures else []
    figures.clear()
    return row


def _words(block: Words) -> str:
    if block.kind == "heading":
        return f"<h3>{_text(block.text)}</h3>\n"
    lines = block.text.split("\n")
    if all(line.startswith("• ") for line in lines):
        return "<ul>" + "\n".join(f"<li>{_text(line[2:])}</li>" for line in lines) + "</ul>\n"
    return f'<p class="{block.kind}">{_text(block.text)}</p>\n'


def _grid(block: Grid) -> str:
    # columns of sentences keep a width in which words can be read; a narrow page scrolls
    long = {k for k in range(len(block.heads)) if any(len(row[k]) > LONG for row in block.rows)}
    kinds = ["number" if k in block.right else "long" if k in long else "" for k in range(len(block.heads))]

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{f' class={kind}' if kind else ''}>{_text(cell.strip())}</{tag}>"
            for cell, kind in zip(row, kinds, strict=True)
        )

    head = f"<thead><tr>{cells(block.heads, 'th')}</tr></thead>" if any(block.heads) else ""
    rows = "".join(
        f"<tr{' class=chosen' if '← chosen' in row[0] else ''}>{cells(row, 'td')}</tr>" for row in block.rows
    )
    return f'<div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>\n'


def _text(text: str) -> str:
    return escaped(minus(text))
